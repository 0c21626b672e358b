//! Dollars as whole numbers of 10^-12, read from text and written as text without a float in
//! between.

use std::fmt::Display;

use thiserror::Error;

use super::decimal::{Decimal, Rest, UnitsAndRest, plain_digits};
use super::scaled::format_scaled;

/// Decimal places of a cost.
pub const PLACES: i8 = 12;

/// Digits of the largest cost: places, and the digits of its dollars.
pub const DIGITS: u8 = 18;

/// Units in one dollar.
pub const UNITS_PER_DOLLAR: i128 = 10_i128.pow(PLACES.unsigned_abs() as u32);

/// A cost is below this many units: a million dollars.
pub const COST_MAX: i128 = 1_000_000 * UNITS_PER_DOLLAR;

/// Digits before the point in any cost.
const WHOLE_DIGITS: usize = 6;

/// Why a text is not a cost.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidMoney {
    /// Not a sign, digits, fraction and exponent.
    #[error("is not a decimal number")]
    NotDecimal,
    /// Below zero after rounding.
    #[error("is negative")]
    Negative,
    /// At or above [`COST_MAX`] after rounding.
    #[error("is not below 1000000 dollars")]
    TooLarge,
    /// At or below minus [`COST_MAX`] after rounding.
    #[error("is not above -1000000 dollars")]
    TooNegative,
}

/// Reads a cost in dollars as units of 10^-12 dollars, from 0 to below [`COST_MAX`].
///
/// `text` is a JSON number, possibly with a leading `+` or white space around it. Digits past the
/// twelfth place are rounded half to even, exactly. The range applies to the rounded value.
pub fn parse_decimal(text: &str) -> Result<i128, InvalidMoney> {
    if let Some(units) = parse_plain(text) {
        return Ok(units);
    }
    match parse_signed(text) {
        Ok(..0) | Err(InvalidMoney::TooNegative) => Err(InvalidMoney::Negative),
        read => read,
    }
}

/// As [`parse_decimal`], of an amount that may be below zero: within ±[`COST_MAX`], both excluded.
pub fn parse_signed(text: &str) -> Result<i128, InvalidMoney> {
    let decimal = Decimal::parse(text).ok_or(InvalidMoney::NotDecimal)?;
    match half_even(decimal.scaled(i64::from(PLACES))) {
        Some(units) if units < COST_MAX && decimal.is_negative() => Ok(-units),
        Some(units) if units < COST_MAX => Ok(units),
        _ if decimal.is_negative() => Err(InvalidMoney::TooNegative),
        _ => Err(InvalidMoney::TooLarge),
    }
}

/// A number that is not negative, in units of a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactAmount {
    /// The units, rounded half to even.
    pub units: i128,
    /// Whether nothing was rounded away.
    pub exact: bool,
}

/// Reads a number that is not negative in units of 10^-`places`, of any size that the type holds.
///
/// # Errors
/// Not decimal, negative, or too large.
pub fn parse_amount(text: &str, places: u8) -> Result<ExactAmount, InvalidMoney> {
    let decimal = Decimal::parse(text).ok_or(InvalidMoney::NotDecimal)?;
    if decimal.is_negative() {
        return Err(InvalidMoney::Negative);
    }
    let scaled = decimal.scaled(i64::from(places));
    let exact = scaled.rest == Rest::Zero;
    half_even(scaled).map(|units| ExactAmount { units, exact }).ok_or(InvalidMoney::TooLarge)
}

/// The nearest whole units; of two that are equally near, the even ones.
fn half_even(scaled: UnitsAndRest) -> Option<i128> {
    scaled.units.map(|units| match scaled.rest {
        Rest::Zero | Rest::BelowHalf => units,
        Rest::Half => units + units % 2,
        Rest::AboveHalf => units + 1,
    })
}

