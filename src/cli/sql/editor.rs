//! The editor of the shell's input: completion, several lines, history across runs.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Helper};

use super::help::COMMANDS;
use crate::cli::print::print_note;

const HISTORY_MAX: usize = 10_000;

use crate::sql::split_statements;

/// SQL keywords that are completed.
const KEYWORDS: &str = "ALL AND AS ASC AT BETWEEN BY CASE CAST CROSS DATE DESC DESCRIBE DISTINCT ELSE END \
    EXCEPT EXISTS EXPLAIN FALSE FILTER FROM FULL GROUP HAVING IN INNER INTERSECT INTERVAL IS JOIN \
    LEFT LIKE ILIKE LIMIT NOT NULL OFFSET ON OR ORDER OUTER OVER PARTITION RIGHT SELECT SHOW TABLES THEN \
    TIME TIMESTAMP TRUE UNION USING VALUES WHEN WHERE WITH ZONE";

/// The input that was typed.
pub(super) enum TypedInput {
    Text(String),
    /// Ctrl-C.
    Nothing,
    /// Ctrl-D.
    End,
}

/// A line editor.
pub(super) struct Editor {
    inner: rustyline::Editor<Words, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    /// An editor that completes these names.
    pub(super) fn new(names: Vec<String>) -> anyhow::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_MAX)?
            .auto_add_history(false)
            .build();
        let mut inner = rustyline::Editor::with_config(config)?;
        inner.set_helper(Some(Words { names }));
        // Then the editor waits for keys and signals together. Otherwise it blocks in a read, which a
        // SIGINT that another thread takes does not end. It is `Err` where no terminal is, which has
        // no keys to wait for.
        let _ = inner.create_external_printer();
        let history = history_file();
        if let Some(Err(error)) = history.as_ref().map(|file| inner.load_history(file)) {
            print_note(&format!("the history of earlier sessions cannot be read: {error}"));
        }
        Ok(Self { inner, history })
    }

    /// Reads whole input: statements, or a command.
    pub(super) fn read(&mut self) -> anyhow::Result<TypedInput> {
        match self.inner.readline("tokenlake> ") {
            Ok(text) => {
                if !text.trim().is_empty() && self.inner.add_history_entry(text.as_str())? {
                    // A history that cannot be saved is no reason to stop.
                    let _ = self.history.as_ref().map(|file| self.inner.append_history(file));
                }
                Ok(TypedInput::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(TypedInput::Nothing),
            Err(ReadlineError::Eof) => Ok(TypedInput::End),
            Err(error) => Err(error.into()),
        }
    }
}

/// The history file, which only its owner can read.
fn history_file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = set("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")))?;
    let folder = state.join("tokenlake");
    std::fs::create_dir_all(&folder).ok()?;
    let file = folder.join("history");
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&file);
    opened.ok().map(|_| file)
}

/// Completes names, and knows when input is whole.
struct Words {
    names: Vec<String>,
}

impl Words {
    fn starting_with(&self, word: &str) -> Vec<String> {
        if word.starts_with('\\') {
            let commands = COMMANDS.iter().map(|(name, _)| (*name).to_owned());
            return commands.filter(|name| name.starts_with(word)).collect();
        }
        let fits = |name: &str| {
            name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        let lower = !word.contains(char::is_uppercase);
        let keywords = KEYWORDS.split_whitespace().filter(|name| fits(name));
        let keywords =
            keywords.map(|name| if lower { name.to_lowercase() } else { name.to_owned() });
        let names = self.names.iter().filter(|name| fits(name)).cloned();
        let mut found: Vec<_> = names.chain(keywords).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..pos).unwrap_or_default();
        let is_word = |char: char| char.is_alphanumeric() || char == '_' || char == '\\';
        let start = typed.rfind(|char| !is_word(char)).map_or(0, |at| {
            at + typed.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
        });
        let word = typed.get(start..).unwrap_or_default();
        Ok((start, if word.is_empty() { Vec::new() } else { self.starting_with(word) }))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Hinter for Words {
    type Hint = String;
}
impl Highlighter for Words {}
impl Helper for Words {}

/// True for commands and for complete statements.
fn is_whole(text: &str) -> bool {
    let text = text.trim();
    let is_word = ["help", "quit", "exit"].contains(&text.to_lowercase().as_str());
    text.starts_with('\\') || is_word || split_statements(text).rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_whole_at_a_semicolon_or_for_a_command() {
        for text in ["", "select 1;", "\\d events", "help", " \\q ", "select ';';"] {
            assert!(is_whole(text), "{text}");
        }
        for text in ["select 1", "select 1; select 2", "select 'a;", "helpless"] {
            assert!(!is_whole(text), "{text}");
        }
    }

    #[test]
    fn words_are_completed_in_the_case_they_are_typed_in() {
        let words = Words { names: vec!["events".into(), "event_id".into(), "sum".into()] };
        assert_eq!(words.starting_with("even"), ["event_id", "events"]);
        assert_eq!(words.starting_with("sel"), ["select"]);
        assert_eq!(words.starting_with("SEL"), ["SELECT"]);
        assert_eq!(words.starting_with("\\t"), ["\\timing"]);
        assert_eq!(words.starting_with("ü"), [""; 0]);
    }
}
