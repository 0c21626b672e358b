//! One organisation as this process knows it: its usage at a version of the table, moved on by new
//! files, and the edges of its rolling window.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::cache::Ask;
use super::edge::Edge;
use super::org_usage::{HourCost, OrgUsage};
use super::partial::{Partial, PartialCell};
use super::sources::Sources;
use super::usage::UsageView;
use crate::archive::{ArchiveError, DataFile, Snapshot, date_of};
use crate::clock::{DAY, HOUR, Micros};
use crate::error::Kind;
use crate::event::OrgId;
use crate::sql::SqlError;

/// Files whose partials are read side by side.
const SIDE_BY_SIDE: usize = 8;
/// Up to this many files are read one after the other.
const FEW: usize = 4;

/// The usage of one organisation at a version, ready to move on.
#[derive(Debug)]
pub struct OrgState {
    org_id: OrgId,
    label: String,
    snapshot: Arc<Snapshot>,
    usage: OrgUsage,
    edges: BTreeMap<Micros, Edge>,
    /// True if the memory held has changed since it was last reported.
    grown: bool,
}

impl OrgState {
    /// Sums up `snapshot`, or a newer version: from a totals snapshot if one can be used, otherwise
    /// from the ledger and all live files.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file: never a sum without it.
    pub async fn build(
        org_id: OrgId,
        snapshot: Arc<Snapshot>,
        now: Micros,
        sources: &Sources,
    ) -> Result<Self, SqlError> {
        if let Some(built) = Self::from_totals_snapshot(&org_id, &snapshot, now, sources).await? {
            return Ok(built);
        }
        // Few at a time, so that a thousand cold organisations do not read all files side by side.
        // A totals snapshot may have been made while this one waited.
        let _turn = sources.full_sums.acquire().await;
        if let Some(built) = Self::from_totals_snapshot(&org_id, &snapshot, now, sources).await? {
            return Ok(built);
        }
        let mut usage = OrgUsage::around(now);
        let expired = Partial::new(sources.engine.expired(&snapshot, org_id.as_str()).await?);
        usage.add(expired.of_org(org_id.as_str()));
        let files = snapshot.files().filter(|file| file.may_hold_org(org_id.as_str()));
        let files = files.cloned().collect();
        let from = (&*snapshot, Ask::Cold);
        for_each_file(files, from, &org_id, sources, |_, cells| usage.add(&cells)).await?;
        Ok(Self::new(org_id, snapshot, usage))
    }

