//! The table's description: the content of version 0, and whether this program can use a table.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake_core::kernel::{Action, Metadata, Protocol, StructType, new_metadata};
use serde_json::Value;
use uuid::Uuid;

use crate::archive::error::ArchiveError;
use crate::archive::file::ids::IdHasher;
use crate::archive::paths;
use crate::event::Dimensions;

/// The layout of a new table.
pub(in crate::archive) const FORMAT: u64 = 1;
/// The layout of a table that has what a program of layout 1 does not know and would count wrongly or
/// lose: corrections, or dimensions. A table becomes one when it needs to.
pub(in crate::archive) const FORMAT_OF_SHOWBACK: u64 = 2;
/// The last layout that this program reads and writes. A table of a later one is refused: its totals
/// may depend on objects that this program does not know.
const FORMAT_MAX: u64 = FORMAT_OF_SHOWBACK;
const FORMAT_KEY: &str = "tokenlake.format";
/// The member of a description that is its schema, as JSON text.
const SCHEMA_KEY: &str = "schemaString";
const HASH_KEY: &str = "tokenlake.hashKey";
/// The setting that vouches for the table's id and the key of its fingerprints. Checkpoints of the
/// log carry them without a checksum, and with another key no known event would be recognised.
const SEAL: &str = "tokenlake.seal";
/// The dimensions, as JSON, and what vouches for them: a checksum of the table's id and the text.
const DIMENSIONS: &str = "tokenlake.dimensions";
const DIMENSIONS_SEAL: &str = "tokenlake.dimensions.seal";
/// How long log entries stay after a checkpoint covers them. Other processes may be this late
/// in following; see the guard in `follow`.
const LOG_RETENTION: &str = "interval 7 days";
/// How long checkpoints of the log remember that a file was removed: each holds a line for every
/// file that compaction removed in that time.
const FILE_RETENTION: &str = "interval 2 days";
pub(in crate::archive) const FILE_RETENTION_KEY: &str = "delta.deletedFileRetentionDuration";
pub(in crate::archive) const LOG_RETENTION_KEY: &str = "delta.logRetentionDuration";

/// The parts of the table's description that the program uses.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// The table's unique id.
    pub id: String,
    /// The hasher of event ids.
    pub hasher: IdHasher,
    /// By what events are told apart besides providers and models.
    pub dimensions: Arc<Dimensions>,
    format: u64,
    /// True if its schema is from before a column of events.
    lacks_columns: bool,
    protocol: Value,
    metadata: Value,
}

impl TableInfo {
    /// Checks that this program can count and write the table exactly.
    ///
    /// # Errors
    /// Unsupported, naming what does not fit.
    pub fn new(protocol: &Protocol, metadata: &Metadata) -> Result<Self, ArchiveError> {
        Self::check(to_value(protocol)?, to_value(metadata)?)
    }

    /// The description after an entry that may bring a new protocol, new metadata, or both.
    ///
    /// # Errors
    /// As [`TableInfo::new`], and if the table has become another one.
    pub fn changed(
        &self,
        protocol: Option<&Protocol>,
        metadata: Option<&Metadata>,
    ) -> Result<Self, ArchiveError> {
        let protocol = protocol.map_or_else(|| Ok(self.protocol.clone()), to_value)?;
        let metadata = metadata.map_or_else(|| Ok(self.metadata.clone()), to_value)?;
        let changed = Self::check(protocol, metadata)?;
        if changed.id != self.id || changed.hasher != self.hasher {
            return Err(unsupported("another program replaced the table"));
        }
        Ok(changed)
    }

    /// The actions that make the description this one again.
    ///
    /// # Errors
    /// Internal only.
    pub fn actions(&self) -> Result<[Action; 2], ArchiveError> {
        let internal = |error| ArchiveError::internal("writing the table's description", error);
        let protocol = serde_json::from_value(self.protocol.clone()).map_err(internal)?;
        let metadata = serde_json::from_value(self.metadata.clone()).map_err(internal)?;
        Ok([Action::Protocol(protocol), Action::Metadata(metadata)])
    }

    /// The same description, of a later layout if it is of an earlier one: programs that do not know
    /// the layout refuse the table from then on.
    pub fn raised_to(mut self, format: u64) -> Self {
        if self.format < format {
            let settings = self.metadata.pointer_mut("/configuration");
            if let Some(settings) = settings.and_then(Value::as_object_mut) {
                settings.insert(FORMAT_KEY.to_owned(), format.to_string().into());
                self.format = format;
            }
        }
        self
    }

    /// The action for a commit that adds rows as this program writes them, in a table of this layout
    /// at least. It describes a table with all columns of events. `None` if this one is like that.
    ///
    /// # Errors
    /// Internal only.
    pub fn readied(&self, format: u64) -> Result<Option<Action>, ArchiveError> {
        if !self.lacks_columns && self.format >= format {
            return Ok(None);
        }
        let ready = self.clone().with_all_columns()?.raised_to(format);
        ready.actions().map(|[_, metadata]| Some(metadata))
    }

