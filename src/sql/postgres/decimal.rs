//! Exact arithmetic of decimals: `numeric` with 38 digits.
//!
//! Results that PostgreSQL computes with more digits are rounded half away from zero, but never to
//! fewer than ten significant digits. Results that do not fit are errors. So a result is either
//! PostgreSQL's or an error.

use arrow::datatypes::{DataType, i256};
use datafusion::error::Result;

use super::refusal::{quoted, refused};

/// The most digits of a decimal.
pub(super) const DIGITS_MAX: u8 = 38;
/// Digits of an int64.
pub(super) const INT64_DIGITS: u8 = 19;
/// The most places of a product, unless a factor has more.
const PRODUCT_PLACES_MAX: u8 = 26;
/// The fewest and the most places of a quotient, and how many more it has than its dividend.
const QUOTIENT_PLACES: (u8, u8) = (20, 26);
const QUOTIENT_PLACES_MORE: u8 = 14;
/// The smallest rounded result, in units of its last place: ten digits.
const ROUNDED_UNITS_MIN: i128 = 1_000_000_000;
/// The smallest number with more than 38 digits.
const TOO_LONG: i128 = 100_000_000_000_000_000_000_000_000_000_000_000_000;

/// The digits and places of a decimal type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    pub digits: u8,
    pub places: u8,
}

impl Scale {
    /// The scale of a decimal type, or of an integer type, which counts as a decimal without
    /// places.
    pub(super) fn of(kind: &DataType) -> Option<Self> {
        let (digits, places) = match kind {
            DataType::Int8 | DataType::UInt8 => (3, 0),
            DataType::Int16 | DataType::UInt16 => (5, 0),
            DataType::Int32 | DataType::UInt32 => (10, 0),
            DataType::Int64 => (INT64_DIGITS, 0),
            DataType::UInt64 => (20, 0),
            DataType::Decimal32(digits, places)
            | DataType::Decimal64(digits, places)
            | DataType::Decimal128(digits, places) => (*digits, u8::try_from(*places).ok()?),
            _ => return None,
        };
        Some(Self { digits, places })
    }

    /// The type.
    pub(super) fn kind(self) -> DataType {
        DataType::Decimal128(self.digits, i8::try_from(self.places).unwrap_or(i8::MAX))
    }

    /// Digits before the point.
    pub(super) fn whole(self) -> u8 {
        self.digits.saturating_sub(self.places)
    }

    fn with(whole: u8, places: u8) -> Self {
        Self { digits: whole.saturating_add(places).clamp(1, DIGITS_MAX), places }
    }

    /// The scale of a sum or a difference.
    pub(super) fn sum(self, other: Self) -> Self {
        let whole = self.whole().max(other.whole()).saturating_add(1);
        Self::with(whole, self.places.max(other.places))
    }

    /// The scale of a product.
    pub(super) fn product(self, other: Self) -> Self {
        let places = self.places.saturating_add(other.places);
        let whole = self.whole().saturating_add(other.whole());
        if whole.saturating_add(places) <= DIGITS_MAX {
            return Self::with(whole, places);
        }
        let most = PRODUCT_PLACES_MAX.max(self.places).max(other.places);
        Self::with(whole, places.min(most))
    }

    /// The scale of a quotient.
    pub(super) fn quotient(self, divisor: Self) -> Self {
        let (least, most) = QUOTIENT_PLACES;
        let places = self.places.saturating_add(QUOTIENT_PLACES_MORE).clamp(least, most);
        let whole = self.whole().saturating_add(divisor.places);
        Self::with(whole, places.max(self.places))
    }

    /// The scale of a remainder.
    pub(super) fn rest(self, divisor: Self) -> Self {
        Self::with(self.whole().max(divisor.whole()), self.places.max(divisor.places))
    }

    /// The scale of an average: as many places as its digits before the point leave, up to those of
    /// a quotient.
    pub(super) fn average(self) -> Self {
        self.quotient(Self { digits: INT64_DIGITS, places: 0 })
    }
}

/// The error for a value that 38 digits cannot hold.
pub(super) fn too_long() -> datafusion::error::DataFusionError {
    refused("a decimal has more than 38 digits; round its parts, or cast them to float8")
}

