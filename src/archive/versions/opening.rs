//! Opening a table at its newest version.
//!
//! A checkpoint of the log says what exists, but not what another program took away before it was
//! made. So it is compared with the number of events that our last commit vouched for. If they do
//! not agree, or the checkpoint is damaged, the table is opened at an older checkpoint, and the
//! entries after that show which commit changed it.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use deltalake_core::kernel::{Metadata, Protocol};
use object_store::ObjectStore as _;
use object_store::path::Path;

use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::row_counts;
use crate::archive::ledger_name::{LEDGER_APP, LedgerName};
use crate::archive::log::Log;
use crate::archive::log::checkpoint::state::LogState;
use crate::archive::log::checkpoint::{LogRetention, described};
use crate::archive::log::entry::{self, Heading};
use crate::archive::log::head_note::HeadNote;
use crate::archive::log::listing::{ListedCheckpoint, Listing};
use crate::archive::log::snapshot::Snapshot;
use crate::archive::log::table::{self, TableInfo};
use crate::archive::log::vouched::{EVENTS_APP, EVENTS_AT_APP, Vouched};
use crate::archive::paths;
use crate::archive::sums::ledger::Ledgers;
use crate::error::Kind;

/// Whether a table is created if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Creation {
    /// Only an existing table is opened.
    Never,
    /// A missing table is created.
    #[default]
    IfMissing,
}

/// An opened table.
#[derive(Debug)]
pub(in crate::archive) struct OpenedTable {
    /// The newest version that can be vouched for.
    pub snapshot: Snapshot,
    /// Why that is not the newest one: a commit of another program is refused.
    pub refused: Option<ArchiveError>,
}

impl OpenedTable {
    /// Makes sure that the commit of a note exists. If a commit is refused, nothing is checked: the
    /// refusal is what matters to the caller.
    ///
    /// # Errors
    /// Corrupt.
    pub(in crate::archive) fn has(&self, noted: Option<&HeadNote>) -> Result<(), ArchiveError> {
        match noted {
            Some(noted) if self.refused.is_none() => noted.check(Some(&self.snapshot)),
            _ => Ok(()),
        }
    }
}

/// The content of a checkpoint.
#[derive(Default)]
struct CheckpointActions {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    /// The numbers of the applications that matter here.
    numbers: HashMap<&'static str, i64>,
    files: Vec<DataFile>,
}

impl CheckpointActions {
    /// Takes in all of a batch of actions except the files.
    fn take(&mut self, rows: &RecordBatch) -> Result<(), ArchiveError> {
        if let Some(protocol) = described::description(rows, "protocol")? {
            self.protocol = Some(protocol);
        }
        if let Some(metadata) = described::description(rows, "metaData")? {
            self.metadata = Some(metadata);
        }
        for (app, number) in described::numbers(rows)? {
            let known = [LEDGER_APP, EVENTS_APP, EVENTS_AT_APP];
            let known = known.into_iter().find(|known| *known == app);
            self.numbers.extend(known.map(|app| (app, number)));
        }
        Ok(())
    }
}

