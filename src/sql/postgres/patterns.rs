//! The patterns of `to_char`, `to_date` and `to_timestamp`: `YYYY-MM-DD HH24:MI:SS`.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};
use datafusion::error::Result;

use super::refusal::{quoted, refused};

/// The supported patterns, longer ones first.
const PATTERNS: [&str; 36] = [
    "HH24", "HH12", "YYYY", "IYYY", "MONTH", "Month", "month", "Mon", "MON", "mon", "DDD", "DAY",
    "Day", "day", "Dy", "DY", "dy", "DD", "ID", "IW", "WW", "MM", "MI", "MS", "US", "SSSS", "SS",
    "HH", "YY", "AM", "PM", "am", "pm", "Q", "TZ", "D",
];

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// A pattern, and whether it is shown without zeros and blanks (`FM`).
    Pattern(&'static str, bool),
    Text(String),
}

fn unknown(rest: &str) -> datafusion::error::DataFusionError {
    refused(&format!(
        "the format is not understood at {}; it is made of YYYY MM DD HH24 HH12 MI SS MS US AM TZ Mon Month Dy Day D DDD ID IW IYYY WW Q FM and \"text\"",
        quoted(rest)
    ))
}

/// Splits a format into its pieces.
fn pieces(format: &str) -> Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut rest, mut short) = (format, false);
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            (rest, short) = (after, true);
            continue;
        }
        if let Some(after) = rest.strip_prefix('"') {
            let (text, after) = after.split_once('"').ok_or_else(|| unknown(rest))?;
            pieces.push(Piece::Text(text.to_owned()));
            rest = after;
            continue;
        }
        let known = PATTERNS.iter().find_map(|pattern| {
            let after = rest.strip_prefix(pattern).or_else(|| {
                // Numeric patterns are case-insensitive.
                let lower = rest.get(..pattern.len())?.eq_ignore_ascii_case(pattern);
                (lower && is_number(pattern)).then(|| rest.get(pattern.len()..))?
            });
            after.map(|after| (*pattern, after))
        });
        if let Some((pattern, after)) = known {
            pieces.push(Piece::Pattern(pattern, short));
            (rest, short) = (after, false);
            continue;
        }
        if first.is_alphanumeric() || first == '\\' || first == '%' {
            return Err(unknown(rest));
        }
        pieces.push(Piece::Text(first.to_string()));
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    Ok(pieces)
}

fn is_number(pattern: &str) -> bool {
    !["MONTH", "MON", "DAY", "DY", "AM", "PM", "TZ"].contains(&pattern.to_uppercase().as_str())
}

/// The time in a format.
pub(super) fn shown(at: NaiveDateTime, with_zone: bool, format: &str) -> Result<String> {
    let mut text = String::new();
    for piece in pieces(format)? {
        match piece {
            Piece::Text(piece) => text.push_str(&piece),
            Piece::Pattern(pattern, short) => text.push_str(&part(at, with_zone, pattern, short)),
        }
    }
    Ok(text)
}

fn part(at: NaiveDateTime, with_zone: bool, pattern: &str, short: bool) -> String {
    let number = |value: i64, digits: usize| {
        if short { value.to_string() } else { format!("{value:0digits$}") }
    };
    let (date, hour, micros) =
        (at.date(), i64::from(at.hour()), i64::from(at.nanosecond() / 1_000));
    let half = (hour + 11) % 12 + 1;
    let week = date.iso_week();
    match pattern {
        "YYYY" => number(date.year().into(), 4),
        "YY" => number((date.year() % 100).into(), 2),
        "IYYY" => number(week.year().into(), 4),
        "MM" => number(date.month().into(), 2),
        "DD" => number(date.day().into(), 2),
        "DDD" => number(date.ordinal().into(), 3),
        "D" => number((date.weekday().num_days_from_sunday() + 1).into(), 1),
        "ID" => number(date.weekday().number_from_monday().into(), 1),
        "IW" => number(week.week().into(), 2),
        "WW" => number(((date.ordinal() - 1) / 7 + 1).into(), 2),
        "Q" => number(((date.month() - 1) / 3 + 1).into(), 1),
        "HH24" => number(hour, 2),
        "HH" | "HH12" => number(half, 2),
        "MI" => number(at.minute().into(), 2),
        "SS" => number(at.second().into(), 2),
        "SSSS" => number(at.num_seconds_from_midnight().into(), 1),
        "MS" => format!("{:03}", micros / 1_000),
        "US" => format!("{micros:06}"),
        "AM" | "PM" => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        "am" | "pm" => if hour < 12 { "am" } else { "pm" }.to_owned(),
        "TZ" => if with_zone { "UTC" } else { "" }.to_owned(),
        name => named(date, name, short),
    }
}

fn named(date: NaiveDate, pattern: &str, short: bool) -> String {
    let name = match pattern.to_uppercase().as_str() {
        "MONTH" => date.format("%B").to_string(),
        "MON" => date.format("%b").to_string(),
        "DAY" => date.format("%A").to_string(),
        _ => date.format("%a").to_string(),
    };
    let name = match pattern.as_bytes() {
        [_, second, ..] if second.is_ascii_uppercase() => name.to_uppercase(),
        [first, ..] if first.is_ascii_lowercase() => name.to_lowercase(),
        _ => name,
    };
    let long = ["MONTH", "DAY"].contains(&pattern.to_uppercase().as_str());
    if long && !short { format!("{name:<9}") } else { name }
}

