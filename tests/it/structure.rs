//! Tests of the source's structure: imports between modules, lengths, and forbidden words.

mod circles;
mod names;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that only some modules may name.
const CRATES: [(&str, &[&str]); 5] = [
    // `app` hands a store through; `sql` gives it to DataFusion; `cli` makes it.
    ("object_store", &["archive", "sql", "worker", "app", "cli"]),
    ("datafusion", &["sql"]),
    ("deltalake_core", &["archive"]),
    ("axum", &["http", "cli"]),
    // Messages of sessions; workers write those of rows.
    ("pgwire", &["pg", "sql"]),
];
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;

struct Source {
    path: PathBuf,
    /// The first part of its path: `archive` for `archive/log/mod.rs`.
    module: String,
    text: String,
}

impl Source {
    /// What is compiled into the program, without comments.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = text.lines().map(|line| {
            let comment = line.trim_start().starts_with("//");
            if comment { "" } else { line }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under `src`, in order.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let (mut folders, mut found) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(&src).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source { path: inside.to_owned(), module, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Files that are compiled for tests alone.
fn is_test(source: &Source) -> bool {
    let name = source.path.to_string_lossy();
    name.contains("/tests/") || name.ends_with("tests.rs")
}

/// The words that follow `before` in `code`; those of `before{a, b::c}` too.
fn names_after<'a>(code: &'a str, before: &str) -> Vec<&'a str> {
    let word = |text: &'a str| {
        let end = text.find(|char: char| !char.is_alphanumeric() && char != '_');
        &text[..end.unwrap_or(text.len())]
    };
    let mut names = Vec::new();
    for (at, _) in code.match_indices(before) {
        if code[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_') {
            continue;
        }
        let rest = &code[at + before.len()..];
        match rest.strip_prefix('{') {
            None => names.push(word(rest)),
            Some(group) => {
                let mut depth = 0_u32;
                let mut start = true;
                for (at, char) in group.char_indices() {
                    match char {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        _ if start && !char.is_whitespace() => {
                            names.push(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

/// The modules that a file declares by lines that begin with `declared`, each with the number of its
/// group: blank lines part them.
fn groups(text: &str, declared: &str) -> BTreeMap<String, usize> {
    let (mut groups, mut group) = (BTreeMap::new(), 0);
    for line in text.lines() {
        let name = line.strip_prefix(declared).and_then(|line| line.strip_suffix(';'));
        match name {
            Some(name) => drop(groups.insert(name.to_owned(), group)),
            None if line.is_empty() => group += 1,
            None => {}
        }
    }
    groups
}

/// The ranks of modules, as the library declares them; a module may know those of lower rank and
/// itself.
fn ranks() -> BTreeMap<String, usize> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut ranks = groups(&lib, "pub mod ");
    ranks.insert("main".to_owned(), usize::MAX);
    ranks
}

/// What `source` knows that it may not.
fn upward(source: &Source, ranks: &BTreeMap<String, usize>) -> Vec<String> {
    let code = source.code();
    let rank = ranks.get(source.module.as_str());
    let rank = *rank.unwrap_or_else(|| panic!("{} has no rank", source.module));
    let mut known = names_after(&code, "crate::");
    if source.module == "main" {
        known.extend(names_after(&code, "tokenlake::"));
    }
    let wrong = known.into_iter().filter(|name| {
        *name != source.module && ranks.get(*name).is_none_or(|other| *other >= rank)
    });
    wrong.map(|name| format!("{} knows {name}", source.path.display())).collect()
}

#[test]
fn modules_know_each_other_downward_only() {
    let ranks = ranks();
    let sources = sources();
    let sources = sources.iter().filter(|source| source.module != "lib" && !is_test(source));
    let wrong: Vec<_> = sources.flat_map(|source| upward(source, &ranks)).collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn an_upward_import_is_seen_in_every_form() {
    let ranks = ranks();
    let see = |text: &str| {
        let (path, module) = ("archive/log/mod.rs".into(), "archive".into());
        upward(&Source { path, module, text: text.into() }, &ranks).len()
    };
    assert_eq!(see("use crate::sql::Engine;"), 1);
    assert_eq!(see("fn f() { crate::ingest::decode() }"), 1);
    assert_eq!(see("use crate::{clock::{DAY, HOUR}, rollup::{self, Partial}, app};"), 2);
    assert_eq!(see("use crate::archive::Log;\nuse crate::event::schema;\nuse mycrate::sql;"), 0);
    assert_eq!(see("// crate::sql\n#[cfg(test)]\nmod tests { use crate::sql::Engine; }"), 0);
}

#[test]
fn the_library_declares_modules_in_groups() {
    let ranks = ranks();
    let rank = |name: &str| *ranks.get(name).unwrap_or_else(|| panic!("no module {name}"));
    assert!(rank("clock") < rank("event") && rank("event") < rank("archive"));
    assert!(
        rank("archive") < rank("sql") && rank("sql") < rank("app") && rank("app") < rank("cli")
    );
    assert_eq!(rank("access"), rank("sql"));
}

#[test]
fn heavy_crates_are_known_where_they_belong() {
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    for source in sources().iter().filter(|source| !is_test(source)) {
        let code = source.code();
        for (name, users) in CRATES {
            if names_after(&code, &format!("{name}::")).is_empty() {
                continue;
            }
            *seen.entry(name).or_insert(0) += 1;
            if !users.contains(&source.module.as_str()) {
                wrong.push(format!("{} knows {name}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(seen.len(), CRATES.len(), "a crate is not seen at all: {seen:?}");
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter(|source| source.text.lines().count() > FILE_LINES_MAX);
    assert_eq!(long.map(|source| source.path).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// The names of functions in formatted code with the lines from `fn` to the closing brace, which
/// stands as far in as the line of `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let words = line.split_whitespace().take_while(|word| !word.starts_with("//"));
        let mut words = words.skip_while(|word| *word != "fn");
        let (Some(_), Some(name)) = (words.next(), words.next()) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &&str| {
            let rest = line.strip_prefix(indent).unwrap_or_default();
            rest.starts_with('}') || rest.starts_with(')') && rest.ends_with(';')
        };
        let one_line = line.ends_with('}') || line.ends_with(';');
        let length = if one_line { 1 } else { lines[at..].iter().position(ends).unwrap() + 1 };
        found.push((name.to_owned(), length));
    }
    found
}

#[test]
fn functions_are_short() {
    let sources = sources();
    let all = sources.iter().flat_map(|source| {
        functions(&source.text)
            .into_iter()
            .map(|(name, lines)| (source.path.display(), name, lines))
    });
    let (long, short): (Vec<_>, Vec<_>) = all.partition(|(.., lines)| *lines > FUNCTION_LINES_MAX);
    assert!(short.len() > 300, "only {} functions found", short.len());
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!"];
    let mut wrong = Vec::new();
    for source in sources() {
        for (line, text) in (1..).zip(source.text.lines()) {
            if marks.iter().any(|mark| text.contains(mark)) {
                wrong.push(format!("{}:{line}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_data_crates_have_one_version_each() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["arrow", "parquet", "datafusion", "object_store", "deltalake-core"] {
        let package = format!("[[package]]\nname = \"{name}\"\n");
        assert_eq!(lock.matches(&package).count(), 1, "{name}");
    }
}

#[test]
fn each_dependency_has_its_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let lines: Vec<_> = std::iter::once("").chain(dependencies.lines()).collect();
    let bare = lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#'));
    let bare: Vec<_> = bare.filter(|pair| !pair[0].starts_with("# ")).map(|pair| pair[1]).collect();
    assert_eq!(bare, [""; 0]);
    assert!(lines.len() > 60, "the section is not found whole");
}
