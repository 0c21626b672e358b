//! Per-file statistics for the table's log, in the form of the Delta protocol ("Per-file
//! Statistics"): the number of rows, and the bounds and nulls of each column.
//!
//! Bounds are rounded outward: a timestamp's maximum goes up to the next millisecond (the
//! protocol's resolution), a long text's maximum ends with the highest character. Money has no
//! bounds, because readers would parse them as floats.

use std::cmp::Ordering;

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Micros;

/// Texts longer than this are cut in bounds.
const TEXT_CHARS_MAX: usize = 32;
/// `org_id` is never cut: scans are pruned by it.
const WHOLE: &str = "org_id";

/// The statistics as the log holds them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stats {
    /// Rows in the file.
    pub num_records: Option<u64>,
    /// Lower bounds by column.
    pub min_values: Map<String, Value>,
    /// Upper bounds by column.
    pub max_values: Map<String, Value>,
    /// Nulls by column.
    pub null_count: Map<String, Value>,
}

impl Stats {
    /// The statistics of a file that holds just these rows.
    pub fn of(rows: &RecordBatch) -> Self {
        Self::of_encoded(rows, |_| None)
    }

    /// As [`Stats::of`], for rows that are already encoded. `parquet` returns a column's statistics
    /// by name. Their bounds of texts are reused if they are exact.
    pub fn of_encoded<'a>(
        rows: &'a RecordBatch,
        parquet: impl Fn(&str) -> Option<&'a Statistics>,
    ) -> Self {
        let mut stats = Self { num_records: Some(rows.num_rows() as u64), ..Self::default() };
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            let name = field.name();
            stats.null_count.insert(name.clone(), column.null_count().into());
            let (low, high) = match field.data_type() {
                DataType::Utf8 => {
                    let text = column.as_string::<i32>();
                    let chars_max = if name == WHOLE { usize::MAX } else { TEXT_CHARS_MAX };
                    let known = parquet(name).and_then(exact);
                    let bounds = known.or_else(|| bounds(text));
                    (
                        bounds.map(|(low, _)| Value::from(prefix(low, chars_max))),
                        bounds.map(|(_, high)| Value::from(upper(high, chars_max))),
                    )
                }
                DataType::Int64 => {
                    let numbers = column.as_primitive::<Int64Type>();
                    (min(numbers).map(Value::from), max(numbers).map(Value::from))
                }
                DataType::Timestamp(..) => {
                    let times = column.as_primitive::<TimestampMicrosecondType>();
                    (
                        min(times).and_then(|low| millis_text(low.div_euclid(1_000))),
                        max(times).and_then(|high| millis_text(-(-high).div_euclid(1_000))),
                    )
                }
                _ => (None, None),
            };
            low.map(|low| stats.min_values.insert(name.clone(), low));
            high.map(|high| stats.max_values.insert(name.clone(), high));
        }
        stats
    }

    /// Adds the statistics of more rows of the same columns.
    pub fn merge(&mut self, more: Self) {
        let Some(rows) = self.num_records else {
            *self = more;
            return;
        };
        self.num_records = more.num_records.map(|more| rows.saturating_add(more));
        let nulls = |value: &Value| value.as_u64().unwrap_or_default();
        merge_values(&mut self.null_count, more.null_count, |before, more| {
            Some((nulls(before).saturating_add(nulls(more))).into())
        });
        let taken = |more: &Value, wins: bool| wins.then(|| more.clone());
        merge_values(&mut self.min_values, more.min_values, |before, more| {
            taken(more, order(more, before) == Ordering::Less)
        });
        merge_values(&mut self.max_values, more.max_values, |before, more| {
            taken(more, order(more, before) == Ordering::Greater)
        });
    }

    /// Reads the log's text; anything unreadable counts as "unknown", which only costs pruning.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The text for the log.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The inclusive bounds of a text column.
    pub fn text_bounds(&self, column: &str) -> Option<(String, String)> {
        let text = |map: &Map<String, Value>| Some(map.get(column)?.as_str()?.to_owned());
        Some((text(&self.min_values)?, text(&self.max_values)?))
    }

    /// The inclusive bounds of a time column. A foreign writer may have cut the maximum to the
    /// millisecond below, so 999 µs are added.
    pub fn time_bounds(&self, column: &str) -> Option<(Micros, Micros)> {
        let time = |map: &Map<String, Value>| {
            let text = map.get(column)?.as_str()?;
            Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros())
        };
        Some((time(&self.min_values)?, time(&self.max_values)?.saturating_add(999)))
    }
}

/// Adds the columns that only `more` has. For a column in both, `choose` may return a new value.
fn merge_values(
    values: &mut Map<String, Value>,
    more: Map<String, Value>,
    choose: impl Fn(&Value, &Value) -> Option<Value>,
) {
    for (column, more) in more {
        match values.get_mut(&column) {
            Some(before) => {
                if let Some(chosen) = choose(before, &more) {
                    *before = chosen;
                }
            }
            None => drop(values.insert(column, more)),
        }
    }
}

/// Compares two bounds of one column: numbers, texts, or times, whose texts have the same length.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_str().cmp(&b.as_str()),
    }
}

/// The bounds, if Parquet did not cut them.
fn exact(statistics: &Statistics) -> Option<(&str, &str)> {
    let exact = statistics.min_is_exact() && statistics.max_is_exact();
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let low = text(statistics.min_bytes_opt().filter(|_| exact)?)?;
    Some((low, text(statistics.max_bytes_opt()?)?))
}