    /// The same description with the columns of events that it lacks, where a new table has them:
    /// before the partition's.
    fn with_all_columns(mut self) -> Result<Self, ArchiveError> {
        let internal = |error| ArchiveError::internal("describing the table", error);
        let all = serde_json::to_value(table_schema(&crate::event::schema())?).map_err(internal)?;
        let mut schema =
            schema_of(&self.metadata).ok_or_else(|| unsupported("it has no schema"))?;
        if let Some(columns) = schema.get_mut("fields").and_then(Value::as_array_mut) {
            for column in fields(&all) {
                if holds(columns, name_of(column)) {
                    continue;
                }
                let partition = |column: &Value| name_of(column) == paths::PARTITION;
                let end = columns.iter().position(partition).unwrap_or(columns.len());
                columns.insert(end, column.clone());
            }
        }
        if let Some(description) = self.metadata.as_object_mut() {
            description.insert(SCHEMA_KEY.to_owned(), schema.to_string().into());
        }
        self.lacks_columns = false;
        Ok(self)
    }

    /// The action that makes the dimensions these, and the layout one that has them.
    ///
    /// # Errors
    /// Internal only.
    pub fn with_dimensions(&self, dimensions: &Dimensions) -> Result<Action, ArchiveError> {
        let internal = |error| ArchiveError::internal("writing the table's description", error);
        let text = serde_json::to_string(dimensions).map_err(internal)?;
        let mut table = self.clone().raised_to(FORMAT_OF_SHOWBACK);
        let settings = table.metadata.get_mut("configuration").and_then(Value::as_object_mut);
        if let Some(settings) = settings {
            settings.insert(DIMENSIONS_SEAL.to_owned(), seal(&self.id, &text).into());
            settings.insert(DIMENSIONS.to_owned(), text.into());
        }
        table.actions().map(|[_, metadata]| metadata)
    }

    /// True if there may be corrections: programs that do not know them refuse such a table.
    pub fn may_hold_corrections(&self) -> bool {
        self.format >= FORMAT_OF_SHOWBACK
    }

    /// True if the table is set to be append-only: no events may be taken out of it. Rows may still
    /// be moved between files.
    pub fn is_append_only(&self) -> bool {
        let setting = self.metadata.pointer("/configuration/delta.appendOnly");
        setting.and_then(Value::as_str).is_some_and(|set| set.eq_ignore_ascii_case("true"))
    }

    /// A setting that is a duration, such as `interval 2 days`; `None` if it is not set, or has
    /// another form.
    pub fn time_set(&self, name: &str) -> Option<Duration> {
        let settings = self.metadata.get("configuration")?;
        let mut words = settings.get(name)?.as_str()?.split_whitespace();
        let is_interval = words.next()?.eq_ignore_ascii_case("interval");
        let (count, unit) = (words.next()?.parse::<u64>().ok()?, words.next()?);
        let unit = unit.strip_suffix('s').unwrap_or(unit);
        let nanos = match unit {
            "nanosecond" => 1,
            "microsecond" => 1_000,
            "millisecond" => 1_000_000,
            "second" => 1_000_000_000,
            "minute" => 60 * 1_000_000_000,
            "hour" => 3_600 * 1_000_000_000,
            "day" => 24 * 3_600 * 1_000_000_000,
            "week" => 7 * 24 * 3_600 * 1_000_000_000,
            _ => return None,
        };
        let is_whole = is_interval && words.next().is_none();
        is_whole.then(|| {
            Duration::from_nanos(nanos).saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
        })
    }

    fn check(protocol: Value, metadata: Value) -> Result<Self, ArchiveError> {
        let version = |key: &str| protocol.get(key).and_then(Value::as_u64).unwrap_or(u64::MAX);
        if version("minReaderVersion") > 1 || version("minWriterVersion") > 2 {
            return Err(unsupported(
                "another program upgraded its Delta protocol past reader 1, writer 2",
            ));
        }
        let columns = metadata.get("partitionColumns");
        if columns != Some(&Value::from(vec![paths::PARTITION])) {
            return Err(unsupported("it is not partitioned by event_date"));
        }
        let setting =
            |key: &str| metadata.get("configuration").and_then(|map| map.get(key)?.as_str());
        let format = setting(FORMAT_KEY).and_then(|format| format.parse::<u64>().ok());
        let format = match format {
            None => {
                return Err(unsupported("it is not a tokenlake archive; choose another --archive"));
            }
            Some(format) if format > FORMAT_MAX => {
                return Err(ArchiveError::Newer { path: paths::TABLE.to_owned() });
            }
            Some(format) => format,
        };
        let key = setting(HASH_KEY).and_then(|key| Uuid::parse_str(key).ok());
        let key = key.ok_or_else(|| unsupported("its setting tokenlake.hashKey is missing"))?;
        let id = metadata.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let hash_key = setting(HASH_KEY).unwrap_or_default();
        // Older programs wrote no seal.
        if setting(SEAL).is_some_and(|told| told != seal(&id, hash_key)) {
            let reason = "its description in the log is not what was written";
            return Err(ArchiveError::corrupt(paths::TABLE, reason));
        }
        let hasher = IdHasher::new(key.into_bytes());
        let lacks_columns = schema_of(&metadata).is_some_and(|schema| {
            let events = crate::event::schema();
            events.fields().iter().any(|field| !holds(fields(&schema), field.name()))
        });
        let dimensions = match (setting(DIMENSIONS), setting(DIMENSIONS_SEAL)) {
            (None, None) => Dimensions::default(),
            (Some(text), Some(told)) if told == seal(&id, text) => {
                let dimensions = serde_json::from_str::<Dimensions>(text).ok();
                dimensions.filter(Dimensions::are_sound).ok_or_else(wrong_dimensions)?
            }
            _ => return Err(wrong_dimensions()),
        };
        let dimensions = Arc::new(dimensions);
        Ok(Self { id, hasher, dimensions, format, lacks_columns, protocol, metadata })
    }
}

