//! What the reports of a month say, by provider and day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::figures::{ALL_HOURS, DayHours, ReportSums};
use crate::archive::{ReportPart, ReportRow, Reports};
use crate::books::error::BooksError;
use crate::books::month::{Month, midnight};
use crate::clock::{DAY, HOUR, Micros};

/// The name of reports of costs.
const COSTS: &str = "costs";

/// What reports say of a provider, by day.
#[derive(Debug, Default)]
pub(super) struct ProviderReports {
    pub(super) days: BTreeMap<NaiveDate, DayReports>,
}

/// What reports say of a day.
#[derive(Debug, Default)]
pub(super) struct DayReports {
    pub(super) usage: OneReport,
    pub(super) costs: OneReport,
}

/// What one report says of a day.
#[derive(Debug, Default)]
pub(super) struct OneReport {
    /// By model, as the report names it.
    pub(super) models: BTreeMap<Arc<str>, ReportSums>,
    /// By line item, of rows without a model.
    pub(super) items: BTreeMap<Arc<str>, ReportSums>,
    /// Of rows that name neither.
    pub(super) rest: Option<ReportSums>,
    /// The hours that its buckets cover as a whole, also those without rows.
    pub(super) covered: DayHours,
    /// Whether buckets of another length tell of the same time, and are left out.
    pub(super) is_told_twice: bool,
    /// Whether buckets end on the next day, so that they are not of this day alone.
    pub(super) is_over_midnight: bool,
}

/// What the reports of a month say, by provider. Only providers with a report of the month are there.
///
/// # Errors
/// Corrupt or Unavailable, naming the object.
pub(super) async fn of_reports(
    reports: &Reports,
    org_id: Option<&str>,
    month: Month,
) -> Result<BTreeMap<String, ProviderReports>, BooksError> {
    let orgs = match org_id {
        Some(org_id) => vec![org_id.to_ascii_lowercase()],
        None => reports.orgs().await?,
    };
    let days: BTreeMap<String, NaiveDate> =
        month.days().map(|day| (day.to_string(), day)).collect();
    let mut providers = BTreeMap::<String, ProviderReports>::new();
    for org in orgs {
        let Some(catalogue) = reports.catalogue(&org).await? else { continue };
        if org_id.is_some_and(|org_id| org_id != catalogue.org_id) {
            continue;
        }
        for listed in &catalogue.parts {
            let Some(day) = days.get(&listed.date) else { continue };
            let part = reports.part(&org, listed).await?;
            let provider = providers.entry(part.of.provider.clone()).or_default();
            let of_day = provider.days.entry(*day).or_default();
            let one = if part.of.report == COSTS { &mut of_day.costs } else { &mut of_day.usage };
            one.add(&part, midnight(*day));
        }
    }
    Ok(providers)
}

impl OneReport {
    /// Adds the rows of a part, whose day begins at `start`.
    fn add(&mut self, part: &ReportPart, start: Micros) {
        self.covered |= covered(&part.covered, start);
        // Endpoints (completions, embeddings, …) tell of other calls, each in buckets of its own.
        let mut of_object = BTreeMap::<Option<&str>, Vec<&ReportRow>>::new();
        for row in &part.rows {
            of_object.entry(row.group.get("object").map(String::as_str)).or_default().push(row);
        }
        let mut rows = Vec::new();
        for of_one in of_object.into_values() {
            let (length, several) = counted_length(&of_one);
            self.is_told_twice |= several;
            rows.extend(of_one.into_iter().filter(|row| row.end_us - row.start_us == length));
        }
        for row in rows {
            let length = row.end_us - row.start_us;
            self.is_over_midnight |= row.end_us > start + DAY;
            let is_short = length <= HOUR;
            let hour = (row.start_us - start) / HOUR;
            let hours =
                if is_short { u32::try_from(hour).map_or(0, |hour| 1 << hour.min(23)) } else { 0 };
            let sums = ReportSums::of(&row.figures, hours);
            match (row.model(), row.line_item()) {
                (Some(model), _) => *self.models.entry(model.into()).or_default() += &sums,
                (None, Some(item)) => *self.items.entry(item.into()).or_default() += &sums,
                (None, None) => *self.rest.get_or_insert_default() += &sums,
            }
        }
    }

    /// True if it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.models.is_empty() && self.items.is_empty() && self.rest.is_none()
    }
}

