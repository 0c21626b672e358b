//! The cells of a day → its charges.
//!
//! The cost of calls is divided among their kinds of tokens by the rates of the rule that priced them; if no
//! rule did, or it is no longer there, by the rates that the tables have for the model; and if there are
//! none, by tokens. Corrections of the month are divided as the calls of their day and model are; later ones
//! are charges of their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::meter::{METERS, Meter, quantities};
use super::shares::shares;
use crate::clock::Micros;
use crate::pricing::{Prices, Rule};
use crate::sql::{Charge, ChargeCell};

/// Sources of costs whose rules are remembered.
const SOURCES_MAX: usize = 65_536;

/// What charges of a day are told apart by, besides their meter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChargeKey {
    pub(super) org_id: Arc<str>,
    pub(super) provider: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
    /// Of the dimension.
    pub(super) value: Option<Arc<str>>,
}

/// A charge of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DayCharge {
    pub(super) key: ChargeKey,
    /// What it counts, and how much; none of a correction of books that were closed.
    pub(super) consumed: Option<(Meter, i128)>,
    /// In units of 10⁻¹² dollars.
    pub(super) cost: i128,
    /// The price of a unit of the meter's pricing, in the same units.
    pub(super) unit_price: Option<i128>,
    /// Calls without a price.
    pub(super) unpriced: i128,
}

/// What there is of a key.
#[derive(Default)]
struct KeyTotals {
    quantities: [i128; METERS],
    costs: [i128; METERS],
    /// The one rate by which all of a meter was divided; none before any was, or if there are several.
    rates: [Option<Option<i128>>; METERS],
    /// What corrections add, and what priced the last of them.
    corrections: i128,
    corrected_by: Option<Arc<str>>,
    late: Option<i128>,
    unpriced: i128,
}

/// The charges of a day, which begins at `start`, in order.
pub(super) fn charges(
    cells: &[ChargeCell],
    rules: &mut PricedRules<'_>,
    start: Micros,
) -> Vec<DayCharge> {
    let mut keys = BTreeMap::<ChargeKey, KeyTotals>::new();
    for cell in cells {
        let key = ChargeKey {
            org_id: cell.org_id.clone(),
            provider: cell.provider.clone(),
            model: cell.model.clone(),
            value: cell.value.clone(),
        };
        let rates = rules.rates(&key, start, cell.cost_source.as_ref());
        keys.entry(key).or_default().add(cell, &rates);
    }
    let mut all = Vec::new();
    for (key, mut totals) in keys {
        if totals.corrections != 0 {
            let rates = rules.rates(&key, start, totals.corrected_by.as_ref());
            totals.divide_corrections(&rates);
        }
        totals.charges(&key, &mut all);
    }
    all
}

/// The rates of tokens, in the order of [`Meter::TOKENS`]; none where no rule tells one.
type TokenRates = [Option<i128>; METERS - 1];

/// The rules that priced calls, as they are asked for.
pub(super) struct PricedRules<'p> {
    prices: &'p Prices,
    /// By what costs tell of them: a table may have many.
    by_source: HashMap<Arc<str>, Option<&'p Rule>>,
}

impl<'p> PricedRules<'p> {
    /// Those of some tables.
    pub(super) fn of(prices: &'p Prices) -> Self {
        Self { prices, by_source: HashMap::new() }
    }

    /// The rates of the rule that priced calls of a key, or of the first one in force for the model on the
    /// day that begins at `start`.
    fn rates(
        &mut self,
        key: &ChargeKey,
        start: Micros,
        cost_source: Option<&Arc<str>>,
    ) -> TokenRates {
        let rule = cost_source.and_then(|source| self.of_source(source));
        let Some(rule) = rule.or_else(|| self.listed(key, start)) else {
            return TokenRates::default();
        };
        Meter::TOKENS.map(|(_, kind)| rule.standard_rate(kind).map(|rate| rate.units()))
    }

    fn of_source(&mut self, source: &Arc<str>) -> Option<&'p Rule> {
        if let Some(known) = self.by_source.get(source) {
            return *known;
        }
        let rule = self.prices.rule_of_source(source);
        // There are no more names than rules, but for those of tables that are no longer there.
        if self.by_source.len() >= SOURCES_MAX {
            self.by_source.clear();
        }
        self.by_source.insert(source.clone(), rule);
        rule
    }

    fn listed(&self, key: &ChargeKey, start: Micros) -> Option<&'p Rule> {
        let model = key.model.as_deref()?;
        let rules = self.prices.rules(&key.org_id, key.provider.as_deref(), model);
        rules.into_iter().map(|(_, rule)| rule).find(|rule| rule.holds(start))
    }
}

