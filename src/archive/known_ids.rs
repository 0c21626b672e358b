//! Which events stand in the table already: the memory behind "each event once".
//!
//! Fingerprints are kept by date under a byte budget. A date that does not fit is not kept; its
//! files are asked instead, by their tag, their Bloom filters and at last their id column. Slower,
//! never wrong.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use futures::{StreamExt as _, TryStreamExt as _};

use super::data_file::DataFile;
use super::file_read::IdReader;
use super::snapshot::Snapshot;
use super::{ArchiveError, EventHash};
use crate::telemetry::Telemetry;

/// Memory of one fingerprint in a hash set: 16 bytes and a control byte at a load of 7/16 to 7/8.
const ID_BYTES: usize = 28;
/// Memory of one name in the set of files that were read.
const FILE_BYTES: usize = 160;
/// Files that are read side by side.
const READS: usize = 16;

/// An event to look for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its UTC date.
    pub date: NaiveDate,
    /// Its fingerprint.
    pub hash: EventHash,
    /// Its id, for the files' Bloom filters.
    pub event_id: &'a str,
}

/// The ids of one date.
#[derive(Debug, Default)]
struct DateIds {
    ids: HashSet<EventHash>,
    /// Files whose ids are in `ids`.
    read: HashSet<Arc<str>>,
    /// Live files not in `read`, as of `version`.
    unread: Vec<Arc<DataFile>>,
    version: Option<u64>,
    used: u64,
}

/// The ids known to this process.
#[derive(Debug)]
pub struct KnownIds {
    dates: HashMap<NaiveDate, DateIds>,
    budget_bytes: usize,
    reader: IdReader,
    telemetry: Telemetry,
    turn: u64,
}

impl KnownIds {
    /// An empty memory that may hold `budget_bytes`.
    pub fn new(budget_bytes: usize, reader: IdReader, telemetry: Telemetry) -> Self {
        Self { dates: HashMap::new(), budget_bytes, reader, telemetry, turn: 0 }
    }

