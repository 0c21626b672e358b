//! The archive's files on a disk.

use std::path::{Path, PathBuf};

/// The files under `folder` with this ending, sorted.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The Parquet files of the table.
pub fn data_files(archive: &Path) -> Vec<PathBuf> {
    files(&archive.join("events"), ".parquet")
}

/// The entries of the table's log.
pub fn log_entries(archive: &Path) -> Vec<PathBuf> {
    files(&archive.join("events/_delta_log"), ".json")
}
