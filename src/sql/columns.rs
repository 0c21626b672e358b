//! Reading the columns of a query's result by name and type.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayAccessor, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};

use super::SqlError;
use super::query::Query;
use crate::clock::Micros;

/// A batch of a query's result.
pub(super) struct ResultColumns<'a> {
    pub query: &'static Query,
    pub batch: &'a RecordBatch,
}

impl ResultColumns<'_> {
    /// A text column; null stays null.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<Option<String>>, SqlError> {
        let column = self.cast(name, &DataType::Utf8)?;
        let texts = column.as_string_opt::<i32>().ok_or_else(|| self.wrong(name))?;
        Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
    }

    /// A text column with few distinct texts in many rows, in runs; null stays null.
    pub(super) fn names(&self, name: &str) -> Result<Vec<Option<Arc<str>>>, SqlError> {
        let column = self.cast(name, &DataType::Utf8)?;
        let texts = column.as_string_opt::<i32>().ok_or_else(|| self.wrong(name))?;
        let (mut known, mut last) = (HashSet::<Arc<str>>::new(), None::<Arc<str>>);
        let mut shared = |text: &str| {
            let shared = last.take().filter(|last| **last == *text);
            let shared = shared.or_else(|| known.get(text).cloned()).unwrap_or_else(|| {
                let new: Arc<str> = text.into();
                known.insert(new.clone());
                new
            });
            last = Some(shared.clone());
            shared
        };
        Ok(texts.iter().map(|text| text.map(&mut shared)).collect())
    }

    /// A time column that is never null.
    pub(super) fn times(&self, name: &str) -> Result<Vec<Micros>, SqlError> {
        let column =
            self.cast(name, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
        let times = column.as_primitive_opt::<TimestampMicrosecondType>();
        self.all(name, times.ok_or_else(|| self.wrong(name))?)
    }

    /// A time column; null stays null.
    pub(super) fn times_if_any(&self, name: &str) -> Result<Vec<Option<Micros>>, SqlError> {
        let column =
            self.cast(name, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
        let times = column.as_primitive_opt::<TimestampMicrosecondType>();
        Ok(times.ok_or_else(|| self.wrong(name))?.iter().collect())
    }

    /// True if there is such a column.
    pub(super) fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// A count that is never null.
    pub(super) fn counts(&self, name: &str) -> Result<Vec<u64>, SqlError> {
        let column = self.cast(name, &DataType::Int64)?;
        let counts = column.as_primitive_opt::<Int64Type>().ok_or_else(|| self.wrong(name))?;
        let counts = self.all(name, counts)?;
        counts.into_iter().map(|count| u64::try_from(count).map_err(|_| self.wrong(name))).collect()
    }

    /// A decimal sum, in units of its last place; null is zero.
    pub(super) fn sums(&self, name: &str, scale: i8) -> Result<Vec<i128>, SqlError> {
        // Casts change the scale only, so any number of digits is kept.
        let digits = match self.batch.column_by_name(name).map(|column| column.data_type()) {
            Some(DataType::Decimal128(digits, _)) => *digits,
            _ => 38,
        };
        let column = self.cast(name, &DataType::Decimal128(digits, scale))?;
        let sums = column.as_primitive_opt::<Decimal128Type>().ok_or_else(|| self.wrong(name))?;
        Ok(sums.iter().map(Option::unwrap_or_default).collect())
    }

    fn cast(&self, name: &str, to: &DataType) -> Result<arrow::array::ArrayRef, SqlError> {
        let column = self.batch.column_by_name(name).ok_or_else(|| self.wrong(name))?;
        if column.data_type() == to {
            return Ok(column.clone());
        }
        cast(column, to).map_err(|_| self.wrong(name))
    }

    fn all<A: ArrayAccessor + Copy>(&self, name: &str, array: A) -> Result<Vec<A::Item>, SqlError> {
        if array.null_count() > 0 {
            return Err(self.wrong(name));
        }
        Ok((0..array.len()).map(|row| array.value(row)).collect())
    }

    fn wrong(&self, name: &str) -> SqlError {
        SqlError::Query {
            query: self.query.name,
            reason: format!("column {name} is not as described"),
        }
    }
}