/// Parses the time of a text by a format.
///
/// # Errors
/// A text that does not fit the format, and patterns that can only be shown.
pub(super) fn read(text: &str, format: &str) -> Result<NaiveDateTime> {
    let wrong = || refused(&format!("{} does not fit the format {}", quoted(text), quoted(format)));
    let (mut rest, mut found) = (text.trim_start(), FoundParts::default());
    let pieces = pieces(format)?;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(expected) if expected.trim().is_empty() => rest = rest.trim_start(),
            Piece::Text(expected) => {
                rest = rest.strip_prefix(expected.as_str()).ok_or_else(wrong)?
            }
            Piece::Pattern(pattern, _) => {
                let alone = !matches!(pieces.get(at + 1), Some(Piece::Pattern(..)));
                rest = found.take(rest, pattern, alone).ok_or_else(wrong)?;
            }
        }
    }
    if !rest.trim().is_empty() {
        return Err(wrong());
    }
    found.time().ok_or_else(wrong)
}

#[derive(Default)]
struct FoundParts {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    micros: u32,
}

impl FoundParts {
    /// Takes the value of a pattern from the front of a text. If no other pattern follows, it takes
    /// all digits.
    fn take<'a>(&mut self, text: &'a str, pattern: &str, alone: bool) -> Option<&'a str> {
        let most = match pattern {
            "YYYY" => 4,
            "US" => 6,
            "MS" => 3,
            "MM" | "DD" | "HH24" | "HH12" | "HH" | "MI" | "SS" => 2,
            _ => return self.take_name(text, pattern),
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let length =
            if alone && !["US", "MS"].contains(&pattern) { digits } else { digits.min(most) };
        let (number, rest) =
            text.split_at_checked(length).filter(|_| (1..=most).contains(&length))?;
        let value: u32 = match pattern {
            "US" => format!("{number:0<6}").parse().ok()?,
            "MS" => format!("{number:0<3}").parse().ok()?,
            _ => number.parse().ok()?,
        };
        match pattern {
            "YYYY" => self.year = i32::try_from(value).ok(),
            "MM" => self.month = Some(value),
            "DD" => self.day = Some(value),
            "MI" => self.minute = value,
            "SS" => self.second = value,
            "US" => self.micros = value,
            "MS" => self.micros = value * 1_000,
            _ => self.hour = value,
        }
        if pattern.starts_with("HH") && pattern != "HH24" {
            self.afternoon.get_or_insert(false);
            (1..=12).contains(&value).then_some(())?;
        }
        Some(rest)
    }

    fn take_name<'a>(&mut self, text: &'a str, pattern: &str) -> Option<&'a str> {
        match pattern.to_uppercase().as_str() {
            "AM" | "PM" => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = Some(match half.to_lowercase().as_str() {
                    "am" => false,
                    "pm" => true,
                    _ => return None,
                });
                Some(rest)
            }
            "MON" => {
                let (name, rest) = text.split_at_checked(3)?;
                let name = name.to_lowercase();
                let names = [
                    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
                    "dec",
                ];
                let at = names.iter().position(|known| *known == name)?;
                self.month = u32::try_from(at + 1).ok();
                Some(rest)
            }
            _ => None,
        }
    }

    fn time(&self) -> Option<NaiveDateTime> {
        let date =
            NaiveDate::from_ymd_opt(self.year?, self.month.unwrap_or(1), self.day.unwrap_or(1))?;
        let hour = match self.afternoon {
            None => self.hour,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        date.and_hms_micro_opt(hour, self.minute, self.second, self.micros)
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use super::{read, shown};

    #[test]
    fn times_are_shown_by_a_format() {
        let at: NaiveDateTime = "2026-11-01T15:04:05.000678".parse().unwrap();
        for (format, text) in [
            ("YYYY-MM-DD HH24:MI:SS", "2026-11-01 15:04:05"),
            ("FMDD.FMMM.YY", "1.11.26"),
            ("Mon DD, YYYY", "Nov 01, 2026"),
            ("FMDay, FMMonth", "Sunday, November"),
            ("DAY|", "SUNDAY   |"),
            ("HH12:MI AM", "03:04 PM"),
            ("HH:MI pm", "03:04 pm"),
            ("US MS", "000678 000"),
            ("IYYY-IW-ID", "2026-44-7"),
            ("\"Q\"Q YYYY", "Q4 2026"),
            ("yyyymmdd", "20261101"),
            ("DDD D", "305 1"),
        ] {
            assert_eq!(shown(at, true, format).unwrap(), text, "{format}");
        }
        for format in ["%Y-%m-%d", "YYYY-MM-DDThh", "J", "\"open"] {
            assert!(shown(at, true, format).is_err(), "{format}");
        }
    }

    #[test]
    fn times_are_read_by_a_format() {
        for (text, format, expected) in [
            ("2026-11-01 15:04:05", "YYYY-MM-DD HH24:MI:SS", "2026-11-01T15:04:05"),
            ("20261101", "YYYYMMDD", "2026-11-01T00:00:00"),
            ("01 Nov 2026", "DD Mon YYYY", "2026-11-01T00:00:00"),
            ("3:04 pm 2026-1-2", "HH12:MI AM YYYY-MM-DD", "2026-01-02T15:04:00"),
            ("12/2026", "MM/YYYY", "2026-12-01T00:00:00"),
        ] {
            assert_eq!(read(text, format).unwrap(), expected.parse().unwrap(), "{text}");
        }
        for (text, format) in [
            ("2026-13-01", "YYYY-MM-DD"),
            ("2026", "YYYY-MM"),
            ("x", "Q"),
            ("1/2/2026x", "DD/MM/YYYY"),
        ] {
            assert!(read(text, format).is_err(), "{text}");
        }
    }
}
