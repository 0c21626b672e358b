//! Zones: what clocks show where, by the IANA database inside the program.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, FixedOffset, NaiveDate, NaiveTime, Offset as _, SecondsFormat, TimeZone as _,
};
use chrono_tz::Tz;

use super::error::UsageError;
use crate::clock::{HOUR, Micros, SECOND};
use crate::event::excerpt;

/// Clocks are never further from UTC than this.
const OFFSET_MAX: Micros = 16 * HOUR;
const MINUTE_SECONDS: i32 = 60;

/// A zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl FromStr for Zone {
    type Err = UsageError;

    fn from_str(name: &str) -> Result<Self, UsageError> {
        name.parse().map(Self).map_err(|_| UsageError::Zone(excerpt(name)))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Zone {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    fn offset_at(self, at: Micros) -> FixedOffset {
        let utc = DateTime::from_timestamp_micros(at).unwrap_or_default().naive_utc();
        self.0.offset_from_utc_datetime(&utc).fix()
    }

    /// How far the zone's clock is ahead of UTC at an instant.
    pub fn offset(self, at: Micros) -> Micros {
        Micros::from(self.offset_at(at).local_minus_utc()) * SECOND
    }

    /// The date that the zone's clock shows at an instant.
    pub fn date(self, at: Micros) -> NaiveDate {
        let local = DateTime::from_timestamp_micros(at.saturating_add(self.offset(at)));
        local.unwrap_or_default().date_naive()
    }

    /// The instant in `(from, to]` from which on the clock is not as far from UTC as it is at `from`;
    /// `None` if it is as far at `to`.
    pub fn change(self, from: Micros, to: Micros) -> Option<Micros> {
        let before = self.offset(from);
        if self.offset(to) == before {
            return None;
        }
        let (mut from, mut to) = (from, to);
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            if self.offset(middle) == before { from = middle } else { to = middle }
        }
        Some(to)
    }

    /// The first instant of a date: its midnight, or where the clock leaps over that, what comes next.
    pub fn start_of(self, date: NaiveDate) -> Micros {
        let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        let (low, high) = (midnight - OFFSET_MAX, midnight + OFFSET_MAX);
        let before = midnight - self.offset(low);
        match self.change(low, high) {
            // The clock comes to midnight after the change, or is past it already.
            Some(change) if before >= change => change.max(midnight - self.offset(change)),
            _ => before,
        }
    }

    /// An instant in RFC 3339 with the zone's offset; in UTC where that has seconds, which RFC 3339
    /// cannot say.
    pub fn text(self, at: Micros) -> String {
        let offset = self.offset_at(at);
        let utc = DateTime::from_timestamp_micros(at).unwrap_or_default();
        if offset.local_minus_utc() % MINUTE_SECONDS != 0 {
            return utc.to_rfc3339_opts(SecondsFormat::AutoSi, false);
        }
        utc.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::AutoSi, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn start(name: &str, date: &str) -> String {
        let zone = zone(name);
        zone.text(zone.start_of(date.parse().unwrap()))
    }

    #[test]
    fn a_date_begins_at_its_midnight_or_where_the_clock_leaps_over_it() {
        assert_eq!(start("UTC", "2026-01-02"), "2026-01-02T00:00:00+00:00");
        assert_eq!(start("Asia/Kolkata", "2026-01-02"), "2026-01-02T00:00:00+05:30");
        assert_eq!(start("America/New_York", "2026-03-08"), "2026-03-08T00:00:00-05:00");
        assert_eq!(start("America/New_York", "2026-03-09"), "2026-03-09T00:00:00-04:00");
        assert_eq!(start("Pacific/Chatham", "2026-04-05"), "2026-04-05T00:00:00+13:45");
        // Midnight is leapt over, or comes twice.
        assert_eq!(start("America/Sao_Paulo", "2018-11-04"), "2018-11-04T01:00:00-02:00");
        assert_eq!(start("America/Sao_Paulo", "2018-02-18"), "2018-02-18T00:00:00-03:00");
        assert_eq!(start("America/Havana", "2025-11-02"), "2025-11-02T00:00:00-04:00");
        // A date that Samoa never had.
        assert_eq!(start("Pacific/Apia", "2011-12-30"), "2011-12-31T00:00:00+14:00");
    }

    #[test]
    fn an_offset_with_seconds_is_not_shown() {
        let early = "0001-01-01".parse().unwrap();
        let kolkata = zone("Asia/Kolkata");
        assert!(kolkata.text(kolkata.start_of(early)).ends_with("+00:00"));
    }

    #[test]
    fn only_zones_of_the_database_are_known() {
        for name in
            ["UTC", "Etc/UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Port-au-Prince"]
        {
            assert_eq!(zone(name).to_string(), name);
        }
        for name in ["", "utc ", "+05:30", "Europe/Nowhere", "Berlin", "../etc/localtime"] {
            assert!(name.parse::<Zone>().is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_is_in_its_date(seconds in 1_420_070_400_i64..1_900_000_000, at in 0usize..600) {
            let all = chrono_tz::TZ_VARIANTS;
            let zone = Zone(all[at % all.len()]);
            let at = seconds * SECOND;
            let date = zone.date(at);
            let (start, end) = (zone.start_of(date), zone.start_of(date.succ_opt().unwrap()));
            prop_assert!(start <= at && at < end || zone.date(start) > date, "{zone}");
        }
    }
}
