//! One organisation as this process knows it: its usage at a version of the table, moved on by
//! what came since, and the edges of its rolling window.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::cache::PartialCache;
use super::edge::Edge;
use super::org_usage::{HourCost, OrgUsage};
use super::partial::{Partial, PartialCell};
use crate::archive::{DataFile, Snapshot, date_of};
use crate::clock::{DAY, HOUR, Micros};
use crate::sql::{Engine, SqlError};

/// Files whose partials are made side by side.
const SIDE_BY_SIDE: usize = 4;

/// The usage of one organisation at a version, ready to move on.
#[derive(Debug)]
pub struct OrgState {
    org_id: Arc<str>,
    label: String,
    snapshot: Arc<Snapshot>,
    usage: OrgUsage,
    edges: BTreeMap<Micros, Edge>,
    /// True when the memory held has changed since it was last asked for.
    grown: bool,
}

impl OrgState {
    /// Sums up the live files of a version.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file: never a sum without it.
    pub async fn build(
        org_id: Arc<str>,
        snapshot: Arc<Snapshot>,
        now: Micros,
        partials: &PartialCache,
    ) -> Result<Self, SqlError> {
        let mut usage = OrgUsage::around(now);
        let files: Vec<_> =
            snapshot.files().filter(|file| file.may_hold_org(&org_id)).cloned().collect();
        for_each_partial(files, partials, |_, partial| usage.add(partial.of_org(&org_id))).await?;
        let label = org_id.to_lowercase();
        Ok(Self { org_id, label, snapshot, usage, edges: BTreeMap::new(), grown: true })
    }

