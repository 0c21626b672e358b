//! What `tests/setup` has installed: in the cache of its user, or in the system.

use std::path::{Path, PathBuf};

use super::process::needed;

/// A path below the folder of these tools, whether it is there or not; none without a home.
pub fn tool(path: impl AsRef<Path>) -> Option<PathBuf> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = home("XDG_CACHE_HOME").or_else(|| Some(home("HOME")?.join(".cache")))?;
    Some(cache.join("tokenlake").join(path))
}

/// The same if it is there; without it the test is passed over, or fails, as [`needed`] has it.
pub fn installed_tool(path: &str) -> Option<PathBuf> {
    let there = tool(path).filter(|tool| tool.exists());
    if there.is_none() {
        needed(format_args!("{path} (see tests/setup)"));
    }
    there
}

/// Where PostgreSQL's programs are, of the newest version that is installed.
pub fn postgres_programs() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let mut folders: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort();
    folders.pop()
}