    /// Starts from a totals snapshot; `None` if none can be used. There may be none, it may be
    /// damaged, or the window may begin before the hours that it keeps apart. Or a file that came
    /// after it was rewritten or has expired, and is gone. Events that came after it and have
    /// expired since are in the ledger but not in the totals snapshot, so they are added from their
    /// file. The ledger of its own version is in the totals snapshot.
    ///
    /// # Errors
    /// As [`OrgState::build`].
    async fn from_totals_snapshot(
        org_id: &OrgId,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        sources: &Sources,
    ) -> Result<Option<Self>, SqlError> {
        let Some(bases) = &sources.bases else { return Ok(None) };
        let Some(base) = bases.get(snapshot).await.filter(|base| base.serves(now)) else {
            return Ok(None);
        };
        let mut usage = OrgUsage::from_hour(base.hours_from(now));
        let snapshot = base.newer(snapshot);
        let Some(mut files) = base.arrivals(&snapshot) else { return Ok(None) };
        match base.of_org(org_id.as_str()).await {
            Ok(cells) => usage.add(&cells),
            Err(error) if error.kind() == Kind::Corrupt => {
                tracing::warn!(%error, "a totals snapshot is unusable");
                bases.give_up(&base);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        files.retain(|file| file.may_hold_org(org_id.as_str()));
        let moved = files.iter().any(|file| !snapshot.is_live(file));
        let from = (&*snapshot, Ask::Cold);
        match for_each_file(files, from, org_id, sources, |_, cells| usage.add(&cells)).await {
            Ok(()) => Ok(Some(Self::new(org_id.clone(), snapshot, usage))),
            Err(error) if moved => {
                tracing::debug!(%error, "a file that came after the totals snapshot is gone");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn new(org_id: OrgId, snapshot: Arc<Snapshot>, usage: OrgUsage) -> Self {
        let label = org_id.lowercase();
        Self { org_id, label, snapshot, usage, edges: BTreeMap::new(), grown: true }
    }

    /// Moves to `snapshot`, and returns the cost of the window that ends at `now`.
    ///
    /// # Errors
    /// As [`OrgState::build`]; the state stays right for the version that it is at.
    pub async fn move_to(
        &mut self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        sources: &Sources,
    ) -> Result<i128, SqlError> {
        self.advance(snapshot, now, sources).await?;
        self.rolling_cost(now, sources).await
    }

    /// Moves to `snapshot`, adding new events; events that only moved between files are passed
    /// over. A state that is ahead of `snapshot` stays as it is.
    ///
    /// # Errors
    /// As [`OrgState::build`]; the state is then as it was.
    pub async fn advance(
        &mut self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        sources: &Sources,
    ) -> Result<(), SqlError> {
        if self.is_current(snapshot, now) {
            return Ok(());
        }
        let covered = self.usage.covers(now);
        let arrivals = snapshot.arrivals_since(self.snapshot.version()).filter(|_| covered);
        let Some(arrivals) = arrivals else { return self.rebuild(snapshot, now, sources).await };
        let files: Vec<_> = arrivals
            .filter(|came| came.data_change && came.file.may_hold_org(self.org_id.as_str()))
            .map(|came| came.file.clone())
            .collect();
        let moved = files.iter().any(|file| !snapshot.is_live(file));
        let mut came: Vec<(Arc<DataFile>, Vec<PartialCell>)> = Vec::new();
        let org_id = self.org_id.clone();
        let from = (&**snapshot, Ask::Fresh);
        let read = for_each_file(files, from, &org_id, sources, |file, cells| {
            if !cells.is_empty() {
                came.push((file, cells));
            }
        });
        match read.await {
            // A file that was rewritten since may be gone; its events are in another.
            Err(_) if moved => return self.rebuild(snapshot, now, sources).await,
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

    /// Sums up anew, at the newer of `snapshot` and the state's own version.
    async fn rebuild(
        &mut self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        sources: &Sources,
    ) -> Result<(), SqlError> {
        let newer = std::cmp::max_by_key(&self.snapshot, snapshot, |snapshot| snapshot.version());
        *self = Self::build(self.org_id.clone(), newer.clone(), now, sources).await?;
        Ok(())
    }

    /// True if there is nothing to add for `snapshot`, and the window that ends at `now` is known.
    pub fn is_current(&self, snapshot: &Snapshot, now: Micros) -> bool {
        snapshot.version() <= self.snapshot.version() && self.usage.covers(now)
    }

    /// The cost of all events with `now − 24h < ts ≤ now`, in units of 10⁻¹² dollars.
    ///
    /// # Errors
    /// As [`OrgState::build`].
    async fn rolling_cost(&mut self, now: Micros, sources: &Sources) -> Result<i128, SqlError> {
        let ends = [floor(now - DAY), floor(now)];
        self.usage.forget_before(now);
        self.edges.retain(|hour, _| ends.contains(hour));
        for (hour, until) in ends.into_iter().zip([now - DAY, now]) {
            if self.known_cost_until(hour, until).is_none() {
                self.read_edge(hour, until, sources).await?;
            }
        }
        self.known_rolling_cost(now)
            .ok_or_else(|| ArchiveError::internal("summing a window", "an edge is missing").into())
    }

    /// As [`OrgState::rolling_cost`], from what is in memory; `None` if a file must be read.
    pub fn known_rolling_cost(&self, now: Micros) -> Option<i128> {
        let (first, last) = (floor(now - DAY), floor(now));
        let before = self.known_cost_until(first, now - DAY)?;
        let in_last = self.known_cost_until(last, now)?;
        Some(self.usage.hours_cost(first, last) - before + in_last)
    }

    /// The cost of the events of `hour` up to and including `until`, which lies in it.
    fn known_cost_until(&self, hour: Micros, until: Micros) -> Option<i128> {
        match self.usage.hour(hour) {
            None => Some(0),
            Some(all) if all.last_ts <= until => Some(all.cost),
            Some(_) => self.edges.get(&hour)?.cost_until(until),
        }
    }

    /// Reads the rows that an edge needs for its cost up to `until`.
    async fn read_edge(
        &mut self,
        hour: Micros,
        until: Micros,
        sources: &Sources,
    ) -> Result<(), SqlError> {
        self.grown = true;
        if !self.edges.contains_key(&hour) {
            self.load_edge(hour, sources).await?;
        }
        let Some(edge) = self.edges.get_mut(&hour) else { return Ok(()) };
        match edge.read_rows(&sources.engine, self.org_id.as_str(), until).await {
            Err(error) if error.kind() == Kind::Corrupt => {
                // The file may have been rewritten and removed since the edge was loaded.
                self.load_edge(hour, sources).await?;
                let Some(edge) = self.edges.get_mut(&hour) else { return Err(error) };
                edge.read_rows(&sources.engine, self.org_id.as_str(), until).await
            }
            read => read,
        }
    }

    async fn load_edge(&mut self, hour: Micros, sources: &Sources) -> Result<(), SqlError> {
        let files = date_of(hour).into_iter().flat_map(|date| self.snapshot.files_of(date));
        let files: Vec<_> = files
            .filter(|file| {
                file.may_hold_time(hour, hour + HOUR - 1) && file.may_hold_org(self.org_id.as_str())
            })
            .cloned()
            .collect();
        let mut edge = Edge::new(hour);
        let from = (&*self.snapshot, Ask::Cold);
        for_each_file(files, from, &self.org_id, sources, |file, cells| {
            let cells = cells.iter().filter(|cell| cell.hour == hour);
            cells.for_each(|cell| edge.add(&file, HourCost::of(cell)));
        })
        .await?;
        self.edges.insert(hour, edge);
        Ok(())
    }

    /// The usage that a scrape shows.
    pub fn view(&self, rolling_cost: i128) -> UsageView<'_> {
        UsageView {
            org_id: &self.label,
            series: self.usage.series(),
            rolling_cost,
            archive_version: self.snapshot.version(),
            last_event: self.usage.last_event(),
        }
    }

    /// The memory held, about, if it has changed since the last call.
    pub fn grown(&mut self) -> Option<usize> {
        std::mem::take(&mut self.grown)
            .then(|| self.usage.bytes() + self.edges.values().map(Edge::bytes).sum::<usize>())
    }
}

/// Calls `each` with the organisation's cells in every file, in the order of `files`. Foreign files
/// are judged first, as of the version.
async fn for_each_file(
    files: Vec<Arc<DataFile>>,
    (snapshot, ask): (&Snapshot, Ask),
    org_id: &OrgId,
    sources: &Sources,
    mut each: impl FnMut(Arc<DataFile>, Vec<PartialCell>),
) -> Result<(), SqlError> {
    sources.engine.judge().check_all(snapshot, &files, Some(org_id.as_str())).await?;
    // Few files are read in this task: to wait for another takes longer than a partial in memory.
    let apart = files.len() > FEW;
    let reads = files.into_iter().map(|file| {
        let (partials, org_id) = (sources.partials.clone(), org_id.clone());
        let read = async move {
            let cells = partials.of_org(&file, org_id.as_str(), ask).await?;
            Ok::<_, SqlError>((file, cells))
        };
        async move {
            if !apart {
                return read.await;
            }
            let read = AbortOnDropHandle::new(tokio::spawn(read)).await;
            read.map_err(|error| ArchiveError::internal("adding up a file", error))?
        }
    });
    let mut reads = futures::stream::iter(reads).buffered(SIDE_BY_SIDE);
    while let Some((file, cells)) = reads.try_next().await? {
        each(file, cells);
    }
    Ok(())
}

fn floor(ts: Micros) -> Micros {
    ts.div_euclid(HOUR) * HOUR
}
