//! One version of the table: the set of live files, and the latest arrivals.
//!
//! A snapshot is immutable and shares with its predecessor what both have in common. So moving on
//! costs time for what is new, not for what exists.

use std::sync::Arc;

use chrono::NaiveDate;
use imbl::OrdMap;
use object_store::path::Path;

use super::entry::Entry;
use super::table::TableInfo;
use super::vouched::Vouched;
use crate::archive::chain::EntryLink;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::ledger_name::LedgerName;
use crate::archive::paths;

/// Arrivals that are remembered; a reader that is further behind starts from the live files.
const ARRIVALS_MAX: usize = 20_000;

/// A file that a followed commit added.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The file.
    pub file: Arc<DataFile>,
    /// False if its rows were in other files before.
    pub data_change: bool,
}

/// An immutable version of the table.
#[derive(Debug, Clone)]
pub struct Snapshot {
    version: u64,
    table: TableInfo,
    files: OrdMap<(NaiveDate, Arc<str>), Arc<DataFile>>,
    arrivals: OrdMap<(u64, Arc<str>), Arrival>,
    /// Arrivals are known for every version above this one.
    arrivals_after: u64,
    ledger: Option<LedgerName>,
    /// The link of its log entry, if known.
    head: Option<EntryLink>,
    /// Events of every type that were ever added, if the log gives the count of every file.
    events: Option<u64>,
}

impl Snapshot {
    /// A version with these live files.
    pub fn new(
        version: u64,
        table: TableInfo,
        files: impl Iterator<Item = DataFile>,
        ledger: Option<LedgerName>,
    ) -> Self {
        let files = files.map(|file| ((file.date, file.path.clone()), Arc::new(file))).collect();
        let (arrivals, arrivals_after) = (OrdMap::new(), version);
        Self { version, table, files, arrivals, arrivals_after, ledger, head: None, events: None }
    }

    /// The same version, with the link of its log entry and the number of events ever added.
    pub fn known_by(self, head: Option<EntryLink>, events: Option<u64>) -> Self {
        Self { head, events, ..self }
    }

    /// The link of the version's log entry, if known.
    pub fn head(&self) -> Option<EntryLink> {
        self.head
    }

    /// The number of events in live files, if the log gives the count of every file.
    pub fn live_events(&self) -> Option<u64> {
        self.files().try_fold(0, |sum, file| add_rows(Some(sum), file))
    }

    /// The number of events ever added, live and expired, if the log gives the count of every file.
    pub fn events(&self) -> Option<u64> {
        self.events
    }

    /// What the next commit vouches for if it adds `added` events.
    pub(in crate::archive) fn vouched_with(&self, added: Option<u64>) -> Option<Vouched> {
        let events = self.events?.checked_add(added?)?;
        Some(Vouched { events, at: self.version + 1 })
    }

    /// The version's number.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The table's description.
    pub fn table(&self) -> &TableInfo {
        &self.table
    }

    /// The ledger with the totals of expired events; `None` if none has expired.
    pub fn ledger(&self) -> Option<LedgerName> {
        self.ledger
    }

    /// The floor date: earlier events have expired, and new ones of those dates are rejected.
    pub fn floor(&self) -> Option<NaiveDate> {
        self.ledger.map(LedgerName::floor)
    }

    /// Every live file, by date.
    pub fn files(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.files.values()
    }

    /// How many files are live.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    /// The live files of one date.
    pub fn files_of(&self, date: NaiveDate) -> impl Iterator<Item = &Arc<DataFile>> {
        let from = (date, Arc::from(""));
        self.files.range(from..).take_while(move |((at, _), _)| *at == date).map(|(_, file)| file)
    }

