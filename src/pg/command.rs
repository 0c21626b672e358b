//! Statements that the server answers itself: those about a session, of which nothing changes what a
//! query sees. All others are for a worker.

use super::command_words::{CommandWords, unquoted, without_comments};
use super::copy_command::CopyCommand;
use super::cursor_command::CursorCommand;
use super::savepoints::SavepointCommand;

/// Statements that write, many of which a worker cannot even read.
const WRITES: [&str; 23] = [
    "ALTER",
    "ANALYZE",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "COMMENT",
    "CREATE",
    "DELETE",
    "DO",
    "DROP",
    "GRANT",
    "IMPORT",
    "INSERT",
    "LOAD",
    "LOCK",
    "MERGE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "REVOKE",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
];

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PgCommand {
    /// A question for a worker.
    Ask,
    Empty,
    Set {
        name: String,
        value: String,
    },
    Reset(Option<String>),
    Show(String),
    Begin,
    Commit,
    Rollback,
    Savepoint(SavepointCommand),
    Prepare {
        name: String,
        text: String,
    },
    Execute {
        name: String,
        values: Vec<Option<String>>,
    },
    Deallocate(Option<String>),
    /// `DISCARD`, `UNLISTEN`: it is said that it is done.
    Done(&'static str),
    Cursor(CursorCommand),
    Copy(CopyCommand),
    DiscardAll,
    /// It writes, and is refused.
    Write(&'static str),
    /// Of these kinds, but not understood.
    Wrong(String),
}

impl PgCommand {
    /// What a statement asks.
    pub(super) fn of(text: &str) -> Self {
        let text = without_comments(text);
        let mut rest = CommandWords(text);
        let Some(first) = rest.word() else { return Self::Empty };
        match first.to_ascii_uppercase().as_str() {
            "SET" => set(rest),
            "RESET" => match rest.word() {
                Some(name) if !name.eq_ignore_ascii_case("all") => {
                    Self::Reset(Some(named(name, &mut rest)))
                }
                _ => Self::Reset(None),
            },
            "SHOW" => show(rest),
            "BEGIN" | "START" => Self::Begin,
            "COMMIT" | "END" => Self::Commit,
            "ROLLBACK" | "ABORT" => match to_savepoint(&mut rest) {
                true => savepoint(SavepointCommand::back(rest)),
                false => Self::Rollback,
            },
            "SAVEPOINT" => savepoint(SavepointCommand::set(rest)),
            "RELEASE" => savepoint(SavepointCommand::release(rest)),
            "PREPARE" => prepare(rest),
            "EXECUTE" => execute(rest),
            "DEALLOCATE" => deallocate(rest),
            "DISCARD" => match rest.word() {
                Some(what) if what.eq_ignore_ascii_case("all") => Self::DiscardAll,
                _ => Self::Done("DISCARD"),
            },
            "DECLARE" | "FETCH" | "MOVE" | "CLOSE" => cursor(first, rest),
            "COPY" => copy(rest),
            "UNLISTEN" => Self::Done("UNLISTEN"),
            first => match WRITES.into_iter().find(|known| *known == first) {
                Some(word) => Self::Write(word),
                None => Self::Ask,
            },
        }
    }
}

/// A name without its quotes; `TIME ZONE` and what is like it are settings of two words.
fn named(word: &str, rest: &mut CommandWords<'_>) -> String {
    if word.eq_ignore_ascii_case("time") && rest.takes("zone") {
        return "TimeZone".to_owned();
    }
    if word.eq_ignore_ascii_case("transaction") {
        rest.takes("isolation");
        rest.takes("level");
        return "transaction_isolation".to_owned();
    }
    unquoted(word)
}

fn set(mut rest: CommandWords<'_>) -> PgCommand {
    let is_of_session = rest.takes("session");
    if is_of_session && (rest.takes("characteristics") || rest.takes("authorization")) {
        return PgCommand::Done("SET");
    }
    rest.takes("local");
    let Some(word) = rest.word() else {
        return PgCommand::Wrong("SET needs a name and a value".to_owned());
    };
    match word.to_ascii_lowercase().as_str() {
        "transaction" | "role" | "constraints" => return PgCommand::Done("SET"),
        "names" => {
            return PgCommand::Set { name: "client_encoding".into(), value: unquoted(rest.rest()) };
        }
        _ => {}
    }
    let name = named(word, &mut rest);
    let is_zone = name == "TimeZone";
    if !(rest.takes("to") || rest.takes("=") || is_zone) {
        return PgCommand::Wrong(format!("SET {name} needs TO and a value"));
    }
    PgCommand::Set { name, value: unquoted(rest.rest()) }
}

fn show(mut rest: CommandWords<'_>) -> PgCommand {
    match rest.word() {
        Some(word) => PgCommand::Show(named(word, &mut rest)),
        None => PgCommand::Wrong("SHOW needs the name of a setting, or ALL".to_owned()),
    }
}

fn to_savepoint(rest: &mut CommandWords<'_>) -> bool {
    let _ = rest.takes("work") || rest.takes("transaction");
    rest.takes("to")
}

fn savepoint(command: Result<SavepointCommand, &'static str>) -> PgCommand {
    command.map_or_else(|words| PgCommand::Wrong(words.to_owned()), PgCommand::Savepoint)
}

fn prepare(mut rest: CommandWords<'_>) -> PgCommand {
    let Some(name) = rest.word().map(unquoted) else {
        return PgCommand::Wrong("PREPARE needs a name".to_owned());
    };
    if name.eq_ignore_ascii_case("transaction") {
        return PgCommand::Ask;
    }
    // Types of parameters are told by the query as well.
    if rest.takes("(") {
        let Some((_, after)) = rest.0.split_once(')') else {
            return PgCommand::Wrong("the list of types has no end".to_owned());
        };
        rest.0 = after;
    }
    if !rest.takes("as") {
        return PgCommand::Wrong("PREPARE needs AS and a query".to_owned());
    }
    PgCommand::Prepare { name, text: rest.rest().to_owned() }
}

fn execute(mut rest: CommandWords<'_>) -> PgCommand {
    let Some(name) = rest.word().map(unquoted) else {
        return PgCommand::Wrong("EXECUTE needs the name of a prepared statement".to_owned());
    };
    let list = rest.rest();
    if list.is_empty() {
        return PgCommand::Execute { name, values: Vec::new() };
    }
    let inner = list.strip_prefix('(').and_then(|list| list.strip_suffix(')'));
    let values: Option<Vec<_>> =
        inner.and_then(|inner| parts(inner).into_iter().map(value).collect());
    match values {
        Some(values) => PgCommand::Execute { name, values },
        None => PgCommand::Wrong(
            "EXECUTE takes texts in quotes, numbers, true, false and NULL; write the values so"
                .to_owned(),
        ),
    }
}

fn cursor(first: &str, rest: CommandWords<'_>) -> PgCommand {
    match CursorCommand::of(first, rest) {
        Ok(CursorCommand::Declare { text, .. }) if PgCommand::of(&text) != PgCommand::Ask => {
            PgCommand::Wrong("a cursor is for a SELECT".to_owned())
        }
        Ok(command) => PgCommand::Cursor(command),
        Err(words) => PgCommand::Wrong(words.to_owned()),
    }
}

fn copy(rest: CommandWords<'_>) -> PgCommand {
    match CopyCommand::of(rest) {
        Ok(Some(copy)) if PgCommand::of(&copy.text) != PgCommand::Ask => {
            PgCommand::Wrong("COPY is for a SELECT or a table".to_owned())
        }
        Ok(Some(copy)) => PgCommand::Copy(copy),
        Ok(None) => PgCommand::Write("COPY"),
        Err(words) => PgCommand::Wrong(words),
    }
}

/// The parts of a list, at commas outside of quotes.
fn parts(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (at, char) in list.char_indices() {
        match char {
            '\'' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                parts.extend(list.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(list.get(start..));
    parts
}

fn value(text: &str) -> Option<Option<String>> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("null") {
        return Some(None);
    }
    let is_word = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    // What a number is made of, which infinity is not; a sum is no number.
    let is_plain =
        |char: char| char.is_ascii_digit() || matches!(char, '.' | '-' | '+' | 'e' | 'E');
    let is_number = text.chars().all(is_plain) && text.parse::<f64>().is_ok();
    // Within one text each quote is doubled.
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let is_text = inner.is_some_and(|inner| !inner.replace("''", "").contains('\''));
    (is_word || is_number || is_text).then(|| Some(unquoted(text)))
}

fn deallocate(mut rest: CommandWords<'_>) -> PgCommand {
    rest.takes("prepare");
    match rest.word() {
        Some(name) if !name.eq_ignore_ascii_case("all") => {
            PgCommand::Deallocate(Some(unquoted(name)))
        }
        Some(_) => PgCommand::Deallocate(None),
        None => PgCommand::Wrong("DEALLOCATE needs a name, or ALL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_about_a_session_are_understood() {
        let set =
            |name: &str, value: &str| PgCommand::Set { name: name.into(), value: value.into() };
        for (text, command) in [
            ("", PgCommand::Empty),
            ("-- nothing\n /* at all */ ", PgCommand::Empty),
            ("/* x */ SELECT 1", PgCommand::Ask),
            ("set application_name = 'it''s'", set("application_name", "it's")),
            ("SET SESSION extra_float_digits TO 3", set("extra_float_digits", "3")),
            ("SET TIME ZONE 'UTC'", set("TimeZone", "UTC")),
            ("SET NAMES 'utf8'", set("client_encoding", "utf8")),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", PgCommand::Done("SET")),
            ("SHOW TRANSACTION ISOLATION LEVEL", PgCommand::Show("transaction_isolation".into())),
            ("show time zone", PgCommand::Show("TimeZone".into())),
            ("RESET ALL", PgCommand::Reset(None)),
            ("begin isolation level repeatable read", PgCommand::Begin),
            ("ROLLBACK TO SAVEPOINT A", PgCommand::Savepoint(SavepointCommand::Back("a".into()))),
            ("RELEASE \"A\"", PgCommand::Savepoint(SavepointCommand::Release("A".into()))),
            ("DEALLOCATE ALL", PgCommand::Deallocate(None)),
            ("DISCARD ALL", PgCommand::DiscardAll),
            ("WITH a AS (SELECT 1) SELECT * FROM a", PgCommand::Ask),
            ("delete FROM events", PgCommand::Write("DELETE")),
            ("COPY events FROM STDIN", PgCommand::Write("COPY")),
        ] {
            assert_eq!(PgCommand::of(text), command, "{text}");
        }
        assert!(matches!(PgCommand::of("SET x"), PgCommand::Wrong(_)));
        let wrong = "DECLARE c CURSOR FOR DELETE FROM events";
        assert!(matches!(PgCommand::of(wrong), PgCommand::Wrong(_)));
        assert!(matches!(PgCommand::of("copy events to stdout"), PgCommand::Copy(_)));
        let wrong = "COPY (DELETE FROM events) TO STDOUT";
        assert!(matches!(PgCommand::of(wrong), PgCommand::Wrong(_)));
    }

    #[test]
    fn prepared_statements_have_values() {
        let text = "SELECT $1, $2".to_owned();
        let prepared = PgCommand::Prepare { name: "a".into(), text };
        assert_eq!(PgCommand::of("PREPARE a (int, text) AS SELECT $1, $2"), prepared);
        let values = [Some("1"), Some("x,'y"), None, Some("true")];
        let values = values.map(|value| value.map(str::to_owned)).to_vec();
        let executed = PgCommand::Execute { name: "a".into(), values };
        assert_eq!(PgCommand::of("EXECUTE a(1, 'x,''y', NULL, true)"), executed);
        for wrong in ["EXECUTE a(now())", "EXECUTE a(1+2)", "EXECUTE a(1, -)", "EXECUTE a(1.2.3)"] {
            assert!(matches!(PgCommand::of(wrong), PgCommand::Wrong(_)), "{wrong}");
        }
    }
}
