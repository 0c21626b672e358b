//! The check of one data file: its content against the log's description of it.

use std::ops::Bound;
use std::sync::Arc;

use super::parts::Parts;
use crate::archive::{DataFile, EventHash, IdReader, Snapshot};
use crate::clock::{DAY, Micros};
use crate::rollup::Partial;
use crate::sql::{CarriedCells, CellKind, Engine, OrgCost, SeriesTotal, SqlError};

/// How files are checked.
#[derive(Debug)]
pub(super) struct FileChecker {
    pub(super) engine: Arc<Engine>,
    pub(super) ids: IdReader,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) now: Micros,
    /// Whether their rows are added up too.
    pub(super) adds_up: bool,
}

/// The result of a check.
#[derive(Debug)]
pub(super) struct CheckedFile {
    pub(super) events: u64,
    pub(super) ids: Vec<EventHash>,
    pub(super) totals: Vec<SeriesTotal>,
    pub(super) rolling: Vec<OrgCost>,
    pub(super) parts: Parts,
    pub(super) differences: Vec<String>,
}

impl FileChecker {
    pub(super) async fn run(&self, file: &Arc<DataFile>) -> Result<CheckedFile, SqlError> {
        let mut differences = Vec::new();
        // A file that breaks a rule is one difference, not one for each number that it is in.
        self.engine.judge().check(&self.snapshot, file, None).await?;
        let events = self.check_log(file, &mut differences).await?;
        let path = file.path_in_archive();
        let ids = self.ids.checked(file).await?;
        if ids.iter().any(|id| !file.may_hold_any(std::iter::once(*id))) {
            differences.push(format!("the log's filter of event ids misses events of {path}"));
        }
        let mut parts = Parts::default();
        if !self.carries_its_sums(file, &mut parts).await? {
            differences.push(format!("{path} carries sums that are not those of its events"));
        }
        let (mut totals, mut rolling) = (Vec::new(), Vec::new());
        let (after, until) = (self.now - DAY, self.now);
        if self.adds_up {
            let one = std::slice::from_ref(file);
            totals = self.engine.totals(one).await?;
            if file.may_hold_time(after + 1, until) {
                rolling = self.engine.rolling_cost(one, after, until).await?;
            }
        }
        Ok(CheckedFile { events, ids, totals, rolling, parts, differences })
    }

    /// Compares rows, dates and bounds; returns the number of events.
    async fn check_log(
        &self,
        file: &Arc<DataFile>,
        differences: &mut Vec<String>,
    ) -> Result<u64, SqlError> {
        let path = file.path_in_archive();
        let check = self.engine.file_check(file).await?;
        if let Some(rows) = file.rows.filter(|rows| *rows != check.events) {
            differences.push(format!("{path} holds {} events, the log says {rows}", check.events));
        }
        if check.misplaced > 0 {
            differences.push(format!("{path} holds {} events of another date", check.misplaced));
        }
        let bounded = check.bounds.is_none_or(|bounds| {
            bounds.times.iter().all(|ts| file.may_hold_time(*ts, *ts))
                && bounds.orgs.iter().all(|org| file.may_hold_org(org))
        });
        if !bounded {
            differences.push(format!("{path} holds events outside the bounds in the log"));
        }
        Ok(check.events)
    }

    /// Makes the cells of each kind of the rows, and compares them with those that the file carries. Those
    /// of dimensions are added up.
    async fn carries_its_sums(
        &self,
        file: &Arc<DataFile>,
        parts: &mut Parts,
    ) -> Result<bool, SqlError> {
        let mut carries = true;
        let table = self.snapshot.table();
        let dimensions = table.dimensions.iter().map(CellKind::of);
        let corrections = table.may_hold_corrections().then_some(CellKind::Corrections);
        let core = [CellKind::Core, CellKind::Days];
        for kind in core.into_iter().chain(dimensions).chain(corrections) {
            let stored = CarriedCells::of(&kind, file);
            // A file of ours that names none has no corrections.
            let is_none = kind == CellKind::Corrections && stored.is_none() && file.is_ours();
            if matches!(kind, CellKind::Core | CellKind::Days) && stored.is_none() {
                continue;
            }
            let made = self.engine.cells(&kind, file).await?;
            if let Some(dimension) = kind.dimension() {
                parts.add(&dimension.name, &made);
                if file.may_hold_time(self.now - DAY + 1, self.now) {
                    parts.add_rolling(&self.engine, &kind, file, self.now).await?;
                }
            }
            carries &= !is_none || made.is_empty();
            if let Some(stored) = stored {
                let all = (Bound::Unbounded, Bound::Unbounded);
                let stored = self.engine.stored_partial(stored, all).await?;
                carries &= Partial::new(stored) == Partial::new(made);
            }
        }
        Ok(carries)
    }
}
