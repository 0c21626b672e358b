//! The forms of a result. Each is written batch by batch, as the rows come.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cell::{write_json, write_json_text, write_text};
use super::table::Table;
use crate::cli::args::SqlFormat;

/// Writes one result.
pub(super) enum Writer {
    Table(Table),
    Separated { separator: char, schema: SchemaRef },
    Json { lines: bool, rows: u64 },
}

impl Writer {
    /// A writer of a result with these columns; a table shows `rows_max` rows.
    pub(super) fn new(format: SqlFormat, schema: SchemaRef, rows_max: Option<u64>) -> Self {
        match format {
            SqlFormat::Table => Self::Table(Table::new(schema, rows_max)),
            SqlFormat::Csv => Self::Separated { separator: ',', schema },
            SqlFormat::Tsv => Self::Separated { separator: '\t', schema },
            SqlFormat::Json => Self::Json { lines: false, rows: 0 },
            SqlFormat::Ndjson => Self::Json { lines: true, rows: 0 },
        }
    }

    /// What stands before the rows.
    pub(super) fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table(_) | Self::Json { lines: true, .. } => Ok(()),
            Self::Json { .. } => out.write_all(b"["),
            Self::Separated { separator, schema } => {
                let mut line = String::new();
                for (at, field) in schema.fields().iter().enumerate() {
                    if at > 0 {
                        line.push(*separator);
                    }
                    push_field(&mut line, field.name(), *separator);
                }
                line.push('\n');
                out.write_all(line.as_bytes())
            }
        }
    }

    /// Some rows.
    pub(super) fn rows(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        match self {
            Self::Table(table) => table.rows(out, batch),
            Self::Separated { separator, .. } => separated(out, batch, *separator),
            Self::Json { lines, rows } => {
                for row in 0..batch.num_rows() {
                    let mut line = String::new();
                    if !*lines {
                        line.push_str(if *rows == 0 { "\n" } else { ",\n" });
                    }
                    push_object(&mut line, batch, row);
                    if *lines {
                        line.push('\n');
                    }
                    *rows += 1;
                    out.write_all(line.as_bytes())?;
                }
                Ok(())
            }
        }
    }

    /// What stands after the rows.
    pub(super) fn end(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table(table) => table.end(out)?,
            Self::Json { lines: false, rows: 0 } => out.write_all(b"]\n")?,
            Self::Json { lines: false, .. } => out.write_all(b"\n]\n")?,
            _ => {}
        }
        out.flush()
    }
}

fn separated(out: &mut dyn Write, batch: &RecordBatch, separator: char) -> io::Result<()> {
    let (mut line, mut text) = (String::new(), String::new());
    for row in 0..batch.num_rows() {
        line.clear();
        for (at, column) in batch.columns().iter().enumerate() {
            if at > 0 {
                line.push(separator);
            }
            // Null is nothing, and a text of no length is two quotes.
            if column.is_valid(row) {
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
