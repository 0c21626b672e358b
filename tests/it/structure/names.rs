//! A type's name says what it is wherever it is read: few names are declared in more than one place.

use std::collections::BTreeMap;

use super::circles::without_visibility;
use super::{Source, is_test, sources};

/// Names that may have several meanings; each that is given one more makes two places harder to
/// read.
const SHARED_NAMES_MAX: usize = 10;
/// What the clones of a handle share: by convention private, and of that name everywhere.
const INNER_STATE: &str = "Shared";

/// The type or trait that a line of formatted code declares, outside of functions and blocks: an
/// alias in a function is read together with its use, and an associated type by its trait.
fn declared(line: &str) -> Option<&str> {
    let (line, _) = without_visibility(line);
    let (kind, rest) = line.split_once(' ')?;
    let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_');
    let is_type = ["struct", "enum", "trait", "type", "union"].contains(&kind);
    is_type.then(|| &rest[..end.unwrap_or(rest.len())])
}

/// All places that declare each name, as `path:line`.
fn places(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for source in sources.iter().filter(|source| !is_test(source)) {
        let mut for_tests = false;
        for (number, line) in (1..).zip(source.code().lines()) {
            if line == "#[cfg(test)]" {
                for_tests = true;
            } else if let Some(name) = declared(line) {
                if !for_tests {
                    let place = format!("{}:{number}", source.path.display());
                    places.entry(name.to_owned()).or_default().push(place);
                }
                for_tests = false;
            } else if !line.is_empty() && !line.starts_with('#') {
                for_tests = false;
            }
        }
    }
    places
}

/// Names that are declared more than once.
fn ambiguous(sources: &[Source]) -> Vec<String> {
    let several = places(sources)
        .into_iter()
        .filter(|(name, places)| places.len() > 1 && name != INNER_STATE);
    several.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

#[test]
fn few_names_of_types_mean_several_things() {
    let sources = sources();
    let all = places(&sources).len();
    assert!(all > 400, "only {all} types are seen");
    let several = ambiguous(&sources);
    let count = several.len();
    assert!(
        count <= SHARED_NAMES_MAX,
        "{count} names of types have several meanings, and at most {SHARED_NAMES_MAX} may; give a \
         second word to the newest:\n{}",
        several.join("\n")
    );
}

#[test]
fn a_name_is_ambiguous_if_production_declares_it_twice() {
    let names = |texts: &[&str]| {
        let sources = (1..).zip(texts).map(|(number, text)| Source {
            path: format!("m/{number}.rs").into(),
            module: "m".into(),
            text: (*text).to_owned(),
        });
        ambiguous(&sources.collect::<Vec<_>>())
    };
    for second in [
        "pub(crate) enum Part<'a> {\n    One(&'a str),\n}",
        "trait Part {}",
        "type Part = u8;",
        "#[cfg(test)]\nconst ONE: u8 = 1;\n#[derive(Debug)]\nstruct Part;",
    ] {
        let found = names(&["/// A part.\npub struct Part(u8);", second]);
        assert_eq!(found.len(), 1, "{second:?}: {found:?}");
        assert!(found[0].starts_with("Part: m/1.rs:2, m/2.rs:"), "{found:?}");
    }
    for second in [
        "// struct Part;\npub struct Parts;",
        "#[cfg(test)]\n#[derive(Debug)]\nstruct Part;",
        "#[cfg(test)]\nmod tests {\n    struct Part;\n}",
        "impl Iterator for A {\n    type Part = u8;\n}",
        "fn f() {\n    type Part = u8;\n}",
    ] {
        assert_eq!(names(&["struct Part;", second]), [""; 0], "{second:?}");
    }
    assert_eq!(names(&["struct Shared;", "struct Shared;"]), [""; 0]);
}
