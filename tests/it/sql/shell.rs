//! Tests of the shell in a pseudo terminal.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::small;
use crate::support::process::{installed, run};

#[test]
fn people_can_ask_complete_cancel_and_find_what_they_asked() {
    if !installed("python3") {
        return;
    }
    let (archive, home) = (small(), tempdir().unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sql/shell.py");
    let mut command = Command::new("python3");
    command
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_tokenlake"))
        .arg("--archive")
        .arg(archive.path())
        .arg("sql")
        .env("XDG_STATE_HOME", home.path());
    let done = run(&mut command);
    assert_eq!((done.status, done.stdout.as_str()), (0, "done\n"), "{done:?}");
    let history = home.path().join("tokenlake/history");
    let mode = std::fs::metadata(history).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