/// The least and the greatest of the texts. Most of them differ in their first bytes.
fn bounds(texts: &StringArray) -> Option<(&str, &str)> {
    let mut texts = texts.iter().flatten();
    let first = texts.next()?;
    let (mut low, mut high) = ((head(first), first), (head(first), first));
    for text in texts {
        let head = head(text);
        if head < low.0 || head == low.0 && text < low.1 {
            low = (head, text);
        } else if head > high.0 || head == high.0 && text > high.1 {
            high = (head, text);
        }
    }
    Some((low.1, high.1))
}

/// The first eight bytes as a number, which sorts as the texts do.
fn head(text: &str) -> u64 {
    let bytes = text.as_bytes();
    if let Some(eight) = bytes.first_chunk::<8>() {
        return u64::from_be_bytes(*eight);
    }
    bytes.iter().fold(0, |head, byte| head << 8 | u64::from(*byte)) << (64 - 8 * bytes.len().max(1))
}

fn prefix(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

fn upper(text: &str, chars_max: usize) -> String {
    let cut = prefix(text, chars_max);
    if cut.len() == text.len() { text.to_owned() } else { format!("{cut}\u{10FFFF}") }
}

fn millis_text(millis: i64) -> Option<Value> {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(millis)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, TimestampMicrosecondArray};
    use parquet::data_type::ByteArray;
    use parquet::file::statistics::ValueStatistics;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn stats_of(org: &str, model: &str, ts: i64) -> Stats {
        let column = |array: ArrayRef| array;
        let rows = RecordBatch::try_from_iter([
            ("org_id", column(Arc::new(StringArray::from(vec![org])))),
            ("model", column(Arc::new(StringArray::from(vec![model])))),
            (
                "ts",
                column(Arc::new(TimestampMicrosecondArray::from(vec![ts]).with_timezone("UTC"))),
            ),
        ])
        .unwrap();
        Stats::parse(&Stats::of(&rows).to_text())
    }

    proptest! {
        #[test]
        fn bounds_hold_what_they_bound(
            org in "[a-z]{1,128}", model in "\\PC{1,80}", ts in 1_420_070_400_000_000i64..4_000_000_000_000_000,
        ) {
            let stats = stats_of(&org, &model, ts);
            let (low, high) = stats.time_bounds("ts").unwrap();
            prop_assert!(low <= ts && ts <= high);
            let (low, high) = stats.text_bounds("model").unwrap();
            prop_assert!(low <= model && model <= high);
            prop_assert_eq!(stats.text_bounds("org_id").unwrap(), (org.clone(), org));
        }
    }

    proptest! {
        #[test]
        fn bounds_are_the_least_and_the_greatest(texts in prop::collection::vec("[ab\u{0}é]{0,10}", 0..20)) {
            let found = StringArray::from(texts.clone());
            let expected = texts.iter().min().zip(texts.iter().max());
            prop_assert_eq!(bounds(&found), expected.map(|(low, high)| (low.as_str(), high.as_str())));
        }
    }

    proptest! {
        #[test]
        fn statistics_of_pieces_are_those_of_the_whole(
            rows in prop::collection::vec(("[a-c]{1,3}", prop::option::of("\\PC{0,40}"), any::<i32>(), 1_420_070_400_000_000i64..4_000_000_000_000_000), 1..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let orgs = StringArray::from_iter_values(rows.iter().map(|row| &row.0));
            let models: StringArray = rows.iter().map(|row| row.1.clone()).collect();
            let tokens: arrow::array::Int64Array = rows.iter().map(|row| i64::from(row.2)).collect();
            let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.3));
            let whole = RecordBatch::try_from_iter_with_nullable([
                ("org_id", Arc::new(orgs) as ArrayRef, false),
                ("model", Arc::new(models), true),
                ("input_tokens", Arc::new(tokens), false),
                ("ts", Arc::new(times.with_timezone("UTC")), false),
            ]).unwrap();
            let cut = cut.index(rows.len());
            let mut merged = Stats::default();
            for piece in [whole.slice(0, cut), whole.slice(cut, rows.len() - cut)] {
                if piece.num_rows() > 0 {
                    merged.merge(Stats::of(&piece));
                }
            }
            prop_assert_eq!(merged.to_text(), Stats::of(&whole).to_text());
        }
    }

    #[test]
    fn only_bounds_that_were_not_cut_are_taken_over() {
        let rows = RecordBatch::try_from_iter([(
            "model",
            Arc::new(StringArray::from(vec!["b", "a", "c"])) as ArrayRef,
        )]);
        let rows = rows.unwrap();
        let bound = |text: &str| Some(ByteArray::from(text));
        let known = ValueStatistics::new(bound("A"), bound("Z"), None, None, false);
        let cut = known.clone().with_max_is_exact(false);
        for (known, expected) in [(known, ["A", "Z"]), (cut, ["a", "c"])] {
            let known = Statistics::ByteArray(known);
            let stats = Stats::of_encoded(&rows, |name| (name == "model").then_some(&known));
            assert_eq!(stats.text_bounds("model"), Some(expected.map(str::to_owned).into()));
        }
    }

    #[test]
    fn a_maximum_is_never_cut_down() {
        let stats = stats_of("a", "m", 1_700_000_000_999_999);
        assert_eq!(stats.max_values["ts"], "2023-11-14T22:13:21.000Z");
        assert_eq!(stats.min_values["ts"], "2023-11-14T22:13:20.999Z");
    }
}
