//! Looks at budgets: what was spent in their periods, and which thresholds that crosses. What is crossed
//! is put once, and its message is handed to the courier.

mod again;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::courier::Courier;
use super::crossing::{Crossing, CrossingKey, Spent};
use super::crossings::{CrossingState, Crossings, Rearmed};
use super::error::BudgetError;
use super::name::BudgetName;
use super::period::BudgetPeriod;
use super::rounds::{RoundStep, Rounds};
use super::spending::{Spending, SpendingView};
use super::store::{BudgetStore, Editions};
use super::stored::{Budget, BudgetRecord};
use super::watch::BudgetWatch;
use crate::clock::{Clock, Micros};
use crate::error::Kind;
use crate::event::OrgId;
use crate::usage::StepSpan;

/// Crossings of a rolling period that other processes may be ahead.
const ROUNDS_BEHIND_MAX: usize = 4;

/// What the last look at a budget has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetStatus {
    /// What was spent in its period.
    pub spent: Spent,
    /// Its thresholds, and when each was crossed in this period, or the last time of a rolling one.
    pub fired_at: Vec<(u32, Option<Micros>)>,
}

type Watches = HashMap<(Arc<str>, BudgetName), Arc<Mutex<Option<BudgetWatch>>>>;

/// Looks at budgets.
#[derive(Debug)]
pub struct Evaluator {
    store: Arc<BudgetStore>,
    crossings: Crossings,
    spending: Arc<dyn Spending>,
    courier: Arc<Courier>,
    clock: Arc<dyn Clock>,
    watches: parking_lot::Mutex<Watches>,
    /// The budgets of the last look.
    editions: parking_lot::Mutex<Editions>,
}

/// A budget that is looked at.
#[derive(Clone, Copy)]
struct Looked<'a> {
    org_id: &'a OrgId,
    name: &'a BudgetName,
    budget: &'a Budget,
}

impl Evaluator {
    /// Looks at the budgets of an archive.
    pub fn new(
        store: Arc<BudgetStore>,
        spending: Arc<dyn Spending>,
        courier: Arc<Courier>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let crossings = Crossings::new(store.records().clone());
        let (watches, editions) = Default::default();
        Self { store, crossings, spending, courier, clock, watches, editions }
    }

    /// Looks at every budget. One that cannot be looked at is logged, and the others are looked at all
    /// the same.
    ///
    /// # Errors
    /// Unavailable, if not even the budgets are known.
    pub async fn look(&self) -> Result<(), BudgetError> {
        let editions = self.store.all().await?;
        self.watches.lock().retain(|key, _| editions.contains_key(key));
        self.editions.lock().clone_from(&editions);
        if editions.is_empty() {
            return Ok(());
        }
        let view = self.spending.newest().await?;
        self.look_at(&editions, &view).await;
        Ok(())
    }

    /// Looks at some budgets, at one version.
    pub async fn look_at(&self, editions: &Editions, view: &Arc<dyn SpendingView>) {
        for record in editions.values() {
            if let Err(error) = self.look_at_one(record, view, false).await {
                let (org_id, budget) = (&record.org_id, &record.name);
                match error.kind() {
                    Kind::Unavailable => {
                        tracing::debug!(%error, %org_id, %budget, "a budget is looked at later")
                    }
                    _ => tracing::warn!(%error, %org_id, %budget, "a budget cannot be looked at"),
                }
            }
        }
    }

    /// Looks at one budget, at a version. If somebody asks for what is spent now, it is added up anew.
    ///
    /// # Errors
    /// Unavailable, Corrupt or [`BudgetError::Undeclared`].
    pub async fn look_at_one(
        &self,
        record: &BudgetRecord,
        view: &Arc<dyn SpendingView>,
        is_asked: bool,
    ) -> Result<(), BudgetError> {
        let (Some(budget), Ok(org_id)) = (&record.budget, OrgId::parse(&record.org_id)) else {
            return Ok(());
        };
        let looked = Looked { org_id: &org_id, name: &record.name, budget };
        let slot = self.slot(looked);
        let mut slot = slot.lock().await;
        let mut watch = match slot.take() {
            Some(watch) if watch.revision == budget.revision => watch,
            _ => self.begin(looked).await?,
        };
        let done = self.look_with(looked, &mut watch, view.as_ref(), is_asked).await;
        *slot = Some(watch);
        done
    }

