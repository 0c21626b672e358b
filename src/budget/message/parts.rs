//! What messages of several kinds have in common.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::budget::crossing::Crossing;
use crate::budget::period::BudgetPeriod;
use crate::clock::{DAY, Micros};

/// From which threshold on a message is urgent, in percent.
const URGENT_PERCENT: u32 = 100;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A threshold was crossed.
    Crossed,
    /// Somebody wants to see whether it arrives.
    Test,
}

/// What people read first.
pub fn summary(cause: Cause, crossing: &Crossing) -> String {
    let Crossing { org_id, budget, threshold, amount, spent, .. } = crossing;
    let test = if cause == Cause::Test { "Test: " } else { "" };
    format!(
        "{test}{org_id} spent {threshold} % of the budget {budget}: {spent} of {amount} USD {}",
        in_period(crossing)
    )
}

/// When it was, for people.
pub fn in_period(crossing: &Crossing) -> String {
    let (start, end) = shown_span(crossing.period, crossing.start_us, crossing.end_us);
    match crossing.period {
        BudgetPeriod::Rolling24h => format!("in the 24 hours until {}", utc(end)),
        period => format!("in the {period} from {} to {}", utc(start), utc(end)),
    }
}

/// The start and the end that are shown of a period: of a rolling one, the instants that are 24 hours
/// apart.
pub fn shown_span(period: BudgetPeriod, start_us: Micros, end_us: Micros) -> (Micros, Micros) {
    match period {
        BudgetPeriod::Rolling24h => (end_us - 1 - DAY, end_us - 1),
        _ => (start_us, end_us),
    }
}

/// An instant in RFC 3339, in UTC.
pub fn utc(at: Micros) -> String {
    let at = DateTime::from_timestamp_micros(at).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// How urgent a crossing is, as PagerDuty and Alertmanager's users have it.
pub fn severity(crossing: &Crossing) -> &'static str {
    if crossing.threshold >= URGENT_PERCENT { "critical" } else { "warning" }
}

/// What a receiver may want to know, by name.
pub fn details(crossing: &Crossing) -> Value {
    let (start, end) = shown_span(crossing.period, crossing.start_us, crossing.end_us);
    json!({
        "org_id": crossing.org_id,
        "budget": crossing.budget.as_str(),
        "period": crossing.period.name(),
        "start": utc(start),
        "end": utc(end),
        "amount": crossing.amount.to_string(),
        "threshold": crossing.threshold,
        "spent": crossing.spent,
        "version": crossing.version,
        "sql": crossing.sql,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolling_period_is_shown_as_24_hours() {
        let end = 1_794_700_800_000_000;
        let span = BudgetPeriod::Rolling24h.span_of(crate::usage::Zone::default(), end);
        assert_eq!(shown_span(BudgetPeriod::Rolling24h, span.start, span.end), (end - DAY, end));
    }
}