fn too_small() -> datafusion::error::DataFusionError {
    refused("a decimal is too small for its places and would lose digits; cast its parts to float8")
}

/// 10 to a power.
pub(super) fn power_of_ten(places: u8) -> Result<i128> {
    10_i128.checked_pow(places.into()).ok_or_else(too_long)
}

/// The same for values of more than 38 digits.
pub(super) fn long_power_of_ten(places: u8) -> Result<i256> {
    i256::from_i128(10).checked_pow(places.into()).ok_or_else(too_long)
}

/// The value, if it has no more than 38 digits.
pub(super) fn fitting(value: i128) -> Result<i128> {
    if value > -TOO_LONG && value < TOO_LONG { Ok(value) } else { Err(too_long()) }
}

/// A value with other places, rounded half away from zero.
pub(super) fn in_places(value: i128, from: u8, to: u8) -> Result<i128> {
    match to.checked_sub(from) {
        Some(more) => fitting(value.checked_mul(power_of_ten(more)?).ok_or_else(too_long)?),
        None => rounded(i256::from_i128(value), long_power_of_ten(from.saturating_sub(to))?),
    }
}

/// A quotient, rounded half away from zero.
pub(super) fn rounded(dividend: i256, divisor: i256) -> Result<i128> {
    if let (Some(dividend), Some(divisor)) = (dividend.to_i128(), divisor.to_i128())
        && let (Some(whole), Some(rest)) =
            (dividend.checked_div(divisor), dividend.checked_rem(divisor))
    {
        let up = rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs() && rest != 0;
        let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
        return fitting(if up { whole + away } else { whole });
    }
    let whole = dividend.checked_div(divisor).ok_or_else(too_long)?;
    let rest = dividend.checked_rem(divisor).ok_or_else(too_long)?;
    let (rest, divisor_size) = (rest.wrapping_abs(), divisor.wrapping_abs());
    let up = rest != i256::ZERO && rest >= divisor_size.wrapping_sub(rest);
    let away =
        if dividend.is_negative() == divisor.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    let value = if up { whole.wrapping_add(away) } else { whole };
    value.to_i128().ok_or_else(too_long).and_then(fitting)
}

/// Refuses a value that has lost significant digits.
pub(super) fn exact_enough(value: i128, is_exact: bool) -> Result<i128> {
    if is_exact || value.unsigned_abs() >= ROUNDED_UNITS_MIN.unsigned_abs() {
        Ok(value)
    } else {
        Err(too_small())
    }
}

/// `left * right`, which has `places` places together, with the places of `of`.
pub(super) fn product(left: i128, right: i128, places: u8, of: Scale) -> Result<i128> {
    let more = places.saturating_sub(of.places);
    if more == 0
        && let Some(value) = left.checked_mul(right)
    {
        return fitting(value);
    }
    let value = i256::from_i128(left).checked_mul(i256::from_i128(right)).ok_or_else(too_long)?;
    let unit = long_power_of_ten(more)?;
    let is_exact = value.checked_rem(unit).is_some_and(|rest| rest == i256::ZERO);
    exact_enough(rounded(value, unit)?, is_exact)
}

/// `left / right`, with the places of `of`.
///
/// # Errors
/// Includes division by zero.
pub(super) fn quotient(left: (i128, u8), right: (i128, u8), of: Scale) -> Result<i128> {
    if right.0 == 0 {
        return Err(divided_by_zero());
    }
    let (mut dividend, mut divisor) = (i256::from_i128(left.0), i256::from_i128(right.0));
    let more = (i16::from(of.places) + i16::from(right.1)) - i16::from(left.1);
    let unit = long_power_of_ten(u8::try_from(more.unsigned_abs()).map_err(|_| too_long())?)?;
    if more >= 0 {
        dividend = dividend.checked_mul(unit).ok_or_else(too_long)?;
    } else {
        divisor = divisor.checked_mul(unit).ok_or_else(too_long)?;
    }
    let is_exact = dividend.checked_rem(divisor).is_some_and(|rest| rest == i256::ZERO);
    exact_enough(rounded(dividend, divisor)?, is_exact)
}

/// The error for a division by zero.
pub(super) fn divided_by_zero() -> datafusion::error::DataFusionError {
    refused("divide by zero; use nullif(divisor, 0)")
}

