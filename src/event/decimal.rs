//! Exact reading of decimal text.
//!
//! Money, token counts and numeric times all arrive as decimal text. It is scanned once and
//! never expanded: an exponent of a billion costs as much as one of three.

/// Decimal text taken apart, borrowed from its source: `±whole.fraction × 10^exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// A magnitude in whole units of a power of ten, and the part that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnitsAndRest {
    /// The whole units; `None` if they have more than [`DIGITS_MAX`] digits.
    pub(super) units: Option<i128>,
    /// The part beyond the last whole unit.
    pub(super) rest: Rest,
}

/// How much of one unit was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing: the value is a whole number of units.
    Zero,
    /// Something, less than half a unit.
    BelowHalf,
    /// Exactly half a unit.
    Half,
    /// More than half a unit.
    AboveHalf,
}

/// Digits that [`UnitsAndRest::units`] may have: enough for every range in use, and any such number
/// fits an `i128`.
const DIGITS_MAX: i64 = 38;

/// Digits that fit any `u64` and any `i64`.
const PLAIN_DIGITS_MAX: usize = 18;

/// Exponents are clamped to ± this. It is far beyond any range in use, however many digits a number
/// has, and far from the ends of `i64`.
const EXPONENT_MAX: i64 = 1 << 60;

impl<'a> Decimal<'a> {
    /// Reads an optional sign, digits with an optional point, and an optional exponent.
    ///
    /// White space around it is ignored. There must be a digit before or after the point. Anything
    /// else (`NaN`, `inf`, `0x1f`, `1_000`, nothing at all) is `None`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (negative, rest) = sign(text.trim().as_bytes());
        let (whole, rest) = digits(rest);
        let (fraction, rest) = match rest.split_first() {
            Some((b'.', rest)) => digits(rest),
            _ => (<&[u8]>::default(), rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', rest)) => exponent(rest)?,
            Some(_) => return None,
        };
        Some(Self { negative, whole, fraction, exponent })
    }

    /// Whether the value is below zero (`-0` is not).
    pub(super) fn is_negative(&self) -> bool {
        self.negative && self.first_nonzero().is_some()
    }

    /// The magnitude in units of `10^-scale`, without its sign.
    pub(super) fn scaled(&self, scale: i64) -> UnitsAndRest {
        let Some(first) = self.first_nonzero() else {
            return UnitsAndRest { units: Some(0), rest: Rest::Zero };
        };
        let point = length(self.whole).saturating_add(self.exponent).saturating_add(scale);
        if point.saturating_sub(first) > DIGITS_MAX {
            return UnitsAndRest { units: None, rest: Rest::Zero };
        }
        let mut units = 0_i128;
        for position in first..point {
            units = units * 10 + i128::from(self.digit(position));
        }
        UnitsAndRest { units: Some(units), rest: self.rest(first, point) }
    }

    /// The size of the digits from `point` on; `first` is the first digit that is not zero.
    fn rest(&self, first: i64, point: i64) -> Rest {
        if point < first {
            return Rest::BelowHalf;
        }
        let more = self.any_nonzero_from(point.saturating_add(1));
        match (self.digit(point), more) {
            (0, false) => Rest::Zero,
            (0..=4, _) => Rest::BelowHalf,
            (5, false) => Rest::Half,
            _ => Rest::AboveHalf,
        }
    }

    /// The digit at a position, counted from the first digit of the text; zero beyond the last.
    fn digit(&self, position: i64) -> u8 {
        let at = |digits: &[u8], position: i64| {
            usize::try_from(position).ok().and_then(|at| digits.get(at)).map(|digit| digit - b'0')
        };
        at(self.whole, position)
            .or_else(|| at(self.fraction, position - length(self.whole)))
            .unwrap_or(0)
    }

    fn first_nonzero(&self) -> Option<i64> {
        let digits = self.whole.iter().chain(self.fraction);
        digits.enumerate().find(|(_, digit)| **digit != b'0').and_then(|(at, _)| at.try_into().ok())
    }

    fn any_nonzero_from(&self, position: i64) -> bool {
        let tail = |digits: &[u8], from: i64| {
            let from = usize::try_from(from.max(0)).unwrap_or(usize::MAX);
            digits.get(from..).is_some_and(|tail| tail.iter().any(|digit| *digit != b'0'))
        };
        tail(self.whole, position) || tail(self.fraction, position - length(self.whole))
    }
}

/// Reads text that consists of a few digits, by far the most common form.
pub(super) fn plain_digits(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > PLAIN_DIGITS_MAX {
        return None;
    }
    text.bytes().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| sum * 10 + u64::from(digit))
    })
}

/// A slice is never longer than `isize::MAX`, so this is exact.
fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or_default()
}

/// The number after `e`, clamped to ±[`EXPONENT_MAX`].
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, text) = sign(text);
    let (digits, rest) = digits(text);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let magnitude = digits.iter().fold(0_i64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(EXPONENT_MAX)
    });
    Some(if negative { -magnitude } else { magnitude })
}
