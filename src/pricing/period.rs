//! When a rule or a variant is in force, in UTC: dates, times of day, days of the week.

use crate::clock::{DAY, Micros, SECOND};
use crate::event::time::{Naive, read};

/// Seconds of a day.
const SECONDS: u32 = 86_400;

/// The names of days, as a table has them; 1970 began on a Thursday.
const DAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

/// A range of instants that holds its start and not its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// The first instant; none for all of the past.
    pub(super) from: Option<Micros>,
    /// The first instant after it; none for all of the future.
    pub(super) until: Option<Micros>,
}

impl Dates {
    /// Whether the range holds an instant.
    pub(super) fn hold(self, ts: Micros) -> bool {
        self.from.is_none_or(|from| from <= ts) && self.until.is_none_or(|until| ts < until)
    }

    /// Whether there is an instant that both hold.
    pub(super) fn meet(self, other: Self) -> bool {
        let before = |until: Option<Micros>, from: Option<Micros>| {
            until.zip(from).is_none_or(|(until, from)| from < until)
        };
        before(self.until, other.from) && before(other.until, self.from)
    }

    /// True if no instant is in it.
    pub(super) fn are_empty(self) -> bool {
        self.from.zip(self.until).is_some_and(|(from, until)| until <= from)
    }
}

/// Times of each day, over midnight if the end is before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Seconds after midnight at which they begin.
    from: u32,
    /// Seconds after midnight at which they have ended.
    until: u32,
}

impl Hours {
    /// Times from and until `HH:MM` or `HH:MM:SS`; `24:00` is the end of the day. `None` if these are
    /// none, or the same.
    pub(super) fn parse(from: &str, until: &str) -> Option<Self> {
        let (from, until) = (seconds(from)?, seconds(until)?);
        (from != until && from < SECONDS).then_some(Self { from, until })
    }

    fn hold(self, ts: Micros) -> bool {
        let second = u32::try_from(ts.rem_euclid(DAY) / SECOND).unwrap_or_default();
        if self.from < self.until {
            (self.from..self.until).contains(&second)
        } else {
            second >= self.from || second < self.until
        }
    }

    /// The texts that [`Hours::parse`] reads.
    pub(super) fn texts(self) -> (String, String) {
        let text = |second: u32| {
            let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
            let seconds = if second == 0 { String::new() } else { format!(":{second:02}") };
            format!("{hour:02}:{minute:02}{seconds}")
        };
        (text(self.from), text(self.until))
    }
}

fn seconds(text: &str) -> Option<u32> {
    let mut parts = text.split(':');
    let mut part = |most: u32| {
        let digits = parts.next().filter(|part| part.len() == 2)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|number| plain && *number <= most)
    };
    let (hour, minute) = (part(24)?, part(59)?);
    let second = if text.len() > 5 { part(59)? } else { 0 };
    let seconds = (hour * 60 + minute) * 60 + second;
    (parts.next().is_none() && seconds <= SECONDS).then_some(seconds)
}

/// Days of the week, by a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Days by names as `mon`. `None` if one is no day, or there is none.
    pub(super) fn parse<'t>(names: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let day = |name: &str| DAYS.iter().position(|day| *day == name).map(|at| 1 << at);
        let days = names.into_iter().try_fold(0, |days, name| Some(days | day(name)?))?;
        (days != 0).then_some(Self(days))
    }

    fn hold(self, ts: Micros) -> bool {
        self.0 & (1 << ts.div_euclid(DAY).rem_euclid(7)) != 0
    }

    /// Their names, from Monday on.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let days = DAYS.into_iter().enumerate().cycle().skip(4).take(DAYS.len());
        days.filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, name)| name)
    }
}

/// When a variant is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// On these dates.
    pub(super) dates: Dates,
    /// At these times of the day; at all if none.
    pub(super) hours: Option<Hours>,
    /// On these days, each from midnight to midnight; on all if none.
    pub(super) weekdays: Option<Weekdays>,
}

