//! Where steps begin, worked out by walking back on the zone's clock minute by minute, which shares no
//! code with the program.

use chrono::{
    DateTime, Datelike as _, Duration, NaiveDate, Offset as _, TimeZone as _, Timelike as _,
};
use chrono_tz::Tz;
use tokenlake::clock::{Micros, SECOND};

const MINUTE: Micros = 60 * SECOND;

/// Where the step of an instant begins, in RFC 3339.
pub fn start(step: &str, zone: Tz, ts: Micros) -> String {
    let at = DateTime::from_timestamp_micros(ts).unwrap().with_timezone(&zone);
    let begins = match step {
        "hour" => hour(zone, ts),
        "day" => first(zone, at.date_naive()),
        "week" => {
            let back = i64::from(at.weekday().num_days_from_monday());
            first(zone, at.date_naive() - Duration::days(back))
        }
        "month" => first(zone, at.date_naive().with_day(1).unwrap()),
        other => panic!("{other}"),
    };
    text(zone, begins)
}

/// An instant in RFC 3339, as the zone's clock has it.
pub fn text(zone: Tz, at: Micros) -> String {
    let at = DateTime::from_timestamp_micros(at).unwrap().with_timezone(&zone);
    at.with_timezone(&at.offset().fix()).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
}

/// Back to the minute 0, or to where the clock jumped.
fn hour(zone: Tz, ts: Micros) -> Micros {
    let shown = |at: Micros| DateTime::from_timestamp_micros(at).unwrap().with_timezone(&zone);
    let mut at = ts.div_euclid(MINUTE) * MINUTE;
    loop {
        let (now, before) = (shown(at), shown(at - MINUTE));
        let jumped = now.offset().fix() != before.offset().fix();
        if now.minute() == 0 || jumped {
            return at;
        }
        at -= MINUTE;
    }
}

/// The first minute of a date.
fn first(zone: Tz, date: NaiveDate) -> Micros {
    let minutes = (0..24 * 60).map(|minute| date.and_hms_opt(minute / 60, minute % 60, 0).unwrap());
    let mut there = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest());
    there.next().unwrap().timestamp_micros()
}
