//! Budgets and spend alerts: a message when a share of a budget is spent, once a period.
//!
//! ```text
//! BudgetStore ─▶ Evaluator ─▶ crossing, put if absent ─▶ Courier ─▶ Webhooks
//!  editions      │ Spending    (the bucket arbitrates)    tries      HTTP
//!                ▼
//!           what was spent, by versions of the table
//! ```
//!
//! All state is objects of the archive that are put if they are absent: no leader, no lock, no clocks
//! that agree. A message may arrive twice; its id is then the same.

mod address;
mod amount;
mod attempt;
mod changes;
mod courier;
mod crossing;
mod crossings;
mod definition;
mod error;
mod evaluator;
mod http;
mod kind;
mod message;
mod name;
mod period;
mod rounds;
mod secret;
mod spending;
mod store;
mod stored;
mod target;
#[cfg(test)]
mod tests;
mod turns;
mod watch;
mod webhooks;

pub use self::amount::BudgetAmount;
pub use self::attempt::{EndMark, Ending, TryOutcome};
pub use self::changes::SetBudget;
pub use self::courier::{Courier, Delivery};
pub use self::crossing::{Crossing, CrossingKey, Spent};
pub use self::crossings::{CrossingState, Crossings};
pub use self::definition::{AskedBudget, DecimalText, Definition};
pub use self::error::BudgetError;
pub use self::evaluator::{BudgetStatus, Evaluator};
pub use self::http::HttpWebhooks;
pub use self::kind::WebhookKind;
pub use self::message::{Message, shown_span, utc};
pub use self::name::BudgetName;
pub use self::period::BudgetPeriod;
pub use self::secret::WebhookSecret;
pub use self::spending::{Spending, SpendingView};
pub use self::store::{BUDGETS_MAX, BudgetStore, Editions};
pub use self::stored::{Budget, BudgetRecord};
pub use self::target::{AllowedTarget, AllowedTargets, Target, TargetError};
pub use self::webhooks::Webhooks;
