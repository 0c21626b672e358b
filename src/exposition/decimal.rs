//! Exact numbers as decimal text: in full, without exponent, trailing zeros or floats.

use std::fmt::Display;
use std::io::Write;

use crate::event::format_scaled;
use crate::event::money::format_decimal;

/// Writes a whole number.
pub(super) fn write_integer(out: &mut Vec<u8>, value: i128) {
    put(out, value);
}

/// Writes units of 10^-12 dollars as dollars.
pub(super) fn write_money(out: &mut Vec<u8>, cost: i128) {
    put(out, format_decimal(cost));
}

/// Writes microseconds as seconds.
pub(super) fn write_seconds(out: &mut Vec<u8>, micros: i64) {
    put(out, format_scaled(micros.into(), 6));
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
        text(|out| write_money(out, cost))
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
        let seconds = |micros| text(|out| write_seconds(out, micros));
        assert_eq!(seconds(1_732_370_000_123_456), "1732370000.123456");
        assert_eq!(seconds(1_732_370_000_500_000), "1732370000.5");
        assert_eq!(seconds(1_732_370_000_000_001), "1732370000.000001");
        assert_eq!(seconds(1_732_370_000_000_000), "1732370000");
        assert_eq!(seconds(-1), "-0.000001");
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
