//! Events that get attributes besides those that they were sent with.

use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::error::ArrowError;

use super::attributes::Attributes;
use super::columns::AttributeColumn;
use super::renamed::entries;
use super::{EventBatch, EventError, schema};

const ATTRIBUTES: &str = "attributes";

impl EventBatch {
    /// The same events, each with the attributes that `of_row` gives it, before all that it has: what has
    /// the same key, or no room then, is dropped. Gives how many attributes were.
    ///
    /// # Errors
    /// Internal only.
    pub fn marked<'a>(
        &'a self,
        of_row: impl Fn(usize) -> Vec<(&'a str, &'a str)>,
    ) -> Result<(Self, u64), EventError> {
        let (rows, mut dropped) = (self.record_batch(), 0);
        let place = schema().index_of(ATTRIBUTES)?;
        let mut columns = rows.columns().to_vec();
        let column = columns.get_mut(place);
        let column = column.ok_or_else(|| ArrowError::SchemaError("no attributes".to_owned()))?;
        let stored = column.clone();
        let stored = stored.as_map();
        let mut kept = AttributeColumn::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let first = of_row(row);
            let own = entries(stored, row);
            let attributes = match first.is_empty() {
                true => Attributes::stored(own),
                false => Attributes::with(first.into_iter(), own),
            };
            dropped += attributes.dropped;
            kept.append(&attributes);
        }
        *column = Arc::new(kept.finish()?);
        let rows = RecordBatch::try_new(schema(), columns)?;
        Ok((Self::new(rows, self.indices().to_vec()), dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EventBatchBuilder, FieldValue, OrgId, OrgRule, attribute_of};
    use super::*;

    #[test]
    fn a_mark_takes_the_place_of_what_was_sent_and_is_kept_where_there_is_no_room() {
        let now = 1_770_000_000_000_000;
        let mut builder = EventBatchBuilder::new(OrgRule::Only(OrgId::parse("a").unwrap()), now);
        let text = |value: &'static str| FieldValue::Text(value.into());
        let many = (0..64).map(|n| (format!("k{n}").into(), text("v"))).collect();
        let sent = [vec![("team".into(), text("x")), ("b".into(), text("1"))], many, vec![]];
        for (index, attributes) in sent.into_iter().enumerate() {
            let id = index.to_string();
            builder.push(
                index,
                &[
                    ("event_id".into(), FieldValue::Text(id.into())),
                    ("ts".into(), FieldValue::Number("1770000000".into())),
                    ("attributes".into(), FieldValue::Map(attributes)),
                ],
            );
        }
        let batch = builder.finish().unwrap().batch;
        let (marked, dropped) =
            batch.marked(|row| if row == 2 { Vec::new() } else { vec![("team", "core")] }).unwrap();
        let column = marked.record_batch().column_by_name(ATTRIBUTES).unwrap().as_map();
        let team = |row| attribute_of(column, row, "team");
        assert_eq!([team(0), team(1), team(2)], [Some("core"), Some("core"), None]);
        assert_eq!(
            (attribute_of(column, 0, "b"), attribute_of(column, 1, "k63")),
            (Some("1"), None)
        );
        assert_eq!(dropped, 2);
    }
}