    /// The live files of the dates from `first` to `last`, by date.
    pub fn files_between(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> impl Iterator<Item = &Arc<DataFile>> {
        let files = self.files.range((first, Arc::from(""))..);
        files.take_while(move |((at, _), _)| *at <= last).map(|(_, file)| file)
    }

    /// The live files of dates before `date`.
    pub fn files_before(&self, date: NaiveDate) -> impl Iterator<Item = &Arc<DataFile>> {
        self.files.values().take_while(move |file| file.date < date)
    }

    /// True while the file belongs to the table.
    pub fn is_live(&self, file: &DataFile) -> bool {
        self.files.contains_key(&(file.date, file.path.clone()))
    }

    /// True for the path of a data file or ledger, relative to the archive, that is not part of
    /// this version.
    pub fn is_without(&self, path: &str) -> bool {
        let place = Path::from(path);
        let Some(ledger) = paths::ledger_of(&place) else {
            return paths::in_table(path).is_some_and(|path| self.live(path).is_none());
        };
        let named = self.ledger.map(paths::ledger);
        named.as_ref().and_then(paths::ledger_of) != Some(ledger)
    }

    /// True for the path, relative to the archive, of a live file that another program wrote.
    pub fn is_foreign(&self, path: &str) -> bool {
        let live = paths::in_table(path).and_then(|path| self.live(path));
        live.is_some_and(|file| !file.is_ours())
    }

    /// Arrivals are known for every version above this one.
    pub fn arrivals_after(&self) -> u64 {
        self.arrivals_after
    }

    /// True if every event of `version` is in this version too, or in its ledger: the commits between
    /// were followed one by one. After a repair nobody can tell.
    pub fn continues(&self, version: u64) -> bool {
        version >= self.arrivals_after
    }

    /// The files added after `version`, oldest first; `None` if arrivals are not remembered that
    /// far back.
    pub fn arrivals_since(&self, version: u64) -> Option<impl Iterator<Item = &Arrival>> {
        let from = (version.saturating_add(1), Arc::from(""));
        self.continues(version).then(|| self.arrivals.range(from..).map(|(_, came)| came))
    }

    /// The next version.
    ///
    /// # Errors
    /// Refused or Newer, naming the entry, if the entry changes counted events or brings a file
    /// that cannot be counted; OtherLog if it does not follow this version's entry.
    pub fn next(&self, entry: &Entry) -> Result<Self, ArchiveError> {
        self.next_if(entry, entry.commit_id.is_some())
    }

    /// As [`Snapshot::next`]. If `accepted`, a tokenlake has committed after the entry, and so knew
    /// how many rows its files have, even if their number is no longer known.
    ///
    /// # Errors
    /// As [`Snapshot::next`].
    pub fn next_if(&self, entry: &Entry, accepted: bool) -> Result<Self, ArchiveError> {
        let version = self.version + 1;
        let refused = |reason: String| ArchiveError::refused(version, reason);
        if entry.before.zip(self.head).is_some_and(|(before, head)| before != head) {
            return Err(ArchiveError::OtherLog { path: paths::log_entry(version) });
        }
        let next = match entry.ledger {
            Some(ledger) => self.expired(entry, ledger).map_err(refused)?,
            None => self.changed(entry, accepted)?,
        };
        let added = entry.adds.iter().filter(|add| add.data_change);
        let mut added = added.map(|add| next.live(&add.path).and_then(|file| file.rows));
        let added = added.try_fold(0_u64, |sum, rows| sum.checked_add(rows?));
        let events = self.vouched_with(added);
        if let Some((known, told)) = events.zip(entry.vouched).filter(|(known, told)| known != told)
        {
            let (known, told) = (known.events, told.events);
            return Err(refused(format!("it counts {told} events, but there are {known}")));
        }
        let events = events.or(entry.vouched).map(|vouched| vouched.events);
        Ok(Self { head: entry.link, events, ..next })
    }

    /// The version that a repair makes: all of `entries` in one step. The last one is the repair.
    ///
    /// # Errors
    /// Refused, naming the entry, if a file that cannot be counted is not removed by the repair.
    pub fn repaired(&self, entries: &[Entry]) -> Result<Self, ArchiveError> {
        let mut next = self.raw_after(entries);
        for entry in entries {
            next.ledger = entry.ledger.or(next.ledger);
            next.head = entry.link;
            next.events = entry.vouched.map(|vouched| vouched.events);
        }
        for add in entries.iter().flat_map(|entry| &entry.adds) {
            let is_removed = |entry: &Entry| entry.removes.iter().any(|gone| gone.path == add.path);
            if let Err(error) = DataFile::from_add(add)
                && !entries.last().is_some_and(is_removed)
            {
                return Err(error.in_entry(next.version));
            }
        }
        Ok(next)
    }

    /// The version after `entries`, whatever they do, with the live files that any reader of Delta
    /// sees. A file that cannot be counted is left out. No arrivals are known: sums of an older
    /// version cannot be continued to this one.
    pub fn raw_after(&self, entries: &[Entry]) -> Self {
        let mut next = self.clone();
        for entry in entries {
            next.version += 1;
            for remove in &entry.removes {
                next.take(&remove.path);
            }
            for file in entry.adds.iter().filter_map(|add| DataFile::from_add(add).ok()) {
                next.files.insert((file.date, file.path.clone()), Arc::new(file));
            }
        }
        next.arrivals.clear();
        next.arrivals_after = next.version;
        next
    }

    /// The same version, with these live files instead of its own.
    pub fn of_files(&self, files: impl IntoIterator<Item = Arc<DataFile>>) -> Self {
        let files = files.into_iter().map(|file| ((file.date, file.path.clone()), file)).collect();
        let (arrivals, arrivals_after) = (OrdMap::new(), self.version);
        Self { files, arrivals, arrivals_after, ..self.clone() }
    }

    /// The next version, after an entry without an expiry.
    fn changed(&self, entry: &Entry, accepted: bool) -> Result<Self, ArchiveError> {
        let mut next = Self { version: self.version + 1, ..self.clone() };
        let refused = |reason: String| ArchiveError::refused(self.version + 1, reason);
        let (mut rows_moved_out, mut rows_moved_in) = (Some(0_u64), Some(0_u64));
        for remove in &entry.removes {
            let file = next.take(&remove.path).ok_or_else(|| {
                refused(format!("it removes {}, which is not in the table", remove.path))
            })?;
            if remove.data_change {
                return Err(refused(format!("it deletes the events of {}", remove.path)));
            }
            rows_moved_out = add_rows(rows_moved_out, &file);
        }
        for add in &entry.adds {
            let file = DataFile::from_add(add).map_err(|error| error.in_entry(next.version))?;
            if let Some(floor) = self.floor().filter(|floor| file.date < *floor) {
                return Err(refused(format!("it adds {} before the floor {floor}", add.path)));
            }
            let file = Arc::new(file);
            let replaced = next.files.insert((file.date, file.path.clone()), file.clone());
            if let Some(known) = replaced {
                if add.data_change || !known.is_described_by(&file) {
                    return Err(refused(format!("it adds {} a second time", add.path)));
                }
                // Other statistics of the same file; the known ones are kept.
                next.files.insert((known.date, known.path.clone()), known);
                continue;
            }
            if !add.data_change {
                rows_moved_in = add_rows(rows_moved_in, &file);
            }
            let arrival = Arrival { file: file.clone(), data_change: add.data_change };
            next.arrivals.insert((next.version, file.path.clone()), arrival);
        }
        let is_told = rows_moved_out.is_some() && rows_moved_in.is_some();
        if rows_moved_out != rows_moved_in && (is_told || !accepted) {
            return Err(refused("it rewrites files into a different number of events".into()));
        }
        next.forget_old_arrivals();
        Ok(next)
    }

    /// The next version, after an expiry: it removes exactly the files before the ledger's floor.
    fn expired(&self, entry: &Entry, ledger: LedgerName) -> Result<Self, String> {
        let (floor, mut next) =
            (ledger.floor(), Self { version: self.version + 1, ..self.clone() });
        if self.floor().is_some_and(|known| floor < known) {
            return Err(format!("its floor {floor} is before the current floor"));
        }
        if let Some(add) = entry.adds.first() {
            return Err(format!("it adds {} while it moves the ledger", add.path));
        }
        for remove in &entry.removes {
            let file = next.take(&remove.path);
            let file =
                file.ok_or_else(|| format!("it removes {}, which is not there", remove.path))?;
            if !remove.data_change || file.date >= floor {
                return Err(format!("it removes {}, which is not before its floor", remove.path));
            }
        }
        if let Some(left) = next.files_before(floor).next() {
            return Err(format!("it leaves {} before its floor {floor}", left.path));
        }
        Ok(Self { ledger: Some(ledger), ..next })
    }

    /// The same files under a new description of the table.
    pub fn with_table(self, table: TableInfo) -> Self {
        Self { table, ..self }
    }

    fn take(&mut self, path: &str) -> Option<Arc<DataFile>> {
        let key = self.key_of(path)?;
        self.files.remove(&key)
    }

    /// A live file, by its path.
    pub(in crate::archive) fn live(&self, path: &str) -> Option<&Arc<DataFile>> {
        self.files.get(&self.key_of(path)?)
    }

    fn key_of(&self, path: &str) -> Option<(NaiveDate, Arc<str>)> {
        let key = paths::date_in(path).map(|date| (date, Arc::from(path)));
        let by_path = || self.files.keys().find(|(_, live)| &**live == path).cloned();
        key.filter(|key| self.files.contains_key(key)).or_else(by_path)
    }

    /// One by one, because splitting the map would take time in proportion to all that remain.
    fn forget_old_arrivals(&mut self) {
        while self.arrivals.len() > ARRIVALS_MAX {
            let Some(((oldest, _), _)) = self.arrivals.get_min() else { return };
            let oldest = *oldest;
            while let Some((key, _)) = self.arrivals.get_min()
                && key.0 == oldest
            {
                let key = key.clone();
                self.arrivals.remove(&key);
            }
            self.arrivals_after = oldest;
        }
    }
}

fn add_rows(sum: Option<u64>, file: &DataFile) -> Option<u64> {
    sum?.checked_add(file.rows?)
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
