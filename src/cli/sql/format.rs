//! The writers of results: formats for programs, and a table for people.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::table::Table;
use crate::cli::args::SqlFormat;
use crate::sql::{Form, FormWriter};

/// Writes one result.
pub(super) enum Writer {
    Table(Table),
    Form(FormWriter),
}

impl Writer {
    /// A writer of a result with these columns; a table shows at most `rows_max` rows.
    pub(super) fn new(format: SqlFormat, schema: SchemaRef, rows_max: Option<u64>) -> Self {
        let form = match format {
            SqlFormat::Table => return Self::Table(Table::new(schema, rows_max)),
            SqlFormat::Csv => Form::Csv,
            SqlFormat::Tsv => Form::Tsv,
            SqlFormat::Json => Form::Json,
            SqlFormat::Ndjson => Form::Ndjson,
        };
        Self::Form(FormWriter::new(form, schema))
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
