//! The crossings in the bucket, and what is open of them.
//!
//! ```text
//! open note ─▶ crossing, if absent ─▶ message ─▶ done mark, if absent ─▶ open note deleted
//! ```
//!
//! The note comes first, so that whoever sees it can go on from any step where its writer stopped. The
//! crossing arbitrates: what it says is what every message about it says.

use std::collections::BTreeMap;

use super::attempt::{Attempts, EndMark};
use super::crossing::{Crossing, CrossingKey};
use super::name::BudgetName;
use crate::archive::{
    ArchiveError, CROSSINGS, OPEN_CROSSINGS, RecordMark, Records, Stored, crossings_of,
};
use crate::error::Kind;

const RECORD: &str = "json";
const DONE: &str = "done.json";
const REARMED: &str = "rearmed.json";
const TRIES: &str = "tries.json";

/// What is known of the crossings of a revision of a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrossingState {
    /// Whether nothing more is to be sent.
    pub is_done: bool,
    /// Of a rolling period: whether the threshold may be crossed again.
    pub is_rearmed: bool,
}

/// A crossing whose message may not be delivered.
#[derive(Debug, Clone)]
pub struct OpenCrossing {
    /// The note.
    pub note: RecordMark,
    /// The tries so far, if there are any.
    pub attempts: Option<RecordMark>,
}

/// Reads and writes crossings.
#[derive(Debug, Clone)]
pub struct Crossings {
    records: Records,
}

/// The path of a record about a crossing.
macro_rules! path {
    ($folder:expr, $crossing:expr, $rest:expr) => {{
        let Crossing { org_id, budget, revision, .. } = $crossing;
        let lower = org_id.to_ascii_lowercase();
        let stem = CrossingKey::of($crossing).stem();
        crossings_of($folder, &lower, budget.as_str(), *revision).join(format!("{stem}.{}", $rest))
    }};
}

impl Crossings {
    /// The crossings of an archive.
    pub fn new(records: Records) -> Self {
        Self { records }
    }

