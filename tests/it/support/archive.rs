//! The archive's files on a disk.

use std::path::{Path, PathBuf};

use super::process::tokenlake;

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

/// Fails if one of these words is in a row, or in any file as it stands: a prompt that was kept.
#[track_caller]
pub fn assert_unsaid(archive: &Path, words: &[&str]) {
    let query = ["sql", "--format", "ndjson", "-c", "select * from events"];
    let rows = tokenlake(archive, &query).stdout;
    assert_ne!(rows, "");
    let found = files(archive, "").into_iter().map(|path| {
        let content = std::fs::read(&path).unwrap();
        (path.display().to_string(), content)
    });
    for (place, content) in found.chain([("rows".to_owned(), rows.into_bytes())]) {
        for word in words {
            let is_there = content.windows(word.len()).any(|piece| piece == word.as_bytes());
            assert!(!is_there, "{word} is in {place}");
        }
    }
}
