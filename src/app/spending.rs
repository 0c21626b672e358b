//! What was spent, for budgets: sums of usage at a version of the table.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveTime;

use super::AppError;
use crate::archive::{Archive, Arrival, Snapshot};
use crate::budget::{BudgetError, BudgetPeriod, Definition, Spending, SpendingView, utc};
use crate::clock::{DAY, Micros};
use crate::event::{API_CALL, COST_CORRECTION, Dimension, OrgId, VALUE_BYTES_MAX};
use crate::rollup::Rollup;
use crate::usage::{StepSpan, UsageQuestion, UsageRows, WhoseUsage};

/// Usage as what was spent.
#[derive(Debug, Clone)]
pub(super) struct UsageSpending {
    archive: Arc<Archive>,
    rollup: Arc<Rollup>,
    staleness_max: Duration,
}

impl UsageSpending {
    pub(super) fn new(archive: Arc<Archive>, rollup: Arc<Rollup>, staleness_max: Duration) -> Self {
        Self { archive, rollup, staleness_max }
    }

    /// A version of the table.
    pub(super) fn at(&self, snapshot: Arc<Snapshot>) -> Arc<dyn SpendingView> {
        Arc::new(UsageSpendingView { spending: self.clone(), snapshot })
    }

    async fn spent_in(
        &self,
        snapshot: &Arc<Snapshot>,
        org_id: &OrgId,
        definition: &Definition,
        span: StepSpan,
    ) -> Result<i128, AppError> {
        let part = match &definition.dimension {
            None => None,
            Some(part) => {
                let dimension = dimension(snapshot, definition);
                let undeclared = || BudgetError::Undeclared(part.dimension.to_string());
                Some((dimension.ok_or_else(undeclared)?, part.value.clone()))
            }
        };
        let whose = WhoseUsage { org_id: org_id.clone(), part };
        let question = UsageQuestion::total(span);
        let rows = UsageRows::new(self.rollup.clone(), snapshot.clone(), &whose, question)?;
        Ok(rows.cost().await?)
    }
}

#[async_trait]
impl Spending for UsageSpending {
    async fn newest(&self) -> Result<Arc<dyn SpendingView>, BudgetError> {
        Ok(self.at(self.archive.fresh(self.staleness_max).await?))
    }
}

#[derive(Debug)]
struct UsageSpendingView {
    spending: UsageSpending,
    snapshot: Arc<Snapshot>,
}

#[async_trait]
impl SpendingView for UsageSpendingView {
    fn version(&self) -> u64 {
        self.snapshot.version()
    }

    fn changed_since(&self, org_id: &OrgId, version: u64) -> Option<Vec<StepSpan>> {
        let arrivals = self.snapshot.arrivals_since(version)?;
        let changes = arrivals.filter(|Arrival { file, data_change }| {
            *data_change && file.may_hold_org(org_id.as_str())
        });
        let mut dates: Vec<_> = changes.map(|arrival| arrival.file.date).collect();
        dates.sort_unstable();
        dates.dedup();
        let spans = dates.into_iter().map(|date| {
            let start = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
            StepSpan { start, end: start + DAY }
        });
        Some(spans.collect())
    }

    fn declaration(&self, definition: &Definition) -> Option<Arc<str>> {
        dimension(&self.snapshot, definition).map(|dimension| dimension.id.clone())
    }

    async fn spent(
        &self,
        org_id: &OrgId,
        definition: &Definition,
        spans: &[StepSpan],
    ) -> Result<(u64, Vec<i128>), BudgetError> {
        let sum = |snapshot: Arc<Snapshot>| async move {
            let mut sums = Vec::with_capacity(spans.len());
            for span in spans {
                sums.push(self.spending.spent_in(&snapshot, org_id, definition, *span).await?);
            }
            Ok::<_, AppError>((snapshot.version(), sums))
        };
        let summed = self.spending.archive.at_newest(self.snapshot.clone(), sum).await;
        summed.map_err(|error| match error {
            AppError::Budget(error) => error,
            AppError::Archive(error) => error.into(),
            error => BudgetError::Sums(error.kind(), error.to_string()),
        })
    }

