//! The JSON of `GET /v1/budgets`, and how long it holds.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::AppError;
use crate::budget::{BudgetPeriod, BudgetRecord, BudgetStatus, shown_span, utc};
use crate::clock::{Micros, SECOND};
use crate::event::money::format_decimal;

/// How long an answer about a rolling period holds: within it, events leave the period.
const ROLLING_HOLDS: Micros = SECOND / 2;

/// The time in which an answer holds, at its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerTime {
    from: Micros,
    until: Micros,
}

impl AnswerTime {
    /// Whether the answer still holds.
    pub(super) fn holds(self, now: Micros) -> bool {
        (self.from..self.until).contains(&now)
    }
}

#[derive(Debug, Serialize)]
struct BudgetRow<'a> {
    name: &'a str,
    period: &'static str,
    start: Option<String>,
    end: Option<String>,
    amount: String,
    spent: Option<String>,
    remaining: Option<String>,
    percent: Option<String>,
    thresholds: Vec<ShownThreshold>,
}

#[derive(Debug, Serialize)]
struct ShownThreshold {
    percent: u32,
    fired_at: Option<String>,
}

/// The answer at `now`. What was spent is null of a budget that nobody can look at, because its
/// dimension is declared no longer.
pub(super) fn answer(
    rows: &[(Arc<BudgetRecord>, Option<BudgetStatus>)],
    now: Micros,
) -> Result<(Bytes, AnswerTime), AppError> {
    let shown = rows.iter().filter_map(|(record, status)| row(record, status.as_ref()));
    let body = serde_json::to_string(&shown.collect::<Vec<_>>());
    let body = body.map_err(|error| AppError::Internal(error.to_string()))? + "\n";
    let ends = rows.iter().map(|(record, status)| {
        let rolls = record
            .budget
            .as_ref()
            .is_some_and(|budget| budget.definition.period == BudgetPeriod::Rolling24h);
        match status {
            Some(status) if !rolls => status.spent.span.end,
            _ => now + ROLLING_HOLDS,
        }
    });
    Ok((body.into(), AnswerTime { from: now, until: ends.min().unwrap_or(Micros::MAX) }))
}

fn row<'a>(record: &'a BudgetRecord, status: Option<&BudgetStatus>) -> Option<BudgetRow<'a>> {
    let definition = &record.budget.as_ref()?.definition;
    let (period, amount) = (definition.period, definition.amount);
    let spent = status.map(|status| status.spent.units);
    let span =
        status.map(|status| shown_span(period, status.spent.span.start, status.spent.span.end));
    let fired_at = |threshold: u32| {
        let found = status?.fired_at.iter().find(|(known, _)| *known == threshold)?;
        found.1.map(utc)
    };
    let thresholds = definition.thresholds.iter();
    Some(BudgetRow {
        name: record.name.as_str(),
        period: period.name(),
        start: span.map(|(start, _)| utc(start)),
        end: span.map(|(_, end)| utc(end)),
        amount: amount.to_string(),
        spent: spent.map(|spent| format_decimal(spent).to_string()),
        remaining: spent.map(|spent| format_decimal(amount.remaining(spent)).to_string()),
        percent: spent.map(|spent| amount.percent(spent)),
        thresholds: thresholds
            .map(|percent| ShownThreshold { percent: *percent, fired_at: fired_at(*percent) })
            .collect(),
    })
}
