//! Tests that no file imports itself through others, and that the folders of the archive import
//! each other downward only. An import counts for the file that defines the item, not for a
//! re-export.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, groups, is_test, sources};

/// The parts of a path: `["archive", "log", "entry"]`.
type Segments = Vec<String>;

/// One name that a `use` brings in.
struct Import {
    path: Segments,
    name: String,
    /// True for a re-export.
    shown: bool,
}

struct File {
    path: String,
    module: Segments,
    /// Names of what is defined in it.
    items: BTreeSet<String>,
    /// Modules that it declares.
    children: BTreeSet<String>,
    imports: Vec<Import>,
    /// The code without its imports.
    body: String,
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn segments(path: &str) -> Segments {
    path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A line without `pub` or `pub(…)` in front of it.
pub(super) fn without_visibility(line: &str) -> (&str, bool) {
    let Some(rest) = line.strip_prefix("pub") else { return (line, false) };
    let rest = match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')').map_or(rest, |(_, rest)| rest),
        None => rest,
    };
    rest.strip_prefix(' ').map_or((line, false), |rest| (rest, true))
}

/// The name of the item that begins on a line of formatted code, outside of all others.
fn item(line: &str) -> Option<&str> {
    const KINDS: [&str; 8] =
        ["fn", "struct", "enum", "trait", "const", "static", "type", "macro_rules!"];
    let (line, _) = without_visibility(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let line = line.strip_prefix("const fn").map_or(line, |_| &line["const ".len()..]);
    let (kind, rest) = line.split_once(' ')?;
    let end = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
    KINDS.contains(&kind).then_some(&rest[..end])
}

/// The module that a line declares.
fn child(line: &str) -> Option<&str> {
    without_visibility(line).0.strip_prefix("mod ")?.strip_suffix(';')
}

/// Adds the names of a tree like `a::{b, c::D as E}`.
fn add_imports(prefix: &[String], tree: &str, shown: bool, to: &mut Vec<Import>) {
    let tree = tree.trim();
    if let Some((before, group)) = tree.split_once('{') {
        let prefix = [prefix, &segments(before)].concat();
        let group = group.strip_suffix('}').unwrap_or(group);
        let (mut depth, mut start) = (0, 0);
        for (at, char) in group.char_indices().chain([(group.len(), ',')]) {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    add_imports(&prefix, &group[start..at], shown, to);
                    start = at + 1;
                }
                _ => {}
            }
        }
    } else if !tree.is_empty() {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(a, b)| (a, Some(b)));
        let mut path = [prefix, &segments(path)].concat();
        path.pop_if(|last| last == "self");
        let name = alias.map(str::to_owned).or_else(|| path.last().cloned());
        to.extend(name.map(|name| Import { path, name, shown }));
    }
}

impl File {
    fn of(source: &Source) -> Self {
        let path = source.path.to_str().unwrap().to_owned();
        let module = path.trim_end_matches(".rs").replace('/', "::");
        let module = match module.as_str() {
            "lib" => Segments::new(),
            module => segments(module.trim_end_matches("::mod")),
        };
        let (code, mut imports, mut body) = (source.code(), Vec::new(), String::new());
        let children = code.lines().filter_map(child).map(str::to_owned).collect();
        let items = code.lines().filter_map(item).map(str::to_owned).collect();
        let mut tree: Option<(String, bool)> = None;
        for line in code.lines() {
            if tree.is_none() {
                let (rest, shown) = without_visibility(line.trim_start());
                tree = rest.strip_prefix("use ").map(|rest| (rest.to_owned(), shown));
            } else if let Some((tree, _)) = &mut tree {
                tree.push_str(line.trim_start());
            }
            match &tree {
                None => body.extend([line, "\n"]),
                Some((text, shown)) if text.ends_with(';') => {
                    add_imports(&[], text.trim_end_matches(';'), *shown, &mut imports);
                    tree = None;
                }
                Some(_) => {}
            }
        }
        Self { path, module, items, children, imports, body }
    }

    /// A path from the root of the crate; `None` for one of another crate.
    fn of_root(&self, path: &[String]) -> Option<Segments> {
        let (mut module, mut rest) = (self.module.clone(), path);
        match rest.first()?.as_str() {
            "crate" => return Some(rest[1..].to_vec()),
            "self" => rest = &rest[1..],
            "super" => {}
            first if self.children.contains(first) => {}
            _ => return None,
        }
        while rest.first().is_some_and(|first| first == "super") {
            module.pop();
            rest = &rest[1..];
        }
        Some([&module, rest].concat())
    }

    /// Paths in the code itself, and words.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.body.split(|char| !is_word(char) && char != ':').filter(|word| !word.is_empty())
    }
}

/// Who knows what: for each file the files that it knows, each with a name that it knows of it.
type Arrows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

struct Files(BTreeMap<Segments, File>);

impl Files {
    fn of(sources: &[Source]) -> Self {
        let files = sources.iter().filter(|source| !is_test(source)).map(File::of);
        Self(files.map(|file| (file.module.clone(), file)).collect())
    }

