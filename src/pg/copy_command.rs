//! `COPY … TO STDOUT`: which rows are copied, and how they are written.
//!
//! The options are those of <https://www.postgresql.org/docs/current/sql-copy.html>, in the list in
//! parentheses and in the older words that psql passes on.

use super::command_words::{CommandWords, folded_name, unquoted};
use crate::sql::in_parentheses;

/// Rows that are copied to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CopyCommand {
    /// The query of the rows.
    pub text: String,
    pub form: CopyForm,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyKind {
    Text,
    Csv,
    Binary,
}

/// Which values of CSV have quotes, beside those that need them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ForcedQuotes {
    All,
    Columns(Vec<String>),
}

/// How rows are written, with all options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CopyForm {
    pub kind: CopyKind,
    pub delimiter: u8,
    pub null: String,
    pub has_header: bool,
    pub quote: u8,
    /// What stands before a quote within quotes.
    pub escape: u8,
    pub forced: ForcedQuotes,
}

impl CopyCommand {
    /// What follows the word COPY. None if it does not copy to the client.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(mut rest: CommandWords<'_>) -> Result<Option<Self>, String> {
        let text = match in_parentheses(rest.rest()) {
            Some((query, after)) => {
                rest.0 = after;
                query.trim().to_owned()
            }
            None => table(&mut rest),
        };
        if !(rest.takes("to") && rest.takes("stdout")) {
            return Ok(None);
        }
        Ok(Some(Self { text, form: CopyOptions::of(rest)?.form()? }))
    }
}

/// The query of a table's rows, whose name and columns are taken.
fn table(rest: &mut CommandWords<'_>) -> String {
    let text = rest.0;
    let (mut columns, mut end) = ("*", rest.0);
    while let Some(word) = CommandWords(end).word() {
        if word == "(" {
            break;
        }
        let mut ahead = CommandWords(end);
        if ahead.takes("to") || ahead.takes("from") {
            break;
        }
        ahead.word();
        end = ahead.0;
    }
    let name = text.strip_suffix(end).unwrap_or_default().trim();
    rest.0 = end;
    if let Some((listed, after)) = in_parentheses(end.trim_start()) {
        (columns, rest.0) = (listed, after);
    }
    format!("SELECT {columns} FROM {name}")
}

/// The options that are given.
#[derive(Default)]
struct CopyOptions {
    kind: Option<CopyKind>,
    delimiter: Option<String>,
    null: Option<String>,
    has_header: bool,
    quote: Option<String>,
    escape: Option<String>,
    forced: Option<ForcedQuotes>,
}

impl CopyOptions {
    fn of(mut rest: CommandWords<'_>) -> Result<Self, String> {
        let mut options = Self::default();
        rest.takes("with");
        let is_list = rest.takes("(");
        while let Some(word) = rest.word() {
            match word {
                "," if is_list => {}
                ")" if is_list && rest.rest().is_empty() => return Ok(options),
                word => options.take(&word.to_ascii_lowercase(), &mut rest, is_list)?,
            }
        }
        if is_list {
            Err("the options of COPY need a closing parenthesis".into())
        } else {
            Ok(options)
        }
    }

    fn take(
        &mut self,
        word: &str,
        rest: &mut CommandWords<'_>,
        is_list: bool,
    ) -> Result<(), String> {
        match word {
            "format" if is_list => self.kind = Some(kind(&text(word, rest)?)?),
            "text" | "csv" | "binary" if !is_list => self.kind = Some(kind(word)?),
            "header" => self.has_header = !is_list || flag(rest)?,
            "freeze" => drop(!is_list || flag(rest)?),
            "delimiter" | "delimiters" => self.delimiter = Some(text(word, rest)?),
            "null" => self.null = Some(text(word, rest)?),
            "quote" => self.quote = Some(text(word, rest)?),
            "escape" => self.escape = Some(text(word, rest)?),
            "force_quote" if is_list => self.forced = Some(forced(rest)?),
            "force" if !is_list && rest.takes("quote") => self.forced = Some(forced(rest)?),
            "encoding" => {
                let encoding = text(word, rest)?.to_ascii_lowercase().replace('-', "");
                if encoding != "utf8" && encoding != "unicode" {
                    return Err("rows are copied in UTF8 alone; leave ENCODING out".into());
                }
            }
            word => return Err(format!("COPY TO STDOUT has no option {word:?}")),
        }
        Ok(())
    }

