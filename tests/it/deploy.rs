//! Tests of the files in `deploy/` with the programs that read them.

mod burn;
mod dashboard;
mod documents;
mod engines;
mod expiring;
mod files;
mod helm;
mod history;
mod image;
mod infinity;
mod memory;
mod moving;
mod package;
mod picture;
mod queries;
mod release;
mod rules;
mod scrapers;
mod snippets;
mod spend;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::{Done, run};

/// A file of this repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of this repository.
fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files of a folder of this repository with an ending, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path(folder)).unwrap();
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no {ending} in {folder}");
    found
}

/// Runs a program that must be content.
fn content(command: &mut Command) -> Done {
    let done = run(command);
    assert_eq!(done.status, 0, "{command:?}\n{}{}", done.stdout, done.stderr);
    done
}

/// Prometheus's shipped folder, somewhere else, with a key and with these words put in place of
/// others in its configuration.
fn prometheus_folder(folder: &Path, key: &str, replaced: &[(&str, &str)]) {
    std::fs::create_dir_all(folder.join("rules")).unwrap();
    for rules in files("deploy/prometheus/rules", ".yml") {
        std::fs::copy(&rules, folder.join("rules").join(rules.file_name().unwrap())).unwrap();
    }
    std::fs::create_dir_all(folder.join("secrets")).unwrap();
    std::fs::write(folder.join("secrets/acme.key"), format!("{key}\n")).unwrap();
    let config = text("deploy/prometheus/prometheus.yml");
    std::fs::write(folder.join("prometheus.yml"), replace_all(config, replaced)).unwrap();
}

/// `text` with each of these words replaced; each must be there.
fn replace_all(text: String, replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "no {from} in {text}");
        text.replace(from, to)
    })
}

/// From here on, the log of an archive on a disk cannot be read, as if its storage were away.
fn take_storage_away(archive: &Path) {
    let log = archive.join("events/_delta_log");
    std::fs::rename(&log, archive.join("log-is-away")).unwrap();
    std::os::unix::fs::symlink(&log, &log).unwrap();
}
