//! The list of budgets, for people and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::budget::{
    BudgetRecord, BudgetStore, CrossingKey, CrossingState, Crossings, EndMark, Ending, utc,
};
use crate::cli::key::ListFormat;
use crate::cli::print::print_result;
use crate::event::OrgId;
use crate::printable::printable;

/// Crossings of a budget whose delivery is looked at, the newest ones.
const LOOKED_AT_MAX: usize = 16;

/// What is shown of a budget besides its record.
#[derive(Debug, Default)]
struct Deliveries {
    open: usize,
    given_up: usize,
    /// Those whose receiver was gone.
    gone: usize,
    /// Why the last one of both failed.
    reason: Option<String>,
}

/// Prints the budgets of an organisation, or of all.
///
/// # Errors
/// One cannot be read; of all organisations, the others are printed before.
pub(super) async fn print_list(
    store: &BudgetStore,
    org: Option<&OrgId>,
    format: ListFormat,
) -> anyhow::Result<()> {
    let (editions, damaged) = match org {
        Some(org) => (store.of_org(org).await?, Vec::new()),
        None => store.all_and_damaged().await?,
    };
    let crossings = Crossings::new(store.records().clone());
    let mut rows = Vec::new();
    for record in editions.values() {
        rows.push((record.clone(), deliveries(&crossings, record).await?));
    }
    match format {
        ListFormat::Table => {
            print_result(&format!(
                "{:<24}  {:<24}  {:<11}  {:>12}  {:<14}  {:<12}  {:<8}  {:<32}  DIMENSION",
                "NAME", "ORG", "PERIOD", "AMOUNT", "THRESHOLDS", "KIND", "STATE", "TARGET"
            ));
            rows.iter().for_each(|(record, deliveries)| print_row(record, deliveries));
        }
        ListFormat::Json => {
            let rows: Vec<_> =
                rows.iter().filter_map(|(record, sent)| json_of(record, sent)).collect();
            print_result(&serde_json::to_string(&rows)?);
        }
    }
    damaged.into_iter().next().map_or(Ok(()), |error| Err(error.into()))
}

async fn deliveries(crossings: &Crossings, record: &BudgetRecord) -> anyhow::Result<Deliveries> {
    let Some(budget) = &record.budget else { return Ok(Deliveries::default()) };
    let whose = (record.org_id.as_str(), &record.name, budget.revision);
    let known: BTreeMap<CrossingKey, CrossingState> =
        crossings.of(whose.0, whose.1, whose.2).await?;
    let mut found = Deliveries::default();
    for (key, state) in known.iter().rev().take(LOOKED_AT_MAX) {
        if !state.is_done {
            found.open += 1;
            continue;
        }
        let done = crossings.ending_of(whose, key).await?;
        match done {
            Some(EndMark { ending: Ending::GivenUp, reason, .. }) => {
                found.given_up += 1;
                found.reason = found.reason.or(reason);
            }
            Some(EndMark { ending: Ending::Gone, reason, .. }) => {
                found.gone += 1;
                found.reason = found.reason.or(reason);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn state(record: &BudgetRecord, deliveries: &Deliveries) -> &'static str {
    match &record.budget {
        Some(budget) if budget.gone_at_us.is_some() => "gone",
        _ if deliveries.given_up + deliveries.gone > 0 => "given up",
        _ if deliveries.open > 0 => "open",
        _ => "active",
    }
}

fn print_row(record: &BudgetRecord, deliveries: &Deliveries) {
    let Some(budget) = &record.budget else { return };
    let definition = &budget.definition;
    let thresholds: Vec<_> = definition.thresholds.iter().map(ToString::to_string).collect();
    let dimension = definition.dimension.as_ref().map(ToString::to_string).unwrap_or_default();
    print_result(&format!(
        "{:<24}  {:<24}  {:<11}  {:>12}  {:<14}  {:<12}  {:<8}  {:<32}  {}",
        record.name.as_str(),
        printable(&record.org_id),
        definition.period.name(),
        definition.amount.to_string(),
        thresholds.join(","),
        definition.kind.name(),
        state(record, deliveries),
        printable(&definition.webhook.place()),
        printable(&dimension),
    ));
}

/// A webhook's path may be as good as a password, so its host alone is shown.
fn json_of(record: &BudgetRecord, deliveries: &Deliveries) -> Option<Value> {
    let budget = record.budget.as_ref()?;
    let definition = &budget.definition;
    Some(json!({
        "name": record.name.as_str(),
        "org_id": record.org_id,
        "period": definition.period.name(),
        "timezone": definition.timezone.name(),
        "dimension": definition.dimension.as_ref().map(ToString::to_string),
        "amount": definition.amount.to_string(),
        "thresholds": definition.thresholds,
        "kind": definition.kind.name(),
        "target": definition.webhook.place(),
        "state": state(record, deliveries),
        "set_at": utc(budget.set_at_us),
        "open": deliveries.open,
        "given_up": deliveries.given_up,
        "gone": deliveries.gone,
        "reason": deliveries.reason,
    }))
}
