//! Alertmanager's API v2: `POST /api/v2/alerts`. An alert lasts until its period ends.

use serde_json::{Value, json};

use super::parts::{Cause, severity, shown_span, summary, utc};
use crate::budget::crossing::Crossing;
use crate::budget::period::BudgetPeriod;
use crate::clock::{DAY, HOUR, Micros, SECOND};

/// How long an alert lasts at least, so that one of a period that is over is seen.
const TIME_MIN: Micros = HOUR;
/// How long a test lasts.
const TEST_TIME: Micros = 60 * SECOND;

pub(super) fn body(cause: Cause, crossing: &Crossing) -> Value {
    let (start, _) = shown_span(crossing.period, crossing.start_us, crossing.end_us);
    let (name, end) = match cause {
        Cause::Crossed => ("TokenlakeBudget", ends_at(crossing)),
        Cause::Test => ("TokenlakeBudgetTest", crossing.crossed_at_us + TEST_TIME),
    };
    json!([{
        "labels": {
            "alertname": name,
            "org_id": crossing.org_id,
            "budget": crossing.budget.as_str(),
            "period": crossing.period.name(),
            "threshold": crossing.threshold.to_string(),
            "severity": severity(crossing),
        },
        "annotations": {
            "summary": summary(cause, crossing),
            "amount": crossing.amount.to_string(),
            "spent": crossing.spent,
            "period_start": utc(start),
            "version": crossing.version.to_string(),
            "sql": crossing.sql,
        },
        "startsAt": utc(crossing.crossed_at_us),
        "endsAt": utc(end),
    }])
}

/// Until when the alert of a crossing lasts: its period's end, or 24 hours after it. One that was
/// crossed late lasts for an hour.
pub fn ends_at(crossing: &Crossing) -> Micros {
    match crossing.period {
        BudgetPeriod::Rolling24h => crossing.crossed_at_us + DAY,
        _ => crossing.end_us.max(crossing.crossed_at_us + TIME_MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::crossing::tests::crossing;

    #[test]
    fn an_alert_lasts_until_the_period_ends() {
        let body = body(Cause::Crossed, &crossing());
        let alert = &body[0];
        assert_eq!(alert["startsAt"], "2026-11-15T00:00:00Z");
        assert_eq!(alert["endsAt"], "2026-12-01T00:00:00Z");
        let labels = alert["labels"].as_object().unwrap();
        assert_eq!(
            (&labels["alertname"], &labels["threshold"]),
            (&json!("TokenlakeBudget"), &json!("80"))
        );
        for texts in [labels, alert["annotations"].as_object().unwrap()] {
            assert!(texts.values().all(Value::is_string));
        }
    }

    #[test]
    fn one_of_a_period_that_is_over_lasts_for_an_hour() {
        let mut late = crossing();
        late.crossed_at_us = late.end_us + 5 * SECOND;
        let alert = &body(Cause::Crossed, &late)[0];
        assert_eq!(alert["startsAt"], "2026-12-01T00:00:05Z");
        assert_eq!(alert["endsAt"], "2026-12-01T01:00:05Z");
    }
}
