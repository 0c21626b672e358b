//! A row of a report: what a provider says of one bucket of time and one group.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Micros;
use crate::event::money::{self, InvalidMoney, format_decimal, parse_amount};

/// Amounts are below this many units, so that the sum of all rows has a decimal of 38 digits.
const AMOUNT_MAX: i128 = 1_000_000_000_000 * money::UNITS_PER_DOLLAR;
/// The name of a group by model.
pub const REPORT_MODEL: &str = "model";
/// The name of a group by line of an invoice.
pub const LINE_ITEM: &str = "line_item";

/// What rows of a bucket are told apart by, by name; without what is not told.
pub type ReportGroup = BTreeMap<String, String>;

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRow {
    /// When its bucket begins.
    pub start_us: Micros,
    /// When its bucket has ended.
    pub end_us: Micros,
    /// Its group.
    pub group: ReportGroup,
    /// What it says.
    pub figures: ReportFigures,
}

/// What a provider says of a group; `None` of what it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportFigures {
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<i64>,
    /// Tokens, with those that were cached and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i64>,
    /// Tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i64>,
    /// Of `input_tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<i64>,
    /// Of `input_tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<i64>,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Dollars>,
}

/// What tells rows of a report apart.
pub type ReportKey = (Micros, Micros, ReportGroup);

impl ReportRow {
    /// What tells it apart from others of its report.
    pub fn key(&self) -> ReportKey {
        (self.start_us, self.end_us, self.group.clone())
    }

    /// Bytes of the texts of its group.
    pub fn text_bytes(&self) -> usize {
        self.group.iter().map(|(name, text)| name.len() + text.len()).sum()
    }

    /// The model, if the report is by model.
    pub fn model(&self) -> Option<&str> {
        self.group.get(REPORT_MODEL).map(String::as_str)
    }

    /// The line of the invoice, if the report is by line.
    pub fn line_item(&self) -> Option<&str> {
        self.group.get(LINE_ITEM).map(String::as_str)
    }
}

/// An amount in units of 10⁻¹² dollars, which may be below 0. It is stored as decimal text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub i128);

impl Dollars {
    /// Reads decimal text, of which the dollar has 10^`places` of a unit of 10⁻¹²: 12 for dollars, 10 for
    /// cents. What is finer is rounded half to even.
    ///
    /// # Errors
    /// Not decimal, or too large.
    pub fn parse(text: &str, places: u8) -> Result<Self, InvalidMoney> {
        let text = text.trim();
        let (amount, is_negative) = match text.strip_prefix('-') {
            Some(amount) if !amount.starts_with(['-', '+']) => (amount, true),
            _ => (text, false),
        };
        let units = parse_amount(amount, places)?.units;
        if units >= AMOUNT_MAX {
            return Err(InvalidMoney::TooLarge);
        }
        Ok(Self(if is_negative { -units } else { units }))
    }
}

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_decimal(self.0))
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text, money::PLACES.unsigned_abs()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_may_be_credits() {
        let cases = [
            ("0.06", 12, 60_000_000_000),
            ("-1.5e-3", 12, -1_500_000_000),
            ("123.78912", 10, 1_237_891_200_000),
            ("0.00000000005", 10, 0),
            ("0.00000000015", 10, 2),
            ("-0.00000000015", 10, -2),
            ("2500000", 12, 2_500_000 * money::UNITS_PER_DOLLAR),
        ];
        for (text, places, units) in cases {
            assert_eq!(Dollars::parse(text, places), Ok(Dollars(units)), "{text}");
        }
        for text in ["", "-", "--1", "-+1", "1,5", "$1", "NaN", "1e13"] {
            assert!(Dollars::parse(text, 12).is_err(), "{text}");
        }
    }

    #[test]
    fn a_row_survives_its_text() {
        let row = ReportRow {
            start_us: 1,
            end_us: 2,
            group: [(REPORT_MODEL.to_owned(), "m".to_owned())].into(),
            figures: ReportFigures {
                requests: Some(3),
                cost_usd: Some(Dollars(-5)),
                ..ReportFigures::default()
            },
        };
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains(r#""cost_usd":"-0.000000000005""#), "{text}");
        assert_eq!(serde_json::from_str::<ReportRow>(&text).unwrap(), row);
        assert_eq!((row.model(), row.line_item()), (Some("m"), None));
    }
}
