//! The records: parts, the catalogues that say which of them are in force, and the newest one's note.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::row::{ReportKey, ReportRow};
use crate::archive::store::sealed::Record;
use crate::clock::Micros;

/// A stretch of time: from the first instant to before the second.
pub type ReportSpan = [Micros; 2];

/// Which report it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportName {
    /// Whose: `openai`, `anthropic`.
    pub provider: String,
    /// Of what: `usage`, `costs`.
    pub report: String,
}

/// The rows of a report on a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportPart {
    /// Which report.
    pub of: ReportName,
    /// The date on which its buckets begin, in UTC: `2026-11-03`.
    pub date: String,
    /// The time that its buckets cover, also those without rows: in order, none touching another.
    pub covered: Vec<ReportSpan>,
    /// Its rows, in the order of their keys.
    pub rows: Vec<ReportRow>,
}

impl Record for ReportPart {}

/// The parts of an organisation's reports that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportCatalogue {
    /// The organisation's name, as it is spelt.
    pub org_id: String,
    /// Its version, from 1.
    pub version: u64,
    /// Its parts, in the order of report and date.
    pub parts: Vec<ListedPart>,
    /// Parts that others took the place of, and that readers of an older catalogue may still read.
    pub(super) retired: Vec<RetiredPart>,
}

impl Record for ReportCatalogue {}

/// A part of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedPart {
    /// Which report.
    pub of: ReportName,
    /// The date.
    pub date: String,
    /// Its rows.
    pub rows: u64,
    /// The id of its object.
    pub(super) object: String,
}

/// A part that another took the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetiredPart {
    /// The id of its object.
    pub(super) object: String,
    /// When that was.
    pub(super) at_us: Micros,
}

/// A note of the newest catalogue, which is there to be missed if that one is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewestCatalogue {
    /// Its version, or an older one.
    pub(super) version: u64,
}

impl Record for NewestCatalogue {}

/// What an import has of a report on a date.
#[derive(Debug, Clone, Default)]
pub struct NewReportPart {
    /// Its rows.
    pub rows: BTreeMap<ReportKey, ReportRow>,
    /// The time that its buckets cover.
    pub covered: Vec<ReportSpan>,
}

/// Stretches of time in order, none touching another.
pub(super) fn joined(mut spans: Vec<ReportSpan>) -> Vec<ReportSpan> {
    spans.sort_unstable();
    let mut joined: Vec<ReportSpan> = Vec::new();
    for [start, end] in spans {
        match joined.last_mut() {
            Some([_, last]) if start <= *last => *last = end.max(*last),
            _ => joined.push([start, end]),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_are_one() {
        let spans = vec![[10, 20], [0, 5], [20, 30], [4, 6], [40, 50], [41, 42]];
        assert_eq!(joined(spans), [[0, 6], [10, 30], [40, 50]]);
        assert_eq!(joined(Vec::new()), Vec::<ReportSpan>::new());
    }
}
