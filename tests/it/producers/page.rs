//! What `docs/producers.md` shows to be pasted.

use std::fs;
use std::path::Path;

/// The server and the key that the page has for example.
const SERVER: &str = "http://127.0.0.1:9797";
const KEY: &str = "KEY";

/// A section, by the text of its heading.
pub struct PageSection(String);

impl PageSection {
    pub fn of(heading: &str) -> Self {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/producers.md");
        let page = fs::read_to_string(page).unwrap();
        let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
        Self(rest.split("\n## ").next().unwrap().to_owned())
    }

    /// Its first block for a shell, with the address of a server. It has the key as `$KEY`.
    pub fn shell(&self, server: &str) -> String {
        let (_, rest) = self.0.split_once("```sh\n").expect("a block for a shell");
        rest.split("```").next().unwrap().replace(SERVER, server)
    }

    /// The only block of text that has this piece, with the address of a server and a key.
    pub fn text(&self, piece: &str, server: &str, key: &str) -> String {
        let mut blocks = vec![String::new()];
        for line in self.0.lines() {
            match line.strip_prefix("    ") {
                Some(line) => *blocks.last_mut().unwrap() += &format!("{line}\n"),
                None if line.is_empty() => *blocks.last_mut().unwrap() += "\n",
                None => blocks.push(String::new()),
            }
        }
        let mut found = blocks.into_iter().filter(|block| block.contains(piece));
        let block = found.next().expect(piece);
        assert_eq!(found.next(), None, "{piece}");
        block
            .trim_matches('\n')
            .replace(SERVER, server)
            .replace(&format!(" {KEY}\""), &format!(" {key}\""))
            + "\n"
    }
}

#[test]
fn a_block_is_pasted_with_a_server_and_a_key() {
    let section = PageSection::of("Claude Code");
    let pasted = section.shell("http://there");
    assert!(pasted.contains("OTLP_ENDPOINT=http://there\n") && pasted.contains("Bearer $KEY"));
    let codex = PageSection::of("Codex").text("[otel", "http://there", "secret");
    assert!(codex.contains("\"http://there/v1/logs\"") && codex.contains("\"Bearer secret\""));
}
