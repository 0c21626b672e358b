//! What a call costs by its counts: rates, tiers, leaves, and the one rounding at the end.

use super::kind::{Counts, TokenKind};
use super::no_price::{InvalidRate, NoPrice};
use super::unit::{BilledUnit, QUANTITY, Quantity};
use crate::event::money::{COST_MAX, PLACES, parse_amount};

/// Tokens that a rate is for.
const TOKENS_OF_A_RATE: i128 = 1_000_000;

/// Amounts that the price of a unit may be for.
const PER: [u32; 6] = [1, 60, 1_000, 3_600, 1_000_000, 1_000_000_000];

/// A multiple of each amount of [`PER`].
const MULTIPLE: i128 = 9_000_000_000;

/// Dollars for a million tokens, or for an amount of a unit: 10^-12 dollars, from 0 to below a
/// million dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(i128);

impl Rate {
    /// Reads decimal text of at most 12 places.
    ///
    /// # Errors
    /// No such number.
    pub fn parse(text: &str) -> Result<Self, InvalidRate> {
        let amount = parse_amount(text, PLACES.unsigned_abs())?;
        if !amount.exact {
            return Err(InvalidRate::TooFine);
        }
        Self::of(amount.units).ok_or(InvalidRate::TooLarge)
    }

    /// The rate of so many 10^-12 dollars.
    pub(super) fn of(units: i128) -> Option<Self> {
        (0..COST_MAX).contains(&units).then_some(Self(units))
    }

    /// In 10^-12 dollars.
    pub fn units(self) -> i128 {
        self.0
    }
}

/// The rates of one kind by the total input of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The rate below all tiers.
    pub(super) base: Rate,
    /// Tiers by the smallest total input that is in them, ascending.
    pub(super) tiers: Vec<(i64, Rate)>,
}

impl Schedule {
    /// The rate of a call with so many input tokens, cached ones among them.
    fn at(&self, input: i64) -> Rate {
        let tier = self.tiers.iter().rev().find(|(first, _)| input >= *first);
        tier.map_or(self.base, |(_, rate)| *rate)
    }
}

/// The price of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitRate {
    /// Dollars.
    pub(super) usd: Rate,
    /// For so many.
    pub(super) per: u32,
}

impl UnitRate {
    /// So many dollars for so many; `None` if nothing may be sold by that number.
    pub(super) fn new(usd: Rate, per: u32) -> Option<Self> {
        PER.contains(&per).then_some(Self { usd, per })
    }
}

/// The rates of a rule, or of a variant of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Kinds that have a rate, parts before their wholes.
    tokens: Vec<(TokenKind, Schedule)>,
    /// For each of them which of them are its parts, by a bit each.
    parts: Vec<u32>,
    /// Units that have a price.
    units: Vec<(BilledUnit, UnitRate)>,
}

impl Sheet {
    /// Each kind and unit is at most once in the lists.
    pub(super) fn new(
        tokens: Vec<(TokenKind, Schedule)>,
        units: Vec<(BilledUnit, UnitRate)>,
    ) -> Self {
        let mut sheet = Self { tokens, parts: Vec::new(), units };
        sheet.tokens.sort_by_key(|(kind, _)| *kind);
        sheet.units.sort_by_key(|(unit, _)| *unit);
        sheet.parts = sheet.tokens.iter().map(|(kind, _)| sheet.parts_of(*kind)).collect();
        sheet
    }

    /// Which of the kinds that have a rate are parts of a kind, by a bit each.
    fn parts_of(&self, whole: TokenKind) -> u32 {
        let parts = (0_u32..).zip(&self.tokens).filter(|(_, (kind, _))| kind.is_part_of(whole));
        parts.map(|(at, _)| 1 << at).sum()
    }

