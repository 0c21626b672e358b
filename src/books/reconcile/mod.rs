//! What events say of a month, what the provider says, and the difference.

mod compare;
mod comparison;
mod events;
mod figures;
mod line_item;
mod models;
mod reasons;
mod reported;
mod rows;
mod tolerance;

use self::compare::compare;
use self::events::of_events;
use self::reported::of_reports;
use super::error::BooksError;
use super::month::Month;
use crate::archive::{Reports, Snapshot};
use crate::event::OrgId;
use crate::sql::Console;

pub use self::comparison::Comparison;
pub use self::rows::comparison_rows;
pub use self::tolerance::Tolerance;

/// What is compared.
#[derive(Debug, Clone)]
pub struct ReconcileQuestion {
    /// The month.
    pub month: Month,
    /// The organisation; `None` for all together.
    pub org: Option<OrgId>,
}

/// A month's comparison.
#[derive(Debug)]
pub struct Reconciled {
    /// By day, provider and model, in order.
    pub rows: Vec<Comparison>,
    /// The providers that have a report of the month.
    pub providers: Vec<String>,
    /// Calls that are in no row, since no provider is told of them.
    pub of_no_provider: i128,
}

/// Compares the events of a month with what was reported of it.
///
/// # Errors
/// Corrupt or Unavailable, naming the object.
pub async fn reconcile(
    console: &Console,
    snapshot: &Snapshot,
    reports: &Reports,
    question: &ReconcileQuestion,
) -> Result<Reconciled, BooksError> {
    let org_id = question.org.as_ref().map(OrgId::as_str);
    let reported = of_reports(reports, org_id, question.month).await?;
    let (mut rows, mut of_no_provider) = (Vec::new(), 0);
    if !reported.is_empty() {
        let events = of_events(console, snapshot, org_id, question.month).await?;
        of_no_provider = events.of_no_provider;
        for (provider, reported) in &reported {
            let events = events.providers.get(provider);
            rows.extend(compare(provider, events.unwrap_or(&Default::default()), reported));
        }
    }
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(Reconciled { rows, providers: reported.into_keys().collect(), of_no_provider })
}
