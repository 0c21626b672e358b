//! One entry of the table's log: newline-separated JSON actions, by the Delta protocol.

use std::collections::HashMap;

use bytes::Bytes;
use deltalake_core::kernel::{Action, Add, CommitInfo, Metadata, Protocol, Remove};
use deltalake_core::logstore::get_actions;
use serde_json::Value;
use uuid::Uuid;

use super::ledger::{LEDGER_APP, LedgerName};
use super::{ArchiveError, paths};
use crate::clock::Micros;

/// Names the commit, so that its writer knows it again whatever the store answered.
const COMMIT_ID: &str = "tokenlakeCommit";
/// How many actions follow, so that a cut entry is not taken for a whole one.
const ACTION_COUNT: &str = "tokenlakeActions";

/// The bytes of an entry and the name it goes by.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Unique.
    pub commit_id: Uuid,
    /// What is put.
    pub bytes: Bytes,
}

/// Writes an entry.
///
/// # Errors
/// Internal, if an action has no JSON form.
pub fn write(operation: &str, actions: Vec<Action>, now: Micros) -> Result<NewEntry, ArchiveError> {
    let commit_id = Uuid::new_v4();
    let info = CommitInfo {
        timestamp: Some(now / 1_000),
        operation: Some(operation.to_owned()),
        is_blind_append: Some(!actions.iter().any(|action| matches!(action, Action::Remove(_)))),
        engine_info: Some(concat!("tokenlake/", env!("CARGO_PKG_VERSION")).to_owned()),
        info: HashMap::from([
            (COMMIT_ID.to_owned(), Value::from(commit_id.to_string())),
            (ACTION_COUNT.to_owned(), Value::from(actions.len())),
        ]),
        ..CommitInfo::default()
    };
    let mut bytes = Vec::new();
    for action in std::iter::once(Action::CommitInfo(info)).chain(actions) {
        serde_json::to_writer(&mut bytes, &action)
            .map_err(|error| ArchiveError::internal("writing a log entry", error))?;
        bytes.push(b'\n');
    }
    Ok(NewEntry { commit_id, bytes: bytes.into() })
}

/// What an entry does to the table.
#[derive(Debug, Default)]
pub struct Entry {
    /// The writer's name for the commit, where the writer is a tokenlake.
    pub commit_id: Option<Uuid>,
    /// Files that come.
    pub adds: Vec<Add>,
    /// Files that go.
    pub removes: Vec<Remove>,
    /// A new description of the table.
    pub metadata: Option<Metadata>,
    /// A new protocol.
    pub protocol: Option<Protocol>,
    /// Where the totals of the files that go, and of all before them, are folded.
    pub ledger: Option<LedgerName>,
}

impl Entry {
    /// True if it takes events out of the table without a ledger, which this program refuses to
    /// follow. One who opens the table at a later checkpoint of the log has not seen it.
    pub fn deletes_events(&self) -> bool {
        self.ledger.is_none() && self.removes.iter().any(|remove| remove.data_change)
    }
}

/// Reads an entry.
///
/// # Errors
/// Corrupt, naming the entry, if it is not whole or holds what this program cannot count.
pub fn read(version: u64, bytes: &Bytes) -> Result<Entry, ArchiveError> {
    let corrupt = |reason: &str| ArchiveError::corrupt(paths::log_entry(version), reason);
    let actions = get_actions(version, bytes).map_err(|error| corrupt(&error.to_string()))?;
    if actions.is_empty() {
        return Err(corrupt("it is empty"));
    }
    let (mut entry, mut count, mut announced) = (Entry::default(), 0_u64, None);
    for action in actions {
        count += 1;
        match action {
            Action::CommitInfo(info) => {
                count -= 1;
                announced = info.info.get(ACTION_COUNT).and_then(Value::as_u64);
                let id = info.info.get(COMMIT_ID).and_then(Value::as_str);
                entry.commit_id = id.and_then(|id| Uuid::parse_str(id).ok());
            }
            Action::Add(add) => entry.adds.push(add),
            Action::Remove(remove) => entry.removes.push(remove),
            Action::Metadata(metadata) => entry.metadata = Some(metadata),
            Action::Protocol(protocol) => entry.protocol = Some(protocol),
            Action::Txn(txn) if txn.app_id == LEDGER_APP => {
                let name = LedgerName::from_number(txn.version);
                entry.ledger = Some(name.ok_or_else(|| corrupt("it names no ledger that can be"))?);
            }
            Action::Txn(_) | Action::Cdc(_) => {}
            Action::DomainMetadata(domain) => {
                return Err(ArchiveError::Unsupported {
                    path: paths::log_entry(version),
                    reason: format!(
                        "it sets domainMetadata ({}), a table feature that would shut other readers and writers out; take the feature off with the program that set it, or take the commit back with `tokenlake repair`",
                        domain.domain
                    ),
                });
            }
        }
    }
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
        write("WRITE", vec![add("a.parquet"), add("b.parquet")], 5).unwrap()
    }

    #[test]
    fn an_entry_is_read_as_written() {
        let new = entry();
        let read = read(7, &new.bytes).unwrap();
        assert_eq!(read.commit_id, Some(new.commit_id));
        assert_eq!(
            read.adds.iter().map(|add| add.path.as_str()).collect::<Vec<_>>(),
            ["a.parquet", "b.parquet"]
        );
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