    /// All crossings of a revision of a budget. Takes one request per thousand records.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn of(
        &self,
        org: &str,
        name: &BudgetName,
        revision: u64,
    ) -> Result<BTreeMap<CrossingKey, CrossingState>, ArchiveError> {
        let folder = crossings_of(CROSSINGS, &org.to_ascii_lowercase(), name.as_str(), revision);
        let mut found: BTreeMap<CrossingKey, CrossingState> = BTreeMap::new();
        for mark in self.records.list(folder.as_ref()).await? {
            let name = mark.path.filename().and_then(CrossingKey::parse);
            let Some((key, rest)) = name else { continue };
            let state = found.entry(key).or_default();
            state.is_done |= rest == DONE;
            state.is_rearmed |= rest == REARMED;
        }
        Ok(found)
    }

    /// Notes that a crossing is to be put and its message to be sent, by whoever sees the note.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn note(&self, crossing: &Crossing) -> Result<(), ArchiveError> {
        let note = path!(OPEN_CROSSINGS, crossing, RECORD);
        self.records.put_new(&note, crossing).await.map(drop)
    }

    /// Puts a crossing unless it exists; true if it did not.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn put(&self, crossing: &Crossing) -> Result<bool, ArchiveError> {
        self.records.put_new(&path!(CROSSINGS, crossing, RECORD), crossing).await
    }

    /// The crossing with the key of this one, as it was put.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn get(&self, crossing: &Crossing) -> Result<Option<Crossing>, ArchiveError> {
        let stored = self.records.get(&path!(CROSSINGS, crossing, RECORD)).await?;
        Ok(stored.map(|stored: Stored<Crossing>| stored.record))
    }

    /// The crossing of a revision with a key.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn get_of(
        &self,
        (org, name, revision): (&str, &BudgetName, u64),
        key: &CrossingKey,
    ) -> Result<Option<Crossing>, ArchiveError> {
        let folder = crossings_of(CROSSINGS, &org.to_ascii_lowercase(), name.as_str(), revision);
        let path = folder.join(format!("{}.{RECORD}", key.stem()));
        let stored = self.records.get(&path).await?;
        Ok(stored.map(|stored: Stored<Crossing>| stored.record))
    }

    /// How its delivery ended; `None` if it has not.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn ending(&self, crossing: &Crossing) -> Result<Option<EndMark>, ArchiveError> {
        let stored = self.records.get(&path!(CROSSINGS, crossing, DONE)).await?;
        Ok(stored.map(|stored: Stored<EndMark>| stored.record))
    }

    /// As [`Crossings::ending`], by the key.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn ending_of(
        &self,
        (org, name, revision): (&str, &BudgetName, u64),
        key: &CrossingKey,
    ) -> Result<Option<EndMark>, ArchiveError> {
        let folder = crossings_of(CROSSINGS, &org.to_ascii_lowercase(), name.as_str(), revision);
        let path = folder.join(format!("{}.{DONE}", key.stem()));
        let stored = self.records.get(&path).await?;
        Ok(stored.map(|stored: Stored<EndMark>| stored.record))
    }

    /// Marks the delivery as ended, unless it is marked already, and forgets what is open of it.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn end(&self, crossing: &Crossing, done: &EndMark) -> Result<(), ArchiveError> {
        self.records.put_new(&path!(CROSSINGS, crossing, DONE), done).await?;
        self.close(crossing).await
    }

    /// Forgets what is open of a crossing.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn close(&self, crossing: &Crossing) -> Result<(), ArchiveError> {
        self.records.remove(&path!(OPEN_CROSSINGS, crossing, TRIES)).await?;
        self.records.remove(&path!(OPEN_CROSSINGS, crossing, RECORD)).await
    }

    /// The tries of a message so far; none if nobody can read them.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn attempts(&self, crossing: &Crossing) -> Result<Attempts, ArchiveError> {
        match self.records.get(&path!(OPEN_CROSSINGS, crossing, TRIES)).await {
            Ok(stored) => {
                Ok(stored.map(|stored: Stored<Attempts>| stored.record).unwrap_or_default())
            }
            // They say no more than when to try again; the next try that fails writes them anew.
            Err(error) if error.kind() == Kind::Corrupt => {
                tracing::warn!(%error, "the tries of a spend alert cannot be read; it is tried anew");
                Ok(Attempts::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Says that one more try failed.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn failed(&self, crossing: &Crossing, so_far: &Attempts) -> Result<(), ArchiveError> {
        self.records.put(&path!(OPEN_CROSSINGS, crossing, TRIES), so_far).await
    }

    /// Says that a threshold of a rolling period may be crossed again after this crossing.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn rearm(
        &self,
        (org, name, revision): (&str, &BudgetName, u64),
        key: &CrossingKey,
        below: &Rearmed,
    ) -> Result<(), ArchiveError> {
        let folder = crossings_of(CROSSINGS, &org.to_ascii_lowercase(), name.as_str(), revision);
        let path = folder.join(format!("{}.{REARMED}", key.stem()));
        self.records.put_new(&path, below).await.map(drop)
    }

    /// Everything that is open, of all organisations. Usually nothing is.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn open(&self) -> Result<Vec<OpenCrossing>, ArchiveError> {
        let mut found: BTreeMap<String, (Option<RecordMark>, Option<RecordMark>)> = BTreeMap::new();
        for mark in self.records.list(OPEN_CROSSINGS).await? {
            let path = mark.path.to_string();
            match path.strip_suffix(&format!(".{TRIES}")) {
                Some(stem) => found.entry(stem.to_owned()).or_default().1 = Some(mark),
                None => {
                    let stem = path.strip_suffix(&format!(".{RECORD}")).unwrap_or(&path);
                    found.entry(stem.to_owned()).or_default().0 = Some(mark);
                }
            }
        }
        let mut open = Vec::new();
        for (note, attempts) in found.into_values() {
            match (note, attempts) {
                (Some(note), attempts) => open.push(OpenCrossing { note, attempts }),
                // A try that ended after another process delivered the message.
                (None, Some(left)) => self.records.remove(&left.path).await?,
                (None, None) => {}
            }
        }
        Ok(open)
    }

    /// The crossing that a note is about; `None` if the note is gone. One that is damaged is about the
    /// crossing that was put after it.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn noted(&self, note: &RecordMark) -> Result<Option<Crossing>, ArchiveError> {
        let stored: Option<Stored<Crossing>> = match self.records.get(&note.path).await {
            Err(error) if error.kind() == Kind::Corrupt => {
                let Some(put) = note.path_in(OPEN_CROSSINGS, CROSSINGS) else { return Err(error) };
                Some(self.records.get(&put).await?.ok_or(error)?)
            }
            stored => stored?,
        };
        Ok(stored.map(|stored| stored.record))
    }
}

/// The path of a crossing's note.
pub fn note_path(crossing: &Crossing) -> String {
    path!(OPEN_CROSSINGS, crossing, RECORD).to_string()
}

/// The record that a threshold may be crossed again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rearmed {
    /// When that was seen, in µs since 1970.
    pub at_us: i64,
    /// The version of the table at which that was so.
    pub version: u64,
}

impl crate::archive::Record for Rearmed {}
