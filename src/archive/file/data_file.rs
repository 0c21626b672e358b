//! One Parquet file of the table, as the log describes it.

pub(in crate::archive) mod added;
mod further;
mod scan_file;
mod seal;
mod tags;

pub use self::further::StoredCells;
pub use self::scan_file::ScanFile;

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use deltalake_core::kernel::Add;
use object_store::path::Path;

use self::tags::{ORG, TAG_CELLS, TAG_CHECKSUMS, TAG_IDS, TAG_PARTIAL, TAG_SEAL, TIME};
use super::ids::EventHash;
use super::ids::IdFilter;
use super::lossless::LosslessColumns;
use super::stats::Stats;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::CheckedObject;
use crate::archive::parquet::checksums::Checksums;
use crate::archive::paths;
use crate::clock::Micros;

/// The partial that a data file carries: a Parquet file inside it, as `cells.rs` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPartial {
    /// The version of the SQL that made it.
    pub sql_version: Arc<str>,
    /// Its range in the data file, in bytes.
    pub range: Range<u64>,
    /// The columns whose values it preserves exactly.
    pub lossless: LosslessColumns,
}

impl StoredPartial {
    fn to_text(&self) -> String {
        let Self { sql_version, range: Range { start, end }, lossless } = self;
        format!("{sql_version} {start} {end} {}", lossless.to_text())
    }

    /// Reads a tag; `None` if it does not describe a range in a file of `size_bytes`.
    fn from_text(text: &str, size_bytes: u64) -> Option<Self> {
        let mut words = text.split(' ');
        let sql_version = words.next()?.into();
        let (start, end) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        // A program that wrote no such word did not check the columns.
        let lossless = words.next().map(LosslessColumns::from_text).unwrap_or_default();
        let inside = start < end && end <= size_bytes && words.next().is_none();
        inside.then_some(Self { sql_version, range: start..end, lossless })
    }
}

/// An immutable data file. Every bound is inclusive and may be wider than the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Path relative to the table.
    pub path: Arc<str>,
    /// Bytes.
    pub size_bytes: u64,
    /// The UTC date of all its events.
    pub date: NaiveDate,
    /// The number of rows, if the log has it.
    pub rows: Option<u64>,
    orgs: Option<(Arc<str>, Arc<str>)>,
    times: Option<(Micros, Micros)>,
    ids: Option<IdFilter>,
    /// Checksums of its blocks; `None` for a foreign file.
    pub(in crate::archive) checksums: Option<Checksums>,
    partial: Option<StoredPartial>,
    /// Cells beside the partial; no room without any.
    further: Option<Arc<[StoredCells]>>,
    /// When all of its events were ingested, if that is one instant.
    ingested: Option<Micros>,
}

impl DataFile {
    /// Reads a log action.
    ///
    /// # Errors
    /// Corrupt if it describes a file that this program cannot count correctly: no date, a negative
    /// size, a deletion vector, a path outside the table or of another date, or a broken seal.
    pub fn from_add(add: &Add) -> Result<Self, ArchiveError> {
        let corrupt = |reason: &str| ArchiveError::corrupt(paths::in_archive(&add.path), reason);
        if add.deletion_vector.is_some() {
            return Err(corrupt("it has a deletion vector, which this table does not allow"));
        }
        if add.path.contains("://") || add.path.starts_with('/') {
            return Err(corrupt("its path leads out of the table"));
        }
        let date = add.partition_values.get(paths::PARTITION).and_then(Option::as_deref);
        let date =
            date.and_then(paths::parse_date).ok_or_else(|| corrupt("it has no event_date"))?;
        if paths::date_in(&add.path).is_some_and(|named| named != date) {
            return Err(corrupt("its path names another date than the log does"));
        }
        let stats = add.stats.as_deref().map(Stats::parse).unwrap_or_default();
        let tag = |name: &str| add.tags.as_ref().and_then(|tags| tags.get(name)?.as_deref());
        let stats = match tag(TAG_SEAL) {
            None => Some(stats),
            Some(seal) => seal::check(seal, add, stats),
        };
        let stats =
            stats.ok_or_else(|| corrupt("its description in the log is not what was written"))?;
        let orgs = stats.text_bounds(ORG).map(|(low, high)| (low.into(), high.into()));
        let size_bytes = u64::try_from(add.size).map_err(|_| corrupt("its size is negative"))?;
        let checksums = tag(TAG_CHECKSUMS).and_then(Checksums::from_text);
        let partial = tag(TAG_PARTIAL).and_then(|tag| StoredPartial::from_text(tag, size_bytes));
        let (further, ingested) = match tag(TAG_CELLS) {
            None => Default::default(),
            Some(text) => {
                let wrong =
                    || corrupt("what the log says of the sums in it is not what was written");
                further::from_text(text, &add.path, size_bytes).ok_or_else(wrong)?
            }
        };
        Ok(Self {
            path: add.path.as_str().into(),
            size_bytes,
            date,
            rows: stats.num_records,
            orgs,
            times: stats.time_bounds(TIME),
            ids: tag(TAG_IDS).and_then(IdFilter::from_text),
            // A partial is trusted only if checksums would reveal a flipped bit.
            partial: partial.filter(|_| checksums.is_some()),
            further: kept(further).filter(|_| checksums.is_some()),
            ingested: ingested.filter(|_| checksums.is_some()),
            checksums,
        })
    }

