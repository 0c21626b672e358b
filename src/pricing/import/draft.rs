//! Rates on their way from another form to the text of a rule.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::money::{InvalidMoney, PLACES, format_decimal, parse_amount};
use crate::pricing::kind::TokenKind;
use crate::pricing::ordered::{NumberText, Ordered};
use crate::pricing::text::{TierText, UnitText};
use crate::pricing::unit::BilledUnit;

/// Rates by kind, and prices of units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    tokens: BTreeMap<TokenKind, Steps>,
    units: BTreeMap<BilledUnit, UnitText>,
}

/// The rates of a kind: below all tiers, and for more input than a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// Below all tiers.
    pub(super) base: Option<NumberText>,
    /// By the input that is just below the tier.
    pub(super) over: BTreeMap<i64, NumberText>,
}

/// The three fields of a rule's or variant's text.
pub(super) struct DraftFields {
    pub(super) rates: Ordered<NumberText>,
    pub(super) tiers: Vec<TierText>,
    pub(super) units: Ordered<UnitText>,
}

impl Draft {
    /// True if it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.units.is_empty()
    }

    /// The rates of a kind, to be filled.
    pub(super) fn steps(&mut self, kind: TokenKind) -> &mut Steps {
        self.tokens.entry(kind).or_default()
    }

    /// Sets the price of a unit, if it has none yet.
    pub(super) fn sell(&mut self, unit: BilledUnit, usd: NumberText, per: u32) {
        self.units.entry(unit).or_insert(UnitText { usd, per });
    }

    /// Adds what `other` has and this one has not.
    pub(super) fn complete(&mut self, other: &Self) {
        for (kind, steps) in &other.tokens {
            self.tokens.entry(*kind).or_insert_with(|| steps.clone());
        }
        for (unit, price) in &other.units {
            self.units.entry(*unit).or_insert_with(|| price.clone());
        }
    }

    /// Gives kinds without a rate below their tiers that of `other`. Takes those away that have none
    /// there, either, and tells them.
    pub(super) fn settle(&mut self, other: &Self) -> Vec<TokenKind> {
        let mut lost = Vec::new();
        self.tokens.retain(|kind, steps| {
            let base = || other.tokens.get(kind).and_then(|steps| steps.base.clone());
            steps.base = steps.base.take().or_else(base);
            lost.extend(steps.base.is_none().then_some(*kind));
            steps.base.is_some()
        });
        lost
    }

    /// Gives each kind of `other` that has no rate here that of the kind it is part of, so that a price
    /// which stands alone takes none of `other`'s. Tells the units that cannot be taken away.
    pub(super) fn stand_alone(&mut self, other: &Self) -> Vec<BilledUnit> {
        let missing = other.tokens.keys().filter(|kind| !self.tokens.contains_key(kind));
        let made: Vec<_> = missing
            .filter_map(|kind| {
                let whole = kind.wholes().iter().find_map(|whole| self.tokens.get(whole))?;
                Some((*kind, whole.clone()))
            })
            .collect();
        self.tokens.extend(made);
        other.units.keys().filter(|unit| !self.units.contains_key(unit)).copied().collect()
    }

    /// Gives kinds the tiers of `other` that they have none of their own for.
    pub(super) fn take_tiers(&mut self, other: &Self) {
        for (kind, steps) in &mut self.tokens {
            let tiers = other.tokens.get(kind).into_iter().flat_map(|steps| &steps.over);
            for (over, rate) in tiers {
                steps.over.entry(*over).or_insert_with(|| rate.clone());
            }
        }
    }

    /// The fields of a text.
    pub(super) fn fields(&self) -> DraftFields {
        let tokens =
            || TokenKind::ALL.into_iter().filter_map(|kind| self.tokens.get_key_value(&kind));
        let rates = tokens()
            .filter_map(|(kind, steps)| Some((kind.name().to_owned(), steps.base.clone()?)));
        let overs: BTreeSet<_> = tokens().flat_map(|(_, steps)| steps.over.keys()).collect();
        let tiers = overs.into_iter().map(|over| {
            let rates = tokens().filter_map(|(kind, steps)| {
                Some((kind.name().to_owned(), steps.over.get(over)?.clone()))
            });
            TierText { over: Some(*over), from: None, rates: Ordered(rates.collect()) }
        });
        let units = self.units.iter().map(|(unit, price)| (unit.name().to_owned(), price.clone()));
        DraftFields {
            rates: Ordered(rates.collect()),
            tiers: tiers.collect(),
            units: Ordered(units.collect()),
        }
    }
}

/// Dollars that are 10^`shift` times those of a text, and whether they are exact at 12 places.
pub(super) fn dollars(text: &str, shift: u8) -> Result<(NumberText, bool), InvalidMoney> {
    let amount = parse_amount(text, PLACES.unsigned_abs() + shift)?;
    Ok((NumberText(format_decimal(amount.units).to_string()), amount.exact))
}
