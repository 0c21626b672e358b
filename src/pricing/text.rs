//! The JSON of a table, as people write it and as it is stored.
//!
//! Fields that this version does not know are refused, since they may change a price.

use serde::{Deserialize, Serialize};

use super::ordered::{NumberText, Ordered};

/// The `format` of our tables.
pub(super) const FORMAT: &str = "tokenlake.prices";
/// The newest `version` of the format.
pub(super) const VERSION: u32 = 1;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableText {
    /// [`FORMAT`].
    pub(super) format: String,
    /// [`VERSION`].
    pub(super) version: u32,
    /// The table's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<String>,
    /// When the prices were taken: a date or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) taken: Option<String>,
    /// From where they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sources: Vec<String>,
    /// Providers that sell the models of others at the others' standard price.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(super) resold: Ordered<Vec<String>>,
    /// The rules.
    pub(super) rules: Vec<RuleText>,
}

impl TableText {
    /// A table of rules that were made of another form.
    pub(super) fn made(rules: Vec<RuleText>, resold: Ordered<Vec<String>>) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, rules, resold, ..Self::default() }
    }
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    /// Its name in the table.
    pub(super) id: String,
    /// The organisation that it is for; any if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) org: Option<String>,
    /// The provider; any if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// Other names of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<String>,
    /// What its names begin with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) prefixes: Vec<String>,
    /// What its names end with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) suffixes: Vec<String>,
    /// Patterns of its names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) patterns: Vec<String>,
    /// Patterns of names that are not meant by a prefix, suffix or pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) except: Vec<String>,
    /// From when on it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    /// From when on it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
    /// Dollars for a million tokens, by kind.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(super) rates: Ordered<NumberText>,
    /// Rates of calls with much input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tiers: Vec<TierText>,
    /// Prices of units that are no tokens.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(super) units: Ordered<UnitText>,
    /// Rates of contexts and times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) variants: Vec<VariantText>,
}

/// Rates that take the place of others for all tokens of a call with much input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TierText {
    /// For more input than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) over: Option<i64>,
    /// For this input and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<i64>,
    /// Dollars for a million tokens, by kind.
    pub(super) rates: Ordered<NumberText>,
}

/// The price of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnitText {
    /// Dollars.
    pub(super) usd: NumberText,
    /// For so many.
    pub(super) per: u32,
}

/// Rates that take the place of the rule's in a context, or at some times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantText {
    /// The context.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(super) when: Ordered<String>,
    /// From when on it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    /// From when on it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
    /// The times of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hours: Option<HoursText>,
    /// The days of the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) weekdays: Vec<String>,
    /// Dollars for a million tokens, by kind.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(super) rates: Ordered<NumberText>,
    /// Rates of calls with much input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tiers: Vec<TierText>,
    /// Prices of units that are no tokens.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(super) units: Ordered<UnitText>,
}

/// Times of the day in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoursText {
    /// When they begin.
    pub(super) from: String,
    /// When they have ended.
    pub(super) until: String,
}
