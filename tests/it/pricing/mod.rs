//! Prices beside the calculations of others: genai-prices and LiteLLM, where they are installed.

mod genai;
mod litellm;

use std::path::PathBuf;
use std::process::Command;

/// A Python that has a package; `None` where there is none, which is said.
fn python_with(package: &str) -> Option<PathBuf> {
    let given = std::env::var_os("TOKENLAKE_TEST_PRICES_PYTHON").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let python = given.or_else(|| Some(cache?.join("tokenlake/prices/bin/python")))?;
    let import = format!("import {package}");
    let has = Command::new(&python).args(["-c", &import]).output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("passed over: {} has no {package}", python.display());
    None
}

/// What a script of the repository writes.
fn output_of(python: &PathBuf, script: &str, args: &[&str]) -> Vec<u8> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new(python).arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
