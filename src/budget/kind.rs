//! The kinds of receivers, which take messages of different forms.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::BudgetError;
use crate::event::excerpt;

/// What takes the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookKind {
    /// A program that takes our own JSON.
    #[default]
    Generic,
    /// A Slack channel: blocks.
    Slack,
    /// PagerDuty: Events API v2.
    PagerDuty,
    /// Alertmanager: API v2. It is told again until the period ends.
    Alertmanager,
}

impl WebhookKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Generic, Self::Slack, Self::PagerDuty, Self::Alertmanager];

    /// The name used in definitions and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::Alertmanager => "alertmanager",
        }
    }
}

impl FromStr for WebhookKind {
    type Err = BudgetError;

    fn from_str(name: &str) -> Result<Self, BudgetError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| BudgetError::Kind(excerpt(name)))
    }
}

impl fmt::Display for WebhookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in WebhookKind::ALL {
            assert_eq!(kind.name().parse::<WebhookKind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert!("Slack".parse::<WebhookKind>().is_err());
    }
}
