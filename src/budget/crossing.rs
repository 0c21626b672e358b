//! Crossings: that a threshold of a budget was crossed in a period. A crossing is put once, whoever sees
//! it first, and is what every message about it is made of.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::amount::BudgetAmount;
use super::name::BudgetName;
use super::period::BudgetPeriod;
use super::stored::Budget;
use crate::archive::Record;
use crate::clock::Micros;
use crate::usage::StepSpan;

/// Bytes of a hash that tell messages apart.
const ID_BYTES: usize = 16;

/// A threshold that was crossed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crossing {
    /// Whose budget.
    pub org_id: String,
    /// Its name.
    pub budget: BudgetName,
    /// Its revision.
    pub revision: u64,
    /// Its period.
    pub period: BudgetPeriod,
    /// Where the period began in which it was crossed.
    pub start_us: Micros,
    /// Where that period ends.
    pub end_us: Micros,
    /// Of a rolling period: how often the threshold was crossed until then, with this time. Else 0.
    pub round: u64,
    /// The amount.
    pub amount: BudgetAmount,
    /// The threshold, in percent.
    pub threshold: u32,
    /// What was spent, in dollars: decimal text.
    pub spent: String,
    /// The version of the table at which that was so.
    pub version: u64,
    /// When it was seen.
    pub crossed_at_us: Micros,
    /// The query that shows what was spent.
    pub sql: String,
}

impl Record for Crossing {}

/// What was spent in a period, at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The period.
    pub span: StepSpan,
    /// In units of 10^-12 dollars.
    pub units: i128,
    /// The version of the table.
    pub version: u64,
}

/// Which crossing of a revision it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CrossingKey {
    /// Where the period began; 0 of a rolling one.
    pub start_us: Micros,
    /// As [`Crossing::round`].
    pub round: u64,
    /// The threshold.
    pub threshold: u32,
}

impl CrossingKey {
    /// The key of a crossing.
    pub fn of(crossing: &Crossing) -> Self {
        let start_us = if crossing.round > 0 { 0 } else { crossing.start_us };
        Self { start_us, round: crossing.round, threshold: crossing.threshold }
    }

    /// The start of the names of its records.
    pub fn stem(&self) -> String {
        let Self { start_us, round, threshold } = self;
        match round {
            0 => format!("{start_us:020}-{threshold:05}"),
            round => format!("r{round:019}-{threshold:05}"),
        }
    }

    /// The key that the name of a record begins with, and the rest of the name.
    pub fn parse(name: &str) -> Option<(Self, &str)> {
        let (stem, rest) = name.split_once('.')?;
        let (slot, threshold) = stem.rsplit_once('-')?;
        let threshold = threshold.parse().ok()?;
        let key = match slot.strip_prefix('r') {
            Some(round) => Self { start_us: 0, round: round.parse().ok()?, threshold },
            None => Self { start_us: slot.parse().ok()?, round: 0, threshold },
        };
        (key.stem() == stem).then_some((key, rest))
    }
}

impl Crossing {
    /// That so many percent were spent, seen at `now`.
    pub fn new(
        (org_id, name, budget): (&str, &BudgetName, &Budget),
        (threshold, round): (u32, u64),
        spent: &Spent,
        sql: String,
        now: Micros,
    ) -> Self {
        let definition = &budget.definition;
        Self {
            org_id: org_id.to_owned(),
            budget: name.clone(),
            revision: budget.revision,
            period: definition.period,
            start_us: spent.span.start,
            end_us: spent.span.end,
            round,
            amount: definition.amount,
            threshold,
            spent: crate::event::money::format_decimal(spent.units).to_string(),
            version: spent.version,
            crossed_at_us: now,
            sql,
        }
    }

    /// Tells its messages from those of any other crossing, and is the same on every try.
    pub fn webhook_id(&self) -> String {
        let CrossingKey { start_us, round, threshold } = CrossingKey::of(self);
        let Self { org_id, budget, revision, .. } = self;
        let text = format!("{org_id}\n{budget}\n{revision}\n{start_us}\n{round}\n{threshold}");
        let digest = Sha256::digest(text);
        format!("msg_{}", hex::encode(digest.get(..ID_BYTES).unwrap_or_default()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::money::UNITS_PER_DOLLAR;
    use proptest::prelude::*;

    /// A crossing of 80 % of 100 dollars in November of 2026.
    pub fn crossing() -> Crossing {
        Crossing {
            org_id: "acme".to_owned(),
            budget: "all".parse().unwrap(),
            revision: 3,
            period: BudgetPeriod::Month,
            start_us: 1_793_491_200_000_000,
            end_us: 1_796_083_200_000_000,
            round: 0,
            amount: BudgetAmount::parse("100").unwrap(),
            threshold: 80,
            spent: crate::event::money::format_decimal(81 * UNITS_PER_DOLLAR / 2 * 2).to_string(),
            version: 17,
            crossed_at_us: 1_794_700_800_000_000,
            sql: "SELECT 1".to_owned(),
        }
    }

    #[test]
    fn messages_of_other_crossings_have_other_ids() {
        let one = crossing();
        let with = |change: fn(&mut Crossing)| {
            let mut other = one.clone();
            change(&mut other);
            other.webhook_id()
        };
        assert_eq!(with(|_| {}), one.webhook_id());
        assert_eq!(with(|other| other.spent = "90".to_owned()), one.webhook_id());
        assert!(!one.webhook_id().contains('.'), "{}", one.webhook_id());
        for changed in [
            with(|other| other.org_id = "acm".to_owned()),
            with(|other| other.budget = "a".parse().unwrap()),
            with(|other| other.revision = 4),
            with(|other| other.start_us += 1),
            with(|other| other.round = 1),
            with(|other| other.threshold = 81),
        ] {
            assert_ne!(changed, one.webhook_id());
        }
    }

    #[test]
    fn names_of_other_records_are_no_keys() {
        for name in ["", "x.json", "1-1.json", "00000000000000000001-1.json", "r1-00001.json"] {
            assert_eq!(CrossingKey::parse(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_key_survives_its_name(start in 0..i64::MAX, round in 0..u64::MAX, threshold in 1_u32..10_000) {
            let start_us = if round > 0 { 0 } else { start };
            let key = CrossingKey { start_us, round, threshold };
            let name = format!("{}.done.json", key.stem());
            prop_assert_eq!(CrossingKey::parse(&name), Some((key, "done.json")));
        }
    }
}
