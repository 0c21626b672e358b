//! Prices: what calls get by each door, tables in an archive, the commands; and beside the calculations of
//! others, genai-prices and LiteLLM, where they are installed.

mod backfill;
pub mod calls;
mod damage;
mod doors;
mod genai;
mod litellm;
pub mod priced;
mod quotes;
mod reprice;
mod tables;

use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::process::needed;
use super::support::tools::tool;

/// A Python that has a package: the one that `TOKENLAKE_TEST_PRICES_PYTHON` names, or one that `tests/setup`
/// has made.
fn python_with(package: &str) -> Option<PathBuf> {
    let named = std::env::var_os("TOKENLAKE_TEST_PRICES_PYTHON").map(PathBuf::from);
    let all = match named {
        Some(named) => vec![named],
        None => tool("").map(|tools| pythons_in(&tools)).unwrap_or_default(),
    };
    let import = format!("import importlib.util as u; assert u.find_spec({package:?})");
    let has = |python: &PathBuf| {
        let has = Command::new(python).args(["-c", &import]).output();
        has.is_ok_and(|output| output.status.success())
    };
    let found = all.into_iter().find(has);
    if found.is_none() {
        needed(format_args!("a Python with {package} (see tests/setup)"));
    }
    found
}

/// The Pythons of the tools.
fn pythons_in(tools: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(tools).into_iter().flatten().flatten();
    let mut pythons: Vec<_> = folders.map(|folder| folder.path().join("bin/python")).collect();
    pythons.retain(|python| python.exists());
    pythons.sort();
    pythons
}

/// What a script of the repository writes.
fn output_of(python: &Path, script: &str, args: &[&str]) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new(python).arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
