//! Exact numbers as decimal text: in full, without exponent, trailing zeros or floats.

use std::fmt::Display;
use std::io::Write;

use crate::clock::Micros;
use crate::event::format_scaled;
use crate::event::money::format_decimal;

/// A number as samples have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// A whole number.
    Integer(i128),
    /// Units of 10^-12 dollars, shown as dollars.
    Money(i128),
    /// Microseconds, shown as seconds.
    Seconds(Micros),
}

impl Number {
    /// Writes it in full.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(value) => put(out, value),
            Self::Money(cost) => put(out, format_decimal(cost)),
            Self::Seconds(micros) => put(out, format_scaled(micros.into(), 6)),
        }
    }

    /// The double next to it, for a format that has no other number: what a reader makes of its text.
    /// The text is written into `digits`.
    pub(super) fn nearest(self, digits: &mut Vec<u8>) -> f64 {
        digits.clear();
        self.write(digits);
        let read = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
        // Decimal text always has one.
        read.unwrap_or(f64::NAN)
    }
}

fn put(out: &mut Vec<u8>, value: impl Display) {
    // Writing into memory cannot fail.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn money(cost: i128) -> String {
        text(|out| Number::Money(cost).write(out))
    }

    #[test]
    fn money_is_printed_in_full() {
        assert_eq!(money(0), "0");
        assert_eq!(money(1), "0.000000000001");
        assert_eq!(money(100_000), "0.0000001");
        assert_eq!(money(100_000_000_000), "0.1");
        assert_eq!(money(12_345_000_000_000), "12.345");
        assert_eq!(money(100 * 10_i128.pow(12)), "100");
        assert_eq!(money(-100_000_000_000), "-0.1");
        assert_eq!(money(i128::MAX), "170141183460469231731687303.715884105727");
        assert_eq!(money(i128::MIN), "-170141183460469231731687303.715884105728");
    }

    #[test]
    fn seconds_keep_their_microseconds() {
        let seconds = |micros| text(|out| Number::Seconds(micros).write(out));
        assert_eq!(seconds(1_732_370_000_123_456), "1732370000.123456");
        assert_eq!(seconds(1_732_370_000_500_000), "1732370000.5");
        assert_eq!(seconds(1_732_370_000_000_001), "1732370000.000001");
        assert_eq!(seconds(1_732_370_000_000_000), "1732370000");
        assert_eq!(seconds(-1), "-0.000001");
    }

    #[test]
    fn the_nearest_double_is_rounded_once() {
        let nearest = |number: Number| number.nearest(&mut vec![b'x']);
        assert_eq!(nearest(Number::Integer((1 << 53) + 1)), 9_007_199_254_740_992.0);
        assert_eq!(nearest(Number::Money(100_000_000_000)), 0.1);
        assert_eq!(nearest(Number::Money(-1)), -1e-12);
        // Divided as a double, it would be 9007.199254740995.
        assert_eq!(nearest(Number::Money(9_007_199_254_740_993)), 9_007.199_254_740_993);
        assert_eq!(nearest(Number::Money(i128::MAX)), 1.701_411_834_604_692_3e26);
        assert_eq!(nearest(Number::Seconds(1_732_370_000_123_456)), 1_732_370_000.123_456);
    }

    proptest! {
        #[test]
        fn money_reads_back(cost: i128) {
            let text = money(cost);
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            prop_assert!(!text.ends_with('.') && !fraction.ends_with('0') && fraction.len() <= 12);
            prop_assert_eq!(format!("{whole}{fraction:0<12}").parse::<i128>().unwrap(), cost);
        }
    }
}
