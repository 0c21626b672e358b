//! The formats of a result for programs. Each is written batch by batch, as the rows arrive.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::writer::StreamWriter;

use super::result_value::{write_json, write_json_text, write_text};
use super::row_format::RowFormat;

/// Writes one result.
pub struct FormWriter(Inner);

enum Inner {
    Separated { separator: char, schema: SchemaRef },
    Json { lines: bool, rows: u64 },
    Arrow { schema: SchemaRef, stream: Option<Box<StreamWriter<Vec<u8>>>> },
}

impl FormWriter {
    /// A writer of a result with these columns.
    pub fn new(format: RowFormat, schema: SchemaRef) -> Self {
        Self(match format {
            RowFormat::Csv => Inner::Separated { separator: ',', schema },
            RowFormat::Tsv => Inner::Separated { separator: '\t', schema },
            RowFormat::Json => Inner::Json { lines: false, rows: 0 },
            RowFormat::Ndjson => Inner::Json { lines: true, rows: 0 },
            RowFormat::Arrow => Inner::Arrow { schema, stream: None },
        })
    }

    /// Writes what precedes the rows.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match &mut self.0 {
            Inner::Json { lines: true, .. } => Ok(()),
            Inner::Json { .. } => out.write_all(b"["),
            Inner::Separated { separator, schema } => out.write_all(&head(schema, *separator)),
            Inner::Arrow { schema, stream } => {
                let begun = StreamWriter::try_new(Vec::new(), schema).map_err(io::Error::other)?;
                hand_on(stream.insert(Box::new(begun)), out)
            }
        }
    }

    /// Writes some rows.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn rows(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        match &mut self.0 {
            Inner::Separated { separator, .. } => separated(out, batch, *separator),
            Inner::Json { lines, rows } => objects(out, batch, *lines, rows),
            Inner::Arrow { stream, .. } => {
                let Some(stream) = stream else { return Err(io::Error::other("not begun")) };
                stream.write(batch).map_err(io::Error::other)?;
                hand_on(stream, out)
            }
        }
    }

    /// Writes what follows the rows.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn end(self, out: &mut dyn Write) -> io::Result<()> {
        match self.0 {
            Inner::Json { lines: false, rows: 0 } => out.write_all(b"]\n")?,
            Inner::Json { lines: false, .. } => out.write_all(b"\n]\n")?,
            Inner::Arrow { stream: Some(mut stream), .. } => {
                stream.finish().map_err(io::Error::other)?;
                hand_on(&mut stream, out)?;
            }
            _ => {}
        }
        out.flush()
    }
}

/// Passes on the output of Arrow's writer, so that it does not accumulate there.
fn hand_on(stream: &mut StreamWriter<Vec<u8>>, out: &mut dyn Write) -> io::Result<()> {
    let made = stream.get_mut();
    out.write_all(made)?;
    made.clear();
    Ok(())
}

fn head(schema: &SchemaRef, separator: char) -> Vec<u8> {
    let mut line = String::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if at > 0 {
            line.push(separator);
        }
        push_field(&mut line, field.name(), separator);
    }
    line.push('\n');
    line.into_bytes()
}

fn objects(
    out: &mut dyn Write,
    batch: &RecordBatch,
    lines: bool,
    rows: &mut u64,
) -> io::Result<()> {
    for row in 0..batch.num_rows() {
        let mut line = String::new();
        if !lines {
            line.push_str(if *rows == 0 { "\n" } else { ",\n" });
        }
        push_object(&mut line, batch, row);
        if lines {
            line.push('\n');
        }
        *rows += 1;
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn separated(out: &mut dyn Write, batch: &RecordBatch, separator: char) -> io::Result<()> {
    let (mut line, mut text) = (String::new(), String::new());
    for row in 0..batch.num_rows() {
        line.clear();
        for (at, column) in batch.columns().iter().enumerate() {
            if at > 0 {
                line.push(separator);
            }
            // Null is nothing, and an empty text is two quotes. Readers skip an empty line, so a
            // null in the only column is two quotes as well.
            if *column.data_type() == DataType::Null || column.is_null(row) {
                if batch.num_columns() == 1 {
                    line.push_str("\"\"");
                }
            } else {
                text.clear();
                write_text(&mut text, column, row);
                push_field(&mut line, &text, separator);
            }
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn push_field(line: &mut String, text: &str, separator: char) {
    let special = |char: char| char == separator || matches!(char, '"' | '\n' | '\r');
    if text.is_empty() || text.contains(special) {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
}

fn push_object(line: &mut String, batch: &RecordBatch, row: usize) {
    line.push('{');
    let fields = batch.schema_ref().fields().iter().zip(batch.columns());
    for (at, (field, column)) in fields.enumerate() {
        if at > 0 {
            line.push(',');
        }
        write_json_text(line, field.name());
        line.push(':');
        write_json(line, column, row);
    }
    line.push('}');
}
