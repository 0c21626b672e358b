//! The mapping from the columns of an input to the fields of events: names, defaults, folders, ids.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use super::pair::{FieldPair, is_field};
use super::place::{Has, owned, value_at};
use crate::event::json_text;
use crate::event::time::{self, Naive};
use crate::event::{FieldValue, OrgRule, Slots, excerpt, money, token_count};

/// Bytes of the hash in a derived id: more than enough to keep any number of events distinct.
const ID_BYTES: usize = 16;

/// The named values of one row.
pub(super) type RowFields<'a> = Vec<(Cow<'a, str>, FieldValue<'a>)>;

/// The rules by which columns become fields.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) maps: Vec<FieldPair>,
    pub(super) defaults: Vec<FieldPair>,
    pub(super) org_rule: OrgRule,
    /// For each of `maps`, whether an input has its column.
    seen: Vec<AtomicBool>,
}

/// The place of a row, on which its derived id depends.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowOrigin<'a> {
    pub(super) identity: &'a str,
    pub(super) index: u64,
    /// The row's own text, if it is JSON.
    pub(super) json: Option<&'a str>,
}

impl Shape {
    pub(super) fn new(maps: Vec<FieldPair>, defaults: Vec<FieldPair>, org_rule: OrgRule) -> Self {
        let seen = maps.iter().map(|_| AtomicBool::new(false)).collect();
        Self { maps, defaults, org_rule, seen }
    }

    /// Looks for the mapped columns among those of an input, before its rows are read. Returns the
    /// first that this input lacks and that has no default.
    pub(super) fn look(&self, has: impl Fn(&str) -> Has) -> Option<&FieldPair> {
        let mut missing = None;
        for (pair, seen) in self.maps.iter().zip(&self.seen) {
            let has_default = self.defaults.iter().any(|default| default.field == pair.field);
            match has(&pair.other) {
                Has::Yes => seen.store(true, Ordering::Relaxed),
                Has::No if !has_default => missing = missing.or(Some(pair)),
                Has::No | Has::Maybe => {}
            }
        }
        missing
    }

    /// A mapped column that no input has had so far.
    pub(super) fn missing(&self) -> Option<&FieldPair> {
        let mut pairs = self.maps.iter().zip(&self.seen);
        pairs.find(|(_, seen)| !seen.load(Ordering::Relaxed)).map(|(pair, _)| pair)
    }

    /// Whether a column is a field or is mapped to one.
    pub(super) fn is_field(&self, column: &str) -> bool {
        let below = |place: &str| place.strip_prefix(column).is_some_and(|it| it.starts_with('.'));
        column != "attributes" && is_field(column)
            || self.maps.iter().any(|pair| pair.other == column || below(&pair.other))
    }

