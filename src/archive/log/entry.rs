//! One entry of the table's log: newline-separated JSON actions, by the Delta protocol.

use std::collections::HashMap;

use bytes::Bytes;
use deltalake_core::kernel::{Action, Add, CommitInfo, Metadata, Protocol, Remove};
use deltalake_core::logstore::get_actions;
use serde_json::Value;
use uuid::Uuid;

use super::vouched::{EVENTS_APP, EVENTS_AT_APP, Vouched};
use crate::archive::chain::{self, EntryLink};
use crate::archive::error::ArchiveError;
use crate::archive::file::stats::Stats;
use crate::archive::ledger_name::{LEDGER_APP, LedgerName};
use crate::archive::paths;
use crate::clock::Micros;

/// Names the commit, so that its writer recognises it whatever the store answered.
const COMMIT_ID: &str = "tokenlakeCommit";
/// How many actions follow, so that a truncated entry does not pass for a whole one.
const ACTION_COUNT: &str = "tokenlakeActions";
/// The link to the entry before.
const BEFORE: &str = "tokenlakeBefore";
/// The version after which a repair replaces all commits.
const REPAIRS_AFTER: &str = "tokenlakeRepairsAfter";

/// The bytes of an entry and the id of its commit.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Unique.
    pub commit_id: Uuid,
    /// The content of the entry.
    pub bytes: Bytes,
}

/// What an entry says in addition to its actions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heading {
    /// When it is written.
    pub now: Micros,
    /// The entry before; `None` for the first, or if that one is not known.
    pub before: Option<EntryLink>,
    /// The version after which the entry replaces all commits, if it is a repair.
    pub repairs_after: Option<u64>,
}

/// Writes an entry.
///
/// # Errors
/// Internal, if an action has no JSON form.
pub fn write(
    operation: &str,
    actions: Vec<Action>,
    heading: Heading,
) -> Result<NewEntry, ArchiveError> {
    let commit_id = Uuid::new_v4();
    let before = heading.before.map(|link| (BEFORE.to_owned(), Value::from(link.to_string())));
    let repairs = heading.repairs_after.map(|version| (REPAIRS_AFTER.to_owned(), version.into()));
    let told = [
        (COMMIT_ID.to_owned(), Value::from(commit_id.to_string())),
        (ACTION_COUNT.to_owned(), Value::from(actions.len())),
        chain::blank_checksum(),
    ];
    let info = CommitInfo {
        timestamp: Some(heading.now / 1_000),
        operation: Some(operation.to_owned()),
        is_blind_append: Some(!actions.iter().any(|action| matches!(action, Action::Remove(_)))),
        engine_info: Some(concat!("tokenlake/", env!("CARGO_PKG_VERSION")).to_owned()),
        info: told.into_iter().chain(before).chain(repairs).collect::<HashMap<_, _>>(),
        ..CommitInfo::default()
    };
    let mut bytes = Vec::new();
    for action in std::iter::once(Action::CommitInfo(info)).chain(actions) {
        serde_json::to_writer(&mut bytes, &action)
            .map_err(|error| ArchiveError::internal("writing a log entry", error))?;
        bytes.push(b'\n');
    }
    chain::seal(&mut bytes);
    Ok(NewEntry { commit_id, bytes: bytes.into() })
}

/// What an entry does to the table.
#[derive(Debug, Default)]
pub struct Entry {
    /// The writer's name for the commit; `None` if the writer is another program.
    pub commit_id: Option<Uuid>,
    /// Files that it adds.
    pub adds: Vec<Add>,
    /// Files that it removes.
    pub removes: Vec<Remove>,
    /// A new description of the table.
    pub metadata: Option<Metadata>,
    /// A new protocol.
    pub protocol: Option<Protocol>,
    /// The ledger with the totals of the removed files and of all that expired before.
    pub ledger: Option<LedgerName>,
    /// The link that distinguishes it from another entry of the same version.
    pub link: Option<EntryLink>,
    /// The link to the entry before it, if it has one.
    pub before: Option<EntryLink>,
    /// The version after which it replaces all commits, if it is a repair.
    pub repairs_after: Option<u64>,
    /// How many events there have ever been, according to its writer.
    pub vouched: Option<Vouched>,
    /// Its operation and program, in its own words.
    pub by: String,
}

impl Entry {
    /// How many events it adds; `None` if it does not give the count of every file.
    pub fn added(&self) -> Option<u64> {
        rows_in(self.adds.iter().filter(|add| add.data_change))
    }

    /// How many rows its files have; `None` if it does not give the count of every file.
    pub fn rows(&self) -> Option<u64> {
        rows_in(self.adds.iter())
    }

    /// True if it takes events out of the table without a ledger, which only a repair may do. Sums
    /// of an earlier version cannot be continued past it.
    pub fn deletes_events(&self) -> bool {
        let removes = self.removes.iter().any(|remove| remove.data_change);
        self.repairs_after.is_some() || self.ledger.is_none() && removes
    }
}

