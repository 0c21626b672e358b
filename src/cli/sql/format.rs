//! The writers of results: formats for programs, and a table for people.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;

use super::table::Table;
use crate::sql::{Form, FormWriter};

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SqlFormat {
    /// For people.
    Table,
    /// Comma-separated, with a head.
    Csv,
    /// Tab-separated, with a head.
    Tsv,
    /// A JSON array of objects.
    Json,
    /// A JSON object a line.
    Ndjson,
}

/// Writes one result.
pub(super) enum Writer {
    Table(Table),
    Form(FormWriter),
}

impl Writer {
    /// A writer of a result with these columns; a table shows at most `rows_max` rows.
    pub(super) fn new(format: OutputFormat, schema: SchemaRef, rows_max: Option<u64>) -> Self {
        match format {
            OutputFormat::Table => Self::Table(Table::new(schema, rows_max)),
            OutputFormat::Rows(format) => Self::Form(FormWriter::new(format, schema)),
        }
    }

    /// Writes what comes before the rows.
    pub(super) fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table(_) => Ok(()),
            Self::Form(form) => form.begin(out),
        }
    }

    /// Writes rows.
    pub(super) fn rows(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        match self {
            Self::Table(table) => table.rows(out, batch),
            Self::Form(form) => form.rows(out, batch),
        }
    }

    /// Writes what comes after the rows.
    pub(super) fn end(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table(table) => {
                table.end(out)?;
                out.flush()
            }
            Self::Form(form) => form.end(out),
        }
    }
}
