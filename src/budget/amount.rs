//! Amounts of a budget, exact: what they are as text, when a share of one is spent, and how full it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::BudgetError;
use crate::event::money::{PLACES, UNITS_PER_DOLLAR, format_decimal};
use crate::event::{excerpt, format_scaled};

/// Digits before the point.
const WHOLE_DIGITS_MAX: usize = 15;
/// Units of a percentage that is shown: hundredths.
const HUNDREDTHS: i128 = 100;
/// Places of a percentage that is shown.
const PERCENT_PLACES: u8 = 2;

/// Dollars above 0, in units of 10^-12.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BudgetAmount(i128);

impl BudgetAmount {
    /// Reads decimal text in full: digits, and a point with up to 12 digits after it.
    ///
    /// # Errors
    /// [`BudgetError::Amount`].
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        let units = units(text.trim()).filter(|units| *units > 0);
        units.map(Self).ok_or_else(|| BudgetError::Amount(excerpt(text)))
    }

    /// In units of 10^-12 dollars.
    pub fn units(self) -> i128 {
        self.0
    }

    /// Whether so many percent of it are spent.
    pub fn is_crossed(self, spent: i128, percent: u32) -> bool {
        spent.saturating_mul(HUNDREDTHS) >= self.0.saturating_mul(percent.into())
    }

    /// How much of it is spent, in percent to two places, rounded half to even.
    pub fn percent(self, spent: i128) -> String {
        let shares = spent.saturating_mul(HUNDREDTHS * HUNDREDTHS);
        let (whole, rest) = (shares.div_euclid(self.0), shares.rem_euclid(self.0));
        let twice = rest.saturating_mul(2);
        let is_up = twice > self.0 || twice == self.0 && whole % 2 != 0;
        format_scaled(whole + i128::from(is_up), PERCENT_PLACES).to_string()
    }

    /// What is left of it; below 0 if more is spent.
    pub fn remaining(self, spent: i128) -> i128 {
        self.0.saturating_sub(spent)
    }
}

fn units(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let places = usize::from(PLACES.unsigned_abs());
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits =
        (1..=WHOLE_DIGITS_MAX).contains(&whole.len()) && (1..=places).contains(&fraction.len());
    if !fits || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let part: i128 = format!("{fraction:0<places$}").parse().ok()?;
    Some(whole.parse::<i128>().ok()? * UNITS_PER_DOLLAR + part)
}

impl fmt::Display for BudgetAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_decimal(self.0).fmt(f)
    }
}

impl fmt::Debug for BudgetAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for BudgetAmount {
    type Error = BudgetError;

    fn try_from(text: String) -> Result<Self, BudgetError> {
        Self::parse(&text)
    }
}

impl From<BudgetAmount> for String {
    fn from(amount: BudgetAmount) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> BudgetAmount {
        BudgetAmount::parse(text).unwrap()
    }

    fn dollars(text: &str) -> i128 {
        amount(text).units()
    }

    #[test]
    fn amounts_are_plain_decimals_above_zero() {
        for (text, shown) in
            [("100", "100"), (" 0.10 ", "0.1"), ("0.000000000001", "0.000000000001"), ("007", "7")]
        {
            assert_eq!(amount(text).to_string(), shown);
        }
        let (longest, longer) = ("9".repeat(15), "9".repeat(16));
        assert_eq!(amount(&longest).to_string(), longest);
        for text in [
            "",
            "0",
            "0.0",
            "-1",
            "+1",
            "1e3",
            "1,000",
            ".5",
            "5.",
            "1.2.3",
            "$1",
            "NaN",
            &longer,
            "0.0000000000001",
            "١",
        ] {
            assert!(BudgetAmount::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_threshold_is_crossed_by_the_last_unit() {
        let amount = amount("100");
        assert!(!amount.is_crossed(dollars("80") - 1, 80));
        assert!(amount.is_crossed(dollars("80"), 80));
        assert!(!amount.is_crossed(-1, 1) && !amount.is_crossed(0, 1));
        let third = BudgetAmount::parse("0.000000000003").unwrap();
        assert!(!third.is_crossed(1, 34) && third.is_crossed(1, 33));
        assert!(amount.is_crossed(i128::MAX, 10_000) && !amount.is_crossed(i128::MIN, 1));
    }

    #[test]
    fn percent_is_rounded_half_to_even() {
        let amount = amount("100");
        for (spent, percent) in [
            ("12.345", "12.34"),
            ("12.355", "12.36"),
            ("12.3450001", "12.35"),
            ("200", "200"),
            ("0.5", "0.5"),
        ] {
            assert_eq!(amount.percent(dollars(spent)), percent, "{spent}");
        }
        assert_eq!(amount.percent(-dollars("1.5")), "-1.5");
        assert_eq!(amount.percent(0), "0");
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text(units in 1..10_i128.pow(27)) {
            prop_assert_eq!(BudgetAmount::parse(&BudgetAmount(units).to_string()).unwrap(), BudgetAmount(units));
        }

        #[test]
        fn what_is_crossed_is_so_many_percent(spent in 0..10_i128.pow(20), whole in 1..10_i128.pow(20), percent in 1_u32..1_000) {
            let crossed = BudgetAmount(whole).is_crossed(spent, percent);
            prop_assert_eq!(crossed, spent * 100 >= whole * i128::from(percent));
        }
    }
}
