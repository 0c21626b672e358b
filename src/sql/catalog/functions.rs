//! Functions of the catalogs that look something up: the name of a type, of a table and of a schema, the
//! number of a table, and the value of a setting.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::definitions::is_catalog_table;
use super::relations::{FIRST_NUMBER, SCHEMAS, TABLES};
use super::settings::setting;
use crate::sql::postgres::{Given, PlannedTypes, function, refused};
use crate::sql::wire::{WireType, oid};

/// The functions that the tables themselves do not tell.
pub(in crate::sql) fn catalog_functions() -> Vec<ScalarUDF> {
    vec![
        function("format_type", of_numbers, format_types),
        function("pg_schema_name", of_numbers, schema_names),
        function("pg_relation_name", of_relations, relation_names),
        function("pg_relation_number", of_relation, relation_numbers),
        function("pg_setting", of_name, settings),
    ]
}

fn of_numbers(given: &Given<'_>) -> Result<PlannedTypes> {
    Ok(PlannedTypes { takes: vec![DataType::Int64; given.count()], gives: DataType::Utf8 })
}

fn of_name(_: &Given<'_>) -> Result<PlannedTypes> {
    Ok(PlannedTypes { takes: vec![DataType::Utf8, DataType::Boolean], gives: DataType::Utf8 })
}

/// The values of settings by their names; null for one that there is not, if that is wanted.
fn settings(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let [names, or_null] = columns else { return Err(refused("it takes a name and a truth")) };
    let (names, or_null) = (names.as_string_opt::<i32>(), or_null.as_boolean_opt());
    let names = names.into_iter().flatten().zip(or_null.into_iter().flatten());
    let values = names.map(|(name, or_null)| match name.map(|name| (name, setting(name))) {
        None => Ok(None),
        Some((_, Some(value))) => Ok(Some(value)),
        Some((_, None)) if or_null == Some(true) => Ok(None),
        Some((name, None)) => {
            Err(refused(&format!("unrecognized configuration parameter {name:?}; see SHOW ALL")))
        }
    });
    Ok(Arc::new(values.collect::<Result<StringArray>>()?))
}

fn format_types(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let names = (0..rows(columns)).map(|row| {
        let number = u32::try_from(value(columns, 0, row)?).ok()?;
        Some(format_type(number, value(columns, 1, row)))
    });
    Ok(Arc::new(names.collect::<StringArray>()))
}

/// The name of a type in SQL, with what its modifier says.
fn format_type(number: u32, modifier: Option<i64>) -> String {
    if let Some(known) = WireType::of(number) {
        return match modifier {
            Some(modifier) if number == oid::NUMERIC && modifier >= 4 => {
                let digits = modifier - 4;
                format!("numeric({},{})", digits >> 16, digits & 0xFFFF)
            }
            _ => known.sql_name.to_owned(),
        };
    }
    match WireType::of_items(number) {
        Some(item) => format!("{}[]", item.sql_name),
        None => "???".to_owned(),
    }
}

fn schema_names(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let names = (0..rows(columns)).map(|row| {
        let number = value(columns, 0, row)?;
        let known = SCHEMAS.iter().find(|(_, known)| i64::from(*known) == number);
        Some(known.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned()))
    });
    Ok(Arc::new(names.collect::<StringArray>()))
}

/// The type of a relation that is told by its name or by its number.
fn named_or_numbered(given: &Given<'_>) -> DataType {
    match given.types.first() {
        Some(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8) => DataType::Utf8,
        _ => DataType::Int64,
    }
}

fn of_relations(given: &Given<'_>) -> Result<PlannedTypes> {
    let takes = vec![named_or_numbered(given); given.count()];
    Ok(PlannedTypes { takes, gives: DataType::Utf8 })
}

fn of_relation(given: &Given<'_>) -> Result<PlannedTypes> {
    let takes = vec![named_or_numbered(given); given.count()];
    Ok(PlannedTypes { takes, gives: DataType::Int64 })
}

fn relation_numbers(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let Some(column) = columns.first() else {
        return Ok(Arc::new(Int64Array::from_iter_values([])));
    };
    let Some(names) = column.as_string_opt::<i32>() else { return Ok(column.clone()) };
    let numbers = names.iter().map(|name| name.map(relation_number).transpose());
    Ok(Arc::new(numbers.collect::<Result<Int64Array>>()?))
}

fn relation_number(name: &str) -> Result<i64> {
    let plain = bare(name);
    if let Ok(number) = plain.parse() {
        return Ok(number);
    }
    match (FIRST_NUMBER..).zip(TABLES).find(|(_, known)| *known == plain) {
        Some((number, _)) => Ok(number.into()),
        None if is_catalog_table(&plain) => Ok(0),
        None => Err(refused(&format!("relation {name:?} does not exist; see \\d"))),
    }
}

/// A relation's name without quotes and schema.
fn bare(name: &str) -> String {
    let plain = name.replace('"', "");
    let schema = SCHEMAS
        .iter()
        .find_map(|(schema, _)| plain.strip_prefix(schema).and_then(|rest| rest.strip_prefix('.')));
    schema.map_or_else(|| plain.clone(), str::to_owned)
}

/// PostgreSQL shows the number of a relation that it has not.
fn relation_names(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    if let Some(names) = columns.first().and_then(|column| column.as_string_opt::<i32>()) {
        let names = names.iter().map(|name| match name.map(|name| (name, relation_number(name))) {
            None => Ok(None),
            Some((name, Ok(_))) => Ok(Some(bare(name))),
            Some((_, Err(error))) => Err(error),
        });
        return Ok(Arc::new(names.collect::<Result<StringArray>>()?));
    }
    let names = (0..rows(columns)).map(|row| {
        let number = value(columns, 0, row)?;
        let place = usize::try_from(number - i64::from(FIRST_NUMBER)).ok();
        let known = place.and_then(|place| TABLES.get(place));
        Some(known.map_or_else(|| number.to_string(), |name| (*name).to_owned()))
    });
    Ok(Arc::new(names.collect::<StringArray>()))
}

fn rows(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, |column| column.len())
}

fn value(columns: &[ArrayRef], place: usize, row: usize) -> Option<i64> {
    let column = columns.get(place)?.as_primitive_opt::<Int64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_names_in_sql() {
        assert_eq!(format_type(oid::NUMERIC, Some((18 << 16) + 16)), "numeric(18,12)");
        assert_eq!(format_type(oid::NUMERIC, Some(-1)), "numeric");
        assert_eq!(format_type(oid::TIMESTAMPTZ, None), "timestamp with time zone");
        assert_eq!(format_type(1009, Some(-1)), "text[]");
        assert_eq!(format_type(1, None), "???");
    }

    #[test]
    fn relations_are_found_by_name_and_number() {
        for name in ["events", "public.events", "\"public\".\"events\"", "16384"] {
            assert_eq!(relation_number(name).unwrap(), 16_384, "{name}");
        }
        assert_eq!(relation_number("pg_catalog.pg_class").unwrap(), 0);
        let wrong = relation_number("nothing").unwrap_err().to_string();
        assert!(wrong.contains("relation \"nothing\" does not exist"), "{wrong}");
    }
}