/// How many rows the files have; `None` if the count of one is not given.
pub(in crate::archive) fn rows_in<'a>(mut adds: impl Iterator<Item = &'a Add>) -> Option<u64> {
    let rows = |add: &Add| Stats::parse(add.stats.as_deref()?).num_records;
    adds.try_fold(0_u64, |sum, add| sum.checked_add(rows(add)?))
}

/// Reads an entry.
///
/// # Errors
/// Corrupt, naming the entry, if it is not whole or contains something this program cannot count.
pub fn read(version: u64, bytes: &Bytes) -> Result<Entry, ArchiveError> {
    let corrupt = |reason: &str| ArchiveError::corrupt(paths::log_entry(version), reason);
    let actions = get_actions(version, bytes).map_err(|error| corrupt(&error.to_string()))?;
    if actions.is_empty() {
        return Err(corrupt("it is empty"));
    }
    let sealed = chain::is_sealed(bytes);
    if sealed == Some(false) {
        return Err(corrupt("its checksum is wrong"));
    }
    let (mut entry, mut count, mut announced) = (Entry::default(), 0_u64, None);
    let (mut events, mut events_at) = (None, None);
    for action in actions {
        count += 1;
        match action {
            Action::CommitInfo(info) => {
                count -= 1;
                announced = info.info.get(ACTION_COUNT).and_then(Value::as_u64);
                let id = info.info.get(COMMIT_ID).and_then(Value::as_str);
                entry.commit_id = id.and_then(|id| Uuid::parse_str(id).ok());
                let before = info.info.get(BEFORE).and_then(Value::as_str);
                entry.before = before.and_then(EntryLink::parse);
                let words = [info.operation.as_deref(), info.engine_info.as_deref()];
                entry.by = words.into_iter().flatten().collect::<Vec<_>>().join(" by ");
                entry.repairs_after = info.info.get(REPAIRS_AFTER).and_then(Value::as_u64);
            }
            Action::Add(add) => entry.adds.push(add),
            Action::Remove(remove) => entry.removes.push(remove),
            Action::Metadata(metadata) => entry.metadata = Some(metadata),
            Action::Protocol(protocol) => entry.protocol = Some(protocol),
            Action::Txn(txn) if txn.app_id == LEDGER_APP => {
                let name = LedgerName::from_number(txn.version);
                entry.ledger = Some(name.ok_or_else(|| corrupt("its ledger number is invalid"))?);
            }
            Action::Txn(txn) if txn.app_id == EVENTS_APP => events = Some(txn.version),
            Action::Txn(txn) if txn.app_id == EVENTS_AT_APP => events_at = Some(txn.version),
            // Actions that other programs keep for themselves change no event.
            Action::Txn(_) | Action::Cdc(_) | Action::DomainMetadata(_) => {}
        }
    }
    // Programs that link entries also seal them: a link without a seal means damage.
    if sealed.is_none() && (entry.before.is_some() || entry.repairs_after.is_some()) {
        return Err(corrupt("its checksum is missing"));
    }
    entry.vouched = Vouched::from_numbers(events, events_at);
    entry.link = Some(EntryLink::new(entry.commit_id, bytes));
    if announced.is_some_and(|announced| announced != count) {
        return Err(corrupt("actions are missing from it"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> NewEntry {
        let add = |path: &str| Action::Add(Add { path: path.into(), ..Add::default() });
        let before = Some(EntryLink::new(None, b"before"));
        let heading = Heading { now: 5, before, repairs_after: Some(3) };
        write("WRITE", vec![add("a.parquet"), add("b.parquet")], heading).unwrap()
    }

    #[test]
    fn an_entry_is_read_as_written() {
        let new = entry();
        let read = read(7, &new.bytes).unwrap();
        assert_eq!(read.commit_id, Some(new.commit_id));
        assert_eq!(read.link, Some(EntryLink::new(Some(new.commit_id), &new.bytes)));
        assert_eq!(read.before, Some(EntryLink::new(None, b"before")));
        assert_eq!(read.repairs_after, Some(3));
        assert_eq!(
            read.adds.iter().map(|add| add.path.as_str()).collect::<Vec<_>>(),
            ["a.parquet", "b.parquet"]
        );
    }

    #[test]
    fn no_flipped_bit_changes_what_an_entry_says() {
        let (new, wanted) = (entry(), read(7, &entry().bytes).unwrap().adds.len());
        for bit in 0..new.bytes.len() * 8 {
            let mut bytes = new.bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(entry) = read(7, &bytes.into()) {
                panic!("bit {bit} passes: {} of {wanted} files", entry.adds.len());
            }
        }
    }

    #[test]
    fn no_cut_of_an_entry_passes_for_whole() {
        let bytes = entry().bytes;
        for end in 0..bytes.len() - 1 {
            let error = read(7, &bytes.slice(..end)).unwrap_err().to_string();
            assert!(error.contains("00000000000000000007.json"), "{error}");
        }
    }
}
