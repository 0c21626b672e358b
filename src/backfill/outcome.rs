//! What a job is to do, and what became of it.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{BackfillError, FieldPair};
use crate::clock::Micros;
use crate::event::OrgRule;
use crate::rollup::SeriesCap;

/// Inputs that cannot be read and are told of one by one.
const UNREAD_SHOWN_MAX: usize = 1_000;

/// What a job is to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose events are taken.
    pub org_rule: OrgRule,
    /// Fields with the columns that they are taken from.
    pub maps: Vec<FieldPair>,
    /// Fields with the values that they have by default.
    pub defaults: Vec<FieldPair>,
    /// What stands between cells of CSV, where it is not what its format has.
    pub delimiter: Option<u8>,
    /// Where refused rows are kept.
    pub rejects: Option<PathBuf>,
    /// Memory for rows that wait or are being committed.
    pub held_bytes_max: usize,
    /// Where rows are put aside that memory has no room for.
    pub spill_folder: PathBuf,
    /// What keeps organisations from having too many series.
    pub series: Option<Arc<SeriesCap>>,
    /// The time by which events are judged.
    pub now: Micros,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows found.
    pub read: u64,
    /// Events that were added.
    pub accepted: u64,
    /// Events that stood already.
    pub duplicates: u64,
    /// Rows that are no valid events.
    pub rejected: u64,
    /// Inputs read to their end.
    pub files: u64,
}

/// How a job ended.
#[derive(Debug)]
pub struct Outcome {
    /// What is done.
    pub summary: Summary,
    /// It was stopped before its end.
    pub stopped: bool,
    /// What ended it early, or what was wrong with all of it.
    pub error: Option<BackfillError>,
    /// Inputs that could not be used, or not be read to their end.
    pub unread: Unread,
    /// Values of attributes that are no text, and were left out.
    pub left_out: u64,
}

/// Inputs that could not be read, in their order.
#[derive(Debug, Default)]
pub struct Unread {
    /// Why the first of them could not.
    pub first: Vec<BackfillError>,
    /// How many there are.
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
