//! The columns of an input → the fields of an event: names, defaults, ids.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::event::{FieldValue, OrgRule, Slots, excerpt};

/// The fields that tokenlake knows; all else is an attribute.
const FIELDS: [&str; 14] = [
    "event_id",
    "org_id",
    "event_type",
    "ts",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "source",
    "attributes",
];
/// What comes before the name of an attribute.
const ATTRIBUTE: &str = "attributes.";
/// Bytes of the hash in a derived id: more than enough to tell all events of the world apart.
const ID_BYTES: usize = 16;

/// The named values of one row.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, FieldValue<'a>)>;

/// A field with the column that it is taken from, or with the value that it has by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPair {
    field: String,
    other: String,
}

/// How columns become fields.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) maps: Vec<FieldPair>,
    pub(super) defaults: Vec<FieldPair>,
    pub(super) org_rule: OrgRule,
}

/// Where a row stands, and what it says: what its derived id depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) identity: &'a str,
    pub(super) index: u64,
}

impl std::fmt::Display for FieldPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.field, self.other)
    }
}

impl FieldPair {
    /// Reads `field=…`, where the field is a column of events or `attributes.NAME`.
    ///
    /// # Errors
    /// What to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (field, other) = text.split_once('=').ok_or("write field=…, like model=deployment")?;
        let (name, attribute) = match field.strip_prefix(ATTRIBUTE) {
            Some(name) => (name, true),
            None => (field, false),
        };
        if FIELDS.contains(&name) == attribute || name.is_empty() {
            return Err(format!("the fields are {} and attributes.NAME", FIELDS.join(", ")));
        }
        if other.is_empty() {
            return Err("nothing stands after the =".to_owned());
        }
        Ok(Self { field: name.to_owned(), other: other.to_owned() })
    }

    /// As [`FieldPair::parse`], for a default.
    ///
    /// # Errors
    /// An id cannot be the same for all.
    pub fn parse_default(text: &str) -> Result<Self, String> {
        let pair = Self::parse(text)?;
        match pair.field.as_str() {
            "event_id" => Err("events with the same event_id count once".to_owned()),
            "attributes" => Err("write attributes.NAME=value".to_owned()),
            _ => Ok(pair),
        }
    }

    /// The field's name.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl Shape {
    /// The columns that an input with a header must have.
    pub(super) fn columns(&self) -> Vec<String> {
        let has_default = |field: &str| self.defaults.iter().any(|pair| pair.field == field);
        let needed = self.maps.iter().filter(|pair| !has_default(&pair.field));
        needed.map(|pair| pair.other.clone()).collect()
    }

    /// The fields of a row by the values of its columns.
    pub(super) fn fields<'r>(
        &'r self,
        columns: Fields<'r>,
        origin: Origin<'_>,
        row: &[&[u8]],
    ) -> Result<Fields<'r>, String> {
        let mut fields = Vec::with_capacity(columns.len() + self.defaults.len() + 1);
        for (name, value) in columns.into_iter().filter(|(_, value)| *value != FieldValue::Null) {
            self.put(&mut fields, name, value);
        }
        for FieldPair { field, other } in &self.defaults {
            if find(&fields, field).is_none() {
                let value = FieldValue::Text(Cow::Borrowed(other.as_str()));
                fields.push((Cow::Borrowed(field.as_str()), value));
            }
        }
        self.check_org(&fields)?;
        let mapped = self.maps.iter().any(|pair| pair.field == "event_id");
        if !mapped && find(&fields, "event_id").is_none() {
            let id = FieldValue::Text(Cow::Owned(derived_id(origin, row)));
            fields.push((Cow::Borrowed("event_id"), id));
        }
        Ok(fields)
    }

    /// As [`Shape::fields`], of a row that was read in its plain form; false if it takes more than
    /// this.
    pub(super) fn complete<'r>(
        &'r self,
        slots: &mut Slots<'r>,
        origin: Origin<'_>,
        row: &[u8],
    ) -> bool {
        if !self.maps.is_empty() {
            return false;
        }
        for FieldPair { field, other } in &self.defaults {
            slots.set_default(field, other);
        }
        let foreign = match (&self.org_rule, slots.text("org_id")) {
            (OrgRule::Only(org), Some(sent)) => sent != org.as_str(),
            _ => false,
        };
        if foreign {
            return false;
        }
        if slots.is_null("event_id") {
            let id = FieldValue::Text(Cow::Owned(derived_id(origin, &[row])));
            slots.set_made("event_id", id);
        }
        true
    }

    /// Adds a column's value as the fields that are taken from it. Where a field is taken from
    /// another column, the one of its own name is left out.
    fn put<'r>(&'r self, fields: &mut Fields<'r>, name: Cow<'r, str>, value: FieldValue<'r>) {
        let mut taken = false;
        for FieldPair { field, other } in &self.maps {
            if *other == name {
                taken = true;
                fields.push((Cow::Borrowed(field.as_str()), value.clone()));
            }
        }
        if !taken && !self.maps.iter().any(|pair| pair.field == name) {
            fields.push((name, value));
        }
    }

    fn check_org(&self, fields: &Fields<'_>) -> Result<(), String> {
        match (&self.org_rule, find(fields, "org_id")) {
            (OrgRule::Only(org), Some(FieldValue::Text(sent) | FieldValue::Number(sent)))
                if !sent.is_empty() && sent != org.as_str() =>
            {
                Err(format!("org_id: {} is not {org}, which --org names", excerpt(sent)))
            }
            _ => Ok(()),
        }
    }
}

