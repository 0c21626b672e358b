//! Pieces of a UTC date: whole hours, and the parts into which steps and the range cut the others.

use super::question::UsageQuestion;
use super::step::StepSpan;
use crate::clock::{DAY, HOUR, Micros};

/// A part of a UTC date that is in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatePiece {
    /// Where the step begins.
    pub step: Micros,
    /// Which part.
    pub part: DatePart,
}

/// A part of a UTC date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatePart {
    /// All of it.
    Date,
    /// Of the hour `hour`, from `from` to before `to` after its start; the whole hour is 0 to [`HOUR`].
    Hour {
        /// 0 to 23.
        hour: usize,
        /// From 0.
        from: Micros,
        /// Up to [`HOUR`].
        to: Micros,
    },
}

/// Cuts the date that begins at `midnight` into pieces, of which only the hours that are given matter.
#[derive(Debug)]
pub struct DatePieces<'a> {
    question: &'a UsageQuestion,
    midnight: Micros,
    /// The step that the last piece was of.
    step: Option<StepSpan>,
}

impl<'a> DatePieces<'a> {
    /// The pieces of a date.
    pub fn new(question: &'a UsageQuestion, midnight: Micros) -> Self {
        Self { question, midnight, step: None }
    }

    /// Those of some hours, in order.
    pub fn of_hours(mut self, hours: impl IntoIterator<Item = usize>) -> Vec<DatePiece> {
        let (range, date) = (self.question.range, span(self.midnight, DAY));
        if holds(range, date) {
            let step = self.step_of(date.start);
            if holds(step, date) {
                return vec![DatePiece { step: step.start, part: DatePart::Date }];
            }
        }
        let mut pieces = Vec::new();
        for hour in hours {
            let start = self.midnight + Micros::try_from(hour).unwrap_or_default() * HOUR;
            let mut at = start.max(range.start);
            let end = (start + HOUR).min(range.end);
            while at < end {
                let step = self.step_of(at);
                let next = step.end.min(end);
                let part = DatePart::Hour { hour, from: at - start, to: next - start };
                pieces.push(DatePiece { step: step.start, part });
                at = next;
            }
        }
        pieces
    }

    fn step_of(&mut self, at: Micros) -> StepSpan {
        if let Some(step) = self.step.filter(|step| step.start <= at && at < step.end) {
            return step;
        }
        let UsageQuestion { step, zone, range, .. } = self.question;
        *self.step.insert(step.span_of(*zone, at, *range))
    }
}

fn span(start: Micros, length: Micros) -> StepSpan {
    StepSpan { start, end: start + length }
}

fn holds(outer: StepSpan, inner: StepSpan) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

#[cfg(test)]
mod tests {
    use super::super::question::AskedUsage;
    use super::*;
    use crate::event::time::from_text;

    fn pieces(from: &str, to: &str, step: &str, zone: &str) -> Vec<(String, DatePart)> {
        let (from, to, step) = (Some(from), Some(to), Some(step));
        let asked = AskedUsage { from, to, step, timezone: Some(zone), group_by: None };
        let question = UsageQuestion::read(asked, 0).unwrap();
        let midnight = from_text("2026-03-01T00:00:00Z").unwrap();
        let pieces = DatePieces::new(&question, midnight).of_hours([0, 9, 18, 23]);
        pieces.into_iter().map(|piece| (question.zone.text(piece.step), piece.part)).collect()
    }

    fn hour(hour: usize, from: Micros, to: Micros) -> DatePart {
        DatePart::Hour { hour, from, to }
    }

    #[test]
    fn only_hours_that_are_cut_are_in_parts() {
        let all = ("2026-01-01", "2027-01-01");
        let start = "2026-03-01T00:00:00+00:00".to_owned();
        assert_eq!(pieces(all.0, all.1, "day", "UTC"), [(start, DatePart::Date)]);
        let half = HOUR / 2;
        let [first, second] =
            ["2026-03-01", "2026-03-02"].map(|date| format!("{date}T00:00:00+05:30"));
        let expected = [
            (&first, hour(0, 0, HOUR)),
            (&first, hour(9, 0, HOUR)),
            (&first, hour(18, 0, half)),
            (&second, hour(18, half, HOUR)),
            (&second, hour(23, 0, HOUR)),
        ];
        let expected = expected.map(|(start, part)| (start.clone(), part));
        assert_eq!(pieces(all.0, all.1, "day", "Asia/Kolkata"), expected);
    }

    #[test]
    fn a_range_cuts_hours_too() {
        let start = "2026-03-01T09:00:00.000001+00:00";
        let found = pieces(start, "2026-03-01T18:00:01Z", "total", "UTC");
        let expected =
            [hour(9, 1, HOUR), hour(18, 0, 1_000_000)].map(|part| (start.to_owned(), part));
        assert_eq!(found, expected);
        assert_eq!(pieces("2026-03-01", "2026-03-01", "hour", "UTC"), []);
    }
}