/// The hours of a day that spans of time cover as a whole.
fn covered(spans: &[[Micros; 2]], start: Micros) -> DayHours {
    let hours = (0_u32..24).zip((start..start + DAY).step_by(usize::try_from(HOUR).unwrap_or(1)));
    let whole = hours
        .filter(|(_, hour)| spans.iter().any(|[from, to]| from <= hour && *hour + HOUR <= *to));
    whole.fold(0, |hours, (hour, _)| hours | 1 << hour) & ALL_HOURS
}

/// The length of the buckets that count, and whether there are others: the same hours may have been
/// reported by day and by hour. Of several lengths, that which tells of most of the day; of two, the longer.
fn counted_length(rows: &[&ReportRow]) -> (Micros, bool) {
    let mut buckets = BTreeMap::<Micros, BTreeSet<Micros>>::new();
    for row in rows {
        buckets.entry(row.end_us - row.start_us).or_default().insert(row.start_us);
    }
    let told = |(length, starts): &(&Micros, &BTreeSet<Micros>)| {
        let count = Micros::try_from(starts.len()).unwrap_or(Micros::MAX);
        (length.saturating_mul(count), **length)
    };
    let most = buckets.iter().max_by_key(told);
    (most.map_or(0, |(length, _)| *length), buckets.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ReportFigures, ReportName};

    fn row(start: Micros, length: Micros, model: &str, requests: i64) -> ReportRow {
        let group = [("model".to_owned(), model.to_owned())].into();
        let figures = ReportFigures { requests: Some(requests), ..ReportFigures::default() };
        ReportRow { start_us: start, end_us: start + length, group, figures }
    }

    fn read(rows: Vec<ReportRow>) -> OneReport {
        let of = ReportName { provider: "openai".to_owned(), report: "usage".to_owned() };
        let covered = rows.iter().map(|row| [row.start_us, row.end_us]).collect();
        let mut one = OneReport::default();
        one.add(&ReportPart { of, date: String::new(), covered, rows }, DAY);
        one
    }

    #[test]
    fn hours_are_those_of_short_buckets_and_covered_ones_are_whole() {
        let one = read(vec![row(DAY + 2 * HOUR, HOUR, "a", 1), row(DAY + 5 * HOUR, HOUR, "a", 2)]);
        let sums = one.models["a"];
        assert_eq!((sums.hours, sums.sums[0]), (1 << 2 | 1 << 5, Some(3)));
        assert_eq!((one.covered, one.is_told_twice), (1 << 2 | 1 << 5, false));
        let minutes = (0..60).map(|minute| row(DAY + minute * HOUR / 60, HOUR / 60, "a", 1));
        let spans: Vec<_> = minutes.map(|row| [row.start_us, row.end_us]).collect();
        assert_eq!(covered(&[[spans[0][0], spans[59][1]]], DAY), 1);
        let day = read(vec![row(DAY, DAY, "a", 1)]);
        assert_eq!((day.covered, day.models["a"].hours), (ALL_HOURS, 0));
    }

    #[test]
    fn what_is_told_by_day_and_by_hour_counts_once() {
        let hours = (0..24).map(|hour| row(DAY + hour * HOUR, HOUR, "a", 1));
        let one = read(hours.chain([row(DAY, DAY, "a", 24)]).collect());
        assert_eq!((one.models["a"].sums[0], one.is_told_twice), (Some(24), true));
        let one = read(vec![row(DAY, HOUR, "a", 1), row(DAY, DAY, "a", 24)]);
        assert_eq!((one.models["a"].sums[0], one.is_over_midnight), (Some(24), false));
    }

    #[test]
    fn endpoints_with_buckets_of_other_lengths_all_count() {
        let of = |object: &str, row: ReportRow| {
            let group = row.group.into_iter().chain([("object".to_owned(), object.to_owned())]);
            ReportRow { group: group.collect(), ..row }
        };
        let hours = (0..24).map(|hour| of("completions", row(DAY + hour * HOUR, HOUR, "a", 1)));
        let one = read(hours.chain([of("embeddings", row(DAY, DAY, "b", 7))]).collect());
        let requests = ["a", "b"].map(|model| one.models[model].sums[0]);
        assert_eq!((requests, one.is_told_twice), ([Some(24), Some(7)], false));
    }

    #[test]
    fn a_bucket_of_two_days_is_known_to_be_one() {
        assert!(read(vec![row(DAY + HOUR, DAY, "a", 1)]).is_over_midnight);
        assert!(!read(vec![row(DAY + 23 * HOUR, HOUR, "a", 1)]).is_over_midnight);
    }
}