    fn query(&self, definition: &Definition, span: StepSpan) -> String {
        let attribute = dimension(&self.snapshot, definition);
        query(definition, attribute.map(|dimension| dimension.attribute.clone()).as_deref(), span)
    }
}

/// The dimension of the part that a budget is for, as it is declared.
fn dimension(snapshot: &Snapshot, definition: &Definition) -> Option<Arc<Dimension>> {
    let part = definition.dimension.as_ref()?;
    snapshot.table().dimensions.named(&part.dimension).cloned()
}

/// The query that shows what was spent.
fn query(definition: &Definition, attribute: Option<&str>, span: StepSpan) -> String {
    // A rolling period has the last instant in it, and not the first.
    let (first, end): (Micros, _) = match definition.period {
        BudgetPeriod::Rolling24h => (span.start - 1, span.end - 1),
        _ => (span.start, span.end),
    };
    let (from, to) = match definition.period {
        BudgetPeriod::Rolling24h => (">", "<="),
        _ => (">=", "<"),
    };
    let events = format!(
        "FROM events WHERE event_type IN ('{API_CALL}', '{COST_CORRECTION}') AND ts {from} '{}' AND ts {to} '{}'",
        utc(first),
        utc(end)
    );
    match definition.dimension.as_ref().zip(attribute) {
        None => format!("SELECT sum(cost_usd) AS spent {events}"),
        Some((part, attribute)) => query_of_part(&events, attribute, &part.value),
    }
}

/// The query for a part. Attributes are trimmed, shown without NUL and cut, as [`dimension_value`] does: a
/// longer one is of the part if nothing but blanks follows the part's value up to where it is cut.
///
/// [`dimension_value`]: crate::event::dimension_value
fn query_of_part(events: &str, attribute: &str, value: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (attribute, shown) = (quoted(attribute), quoted(value));
    let (after, left) = (value.chars().count() + 1, VALUE_BYTES_MAX.saturating_sub(value.len()));
    format!(
        "SELECT sum(cost_usd) AS spent FROM (SELECT cost_usd, \
         regexp_replace(regexp_replace(attributes[{attribute}], '^\\s+|\\s+$', '', 'g'), '\\x00', '\u{FFFD}', 'g') AS part \
         {events}) AS parts WHERE part = {shown} OR (starts_with(part, {shown}) \
         AND octet_length(array_element(regexp_match(substr(part, {after}), '^\\s*\\S'), 1)) > {left})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{AskedBudget, DecimalText};

    fn definition(period: &str, dimension: Option<&str>) -> Definition {
        Definition::read(&AskedBudget {
            amount: DecimalText("100".to_owned()),
            period: period.to_owned(),
            dimension: dimension.map(str::to_owned),
            thresholds: vec![80],
            webhook: "https://hooks.example.com/x".to_owned(),
            ..AskedBudget::default()
        })
        .unwrap()
    }

    #[test]
    fn the_query_is_of_the_period_and_the_part() {
        let now = 1_794_700_800_000_000;
        let of = |period: &str, dimension, attribute| {
            let definition = definition(period, dimension);
            let span = definition.period.span_of(definition.timezone, now);
            query(&definition, attribute, span)
        };
        let month = "SELECT sum(cost_usd) AS spent FROM events WHERE event_type IN ('api_call', 'cost_correction') \
            AND ts >= '2026-11-01T00:00:00Z' AND ts < '2026-12-01T00:00:00Z'";
        assert_eq!(of("month", None, None), month);
        let part = of("month", Some("team=a'b"), Some("user.team"));
        let events = month.split_once("FROM").unwrap().1;
        assert!(part.contains("attributes['user.team']") && part.contains(events), "{part}");
        assert!(part.contains("WHERE part = 'a''b' OR "), "{part}");
        assert!(part.contains("substr(part, 4)") && part.ends_with("> 125)"), "{part}");
        let rolling = of("rolling-24h", None, None);
        assert!(
            rolling.contains("ts > '2026-11-14T00:00:00Z' AND ts <= '2026-11-15T00:00:00Z'"),
            "{rolling}"
        );
    }
}
