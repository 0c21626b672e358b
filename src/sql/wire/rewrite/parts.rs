//! Names in a parsed query.

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

pub(super) fn part(name: &ObjectName, place: usize) -> Option<&Ident> {
    name.0.get(place).and_then(ObjectNamePart::as_ident)
}

pub(super) fn lower(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// The name of a table that is said to be of a catalog, by its schema or by how it begins.
pub(super) fn catalog_name(name: &ObjectName) -> Option<String> {
    let last = lower(name.0.last()?.as_ident()?);
    let schema = name.0.len().checked_sub(2).and_then(|place| part(name, place)).map(lower);
    match schema.as_deref() {
        Some("pg_catalog" | "information_schema") => Some(last),
        None if last.starts_with("pg_") => Some(last),
        _ => None,
    }
}
