//! Parsers of values that several commands take.

use super::units::parse_duration;
use crate::books::Month;
use crate::clock::Micros;
use crate::event::time::{self, Naive};
use crate::event::{OrgId, OrgRule};
use crate::maintain::Retention;
use crate::pricing::instant;

/// The largest number of connections, requests or series.
const COUNT_MAX: usize = 1_000_000;

/// Reads a limit on a number of things.
pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    count.ok_or_else(|| format!("not a number from 1 to {COUNT_MAX}"))
}

/// Reads one organisation for all events, or `*` for each event's own.
pub(super) fn parse_org_rule(text: &str) -> Result<OrgRule, String> {
    if text == "*" { Ok(OrgRule::Own) } else { parse_org(text).map(OrgRule::Only) }
}

/// Reads an organisation's name.
pub(super) fn parse_org(text: &str) -> Result<OrgId, String> {
    OrgId::parse(text).map_err(|error| format!("an organisation's name {error}"))
}

/// How old events may become.
pub(super) fn parse_retention(text: &str) -> Result<Retention, String> {
    Retention::new(parse_duration(text)?).map_err(|error| error.to_string())
}

/// Reads a month in UTC.
pub(super) fn parse_month(text: &str) -> Result<Month, String> {
    Month::parse(text).map_err(|error| format!("it {error}"))
}

/// Reads a date, or an instant as events have it.
pub(super) fn parse_at(text: &str) -> Result<Micros, String> {
    if let Some(at) = instant(text) {
        return Ok(at);
    }
    time::read(text, Naive::Utc).map_err(|error| error.to_string())
}
