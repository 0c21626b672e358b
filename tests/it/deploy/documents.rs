//! Tests of the documents: all of them exist, their links lead somewhere, and the README stays
//! short. `snippets` runs their blocks.

use std::collections::BTreeMap;
use std::path::Path;

use super::{path, text};

/// Folders with documents, the root among them.
const FOLDERS: [&str; 6] = ["", "docs/", "docs/decisions/", "benches/", "data/", "deploy/"];
const README_LINES_MAX: usize = 150;
const ARCHITECTURE_LINES_MAX: usize = 200;
/// The line by which a reader has met both commands.
const COMMANDS_LINES_MAX: usize = 60;

/// All documents, by their names.
pub(super) fn names() -> Vec<String> {
    let mut names = Vec::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(path(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|ending| ending == "md") {
                names.push(format!("{folder}{name}"));
            }
        }
    }
    names.sort();
    names
}

/// The lines of a document that are no block.
fn prose(document: &str) -> Vec<&str> {
    let mut inside = false;
    let lines = document.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !fence && !inside && !line.starts_with("    ")
    });
    lines.collect()
}

/// The anchors of a document's headings, as pages of Markdown make them.
fn anchors(document: &str) -> Vec<String> {
    let headings = prose(document).into_iter().filter(|line| line.starts_with('#'));
    let anchors = headings.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
        kept.map(|char| if char == ' ' { '-' } else { char }).collect()
    });
    anchors.collect()
}

/// What `[…](…)` and `![…](…)` lead to.
fn links(document: &str) -> Vec<String> {
    let text = prose(document).join("\n");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// `folder/../name` without the detour.
fn plain(target: &str) -> String {
    let mut parts = Vec::new();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[test]
fn links_lead_somewhere() {
    let documents = names().into_iter().map(|name| (name.clone(), text(&name)));
    let documents: BTreeMap<_, _> = documents.collect();
    let mut count = 0;
    for (name, document) in &documents {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(document) {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if file.is_empty() { name.clone() } else { plain(&format!("{folder}/{file}")) };
            assert!(path(&target).exists(), "{name}: {link} leads nowhere");
            if !anchor.is_empty() {
                let anchors = anchors(&documents[&target]);
                assert!(anchors.iter().any(|one| one == anchor), "{name}: {link} leads nowhere");
            }
        }
    }
    assert!(count > 50, "{count} links");
}

#[test]
fn the_front_door_stays_short() {
    let readme = text("README.md");
    assert!(readme.lines().count() <= README_LINES_MAX);
    assert!(text("ARCHITECTURE.md").lines().count() <= ARCHITECTURE_LINES_MAX);
    let first: Vec<_> = readme.lines().take(COMMANDS_LINES_MAX).collect();
    for command in ["cargo run --release -- demo", "bash tests/run"] {
        assert!(first.contains(&command), "{command}");
    }
}

#[test]
fn an_anchor_is_made_of_a_heading() {
    let document =
        "# Errors, and what to do\n```sh\n# no heading\n```\n## `tokenlake key create`\n";
    assert_eq!(anchors(document), ["errors-and-what-to-do", "tokenlake-key-create"]);
    assert_eq!(plain("docs/../deploy/./README.md"), "deploy/README.md");
}
