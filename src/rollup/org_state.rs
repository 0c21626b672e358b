//! One scope as this process knows it, an organisation or parts of it: its usage at a version of the
//! table, moved on by new files, and the edges of its rolling window.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::cache::Ask;
use super::cells_of_files::{SIDE_BY_SIDE, for_each_file};
use super::edge;
use super::org_usage::OrgUsage;
use super::owner::{Owner, floor};
use super::partial::{Partial, PartialCell};
use super::scope::UsageScope;
use super::sources::Sources;
use super::usage::{DimensionView, NO_SERIES, PartView, UsageView};
use super::window_costs::WindowCosts;
use crate::archive::{ArchiveError, Snapshot};
use crate::clock::{DAY, Micros};
use crate::error::Kind;
use crate::sql::{CellKind, SqlError};

/// Memory of a part of an organisation beside its sums.
const PART_BYTES: usize = 192;

/// The usage of a scope at a version, ready to move on.
#[derive(Debug)]
pub struct OrgState {
    scope: Arc<UsageScope>,
    label: String,
    snapshot: Arc<Snapshot>,
    /// By the names in cells; of an organisation it is one.
    owners: BTreeMap<Arc<str>, Owner>,
    /// Hours before this one have been dropped.
    hours_from: Micros,
    /// What a scrape shows of parts, once it was asked for at this version.
    parts: Option<Arc<[PartView]>>,
    /// What they cost in a window, until that may change.
    window_costs: Option<WindowCosts>,
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
        scope: Arc<UsageScope>,
        snapshot: Arc<Snapshot>,
        now: Micros,
        sources: &Sources,
    ) -> Result<Self, SqlError> {
        if let Some(built) = Self::from_totals_snapshot(&scope, &snapshot, now, sources).await? {
            return Ok(built);
        }
        // Few at a time, so that a thousand cold organisations do not read all files side by side.
        // A totals snapshot may have been made while this one waited.
        let _turn = sources.full_sums.acquire().await;
        if let Some(built) = Self::from_totals_snapshot(&scope, &snapshot, now, sources).await? {
            return Ok(built);
        }
        let mut state = Self::new(scope, snapshot, OrgUsage::hours_around(now));
        let (scope, snapshot) = (state.scope.clone(), state.snapshot.clone());
        let expired = sources.engine.expired(&scope.kind, &snapshot, scope.bounds()).await?;
        state.add_all(Partial::new(expired).between(scope.bounds()));
        let files = snapshot.files().filter(|file| file.may_hold_org(scope.org_id.as_str()));
        let files = files.cloned().collect();
        let from = (&*snapshot, Ask::Cold);
        for_each_file(files, from, &scope, sources, |_, cells| state.add_all(&cells)).await?;
        Ok(state)
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
        scope: &Arc<UsageScope>,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        sources: &Sources,
    ) -> Result<Option<Self>, SqlError> {
        let Some(bases) = sources.bases(&scope.kind) else { return Ok(None) };
        let Some(base) = bases.get(snapshot).await.filter(|base| base.serves(now)) else {
            return Ok(None);
        };
        let snapshot = base.newer(snapshot);
        let Some(mut files) = base.arrivals(&snapshot) else { return Ok(None) };
        let mut state = Self::new(scope.clone(), snapshot.clone(), base.hours_from(now));
        match base.of_scope(scope).await {
            Ok(cells) => state.add_all(cells.between(scope.bounds())),
            Err(error) if error.kind() == Kind::Corrupt => {
                tracing::warn!(%error, "a totals snapshot is unusable");
                bases.give_up(&base);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        files.retain(|file| file.may_hold_org(scope.org_id.as_str()));
        let moved = files.iter().any(|file| !snapshot.is_live(file));
        let from = (&*snapshot, Ask::Cold);
        match for_each_file(files, from, scope, sources, |_, cells| state.add_all(&cells)).await {
            Ok(()) => Ok(Some(state)),
            Err(error) if moved => {
                tracing::debug!(%error, "a file that came after the totals snapshot is gone");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Without an event.
    fn new(scope: Arc<UsageScope>, snapshot: Arc<Snapshot>, hours_from: Micros) -> Self {
        let label = scope.org_id.lowercase();
        let one = scope.one().cloned();
        let owners = one.map(|one| (one, Owner::new(hours_from))).into_iter().collect();
        Self {
            scope,
            label,
            snapshot,
            owners,
            hours_from,
            parts: None,
            window_costs: None,
            grown: true,
        }
    }

    fn add_all(&mut self, cells: &[(Arc<str>, Vec<PartialCell>)]) {
        for (name, cells) in cells {
            self.owner(name).usage.add(cells);
        }
    }

    fn owner(&mut self, name: &Arc<str>) -> &mut Owner {
        let hours_from = self.hours_from;
        self.owners.entry(name.clone()).or_insert_with(|| Owner::new(hours_from))
    }

    /// Whose usage, and of which cells.
    pub fn scope(&self) -> &UsageScope {
        &self.scope
    }

    /// The version that it is of.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
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
        self.read_edges(now, sources).await?;
        let missing = || ArchiveError::internal("summing a window", "an edge is missing");
        Ok(self.known_rolling_cost(now).ok_or_else(missing)?)
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
        let arrivals = snapshot.arrivals_since(self.snapshot.version());
        let arrivals = arrivals.filter(|_| self.covers(now));
        let Some(arrivals) = arrivals else { return self.rebuild(snapshot, now, sources).await };
        let files: Vec<_> = arrivals
            .filter(|came| came.data_change && came.file.may_hold_org(self.scope.org_id.as_str()))
            .map(|came| came.file.clone())
            .collect();
        let moved = files.iter().any(|file| !snapshot.is_live(file));
        let mut came = Vec::new();
        let from = (&**snapshot, Ask::Fresh);
        let read = for_each_file(files, from, &self.scope, sources, |file, cells| {
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
            for (name, cells) in cells {
                self.owner(&name).add(&file, &cells);
            }
        }
        (self.parts, self.window_costs) = (None, None);
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
        *self = Self::build(self.scope.clone(), newer.clone(), now, sources).await?;
        Ok(())
    }

    /// True if there is nothing to add for `snapshot`, and the window that ends at `now` is known.
    pub fn is_current(&self, snapshot: &Snapshot, now: Micros) -> bool {
        snapshot.version() <= self.snapshot.version() && self.covers(now)
    }

    fn covers(&self, now: Micros) -> bool {
        OrgUsage::from_hour(self.hours_from).covers(now)
    }

    /// Reads what the edges of the window that ends at `now` lack.
    ///
    /// # Errors
    /// As [`OrgState::build`].
    pub async fn read_edges(&mut self, now: Micros, sources: &Sources) -> Result<(), SqlError> {
        let ends = [floor(now - DAY), floor(now)];
        self.window_costs = None;
        for owner in self.owners.values_mut() {
            owner.usage.forget_before(now);
            owner.edges.retain(|hour, _| ends.contains(hour));
        }
        self.hours_from = self.hours_from.max(OrgUsage::hours_around(now));
        if !self.scope.has_window() {
            return Ok(());
        }
        for (hour, until) in ends.into_iter().zip([now - DAY, now]) {
            if self.lack(hour, until).next().is_some() {
                self.read_edge(hour, until, sources).await?;
            }
        }
        Ok(())
    }

    /// Those whose cost of `hour` up to and including `until` is not known.
    fn lack(&self, hour: Micros, until: Micros) -> impl Iterator<Item = (&Arc<str>, &Owner)> {
        let lacks = move |owner: &Owner| owner.known_cost_until(hour, until).is_none();
        self.owners.iter().filter(move |(_, owner)| lacks(owner))
    }

    /// The cost of all events with `now − 24h < ts ≤ now`, in units of 10⁻¹² dollars, of a scope of one;
    /// `None` if a file must be read.
    pub fn known_rolling_cost(&self, now: Micros) -> Option<i128> {
        match self.scope.one().filter(|_| self.scope.has_window()) {
            Some(one) => Some(self.owners.get(one)?.known_rolling_cost(now)?.cost),
            None => Some(0),
        }
    }

    /// The same of each of several.
    fn known_rolling_costs(&mut self, now: Micros) -> Option<Arc<[i128]>> {
        let known = self.window_costs.as_ref();
        if let Some(costs) = known.and_then(|known| known.at(now)) {
            return Some(costs.clone());
        }
        let windows = self.shown().map(|(_, owner)| owner.known_rolling_cost(now));
        let made = WindowCosts::of(windows, now, known)?;
        self.window_costs.insert(made).at(now).cloned()
    }

    /// Those that have an event.
    fn shown(&self) -> impl Iterator<Item = (&Arc<str>, &Owner)> {
        self.owners.iter().filter(|(_, owner)| owner.usage.last_event().is_some())
    }

    /// Reads the rows that an edge needs for its cost up to `until`.
    async fn read_edge(
        &mut self,
        hour: Micros,
        until: Micros,
        sources: &Sources,
    ) -> Result<(), SqlError> {
        self.grown = true;
        if self.lack(hour, until).any(|(_, owner)| !owner.edges.contains_key(&hour)) {
            self.load_edge(hour, sources).await?;
        }
        match self.read_rows(hour, until, sources).await {
            Err(error) if error.kind() == Kind::Corrupt => {
                // The file may have been rewritten and removed since the edge was loaded.
                self.load_edge(hour, sources).await?;
                self.read_rows(hour, until, sources).await
            }
            read => read,
        }
    }

    /// Reads the rows of the files that the cut at `until` goes through.
    async fn read_rows(
        &mut self,
        hour: Micros,
        until: Micros,
        sources: &Sources,
    ) -> Result<(), SqlError> {
        let edges = self.owners.values().filter_map(|owner| owner.edges.get(&hour));
        let mut files: Vec<_> = edges.flat_map(|edge| edge.lacks(until)).cloned().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        let reads = files.into_iter().map(|file| {
            let scope = self.scope.clone();
            async move {
                let rows = edge::rows_of(&sources.engine, &scope, &file, hour).await?;
                Ok::<_, SqlError>((file, rows))
            }
        });
        let reads: Vec<_> = reads.collect();
        let mut reads = futures::stream::iter(reads).buffer_unordered(SIDE_BY_SIDE);
        while let Some((file, mut rows)) = reads.try_next().await? {
            for (name, owner) in &mut self.owners {
                let Some(edge) = owner.edges.get_mut(&hour) else { continue };
                edge.give(&file, rows.remove(name).unwrap_or_default());
            }
        }
        Ok(())
    }

    async fn load_edge(&mut self, hour: Micros, sources: &Sources) -> Result<(), SqlError> {
        let mut edges = edge::load(sources, &self.scope, &self.snapshot, hour).await?;
        for (name, owner) in &mut self.owners {
            let edge = edges.remove(name).unwrap_or_default();
            owner.edges.insert(hour, edge);
        }
        Ok(())
    }

    /// What a scrape shows of a scope of one.
    pub fn view<'a>(
        &'a self,
        rolling_cost: i128,
        dimensions: &'a [DimensionView],
    ) -> UsageView<'a> {
        let usage = self.scope.one().and_then(|one| self.owners.get(one));
        let usage = usage.map(|owner| &owner.usage);
        let series = usage.map_or(&NO_SERIES, OrgUsage::series);
        UsageView {
            rolling_cost,
            last_event: usage.and_then(OrgUsage::last_event),
            // The cells of dimensions have theirs.
            lacks_corrections: self.scope.kind == CellKind::Core
                && self.snapshot.table().may_hold_corrections(),
            dimensions,
            ..UsageView::of(&self.label, series, self.snapshot.version())
        }
    }

    /// What a scrape shows of each part, if none of it must be read from a file.
    pub fn parts(&mut self, now: Micros) -> Option<DimensionView> {
        let name = self.scope.kind.dimension()?.name.clone();
        let rolling_costs = self.known_rolling_costs(now)?;
        if self.parts.is_none() {
            self.parts = Some(self.shown().map(|(name, owner)| owner.part(name)).collect());
        }
        let parts = self.parts.clone()?;
        Some(DimensionView { name, parts, rolling_costs })
    }

    /// The names in cells that have an event.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.shown().map(|(name, _)| name)
    }

    /// The memory held, about, if it has changed since the last call.
    pub fn grown(&mut self) -> Option<usize> {
        let bytes = |(name, owner): (&Arc<str>, &Owner)| {
            // The name and the part that is shown of it stand beside the sums.
            let shown = if self.scope.one().is_some() { 0 } else { PART_BYTES + 2 * name.len() };
            owner.bytes() + shown
        };
        std::mem::take(&mut self.grown).then(|| self.owners.iter().map(bytes).sum())
    }
}
