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

use super::date_ids::{DateIds, FILE_BYTES, set_bytes};
use super::foreign_check::ForeignCheck;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::date_rows::DateRows;
use crate::archive::file::file_read::IdReader;
use crate::archive::file::ids::EventHash;
use crate::archive::file::ids::IdSet;
use crate::archive::log::snapshot::Snapshot;
use crate::telemetry::Telemetry;

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

/// The ids known to this process.
#[derive(Debug)]
pub struct KnownIds {
    dates: HashMap<NaiveDate, DateIds>,
    budget_bytes: usize,
    reader: IdReader,
    check: Arc<dyn ForeignCheck>,
    telemetry: Telemetry,
    turn: u64,
}

impl KnownIds {
    /// An empty memory that may hold `budget_bytes`.
    pub fn new(
        budget_bytes: usize,
        reader: IdReader,
        check: Arc<dyn ForeignCheck>,
        telemetry: Telemetry,
    ) -> Self {
        Self { dates: HashMap::new(), budget_bytes, reader, check, telemetry, turn: 0 }
    }

    /// The events of `asked` that `snapshot` has, on their own date or a neighbour of it, by the
    /// date in `asked`.
    ///
    /// # Errors
    /// Corrupt or Unavailable, when a file must be read and cannot; Foreign, when an event is only in
    /// a file that must not be counted: a repair takes that out, and the event would be lost.
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
        // Whether all of them may be counted is for the search of single events to say.
        if self.countable(snapshot, &came).await?.len() < came.len() {
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
            self.read_if_it_fits(date, snapshot).await?;
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
        found.extend(self.held_by(snapshot, suspects, asked, &found).await?);
        Ok(found)
    }

    /// Those of the asked events that are in one of these files, and not among the `found` ones.
    async fn held_by(
        &self,
        snapshot: &Snapshot,
        suspects: Vec<Arc<DataFile>>,
        asked: &[&IdLookup<'_>],
        found: &IdSet,
    ) -> Result<Vec<EventHash>, ArchiveError> {
        // Ids are copied only here: that takes as long as the rest of a look, and is seldom needed.
        let wanted = asked.iter().flat_map(|asked| asked.events());
        let wanted: HashMap<EventHash, String> = wanted
            .filter(|(hash, _)| !found.contains(hash))
            .map(|(hash, event_id)| (hash, event_id.to_owned()))
            .collect();
        let (reader, wanted) = (self.reader.clone(), Arc::new(wanted));
        let asked = futures::stream::iter(suspects).map(|file| {
            let (reader, wanted) = (reader.clone(), wanted.clone());
            async move { reader.among(&file, &wanted).await.map(|held| (file, held)) }
        });
        let held: Vec<_> = asked.buffer_unordered(READS).try_collect().await?;
        let mut files: HashMap<EventHash, usize> = HashMap::new();
        for hash in held.iter().flat_map(|(_, held)| held) {
            *files.entry(*hash).or_default() += 1;
        }
        for (file, held) in held.iter().filter(|(file, held)| !held.is_empty() && !file.is_ours()) {
            match held.iter().any(|hash| files.get(hash) == Some(&1)) {
                true => self.check.check_foreign(snapshot, file).await?,
                false => self.check.check_foreign_rows(snapshot, file).await?,
            }
        }
        Ok(files.into_keys().collect())
    }

    /// Those of these files whose events count. One that a repair would take out is left out.
    async fn countable(
        &self,
        snapshot: &Snapshot,
        files: &[Arc<DataFile>],
    ) -> Result<Vec<Arc<DataFile>>, ArchiveError> {
        let mut countable = Vec::with_capacity(files.len());
        for file in files {
            match file.is_ours() {
                true => countable.push(file.clone()),
                false => match self.check.check_foreign(snapshot, file).await {
                    Ok(()) => countable.push(file.clone()),
                    Err(ArchiveError::Foreign { .. }) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(countable)
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
    /// longest ago to make room. Files that must not be counted stay unread.
    async fn read_if_it_fits(
        &mut self,
        date: NaiveDate,
        snapshot: &Snapshot,
    ) -> Result<(), ArchiveError> {
        let Some(known) = self.dates.get(&date) else { return Ok(()) };
        let files = self.countable(snapshot, &known.unread).await?;
        let Some(known) = self.dates.get(&date) else { return Ok(()) };
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
        known.unread = known.not_read(known.unread.iter());
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

/// The dates on which an event of `date` is looked for: it and its neighbours.
pub(in crate::archive) fn around(date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let day = Days::new(1);
    [date.checked_sub_days(day), Some(date), date.checked_add_days(day)].into_iter().flatten()
}
