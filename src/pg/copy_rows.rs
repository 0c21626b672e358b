//! The rows of `COPY … TO STDOUT`, as text, CSV and PostgreSQL's binary format.
//!
//! The formats are those of <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.55.10>.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::copy_command::{CopyForm, CopyKind, ForcedQuotes};
use super::error::PgError;

/// The begin of a copy in binary: a signature, flags, and the length of an extension.
const BINARY_BEGIN: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Its end: a row of -1 values.
const BINARY_END: [u8; 2] = (-1_i16).to_be_bytes();

/// Writes rows.
pub(super) struct CopyWriter {
    form: CopyForm,
    /// For each column, whether its values always have quotes.
    forced: Vec<bool>,
    /// What goes before the next row.
    begin: &'static [u8],
}

impl CopyWriter {
    /// A writer of rows with these columns.
    ///
    /// # Errors
    /// 42703: a column is to have quotes that there is not.
    pub(super) fn new(form: &CopyForm, names: &[String]) -> Result<Self, PgError> {
        let forced = match &form.forced {
            ForcedQuotes::All => vec![true; names.len()],
            ForcedQuotes::Columns(columns) => {
                if let Some(column) = columns.iter().find(|column| !names.contains(column)) {
                    let words =
                        format!("FORCE_QUOTE names {column:?}, which is no column of the rows");
                    return Err(PgError::new("42703", &words));
                }
                names.iter().map(|name| columns.contains(name)).collect()
            }
        };
        let begin = if form.kind == CopyKind::Binary { BINARY_BEGIN } else { &[] };
        Ok(Self { form: form.clone(), forced, begin })
    }

    /// The line of the columns' names, if one is wanted.
    pub(super) fn header(&self, names: &[String]) -> Option<Bytes> {
        let names = names.iter().map(|name| Some(Bytes::copy_from_slice(name.as_bytes())));
        self.form.has_header.then(|| self.line(names, &[]))
    }

    /// A row, out of the body of its message: the count of its values, and each after its length. None
    /// if it is damaged.
    pub(super) fn row(&mut self, mut body: Bytes) -> Option<Bytes> {
        if self.form.kind == CopyKind::Binary {
            let begin = std::mem::take(&mut self.begin);
            return Some(if begin.is_empty() { body } else { [begin, &body].concat().into() });
        }
        let count = body.try_get_u16().ok()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(match usize::try_from(body.try_get_i32().ok()?) {
                Ok(length) if length <= body.len() => Some(body.split_to(length)),
                Ok(_) => return None,
                Err(_) => None,
            });
        }
        Some(self.line(values.into_iter(), &self.forced))
    }

    /// What follows the last row.
    pub(super) fn end(&mut self) -> Option<Bytes> {
        let begin = std::mem::take(&mut self.begin);
        (self.form.kind == CopyKind::Binary).then(|| [begin, &BINARY_END].concat().into())
    }

    fn line(&self, values: impl ExactSizeIterator<Item = Option<Bytes>>, forced: &[bool]) -> Bytes {
        let (mut line, is_alone) = (BytesMut::new(), values.len() == 1);
        for (place, value) in values.enumerate() {
            if place > 0 {
                line.put_u8(self.form.delimiter);
            }
            let is_forced = forced.get(place).copied().unwrap_or(false);
            match value {
                None => line.put_slice(self.form.null.as_bytes()),
                Some(value) if self.form.kind == CopyKind::Text => self.put_text(&mut line, &value),
                Some(value) if is_forced || self.needs_quotes(&value, is_alone) => {
                    self.put_quoted(&mut line, &value);
                }
                Some(value) => line.put_slice(&value),
            }
        }
        line.put_u8(b'\n');
        line.freeze()
    }

    fn put_text(&self, line: &mut BytesMut, value: &[u8]) {
        for byte in value {
            let letter = match byte {
                0x08 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0x0b => b'v',
                0x0c => b'f',
                b'\r' => b'r',
                byte if *byte == b'\\' || *byte == self.form.delimiter => *byte,
                byte => {
                    line.put_u8(*byte);
                    continue;
                }
            };
            line.put_slice(&[b'\\', letter]);
        }
    }

    /// Whether a value of CSV could be taken for something else. `\.` alone in a line is an end to some
    /// readers.
    fn needs_quotes(&self, value: &[u8], is_alone: bool) -> bool {
        let form = &self.form;
        let is_special = |byte: &u8| {
            *byte == form.delimiter || *byte == form.quote || matches!(byte, b'\r' | b'\n')
        };
        value == form.null.as_bytes()
            || (is_alone && value == b"\\.")
            || value.iter().any(is_special)
    }

    fn put_quoted(&self, line: &mut BytesMut, value: &[u8]) {
        let (quote, escape) = (self.form.quote, self.form.escape);
        line.put_u8(quote);
        for byte in value {
            if *byte == quote || *byte == escape {
                line.put_u8(escape);
            }
            line.put_u8(*byte);
        }
        line.put_u8(quote);
    }
}