    /// What the last look at a budget has seen; `None` if there was none.
    pub async fn status(&self, record: &BudgetRecord) -> Option<BudgetStatus> {
        let budget = record.budget.as_ref()?;
        let org_id = OrgId::parse(&record.org_id).ok()?;
        let looked = Looked { org_id: &org_id, name: &record.name, budget };
        let slot = self.slot(looked);
        let slot = slot.lock().await;
        let watch = slot.as_ref().filter(|watch| watch.revision == budget.revision)?;
        let spent = watch.current.clone()?;
        let fired_at = |threshold: &u32| {
            let key = watch.key(budget, spent.span, *threshold)?;
            watch.fired_at.get(&key).copied()
        };
        let thresholds = &budget.definition.thresholds;
        let fired_at =
            thresholds.iter().map(|threshold| (*threshold, fired_at(threshold))).collect();
        Some(BudgetStatus { spent, fired_at })
    }

    fn slot(&self, looked: Looked<'_>) -> Arc<Mutex<Option<BudgetWatch>>> {
        let key = (looked.org_id.as_str().into(), looked.name.clone());
        self.watches.lock().entry(key).or_default().clone()
    }

    async fn begin(&self, looked: Looked<'_>) -> Result<BudgetWatch, BudgetError> {
        let Looked { org_id, name, budget } = looked;
        let whose = (org_id.as_str(), name, budget.revision);
        let crossed = self.crossings.of(org_id.as_str(), name, budget.revision).await?;
        for (key, _) in crossed.iter().filter(|(_, state)| !state.is_done) {
            match self.crossings.get_of(whose, key).await {
                // Without its note nobody would deliver its message.
                Ok(Some(crossing)) => self.crossings.note(&crossing).await?,
                Ok(None) => {}
                Err(error) if error.kind() == Kind::Corrupt => {
                    tracing::warn!(%error, "a spend alert that is open cannot be read");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(BudgetWatch::new(budget, crossed))
    }

    async fn look_with(
        &self,
        looked: Looked<'_>,
        watch: &mut BudgetWatch,
        view: &dyn SpendingView,
        is_asked: bool,
    ) -> Result<(), BudgetError> {
        let Looked { org_id, budget, .. } = looked;
        let now = self.clock.now();
        let declaration = view.declaration(&budget.definition);
        let since = watch.since(declaration.as_ref());
        let changed = since.and_then(|since| view.changed_since(org_id, since));
        let spans = watch.due(budget, changed.as_deref(), now, is_asked);
        let (version, sums) = view.spent(org_id, &budget.definition, &spans).await?;
        for (span, units) in spans.iter().zip(sums) {
            let spent = Spent { span: *span, units, version };
            watch.see(&spent, now);
            for threshold in &budget.definition.thresholds {
                // Whatever comes late, a period before it was set fires nothing.
                if budget.threshold_set_at(*threshold).is_none_or(|set_at| span.end <= set_at) {
                    continue;
                }
                self.look_at_threshold(looked, watch, &spent, *threshold, view).await?;
            }
        }
        watch.looked(budget, view.version(), declaration);
        self.learn_times(looked, watch).await
    }

    async fn look_at_threshold(
        &self,
        looked: Looked<'_>,
        watch: &mut BudgetWatch,
        spent: &Spent,
        threshold: u32,
        view: &dyn SpendingView,
    ) -> Result<(), BudgetError> {
        let definition = &looked.budget.definition;
        let is_crossed = definition.amount.is_crossed(spent.units, threshold);
        if definition.period == BudgetPeriod::Rolling24h {
            return self.look_at_round(looked, watch, spent, (threshold, is_crossed), view).await;
        }
        let key = CrossingKey { start_us: spent.span.start, round: 0, threshold };
        if is_crossed && !watch.crossed.contains_key(&key) {
            self.cross(looked, watch, spent, (threshold, 0), view).await?;
        }
        Ok(())
    }

    async fn look_at_round(
        &self,
        looked: Looked<'_>,
        watch: &mut BudgetWatch,
        spent: &Spent,
        (threshold, is_crossed): (u32, bool),
        view: &dyn SpendingView,
    ) -> Result<(), BudgetError> {
        let Looked { org_id, name, budget } = looked;
        let whose = (org_id.as_str(), name, budget.revision);
        let now = self.clock.elapsed();
        for _ in 0..ROUNDS_BEHIND_MAX {
            let rounds = watch.rounds.entry(threshold).or_default();
            match rounds.see(is_crossed, now) {
                RoundStep::Nothing => return Ok(()),
                RoundStep::End(round) => {
                    let key = CrossingKey { start_us: 0, round, threshold };
                    let below = Rearmed { at_us: self.clock.now(), version: spent.version };
                    self.crossings.rearm(whose, &key, &below).await?;
                    rounds.ended(round);
                    return Ok(());
                }
                RoundStep::Begin(round) => {
                    if self.cross(looked, watch, spent, (threshold, round), view).await? {
                        return Ok(());
                    }
                    // Another process is ahead.
                    watch.crossed =
                        self.crossings.of(org_id.as_str(), name, budget.revision).await?;
                    watch.rounds.insert(threshold, Rounds::of(threshold, &watch.crossed));
                }
            }
        }
        Ok(())
    }

    /// Puts a crossing; false if another process did.
    async fn cross(
        &self,
        looked: Looked<'_>,
        watch: &mut BudgetWatch,
        spent: &Spent,
        (threshold, round): (u32, u64),
        view: &dyn SpendingView,
    ) -> Result<bool, BudgetError> {
        let Looked { org_id, name, budget } = looked;
        let sql = view.query(&budget.definition, spent.span);
        let whose = (org_id.as_str(), name, budget);
        let crossing = Crossing::new(whose, (threshold, round), spent, sql, self.clock.now());
        let key = CrossingKey::of(&crossing);
        self.crossings.note(&crossing).await?;
        let is_new = self.crossings.put(&crossing).await?;
        watch.crossed.insert(key, CrossingState::default());
        if round > 0 {
            watch.rounds.entry(threshold).or_default().begun(round);
        }
        if is_new {
            watch.fired_at.insert(key, crossing.crossed_at_us);
            self.courier.take(Arc::new(crossing));
        } else if self.crossings.ending(&crossing).await?.is_some() {
            self.crossings.close(&crossing).await?;
        }
        Ok(is_new)
    }

    /// Reads when the thresholds of the newest period were crossed, if other processes saw it.
    async fn learn_times(
        &self,
        looked: Looked<'_>,
        watch: &mut BudgetWatch,
    ) -> Result<(), BudgetError> {
        let Looked { org_id, name, budget } = looked;
        let Some(span) = watch.current.as_ref().map(|spent| spent.span) else { return Ok(()) };
        let keys = keys(looked, watch, span);
        for key in &keys {
            if watch.crossed.contains_key(key) && !watch.fired_at.contains_key(key) {
                let whose = (org_id.as_str(), name, budget.revision);
                if let Some(crossing) = self.crossings.get_of(whose, key).await? {
                    watch.fired_at.insert(*key, crossing.crossed_at_us);
                }
            }
        }
        watch.fired_at.retain(|key, _| keys.contains(key));
        Ok(())
    }
}

/// The keys of the thresholds in a period.
fn keys(looked: Looked<'_>, watch: &BudgetWatch, span: StepSpan) -> Vec<CrossingKey> {
    let thresholds = looked.budget.definition.thresholds.iter();
    thresholds.filter_map(|threshold| watch.key(looked.budget, span, *threshold)).collect()
}
