//! The program as a user runs it, and other programs to compare it with.

#![allow(clippy::print_stderr, reason = "a bench may say why it does less")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::process;
use super::resident::{peak_kib, resident_kib};

/// Organisations of a large archive.
pub const ORGS: usize = 1_000;

/// The folder for files of benches, on the disk of the target directory.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The program on an archive, without the caller's settings.
pub fn tokenlake(archive: &Path) -> Command {
    let mut command = process::program();
    command.arg("--archive").arg(archive);
    command
}

/// The output of a command of the program that must succeed.
pub fn run(archive: &Path, args: &[&str]) -> String {
    let output = tokenlake(archive).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Fills an archive with synthetic events.
pub fn generate(archive: &Path, args: &[&str]) {
    let status = tokenlake(archive).arg("generate").args(args).stdout(Stdio::null()).status();
    assert!(status.unwrap().success(), "the archive could not be filled");
}

/// An archive of this many events of [`ORGS`] organisations, made if there is none yet.
pub fn archive_of(events: u64) -> PathBuf {
    let archive = folder().join(format!("scale-{events}"));
    if !archive.exists() {
        // An archive that was only partly filled must not look complete.
        let begun = folder().join(format!("scale-{events}-begun"));
        let _ = std::fs::remove_dir_all(&begun);
        generate(&begun, &["--events", &events.to_string(), "--orgs", &ORGS.to_string()]);
        std::fs::rename(begun, &archive).unwrap();
    }
    archive
}

/// The data files of an archive.
pub fn data_files(archive: &Path) -> Vec<PathBuf> {
    let dates = std::fs::read_dir(archive.join("events")).unwrap();
    let dates = dates.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = dates.flat_map(|date| std::fs::read_dir(date).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect()
}

/// A copy to write to. It shares files with the original, because an archive never changes one in
/// place.
pub fn working_copy(archive: &Path) -> TempDir {
    let copy = tempfile::tempdir_in(folder()).unwrap();
    let mut folders = vec![archive.to_owned()];
    while let Some(from) = folders.pop() {
        let to = copy.path().join(from.strip_prefix(archive).unwrap());
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(&from).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                std::fs::hard_link(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    copy
}

/// A server in a process of its own, which ends with this, and the times of its start.
pub struct Server {
    process: process::Server,
    /// The address on which it listens.
    pub address: SocketAddr,
    /// The time when its process was started.
    pub started: Instant,
    /// The time when it reported that it listens.
    pub listening: Instant,
}

impl Server {
    /// Starts `tokenlake serve` and waits until it listens.
    pub fn start(archive: &Path) -> Self {
        Self::start_with(archive, &["serve"])
    }

    /// The same with further arguments.
    pub fn start_with(archive: &Path, args: &[&str]) -> Self {
        let started = Instant::now();
        let process = process::Server::start_with(archive, args);
        let listening = Instant::now();
        let address = process.address().parse().unwrap();
        Self { process, address, started, listening }
    }

    /// Resident memory in MiB, now and at its peak, from `/proc`.
    pub fn memory_mib(&self) -> (u64, u64) {
        let pid = self.process.pid();
        (resident_kib(pid) / 1_024, peak_kib(pid) / 1_024)
    }
}

/// The Python with the other programs; `TOKENLAKE_BENCH_PYTHON` names one.
pub fn python() -> String {
    std::env::var("TOKENLAKE_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// The output of a Python script that uses DuckDB; `None` if there is no such Python.
pub fn duckdb(script: &str, args: &[&str]) -> Option<String> {
    let python = python();
    let run = |script: &str, args: &[&str]| {
        let output = Command::new(&python).arg("-c").arg(script).args(args).output().ok()?;
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        }
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    run("import duckdb", &[]).and_then(|_| run(script, args))
}