    /// True if it prices nothing.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.units.is_empty()
    }

    /// The rates of a kind.
    pub(super) fn schedule(&self, kind: TokenKind) -> Option<&Schedule> {
        self.tokens.iter().find(|(found, _)| *found == kind).map(|(_, schedule)| schedule)
    }

    /// The units that have a price.
    pub(super) fn units(&self) -> &[(BilledUnit, UnitRate)] {
        &self.units
    }

    /// These rates, in place of which `other` has its own.
    pub(super) fn overlaid(&self, other: &Self) -> Self {
        let kept = self.tokens.iter().filter(|(kind, _)| other.schedule(*kind).is_none());
        let tokens = kept.chain(&other.tokens).cloned().collect();
        let has = |unit: BilledUnit| other.units.iter().any(|(found, _)| *found == unit);
        let kept = self.units.iter().filter(|(unit, _)| !has(*unit));
        Self::new(tokens, kept.chain(&other.units).copied().collect())
    }

    /// What a call costs, in 10^-12 dollars, rounded once, half to even.
    ///
    /// # Errors
    /// Why these rates do not tell it.
    pub(super) fn cost(
        &self,
        counts: &Counts,
        quantities: &[(BilledUnit, Quantity)],
    ) -> Result<i128, NoPrice> {
        self.is_measured(quantities)?;
        let tokens = self.tokens(counts)?;
        let cost = if self.units.is_empty() && quantities.is_empty() {
            rounded(tokens, TOKENS_OF_A_RATE)
        } else {
            let units = self.sold(quantities)?;
            let tokens = tokens.checked_mul(MULTIPLE).ok_or(NoPrice::TooLarge)?;
            let sum = tokens.checked_add(units).ok_or(NoPrice::TooLarge)?;
            rounded(sum, TOKENS_OF_A_RATE * MULTIPLE)
        };
        if cost < COST_MAX { Ok(cost) } else { Err(NoPrice::TooLarge) }
    }

    /// Whether the call says what it is billed by, if that is not tokens.
    fn is_measured(&self, quantities: &[(BilledUnit, Quantity)]) -> Result<(), NoPrice> {
        let is_told = |unit: BilledUnit| {
            unit == BilledUnit::Requests || quantities.iter().any(|(found, _)| *found == unit)
        };
        match self.units.first() {
            Some((unit, _)) if self.tokens.is_empty() => {
                let told = self.units.iter().any(|(unit, _)| is_told(*unit));
                if told { Ok(()) } else { Err(NoPrice::Unmeasured(*unit)) }
            }
            _ => Ok(()),
        }
    }

    /// The sum over leaves of tokens and their rates. A leaf is what is left of a kind without those of
    /// its parts that have rates of their own.
    fn tokens(&self, counts: &Counts) -> Result<i128, NoPrice> {
        let input = counts.of(TokenKind::Input);
        let mut leaves = TokenLeaves::default();
        let mut sum = 0_i128;
        for ((kind, schedule), parts) in self.tokens.iter().zip(&self.parts) {
            let leaf = counts.of(*kind) - leaves.of(*parts);
            if leaf < 0 {
                return Err(NoPrice::Overlap(*kind));
            }
            leaves.push(leaf);
            let price = i128::from(leaf).checked_mul(schedule.at(input).0);
            sum = price.and_then(|price| sum.checked_add(price)).ok_or(NoPrice::TooLarge)?;
        }
        for whole in [TokenKind::Input, TokenKind::Output] {
            let count = counts.of(whole);
            if count > 0
                && self.schedule(whole).is_none()
                && count != leaves.of(self.parts_of(whole))
            {
                return Err(NoPrice::NoRate(whole));
            }
        }
        Ok(sum)
    }

    /// The sum over units, in the same fraction of 10^-12 dollars for all.
    fn sold(&self, quantities: &[(BilledUnit, Quantity)]) -> Result<i128, NoPrice> {
        let requests = (BilledUnit::Requests, Quantity(QUANTITY));
        let mut sum = 0_i128;
        for (unit, quantity) in quantities.iter().chain([&requests]) {
            let Some((_, rate)) = self.units.iter().find(|(found, _)| found == unit) else {
                if *unit == BilledUnit::Requests || quantity.0 == 0 {
                    continue;
                }
                return Err(NoPrice::NoUnitRate(*unit));
            };
            let price = quantity.0.checked_mul(rate.usd.0);
            let price = price.and_then(|price| price.checked_mul(MULTIPLE / i128::from(rate.per)));
            sum = price.and_then(|price| sum.checked_add(price)).ok_or(NoPrice::TooLarge)?;
        }
        Ok(sum)
    }
}

/// The leaves of the kinds that have a rate, in their order.
#[derive(Default)]
struct TokenLeaves {
    tokens: [i64; TokenKind::ALL.len()],
    length: usize,
}

impl TokenLeaves {
    fn push(&mut self, leaf: i64) {
        if let Some(tokens) = self.tokens.get_mut(self.length) {
            *tokens = leaf;
            self.length += 1;
        }
    }

    /// The sum of those that have a bit.
    fn of(&self, mut bits: u32) -> i64 {
        let mut sum = 0;
        while bits != 0 {
            let at = usize::try_from(bits.trailing_zeros()).unwrap_or(usize::MAX);
            sum += self.tokens.get(at).copied().unwrap_or_default();
            bits &= bits - 1;
        }
        sum
    }
}

const _: () = assert!(QUANTITY == TOKENS_OF_A_RATE, "both sums have the same denominator");

/// A quotient of two numbers that are not negative, half to even.
fn rounded(sum: i128, by: i128) -> i128 {
    // Divisions of 64 bits take a tenth of the time, and are those of nearly all calls.
    let (quotient, rest) = match (u64::try_from(sum), u64::try_from(by)) {
        (Ok(sum), Ok(by)) => (i128::from(sum / by), i128::from(sum % by)),
        _ => (sum / by, sum % by),
    };
    match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
        std::cmp::Ordering::Greater => quotient + 1,
    }
}

#[cfg(test)]
#[path = "sheet_tests.rs"]
mod tests;
