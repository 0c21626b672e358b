//! Number literals in a query.

use datafusion::error::Result;

use super::refusal::{quoted, refused};

/// Digits of the longest number that is accepted.
const DIGITS_MAX: i64 = 76;

/// Writes a number with an exponent in full, and adds a point to a long integer, so that both are
/// decimals. `None` if the number can stay as it is.
pub(super) fn plain_number(number: &str) -> Result<Option<String>> {
    let digits: String = number.chars().filter(|char| *char != '_').collect();
    if digits.starts_with("0x") || digits.starts_with("0X") {
        return Ok(None);
    }
    let Some((digits, exponent)) = digits.split_once(['e', 'E']) else {
        let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        let long = whole && digits.parse::<i64>().is_err();
        return Ok(long.then(|| format!("{digits}.0")));
    };
    let too_long = || {
        refused(&format!(
            "the number {} has more than {DIGITS_MAX} digits in full; write it as a text that is cast to float8",
            quoted(number)
        ))
    };
    let exponent: i64 = exponent.parse().map_err(|_| too_long())?;
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{places}");
    let significant = all.trim_start_matches('0');
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    if significant.is_empty() {
        return Ok(Some("0.0".to_owned()));
    }
    // The position of the point in `significant`.
    let point =
        length(whole).saturating_add(exponent).saturating_sub(length(&all) - length(significant));
    let after = length(significant).saturating_sub(point);
    if point > DIGITS_MAX || after > DIGITS_MAX || length(significant) > DIGITS_MAX {
        return Err(too_long());
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    Ok(Some(match usize::try_from(point) {
        Ok(at) if at > 0 => match significant.split_at_checked(at) {
            Some((whole, "")) => format!("{whole}.0"),
            Some((whole, places)) => format!("{whole}.{places}"),
            None => format!("{significant}{}.0", zeros(point - length(significant))),
        },
        _ => format!("0.{}{significant}", zeros(-point)),
    }))
}

#[cfg(test)]
mod tests {
    use super::plain_number;

    #[test]
    fn numbers_with_an_exponent_are_written_in_full() {
        for (number, plain) in [
            ("1.5e3", "1500.0"),
            ("1e0", "1.0"),
            ("12.345e1", "123.45"),
            ("1.5e-3", "0.0015"),
            ("0.05e1", "0.5"),
            ("0e9", "0.0"),
            ("9223372036854775808", "9223372036854775808.0"),
        ] {
            assert_eq!(plain_number(number).unwrap().as_deref(), Some(plain), "{number}");
        }
        assert_eq!(plain_number("9223372036854775807").unwrap(), None);
        assert_eq!(plain_number("1.25").unwrap(), None);
        for number in ["1.5e300", "1e-300", "1e99999999999999999999"] {
            let why = plain_number(number).unwrap_err().to_string();
            assert!(why.contains(number) && why.contains("float8"), "{why}");
        }
    }
}
