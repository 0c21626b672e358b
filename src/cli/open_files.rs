//! The limit on the files and connections that the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Other open files: files of the archive, connections to storage, pipes of workers.
const OTHERS: u64 = 1_024;

/// Raises the soft limit for this many connections in addition to all other files: it is often
/// below the hard limit.
pub(super) fn allow(connections_max: usize) {
    let needed = u64::try_from(connections_max).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let most = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum });
    if raised.is_err() || most < needed {
        tracing::warn!(
            needed,
            allowed = most,
            "the system allows too few open files for --max-connections; raise its limit (ulimit -n) or lower the flag"
        );
    }
}
