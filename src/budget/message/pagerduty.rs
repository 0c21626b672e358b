//! PagerDuty's Events API v2.

use serde_json::{Value, json};

use super::parts::{Cause, details, severity, summary, utc};
use crate::budget::crossing::Crossing;

/// Characters of a summary.
const SUMMARY_CHARS_MAX: usize = 1_024;

pub(super) fn body(cause: Cause, crossing: &Crossing, routing_key: &str) -> Value {
    let summary: String = summary(cause, crossing).chars().take(SUMMARY_CHARS_MAX).collect();
    // A test wakes nobody.
    let (severity, class, test) = match cause {
        Cause::Crossed => (severity(crossing), "budget.threshold", ""),
        Cause::Test => ("info", "budget.test", "_test"),
    };
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": format!("{}{test}", crossing.webhook_id()),
        "payload": {
            "summary": summary,
            "source": "tokenlake",
            "severity": severity,
            "timestamp": utc(crossing.crossed_at_us),
            "component": crossing.budget.as_str(),
            "group": crossing.org_id,
            "class": class,
            "custom_details": details(crossing),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::crossing::tests::crossing;

    #[test]
    fn the_event_has_what_the_api_asks_for() {
        let mut crossing = crossing();
        let event = body(Cause::Crossed, &crossing, "K1");
        assert_eq!(
            (&event["routing_key"], &event["event_action"]),
            (&json!("K1"), &json!("trigger"))
        );
        assert_eq!(event["dedup_key"], crossing.webhook_id());
        let payload = &event["payload"];
        for name in ["summary", "source", "severity", "timestamp", "component", "group", "class"] {
            assert!(!payload[name].as_str().unwrap().is_empty(), "{name}");
        }
        assert_eq!(
            (&payload["severity"], &payload["custom_details"]["spent"]),
            (&json!("warning"), &json!("81"))
        );
        crossing.threshold = 100;
        assert_eq!(body(Cause::Crossed, &crossing, "K1")["payload"]["severity"], "critical");
        assert_eq!(body(Cause::Test, &crossing, "K1")["payload"]["severity"], "info");
    }
}
