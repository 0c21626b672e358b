//! Showing an organisation, or a part of it, with the dimensions that were asked for, all at one version.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::BoxFuture;

use super::org_state::OrgState;
use super::scope::UsageScope;
use super::usage::{FEW_SERIES, UsageView};
use super::{MergeTurn, Rollup};
use crate::archive::{ArchiveError, Snapshot};
use crate::clock::Micros;
use crate::event::OrgId;
use crate::sql::{CellKind, SqlError};

/// What is shown together.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose core families: an organisation, or a part of it.
    pub whole: Arc<UsageScope>,
    /// Its corrections, where there may be any and the whole does not have them already.
    pub corrections: Option<Arc<UsageScope>>,
    /// The parts of each dimension, in the order in which they are shown.
    pub dimensions: Vec<Arc<UsageScope>>,
    /// True if the whole is a part itself, and shown as one too.
    pub shows_own: bool,
    /// Whether it is shown when series began.
    pub starts: Starts,
}

/// Whether it is asked when series began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// It is not.
    Unasked,
    /// It is, where that is known without waiting.
    IfKnown,
    /// It is, and nothing else will do.
    Wanted,
}

impl Asked {
    /// All of an organisation at `snapshot`, with its corrections if there may be any.
    pub fn of_org(org_id: &OrgId, snapshot: &Snapshot) -> Self {
        let corrections = snapshot.table().may_hold_corrections();
        Self {
            whole: Arc::new(UsageScope::org(org_id)),
            corrections: corrections.then(|| Arc::new(UsageScope::corrections(org_id))),
            dimensions: Vec::new(),
            shows_own: false,
            starts: Starts::Unasked,
        }
    }

    /// All scopes, in an order in which those that wait for turns cannot wait for each other.
    fn scopes(&self) -> impl Iterator<Item = Arc<UsageScope>> {
        let known = std::iter::once(&self.whole).chain(&self.corrections).chain(&self.dimensions);
        known.cloned().chain(self.starts_scope())
    }

    /// The scope of start times, which is the last. The cells of parts have theirs already.
    fn starts_scope(&self) -> Option<Arc<UsageScope>> {
        let asked = self.starts != Starts::Unasked && self.whole.kind == CellKind::Core;
        asked.then(|| Arc::new(UsageScope::starts(&self.whole.org_id)))
    }
}

impl Rollup {
    /// Shows what is asked for at `snapshot` or later, with the window that ends at `now`.
    ///
    /// # Errors
    /// As [`Rollup::show`]; [`SqlError::NotYet`].
    pub async fn show_asked<T: Send + 'static>(
        &self,
        asked: Asked,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        show: impl FnOnce(&UsageView<'_>) -> T + Send + 'static,
    ) -> Result<T, SqlError> {
        if asked.starts_scope().is_some() {
            self.sources.ask_starts();
        }
        if asked.scopes().any(|scope| scope.kind.dimension().is_some()) {
            self.sources.partials.parts_asked.store(true, Ordering::Relaxed);
        }
        let may_lack_starts = asked.starts == Starts::IfKnown;
        let mut turns = Vec::new();
        for scope in asked.scopes() {
            turns.push((self.turn(scope.key()).await, scope));
        }
        let mut states = Vec::new();
        // Its type ends here: the compiler looks through those of all futures around it.
        let moved: BoxFuture<'_, _> =
            Box::pin(self.move_together(&turns, &mut states, (snapshot, now), may_lack_starts));
        if let Err(error) = moved.await {
            self.put_all_back(&turns, states);
            return Err(error);
        }
        let sizes =
            states.iter().map(|state| state.view(0, &[]).series.len() + state.names().count());
        let series: usize = sizes.sum();
        let _turn = match series > FEW_SERIES {
            true => self.large_turn(series).await,
            false => None,
        };
        let shown = tokio::task::spawn_blocking(move || {
            let mut all: Vec<_> = states.iter_mut().collect();
            let shown = shown(&mut all, &asked, now, show);
            (states, shown)
        });
        let (states, shown) =
            shown.await.map_err(|error| ArchiveError::internal("showing usage", error))?;
        self.put_all_back(&turns, states);
        shown.ok_or_else(|| ArchiveError::internal("showing usage", "an edge is missing").into())
    }

