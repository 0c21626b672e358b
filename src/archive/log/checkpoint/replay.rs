//! Selects the actions of a log that are in force: for each file, application or domain, the last
//! one. Entries are read from the newest to the oldest, and a checkpoint after them.
//!
//! Only the names met since that checkpoint are kept in memory, as hashes.

use std::collections::HashSet;
use std::hash::Hasher as _;

use arrow::array::{
    Array as _, AsArray as _, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    StructArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};
use arrow::error::ArrowError;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use uuid::Uuid;

/// How far back removed files and silent applications are remembered. In milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(in crate::archive) struct LogRetention {
    /// Files removed at this time or before are forgotten.
    pub removed_until: i64,
    /// Applications last heard of at this time or before are forgotten; `None` if none are.
    pub heard_until: Option<i64>,
}

impl LogRetention {
    /// Nothing is forgotten.
    pub(in crate::archive) const FOREVER: Self =
        Self { removed_until: i64::MIN, heard_until: None };
}

/// The source of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// An entry of the log.
    Entry,
    /// A checkpoint, which has at most one action for each name.
    Checkpoint,
}

/// The names met so far.
#[derive(Debug)]
pub(super) struct Replay {
    retention: LogRetention,
    /// The keys of the hashes, so that an attacker cannot prepare names that collide.
    keys: (u64, u64),
    files: HashSet<u128>,
    others: HashSet<u128>,
    /// How many actions were kept.
    pub kept: u64,
    /// How many of them add a file.
    pub kept_adds: u64,
}

impl Replay {
    /// A replay that has met nothing yet.
    pub fn new(retention: LogRetention) -> Self {
        let keys = Uuid::new_v4().as_u64_pair();
        let (files, others) = Default::default();
        Self { retention, keys, files, others, kept: 0, kept_adds: 0 }
    }

    /// True if both the protocol and the metadata were met.
    pub fn is_described(&self) -> bool {
        ["protocol", "metaData"].iter().all(|kind| self.others.contains(&self.hash(&[kind])))
    }

    /// The actions that are in force, from all rows of an entry or from some rows of a checkpoint.
    ///
    /// # Errors
    /// An action lacks its name.
    pub fn keep(
        &mut self,
        batches: &[RecordBatch],
        from: From,
    ) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut kept: Vec<_> = batches.iter().map(|rows| vec![false; rows.num_rows()]).collect();
        // A file that one entry both adds and removes exists afterwards, because readers apply
        // removals first.
        for adds in [true, false] {
            for (rows, kept) in batches.iter().zip(&mut kept) {
                let actions = Actions::of(rows).ok_or_else(|| lacks("its columns"))?;
                for (row, kept) in kept.iter_mut().enumerate() {
                    if actions.add.is_at(row) == adds {
                        *kept = self.keeps(&actions, row, from)?;
                    }
                }
            }
        }
        let filtered = batches.iter().zip(kept).map(|(rows, kept)| {
            self.kept += kept.iter().filter(|kept| **kept).count() as u64;
            filter_record_batch(rows, &BooleanArray::from(kept))
        });
        filtered.collect()
    }

    fn keeps(&mut self, actions: &Actions<'_>, row: usize, from: From) -> Result<bool, ArrowError> {
        let Actions { add, remove, .. } = actions;
        if add.is_at(row) {
            let is_new = self.is_new_file(add, row, from)?;
            self.kept_adds += u64::from(is_new);
            return Ok(is_new);
        }
        if remove.is_at(row) {
            let removed_at = number(actions.removed_at, row).unwrap_or_default();
            let is_new = self.is_new_file(remove, row, from)?;
            return Ok(is_new && removed_at > self.retention.removed_until);
        }
        if actions.txn.is_valid(row) {
            let app = text(actions.app, row).ok_or_else(|| lacks("its application"))?;
            let heard_at = number(actions.heard_at, row);
            let is_forgotten = self.retention.heard_until.zip(heard_at);
            let is_new = self.is_new(&["txn", app]);
            return Ok(is_new && is_forgotten.is_none_or(|(until, at)| at > until));
        }
        if actions.domain.is_valid(row) {
            let name = text(actions.domain_name, row).ok_or_else(|| lacks("its domain"))?;
            let is_removed =
                actions.domain_removed.is_valid(row) && actions.domain_removed.value(row);
            return Ok(self.is_new(&["domain", name]) && !is_removed);
        }
        let kinds = [("protocol", actions.protocol), ("metaData", actions.metadata)];
        let kind = kinds.iter().find(|(_, there)| there.is_valid(row));
        Ok(kind.is_some_and(|(kind, _)| self.is_new(&[kind])))
    }

    fn is_new_file(&mut self, file: &File<'_>, row: usize, from: From) -> Result<bool, ArrowError> {
        let path = text(file.path, row).ok_or_else(|| lacks("its path"))?;
        // By the protocol, the same path with another deletion vector is another file.
        let vector = [file.vector_type, file.vector_path].map(|part| text(part, row));
        let offset = file.vector_offset.is_valid(row).then(|| file.vector_offset.value(row));
        let [kind, place] = vector.map(Option::unwrap_or_default);
        let offset = offset.map(|offset| offset.to_string()).unwrap_or_default();
        let hash = self.hash(&[path, kind, place, &offset]);
        Ok(match from {
            From::Entry => self.files.insert(hash),
            From::Checkpoint => !self.files.contains(&hash),
        })
    }

    fn is_new(&mut self, name: &[&str]) -> bool {
        self.others.insert(self.hash(name))
    }

    fn hash(&self, parts: &[&str]) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        for part in parts {
            hasher.write(part.as_bytes());
            // A separator that no text contains.
            hasher.write_u8(0xff);
        }
        hasher.finish128().as_u128()
    }
}

