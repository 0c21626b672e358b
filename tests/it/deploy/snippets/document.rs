//! The fenced blocks of a Markdown document.

/// A block, and what the document shows right below it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::deploy) struct Block {
    /// The line that it begins on, from 1.
    pub(in crate::deploy) line: usize,
    pub(in crate::deploy) language: String,
    pub(in crate::deploy) text: String,
    /// The lines of an indented block that follows.
    pub(in crate::deploy) shown: Vec<String>,
}

/// All of them, in their order.
pub(in crate::deploy) fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().zip(1..).peekable();
    while let Some((line, number)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let mut text = String::new();
        for (line, _) in lines.by_ref().take_while(|(line, _)| line.trim() != "```") {
            text.push_str(line.get(indent..).unwrap_or_default());
            text.push('\n');
        }
        while lines.next_if(|(line, _)| line.is_empty()).is_some() {}
        let mut shown = Vec::new();
        while let Some((line, _)) = lines.next_if(|(line, _)| line.starts_with("    ")) {
            shown.push(line.trim().to_owned());
        }
        blocks.push(Block { line: number, language: language.to_owned(), text, shown });
    }
    blocks
}

#[test]
fn a_block_has_its_text_and_what_is_shown() {
    let document =
        "a\n```sh\nb\n\nc\n```\n\n    d\n    e\n\nf\n\n- g\n  ```yaml\n  h:\n    - i\n  ```\n";
    let block = |line, language: &str, text: &str, shown: &[&str]| Block {
        line,
        language: language.to_owned(),
        text: text.to_owned(),
        shown: shown.iter().map(|line| (*line).to_owned()).collect(),
    };
    let expected = [block(2, "sh", "b\n\nc\n", &["d", "e"]), block(14, "yaml", "h:\n  - i\n", &[])];
    assert_eq!(blocks(document), expected);
}