    /// True if a tokenlake wrote it. Then the log describes it correctly, and its rows obey every
    /// rule.
    pub fn is_ours(&self) -> bool {
        self.checksums.is_some()
    }

    /// True if `other` describes the same bytes and rows, as after another program's `ANALYZE`.
    pub(in crate::archive) fn is_described_by(&self, other: &Self) -> bool {
        let rows = self.rows.zip(other.rows).is_none_or(|(rows, others)| rows == others);
        self.size_bytes == other.size_bytes && rows
    }

    /// False only if the file holds nothing of `org_id`.
    pub fn may_hold_org(&self, org_id: &str) -> bool {
        self.orgs.as_ref().is_none_or(|(low, high)| &**low <= org_id && org_id <= &**high)
    }

    /// False only if the file holds nothing with `from ≤ ts ≤ to`.
    pub fn may_hold_time(&self, from: Micros, to: Micros) -> bool {
        self.times.is_none_or(|(low, high)| low <= to && from <= high)
    }

    /// The bounds of `ts`, if the log has them.
    pub fn time_bounds(&self) -> Option<(Micros, Micros)> {
        self.times
    }

    /// The bounds of `org_id`, if the log has them.
    pub fn org_bounds(&self) -> Option<(&str, &str)> {
        self.orgs.as_ref().map(|(low, high)| (&**low, &**high))
    }

    /// False only if the file holds none of these events.
    pub fn may_hold_any(&self, mut ids: impl Iterator<Item = EventHash>) -> bool {
        self.ids.as_ref().is_none_or(|filter| ids.any(|id| filter.may_hold(id)))
    }

    /// The partial that the file carries, if SQL of this version made it.
    pub fn stored_partial(&self, sql_version: &str) -> Option<CheckedObject> {
        let stored = self.partial.as_ref().filter(|stored| &*stored.sql_version == sql_version)?;
        CheckedObject::of(self).part(stored.range.clone())
    }

    /// The cells that the file carries, if they are of this version: those of its partial, or of a
    /// dimension.
    pub fn stored_cells(&self, version: &str) -> Option<CheckedObject> {
        let mut further = self.further.iter().flat_map(|further| further.iter());
        match further.find(|cells| &*cells.version == version) {
            Some(cells) => CheckedObject::of(self).part(cells.range.clone()),
            None => self.stored_partial(version),
        }
    }

    /// When all events of the file were ingested, if its writer says that this was one instant.
    pub fn ingested_at(&self) -> Option<Micros> {
        self.ingested
    }

    /// What the log says of the cells beside the partial; `None` if nothing.
    fn further_text(&self) -> Option<String> {
        let further = self.further.as_deref().unwrap_or_default();
        let says = !further.is_empty() || self.ingested.is_some();
        says.then(|| further::to_text(further, self.ingested, &self.path))
    }

    /// The columns that the file's partial preserves exactly, if SQL of this version made it.
    /// `None` without such a partial, or if it preserves none: its sums may be long then.
    pub fn lossless(&self, sql_version: &str) -> Option<LosslessColumns> {
        let stored = self.partial.as_ref().filter(|stored| &*stored.sql_version == sql_version);
        stored
            .map(|stored| stored.lossless)
            .filter(|lossless| *lossless != LosslessColumns::default())
    }

    /// A file of which only this much is known.
    #[cfg(test)]
    pub(crate) fn for_tests(
        path: &str,
        size_bytes: u64,
        date: NaiveDate,
        checksums: Option<Checksums>,
    ) -> Self {
        let path = path.into();
        let (rows, orgs, times, ids) = (None, None, None, None);
        let (partial, further, ingested) = (None, None, None);
        Self {
            path,
            size_bytes,
            date,
            rows,
            orgs,
            times,
            ids,
            checksums,
            partial,
            further,
            ingested,
        }
    }

    /// A file that is nothing but a partial by SQL of this version.
    #[cfg(test)]
    pub(crate) fn partial_for_tests(path: &str, bytes: &[u8], sql_version: Arc<str>) -> Self {
        let (size, checksums) = (bytes.len() as u64, Checksums::of(bytes));
        let partial = Some(StoredPartial {
            sql_version,
            range: 0..size,
            lossless: LosslessColumns::default(),
        });
        Self { partial, ..Self::for_tests(path, size, NaiveDate::MIN, Some(checksums)) }
    }

    /// Path relative to the archive.
    pub fn path_in_archive(&self) -> String {
        paths::in_archive(&self.path)
    }
}

/// Cells as a file holds them in memory.
fn kept(further: Vec<StoredCells>) -> Option<Arc<[StoredCells]>> {
    (!further.is_empty()).then(|| further.into())
}

impl CheckedObject {
    /// The stored object of a data file.
    pub fn of(file: &DataFile) -> Self {
        Self::new(Path::from(file.path_in_archive()), file.size_bytes, file.checksums.clone())
    }
}

/// True if an action has a seal, and so vouches for the number of rows of its file.
pub(in crate::archive) fn is_sealed(add: &Add) -> bool {
    add.tags.as_ref().is_some_and(|tags| tags.get(TAG_SEAL).is_some_and(Option::is_some))
}

/// The UTC date of an instant; `None` outside chrono's years.
pub fn date_of(ts: Micros) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(ts).map(|time| time.date_naive())
}