fn lacks(what: &str) -> ArrowError {
    ArrowError::ParseError(format!("an action lacks {what}"))
}

/// The members that identify actions.
struct Actions<'a> {
    add: File<'a>,
    remove: File<'a>,
    removed_at: &'a Int64Array,
    txn: &'a StructArray,
    app: &'a StringArray,
    heard_at: &'a Int64Array,
    domain: &'a StructArray,
    domain_name: &'a StringArray,
    domain_removed: &'a BooleanArray,
    protocol: &'a StructArray,
    metadata: &'a StructArray,
}

impl<'a> Actions<'a> {
    fn of(rows: &'a RecordBatch) -> Option<Self> {
        let kind = |name: &str| rows.column_by_name(name)?.as_struct_opt();
        let (add, remove) = (kind("add")?, kind("remove")?);
        let (txn, domain) = (kind("txn")?, kind("domainMetadata")?);
        Some(Self {
            add: File::of(add)?,
            remove: File::of(remove)?,
            removed_at: remove
                .column_by_name("deletionTimestamp")?
                .as_primitive_opt::<Int64Type>()?,
            txn,
            app: txn.column_by_name("appId")?.as_string_opt()?,
            heard_at: txn.column_by_name("lastUpdated")?.as_primitive_opt::<Int64Type>()?,
            domain,
            domain_name: domain.column_by_name("domain")?.as_string_opt()?,
            domain_removed: domain.column_by_name("removed")?.as_boolean_opt()?,
            protocol: kind("protocol")?,
            metadata: kind("metaData")?,
        })
    }
}

/// The members that identify a file.
struct File<'a> {
    there: &'a StructArray,
    path: &'a StringArray,
    vector_type: &'a StringArray,
    vector_path: &'a StringArray,
    vector_offset: &'a Int32Array,
}

impl<'a> File<'a> {
    fn of(there: &'a StructArray) -> Option<Self> {
        let vector = there.column_by_name("deletionVector")?.as_struct_opt()?;
        Some(Self {
            there,
            path: there.column_by_name("path")?.as_string_opt()?,
            vector_type: vector.column_by_name("storageType")?.as_string_opt()?,
            vector_path: vector.column_by_name("pathOrInlineDv")?.as_string_opt()?,
            vector_offset: vector.column_by_name("offset")?.as_primitive_opt::<Int32Type>()?,
        })
    }

    fn is_at(&self, row: usize) -> bool {
        self.there.is_valid(row)
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn number(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}
