//! Values as they are written in SQL: `quote_literal`, `quote_nullable` and `quote_ident`.

use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::columns::{column, texts};
use super::function::{Given, PlannedTypes, function};
use super::refusal::refused;

/// Words that no name is without quotes.
const RESERVED: [&str; 40] = [
    "all", "and", "any", "array", "as", "asc", "both", "case", "cast", "check", "column", "create",
    "default", "desc", "distinct", "do", "else", "end", "except", "false", "fetch", "for", "from",
    "grant", "group", "having", "in", "into", "limit", "not", "null", "offset", "on", "or",
    "order", "select", "table", "true", "user", "where",
];

/// `quote_literal(x)`: a text constant; null of null.
pub(super) fn quote_literal() -> ScalarUDF {
    function("quote_literal", one_text, |args, _| {
        let values = texts(column(args, 0)?)?;
        Ok(Arc::new(values.iter().map(|text| text.map(literal)).collect::<StringArray>()))
    })
}

/// `quote_nullable(x)`: a text constant; `NULL` of null.
pub(super) fn quote_nullable() -> ScalarUDF {
    function("quote_nullable", one_text, |args, _| {
        let values = texts(column(args, 0)?)?;
        let quoted = values.iter().map(|text| Some(text.map_or("NULL".to_owned(), literal)));
        Ok(Arc::new(quoted.collect::<StringArray>()))
    })
}

/// `quote_ident(x)`: a name, in quotes if it needs them.
pub(super) fn quote_ident() -> ScalarUDF {
    function("quote_ident", one_text, |args, _| {
        let values = texts(column(args, 0)?)?;
        Ok(Arc::new(values.iter().map(|text| text.map(identifier)).collect::<StringArray>()))
    })
}

fn one_text(given: &Given<'_>) -> Result<PlannedTypes> {
    match given.types {
        [DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null] => {
            Ok(PlannedTypes { takes: vec![DataType::Utf8], gives: DataType::Utf8 })
        }
        [_] => Err(refused("it takes a text; cast the value to text")),
        _ => Err(refused("it takes one text")),
    }
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''").replace('\\', "\\\\");
    // With backslashes it is a text in which they have a meaning.
    let mark = if text.contains('\\') { "E" } else { "" };
    format!("{mark}'{quoted}'")
}

fn identifier(name: &str) -> String {
    let is_first = |char: char| char.is_ascii_lowercase() || char == '_';
    let is_plain = name.starts_with(is_first)
        && name.chars().all(|char| is_first(char) || char.is_ascii_digit())
        && !RESERVED.contains(&name);
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The values are what PostgreSQL 16 answers.
    #[test]
    fn texts_and_names_are_written_so_that_sql_reads_them_again() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b'"), "E'a\\\\b'''");
        for (name, quoted) in [("a_1", "a_1"), ("A", "\"A\""), ("1a", "\"1a\""), ("", "\"\"")] {
            assert_eq!(identifier(name), quoted);
        }
        assert_eq!(identifier("x\"y"), "\"x\"\"y\"");
        assert_eq!(identifier("select"), "\"select\"");
    }
}
