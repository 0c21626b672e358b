//! Events that get attributes besides those that they were sent with.

use std::sync::Arc;

use arrow::array::{AsArray as _, MapArray, RecordBatch};
use arrow::error::ArrowError;

use super::attributes::Attributes;
use super::columns::AttributeColumn;
use super::correction::COST_CORRECTION;
use super::needed::WAS_UNPRICED;
use super::renamed::entries;
use super::{Dimensions, EventBatch, EventError, schema};

const ATTRIBUTES: &str = "attributes";

impl EventBatch {
    /// The same events, each with the attributes that `of_row` gives it, before all that it has: what has
    /// the same key, or no room then, is dropped, last what `dimensions` are of. Gives how many were.
    ///
    /// # Errors
    /// Internal only.
    pub fn marked<'a>(
        &'a self,
        of_row: impl Fn(usize) -> Vec<(&'a str, &'a str)>,
        dimensions: &Dimensions,
    ) -> Result<(Self, u64), EventError> {
        self.with_attributes(|row, stored| {
            let (first, own) = (of_row(row), entries(stored, row));
            match first.is_empty() {
                true => Attributes::stored(own),
                false => Attributes::with(&first, own, |key| dimensions.are_of(key)),
            }
        })
    }

    /// The same events, without what only this program says of its own corrections. Gives how many
    /// attributes were dropped.
    ///
    /// # Errors
    /// Internal only.
    pub fn without_own_marks(&self) -> Result<(Self, u64), EventError> {
        let types = self.record_batch().column_by_name("event_type").cloned();
        let types = types.as_ref().and_then(|types| types.as_string_opt::<i32>());
        let is_correction = |row| types.is_some_and(|types| types.value(row) == COST_CORRECTION);
        self.with_attributes(|row, stored| {
            let mut kept = Attributes::stored(entries(stored, row));
            if is_correction(row) {
                let sent = kept.entries.len();
                kept.entries.retain(|(key, _)| key != WAS_UNPRICED);
                kept.dropped = u64::try_from(sent - kept.entries.len()).unwrap_or(u64::MAX);
            }
            kept
        })
    }

    fn with_attributes<'a>(
        &'a self,
        of_row: impl Fn(usize, &'a MapArray) -> Attributes<'a>,
    ) -> Result<(Self, u64), EventError> {
        let (rows, mut dropped) = (self.record_batch(), 0);
        let lacks = || ArrowError::SchemaError("no attributes".to_owned());
        let stored = rows.column_by_name(ATTRIBUTES).ok_or_else(lacks)?.as_map();
        let mut kept = AttributeColumn::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let attributes = of_row(row, stored);
            dropped += attributes.dropped;
            kept.append(&attributes);
        }
        let mut columns = rows.columns().to_vec();
        let place = schema().index_of(ATTRIBUTES)?;
        *columns.get_mut(place).ok_or_else(lacks)? = Arc::new(kept.finish()?);
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
        let (marked, dropped) = batch
            .marked(
                |row| if row == 2 { Vec::new() } else { vec![("team", "core")] },
                &Dimensions::default(),
            )
            .unwrap();
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
