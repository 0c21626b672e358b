//! How much a figure may differ from the report's: a percentage of the report's.

use std::str::FromStr;

use crate::event::money::parse_amount;

/// Decimal places of a percentage.
const PLACES: u8 = 6;
/// A hundred per cent in units of its last place.
const ALL: i128 = 100 * 10_i128.pow(PLACES as u32);

/// A percentage of the report's figure; by default 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerance(i128);

/// A text that is no percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no percentage from 0% to 100%, as 0.5% is one")]
pub struct NoTolerance;

impl FromStr for Tolerance {
    type Err = NoTolerance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').unwrap_or(text);
        let amount = parse_amount(number, PLACES).map_err(|_| NoTolerance)?;
        let fits = amount.exact && amount.units <= ALL;
        if fits { Ok(Self(amount.units)) } else { Err(NoTolerance) }
    }
}

impl Tolerance {
    /// Whether a difference is larger than this share of the report's figure.
    pub(super) fn is_exceeded(self, difference: i128, reported: i128) -> bool {
        let difference = difference.unsigned_abs().checked_mul(ALL.unsigned_abs());
        let allowed = reported.unsigned_abs().checked_mul(self.0.unsigned_abs());
        match (difference, allowed) {
            (Some(difference), Some(allowed)) => difference > allowed,
            (difference, _) => difference.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact() {
        let of = |text: &str| text.parse::<Tolerance>();
        let half = of("0.5%").unwrap();
        assert!(!half.is_exceeded(5, 1_000) && half.is_exceeded(6, 1_000));
        assert!(!half.is_exceeded(-5, 1_000) && half.is_exceeded(1, 0));
        assert_eq!(of("0.5"), of("0.50%"));
        assert!(Tolerance::default().is_exceeded(1, i128::MAX));
        assert!(!Tolerance::default().is_exceeded(0, 0));
        for text in ["", "%", "-1%", "101%", "x", "1%%", "0.0000001%"] {
            assert_eq!(of(text), Err(NoTolerance), "{text}");
        }
    }
}
