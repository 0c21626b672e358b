//! A month: of UTC, as invoices have them.

use std::fmt;

use chrono::{Datelike as _, Days, Months, NaiveDate, NaiveTime};

use crate::clock::Micros;

/// A month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month(NaiveDate);

/// A text that is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no month, as 2026-11 is one")]
pub struct NoMonth;

impl Month {
    /// Reads `2026-11`.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, NoMonth> {
        let (year, month) = text.split_once('-').ok_or(NoMonth)?;
        let is_plain = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_plain(year, 4) || !is_plain(month, 2) {
            return Err(NoMonth);
        }
        let (year, month) = (year.parse().map_err(|_| NoMonth)?, month.parse());
        let first = NaiveDate::from_ymd_opt(year, month.map_err(|_| NoMonth)?, 1);
        // No event is older than 2015, and no file can be dated after 9999.
        let first = first.filter(|first| (1970..9999).contains(&first.year()));
        first.map(Self).ok_or(NoMonth)
    }

    /// Its days, in order.
    pub fn days(self) -> impl Iterator<Item = NaiveDate> {
        self.0.iter_days().take_while(move |day| day.month() == self.0.month())
    }

    /// Its first day.
    pub fn first(self) -> NaiveDate {
        self.0
    }

    /// The first day after it.
    pub fn next(self) -> NaiveDate {
        self.0.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX)
    }

    /// Its last day.
    pub fn last(self) -> NaiveDate {
        self.next().checked_sub_days(Days::new(1)).unwrap_or(self.0)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

/// The midnight that a day begins with.
pub(super) fn midnight(day: NaiveDate) -> Micros {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_its_days_and_all_else_is_none() {
        let february = Month::parse("2028-02").unwrap();
        assert_eq!((february.days().count(), february.to_string()), (29, "2028-02".to_owned()));
        assert_eq!(february.last().to_string(), "2028-02-29");
        assert_eq!(Month::parse("2026-12").unwrap().next().to_string(), "2027-01-01");
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "2026-11-01",
            "november",
            "+026-11",
        ] {
            assert_eq!(Month::parse(text), Err(NoMonth), "{text}");
        }
    }
}
