//! Conversion of Arrow columns to JSON, one line for each row: numbers as decimal text, times in
//! UTC, nested values as they are. A value that JSON cannot express becomes text that says what it
//! is, so that the rules of events judge it. No value becomes null, zero or other digits on the
//! way.

mod column_values;
mod leaf;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

pub(super) use self::leaf::Leaf;

use self::column_values::{ColumnValues, Leaves};

/// The rows of a batch as JSON.
pub(super) struct JsonLines {
    /// A line for each row.
    pub(super) json: Vec<u8>,
    /// Rows with a field that must be text and is not, and why; in order.
    pub(super) flaws: Vec<(u64, String)>,
    /// Number of values of other columns that are not text and were left out.
    pub(super) left_out: u64,
}

/// Writes all rows. Bytes in columns for which `is_field` is true must be text; in other columns,
/// bytes that are not text are left out.
pub(super) fn lines(
    batch: &RecordBatch,
    leaves: &[Leaf],
    is_field: impl Fn(&str) -> bool,
) -> Result<JsonLines, ArrowError> {
    let (mut leaves, mut columns) = (Leaves::new(leaves), Vec::new());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let cell = ColumnValues::of(array, &mut leaves)?;
        columns.push((
            column_values::member(field.name()),
            is_field(field.name()),
            field.name(),
            cell,
        ));
    }
    let mut lines = JsonLines { json: Vec::new(), flaws: Vec::new(), left_out: 0 };
    for row in 0..batch.num_rows() {
        lines.json.push(b'{');
        let (mut flaw, mut first) = (None, true);
        for (member, needed, name, cell) in columns.iter().filter(|column| !column.3.is_null(row)) {
            let (before, was_first) = (lines.json.len(), first);
            column_values::comma(&mut first, &mut lines.json);
            lines.json.extend_from_slice(member);
            if let Err(error) = cell.write(row, &mut lines.json) {
                lines.json.truncate(before);
                first = was_first;
                if *needed {
                    flaw.get_or_insert_with(|| format!("{name}: {error}"));
                } else {
                    lines.left_out += 1;
                }
            }
        }
        lines.json.extend_from_slice(b"}\n");
        lines.flaws.extend(flaw.map(|flaw| (row as u64, flaw)));
    }
    Ok(lines)
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
