//! The writer of a result as a table for people.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::printable::{counted, printable};
use crate::sql::write_text;

/// Rows that decide the widths of columns; a longer value further down sticks out.
const MEASURED_ROWS: usize = 1_000;

/// A table that is being written.
pub(in crate::cli) struct TextTable {
    schema: SchemaRef,
    rows_max: Option<u64>,
    rows: u64,
    /// The first rows, until there are enough of them to measure.
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl TextTable {
    pub(super) fn new(schema: SchemaRef, rows_max: Option<u64>) -> Self {
        Self { schema, rows_max, rows: 0, waiting: Vec::new(), widths: None }
    }

    /// Adds rows, and writes them once the widths are known.
    pub(super) fn rows(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        for row in 0..batch.num_rows() {
            self.rows += 1;
            if self.rows_max.is_some_and(|rows_max| self.rows > rows_max) {
                continue;
            }
            let cells = batch.columns().iter().map(|column| {
                let mut text = String::new();
                write_text(&mut text, column, row);
                harmless(&text)
            });
            let cells: Vec<_> = cells.collect();
            match &self.widths {
                Some(widths) => out.write_all(self.line(&cells, widths).as_bytes())?,
                None => self.waiting.push(cells),
            }
            if self.waiting.len() == MEASURED_ROWS {
                self.measure(out)?;
            }
        }
        Ok(())
    }

    /// Writes the rest, and the number of rows.
    pub(super) fn end(mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.widths.is_none() {
            self.measure(out)?;
        }
        let rows = counted(self.rows, "row");
        match self.rows_max.map(|rows_max| self.rows.saturating_sub(rows_max)) {
            Some(more) if more > 0 => writeln!(
                out,
                "({rows}, {more} more not shown; use LIMIT, or --output FILE for all)"
            ),
            _ => writeln!(out, "({rows})"),
        }
    }

    /// Sets the widths, and writes the header and the rows that waited for them.
    fn measure(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<_> =
            self.schema.fields().iter().map(|field| harmless(field.name())).collect();
        let mut widths: Vec<_> = names.iter().map(|name| width(name)).collect();
        for row in &self.waiting {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        let head = names.iter().zip(&widths).map(|(name, width)| format!(" {name:^width$} "));
        let mut text = head.collect::<Vec<_>>().join("|").trim_end().to_owned() + "\n";
        let rule: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        text.push_str(&(rule.join("+") + "\n"));
        for row in std::mem::take(&mut self.waiting) {
            text.push_str(&self.line(&row, &widths));
        }
        self.widths = Some(widths);
        out.write_all(text.as_bytes())
    }

    /// A row, with as many lines as its highest cell.
    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let lines: Vec<Vec<&str>> = cells.iter().map(|cell| cell.split('\n').collect()).collect();
        let height = lines.iter().map(Vec::len).max().unwrap_or_default();
        let mut text = String::new();
        for at in 0..height {
            let fields = self.schema.fields().iter();
            let cells = lines.iter().zip(widths).zip(fields).map(|((lines, width), field)| {
                let line = lines.get(at).copied().unwrap_or_default();
                if field.data_type().is_numeric() {
                    format!(" {line:>width$} ")
                } else {
                    format!(" {line:<width$} ")
                }
            });
            text.push_str(cells.collect::<Vec<_>>().join("|").trim_end());
            text.push('\n');
        }
        text
    }
}

fn width(cell: &str) -> usize {
    cell.split('\n').map(|line| line.chars().count()).max().unwrap_or_default()
}

/// The text without characters that would move the cursor or change the terminal, except line ends.
fn harmless(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}
