//! What `tests/setup` has put into the cache of its user.

use std::path::{Path, PathBuf};

/// A path below the folder of these tools, whether it is there or not; none without a home.
pub fn tool(path: impl AsRef<Path>) -> Option<PathBuf> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = home("XDG_CACHE_HOME").or_else(|| Some(home("HOME")?.join(".cache")))?;
    Some(cache.join("tokenlake").join(path))
}
