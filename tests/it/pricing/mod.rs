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

use super::support::process::passed_over;
use super::support::tools::tool;

/// A Python that has a package: the one that `TOKENLAKE_TEST_PRICES_PYTHON` names, or the one that
/// `tests/setup` has made.
fn python_with(package: &str) -> Option<PathBuf> {
    let named = std::env::var_os("TOKENLAKE_TEST_PRICES_PYTHON").map(PathBuf::from);
    let python = named.or_else(|| tool("prices/bin/python"))?;
    let import = format!("import importlib.util as u; assert u.find_spec({package:?})");
    let has = Command::new(&python).args(["-c", &import]).output();
    let has = has.is_ok_and(|output| output.status.success());
    (has || passed_over(format!("{} has no {package}", python.display()))).then_some(python)
}

/// What a script of the repository writes.
fn output_of(python: &Path, script: &str, args: &[&str]) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new(python).arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
