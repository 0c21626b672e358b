//! The corrections that follow from one batch of stored events.

use std::collections::HashMap;

use arrow::array::RecordBatch;

use super::changes::{CostChange, CostChanges};
use super::decide::OwnCost;
use super::earlier::EarlierByEvent;
use super::hash_part::HashPart;
use super::id::correction_id;
use super::outcome::LeftCalls;
use super::scope::{RepriceScope, sent_names};
use super::stored_events::EventColumns;
use crate::archive::Snapshot;
use crate::event::money::COST_MAX;
use crate::event::{API_CALL, EventError, NewCorrection};
use crate::pricing::{CallColumns, Pricer, is_of_table};

/// The columns that a price, a correction, and what is due are told by.
pub(super) const COLUMNS: [&str; 15] = [
    "event_id",
    "org_id",
    "event_type",
    "ts",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "source",
    "attributes",
    "cost_source",
];

/// The calls of a part of a date that are to be priced.
pub(super) struct DueCalls<'d> {
    pub(super) snapshot: &'d Snapshot,
    pub(super) scope: &'d RepriceScope,
    pub(super) part: HashPart,
    pub(super) earlier: &'d EarlierByEvent,
}

/// What a batch comes to.
#[derive(Default)]
pub(super) struct BatchCorrections<'p> {
    pub(super) corrections: Vec<NewCorrection<'p>>,
    pub(super) changes: CostChanges,
    pub(super) left: LeftCalls,
}

impl DueCalls<'_> {
    /// Prices the calls of `rows` that are due, by their times.
    ///
    /// # Errors
    /// Internal only.
    pub(super) fn price<'p>(
        &self,
        rows: &RecordBatch,
        pricer: &mut Pricer<'p>,
    ) -> Result<BatchCorrections<'p>, EventError> {
        let (events, calls) = (EventColumns::of(rows)?, CallColumns::of(rows)?);
        let hasher = self.snapshot.table().hasher;
        let mut found = BatchCorrections::default();
        let mut changes: HashMap<(&str, Option<&str>), CostChange> = HashMap::new();
        for row in 0..rows.num_rows() {
            let Some(own) = self.own_cost(&events, row) else { continue };
            let stored = calls.names(row);
            let sent = sent_names(stored, events.attributes, row);
            if !self.scope.is_named(stored, sent) {
                continue;
            }
            let (org, id, ts) = (events.orgs.value(row), events.ids.value(row), events.ts(row));
            let hash = hasher.hash(org, id);
            if !self.part.contains(hash) {
                continue;
            }
            let earlier = self.earlier.of(hash);
            if !own.is_due(earlier, self.scope.all) {
                continue;
            }
            // Counts that contradict each other have no price either; the event was taken by another rule.
            let Ok(Some(price)) = calls.cost(row, sent, pricer) else {
                found.left.without_price += 1;
                continue;
            };
            let Some(made) = own.corrected_to(price.units, earlier) else { continue };
            if made.units.abs() >= COST_MAX {
                found.left.too_large += 1;
                continue;
            }
            changes.entry((org, stored.model)).or_default().add(made.units);
            found.corrections.push(NewCorrection {
                row,
                event_id: correction_id(id, ts, made.ordinal),
                units: made.units,
                source: price.source,
                was_unpriced: made.was_unpriced,
            });
        }
        for ((org, model), change) in changes {
            found.changes.add(org, model, change);
        }
        Ok(found)
    }

    /// What a call cost that may be due; none of what is no such call.
    fn own_cost(&self, events: &EventColumns<'_>, row: usize) -> Option<OwnCost> {
        let units = events.cost(row);
        let is_of_table = units.is_some() && events.cost_source(row).is_some_and(is_of_table);
        let may_be_due = units.is_none() || self.scope.all && is_of_table;
        let is_call = || events.types.value(row) == API_CALL && self.scope.is_at(events.ts(row));
        (may_be_due && is_call()).then_some(OwnCost { units, is_of_table })
    }
}
