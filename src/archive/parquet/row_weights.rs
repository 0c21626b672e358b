//! The weight of each row in memory, and the splitting of a batch by weight.
//!
//! Texts that are views share their bytes. A batch of views may have kilobytes, and gigabytes once
//! each row has its own copy of its text. So the batch is split before the texts are copied.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, GenericByteArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{ArrowNativeType as _, ByteArrayType, DataType, Field, FieldRef};
use arrow::error::ArrowError;

/// Bytes that a value takes in addition to its content.
const VALUE_BYTES: u64 = 16;

/// The field with views in place of texts and binary values, at any depth.
pub fn with_views(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(with_views).collect()),
        DataType::List(item) => DataType::List(with_views(item)),
        DataType::Map(entries, sorted) => DataType::Map(with_views(entries), *sorted),
        kind => kind.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(kind))
}

/// Splits a batch into pieces of about `bytes`, each of at least one row.
pub fn pieces(
    batch: RecordBatch,
    bytes: usize,
) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
    let ranges = ranges(&batch, bytes as u64);
    let whole = ranges.len() <= 1;
    ranges.into_iter().map(move |rows| {
        if whole {
            return Ok(batch.clone());
        }
        let rows = u32::try_from(rows.start).unwrap_or(u32::MAX)
            ..u32::try_from(rows.end).unwrap_or(u32::MAX);
        // Copied, so that a piece holds only its own part of a list.
        take_record_batch(&batch, &UInt32Array::from_iter_values(rows))
    })
}

/// The weight of each row, in bytes.
pub fn weights(batch: &RecordBatch) -> Vec<u64> {
    let mut weights = vec![0_u64; batch.num_rows()];
    batch.columns().iter().for_each(|column| add(&mut weights, of_values(column)));
    weights
}

fn ranges(batch: &RecordBatch, bytes: u64) -> Vec<Range<usize>> {
    let weights = weights(batch);
    let (mut ranges, mut start, mut sum) = (Vec::new(), 0, 0_u64);
    for (row, weight) in weights.iter().enumerate() {
        if row > start && sum.saturating_add(*weight) > bytes {
            ranges.push(start..row);
            (start, sum) = (row, 0);
        }
        sum = sum.saturating_add(*weight);
    }
    ranges.push(start..batch.num_rows());
    ranges
}

fn add(sums: &mut [u64], more: Vec<u64>) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(more);
    }
}

/// The weight of each value of an array, in bytes.
fn of_values(array: &ArrayRef) -> Vec<u64> {
    // The length of a view is its lowest 32 bits.
    let of_views = |views: &[u128]| {
        views
            .iter()
            .map(|view| {
                VALUE_BYTES + u64::try_from(view & u128::from(u32::MAX)).unwrap_or(u64::MAX)
            })
            .collect()
    };
    match array.data_type() {
        DataType::Utf8View => of_views(array.as_string_view().views()),
        DataType::BinaryView => of_views(array.as_binary_view().views()),
        DataType::Utf8 => of_bytes(array.as_string::<i32>()),
        DataType::LargeUtf8 => of_bytes(array.as_string::<i64>()),
        DataType::Binary => of_bytes(array.as_binary::<i32>()),
        DataType::LargeBinary => of_bytes(array.as_binary::<i64>()),
        DataType::FixedSizeBinary(bytes) => {
            let bytes = u64::try_from(*bytes).unwrap_or_default();
            vec![VALUE_BYTES + bytes; array.len()]
        }
        DataType::Struct(_) => {
            let mut weights = vec![VALUE_BYTES; array.len()];
            array.as_struct().columns().iter().for_each(|part| add(&mut weights, of_values(part)));
            weights
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            of_lists(list.value_offsets(), list.values())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            of_lists(map.value_offsets(), &entries)
        }
        _ => vec![VALUE_BYTES; array.len()],
    }
}

fn of_bytes<T: ByteArrayType>(array: &GenericByteArray<T>) -> Vec<u64> {
    let lengths = array.value_offsets().windows(2).map(|pair| match pair {
        [start, end] => VALUE_BYTES + (end.as_usize() - start.as_usize()) as u64,
        _ => VALUE_BYTES,
    });
    lengths.collect()
}

fn of_lists(offsets: &[i32], values: &ArrayRef) -> Vec<u64> {
    let at = |offset: Option<&i32>| offset.map_or(0, |at| at.as_usize());
    let (start, end) = (at(offsets.first()), at(offsets.last()));
    let values = values.slice(start, end.saturating_sub(start));
    let mut weights = of_values(&values).into_iter();
    let lists = offsets.windows(2).map(|pair| match pair {
        [start, end] => {
            let own = weights.by_ref().take(end.as_usize() - start.as_usize());
            own.fold(VALUE_BYTES, u64::saturating_add)
        }
        _ => VALUE_BYTES,
    });
    lists.collect()
}

#[cfg(test)]
#[path = "row_weights_tests.rs"]
mod tests;
