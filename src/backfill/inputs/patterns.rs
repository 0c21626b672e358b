//! Patterns of paths, matched folder by folder.
//!
//! The library that knows how a pattern matches a name would search the folders too, but it passes
//! over names that are not UTF-8, and follows links in circles: two links to the folder that they are in
//! would be 2^40 folders.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use glob::PatternError;

use super::found::{WILD, fixed};
use crate::new_file::{FileId, file_id};

/// The result of a search.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// The files and folders that match, in the order of their names.
    pub(super) paths: Vec<PathBuf>,
    /// Folders that cannot be searched.
    pub(super) failed: Vec<(PathBuf, Error)>,
    /// Whether only folders match: the pattern ends in a slash.
    only_folders: bool,
    /// The folders on the path to the current one: a link may lead back into one.
    above: Vec<FileId>,
}

/// The part of a pattern between two slashes.
enum PatternPart<'p> {
    /// `**`: any folders, or none.
    Folders,
    Wild(glob::Pattern),
    Name(&'p str),
}

/// Finds what a pattern matches.
///
/// # Errors
/// Why it is no pattern.
pub(super) fn find(pattern: &str) -> Result<Matches, PatternError> {
    // Its parts may be patterns where the whole is none.
    glob::Pattern::new(pattern)?;
    let base = fixed(pattern);
    let wild = pattern.get(base.len()..).unwrap_or_default();
    let parts = wild.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut parts = parts.map(PatternPart::of).collect::<Result<Vec<_>, _>>()?;
    parts.dedup_by(|one, other| {
        matches!((one, other), (PatternPart::Folders, PatternPart::Folders))
    });
    let mut matches = Matches { only_folders: pattern.ends_with('/'), ..Matches::default() };
    matches.search(Path::new(base), &parts);
    Ok(matches)
}

impl<'p> PatternPart<'p> {
    fn of(text: &'p str) -> Result<Self, PatternError> {
        Ok(match text {
            "**" => Self::Folders,
            text if text.contains(WILD) => Self::Wild(glob::Pattern::new(text)?),
            text => Self::Name(text),
        })
    }
}

impl Matches {
    /// Searches a folder by the rest of the pattern.
    fn search(&mut self, folder: &Path, parts: &[PatternPart<'_>]) {
        match parts {
            [] => {
                if !self.only_folders || folder.is_dir() {
                    self.paths.push(folder.to_owned());
                }
            }
            // All that is below a matching folder is read.
            [PatternPart::Folders] => self.paths.push(folder.to_owned()),
            [PatternPart::Folders, rest @ ..] => self.below(folder, parts, rest),
            [PatternPart::Name(name), rest @ ..] => {
                let next = folder.join(name);
                if next.symlink_metadata().is_ok() {
                    self.search(&next, rest);
                }
            }
            [PatternPart::Wild(pattern), rest @ ..] => {
                for entry in self.entries(folder) {
                    let name = entry.file_name().unwrap_or_default().to_string_lossy();
                    if pattern.matches(&name) && (rest.is_empty() || entry.is_dir()) {
                        self.search(&entry, rest);
                    }
                }
            }
        }
    }

    /// Searches a folder and all below it by what follows a `**`.
    fn below(&mut self, folder: &Path, parts: &[PatternPart<'_>], rest: &[PatternPart<'_>]) {
        // The current folder has no name.
        let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(id) = named.metadata().map(|about| file_id(&about)) else { return };
        if self.above.contains(&id) {
            return;
        }
        self.above.push(id);
        self.search(folder, rest);
        for entry in self.entries(folder).into_iter().filter(|entry| entry.is_dir()) {
            self.search(&entry, parts);
        }
        self.above.pop();
    }

    /// What is in a folder, in the order of names; nothing if it is none.
    fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let names = named.read_dir().and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>()
        });
        match names {
            Ok(mut names) => {
                names.sort();
                names.iter().map(|name| folder.join(name)).collect()
            }
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                    self.failed.push((folder.to_owned(), error));
                }
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    /// The matches below a folder, as text.
    fn found(folder: &Path, pattern: &str) -> Vec<String> {
        let folder = folder.display().to_string();
        let matches = find(&format!("{folder}/{pattern}")).unwrap();
        assert!(matches.failed.is_empty(), "{:?}", matches.failed);
        let below = |path: &PathBuf| {
            let path = path.strip_prefix(&folder).unwrap();
            path.to_string_lossy().into_owned()
        };
        matches.paths.iter().map(below).collect()
    }

    #[test]
    fn each_part_of_a_pattern_matches_names_of_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir_all(path.join("b/c/d")).unwrap();
        for name in ["a.csv", "b/x.csv", "b/c/y.csv", "b/c/d/z.csv", "b/c/z.txt"] {
            std::fs::write(path.join(name), "").unwrap();
        }
        let odd = std::ffi::OsStr::from_bytes(b"a\xff.csv");
        std::fs::write(path.join(odd), "").unwrap();
        // Links in circles are followed once, and a link to nothing is told of by who reads it.
        for name in ["l", "m"] {
            symlink(path, path.join("b").join(name)).unwrap();
        }
        symlink("nothing", path.join("n.csv")).unwrap();
        let top = ["a.csv", "a\u{fffd}.csv", "n.csv"];
        let cases: [(&str, &[&str]); 11] = [
            ("*.csv", &top),
            ("?.csv", &["a.csv", "n.csv"]),
            ("[!n]*.csv", &top[..2]),
            ("b/c/*", &["b/c/d", "b/c/y.csv", "b/c/z.txt"]),
            ("b/c/*/", &["b/c/d"]),
            ("*/c/y.*", &["b/c/y.csv"]),
            ("*/../[a].csv", &["b/../a.csv"]),
            ("**/z*", &["b/c/z.txt", "b/c/d/z.csv"]),
            ("**/**/d/*.csv", &["b/c/d/z.csv"]),
            ("b/**", &["b"]),
            ("x*/y/*", &[]),
        ];
        for (pattern, expected) in cases {
            assert_eq!(found(path, pattern), expected, "{pattern}");
        }
        assert!(find("a/***").is_err() && find("a/[").is_err());
    }
}