    /// The fields of a row, from the values of its columns and the names of its folders.
    pub(super) fn fields<'r>(
        &'r self,
        columns: RowFields<'r>,
        folders: &'r [(String, Option<String>)],
        origin: RowOrigin<'_>,
        row: &[&[u8]],
    ) -> Result<RowFields<'r>, String> {
        let columns = with_folders(columns, folders)?;
        let mut fields = Vec::with_capacity(columns.len() + self.defaults.len() + 1);
        for (pair, seen) in self.maps.iter().zip(&self.seen) {
            let Some(value) = value_at(&columns, origin.json, &pair.other)? else { continue };
            if !seen.load(Ordering::Relaxed) {
                seen.store(true, Ordering::Relaxed);
            }
            if value != FieldValue::Null {
                fields.push((Cow::Borrowed(pair.field.as_str()), value));
            }
        }
        // If a field is taken from another column, the column of its own name is left out.
        let is_taken = |name: &str| self.maps.iter().any(|it| it.other == name || it.field == name);
        let others = columns.into_iter().filter(|(_, value)| *value != FieldValue::Null);
        fields.extend(others.filter(|(name, _)| self.maps.is_empty() || !is_taken(name)));
        self.leave_out_taken(&mut fields);
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

    /// Leaves out the entries of `attributes` that are taken from other columns, as columns of their
    /// own names are: an event's own attributes come first, and would stand.
    fn leave_out_taken(&self, fields: &mut RowFields<'_>) {
        let taken = || self.maps.iter().filter(|pair| !is_field(&pair.field));
        if taken().next().is_none() {
            return;
        }
        for (_, value) in fields.iter_mut().filter(|(name, _)| name == "attributes") {
            let read = match &*value {
                FieldValue::Text(text) | FieldValue::Json(text) => json_text::entries(text.trim()),
                _ => Ok(Vec::new()),
            };
            let read = read.ok().filter(|entries| !entries.is_empty());
            if let Some(read) = read.map(|entries| owned(FieldValue::Map(entries))) {
                *value = read;
            }
            if let FieldValue::Map(entries) = value {
                entries.retain(|(name, _)| !taken().any(|pair| pair.field == *name));
            }
        }
    }

    /// As [`Shape::fields`], for a row that was read in its plain form; false if the row needs more
    /// than this.
    pub(super) fn complete<'r>(
        &'r self,
        slots: &mut Slots<'r>,
        origin: RowOrigin<'_>,
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

    fn check_org(&self, fields: &RowFields<'_>) -> Result<(), String> {
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

fn find<'f, 'r>(fields: &'f RowFields<'r>, field: &str) -> Option<&'f FieldValue<'r>> {
    fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
}

/// Adds the fields in the names of a row's folders. If the row has another value for a field of
/// events, one of the two is wrong; for an attribute, the folder's value counts.
fn with_folders<'r>(
    mut columns: RowFields<'r>,
    folders: &'r [(String, Option<String>)],
) -> Result<RowFields<'r>, String> {
    for (name, value) in folders {
        let own = find(&columns, name).filter(|own| **own != FieldValue::Null);
        if let Some(own) = own.filter(|_| is_field(name)) {
            if !value.as_ref().is_some_and(|value| is_same(name, own, value)) {
                let value = value.as_deref().unwrap_or("null");
                return Err(format!(
                    "{name}: its folder says {}, but the row has another value",
                    excerpt(value)
                ));
            }
            continue;
        }
        columns.retain(|(known, _)| known != name);
        let value = value.as_deref();
        let value = value.map_or(FieldValue::Null, |value| FieldValue::Text(Cow::Borrowed(value)));
        columns.push((Cow::Borrowed(name.as_str()), value));
    }
    Ok(columns)
}

/// True if a row's value for a field is that of its folder, however each of them is written.
fn is_same(field: &str, own: &FieldValue<'_>, folder: &str) -> bool {
    let (FieldValue::Text(text) | FieldValue::Number(text)) = own else { return false };
    if text == folder {
        return true;
    }
    match field {
        "cost_usd" => {
            let [own, folder] = [text, folder].map(|text| money::parse_signed(text).ok());
            own.is_some() && own == folder
        }
        "ts" => {
            let own = match own {
                FieldValue::Number(number) => time::from_number(number),
                _ => time::read(text, Naive::Utc),
            };
            own.is_ok_and(|own| time::read(folder, Naive::Utc).is_ok_and(|folder| own == folder))
        }
        _ if field.ends_with("_tokens") => {
            let [own, folder] = [text, folder].map(token_count);
            own.is_some() && own == folder
        }
        _ => false,
    }
}

/// The id of a row that has none: SHA-256 of its input's name, its place there and its bytes, cut
/// to 128 bits. The same row in the same place gets the same id in each run.
fn derived_id(origin: RowOrigin<'_>, row: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(origin.identity.as_bytes());
    part(&origin.index.to_le_bytes());
    row.iter().for_each(|bytes| part(bytes));
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(2 * ID_BYTES);
    digits
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
