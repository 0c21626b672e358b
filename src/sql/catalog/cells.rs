//! Rows of a catalog's tables, by the names of their columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, ListArray, RecordBatch, StringArray,
};
use arrow::array::{Int32Builder, ListBuilder, StringBuilder};
use arrow::datatypes::{Field, Schema};
use datafusion::error::Result;

use super::definitions::{CatalogTable, ColumnKind};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CatalogValue {
    Int(i32),
    Text(String),
    Bool(bool),
}

impl From<i32> for CatalogValue {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for CatalogValue {
    fn from(value: u32) -> Self {
        Self::Int(i32::try_from(value).unwrap_or(i32::MAX))
    }
}

impl From<i16> for CatalogValue {
    fn from(value: i16) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for CatalogValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for CatalogValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// A row: what it says. Other columns are 0, false, or null; those of one character are empty.
pub(super) type CatalogRow = HashMap<&'static str, CatalogValue>;

/// The rows of a table.
///
/// # Errors
/// Only for a defect.
pub(super) fn batch(table: &CatalogTable, rows: &[CatalogRow]) -> Result<RecordBatch> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (name, kind) in &table.columns {
        let cells: Vec<Option<&CatalogValue>> = rows.iter().map(|row| row.get(name)).collect();
        let column = column(*kind, &cells);
        fields.push(Field::new(*name, column.data_type().clone(), true));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn column(kind: ColumnKind, cells: &[Option<&CatalogValue>]) -> ArrayRef {
    let cells = cells.iter();
    match kind {
        ColumnKind::Int => Arc::new(Int32Array::from_iter_values(cells.map(|cell| match cell {
            Some(CatalogValue::Int(value)) => *value,
            _ => 0,
        }))),
        ColumnKind::OptionalInt => Arc::new(Int32Array::from_iter(cells.map(|cell| match cell {
            Some(CatalogValue::Int(value)) => Some(*value),
            _ => None,
        }))),
        ColumnKind::Float => Arc::new(Float64Array::from_iter_values(cells.map(|_| -1.0))),
        ColumnKind::Bool => Arc::new(BooleanArray::from_iter(
            cells.map(|cell| Some(matches!(cell, Some(CatalogValue::Bool(true))))),
        )),
        ColumnKind::Text | ColumnKind::Procedure => {
            Arc::new(StringArray::from_iter(cells.map(text)))
        }
        ColumnKind::Char => {
            Arc::new(StringArray::from_iter(cells.map(|cell| Some(text(cell).unwrap_or("")))))
        }
        ColumnKind::Texts => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            cells.for_each(|_| lists.append(false));
            Arc::new(lists.finish()) as Arc<ListArray>
        }
        ColumnKind::Ints => {
            let mut lists = ListBuilder::new(Int32Builder::new());
            cells.for_each(|_| lists.append(false));
            Arc::new(lists.finish()) as Arc<ListArray>
        }
    }
}

fn text<'a>(cell: &Option<&'a CatalogValue>) -> Option<&'a str> {
    match cell {
        Some(CatalogValue::Text(text)) => Some(text),
        _ => None,
    }
}
