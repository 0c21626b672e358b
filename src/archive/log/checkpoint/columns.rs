//! The columns of a checkpoint of the log, by the Delta protocol, and actions in them.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray, StructArray,
    new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use bytes::{Buf as _, Bytes};

/// Actions of an entry that are decoded at a time.
const BATCH_ROWS: usize = 512;
/// The member with the statistics of an added file, as text.
const STATS: &str = "stats";
/// The same statistics as a group of columns, which other programs may write instead.
const STATS_PARSED: &str = "stats_parsed";

/// One column for each kind of action; each row has a value in one of them.
pub(super) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let columns = [
        group("add", file([long("modificationTime"), text("clusteringProvider")])),
        group("remove", file([long("deletionTimestamp"), flag("extendedFileMetadata")])),
        group("metaData", metadata()),
        group(
            "protocol",
            vec![
                int("minReaderVersion"),
                int("minWriterVersion"),
                texts("readerFeatures"),
                texts("writerFeatures"),
            ],
        ),
        group("txn", vec![text("appId"), long("version"), long("lastUpdated")]),
        group("domainMetadata", vec![text("domain"), text("configuration"), flag("removed")]),
    ];
    Arc::new(Schema::new(columns.to_vec()))
});

/// The members that actions that add and that remove a file have in common, and two more.
fn file(more: [Field; 2]) -> Vec<Field> {
    let vector = vec![
        text("storageType"),
        text("pathOrInlineDv"),
        int("offset"),
        int("sizeInBytes"),
        long("cardinality"),
    ];
    let common = [
        text("path"),
        map("partitionValues"),
        long("size"),
        flag("dataChange"),
        text(STATS),
        map("tags"),
        group("deletionVector", vector),
        long("baseRowId"),
        long("defaultRowCommitVersion"),
    ];
    common.into_iter().chain(more).collect()
}

fn metadata() -> Vec<Field> {
    vec![
        text("id"),
        text("name"),
        text("description"),
        group("format", vec![text("provider"), map("options")]),
        text("schemaString"),
        texts("partitionColumns"),
        long("createdTime"),
        map("configuration"),
    ]
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn long(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn int(name: &str) -> Field {
    Field::new(name, DataType::Int32, true)
}

fn flag(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn group(name: &str, members: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(members.into()), true)
}

fn texts(name: &str) -> Field {
    Field::new(name, DataType::List(Arc::new(text("element"))), true)
}

fn map(name: &str) -> Field {
    let members = vec![Field::new("key", DataType::Utf8, false), text("value")];
    let entries = Field::new("key_value", DataType::Struct(members.into()), false);
    Field::new(name, DataType::Map(Arc::new(entries), false), true)
}

/// The actions of a log entry, without those that checkpoints have no column for (`commitInfo`).
///
/// # Errors
/// The entry is not JSON, or a member has another type than in the protocol.
pub(super) fn of_entry(bytes: &Bytes) -> Result<Vec<RecordBatch>, ArrowError> {
    let reader = ReaderBuilder::new(SCHEMA.clone()).with_batch_size(BATCH_ROWS);
    reader.build(bytes.clone().reader())?.collect()
}

/// True for the path of a Parquet column that [`of_checkpoint`] needs. Statistics in columns are
/// read only if there are none as text.
pub(super) fn is_wanted(path: &[String], has_stats: bool) -> bool {
    let Some((kind, member)) = path.first().zip(path.get(1)) else { return false };
    let known = SCHEMA.column_with_name(kind).and_then(|(_, field)| match field.data_type() {
        DataType::Struct(members) => members.find(member),
        _ => None,
    });
    known.is_some() || kind == "add" && member == STATS_PARSED && !has_stats || kind == "sidecar"
}

/// True for the path of the column of statistics as text.
pub(super) fn is_stats(path: &[String]) -> bool {
    path.first().is_some_and(|kind| kind == "add") && path.get(1).is_some_and(|at| at == STATS)
}

/// The actions of a checkpoint that any program wrote.
///
/// # Errors
/// A column cannot be cast to the protocol's type, or further objects hold actions.
pub(super) fn of_checkpoint(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if let Some(sidecars) = rows.column_by_name("sidecar")
        && sidecars.null_count() < sidecars.len()
    {
        let reason = "it names sidecars, which the table's protocol does not have";
        return Err(ArrowError::ParseError(reason.to_owned()));
    }
    let columns = SCHEMA.fields().iter().map(|field| match rows.column_by_name(field.name()) {
        Some(found) => fitted(found, field.data_type()),
        None => Ok(new_null_array(field.data_type(), rows.num_rows())),
    });
    RecordBatch::try_new(SCHEMA.clone(), columns.collect::<Result<_, _>>()?)
}

/// A column in the wanted type: members are matched by name, and missing ones are null.
fn fitted(found: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    let (Some(found), DataType::Struct(members)) = (found.as_struct_opt(), wanted) else {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        return cast_with_options(found, wanted, &options);
    };
    let columns = members.iter().map(|member| match found.column_by_name(member.name()) {
        Some(column) => fitted(column, member.data_type()),
        None if member.name() == STATS => stats_of(found),
        None => Ok(new_null_array(member.data_type(), found.len())),
    });
    let columns = columns.collect::<Result<_, _>>()?;
    Ok(Arc::new(StructArray::try_new(members.clone(), columns, found.nulls().cloned())?))
}

/// The text of statistics that exist only as columns.
fn stats_of(files: &StructArray) -> Result<ArrayRef, ArrowError> {
    let parsed = files.column_by_name(STATS_PARSED).and_then(|parsed| parsed.as_struct_opt());
    let Some(parsed) = parsed else { return Ok(new_null_array(&DataType::Utf8, files.len())) };
    let there = (0..files.len()).map(|row| files.is_valid(row) && parsed.is_valid(row));
    let there = BooleanArray::from(there.collect::<Vec<_>>());
    let rows = RecordBatch::try_new(
        Arc::new(Schema::new(parsed.fields().clone())),
        parsed.columns().to_vec(),
    )?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    lines.write(&filter_record_batch(&rows, &there)?)?;
    lines.finish()?;
    let lines = String::from_utf8(lines.into_inner())
        .map_err(|error| ArrowError::ParseError(error.to_string()))?;
    let mut lines = lines.lines();
    let texts = there.values().iter().map(|there| there.then(|| lines.next()).flatten());
    Ok(Arc::new(texts.collect::<StringArray>()))
}
