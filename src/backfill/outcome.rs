//! The settings of a job, and its result.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{BackfillError, FieldPair};
use crate::clock::Micros;
use crate::event::OrgRule;
use crate::price_book::InForce;

/// Unreadable inputs that are reported one by one.
const UNREAD_SHOWN_MAX: usize = 1_000;

/// Memory of a job by default, in bytes: for rows that wait and known ids.
pub const MEMORY_BYTES: u64 = 512 << 20;
/// The part of it that is for rows; the rest is for what is read, decoded, sorted and encoded, and
/// for ids.
pub const ROWS_SHARE: usize = 5;

/// The settings of a job.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// The organisations whose events are accepted.
    pub org_rule: OrgRule,
    /// Fields with the columns that supply them.
    pub maps: Vec<FieldPair>,
    /// Fields with their default values.
    pub defaults: Vec<FieldPair>,
    /// The delimiter of CSV, if it is not the usual one of the format.
    pub delimiter: Option<u8>,
    /// The file for rejected rows.
    pub rejects: Option<PathBuf>,
    /// Memory for rows that wait or are being committed, in bytes.
    pub held_bytes_max: usize,
    /// The folder for rows that do not fit in memory.
    pub spill_folder: PathBuf,
    /// The time by which events are judged.
    pub now: Micros,
    /// The prices of calls that come without a cost; `None` if they get none.
    pub prices: Option<Arc<InForce>>,
}

impl JobSettings {
    /// Of the inputs' events as they are, with the usual memory.
    pub fn new(org_rule: OrgRule, now: Micros) -> Self {
        let memory = usize::try_from(MEMORY_BYTES).unwrap_or(usize::MAX);
        Self {
            org_rule,
            maps: Vec::new(),
            defaults: Vec::new(),
            delimiter: None,
            rejects: None,
            held_bytes_max: memory / ROWS_SHARE,
            spill_folder: std::env::temp_dir(),
            now,
            prices: None,
        }
    }
}

/// The counts of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct JobSummary {
    /// Rows read.
    pub read: u64,
    /// Events added.
    pub accepted: u64,
    /// Events that the table already had.
    pub duplicates: u64,
    /// Rows that are not valid events.
    pub rejected: u64,
    /// Inputs read to their end.
    pub files: u64,
}

/// The result of a job.
#[derive(Debug)]
pub struct Outcome {
    /// The counts of rows.
    pub summary: JobSummary,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// The error that ended it early, or that concerns all of it.
    pub error: Option<BackfillError>,
    /// Inputs that could not be used or not read to their end.
    pub unread: Unread,
    /// Number of attribute values that are not text and were left out.
    pub left_out: u64,
}

/// Inputs that could not be read, in their order.
#[derive(Debug, Default)]
pub struct Unread {
    /// The errors of the first ones.
    pub first: Vec<BackfillError>,
    /// Number of all.
    pub count: u64,
}

impl Unread {
    pub(super) fn add(&mut self, why: BackfillError) {
        self.count += 1;
        if self.first.len() < UNREAD_SHOWN_MAX {
            self.first.push(why);
        }
    }
}
