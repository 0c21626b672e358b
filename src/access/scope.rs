//! What a credential allows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Scrape `/metrics`.
    #[serde(rename = "metrics:read")]
    MetricsRead,
    /// Send events.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// Run SQL queries.
    #[serde(rename = "sql:read")]
    SqlRead,
    /// Send events that correct the cost of others, which also takes [`Scope::EventsWrite`].
    #[serde(rename = "corrections:write")]
    CorrectionsWrite,
    /// Set and remove budgets.
    #[serde(rename = "budgets:write")]
    BudgetsWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::MetricsRead,
        Self::EventsWrite,
        Self::SqlRead,
        Self::CorrectionsWrite,
        Self::BudgetsWrite,
    ];

    /// The scopes of a new key unless others are given.
    pub const USUAL: [Self; 3] = [Self::MetricsRead, Self::EventsWrite, Self::SqlRead];

    /// The name used in records, JWTs and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::MetricsRead => "metrics:read",
            Self::EventsWrite => "events:write",
            Self::SqlRead => "sql:read",
            Self::CorrectionsWrite => "corrections:write",
            Self::BudgetsWrite => "budgets:write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A scope that does not exist.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "unknown scope {0:?}; the scopes are metrics:read, events:write, sql:read, corrections:write and \
     budgets:write"
)]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// These scopes, each once; [`Scope::USUAL`] if the list is empty.
    pub fn or_usual(scopes: Vec<Scope>) -> Self {
        Self::of(if scopes.is_empty() { Scope::USUAL.to_vec() } else { scopes })
    }

    /// These scopes, each once; an empty list allows nothing.
    pub fn of(mut scopes: Vec<Scope>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// True if `scope` is among them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|scope| scope.name()).collect();
        f.write_str(&names.join(","))
    }
}
