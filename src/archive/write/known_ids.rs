//! The events that the table already has: the memory behind "each event once".
//!
//! Fingerprints are kept by date under a byte budget. A date that does not fit is not kept. Its
//! files are searched instead, by their tag, their Bloom filters and at last their id column. That
//! is slower, but never wrong.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::StringArray;
use chrono::{Days, NaiveDate};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::date_rows::DateRows;
use crate::archive::file::file_read::IdReader;
use crate::archive::file::ids::EventHash;
use crate::archive::file::ids::IdSet;
use crate::archive::log::snapshot::{Arrival, Snapshot};
use crate::telemetry::Telemetry;

/// Memory of one name in the set of files that were read.
const FILE_BYTES: usize = 160;
/// Files that are read side by side.
const READS: usize = 16;
/// How many unread files a kept date may have, as long as their tags rule out the wanted ids. After
/// a lost race, the winner's file seldom needs to be read.
const UNREAD_MAX: usize = 64;

/// Events of one date to look for: the new ones among its rows.
#[derive(Debug)]
pub struct IdLookup<'a> {
    /// Their UTC date.
    pub date: NaiveDate,
    /// The rows that hold them.
    pub rows: &'a DateRows,
    /// The ids in each of the batches that the rows are from.
    pub ids: &'a [&'a StringArray],
}

impl<'a> IdLookup<'a> {
    /// Their fingerprints, with the ids for the files' Bloom filters.
    fn events(&self) -> impl Iterator<Item = (EventHash, &'a str)> {
        let ids = self.ids;
        self.rows.new_rows().map(move |(place, hash)| {
            let ids = ids.get(place.batch as usize);
            (hash, ids.map_or("", |ids| ids.value(place.row as usize)))
        })
    }

    fn hashes(&self) -> impl Iterator<Item = EventHash> {
        self.rows.new_rows().map(|(_, hash)| hash)
    }
}

/// The ids of one date.
#[derive(Debug, Default)]
struct DateIds {
    ids: IdSet,
    /// Files whose ids are in `ids`.
    read: HashSet<Arc<str>>,
    /// Live files not in `read`, as of `version`.
    unread: Vec<Arc<DataFile>>,
    version: Option<u64>,
    /// True once its files have been read into `ids`, which new commits then extend.
    kept: bool,
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

