//! Tables in order, and the price that the first matching rule gives a call.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::call::ModelCall;
use super::index::Hit;
use super::model_name::ModelNames;
use super::no_price::NoPrice;
use super::provider::Provider;
use super::rule::Rule;
use super::table::Table;

/// Names of models that a [`Pricer`] remembers.
const KNOWN_MAX: usize = 4_096;
/// A byte that no UTF-8 text has.
const IN_NO_TEXT: u8 = 0xff;

/// Tables of prices, those that decide first before others.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    tables: Vec<Arc<Table>>,
}

/// What a call costs, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price<'p> {
    /// In 10^-12 dollars.
    pub cost: i128,
    /// The table's name.
    pub table: &'p str,
    /// The rule's name in it.
    pub rule: &'p str,
    /// The `cost_source` of an event that has this cost.
    pub source: &'p str,
}

/// A rule of one of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RuleMatch {
    /// Whether it is for any organisation.
    common: bool,
    table: usize,
    /// 0 for the provider's own rules; the place of another whose models it sells.
    resold: usize,
    hit: Hit,
}

impl Prices {
    /// Prices by tables in order: an organisation's or imported ones before the built-in one. Rules of the
    /// call's organisation are before others, of whichever table.
    pub fn new(tables: Vec<Arc<Table>>) -> Self {
        Self { tables }
    }

    /// The tables, in order.
    pub fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// The rules for a model of a provider, those that decide first before others, at whatever time.
    pub fn rules(&self, org: &str, provider: Option<&str>, model: &str) -> Vec<(&Table, &Rule)> {
        let matches = self.matches(org, provider, model);
        matches.iter().filter_map(|found| self.rule(found)).collect()
    }

    /// The rule that a `cost_source` names, if its table is still there.
    pub fn rule_of_source(&self, source: &str) -> Option<&Rule> {
        self.tables.iter().find_map(|table| {
            let mut rules = (0_u32..).zip(table.rules());
            rules.find(|(at, _)| table.source(*at) == source).map(|(_, rule)| rule)
        })
    }

    /// What one call costs. For many, ask a [`Pricer`].
    ///
    /// # Errors
    /// Why it has no price.
    pub fn price(&self, call: &ModelCall<'_>) -> Result<Price<'_>, NoPrice> {
        call.counts.check()?;
        let model = call.model.ok_or(NoPrice::NoModel)?;
        self.first(&self.matches(call.org, call.provider, model), call)
    }

    /// What the first of the rules that is in force says of a call.
    fn first(&self, matches: &[RuleMatch], call: &ModelCall<'_>) -> Result<Price<'_>, NoPrice> {
        for found in matches {
            let Some((table, rule)) = self.rule(found) else { continue };
            if !rule.holds(call.ts) {
                continue;
            }
            let sheet = match found.resold {
                0 => rule.sheet(call.ts, &call.context)?,
                _ => rule.standard(call.ts, &call.context)?,
            };
            let cost = sheet.cost(&call.counts, call.quantities)?;
            let source = table.source(found.hit.rule);
            return Ok(Price { cost, table: table.name(), rule: rule.id(), source });
        }
        Err(NoPrice::NoRule)
    }

    fn rule(&self, found: &RuleMatch) -> Option<(&Table, &Rule)> {
        let table = self.tables.get(found.table)?;
        Some((table, table.rules().get(usize::try_from(found.hit.rule).ok()?)?))
    }

    fn matches(&self, org: &str, provider: Option<&str>, model: &str) -> Vec<RuleMatch> {
        let provider = provider.map(|provider| provider.trim().to_lowercase());
        let provider = provider.as_deref().and_then(Provider::of);
        let model = ModelNames::of(model, provider);
        let provider = provider.or(model.provider);
        let mut matches = Vec::new();
        for (at, table) in self.tables.iter().enumerate() {
            if table.org().is_some_and(|only| only != org) {
                continue;
            }
            let others = provider.map_or(&[][..], |provider| table.resold(provider.family));
            let others = others.iter().map(|family| Some(Provider { family, door: "" }));
            let mut hits = Vec::new();
            for (resold, provider) in [provider].into_iter().chain(others).enumerate() {
                hits.clear();
                table.index().find(table.rules(), provider, &model, &mut hits);
                matches.extend(hits.iter().filter_map(|hit| {
                    let mut found = RuleMatch { common: true, table: at, resold, hit: *hit };
                    let (_, rule) = self.rule(&found)?;
                    found.common = rule.org().or(table.org()).is_none();
                    rule.org().is_none_or(|only| only == org).then_some(found)
                }));
            }
        }
        matches.sort_unstable();
        matches
    }
}

/// Prices calls, and remembers which rules are for a model.
#[derive(Debug)]
pub struct Pricer<'p> {
    prices: &'p Prices,
    known: HashMap<Box<[u8]>, Box<[RuleMatch]>, RandomState>,
    /// The key of the last call, kept for its room.
    key: Vec<u8>,
}

impl<'p> Pricer<'p> {
    /// One that knows no model yet.
    pub fn new(prices: &'p Prices) -> Self {
        Self { prices, known: HashMap::default(), key: Vec::new() }
    }

    /// What a call costs.
    ///
    /// # Errors
    /// Why it has no price.
    pub fn price(&mut self, call: &ModelCall<'_>) -> Result<Price<'p>, NoPrice> {
        call.counts.check()?;
        let model = call.model.ok_or(NoPrice::NoModel)?;
        self.key.clear();
        for part in [call.org, call.provider.unwrap_or_default(), model] {
            self.key.extend_from_slice(part.as_bytes());
            self.key.push(IN_NO_TEXT);
        }
        if let Some(matches) = self.known.get(self.key.as_slice()) {
            return self.prices.first(matches, call);
        }
        let matches = self.prices.matches(call.org, call.provider, model);
        let price = self.prices.first(&matches, call);
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(self.key.as_slice().into(), matches.into());
        price
    }
}
