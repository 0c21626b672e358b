//! A row of a comparison: what both sides say of a model on a day.

use std::sync::Arc;

use chrono::NaiveDate;

use super::figures::{EventSums, METRICS};
use super::tolerance::Tolerance;

/// A row of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// The provider, as reports name it.
    pub provider: Arc<str>,
    /// The model, as the report spells it, else as events do; `None` of the whole day, or of events
    /// without one.
    pub model: Option<Arc<str>>,
    pub(super) events: EventSums,
    /// By metric: the report's figure.
    pub(super) reported: [Figure; METRICS.len()],
    /// Why the sides differ.
    pub reasons: Vec<String>,
}

/// A figure of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Figure {
    /// The report does not tell it of such rows, so there is nothing to compare.
    #[default]
    Untold,
    /// The report has it for others of the day, and not for this one: it is as good as 0.
    Absent,
    /// The figure.
    Told(i128),
}

impl Figure {
    /// The figure.
    pub(super) fn told(self) -> Option<i128> {
        match self {
            Self::Told(figure) => Some(figure),
            Self::Untold | Self::Absent => None,
        }
    }

    pub(super) fn of(sum: Option<i128>, is_compared: bool) -> Self {
        match (sum, is_compared) {
            (Some(sum), _) => Self::Told(sum),
            (None, true) => Self::Absent,
            (None, false) => Self::Untold,
        }
    }
}

impl Comparison {
    /// Rows come by day, provider and model, the row of the whole day last.
    pub(super) fn order(&self) -> (NaiveDate, &str, bool, Option<&str>) {
        (self.day, &self.provider, self.model.is_none(), self.model.as_deref())
    }

    /// Events less report, of a metric; none if there is nothing to compare.
    pub(super) fn difference(&self, metric: usize) -> Option<i128> {
        let events = self.events.sums.get(metric)?;
        match self.reported.get(metric)? {
            Figure::Untold => None,
            Figure::Absent => Some(*events),
            Figure::Told(reported) => Some(events - reported),
        }
    }

    /// Whether a figure differs by more than is tolerated.
    pub fn exceeds(&self, tolerance: Tolerance) -> bool {
        self.reported.iter().enumerate().any(|(metric, reported)| {
            let difference = self.difference(metric);
            difference.is_some_and(|difference| {
                tolerance.is_exceeded(difference, reported.told().unwrap_or_default())
            })
        })
    }

    /// Whether a figure differs at all.
    pub(super) fn differs(&self) -> bool {
        (0..METRICS.len()).any(|metric| self.difference(metric).is_some_and(|by| by != 0))
    }
}
