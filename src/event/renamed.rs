//! Renaming of events that are stored under another model, or provider too, than was sent. The
//! names that were sent are kept in the attributes.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, MapArray, RecordBatch, StringBuilder};
use arrow::error::ArrowError;

use super::attributes::Attributes;
use super::columns::AttributeColumn;
use super::{Dimensions, EventBatch, EventError, schema};

/// The attributes that keep a replaced model or provider.
const MODEL: &str = "model";
const PROVIDER: &str = "provider";

/// The columns of an event that get another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renaming {
    /// Its model.
    Model,
    /// Its provider and its model.
    ProviderAndModel,
}

impl EventBatch {
    /// The same events, with `name` as the model, or as provider and model, of those `chosen`. The
    /// names that were sent become attributes in front of the others, unless `dimensions` are of these
    /// attributes; attributes that no longer fit are dropped. Returns the number dropped.
    ///
    /// # Errors
    /// Internal only.
    pub fn renamed(
        &self,
        chosen: &[Option<Renaming>],
        name: &str,
        dimensions: &Dimensions,
    ) -> Result<(Self, u64), EventError> {
        let (rows, mut dropped) = (self.record_batch(), 0);
        let [providers, models] = [column(rows, PROVIDER)?, column(rows, MODEL)?];
        let attributes = column(rows, "attributes")?.as_map();
        let mut kept = AttributeColumn::with_capacity(rows.num_rows());
        // No column can overflow: the other columns of an event take more of a batch's text limit
        // than the new keys and names do.
        let own = providers.as_string::<i32>().iter().zip(models.as_string::<i32>());
        for ((row, (provider, model)), chosen) in own.enumerate().zip(chosen) {
            let entries = entries(attributes, row);
            let provider = provider.filter(|_| *chosen == Some(Renaming::ProviderAndModel));
            let model = model.filter(|_| chosen.is_some());
            let own = [(PROVIDER, provider), (MODEL, model)];
            let own = own.into_iter().filter(|(key, _)| !dimensions.are_of(key));
            let own: Vec<_> = own.filter_map(|(key, own)| Some((key, own?))).collect();
            let attributes = match chosen {
                None => Attributes::stored(entries),
                Some(_) => Attributes::with(&own, entries, |key| dimensions.are_of(key)),
            };
            dropped += attributes.dropped;
            kept.append(&attributes);
        }
        let is_of_provider = |renaming| renaming == Renaming::ProviderAndModel;
        let providers = under(providers, chosen, is_of_provider, name);
        let models = under(models, chosen, |_| true, name);
        let mut columns = rows.columns().to_vec();
        replace(&mut columns, PROVIDER, providers)?;
        replace(&mut columns, MODEL, models)?;
        replace(&mut columns, "attributes", Arc::new(kept.finish()?))?;
        let rows = RecordBatch::try_new(schema(), columns)?;
        Ok((Self::new(rows, self.indices().to_vec()), dropped))
    }
}

/// A column with `name` in the rows whose renaming `is_meant`; nulls stay null.
fn under(
    column: &ArrayRef,
    chosen: &[Option<Renaming>],
    is_meant: impl Fn(Renaming) -> bool,
    name: &str,
) -> ArrayRef {
    let column = column.as_string::<i32>();
    let mut renamed = StringBuilder::with_capacity(column.len(), column.value_data().len());
    for (own, chosen) in column.iter().zip(chosen) {
        let is_meant = chosen.is_some_and(&is_meant);
        renamed.append_option(own.map(|own| if is_meant { name } else { own }));
    }
    Arc::new(renamed.finish())
}

pub(super) fn entries(
    attributes: &MapArray,
    row: usize,
) -> impl Iterator<Item = (&str, Cow<'_, str>)> + use<'_> {
    attribute_texts(attributes, row).map(|(key, value)| (key, Cow::Borrowed(value)))
}

/// The keys and values of a row's attributes, in order.
pub fn attribute_texts(
    attributes: &MapArray,
    row: usize,
) -> impl Iterator<Item = (&str, &str)> + use<'_> {
    let (keys, values) = (attributes.keys().as_string::<i32>(), attributes.values());
    let values = values.as_string::<i32>();
    let offsets = attributes.value_offsets();
    let at = |row| offsets.get(row).and_then(|offset| usize::try_from(*offset).ok());
    let range = at(row).unwrap_or_default()..at(row + 1).unwrap_or_default();
    range.map(|entry| (keys.value(entry), values.value(entry)))
}

fn column<'a>(rows: &'a RecordBatch, name: &'static str) -> Result<&'a ArrayRef, ArrowError> {
    rows.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
}

