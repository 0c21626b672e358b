//! Corrections: events that change what calls have cost, since history changes by adding alone.
//!
//! A correction is no call. It says in `cost_usd`, which may be negative, by how much the cost of its
//! provider, model and time changes, and in its attribute `corrects` what it corrects.

use arrow::array::{AsArray as _, RecordBatch};

use super::attributes::Attributes;
use super::needed::CORRECTS;

/// The type of an event that is a correction.
pub const COST_CORRECTION: &str = "cost_correction";

/// Its bytes, as the offsets of a column of texts have them.
const BYTES: i32 = 15;
const _: () = assert!(COST_CORRECTION.len() == 15);

/// What a correction asks of an event besides what every event is asked for.
///
/// # Errors
/// The rule that is broken, beginning with the column.
pub(super) fn check(
    cost: Option<i128>,
    tokens: &[(&str, i64)],
    attributes: &Attributes<'_>,
) -> Result<(), String> {
    if cost.is_none() {
        let what = "it is what a cost_correction adds to the cost, below 0 for a credit";
        return Err(format!("cost_usd: missing; {what}"));
    }
    if let Some((column, count)) = tokens.iter().find(|(_, count)| *count > 0) {
        return Err(format!("{column}: {count} where a cost_correction has none; send 0"));
    }
    let mut named = attributes.entries.iter().filter(|(key, _)| key == CORRECTS);
    if !named.any(|(_, value)| !value.trim().is_empty()) {
        return Err("attributes: a cost_correction names what it corrects in the attribute \
                    corrects"
            .to_owned());
    }
    Ok(())
}

/// Whether one of these rows is a correction.
pub fn has_corrections(rows: &RecordBatch) -> bool {
    let types = rows.column_by_name("event_type").and_then(|types| types.as_string_opt::<i32>());
    let Some(types) = types else { return false };
    // Few types have this length, which takes less time to tell than the text.
    let is_as_long = |ends: &[i32]| matches!(ends, [start, end] if end - start == BYTES);
    types.value_offsets().windows(2).any(is_as_long)
        && types.iter().flatten().any(|kind| kind == COST_CORRECTION)
}