/// Reads the usual form: a few digits, a point, and at most [`PLACES`] digits after it.
fn parse_plain(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.')?;
    if whole.len() > WHOLE_DIGITS {
        return None;
    }
    let missing = usize::from(PLACES.unsigned_abs()).checked_sub(fraction.len())?;
    let scale = 10_u64.pow(u32::try_from(missing).ok()?);
    let dollar = 10_u64.pow(u32::from(PLACES.unsigned_abs()));
    Some(i128::from(plain_digits(whole)? * dollar + plain_digits(fraction)? * scale))
}

/// Writes units of 10^-12 dollars as dollars in full: `0.1`, `12`, `-0.000000000001`.
///
/// There is no exponent and no trailing zero. Every `i128` has a text, so sums and differences can
/// be written too.
pub fn format_decimal(units: i128) -> impl Display {
    format_scaled(units, PLACES.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_decimal_text_exactly() {
        let cases = [
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("-0e5", 0),
            ("0.1", 100_000_000_000),
            (" +1.5\t", 1_500_000_000_000),
            ("1e-3", 1_000_000_000),
            ("1E+2", 100_000_000_000_000),
            (".5", 500_000_000_000),
            ("5.", 5_000_000_000_000),
            ("007", 7_000_000_000_000),
            ("0.0000000000005", 0),
            ("0.0000000000015", 2),
            ("0.0000000000025", 2),
            ("0.00000000000250000000000000000000000001", 3),
            ("0.00000000000049999999999999999999999999", 0),
            ("0.0000000000009", 1),
            ("999999.999999999999", COST_MAX - 1),
            ("999999.9999999999994", COST_MAX - 1),
            ("1e-999999999999", 0),
            ("1e-99999999999999999999999999999999", 0),
            ("0e99999999999999999999999999999999", 0),
            ("-1e-13", 0),
            ("12345678901234567890e-19", 1_234_567_890_123),
            ("0.00000000000000000001e20", 1_000_000_000_000),
        ];
        for (text, units) in cases {
            assert_eq!(parse_decimal(text), Ok(units), "{text}");
        }
    }

    #[test]
    fn rejects_what_is_no_cost() {
        let junk = [
            "", " ", "+", "-", ".", "e5", "1e", "1e+", "1e1.5", "abc", "NaN", "inf", "-inf",
            "0x10", "1_000", "1,5", "1 2", "--1", "+-1", "1e5x", "1..2", "1.2.3", "$1", "\u{0661}",
        ];
        for text in junk {
            assert_eq!(parse_decimal(text), Err(InvalidMoney::NotDecimal), "{text}");
        }
        for text in ["-1", "-0.000000000001", "-1e400", "-6e-13"] {
            assert_eq!(parse_decimal(text), Err(InvalidMoney::Negative), "{text}");
        }
        for text in ["1000000", "1e6", "999999.9999999999995", "1e400", "1e99999999999999999999"] {
            assert_eq!(parse_decimal(text), Err(InvalidMoney::TooLarge), "{text}");
        }
    }

    #[test]
    fn ten_megabytes_of_digits_are_read_once() {
        let zeros = "0".repeat(10_000_000);
        assert_eq!(parse_decimal(&format!("0.5{zeros}")), Ok(UNITS_PER_DOLLAR / 2));
        assert_eq!(parse_decimal(&format!("{zeros}1.5{zeros}1e0")), Ok(3 * UNITS_PER_DOLLAR / 2));
        assert_eq!(parse_decimal(&format!("1{zeros}e-10000000")), Ok(UNITS_PER_DOLLAR));
        assert_eq!(parse_decimal(&"9".repeat(10_000_000)), Err(InvalidMoney::TooLarge));
        assert_eq!(
            parse_decimal(&format!("1e{}", "9".repeat(10_000_000))),
            Err(InvalidMoney::TooLarge)
        );
    }

    #[test]
    fn writes_in_full() {
        let cases = [
            (0, "0"),
            (1, "0.000000000001"),
            (-1, "-0.000000000001"),
            (UNITS_PER_DOLLAR / 10, "0.1"),
            (12 * UNITS_PER_DOLLAR, "12"),
            (-12_345 * UNITS_PER_DOLLAR / 1000, "-12.345"),
            (i128::MAX, "170141183460469231731687303.715884105727"),
            (i128::MIN, "-170141183460469231731687303.715884105728"),
        ];
        for (units, text) in cases {
            assert_eq!(format_decimal(units).to_string(), text);
        }
    }

    /// The same result by moving the point in written-out digits and rounding the text.
    fn by_long_hand(whole: &str, fraction: &str, exponent: i32) -> Result<i128, InvalidMoney> {
        let shift = exponent + i32::from(PLACES);
        let padding = "0".repeat(shift.unsigned_abs() as usize);
        let (digits, cut) = if shift >= 0 {
            (format!("{whole}{fraction}{padding}"), fraction.len())
        } else {
            (format!("{padding}{whole}{fraction}"), fraction.len() + padding.len())
        };
        let (units, rest) = digits.split_at(digits.len() - cut);
        let half = format!("5{}", "0".repeat(cut.saturating_sub(1)));
        let up = cut > 0
            && (rest > half.as_str() || rest == half && units.ends_with(['1', '3', '5', '7', '9']));
        let units = units.trim_start_matches('0');
        if units.len() > 30 {
            return Err(InvalidMoney::TooLarge);
        }
        let units = format!("0{units}").parse::<i128>().unwrap() + i128::from(up);
        if units < COST_MAX { Ok(units) } else { Err(InvalidMoney::TooLarge) }
    }

    proptest! {
        #[test]
        fn agrees_with_long_hand(
            whole in "[0-9]{1,9}", fraction in "[0-9]{1,16}|[0-9]{11}[05]0{0,4}|[0-9]{12}50{0,4}",
            exponent in -20_i32..20,
        ) {
            let text = format!("{whole}.{fraction}e{exponent}");
            prop_assert_eq!(parse_decimal(&text), by_long_hand(&whole, &fraction, exponent));
            let text = format!("{whole}.{fraction}");
            prop_assert_eq!(parse_decimal(&text), by_long_hand(&whole, &fraction, 0));
        }

        #[test]
        fn an_amount_below_zero_is_that_above_it_with_a_sign(
            whole in "[0-9]{1,8}", fraction in "[0-9]{1,16}", exponent in -9_i32..4,
        ) {
            let text = format!("{whole}.{fraction}e{exponent}");
            let (above, below) = (parse_signed(&text), parse_signed(&format!("-{text}")));
            prop_assert_eq!(above, parse_decimal(&text));
            let mirrored = above.map(|units| -units);
            prop_assert_eq!(below, mirrored.map_err(|_| InvalidMoney::TooNegative));
        }

        #[test]
        fn an_amount_is_the_cost_of_its_text_and_tells_what_was_cut(
            whole in "[0-9]{1,5}", fraction in "[0-9]{1,16}",
        ) {
            let text = format!("{whole}.{fraction}");
            let amount = parse_amount(&text, 12).unwrap();
            prop_assert_eq!(Ok(amount.units), parse_decimal(&text));
            let cut = fraction.get(12..).unwrap_or_default();
            prop_assert_eq!(amount.exact, cut.bytes().all(|digit| digit == b'0'));
            let negative = parse_amount(&format!("-{text}1"), 12);
            prop_assert_eq!(negative, Err(InvalidMoney::Negative));
        }

        #[test]
        fn a_cost_survives_its_text(units in 0..COST_MAX) {
            prop_assert_eq!(parse_decimal(&format_decimal(units).to_string()), Ok(units));
        }

        #[test]
        fn any_units_have_the_text_of_their_quotient(units in any::<i128>()) {
            let text = format_decimal(units).to_string();
            prop_assert!(!text.contains('.') || !text.ends_with('0'));
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let digits = format!("{whole}{fraction:0<12}");
            prop_assert_eq!(digits.parse::<i128>().unwrap(), units);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = parse_decimal(&text);
        }
    }
}