fn replace(columns: &mut [ArrayRef], name: &str, with: ArrayRef) -> Result<(), ArrowError> {
    if let Some(column) = columns.get_mut(schema().index_of(name)?) {
        *column = with;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{ATTRIBUTE_BYTES_MAX, EventBatchBuilder, FieldValue, OrgId, OrgRule};
    use super::*;
    use arrow::json::ArrayWriter;

    type Entries<'a> = Vec<(Cow<'a, str>, FieldValue<'a>)>;

    fn text(value: &str) -> FieldValue<'_> {
        FieldValue::Text(value.into())
    }

    fn batch(events: &[(&str, Entries<'_>)]) -> EventBatch {
        let now = 1_770_000_000_000_000;
        let rule = OrgRule::Only(OrgId::parse("acme").unwrap());
        let mut builder = EventBatchBuilder::new(rule, now);
        for (index, (model, attributes)) in events.iter().enumerate() {
            let id = index.to_string();
            builder.push(
                index,
                &[
                    ("event_id".into(), text(&id)),
                    ("ts".into(), FieldValue::Number("1770000000".into())),
                    ("provider".into(), text("openai")),
                    ("model".into(), text(model)),
                    ("attributes".into(), FieldValue::Map(attributes.clone())),
                ],
            );
        }
        let decoded = builder.finish().unwrap();
        assert_eq!(decoded.rejections, []);
        decoded.batch
    }

    #[test]
    fn a_provider_goes_with_its_model() {
        let rows =
            batch(&[("a", vec![("provider".into(), text("x"))]), ("b", vec![]), ("", vec![])]);
        let chosen = [Some(Renaming::ProviderAndModel), None, Some(Renaming::ProviderAndModel)];
        let (rows, dropped) = rows.renamed(&chosen, "other", &Dimensions::default()).unwrap();
        assert_eq!(
            shown_columns(&rows, &["provider", "model", "attributes"]),
            r#"[{"provider":"other","model":"other","attributes":{"provider":"openai","model":"a"}},"#
                .to_owned()
                + r#"{"provider":"openai","model":"b"},"#
                + r#"{"provider":"other","attributes":{"provider":"openai"}}]"#
        );
        assert_eq!(dropped, 1);
    }

    fn shown(batch: &EventBatch) -> String {
        shown_columns(batch, &["model", "attributes"])
    }

    fn shown_columns(batch: &EventBatch, names: &[&str]) -> String {
        let rows = batch.record_batch();
        let columns: Vec<_> =
            names.iter().map(|name| rows.schema().index_of(name).unwrap()).collect();
        let mut writer = ArrayWriter::new(Vec::new());
        writer.write(&rows.project(&columns).unwrap()).unwrap();
        writer.finish().unwrap();
        String::from_utf8(writer.into_inner()).unwrap()
    }

    #[test]
    fn a_model_goes_into_the_attributes_and_others_stay_as_they_are() {
        let rows = batch(&[
            ("a", vec![("x".into(), text("1"))]),
            ("b", vec![("x".into(), text("2")), ("y".into(), text("3"))]),
            ("c", vec![]),
            ("d", vec![("model".into(), text("other's")), ("x".into(), text("4"))]),
            ("", vec![]),
        ]);
        let all = Some(Renaming::Model);
        let (rows, dropped) =
            rows.renamed(&[None, all, all, all, all], "other", &Dimensions::default()).unwrap();
        assert_eq!(
            shown(&rows),
            r#"[{"model":"a","attributes":{"x":"1"}},"#.to_owned()
                + r#"{"model":"other","attributes":{"model":"b","x":"2","y":"3"}},"#
                + r#"{"model":"other","attributes":{"model":"c"}},"#
                + r#"{"model":"other","attributes":{"model":"d","x":"4"}},{}]"#
        );
        assert_eq!((dropped, rows.indices()), (1, &[0, 1, 2, 3, 4][..]));
    }

    #[test]
    fn where_attributes_are_full_the_last_make_room() {
        let many = |count: usize| (0..count).map(|n| (format!("k{n}").into(), text("v"))).collect();
        let big = "x".repeat(ATTRIBUTE_BYTES_MAX - 1);
        let rows =
            batch(&[("a", many(64)), ("b", many(63)), ("c", vec![("k".into(), text(&big))])]);
        let (rows, dropped) =
            rows.renamed(&[Some(Renaming::Model); 3], "other", &Dimensions::default()).unwrap();
        let column = column(rows.record_batch(), "attributes").unwrap().as_map();
        let kept = |row| entries(column, row).map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
        assert_eq!((kept(0).len(), kept(1).len(), kept(2)), (64, 64, vec!["model".to_owned()]));
        assert_eq!((kept(0)[1].as_str(), kept(0)[63].as_str()), ("k0", "k62"));
        assert_eq!(dropped, 2);
    }
}
