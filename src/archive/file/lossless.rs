//! The columns of a data file that its partial preserves exactly.
//!
//! A partial counts only calls. Its names are in lower case, and null if unknown. If the rows are
//! like that too, a sum over the rows equals a sum over the partial's cells.

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::DataType;

use crate::event::API_CALL;

/// The name that counters treat as missing.
const UNKNOWN: &str = "unknown";
/// Digits of a sum in a partial that fits into 8 bytes.
const SHORT_DIGITS: u8 = 18;

/// The columns whose values a partial preserves exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LosslessColumns {
    /// Each row is a call.
    pub calls: bool,
    /// Each provider is as the partial has it.
    pub provider: bool,
    /// Each model is as the partial has it.
    pub model: bool,
}

impl LosslessColumns {
    /// Compares the rows of a file with the cells that were made of them. If the cells have sums
    /// that do not fit into 8 bytes, no column counts as exact, so that readers of exact cells need
    /// not expect such sums.
    pub fn of(rows: &[RecordBatch], cells: &[RecordBatch]) -> Self {
        if !cells.iter().all(are_short) {
            return Self::default();
        }
        let all = |column, nulls, holds: fn(&StringArray) -> bool| {
            rows.iter().all(|rows| all_texts(rows, column, nulls, holds))
        };
        Self {
            calls: all("event_type", false, |texts| {
                texts.iter().flatten().all(|text| text == API_CALL)
            }),
            provider: all("provider", true, are_plain_names),
            model: all("model", true, are_plain_names),
        }
    }

    /// One letter for each field that is true, or `-` if none is.
    pub fn to_text(self) -> String {
        let letters = [('c', self.calls), ('p', self.provider), ('m', self.model)];
        let text: String =
            letters.iter().filter(|(_, holds)| *holds).map(|(letter, _)| letter).collect();
        if text.is_empty() { "-".to_owned() } else { text }
    }

    /// Reads what [`LosslessColumns::to_text`] wrote.
    pub fn from_text(text: &str) -> Self {
        let holds = |letter| text.contains(letter);
        Self { calls: holds('c'), provider: holds('p'), model: holds('m') }
    }
}

fn are_short(cells: &RecordBatch) -> bool {
    let fields = cells.schema_ref().fields().iter();
    let decimals = fields.filter_map(|field| match field.data_type() {
        DataType::Decimal128(digits, _) => Some(*digits),
        _ => None,
    });
    decimals.into_iter().all(|digits| digits <= SHORT_DIGITS)
}

/// Whether [`is_plain_name`] is true for all names that are not null.
fn are_plain_names(names: &StringArray) -> bool {
    // Most names are visible ASCII without capitals, which one pass over all bytes shows.
    let simple = |byte: &u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    if names.value_data().iter().fold(true, |all, byte| all & simple(byte)) {
        return names.iter().flatten().all(|name| !name.is_empty() && name != UNKNOWN);
    }
    names.iter().flatten().all(is_plain_name)
}

/// True for a name that `partial.sql` leaves unchanged.
fn is_plain_name(name: &str) -> bool {
    let known = !name.is_empty() && name != UNKNOWN;
    let trimmed = !name.starts_with(char::is_whitespace) && !name.ends_with(char::is_whitespace);
    let lower = if name.is_ascii() {
        !name.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        name.to_lowercase() == name
    };
    known && trimmed && lower
}

fn all_texts(
    rows: &RecordBatch,
    column: &str,
    nulls: bool,
    holds: fn(&StringArray) -> bool,
) -> bool {
    let texts = rows.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
    let Some(texts) = texts.filter(|texts| nulls || texts.null_count() == 0) else { return false };
    holds(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::ArrayRef;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn lossless(
        types: &[&str],
        providers: &[Option<&str>],
        models: &[Option<&str>],
    ) -> LosslessColumns {
        let text = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let rows = RecordBatch::try_from_iter_with_nullable([
            ("event_type", text(types.iter().copied().map(Some).collect()), true),
            ("provider", text(providers.to_vec()), true),
            ("model", text(models.to_vec()), true),
        ]);
        LosslessColumns::of(&[rows.unwrap()], &[])
    }

    #[test]
    fn names_are_plain_as_partials_have_them() {
        let (calls, names) = (["api_call"; 2], [Some("openai"), None]);
        let all = LosslessColumns { calls: true, provider: true, model: true };
        assert_eq!(lossless(&calls, &names, &[Some("größe"), Some("a b")]), all);
        for odd in ["OpenAI", "", "unknown", " x", "x ", "GRÖSSE", "É"] {
            let found = lossless(&calls, &[Some("openai"), Some(odd)], &names);
            assert_eq!(found, LosslessColumns { provider: false, ..all }, "{odd:?}");
        }
        assert_eq!(
            lossless(&["api_call", "other"], &names, &names),
            LosslessColumns { calls: false, ..all }
        );
    }

    proptest! {
        #[test]
        fn all_names_are_judged_as_each_is(
            names in prop::collection::vec(
                prop::option::of("[a-b]{0,3}|[A-Za-z .é]{0,3}|unknown"),
                0..4,
            ),
            from in any::<prop::sample::Index>(),
        ) {
            let from = from.index(names.len() + 1);
            let part = StringArray::from(names.clone()).slice(from, names.len() - from);
            let expected = names[from..].iter().flatten().all(|name| is_plain_name(name));
            prop_assert_eq!(are_plain_names(&part), expected);
        }
    }

    #[test]
    fn a_text_is_read_as_written() {
        for bits in 0..8 {
            let lossless = LosslessColumns {
                calls: bits & 1 > 0,
                provider: bits & 2 > 0,
                model: bits & 4 > 0,
            };
            assert_eq!(LosslessColumns::from_text(&lossless.to_text()), lossless);
        }
    }
}