fn find<'f, 'r>(fields: &'f Fields<'r>, field: &str) -> Option<&'f FieldValue<'r>> {
    fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
}

/// The id of a row that has none: SHA-256 of its input's name, its place there and its bytes, cut
/// to 128 bits. The same row in the same place has the same id in each run.
fn derived_id(origin: Origin<'_>, row: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(origin.identity.as_bytes());
    part(&origin.index.to_le_bytes());
    row.iter().for_each(|bytes| part(bytes));
    let digits = hash.finalize();
    let digits = digits.iter().take(ID_BYTES).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OrgId;

    fn shape(maps: &[&str], defaults: &[&str]) -> Shape {
        let maps = maps.iter().map(|text| FieldPair::parse(text).unwrap()).collect();
        let defaults =
            defaults.iter().map(|text| FieldPair::parse_default(text).unwrap()).collect();
        Shape { maps, defaults, org_rule: OrgRule::Only(OrgId::parse("acme").unwrap()) }
    }

    fn text(name: &'static str, value: &'static str) -> (Cow<'static, str>, FieldValue<'static>) {
        (name.into(), FieldValue::Text(value.into()))
    }

    const ORIGIN: Origin<'_> = Origin { identity: "a.csv", index: 7 };

    #[test]
    fn columns_are_renamed_and_defaults_fill_what_is_absent() {
        let shape =
            shape(&["model=deployment", "attributes.team=dept"], &["provider=azure", "model=x"]);
        let columns = vec![
            text("event_id", "1"),
            text("deployment", "gpt-4"),
            text("model", "left out"),
            ("provider".into(), FieldValue::Null),
            text("dept", "ops"),
            text("note", "n"),
        ];
        let fields = shape.fields(columns, ORIGIN, &[]).unwrap();
        let expected = vec![
            text("event_id", "1"),
            text("model", "gpt-4"),
            text("team", "ops"),
            text("note", "n"),
            text("provider", "azure"),
        ];
        assert_eq!(fields, expected);
        assert_eq!(shape.columns(), ["dept"]);
    }

    #[test]
    fn derived_ids_depend_on_name_place_and_row() {
        let id = |identity, index, row: &[&[u8]]| derived_id(Origin { identity, index }, row);
        let one = id("a.csv", 7, &[b"x", b"y"]);
        assert_eq!(one, "f2b5073318ae99e918d3717cb689824e");
        for other in [
            id("b.csv", 7, &[b"x", b"y"]),
            id("a.csv", 8, &[b"x", b"y"]),
            id("a.csv", 7, &[b"xy"]),
            id("a.csv", 7, &[b"xy", b""]),
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn an_id_is_derived_where_none_is_mapped() {
        let id = |maps: &[&str], columns| {
            let shape = shape(maps, &[]);
            let fields = shape.fields(columns, ORIGIN, &[b"x"]).unwrap();
            find(&fields, "event_id").is_some()
        };
        assert!(id(&[], vec![]));
        assert!(!id(&["event_id=call"], vec![]));
        assert!(id(&["event_id=call"], vec![text("call", "1")]));
    }

    #[test]
    fn another_org_is_refused_and_an_empty_one_is_absent() {
        let shape = shape(&[], &[]);
        let number = ("org_id".into(), FieldValue::Number("7".into()));
        for other in [text("org_id", "other"), number] {
            let error = shape.fields(vec![other], ORIGIN, &[]).unwrap_err();
            assert!(error.contains("--org"), "{error}");
        }
        for own in ["acme", ""] {
            assert!(shape.fields(vec![text("org_id", own)], ORIGIN, &[]).is_ok(), "{own}");
        }
    }

    #[test]
    fn pairs_name_fields() {
        for wrong in
            ["model", "=x", "model=", "input_token=x", "attributes.model=x", "attributes.=x"]
        {
            assert!(FieldPair::parse(wrong).is_err(), "{wrong}");
        }
        assert!(FieldPair::parse_default("event_id=1").is_err());
        assert_eq!(FieldPair::parse("attributes.k=a=b").unwrap().other, "a=b");
    }
}