    /// Those of `wanted` that stand in `snapshot`, on their own date or a neighbour of it.
    ///
    /// # Errors
    /// Corrupt or Unavailable, when a file must be read and cannot.
    pub async fn find(
        &mut self,
        snapshot: &Snapshot,
        wanted: &[Wanted<'_>],
    ) -> Result<HashSet<(NaiveDate, EventHash)>, ArchiveError> {
        self.turn += 1;
        let mut by_date: HashMap<NaiveDate, Vec<&Wanted<'_>>> = HashMap::new();
        for event in wanted {
            for date in around(event.date) {
                by_date.entry(date).or_default().push(event);
            }
        }
        let mut found = HashSet::new();
        for (date, events) in by_date {
            let hashes = self.find_on(date, snapshot, &events).await?;
            found.extend(
                events
                    .iter()
                    .filter(|event| hashes.contains(&event.hash))
                    .map(|event| (event.date, event.hash)),
            );
        }
        self.shrink();
        self.telemetry.ingest.dedupe_bytes.set(self.bytes());
        Ok(found)
    }

    /// Remembers what this process has just committed as `version` in `path`.
    pub fn insert(
        &mut self,
        version: u64,
        date: NaiveDate,
        path: Arc<str>,
        ids: impl Iterator<Item = EventHash>,
    ) {
        let Some(known) = self.dates.get_mut(&date) else { return };
        // A gap would hide another process's files, and a date that is not kept stays so.
        if known.version == Some(version - 1) && known.unread.is_empty() {
            known.ids.extend(ids);
            known.read.insert(path);
        }
    }

    /// Says that all of `version` has been inserted.
    pub fn inserted(&mut self, version: u64) {
        for known in self.dates.values_mut() {
            if known.version == Some(version - 1) && known.unread.is_empty() {
                known.version = Some(version);
            }
        }
    }

    async fn find_on(
        &mut self,
        date: NaiveDate,
        snapshot: &Snapshot,
        events: &[&Wanted<'_>],
    ) -> Result<HashSet<EventHash>, ArchiveError> {
        let turn = self.turn;
        let known = self.dates.entry(date).or_default();
        known.used = turn;
        known.catch_up(date, snapshot);
        if !known.unread.is_empty() {
            self.read_if_it_fits(date).await?;
        }
        let Some(known) = self.dates.get(&date) else { return Ok(HashSet::new()) };
        let mut found: HashSet<_> =
            events.iter().map(|event| event.hash).filter(|hash| known.ids.contains(hash)).collect();
        for file in &known.unread {
            let wanted: HashMap<_, _> = events
                .iter()
                .filter(|event| !found.contains(&event.hash))
                .map(|event| (event.hash, event.event_id))
                .collect();
            if file.may_hold_any(wanted.keys().copied()) && !wanted.is_empty() {
                self.telemetry.ingest.dedupe_file_reads.inc();
                found.extend(self.reader.among(file, &wanted).await?);
            }
        }
        Ok(found)
    }

    /// Reads the unread files of `date` into memory, dropping dates that were used longest ago
    /// where that makes room.
    async fn read_if_it_fits(&mut self, date: NaiveDate) -> Result<(), ArchiveError> {
        let Some(known) = self.dates.get(&date) else { return Ok(()) };
        let files = known.unread.clone();
        let rows =
            files.iter().map(|file| file.rows.unwrap_or(u64::MAX)).fold(0, u64::saturating_add);
        let more = usize::try_from(rows)
            .unwrap_or(usize::MAX)
            .saturating_mul(ID_BYTES)
            .saturating_add(files.len() * FILE_BYTES);
        if !self.make_room(more) {
            return Ok(());
        }
        self.telemetry.ingest.dedupe_file_reads.add(files.len());
        let reader = self.reader.clone();
        let reads = futures::stream::iter(files).map(move |file| {
            let reader = reader.clone();
            async move { reader.all(&file).await.map(|ids| (file, ids)) }
        });
        let read: Vec<_> = reads.buffer_unordered(READS).try_collect().await?;
        let Some(known) = self.dates.get_mut(&date) else { return Ok(()) };
        for (file, ids) in read {
            known.ids.extend(ids);
            known.read.insert(file.path.clone());
        }
        known.unread.clear();
        Ok(())
    }

    /// True if `more` bytes fit, after dropping what this turn does not use.
    fn make_room(&mut self, more: usize) -> bool {
        while self.bytes().saturating_add(more) > self.budget_bytes {
            let oldest = self
                .dates
                .iter()
                .filter(|(_, known)| known.used < self.turn)
                .min_by_key(|(_, known)| known.used)
                .map(|(date, _)| *date);
            let Some(oldest) = oldest else { return false };
            self.dates.remove(&oldest);
        }
        true
    }

    /// Drops dates that commits have grown past the budget; their files are asked from then on.
    fn shrink(&mut self) {
        self.turn += 1;
        self.make_room(0);
    }

    fn bytes(&self) -> usize {
        self.dates.values().map(DateIds::bytes).sum()
    }
}

impl DateIds {
    fn bytes(&self) -> usize {
        self.ids.capacity() * ID_BYTES * 4 / 5 + self.read.len() * FILE_BYTES
    }

    /// Brings `unread` up to `snapshot`.
    fn catch_up(&mut self, date: NaiveDate, snapshot: &Snapshot) {
        if self.version == Some(snapshot.version()) {
            return;
        }
        let arrivals = self.version.and_then(|version| snapshot.arrivals_since(version));
        let came: Vec<_> = match arrivals {
            Some(arrivals) => {
                arrivals.map(|came| &came.file).filter(|file| file.date == date).cloned().collect()
            }
            None => {
                self.unread.clear();
                snapshot.files_of(date).cloned().collect()
            }
        };
        self.unread.extend(came.into_iter().filter(|file| !self.read.contains(&file.path)));
        self.unread.retain(|file| snapshot.is_live(file));
        self.version = Some(snapshot.version());
    }
}

/// The date and its neighbours.
fn around(date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let day = Days::new(1);
    [date.checked_sub_days(day), Some(date), date.checked_add_days(day)].into_iter().flatten()
}
