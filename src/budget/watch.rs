//! What a process knows of one revision of a budget: which periods were looked at, and what was crossed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::crossing::{CrossingKey, Spent};
use super::crossings::CrossingState;
use super::definition::Definition;
use super::period::BudgetPeriod;
use super::rounds::Rounds;
use super::stored::Budget;
use crate::clock::Micros;
use crate::usage::StepSpan;

/// A revision of a budget that is watched.
#[derive(Debug)]
pub struct BudgetWatch {
    /// The revision.
    pub revision: u64,
    /// What was crossed.
    pub crossed: BTreeMap<CrossingKey, CrossingState>,
    /// When the crossings of the current period were seen.
    pub fired_at: BTreeMap<CrossingKey, Micros>,
    /// The rounds of a rolling period's thresholds.
    pub rounds: BTreeMap<u32, Rounds>,
    /// The calendar's periods since it was set, each with whether it was looked at.
    spans: Vec<StepSpan>,
    looked_at: usize,
    /// The thresholds that were looked at.
    thresholds: Vec<u32>,
    /// The version at which they were.
    version: Option<u64>,
    /// The declaration of its dimension at that version.
    declaration: Option<Arc<str>>,
    /// What was spent in the period of the last look.
    pub current: Option<Spent>,
}

impl BudgetWatch {
    /// Begins to watch a revision of which so much was crossed before.
    pub fn new(budget: &Budget, crossed: BTreeMap<CrossingKey, CrossingState>) -> Self {
        let of = |threshold: &u32| (*threshold, Rounds::of(*threshold, &crossed));
        let rounds = budget.definition.thresholds.iter().map(of).collect();
        Self {
            revision: budget.revision,
            crossed,
            fired_at: BTreeMap::new(),
            rounds,
            spans: Vec::new(),
            looked_at: 0,
            thresholds: Vec::new(),
            version: None,
            declaration: None,
            current: None,
        }
    }

    /// The periods that are to be looked at: the rolling one; those that have begun since the last look;
    /// those that events of `changed` are of, of all times if that is not known; and the one that holds
    /// `now`, unless what was spent in it is known. A clock that was set back takes no period away. If it
    /// is asked for, the one that holds `now` is looked at in any case: events may have expired.
    pub fn due(
        &mut self,
        budget: &Budget,
        changed: Option<&[StepSpan]>,
        now: Micros,
        is_asked: bool,
    ) -> Vec<StepSpan> {
        let Definition { period, timezone, .. } = &budget.definition;
        if *period == BudgetPeriod::Rolling24h {
            return vec![period.span_of(*timezone, now)];
        }
        let from = self.spans.last().map_or(budget.set_at_us, |last| last.end);
        if self.spans.is_empty() || from <= now {
            self.spans.extend(period.spans(*timezone, from, now.max(from)));
        }
        let is_changed = |span: &StepSpan| changed.is_none_or(|changed| overlaps(changed, span));
        let is_due = |(at, span): &(usize, &StepSpan)| *at >= self.looked_at || is_changed(span);
        let due = self.spans.iter().enumerate().filter(is_due);
        let mut due: Vec<_> = due.map(|(_, span)| *span).collect();
        let here = period.span_of(*timezone, now);
        let is_known = self.thresholds == budget.definition.thresholds
            && self.current.as_ref().is_some_and(|known| known.span == here);
        if !due.contains(&here) && (is_asked || !is_known || is_changed(&here)) {
            due.push(here);
        }
        due
    }

    /// Keeps what was spent in the period that holds `now`.
    pub fn see(&mut self, spent: &Spent, now: Micros) {
        if (spent.span.start..spent.span.end).contains(&now) {
            self.current = Some(spent.clone());
        }
    }

    /// The version of the last look, if what came since is all that can have changed: the same declaration
    /// of its dimension says what counts.
    pub fn since(&self, declaration: Option<&Arc<str>>) -> Option<u64> {
        self.version.filter(|_| self.declaration.as_ref() == declaration)
    }

    /// The periods that were due have been looked at, at a version and by a declaration of its dimension.
    pub fn looked(&mut self, budget: &Budget, version: u64, declaration: Option<Arc<str>>) {
        self.thresholds.clone_from(&budget.definition.thresholds);
        self.looked_at = self.spans.len();
        self.version = Some(version);
        self.declaration = declaration;
        if let Some(current) = &mut self.current {
            current.version = version;
        }
    }

    /// The key of a threshold in a period.
    pub fn key(&self, budget: &Budget, span: StepSpan, threshold: u32) -> Option<CrossingKey> {
        match budget.definition.period {
            BudgetPeriod::Rolling24h => {
                let round = self.rounds.get(&threshold)?.last()?;
                Some(CrossingKey { start_us: 0, round, threshold })
            }
            _ => Some(CrossingKey { start_us: span.start, round: 0, threshold }),
        }
    }
}

fn overlaps(changed: &[StepSpan], span: &StepSpan) -> bool {
    changed.iter().any(|changed| changed.start < span.end && span.start < changed.end)
}