impl Times {
    /// Whether they hold an instant.
    pub(super) fn hold(self, ts: Micros) -> bool {
        self.dates.hold(ts)
            && self.hours.is_none_or(|hours| hours.hold(ts))
            && self.weekdays.is_none_or(|days| days.hold(ts))
    }
}

/// An instant by RFC 3339, or a date for its midnight in UTC.
pub fn instant(text: &str) -> Option<Micros> {
    // Numbers since 1970 are times of events, not dates of a table.
    let dated = text.as_bytes().get(4) == Some(&b'-');
    read(text, Naive::Utc).ok().filter(|_| dated)
}

/// The text that [`instant`] reads: a date if it is midnight.
pub(super) fn instant_text(instant: Micros) -> String {
    let time = chrono::DateTime::from_timestamp_micros(instant).unwrap_or_default();
    if instant.rem_euclid(DAY) == 0 {
        return time.format("%Y-%m-%d").to_string();
    }
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Micros {
        instant(text).unwrap()
    }

    #[test]
    fn dates_hold_their_start_and_not_their_end() {
        let dates = Dates { from: Some(at("2025-06-10")), until: Some(at("2025-07-01")) };
        for (text, held) in [
            ("2025-06-09T23:59:59.999999Z", false),
            ("2025-06-10", true),
            ("2025-06-30T23:59:59.999999Z", true),
            ("2025-07-01", false),
        ] {
            assert_eq!(dates.hold(at(text)), held, "{text}");
        }
        assert!(Dates::default().hold(i64::MIN) && Dates::default().hold(i64::MAX));
        assert!(!dates.meet(Dates { from: dates.until, until: None }));
        assert!(dates.meet(dates) && dates.meet(Dates::default()) && !dates.are_empty());
        assert!(Dates { from: dates.until, until: dates.until }.are_empty());
    }

    #[test]
    fn hours_go_over_midnight() {
        let day = Hours::parse("00:30", "16:30").unwrap();
        let night = Hours::parse("16:30", "00:30").unwrap();
        for (text, is_day) in [
            ("2025-03-01T00:29:59.999999Z", false),
            ("2025-03-01T00:30:00Z", true),
            ("2025-03-01T16:29:59Z", true),
            ("2025-03-01T16:30:00Z", false),
            ("1969-12-31T16:00:00Z", true),
        ] {
            let instant = read(text, Naive::Refused).unwrap();
            assert_eq!((day.hold(instant), night.hold(instant)), (is_day, !is_day), "{text}");
        }
        assert!(Hours::parse("18:00", "24:00").unwrap().hold(at("2025-03-01T23:59:59Z")));
        for (from, until) in
            [("1:00", "2:00"), ("10:00", "10:00"), ("24:00", "01:00"), ("10:60", "11:00"), ("", "")]
        {
            assert_eq!(Hours::parse(from, until), None, "{from} {until}");
        }
        assert_eq!(Hours::parse("00:30:05", "16:30").unwrap().texts().0, "00:30:05");
    }

    #[test]
    fn days_of_the_week_are_known() {
        let weekend = Weekdays::parse(["sun", "sat"]).unwrap();
        // A Friday.
        let friday = at("2026-01-02");
        assert!(
            !weekend.hold(friday) && weekend.hold(friday + DAY) && weekend.hold(friday + 2 * DAY)
        );
        assert!(!weekend.hold(friday + 3 * DAY));
        assert_eq!(weekend.names().collect::<Vec<_>>(), ["sat", "sun"]);
        assert_eq!(Weekdays::parse(["day"]), None);
        assert_eq!(Weekdays::parse([]), None);
    }

    proptest! {
        #[test]
        fn instants_and_hours_survive_their_texts(
            instant in 0_i64..4_000_000_000_000_000, from in 0_u32..86_400, until in 0_u32..=86_400,
        ) {
            prop_assert_eq!(super::instant(&instant_text(instant)), Some(instant));
            let midnight = instant - instant % DAY;
            prop_assert_eq!(super::instant(&instant_text(midnight)), Some(midnight));
            prop_assume!(from != until);
            let (start, end) = Hours { from, until }.texts();
            prop_assert_eq!(Hours::parse(&start, &end), Some(Hours { from, until }));
        }
    }
}
