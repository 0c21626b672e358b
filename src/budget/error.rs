//! What can be wrong with a budget, and what the caller can do about it.

use super::target::TargetError;
use crate::access::{BoundTo, InvalidBound};
use crate::archive::ArchiveError;
use crate::error::Kind;
use crate::usage::UsageError;

/// Why a budget is refused, or cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BudgetError {
    /// The text is no definition.
    #[error(
        "this is no budget: {0}; send a JSON object with amount, period, thresholds and webhook"
    )]
    Json(String),
    /// The name is none.
    #[error(
        "{0:?} is no name of a budget: 1 to 64 of A-Z a-z 0-9 _ . : - that begin with a letter or digit"
    )]
    Name(String),
    /// The amount is none.
    #[error(
        "{0:?} is no amount: dollars above 0 as decimal text such as 100 or 99.50, up to 12 places"
    )]
    Amount(String),
    /// There is no such period.
    #[error("unknown period {0:?}; the periods are rolling-24h, day, week and month")]
    Period(String),
    /// There is no such zone.
    #[error(transparent)]
    Zone(UsageError),
    /// The part is none.
    #[error(transparent)]
    Dimension(#[from] InvalidBound),
    /// The dimension of the part is not declared.
    #[error("there is no dimension {0:?}; see: tokenlake dimension list")]
    Undeclared(String),
    /// The thresholds are none.
    #[error(
        "the thresholds {0} do not fit; send 1 to 16 whole percentages from 1 to 10000, such as 50, 80, 100"
    )]
    Thresholds(String),
    /// There is no such kind.
    #[error("unknown kind {0:?}; the kinds are generic, slack, pagerduty and alertmanager")]
    Kind(String),
    /// PagerDuty is told by a key which service is meant.
    #[error(
        "a webhook of the kind pagerduty needs a routing key; give it as routing_key (--routing-key), or in the URL as https://KEY@events.pagerduty.com/v2/enqueue"
    )]
    NoRoutingKey,
    /// The key is none, or one where none is needed.
    #[error(
        "the routing key does not fit; it is 1 to 128 letters, digits, - or _, and for the kind pagerduty alone"
    )]
    RoutingKey,
    /// The target is refused.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The organisation has as many as it may have.
    #[error(
        "there are {0} budgets already; remove one with: tokenlake budget remove NAME --org ORG"
    )]
    TooMany(usize),
    /// Who is bound to a part asks for a budget of another one.
    #[error(
        "the access key or JWT is bound to {0} and sets budgets of this part alone; send it as the dimension"
    )]
    OtherPart(BoundTo),
    /// The name is that of a budget of another part than the one that somebody is bound to.
    #[error(
        "the name {0:?} is that of a budget of another part of the organisation; choose another name"
    )]
    Taken(String),
    /// There is no such budget.
    #[error("there is no budget {0:?}; see: tokenlake budget list")]
    Unknown(String),
    /// Others changed it again and again meanwhile.
    #[error("the budget {0:?} is being changed by others at the same time; try again")]
    Contended(String),
    /// The test message was not taken.
    #[error("the webhook did not take the test: {0}")]
    Refused(String),
    /// What was spent cannot be added up.
    #[error("{1}")]
    Sums(Kind, String),
    /// The records could not be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl BudgetError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unknown(_) => Kind::NotFound,
            Self::OtherPart(_) | Self::Taken(_) => Kind::Forbidden,
            Self::Contended(_) => Kind::Conflict,
            Self::Archive(error) => error.kind(),
            Self::Sums(kind, _) => *kind,
            _ => Kind::Invalid,
        }
    }
}