    fn form(self) -> Result<CopyForm, String> {
        let kind = self.kind.unwrap_or(CopyKind::Text);
        let is_csv = kind == CopyKind::Csv;
        if kind == CopyKind::Binary
            && (self.delimiter.is_some() || self.null.is_some() || self.has_header)
        {
            return Err("COPY in the format binary has no DELIMITER, NULL or HEADER".into());
        }
        if !is_csv && (self.quote.is_some() || self.escape.is_some() || self.forced.is_some()) {
            return Err("QUOTE, ESCAPE and FORCE_QUOTE are for COPY in the format csv".into());
        }
        let delimiter =
            one_byte("DELIMITER", self.delimiter.as_deref(), if is_csv { b',' } else { b'\t' })?;
        let quote = one_byte("QUOTE", self.quote.as_deref(), b'"')?;
        let escape = one_byte("ESCAPE", self.escape.as_deref(), quote)?;
        let is_unclear =
            delimiter == b'\\' || delimiter == b'.' || delimiter.is_ascii_alphanumeric();
        if (is_csv && delimiter == quote) || (!is_csv && is_unclear) {
            return Err("this DELIMITER of COPY could not be told from values".into());
        }
        let null = self.null.unwrap_or_else(|| if is_csv { "" } else { "\\N" }.to_owned());
        if null.contains(['\r', '\n']) || null.bytes().any(|byte| byte == delimiter) {
            return Err("NULL of COPY has no line end, and not the delimiter".into());
        }
        let forced = self.forced.unwrap_or_else(|| ForcedQuotes::Columns(Vec::new()));
        let has_header = self.has_header;
        Ok(CopyForm { kind, delimiter, null, has_header, quote, escape, forced })
    }
}

fn kind(name: &str) -> Result<CopyKind, String> {
    match name.to_ascii_lowercase().as_str() {
        "text" => Ok(CopyKind::Text),
        "csv" => Ok(CopyKind::Csv),
        "binary" => Ok(CopyKind::Binary),
        name => Err(format!("COPY has no format {name:?}; it has text, csv and binary")),
    }
}

/// The text after an option's name: in quotes, with `E` before them or not, or a word.
fn text(option: &str, rest: &mut CommandWords<'_>) -> Result<String, String> {
    rest.takes("as");
    let missing = || format!("{} of COPY needs a value", option.to_uppercase());
    let is_escaped =
        rest.0.trim_start().get(..2).is_some_and(|begin| begin.eq_ignore_ascii_case("e'"));
    if is_escaped {
        rest.word();
    }
    let word = rest.word().filter(|word| !matches!(*word, ")" | ",")).ok_or_else(missing)?;
    let text = unquoted(word);
    Ok(match is_escaped {
        true => text.replace("\\t", "\t").replace("\\\\", "\\"),
        false => text,
    })
}

/// A flag in the list of options: on if nothing else is said.
fn flag(rest: &mut CommandWords<'_>) -> Result<bool, String> {
    let word = CommandWords(rest.0).word().unwrap_or(")");
    if matches!(word, ")" | ",") {
        return Ok(true);
    }
    rest.word();
    match unquoted(word).to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        word => Err(format!("a flag of COPY is true or false, not {word:?}")),
    }
}