    /// The events of `asked` that `snapshot` has, on their own date or a neighbour of it, by the
    /// date in `asked`.
    ///
    /// # Errors
    /// Corrupt or Unavailable, when a file must be read and cannot.
    pub async fn find(
        &mut self,
        snapshot: &Snapshot,
        asked: &[IdLookup<'_>],
    ) -> Result<HashMap<NaiveDate, IdSet>, ArchiveError> {
        self.turn += 1;
        let mut by_date: BTreeMap<NaiveDate, Vec<&IdLookup<'_>>> = BTreeMap::new();
        for events in asked {
            for date in around(events.date) {
                by_date.entry(date).or_default().push(events);
            }
        }
        // Dates of one look must not drop each other.
        for date in by_date.keys() {
            self.dates.entry(*date).or_default().used = self.turn;
        }
        let mut found: HashMap<NaiveDate, IdSet> = HashMap::new();
        for (date, asked) in by_date {
            let hashes = self.find_on(date, snapshot, &asked).await?;
            if hashes.is_empty() {
                continue;
            }
            for asked in asked {
                let events = asked.hashes().filter(|hash| hashes.contains(hash));
                found.entry(asked.date).or_default().extend(events);
            }
        }
        self.shrink();
        self.telemetry.ingest.dedupe_bytes.set(self.bytes());
        Ok(found)
    }

    /// The ids of all events that came after version `since`, by those of `dates` on which they
    /// would be duplicates. `None` if the arrivals are not known.
    ///
    /// # Errors
    /// Corrupt or Unavailable, when a file must be read and cannot.
    pub async fn arrived(
        &mut self,
        since: u64,
        snapshot: &Snapshot,
        dates: &[NaiveDate],
    ) -> Result<Option<HashMap<NaiveDate, IdSet>>, ArchiveError> {
        let near = |file: &DataFile| around(file.date).any(|date| dates.contains(&date));
        let Some(arrivals) = snapshot.arrivals_since(since) else { return Ok(None) };
        // Rows that were only moved existed at `since`, or are another arrival's.
        let came = arrivals.filter(|came| came.data_change && near(&came.file));
        let came: Vec<_> = came.map(|came| came.file.clone()).collect();
        if came.iter().any(|file| !snapshot.is_live(file)) {
            return Ok(None);
        }
        self.telemetry.ingest.dedupe_file_reads.add(came.len());
        let mut arrived: HashMap<NaiveDate, IdSet> = HashMap::new();
        for (file, ids) in self.read(came).await? {
            for date in around(file.date) {
                arrived.entry(date).or_default().extend(&ids);
            }
            self.learn(since, &file, ids);
        }
        for date in dates.iter().flat_map(|date| around(*date)).collect::<HashSet<_>>() {
            let known = self.dates.get_mut(&date).filter(|known| known.is_whole_at(since));
            if let Some(known) = known {
                // Rows that were only moved do not change the ids that are kept.
                known.version = Some(snapshot.version());
            }
        }
        Ok(Some(arrived))
    }

    /// Adds the ids of a file that came after `since` to those of its date.
    fn learn(&mut self, since: u64, file: &DataFile, ids: Vec<EventHash>) {
        let known = self.dates.get_mut(&file.date).filter(|known| known.is_whole_at(since));
        if let Some(known) = known {
            known.ids.extend(ids);
            known.read.insert(file.path.clone());
        }
    }

    /// Remembers the ids that this process has just committed as `version` in `path`.
    pub fn insert(&mut self, version: u64, date: NaiveDate, path: Arc<str>, ids: IdSet) {
        let Some(known) = self.dates.get_mut(&date) else { return };
        // A gap would hide another process's files, and a date that is not kept stays so.
        if known.version == Some(version - 1) && known.kept {
            if known.ids.is_empty() {
                known.ids = ids;
            } else {
                known.ids.extend(ids);
            }
            known.read.insert(path);
        }
    }

    /// Records that all of `version` has been inserted.
    pub fn inserted(&mut self, version: u64) {
        for known in self.dates.values_mut() {
            if known.version == Some(version - 1) && known.kept {
                known.version = Some(version);
            }
        }
    }

    async fn find_on(
        &mut self,
        date: NaiveDate,
        snapshot: &Snapshot,
        asked: &[&IdLookup<'_>],
    ) -> Result<IdSet, ArchiveError> {
        let hashes = || asked.iter().flat_map(|asked| asked.hashes());
        let known = self.dates.entry(date).or_default();
        known.catch_up(date, snapshot);
        let suspected = |file: &Arc<DataFile>| file.may_hold_any(hashes());
        let unread = known.unread.len();
        known.kept |= unread == 0;
        if unread > UNREAD_MAX || unread > 0 && !known.kept || known.unread.iter().any(suspected) {
            self.read_if_it_fits(date).await?;
        }
        let Some(known) = self.dates.get(&date) else { return Ok(IdSet::default()) };
        let mut found = IdSet::default();
        if !known.ids.is_empty() {
            found.extend(hashes().filter(|hash| known.ids.contains(hash)));
        }
        let wanted = || hashes().filter(|hash| !found.contains(hash));
        let suspected = |file: &&Arc<DataFile>| file.may_hold_any(wanted());
        let suspects: Vec<_> = known.unread.iter().filter(suspected).cloned().collect();
        if suspects.is_empty() {
            return Ok(found);
        }
        self.telemetry.ingest.dedupe_file_reads.add(suspects.len());
        // Ids are copied only here: that takes as long as the rest of a look, and is seldom needed.
        let wanted = asked.iter().flat_map(|asked| asked.events());
        let wanted: HashMap<EventHash, String> = wanted
            .filter(|(hash, _)| !found.contains(hash))
            .map(|(hash, event_id)| (hash, event_id.to_owned()))
            .collect();
        let (reader, wanted) = (self.reader.clone(), Arc::new(wanted));
        let asked = futures::stream::iter(suspects).map(move |file| {
            let (reader, wanted) = (reader.clone(), wanted.clone());
            async move { reader.among(&file, &wanted).await }
        });
        let held: Vec<HashSet<EventHash>> = asked.buffer_unordered(READS).try_collect().await?;
        found.extend(held.into_iter().flatten());
        Ok(found)
    }

    /// The ids in files.
    async fn read(
        &self,
        files: Vec<Arc<DataFile>>,
    ) -> Result<Vec<(Arc<DataFile>, Vec<EventHash>)>, ArchiveError> {
        let reader = self.reader.clone();
        let reads = futures::stream::iter(files).map(move |file| {
            let reader = reader.clone();
            async move { reader.all(&file).await.map(|ids| (file, ids)) }
        });
        reads.buffer_unordered(READS).try_collect().await
    }

    /// Reads the unread files of `date` into memory if they fit. Drops the dates that were used
    /// longest ago to make room.
    async fn read_if_it_fits(&mut self, date: NaiveDate) -> Result<(), ArchiveError> {
        let Some(known) = self.dates.get(&date) else { return Ok(()) };
        let files = known.unread.clone();
        let rows = files.iter().map(|file| file.rows.unwrap_or(u64::MAX));
        let rows = usize::try_from(rows.fold(0, u64::saturating_add)).unwrap_or(usize::MAX);
        let more = set_bytes(known.ids.len().saturating_add(rows))
            .saturating_sub(set_bytes(known.ids.len()))
            .saturating_add(files.len() * FILE_BYTES);
        if !self.make_room(more) {
            return Ok(());
        }
        self.telemetry.ingest.dedupe_file_reads.add(files.len());
        let read = self.read(files).await?;
        let Some(known) = self.dates.get_mut(&date) else { return Ok(()) };
        for (file, ids) in read {
            known.ids.extend(ids);
            known.read.insert(file.path.clone());
        }
        known.unread.clear();
        known.kept = true;
        Ok(())
    }

    /// True if `more` bytes fit, after dropping dates that this turn does not use.
    fn make_room(&mut self, more: usize) -> bool {
        let in_use = self.dates.values().filter(|known| known.used == self.turn);
        let in_use: usize = in_use.map(DateIds::bytes).sum();
        if in_use.saturating_add(more) > self.budget_bytes {
            return false;
        }
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

    /// Drops dates that commits have grown past the budget; their files are searched from then on.
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
        set_bytes(self.ids.len()) + self.read.len() * FILE_BYTES
    }

    /// Whether all ids of the date are in memory, as of a version.
    fn is_whole_at(&self, version: u64) -> bool {
        self.kept && self.unread.is_empty() && self.version == Some(version)
    }

    /// Brings `unread` up to `snapshot`.
    fn catch_up(&mut self, date: NaiveDate, snapshot: &Snapshot) {
        if self.version == Some(snapshot.version()) {
            return;
        }
        let arrivals = self.version.and_then(|version| snapshot.arrivals_since(version));
        match arrivals {
            Some(arrivals) => {
                let came = arrivals.filter(|came| came.file.date == date);
                let (new, moved): (Vec<_>, Vec<_>) = came.partition(|came| came.data_change);
                self.unread.extend(self.not_read(new.into_iter().map(|came| &came.file)));
                self.take_moved(date, snapshot, &moved);
            }
            None => self.unread = self.not_read(snapshot.files_of(date)),
        }
        self.unread.retain(|file| snapshot.is_live(file));
        self.version = Some(snapshot.version());
    }

    /// Takes in files with rows that were moved. These rows are known if all files that they may
    /// come from are either read or still live.
    fn take_moved(&mut self, date: NaiveDate, snapshot: &Snapshot, moved: &[&Arrival]) {
        let files = moved.iter().map(|came| &came.file);
        if self.unread.iter().any(|file| !snapshot.is_live(file)) {
            self.unread.extend(self.not_read(files));
        } else if !moved.is_empty() {
            self.read.extend(files.map(|file| file.path.clone()));
            // The names of files that are gone would fill the memory.
            let live: HashSet<_> = snapshot.files_of(date).map(|file| &file.path).collect();
            self.read.retain(|path| live.contains(path));
        }
    }

    fn not_read<'a>(&self, files: impl Iterator<Item = &'a Arc<DataFile>>) -> Vec<Arc<DataFile>> {
        files.filter(|file| !self.read.contains(&file.path)).cloned().collect()
    }
}

/// Memory of a hash set of `ids` fingerprints: a power of two of slots, at most 7/8 full, each of
/// 16 bytes and a control byte.
fn set_bytes(ids: usize) -> usize {
    if ids == 0 {
        return 0;
    }
    let slots = (ids.saturating_mul(8) / 7).checked_next_power_of_two();
    slots.unwrap_or(usize::MAX).saturating_mul(17)
}

/// The dates on which an event of `date` is looked for: it and its neighbours.
pub(in crate::archive) fn around(date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let day = Days::new(1);
    [date.checked_sub_days(day), Some(date), date.checked_add_days(day)].into_iter().flatten()
}