    /// Takes the states out and moves them to one version. Start times, which are last, may be missed
    /// out where they are not made yet.
    async fn move_together(
        &self,
        turns: &[(MergeTurn, Arc<UsageScope>)],
        states: &mut Vec<OrgState>,
        (snapshot, now): (&Arc<Snapshot>, Micros),
        may_lack_starts: bool,
    ) -> Result<(), SqlError> {
        let lacks = |scope: &UsageScope, error: &SqlError| {
            may_lack_starts && !scope.has_window() && matches!(error, SqlError::NotYet { .. })
        };
        for (turn, scope) in turns {
            let taken = turn.slot.state.lock().take();
            if let Some(state) = taken {
                states.push(state);
                continue;
            }
            match OrgState::build(scope.clone(), snapshot.clone(), now, &self.sources).await {
                Err(error) if lacks(scope, &error) => break,
                built => states.push(built?),
            }
        }
        let mut target = snapshot.clone();
        loop {
            let mut without = false;
            for state in states.iter_mut() {
                match state.advance(&target, now, &self.sources).await {
                    Err(error) if lacks(state.scope(), &error) => {
                        without = true;
                        break;
                    }
                    moved => moved?,
                }
                if state.snapshot().version() > target.version() {
                    target = state.snapshot().clone();
                }
            }
            if without {
                states.pop();
            }
            if states.iter().all(|state| state.snapshot().version() == target.version()) {
                break;
            }
        }
        for state in states.iter_mut() {
            state.read_edges(now, &self.sources).await?;
        }
        Ok(())
    }

    fn put_all_back(&self, turns: &[(MergeTurn, Arc<UsageScope>)], states: Vec<OrgState>) {
        for ((turn, scope), state) in turns.iter().zip(states) {
            self.put_back(turn, scope.key(), state);
        }
    }

    /// As [`Rollup::show_asked`], if nothing has come since all of it was last shown and no file must be
    /// read. Does not wait.
    pub fn show_known_asked<T>(
        &self,
        asked: &Asked,
        snapshot: &Snapshot,
        now: Micros,
        show: impl FnOnce(&UsageView<'_>) -> T,
    ) -> Option<T> {
        let scopes = asked.scopes();
        let slots = scopes.map(|scope| self.orgs.lock().get_mut(scope.key()).cloned());
        let slots: Vec<_> = slots.collect::<Option<_>>()?;
        let mut held: Vec<_> = slots.iter().map(|slot| slot.state.lock()).collect();
        let states = held.iter_mut().map(|state| state.as_mut());
        let mut states = states.collect::<Option<Vec<_>>>()?;
        let version = states.first()?.snapshot().version();
        let current = |state: &&mut OrgState| {
            state.is_current(snapshot, now) && state.snapshot().version() == version
        };
        states.iter().all(current).then(|| shown(&mut states, asked, now, show))?
    }

    /// The names of the parts of a scope that have an event at `snapshot` or later, and that version.
    ///
    /// # Errors
    /// As [`Rollup::show_asked`].
    pub async fn show_names<T>(
        &self,
        scope: &Arc<UsageScope>,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        show: impl FnOnce(u64, &mut dyn Iterator<Item = &Arc<str>>) -> T,
    ) -> Result<T, SqlError> {
        let turns = [(self.turn(scope.key()).await, scope.clone())];
        let mut states = Vec::new();
        let taken = turns.iter().find_map(|(turn, _)| turn.slot.state.lock().take());
        let moved = async {
            let mut state = match taken {
                Some(state) => state,
                None => {
                    OrgState::build(scope.clone(), snapshot.clone(), now, &self.sources).await?
                }
            };
            let moved = state.advance(snapshot, now, &self.sources).await;
            let shown = show(state.snapshot().version(), &mut state.names());
            states.push(state);
            moved.map(|()| shown)
        };
        let shown = moved.await;
        self.put_all_back(&turns, states);
        shown
    }
}

/// Shows states of one version, in the order of the scopes.
fn shown<T>(
    states: &mut [&mut OrgState],
    asked: &Asked,
    now: Micros,
    show: impl FnOnce(&UsageView<'_>) -> T,
) -> Option<T> {
    let (whole, others) = states.split_first_mut()?;
    let whole_has_starts = asked.whole.kind != CellKind::Core;
    let corrections = usize::from(asked.corrections.is_some());
    let (corrections, others) = others.split_at_mut_checked(corrections)?;
    let (parts, starts) = others.split_at_mut_checked(asked.dimensions.len())?;
    let own = asked.shows_own.then(|| whole.parts(now));
    let parts = own.into_iter().chain(parts.iter_mut().map(|state| state.parts(now)));
    let dimensions = parts.collect::<Option<Vec<_>>>()?;
    let mut rolling_cost = whole.known_rolling_cost(now)?;
    let mut view = whole.view(rolling_cost, &dimensions);
    if let Some(corrections) = corrections.first() {
        rolling_cost += corrections.known_rolling_cost(now)?;
        view.rolling_cost = rolling_cost;
        view.corrections = corrections.view(0, &[]).series;
        view.lacks_corrections = false;
    }
    view.starts = match starts.first() {
        Some(starts) => Some(starts.view(0, &[]).series),
        // The cells of a part have its start.
        None if asked.starts != Starts::Unasked && whole_has_starts => Some(view.series),
        None => None,
    };
    Some(show(&view))
}