/// The decimal value of a text, in units of its last place.
pub(super) fn parsed(text: &str, of: Scale) -> Result<i128> {
    let wrong = || refused(&format!("{} is not a decimal number", quoted(text)));
    let trimmed = text.trim();
    let (negative, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, trimmed.get(1..).unwrap_or_default()),
        Some(b'+') => (false, trimmed.get(1..).unwrap_or_default()),
        _ => (false, trimmed),
    };
    let (digits, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| wrong())?;
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{places}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // Digits after the point, once the exponent has moved it.
    let after = i64::try_from(places.len()).unwrap_or(i64::MAX) - i64::from(exponent);
    // Digits beyond the places are dropped, except that the first one rounds.
    let beyond = usize::try_from(after - i64::from(of.places)).unwrap_or(0);
    let kept = significant.len().saturating_sub(beyond);
    let (value, rest) = significant.split_at_checked(kept).unwrap_or(("", significant));
    let value: i128 = if value.is_empty() { 0 } else { value.parse().map_err(|_| too_long())? };
    let up = beyond <= significant.len() && rest.bytes().next().is_some_and(|digit| digit >= b'5');
    let value = value + i128::from(up);
    let more = u8::try_from(i64::from(of.places) - after).unwrap_or(0);
    let more = if after < i64::from(of.places) - 76 { return Err(too_long()) } else { more };
    let value = fitting(value.checked_mul(power_of_ten(more)?).ok_or_else(too_long)?)?;
    Ok(if negative { -value } else { value })
}

/// The number of places in the text of a decimal.
pub(super) fn places_of(text: &str) -> u8 {
    let (digits, exponent) = text.trim().split_once(['e', 'E']).unwrap_or((text.trim(), "0"));
    let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let places = i64::try_from(places).unwrap_or(i64::MAX).saturating_sub(exponent);
    u8::try_from(places.clamp(0, i64::from(DIGITS_MAX))).unwrap_or(DIGITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::{Scale, fitting, in_places, parsed, places_of, product, quotient};

    const WIDE: Scale = Scale { digits: 38, places: 20 };

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        assert_eq!(quotient((1, 0), (3, 0), WIDE).unwrap(), 33_333_333_333_333_333_333);
        assert_eq!(quotient((-2, 0), (3, 0), WIDE).unwrap(), -66_666_666_666_666_666_667);
        assert_eq!(quotient((5, 0), (2, 0), Scale { digits: 5, places: 0 }).unwrap_or(3), 3);
        assert!(quotient((1, 0), (0, 0), WIDE).is_err());
    }

    #[test]
    fn what_would_lose_digits_is_refused() {
        let tiny = Scale { digits: 38, places: 26 };
        assert!(product(7, 3, 36, tiny).is_err());
        assert_eq!(product(0, 3, 36, tiny).unwrap(), 0);
        assert_eq!(product(20_000_000_000, 1, 36, tiny).unwrap(), 2);
        assert!(fitting(10_i128.pow(38)).is_err() && fitting(10_i128.pow(38) - 1).is_ok());
    }

    #[test]
    fn places_change_with_rounding() {
        assert_eq!(in_places(25, 1, 0).unwrap(), 3);
        assert_eq!(in_places(-25, 1, 0).unwrap(), -3);
        assert_eq!(in_places(24, 1, 0).unwrap(), 2);
        assert_eq!(in_places(2, 0, 3).unwrap(), 2_000);
    }

    #[test]
    fn texts_are_decimals() {
        let of = Scale { digits: 38, places: 3 };
        for (text, value) in [
            ("1", 1_000),
            (" 1.2345 ", 1_235),
            ("-0.0005", -1),
            ("-0.00049", 0),
            ("1e2", 100_000),
            ("1.5e-2", 15),
            ("9.9996", 10_000),
            ("0", 0),
            ("0.00001", 0),
        ] {
            assert_eq!(parsed(text, of).unwrap(), value, "{text}");
        }
        for text in ["", "a", "1.2.3", "--1", "1e", "1e99", "NaN"] {
            assert!(parsed(text, of).is_err(), "{text}");
        }
        assert_eq!([places_of("1.50"), places_of("1e2"), places_of("1.5e-3")], [2, 0, 4]);
    }
}