    /// The file that defines what a path from the root names, and the name; that of a module is
    /// `None`.
    fn definition(&self, path: &[String], depth: u32) -> Option<(&File, Option<String>)> {
        let longest = (0..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
        let (file, rest) = (self.0.get(&path[..longest])?, &path[longest..]);
        let Some(name) = rest.first() else { return Some((file, None)) };
        let import = file.imports.iter().find(|import| import.name == *name);
        let import = import.filter(|_| !file.items.contains(name) && depth < 16);
        if let Some(further) = import.and_then(|import| file.of_root(&import.path)) {
            return self.definition(&[&further, &rest[1..]].concat(), depth + 1);
        }
        Some((file, Some(name.clone())))
    }

    fn known_by(&self, file: &File) -> BTreeMap<&str, String> {
        let (mut known, mut modules) = (BTreeMap::new(), BTreeMap::new());
        let mut learn = |path: &[String]| {
            let (other, name) = self.definition(&file.of_root(path)?, 0)?;
            let Some(name) = name else { return Some(other.module.clone()) };
            if other.module != file.module {
                known.entry(other.path.as_str()).or_insert(name);
            }
            None
        };
        for import in &file.imports {
            let used = || file.words().any(|word| segments(word).first() == Some(&import.name));
            if import.shown && !used() {
                continue;
            }
            let path = import.path.strip_suffix(&["*".to_owned()][..]).unwrap_or(&import.path);
            if let Some(module) = learn(path) {
                modules.insert(import.name.clone(), module);
            }
        }
        for word in file.words().filter(|word| word.contains("::")) {
            let path = segments(word);
            let Some(first) = path.first() else { continue };
            let path = match modules.get(first) {
                Some(module) => [&["crate".to_owned()], module.as_slice(), &path[1..]].concat(),
                None => path,
            };
            learn(&path);
        }
        known
    }

    fn arrows(&self) -> Arrows<'_> {
        self.0.values().map(|file| (file.path.as_str(), self.known_by(file))).collect()
    }
}

/// For each circle that a walk along the arrows finds, the arrow that closes it, and the way round.
fn closing_arrows(arrows: &Arrows<'_>) -> Vec<String> {
    fn walk<'a>(
        at: &'a str,
        arrows: &Arrows<'a>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
        found: &mut Vec<String>,
    ) {
        way.push(at);
        for (&other, name) in arrows.get(at).into_iter().flatten() {
            if let Some(start) = way.iter().position(|before| *before == other) {
                let round = way[start..].join(" → ");
                found.push(format!("{at} takes {name} from {other}: {round} → {other}"));
            } else if !done.contains(other) {
                walk(other, arrows, way, done, found);
            }
        }
        way.pop();
        done.insert(at);
    }
    let (mut done, mut found) = (BTreeSet::new(), Vec::new());
    for &at in arrows.keys() {
        if !done.contains(at) {
            walk(at, arrows, &mut Vec::new(), &mut done, &mut found);
        }
    }
    found
}

#[test]
fn no_file_imports_itself_through_others() {
    let files = Files::of(&sources());
    let arrows = files.arrows();
    let count: usize = arrows.values().map(BTreeMap::len).sum();
    assert!(count > 1_000, "only {count} imports are seen");
    assert_eq!(closing_arrows(&arrows), [""; 0]);
}

/// What the file `from` of the archive takes from one of a folder above its own.
fn is_upward(from: &str, to: &str, ranks: &BTreeMap<String, usize>) -> bool {
    let rank = |path: &str| {
        let inside = path.strip_prefix("archive/")?;
        let first = inside.split('/').next()?.trim_end_matches(".rs");
        // The façade is above all.
        Some(if inside == "mod.rs" { usize::MAX } else { *ranks.get(first)? })
    };
    rank(from).zip(rank(to)).is_some_and(|(from, to)| from < to)
}

#[test]
fn folders_of_the_archive_know_each_other_downward_only() {
    let sources = sources();
    let facade = sources.iter().find(|source| source.path.ends_with("archive/mod.rs")).unwrap();
    let ranks = groups(&facade.text, "mod ");
    let files = Files::of(&sources);
    let arrows = files.arrows();
    let mut wrong = Vec::new();
    for (from, known) in &arrows {
        let upward = known.iter().filter(|(to, _)| is_upward(from, to, &ranks));
        wrong.extend(upward.map(|(to, name)| format!("{from} takes {name} from {to}")));
    }
    assert_eq!(wrong, [""; 0]);
    assert!(is_upward("archive/store/records.rs", "archive/log/entry.rs", &ranks));
    assert!(is_upward("archive/error.rs", "archive/mod.rs", &ranks));
    assert!(!is_upward("archive/log/entry.rs", "archive/store/records.rs", &ranks));
}

#[test]
fn a_circle_is_seen_however_a_file_names_the_other() {
    let circles = |texts: &[(&str, &str)]| {
        let sources = texts.iter().map(|(path, text)| Source {
            path: path.into(),
            module: "m".into(),
            text: (*text).to_owned(),
        });
        closing_arrows(&Files::of(&sources.collect::<Vec<_>>()).arrows())
    };
    let parent = ("m/mod.rs", "mod a;\nmod b;\npub use self::a::A;\npub use self::b::B;");
    let a = ("m/a.rs", "use super::B;\npub struct A;");
    for b in [
        "use super::A;\npub struct B;",
        "use crate::m::{\n    A as Other,\n};\npub struct B;",
        "use super::a;\npub struct B(a::A);",
        "pub struct B(crate::m::A);",
        "pub struct B;\nfn f() { super::a::A }",
    ] {
        let b = ("m/b.rs", b);
        let found = circles(&[parent, a, b]);
        assert_eq!(found.len(), 1, "{b:?}: {found:?}");
        assert!(found[0].contains("m/b.rs takes A from m/a.rs"), "{found:?}");
    }
    // A sign on the way is no knowledge, and neither is what tests and comments name.
    let b =
        ("m/b.rs", "// super::A\npub struct B;\n#[cfg(test)]\nmod tests { use super::super::A; }");
    assert_eq!(circles(&[parent, a, b]), [""; 0]);
    // What a parent defines and a child takes closes a circle once the parent takes from the child.
    let parent = "mod a;\npub const MAX: u8 = 1;\nfn f() { a::g() }";
    let a = "use super::MAX;\npub fn g() {}";
    assert_eq!(circles(&[("m/mod.rs", parent), ("m/a.rs", a)]).len(), 1);
}
