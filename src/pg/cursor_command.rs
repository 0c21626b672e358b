//! Statements about cursors.

use super::command_words::{CommandWords, folded_name};

/// A statement about a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CursorCommand {
    Declare {
        name: String,
        text: String,
        /// It outlives its transaction.
        holds: bool,
    },
    Fetch {
        name: String,
        /// Rows that are sent at most; all that are left if there is none.
        rows_max: Option<u64>,
    },
    /// As many rows are passed over.
    Move { name: String, rows_max: Option<u64> },
    /// Without a name, all of them.
    Close(Option<String>),
}

impl CursorCommand {
    /// The command that begins with this word.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(first: &str, rest: CommandWords<'_>) -> Result<Self, &'static str> {
        match first.to_ascii_uppercase().as_str() {
            "DECLARE" => declare(rest),
            "FETCH" => {
                let (name, rows_max) = rows(rest)?;
                Ok(Self::Fetch { name, rows_max })
            }
            "MOVE" => {
                let (name, rows_max) = rows(rest)?;
                Ok(Self::Move { name, rows_max })
            }
            _ => close(rest),
        }
    }
}

fn declare(mut rest: CommandWords<'_>) -> Result<CursorCommand, &'static str> {
    let name = rest.word().map(folded_name).ok_or("DECLARE needs a name")?;
    while ["binary", "insensitive", "asensitive", "no", "scroll"]
        .into_iter()
        .any(|word| rest.takes(word))
    {}
    if !rest.takes("cursor") {
        return Err("DECLARE needs CURSOR FOR and a query");
    }
    let holds = rest.takes("with");
    if (holds || rest.takes("without")) && !rest.takes("hold") {
        return Err("a cursor is WITH HOLD or WITHOUT HOLD");
    }
    if !rest.takes("for") {
        return Err("DECLARE needs FOR and a query");
    }
    Ok(CursorCommand::Declare { name, text: rest.rest().to_owned(), holds })
}

/// The name of a cursor and how many rows it goes forward, after `FETCH` or `MOVE`.
fn rows(mut rest: CommandWords<'_>) -> Result<(String, Option<u64>), &'static str> {
    let forward = rest.takes("forward");
    let words_left = CommandWords(rest.0).word().unwrap_or_default();
    let rows_max = if rest.takes("all") {
        None
    } else if !forward && rest.takes("next") {
        Some(1)
    } else if let Ok(rows) = words_left.parse() {
        rest.word();
        Some(rows)
    } else if ["absolute", "backward", "first", "last", "prior", "relative", "-"]
        .into_iter()
        .any(|word| words_left.eq_ignore_ascii_case(word))
    {
        return Err("cursors are only read forward; use FETCH FORWARD or MOVE FORWARD");
    } else {
        Some(1)
    };
    let _ = rest.takes("from") || rest.takes("in");
    let name = rest.word().map(folded_name).ok_or("FETCH and MOVE need the name of a cursor")?;
    Ok((name, rows_max))
}

fn close(mut rest: CommandWords<'_>) -> Result<CursorCommand, &'static str> {
    match rest.word() {
        Some(name) if name.eq_ignore_ascii_case("all") => Ok(CursorCommand::Close(None)),
        Some(name) => Ok(CursorCommand::Close(Some(folded_name(name)))),
        None => Err("CLOSE needs the name of a cursor, or ALL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_about_cursors_are_understood() {
        use CursorCommand::{Close, Declare, Fetch, Move};
        let of = |text| {
            let mut rest = CommandWords(text);
            CursorCommand::of(rest.word().unwrap(), rest)
        };
        let declared = |holds| Declare { name: "c".into(), text: "SELECT 1".into(), holds };
        let fetched = |rows_max| Fetch { name: "c".into(), rows_max };
        for (text, command) in [
            ("DECLARE C NO SCROLL CURSOR FOR SELECT 1", declared(false)),
            ("declare \"c\" binary cursor with hold for SELECT 1", declared(true)),
            ("DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", declared(false)),
            ("FETCH c", fetched(Some(1))),
            ("FETCH NEXT FROM c", fetched(Some(1))),
            ("FETCH FORWARD 100 FROM \"c\"", fetched(Some(100))),
            ("FETCH 7 IN c", fetched(Some(7))),
            ("FETCH FORWARD ALL FROM c", fetched(None)),
            ("MOVE FORWARD 2 \"c\"", Move { name: "c".into(), rows_max: Some(2) }),
            ("MOVE ALL IN c", Move { name: "c".into(), rows_max: None }),
            ("CLOSE C", Close(Some("c".into()))),
            ("CLOSE ALL", Close(None)),
        ] {
            assert_eq!(of(text).unwrap(), command, "{text}");
        }
        for wrong in ["DECLARE c", "FETCH PRIOR FROM c", "FETCH -1 FROM c", "MOVE -1 IN c", "CLOSE"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
