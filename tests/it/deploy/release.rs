//! Tests of the workflows: they are linted as GitHub reads them, and name what is there.

use std::process::Command;

use super::{content, files, path, text};
use crate::support::process::installed;

#[test]
fn the_workflows_are_valid() {
    if !(installed("actionlint") && installed("check-jsonschema")) {
        return;
    }
    let workflows = files(".github/workflows", ".yml");
    let schema = ["--builtin-schema", "vendor.github-workflows"];
    content(Command::new("check-jsonschema").args(schema).args(&workflows));
    // Without programs that this machine may or may not have.
    content(Command::new("actionlint").args(["-shellcheck=", "-pyflakes="]).args(&workflows));
}

#[test]
fn what_a_release_names_is_there() {
    let release = text(".github/workflows/release.yml");
    let words = release.split(|char: char| char.is_whitespace() || "\"'()".contains(char));
    let mut named = 0;
    for word in words.filter(|word| word.starts_with("deploy/") || word.starts_with("data/")) {
        assert!(path(word).exists(), "{word}");
        named += 1;
    }
    assert!(named >= 5, "{named}");
    let manifest = text("Cargo.toml");
    assert!(manifest.contains("\n[profile.dist]\ninherits = \"release\"\n"));
    for (name, built) in [
        ("Dockerfile", "cargo build --profile dist --locked"),
        (".github/workflows/release.yml", "cargo build --profile dist --locked --target"),
    ] {
        assert!(text(name).contains(built), "{name}");
    }
}

#[test]
fn what_packs_a_release_is_what_the_tests_pack_with() {
    let (release, setup) = (text(".github/workflows/release.yml"), text("tests/setup"));
    let (_, version) = release.split_once("nfpm==").unwrap();
    let version = version.split_whitespace().next().unwrap();
    assert!(setup.contains(&format!("nfpm=={version}")), "{version}");
}
