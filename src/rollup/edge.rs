//! An hour that the rolling window cuts: its cost up to an instant.
//!
//! Most files need no look at their rows. A file whose events of the hour all lie before the cut
//! counts whole, and one that begins after it not at all. If the cut goes through a file, its rows
//! are read once. They are kept as sorted times with prefix sums while the hour is at the window's
//! edge.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::cache::Ask;
use super::cells_of_files::{SIDE_BY_SIDE, each_of_files};
use super::org_usage::HourCost;
use super::partial::PartialCell;
use super::scope::UsageScope;
use super::sources::Sources;
use super::window_costs::CostUntil;
use crate::archive::{DataFile, Snapshot, date_of};
use crate::clock::{HOUR, Micros};
use crate::sql::{CellKind, EdgeRow, Engine, SqlError, part_of};

/// One file's share of the hour.
#[derive(Debug)]
struct Share {
    file: Arc<DataFile>,
    whole: HourCost,
    /// Ascending instants, each with the cost of all events up to and including it.
    rows: Option<Vec<EdgeRow>>,
}

/// An hour of one organisation, or of a part of it.
#[derive(Debug, Default)]
pub struct Edge {
    shares: Vec<Share>,
}

impl Edge {
    /// Adds a file's share of the hour.
    pub fn add(&mut self, file: &Arc<DataFile>, whole: HourCost) {
        match self.shares.last_mut() {
            Some(last) if Arc::ptr_eq(&last.file, file) => last.whole.merge(whole),
            _ => self.shares.push(Share { file: file.clone(), whole, rows: None }),
        }
    }

    /// The cost of the hour up to and including `until`; `None` if rows must be read first.
    pub fn cost_until(&self, until: Micros) -> Option<CostUntil> {
        self.shares.iter().try_fold(CostUntil::for_ever(0), |sum, share| {
            let share = share.cost_until(until)?;
            let changes = sum.changes.min(share.changes);
            Some(CostUntil { cost: sum.cost + share.cost, changes })
        })
    }

    /// The files whose rows must be read for the cost up to `until` to be known.
    pub fn lacks(&self, until: Micros) -> impl Iterator<Item = &Arc<DataFile>> {
        let cut = self.shares.iter().filter(move |share| share.cost_until(until).is_none());
        cut.map(|share| &share.file)
    }

    /// Adds a file's share of the hour, by its rows.
    fn add_rows(&mut self, file: &Arc<DataFile>, rows: Vec<EdgeRow>) {
        let rows = prefix_sums(rows);
        let (last_ts, cost) = rows.last().copied().unwrap_or_default();
        let (file, whole) = (file.clone(), HourCost { cost, last_ts });
        self.shares.push(Share { file, whole, rows: Some(rows) });
    }

    /// Takes the rows of the hour in a file.
    pub fn give(&mut self, file: &Arc<DataFile>, rows: Vec<EdgeRow>) {
        if let Some(share) = self.shares.iter_mut().find(|share| share.file.path == file.path) {
            share.rows = Some(prefix_sums(rows));
        }
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        let rows = |share: &Share| share.rows.as_ref().map_or(0, Vec::capacity);
        self.shares
            .iter()
            .map(|share| size_of::<Share>() + rows(share) * size_of::<EdgeRow>())
            .sum()
    }
}

/// An hour of a version, by the names of a scope. Where the cells of a file would have to be made of many
/// rows, those of the hour alone are read.
///
/// # Errors
/// Corrupt or Unavailable, naming the file.
pub async fn load(
    sources: &Sources,
    scope: &Arc<UsageScope>,
    snapshot: &Snapshot,
    hour: Micros,
) -> Result<BTreeMap<Arc<str>, Edge>, SqlError> {
    let org_id = scope.org_id.as_str();
    let files = date_of(hour).into_iter().flat_map(|date| snapshot.files_of(date));
    let files =
        files.filter(|file| file.may_hold_time(hour, hour + HOUR - 1) && file.may_hold_org(org_id));
    let is_long = |file: &Arc<DataFile>| sources.partials.is_long(&scope.kind, file, Ask::Cold);
    let (long, short): (Vec<_>, Vec<_>) = files.cloned().partition(is_long);
    let mut edges = BTreeMap::<Arc<str>, Edge>::new();
    let from = (snapshot, Ask::Cold);
    let add = |file, cells: Vec<(Arc<str>, Vec<PartialCell>)>| {
        for (name, cells) in cells {
            for cell in cells.iter().filter(|cell| cell.hour == hour) {
                edges.entry(name.clone()).or_default().add(&file, HourCost::of(cell));
            }
        }
    };
    each_of_files(short, from, scope, sources, add).await?;
    sources.engine.judge().check_all(snapshot, &long, Some(org_id)).await?;
    let reads = long.into_iter().map(|file| async move {
        let rows = rows_of(&sources.engine, scope, &file, hour).await?;
        Ok::<_, SqlError>((file, rows))
    });
    let mut reads = futures::stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(SIDE_BY_SIDE);
    while let Some((file, rows)) = reads.try_next().await? {
        for (name, rows) in rows {
            edges.entry(name).or_default().add_rows(&file, rows);
        }
    }
    Ok(edges)
}

/// The rows of an hour in a file, by the names of a scope.
///
/// # Errors
/// Corrupt or Unavailable, naming the file.
pub async fn rows_of(
    engine: &Engine,
    scope: &UsageScope,
    file: &Arc<DataFile>,
    hour: Micros,
) -> Result<HashMap<Arc<str>, Vec<EdgeRow>>, SqlError> {
    let (org_id, from, to) = (scope.org_id.as_str(), hour, hour + HOUR);
    let dimension = match &scope.kind {
        CellKind::Core => {
            let rows = engine.edge_rows(file, org_id, from, to).await?;
            return Ok(HashMap::from([(org_id.into(), rows)]));
        }
        CellKind::Corrections => {
            let rows = engine.correction_edge_rows(file, org_id, from, to).await?;
            return Ok(HashMap::from([(org_id.into(), rows)]));
        }
        CellKind::Dimension(cells) => &cells.dimension,
        // They have no hours.
        CellKind::Days => return Ok(HashMap::new()),
    };
    let asked = (org_id, &*dimension.attribute);
    let rows = engine.dimension_edge_rows(file, asked, from, to).await?;
    Ok(rows.into_iter().map(|(value, rows)| (part_of(org_id, &value).into(), rows)).collect())
}

impl Share {
    fn cost_until(&self, until: Micros) -> Option<CostUntil> {
        if self.whole.last_ts <= until {
            return Some(CostUntil::for_ever(self.whole.cost));
        }
        if let Some((first, _)) = self.file.time_bounds().filter(|(first, _)| *first > until) {
            return Some(CostUntil { cost: 0, changes: first });
        }
        let rows = self.rows.as_ref()?;
        let after = rows.partition_point(|(ts, _)| *ts <= until);
        let last = after.checked_sub(1).and_then(|last| rows.get(last));
        let changes = rows.get(after).map_or(Micros::MAX, |(ts, _)| *ts);
        Some(CostUntil { cost: last.map_or(0, |(_, sum)| *sum), changes })
    }
}

fn prefix_sums(mut rows: Vec<EdgeRow>) -> Vec<EdgeRow> {
    let mut sum = 0;
    for (_, cost) in &mut rows {
        sum += *cost;
        *cost = sum;
    }
    rows
}