#[cfg(test)]
mod tests {
    use super::super::command_words::CommandWords;
    use super::super::copy_command::CopyCommand;
    use super::*;

    fn writer(options: &str, names: &[String]) -> CopyWriter {
        let text = format!("(SELECT 1) TO STDOUT {options}");
        let copy = CopyCommand::of(CommandWords(&text)).unwrap().unwrap();
        CopyWriter::new(&copy.form, names).unwrap()
    }

    fn body(values: &[Option<&str>]) -> Bytes {
        let mut body = BytesMut::new();
        body.put_u16(u16::try_from(values.len()).unwrap());
        for value in values {
            body.put_i32(value.map_or(-1, |value| i32::try_from(value.len()).unwrap()));
            body.put_slice(value.unwrap_or_default().as_bytes());
        }
        body.freeze()
    }

    fn row(options: &str, values: &[Option<&str>]) -> String {
        let names: Vec<_> = (0..values.len()).map(|number| format!("c{number}")).collect();
        let row = writer(options, &names).row(body(values)).unwrap();
        String::from_utf8(row.into()).unwrap()
    }

    // The lines are what PostgreSQL 16 wrote of these values.
    #[test]
    fn values_are_written_so_that_they_can_be_read() {
        let odd = [Some("a,\"b\"\t\\"), None, Some(""), Some("x\r\ny")];
        assert_eq!(row("", &odd), "a,\"b\"\\t\\\\\t\\N\t\tx\\r\\ny\n");
        assert_eq!(row("CSV", &odd), "\"a,\"\"b\"\"\t\\\",,\"\",\"x\r\ny\"\n");
        assert_eq!(row("(DELIMITER '|', NULL '-')", &[Some("a|b"), None]), "a\\|b|-\n");
        assert_eq!(row("CSV FORCE QUOTE *", &[Some("1"), None]), "\"1\",\n");
        assert_eq!(row("CSV FORCE QUOTE c1", &[Some("1"), Some("2")]), "1,\"2\"\n");
        assert_eq!(row("CSV ESCAPE '\\'", &[Some("a\"\\b")]), "\"a\\\"\\\\b\"\n");
        assert_eq!(row("CSV", &[Some("\\.")]), "\"\\.\"\n");
        assert_eq!(row("CSV NULL 'x'", &[Some("x"), None]), "\"x\",x\n");
    }

    #[test]
    fn binary_has_a_begin_and_an_end() {
        let names = ["a".to_owned()];
        let mut empty = writer("BINARY", &names);
        assert_eq!(empty.end().unwrap(), [BINARY_BEGIN, &[0xff, 0xff]].concat());
        let mut one = writer("BINARY", &names);
        let body = body(&[Some("x")]);
        assert_eq!(one.row(body.clone()).unwrap(), [BINARY_BEGIN, &body].concat());
        assert_eq!(one.row(body.clone()).unwrap(), body);
        assert_eq!(one.end().unwrap(), [0xff, 0xff][..]);
    }

    #[test]
    fn a_header_has_the_names_and_damage_is_found() {
        let names = ["a,b".to_owned(), "c".to_owned()];
        let mut csv = writer("CSV HEADER", &names);
        assert_eq!(csv.header(&names).unwrap(), "\"a,b\",c\n");
        assert_eq!(csv.end(), None);
        let whole = body(&[Some("abc"), None]);
        for length in 0..whole.len() {
            assert_eq!(csv.row(whole.slice(..length)), None, "{length}");
        }
        let copy = CopyCommand::of(CommandWords("a TO STDOUT CSV FORCE QUOTE x")).unwrap().unwrap();
        assert!(CopyWriter::new(&copy.form, &names).is_err());
    }
}
