//! The parsers of durations and sizes on the command line: `500ms`, `90d`, `512MiB`.
//!
//! They are made for clap's `value_parser`, which shows the value before our message.

use std::fmt;
use std::time::Duration;

/// Units: each has a name and its size in the smallest unit.
type Units = [(&'static str, u64)];

/// In microseconds.
const DURATIONS: &Units = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60 * 1_000_000),
    ("h", 3_600 * 1_000_000),
    ("d", 86_400 * 1_000_000),
];

/// In bytes.
const SIZES: &Units = &[
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Units by which sizes are shown.
const SHOWN_SIZES: &Units = &[("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes that is shown as the command line writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, SHOWN_SIZES.iter())
    }
}

/// A duration that is shown as the command line writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan(pub Duration);

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        show(f, micros, DURATIONS.iter().rev())
    }
}

/// Writes a number in the largest unit that it is several of: 24h, not 1d.
fn show<'a>(
    f: &mut fmt::Formatter<'_>,
    number: u64,
    mut units: impl Iterator<Item = &'a (&'static str, u64)>,
) -> fmt::Result {
    let unit = units.find(|(_, one)| number > *one && number.is_multiple_of(*one));
    match unit {
        Some((name, one)) => write!(f, "{}{name}", number / one),
        None => write!(f, "{number}"),
    }
}

/// Reads a whole number with a unit (`us`, `ms`, `s`, `m`, `h`, `d`); `0` needs none.
///
/// # Errors
/// The form of a duration, or that it is too long.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let form = "write a whole number with a unit us, ms, s, m, h or d, like 500ms or 90d";
    parse(text, DURATIONS, form).map(Duration::from_micros)
}

/// Reads a number of bytes, plain or with a unit (`KiB` … `TiB`, or decimal `kB` … `TB`).
///
/// # Errors
/// The form of a size, or that it is too large.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let form = "write a whole number of bytes, or with a unit KiB, MiB, GiB, TiB, kB, MB, GB or TB, \
                like 67108864 or 512MiB";
    parse(text, SIZES, form)
}

/// As [`parse_bytes`], for a size that has a default.
///
/// # Errors
/// As there.
pub fn parse_size(text: &str) -> Result<ByteSize, String> {
    parse_bytes(text).map(ByteSize)
}

/// Reads a share in millionths: a percentage such as `10%`, or a part such as `0.1`.
///
/// # Errors
/// The form of a share.
pub fn parse_millionths(text: &str) -> Result<u32, String> {
    let form = || "write a percentage or a part of 1, like 10% or 0.1".to_owned();
    let (number, places) = text.strip_suffix('%').map_or((text, 6), |number| (number, 4));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > places {
        return Err(form());
    }
    format!("{whole}{fraction:0<places$}").parse().map_err(|_| form())
}

fn parse(text: &str, units: &Units, form: &str) -> Result<u64, String> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, name) = text.split_at_checked(digits_end).unwrap_or_default();
    let unit = units.iter().find(|(known, _)| *known == name);
    let (false, Some((_, one))) = (digits.is_empty(), unit) else {
        return Err(form.to_owned());
    };
    let number: Option<u64> = digits.parse().ok();
    number.and_then(|number| number.checked_mul(*one)).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("0", Duration::ZERO),
            ("0s", Duration::ZERO),
            ("250us", Duration::from_micros(250)),
            ("500ms", Duration::from_millis(500)),
            ("3s", Duration::from_secs(3)),
            ("10m", Duration::from_secs(600)),
            ("2h", Duration::from_secs(7_200)),
            ("90d", Duration::from_secs(90 * 86_400)),
        ] {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "5", "00", "-3s", "+3s", "1.5s", "3 s", " 3s", "3S", "3sec", "٣s"] {
            assert!(parse_duration(text).unwrap_err().contains("like 500ms"), "{text}");
        }
        for text in ["18446744073709551616us", "18446744073709551615d"] {
            assert_eq!(parse_duration(text), Err("too large".to_owned()));
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", 0),
            ("67108864", 64 << 20),
            ("7B", 7),
            ("64KiB", 64 << 10),
            ("512MiB", 512 << 20),
            ("1GiB", 1 << 30),
            ("2TiB", 2 << 40),
            ("3kB", 3_000),
            ("4MB", 4_000_000),
            ("5GB", 5_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5MiB", "1 MiB", "1mib", "1K", "1M"] {
            assert!(parse_bytes(text).unwrap_err().contains("like 67108864"), "{text}");
        }
        assert_eq!(parse_bytes("18446744073709551615KiB"), Err("too large".to_owned()));
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for (bytes, shown) in [(128 << 20, "128MiB"), (1 << 20, "1024KiB"), (1_500, "1500B")] {
            assert_eq!(ByteSize(bytes).to_string(), shown);
            assert_eq!(parse_size(shown), Ok(ByteSize(bytes)));
        }
        for (seconds, shown) in [(86_400, "24h"), (90 * 86_400, "90d"), (90, "90s"), (60, "60s")] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(TimeSpan(duration).to_string(), shown);
            assert_eq!(parse_duration(shown), Ok(duration));
        }
    }

    #[test]
    fn shares() {
        for (text, expected) in [
            ("10%", 100_000),
            ("0.1", 100_000),
            ("100%", 1_000_000),
            ("1", 1_000_000),
            ("0", 0),
            ("0.0001%", 1),
            ("12.5%", 125_000),
            ("250%", 2_500_000),
        ] {
            assert_eq!(parse_millionths(text), Ok(expected), "{text}");
        }
        for text in ["", "%", ".5", "5.", "-1", "+1%", "1e-3", "0.0000001", "10 %", "99999999%"] {
            assert!(parse_millionths(text).unwrap_err().contains("like 10%"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            let _ = (parse_duration(&text), parse_bytes(&text), parse_millionths(&text));
        }

        #[test]
        fn numbers_with_any_unit_are_exact_or_too_large(number: u64, which in 0..DURATIONS.len()) {
            let (unit, one) = DURATIONS[which];
            let exact = u128::from(number) * u128::from(one);
            match parse_duration(&format!("{number}{unit}")) {
                Ok(duration) => prop_assert_eq!(duration.as_micros(), exact),
                Err(_) => prop_assert!(exact > u128::from(u64::MAX)),
            }
        }
    }
}