fn forced(rest: &mut CommandWords<'_>) -> Result<ForcedQuotes, String> {
    if rest.takes("*") {
        return Ok(ForcedQuotes::All);
    }
    let (is_list, mut columns) = (rest.takes("("), Vec::new());
    loop {
        let is_name =
            |word: &&str| word.starts_with(|char: char| char == '"' || char.is_alphabetic());
        let word = rest.word().filter(is_name).ok_or("FORCE_QUOTE needs columns, or *")?;
        columns.push(folded_name(word));
        if !rest.takes(",") {
            break;
        }
    }
    if is_list && !rest.takes(")") {
        return Err("the columns of FORCE_QUOTE need a closing parenthesis".into());
    }
    Ok(ForcedQuotes::Columns(columns))
}

fn one_byte(option: &str, given: Option<&str>, usual: u8) -> Result<u8, String> {
    match given.map(str::as_bytes) {
        None => Ok(usual),
        Some(&[byte]) if byte != b'\r' && byte != b'\n' => Ok(byte),
        Some(_) => Err(format!("{option} of COPY is one character of one byte, and no line end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<CopyCommand>, String> {
        CopyCommand::of(CommandWords(text))
    }

    fn form(options: &str) -> CopyForm {
        of(&format!("(SELECT 1) TO STDOUT {options}")).unwrap().unwrap().form
    }

    #[test]
    fn what_is_copied_is_a_query_or_a_table() {
        for (text, query) in [
            ("(SELECT ')' FROM (SELECT 1) AS a) TO STDOUT", "SELECT ')' FROM (SELECT 1) AS a"),
            ("usage_hourly TO STDOUT", "SELECT * FROM usage_hourly"),
            (
                "public . \"events\" (ts, cost_usd) to stdout",
                "SELECT ts, cost_usd FROM public . \"events\"",
            ),
        ] {
            assert_eq!(of(text).unwrap().unwrap().text, query);
        }
        for other in
            ["events FROM STDIN", "events TO '/tmp/x'", "(SELECT 1) TO PROGRAM 'x'", "events", ""]
        {
            assert_eq!(of(other).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn options_come_as_a_list_and_as_words() {
        let text = form("");
        assert_eq!((text.kind, text.delimiter, text.null.as_str()), (CopyKind::Text, b'\t', "\\N"));
        let csv = CopyForm {
            kind: CopyKind::Csv,
            delimiter: b',',
            null: String::new(),
            has_header: true,
            ..text.clone()
        };
        for options in [
            "CSV HEADER",
            "WITH CSV HEADER",
            "(FORMAT csv, HEADER)",
            "WITH (header true, format 'CSV', encoding 'UTF-8')",
        ] {
            assert_eq!(form(options), csv, "{options}");
        }
        assert_eq!(form("(FORMAT binary)").kind, CopyKind::Binary);
        assert_eq!(form("BINARY").kind, CopyKind::Binary);
        assert_eq!(form("DELIMITER AS ';' NULL AS ''").null, "");
        assert_eq!(form("(DELIMITER E'\\t')").delimiter, b'\t');
        assert_eq!(form("(FORMAT csv, FORCE_QUOTE *)").forced, ForcedQuotes::All);
        let columns = ForcedQuotes::Columns(vec!["a".into(), "B".into()]);
        assert_eq!(form("(FORCE_QUOTE (a, \"B\"), FORMAT csv, HEADER off)").forced, columns);
        assert_eq!(form("CSV FORCE QUOTE a, \"B\"").forced, columns);
    }

    #[test]
    fn options_that_say_nothing_are_refused() {
        for options in [
            "(FORMAT xml)",
            "(FORMAT csv",
            "(FORMAT binary, HEADER)",
            "(QUOTE '\"')",
            "(DELIMITER 'ab')",
            "(DELIMITER 'a')",
            "(DELIMITER)",
            "(FORMAT csv, DELIMITER '\"')",
            "(ENCODING 'LATIN1')",
            "FREEZY",
            "(HEADER match)",
            "(NULL E'\\t')",
            "(FORCE_QUOTE (), FORMAT csv)",
        ] {
            assert!(of(&format!("(SELECT 1) TO STDOUT {options}")).is_err(), "{options}");
        }
    }
}
