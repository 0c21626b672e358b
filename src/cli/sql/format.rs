//! The writers of results: formats for programs, and a table for people.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::table::TextTable;
use crate::sql::{FormWriter, RowFormat};

/// The format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// As a table, for people.
    Table,
    /// As rows, for programs.
    Rows(RowFormat),
}

impl ValueEnum for OutputFormat {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [OutputFormat; 1 + RowFormat::TEXTS.len()] = {
            let [csv, tsv, json, ndjson] = RowFormat::TEXTS;
            use OutputFormat::{Rows, Table};
            [Table, Rows(csv), Rows(tsv), Rows(json), Rows(ndjson)]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Table => PossibleValue::new("table").help("For people"),
            Self::Rows(format) => PossibleValue::new(format.name()).help(format.help()),
        })
    }
}

/// Writes one result.
pub(in crate::cli) enum ResultWriter {
    Table(TextTable),
    Form(FormWriter),
}

impl ResultWriter {
    /// A writer of a result with these columns; a table shows at most `rows_max` rows.
    pub(in crate::cli) fn new(
        format: OutputFormat,
        schema: SchemaRef,
        rows_max: Option<u64>,
    ) -> Self {
        match format {
            OutputFormat::Table => Self::Table(TextTable::new(schema, rows_max)),
            OutputFormat::Rows(format) => Self::Form(FormWriter::new(format, schema)),
        }
    }

    /// Writes what comes before the rows.
    pub(in crate::cli) fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table(_) => Ok(()),
            Self::Form(form) => form.begin(out),
        }
    }

    /// Writes rows.
    pub(in crate::cli) fn rows(
        &mut self,
        out: &mut dyn Write,
        batch: &RecordBatch,
    ) -> io::Result<()> {
        match self {
            Self::Table(table) => table.rows(out, batch),
            Self::Form(form) => form.rows(out, batch),
        }
    }

    /// Writes what comes after the rows.
    pub(in crate::cli) fn end(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table(table) => {
                table.end(out)?;
                out.flush()
            }
            Self::Form(form) => form.end(out),
        }
    }
}