impl Log {
    /// True if there is a table, or was one.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn exists(&self) -> Result<bool, ArchiveError> {
        // One object tells of nearly every archive; a list may take many requests.
        let noted = HeadNote::read(self.root()).await;
        if matches!(noted, Ok(Some(_))) {
            return Ok(true);
        }
        Ok(!self.list().await?.is_empty() || noted?.is_some())
    }

    /// Opens the table at its newest version.
    ///
    /// # Errors
    /// Missing if there is no table and none may be created; Corrupt if an entry is missing or
    /// damaged; Unsupported or Newer if the table is not for this program; Unavailable.
    pub(in crate::archive) async fn open(
        &self,
        creation: Creation,
    ) -> Result<OpenedTable, ArchiveError> {
        // The note is read first: its commit was then made before the log is listed.
        let noted = HeadNote::read(self.root()).await?;
        let mut listing = self.list().await?;
        if listing.is_empty() {
            noted.iter().try_for_each(|noted| noted.check(None))?;
            self.create(creation).await?;
            listing = self.list().await?;
        }
        let opened = self.open_listed(listing).await?;
        opened.has(noted.as_ref())?;
        Ok(opened)
    }

    pub(in crate::archive) async fn open_listed(
        &self,
        listing: Listing,
    ) -> Result<OpenedTable, ArchiveError> {
        let newest = listing.newest;
        // Only a checkpoint is taken as it is. The entries after it are followed here, so that none
        // passes unchecked.
        let mut snapshot = self.open_vouched(listing).await?;
        loop {
            match self.follow_listed(&snapshot, newest).await {
                Ok(Some(next)) => {
                    snapshot = next.snapshot;
                    if next.at_head {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) if error.is_refusal() => {
                    return Ok(OpenedTable { snapshot, refused: Some(error) });
                }
                Err(error) => return Err(error),
            }
        }
        if snapshot.version() < newest {
            let missing = paths::log_entry(snapshot.version() + 1);
            return Err(ArchiveError::corrupt(
                missing,
                "later entries exist but this one does not",
            ));
        }
        Ok(OpenedTable { snapshot, refused: None })
    }

    /// Opens the newest checkpoint that agrees with the vouched count of events, or version 0.
    async fn open_vouched(&self, listing: Listing) -> Result<Snapshot, ArchiveError> {
        let mut first = None;
        let (mut tried, mut listing) = (None::<u64>, listing);
        loop {
            let before = tried.unwrap_or(u64::MAX);
            let Some(checkpoint) = listing.checkpoint_before(before) else {
                if listing.is_part {
                    listing = self.list_all().await?;
                    continue;
                }
                break;
            };
            let version = checkpoint.version;
            match self.open_at(Some(checkpoint)).await {
                Ok(snapshot) => return Ok(snapshot),
                // A foreign change of the description may be refused, and repaired later.
                Err(error)
                    if error.kind() != Kind::Corrupt
                        && !matches!(error, ArchiveError::Unsupported { .. }) =>
                {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint of the log is passed over");
                    self.passed_over.add(version);
                    first.get_or_insert((version, error));
                    tried = Some(version);
                }
            }
        }
        match (self.link_of(0).await?, first) {
            (None, Some((version, error))) => {
                // The checkpoint may be readable at another attempt.
                self.passed_over.forget(version);
                Err(error)
            }
            _ => self.open_at(None).await,
        }
    }

    /// Opens the version of a checkpoint, or version 0.
    pub(in crate::archive) async fn open_at(
        &self,
        checkpoint: Option<ListedCheckpoint>,
    ) -> Result<Snapshot, ArchiveError> {
        let version = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.version);
        let is_checkpoint = checkpoint.is_some();
        let object = if is_checkpoint { paths::log_checkpoint } else { paths::log_entry }(version);
        let mut state = LogState::new(self, version, checkpoint, LogRetention::FOREVER);
        let mut described = CheckpointActions::default();
        while let Some(batches) = state.next().await? {
            for rows in &batches {
                described.take(rows)?;
                for mut add in described::adds(rows)? {
                    row_counts::complete(&self.root, &mut add).await?;
                    described.files.push(DataFile::from_add(&add)?);
                }
            }
        }
        let CheckpointActions { protocol, metadata, numbers, files } = described;
        let whole = protocol.zip(metadata);
        let (protocol, metadata) = whole.ok_or_else(|| {
            ArchiveError::corrupt(object.as_str(), "it does not say what the table is")
        })?;
        let table = TableInfo::new(&protocol, &metadata)?;
        let number = |app: &str| numbers.get(app).copied().filter(|_| is_checkpoint);
        let ledger = number(LEDGER_APP).map(|number| {
            LedgerName::from_number(number).ok_or_else(|| {
                ArchiveError::corrupt(object.as_str(), "its ledger number is invalid")
            })
        });
        let vouched = Vouched::from_numbers(number(EVENTS_APP), number(EVENTS_AT_APP));
        let snapshot = Snapshot::new(version, table, files.into_iter(), ledger.transpose()?);
        let head = self.link_of(version).await?;
        let events = self.events_at(&snapshot, vouched, &object).await?;
        Ok(snapshot.known_by(head, events))
    }

    /// The events ever added up to a version, if they agree with the vouched number.
    async fn events_at(
        &self,
        snapshot: &Snapshot,
        vouched: Option<Vouched>,
        object: &str,
    ) -> Result<Option<u64>, ArchiveError> {
        let expired = match snapshot.ledger() {
            None => 0,
            Some(name) => {
                Ledgers::new(self.root.clone()).events(name, &snapshot.table().id).await?
            }
        };
        let there = snapshot.live_events().and_then(|live| live.checked_add(expired));
        // Older programs vouch for nothing.
        let Some(Vouched { events, at }) = vouched else { return Ok(there) };
        let since = self.added_between(at, snapshot.version()).await?;
        let expected = since.as_ref().ok().and_then(|since| events.checked_add(*since));
        if there.is_some() && there == expected {
            return Ok(there);
        }
        if there.is_none() && self.is_accepted(snapshot.version()).await? {
            return Ok(None);
        }
        let there = match there {
            Some(there) => there.to_string(),
            None => "an unknown number of".to_owned(),
        };
        Err(match since {
            Ok(since) => ArchiveError::corrupt(
                object,
                format!(
                    "it holds {there} events, but {} were vouched for; if another program deleted \
                     or rewrote events, see: tokenlake repair --dry-run",
                    events.saturating_add(since)
                ),
            ),
            Err(untold) => ArchiveError::Unvouched {
                path: object.to_owned(),
                reason: format!(
                    "it holds {there} events, but {events} were vouched for at version {at}, and \
                     {untold}"
                ),
            },
        })
    }

    /// The events that commits after version `at` added, up to version `to`. Otherwise which entry does
    /// not tell that, as the end of a sentence: it is gone, takes events away, or does not give every
    /// count.
    async fn added_between(&self, at: u64, to: u64) -> Result<Result<u64, String>, ArchiveError> {
        let mut added = 0_u64;
        if at > to {
            return Ok(Err("that is a later one".to_owned()));
        }
        for version in at.saturating_add(1)..=to {
            let path = paths::log_entry(version);
            let Some(entry) = self.read(version).await? else {
                return Ok(Err(format!(
                    "{path}, which tells what came after that, is gone; restore what is gone of \
                     events/_delta_log from a backup, then: tokenlake repair"
                )));
            };
            let more = entry.added().filter(|_| !entry.deletes_events());
            let Some(sum) = more.and_then(|more| added.checked_add(more)) else {
                return Ok(Err(format!(
                    "{path} takes events away, or does not tell how many it adds; see: tokenlake \
                     repair --dry-run"
                )));
            };
            added = sum;
        }
        Ok(Ok(added))
    }

    async fn create(&self, creation: Creation) -> Result<(), ArchiveError> {
        let failed = |error| ArchiveError::unavailable(format!("listing {}", paths::TABLE), error);
        let table = Path::from(paths::TABLE);
        let listed = self.root.list_with_delimiter(Some(&table)).await.map_err(failed)?;
        // A table that was never created has no files.
        if let Some(left) = listed.common_prefixes.iter().find(|path| paths::is_date_folder(path)) {
            // Another process may have made the table since its log was found to be empty.
            if self.exists().await? {
                return Ok(());
            }
            let reason = format!("it is empty, and yet {left} holds events");
            return Err(ArchiveError::corrupt(paths::in_archive(paths::LOG), reason));
        }
        if creation == Creation::Never {
            return Err(ArchiveError::Missing);
        }
        let actions = table::creation(&crate::event::schema())?;
        let now = self.clock.now();
        let vouched = Vouched { events: 0, at: 0 };
        let actions = actions.into_iter().chain(vouched.actions(now)).collect();
        let entry = entry::write("CREATE TABLE", actions, Heading { now, ..Heading::default() })?;
        // Losing this race is as good as winning it.
        self.put(0, &entry).await.map(|_| ())
    }
}