impl KeyTotals {
    fn add(&mut self, cell: &ChargeCell, rates: &TokenRates) {
        self.unpriced += cell.unpriced;
        match cell.charge {
            Charge::Calls => {
                let quantities = quantities(cell);
                for (sum, quantity) in self.quantities.iter_mut().zip(quantities) {
                    *sum += quantity;
                }
                if cell.cost != 0 {
                    self.divide(cell.cost, quantities, rates);
                }
            }
            Charge::Correction => {
                self.corrections += cell.cost;
                self.corrected_by = cell.cost_source.clone().or(self.corrected_by.take());
            }
            Charge::LateCorrection => *self.late.get_or_insert_default() += cell.cost,
        }
    }

    /// Divides what corrections add as the calls are.
    fn divide_corrections(&mut self, rates: &TokenRates) {
        self.divide(self.corrections, self.quantities, rates);
    }

    /// Divides a cost among meters by their quantities.
    fn divide(&mut self, cost: i128, quantities: [i128; METERS], rates: &TokenRates) {
        let weighed = weights(quantities, rates);
        let (weights, rates) = match &weighed {
            Some(weights) => (weights.clone(), *rates),
            // Without a rate for some of them, tokens are all that tells them apart.
            None => (tokens(quantities), TokenRates::default()),
        };
        for (share, sum) in shares(cost, &weights).into_iter().zip(&mut self.costs) {
            *sum += share;
        }
        for ((known, rate), quantity) in self.rates.iter_mut().zip(rates).zip(quantities) {
            if quantity > 0 {
                *known = match known.take() {
                    None => Some(rate),
                    Some(before) => Some(before.filter(|before| Some(*before) == rate)),
                };
            }
        }
    }

    /// Its charges, in the order of meters; the first has the calls without a price.
    fn charges(&self, key: &ChargeKey, all: &mut Vec<DayCharge>) {
        let has_tokens = self.quantities.iter().take(METERS - 1).any(|quantity| *quantity > 0);
        let mut unpriced = self.unpriced;
        for (at, meter) in Meter::ALL.into_iter().enumerate() {
            let of = |values: &[i128; METERS]| values.get(at).copied().unwrap_or_default();
            let (quantity, cost) = (of(&self.quantities), of(&self.costs));
            let is_shown = match meter {
                // Calls are counted here only if nothing else of them is.
                Meter::Requests => cost != 0 || !has_tokens && (quantity > 0 || unpriced != 0),
                _ => quantity > 0 || cost != 0,
            };
            if is_shown {
                let rate = self.rates.get(at).copied().flatten().flatten();
                all.push(DayCharge {
                    key: key.clone(),
                    consumed: Some((meter, quantity)),
                    cost,
                    unit_price: self.unit_price(meter, quantity, cost, rate),
                    unpriced: std::mem::take(&mut unpriced),
                });
            }
        }
        if let Some(cost) = self.late {
            let (key, unpriced) = (key.clone(), unpriced);
            all.push(DayCharge { key, consumed: None, cost, unit_price: None, unpriced });
        }
    }

    /// The rate, if the cost is what it gives but for the rounding of each call; else the average. What is
    /// not priced has none.
    fn unit_price(
        &self,
        meter: Meter,
        quantity: i128,
        cost: i128,
        rate: Option<i128>,
    ) -> Option<i128> {
        let (_, of) = meter.pricing();
        if quantity <= 0 || cost < 0 || cost == 0 && self.unpriced > 0 {
            return None;
        }
        let slack = self.quantities.last().copied().unwrap_or_default().saturating_add(1) * of;
        let billed = cost.checked_mul(of)?;
        if let Some(rate) = rate {
            let listed = rate.checked_mul(quantity)?;
            if (listed - billed).abs() <= slack {
                return Some(rate);
            }
        }
        // Half up, which no sum is made of.
        Some((billed + quantity / 2) / quantity)
    }
}

/// What each meter would cost by its rate; none if some has tokens and no rate, or nothing has a price.
fn weights(quantities: [i128; METERS], rates: &TokenRates) -> Option<Vec<i128>> {
    let mut weights = Vec::with_capacity(METERS);
    for (quantity, rate) in quantities.into_iter().zip(rates) {
        let weight = match (quantity, rate) {
            (0, _) => 0,
            (quantity, Some(rate)) => quantity.checked_mul(*rate)?,
            (_, None) => return None,
        };
        weights.push(weight);
    }
    weights.push(0);
    weights.iter().any(|weight| *weight > 0).then_some(weights)
}

/// Tokens alone; the last one, of requests, is 0.
fn tokens(mut quantities: [i128; METERS]) -> Vec<i128> {
    if let Some(requests) = quantities.last_mut() {
        *requests = 0;
    }
    quantities.to_vec()
}

#[cfg(test)]
#[path = "charges_tests.rs"]
mod tests;
