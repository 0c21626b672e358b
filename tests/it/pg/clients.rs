//! Tests with drivers as people have them: of Python, of Node and of Java.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Lake;
use crate::support::process::{optional, passed_over};
use crate::support::tools::tool;

/// Where `tests/setup` puts them.
const CLIENTS: &str = "pg-clients-1";

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pg").join(name)
}

/// A file below the folder of the clients; otherwise the test is passed over, or fails where it must not.
fn client(path: &str) -> Option<PathBuf> {
    let found = tool(Path::new(CLIENTS).join(path)).filter(|path| path.exists());
    let needed = std::env::var("TOKENLAKE_TEST_REAL").is_ok_and(|value| value == "1");
    assert!(found.is_some() || !needed, "{path} is not installed; run tests/setup");
    if found.is_none() {
        passed_over(format_args!("{path} is not installed"));
    }
    found
}

fn all_is_well(lake: &Lake, command: &mut Command) {
    let output = command.env("PGPASSWORD", &lake.key).output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(stdout.ends_with("all is well\n"), "{stdout}{stderr}");
}

#[test]
fn drivers_of_python_are_answered() {
    let Some(python) = client("bin/python") else { return };
    let lake = Lake::start(&[]);
    all_is_well(&lake, Command::new(python).arg(here("clients.py")).arg(lake.door.port()));
}

#[test]
fn the_driver_of_node_is_answered() {
    let Some(folder) = client("node_modules/pg") else { return };
    let folder = folder.parent().and_then(Path::parent).unwrap();
    let lake = Lake::start(&[]);
    all_is_well(
        &lake,
        Command::new("node").arg(here("clients.js")).arg(folder).arg(lake.door.port()),
    );
}

#[test]
fn the_driver_of_java_is_answered() {
    let Some(driver) = client("postgresql.jar") else { return };
    if !optional("javac") {
        return;
    }
    let lake = Lake::start(&[]);
    let mut java = Command::new("java");
    all_is_well(&lake, java.arg("-cp").arg(driver).arg(here("Clients.java")).arg(lake.door.port()));
}