fn wrong_dimensions() -> ArchiveError {
    let reason = "its dimensions in the log are not what was written";
    ArchiveError::corrupt(paths::TABLE, reason)
}

/// The schema in a description; `None` if there is none.
fn schema_of(metadata: &Value) -> Option<Value> {
    serde_json::from_str(metadata.get(SCHEMA_KEY)?.as_str()?).ok()
}

fn fields(schema: &Value) -> &[Value] {
    schema.get("fields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn name_of(column: &Value) -> &str {
    column.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// True if a column is among those of a schema. To Delta Lake, names that differ only in case are the
/// same.
fn holds(columns: &[Value], name: &str) -> bool {
    columns.iter().any(|column| name_of(column).eq_ignore_ascii_case(name))
}

/// The schema of a table of events.
fn table_schema(event_schema: &Schema) -> Result<StructType, ArchiveError> {
    let mut fields: Vec<_> = event_schema.fields().iter().cloned().collect();
    fields.push(Field::new(paths::PARTITION, DataType::Date32, false).into());
    (&Schema::new(fields))
        .try_into_kernel()
        .map_err(|error| ArchiveError::internal("describing the table", error))
}

/// The actions of version 0.
///
/// # Errors
/// Internal, if Delta cannot express the schema.
pub fn creation(event_schema: &Schema) -> Result<Vec<Action>, ArchiveError> {
    let internal =
        |error: &dyn ToString| ArchiveError::internal("describing the table", error.to_string());
    let schema = table_schema(event_schema)?;
    let settings = [
        (FORMAT_KEY, FORMAT.to_string()),
        (HASH_KEY, Uuid::new_v4().simple().to_string()),
        (LOG_RETENTION_KEY, LOG_RETENTION.to_owned()),
        (FILE_RETENTION_KEY, FILE_RETENTION.to_owned()),
        ("delta.enableExpiredLogCleanup", "true".to_owned()),
    ];
    let metadata =
        new_metadata(&schema, [paths::PARTITION], settings).map_err(|error| internal(&error))?;
    let metadata = sealed(&metadata)?;
    let protocol: Protocol =
        serde_json::from_value(serde_json::json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))
            .map_err(|error| internal(&error))?;
    Ok(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
}

/// The same description with its seal.
fn sealed(metadata: &Metadata) -> Result<Metadata, ArchiveError> {
    let mut metadata = to_value(metadata)?;
    let id = metadata.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(settings) = metadata.get_mut("configuration").and_then(Value::as_object_mut) {
        let hash_key = settings.get(HASH_KEY).and_then(Value::as_str).unwrap_or_default();
        let seal = seal(&id, hash_key);
        settings.insert(SEAL.to_owned(), seal.into());
    }
    serde_json::from_value(metadata)
        .map_err(|error| ArchiveError::internal("describing the table", error))
}

/// The seal of a table's id and the key of its fingerprints: CRC-32.
fn seal(id: &str, hash_key: &str) -> String {
    format!("{:08x}", crc32fast::hash(format!("{id} {hash_key}").as_bytes()))
}

fn to_value(action: &impl serde::Serialize) -> Result<Value, ArchiveError> {
    serde_json::to_value(action)
        .map_err(|error| ArchiveError::internal("reading the table's description", error))
}

fn unsupported(reason: &str) -> ArchiveError {
    ArchiveError::Unsupported { path: paths::TABLE.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
impl TableInfo {
    /// An empty description.
    pub(in crate::archive) fn for_tests() -> Self {
        let hasher = IdHasher::new([0; 16]);
        let (dimensions, format, lacks_columns) = (Arc::default(), FORMAT, false);
        let (protocol, metadata) = (Value::Null, Value::Null);
        Self { id: "t".into(), hasher, dimensions, format, lacks_columns, protocol, metadata }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