    /// Moves to `snapshot`, adding what came since; what only moved between files is passed over.
    /// A state that is ahead of it stays.
    ///
    /// # Errors
    /// As [`OrgState::build`]; the state is then as it was.
    pub async fn advance(
        &mut self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        partials: &PartialCache,
    ) -> Result<(), SqlError> {
        let covered = self.usage.covers(now);
        if covered && snapshot.version() <= self.snapshot.version() {
            return Ok(());
        }
        let arrivals = snapshot.arrivals_since(self.snapshot.version()).filter(|_| covered);
        let Some(arrivals) = arrivals else { return self.rebuild(snapshot, now, partials).await };
        let files: Vec<_> = arrivals
            .filter(|came| came.data_change && came.file.may_hold_org(&self.org_id))
            .map(|came| came.file.clone())
            .collect();
        let moved = files.iter().any(|file| !snapshot.is_live(file));
        let mut came: Vec<(Arc<DataFile>, Vec<PartialCell>)> = Vec::new();
        let org_id = self.org_id.clone();
        let read = for_each_partial(files, partials, |file, partial| {
            let cells = partial.of_org(&org_id);
            if !cells.is_empty() {
                came.push((file, cells.to_vec()));
            }
        });
        match read.await {
            // A file that was rewritten since may be gone; its events live on in another.
            Err(_) if moved => return self.rebuild(snapshot, now, partials).await,
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        self.grown |= !came.is_empty();
        for (file, cells) in came {
            self.usage.add(&cells);
            for (hour, edge) in &mut self.edges {
                cells
                    .iter()
                    .filter(|cell| cell.hour == *hour)
                    .for_each(|cell| edge.add(&file, HourCost::of(cell)));
            }
        }
        self.snapshot = snapshot.clone();
        Ok(())
    }

    /// Sums up anew, at `snapshot` or the newer version that the state is of.
    async fn rebuild(
        &mut self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        partials: &PartialCache,
    ) -> Result<(), SqlError> {
        let newer = std::cmp::max_by_key(&self.snapshot, snapshot, |snapshot| snapshot.version());
        *self = Self::build(self.org_id.clone(), newer.clone(), now, partials).await?;
        Ok(())
    }

    /// The cost of all events with `now − 24h < ts ≤ now`, in units of 10⁻¹² dollars.
    ///
    /// # Errors
    /// As [`OrgState::build`].
    pub async fn rolling_cost(
        &mut self,
        now: Micros,
        partials: &PartialCache,
        engine: &Engine,
    ) -> Result<i128, SqlError> {
        let start = now - DAY;
        let (first, last) = (floor(start), floor(now));
        self.usage.forget_before(now);
        self.edges.retain(|hour, _| *hour == first || *hour == last);
        let whole = self.usage.hours_cost(first + HOUR, last);
        let first_hour = self.usage.hours_cost(first, first + HOUR);
        let before = self.hour_until(first, start, partials, engine).await?;
        let in_last = self.hour_until(last, now, partials, engine).await?;
        Ok(whole + first_hour - before + in_last)
    }

    /// The cost of the events of `hour` up to and with `until`, which lies in it.
    async fn hour_until(
        &mut self,
        hour: Micros,
        until: Micros,
        partials: &PartialCache,
        engine: &Engine,
    ) -> Result<i128, SqlError> {
        match self.usage.hour(hour) {
            None => return Ok(0),
            Some(all) if all.last_ts <= until => return Ok(all.cost),
            Some(all) if all.first_ts > until => return Ok(0),
            Some(_) => {}
        }
        if !self.edges.contains_key(&hour) {
            self.load_edge(hour, partials).await?;
        }
        let Some(edge) = self.edges.get_mut(&hour) else { return Ok(0) };
        let held = edge.bytes();
        let cost = edge.cost_until(engine, &self.org_id, until).await;
        self.grown |= edge.bytes() != held;
        match cost {
            Err(error) if error.kind() == crate::error::Kind::Corrupt => {
                // The file may have been rewritten and removed since the edge was loaded.
                self.load_edge(hour, partials).await?;
                let Some(edge) = self.edges.get_mut(&hour) else { return Err(error) };
                edge.cost_until(engine, &self.org_id, until).await
            }
            cost => cost,
        }
    }

    async fn load_edge(&mut self, hour: Micros, partials: &PartialCache) -> Result<(), SqlError> {
        let files = date_of(hour).into_iter().flat_map(|date| self.snapshot.files_of(date));
        let files: Vec<_> = files
            .filter(|file| {
                file.may_hold_time(hour, hour + HOUR - 1) && file.may_hold_org(&self.org_id)
            })
            .cloned()
            .collect();
        self.grown = true;
        let mut edge = Edge::new(hour);
        for_each_partial(files, partials, |file, partial| {
            let cells = partial.of_org(&self.org_id).iter().filter(|cell| cell.hour == hour);
            cells.for_each(|cell| edge.add(&file, HourCost::of(cell)));
        })
        .await?;
        self.edges.insert(hour, edge);
        Ok(())
    }

    /// The merged usage.
    pub fn usage(&self) -> &OrgUsage {
        &self.usage
    }

    /// The organisation as series are labelled: in lower case.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The memory held, about, if it has changed since the last call.
    pub fn grown(&mut self) -> Option<usize> {
        std::mem::take(&mut self.grown)
            .then(|| self.usage.bytes() + self.edges.values().map(Edge::bytes).sum::<usize>())
    }

    /// The version that the usage is of.
    pub fn version(&self) -> u64 {
        self.snapshot.version()
    }
}

/// Calls `each` with every file's partial, in the order of `files`.
async fn for_each_partial(
    files: Vec<Arc<DataFile>>,
    partials: &PartialCache,
    mut each: impl FnMut(Arc<DataFile>, &Partial),
) -> Result<(), SqlError> {
    let reads = files.into_iter().map(|file| async move {
        let partial = partials.get(&file).await?;
        Ok::<_, SqlError>((file, partial))
    });
    let mut reads = futures::stream::iter(reads).buffered(SIDE_BY_SIDE);
    while let Some((file, partial)) = reads.try_next().await? {
        each(file, &partial);
    }
    Ok(())
}

fn floor(ts: Micros) -> Micros {
    ts.div_euclid(HOUR) * HOUR
}
