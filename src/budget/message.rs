//! Messages: what a receiver of each kind is told about a crossing. A message is a function of the
//! crossing and of who is told, so it is the same on every try.

mod alertmanager;
mod generic;
mod pagerduty;
mod parts;
mod slack;

use serde_json::Value;

pub use self::alertmanager::ends_at;
pub use self::parts::{shown_span, utc};

use self::parts::Cause;
use super::crossing::Crossing;
use super::definition::Definition;
use super::kind::WebhookKind;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Tells it from others; the same on every try.
    pub id: String,
    /// JSON.
    pub body: String,
}

impl Message {
    /// That a threshold was crossed.
    pub fn of_crossing(crossing: &Crossing, to: &Definition) -> Self {
        let body = body(Cause::Crossed, crossing, to).to_string();
        Self { id: crossing.webhook_id(), body }
    }

    /// A test with the numbers of a crossing that was not. Each has an id of its own.
    pub fn of_test(example: &Crossing, to: &Definition) -> Self {
        let id = format!("{}_test_{}", example.webhook_id(), example.crossed_at_us);
        Self { id, body: body(Cause::Test, example, to).to_string() }
    }
}

fn body(cause: Cause, crossing: &Crossing, to: &Definition) -> Value {
    match to.kind {
        WebhookKind::Generic => generic::body(cause, crossing),
        WebhookKind::Slack => slack::body(cause, crossing),
        WebhookKind::PagerDuty => {
            let key = to.routing_key.as_ref().map(|key| key.reveal()).unwrap_or_default();
            pagerduty::body(cause, crossing, key)
        }
        WebhookKind::Alertmanager => alertmanager::body(cause, crossing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::crossing::tests::crossing;
    use crate::budget::definition::{AskedBudget, DecimalText};

    fn to(kind: WebhookKind) -> Definition {
        let is_pagerduty = kind == WebhookKind::PagerDuty;
        Definition::read(&AskedBudget {
            amount: DecimalText("100".to_owned()),
            period: "month".to_owned(),
            thresholds: vec![80],
            webhook: "https://hooks.example.com/x".to_owned(),
            kind: Some(kind.name().to_owned()),
            routing_key: is_pagerduty.then(|| "K1".to_owned()),
            ..AskedBudget::default()
        })
        .unwrap()
    }

    #[test]
    fn a_message_is_the_same_on_every_try_and_a_test_says_so() {
        for kind in WebhookKind::ALL {
            let to = to(kind);
            let message = Message::of_crossing(&crossing(), &to);
            assert_eq!(Message::of_crossing(&crossing(), &to), message);
            let test = Message::of_test(&crossing(), &to);
            assert_ne!(test.id, message.id);
            assert!(test.body.to_lowercase().contains("test"), "{}", test.body);
            let parsed: Value = serde_json::from_str(&message.body).unwrap();
            assert!(parsed.is_object() || kind == WebhookKind::Alertmanager);
        }
    }
}
