//! A question about usage: a range, steps, a zone and groups.

use super::error::UsageError;
use super::groups::UsageGroup;
use super::instant::read_instant;
use super::step::{StepSpan, UsageStep};
use super::zone::Zone;
use crate::clock::{DAY, Micros};
use crate::event::{Dimension, excerpt};
use std::sync::Arc;

/// What is asked about unless a range is given.
const DAYS_DEFAULT: i64 = 30;

/// A question as it is sent; what is absent has a default.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskedUsage<'a> {
    /// The first instant; by default 30 days before the other one.
    pub from: Option<&'a str>,
    /// The first instant after it; now by default.
    pub to: Option<&'a str>,
    /// Total by default.
    pub step: Option<&'a str>,
    /// UTC by default.
    pub timezone: Option<&'a str>,
    /// Separated by commas; none by default.
    pub group_by: Option<&'a str>,
}

/// A question about usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuestion {
    /// The range.
    pub range: StepSpan,
    /// What a row is of.
    pub step: UsageStep,
    /// Whose clock.
    pub zone: Zone,
    /// The names of groups, in the order in which they are shown.
    groups: Vec<String>,
}

impl UsageQuestion {
    /// Reads a question that is asked at `now`.
    ///
    /// # Errors
    /// [`UsageError`].
    pub fn read(asked: AskedUsage<'_>, now: Micros) -> Result<Self, UsageError> {
        let zone: Zone = asked.timezone.map(str::parse).transpose()?.unwrap_or_default();
        let step = asked.step.map(str::parse).transpose()?.unwrap_or_default();
        let at = |name, text: &str| read_instant(name, text, zone);
        let end = asked.to.map(|text| at("to", text)).transpose()?.unwrap_or(now);
        let start = asked.from.map(|text| at("from", text)).transpose()?;
        let start = start.unwrap_or(end - DAYS_DEFAULT * DAY);
        if start > end {
            return Err(UsageError::Order);
        }
        let groups = names(asked.group_by.unwrap_or_default())?;
        Ok(Self { range: StepSpan { start, end }, step, zone, groups })
    }

    /// The question what was used in a range, in all.
    pub fn total(range: StepSpan) -> Self {
        let (step, zone) = (UsageStep::Total, Zone::default());
        Self { range, step, zone, groups: Vec::new() }
    }

    /// The groups, of which `dimensions` are there.
    ///
    /// # Errors
    /// [`UsageError::Group`], [`UsageError::Dimensions`].
    pub fn groups(&self, dimensions: &[Arc<Dimension>]) -> Result<Vec<UsageGroup>, UsageError> {
        let mut groups = Vec::new();
        let mut dimension: Option<&Arc<Dimension>> = None;
        for name in &self.groups {
            groups.push(match name.as_str() {
                "provider" => UsageGroup::Provider,
                "model" => UsageGroup::Model,
                name => {
                    let found = dimensions.iter().find(|dimension| *dimension.name == *name);
                    let found = found.ok_or_else(|| unknown(name, dimensions))?;
                    if let Some(other) = dimension.replace(found) {
                        let [other, found] = [other, found].map(|one| one.name.to_string());
                        return Err(UsageError::Dimensions(other, found));
                    }
                    UsageGroup::Dimension(found.clone())
                }
            });
        }
        Ok(groups)
    }
}

fn names(text: &str) -> Result<Vec<String>, UsageError> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        if names.iter().any(|known| known == name) {
            return Err(UsageError::Twice(excerpt(name)));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn unknown(name: &str, dimensions: &[Arc<Dimension>]) -> UsageError {
    let known = ["provider", "model"].into_iter();
    let known: Vec<_> = known.chain(dimensions.iter().map(|dimension| &*dimension.name)).collect();
    UsageError::Group { unknown: excerpt(name), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    /// 2026-03-10T12:00:00.000001Z.
    const NOW: Micros = 1_773_144_000 * SECOND + 1;

    fn error(asked: AskedUsage<'_>) -> String {
        UsageQuestion::read(asked, NOW).unwrap_err().to_string()
    }

    #[test]
    fn the_last_thirty_days_are_the_default() {
        let question = UsageQuestion::read(AskedUsage::default(), NOW).unwrap();
        assert_eq!(question.range, StepSpan { start: NOW - 30 * DAY, end: NOW });
        assert_eq!(
            (question.step, question.zone.to_string()),
            (UsageStep::Total, "UTC".to_owned())
        );
        let asked =
            AskedUsage { to: Some("2026-02-01"), group_by: Some(" "), ..AskedUsage::default() };
        let question = UsageQuestion::read(asked, NOW).unwrap();
        assert_eq!(question.range.end - question.range.start, 30 * DAY);
        assert_eq!(question.groups(&[]), Ok(Vec::new()));
    }

    #[test]
    fn each_wrong_question_has_its_reason() {
        let none = AskedUsage::default();
        let of = |asked, part: &str| {
            let error = error(asked);
            assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        };
        of(AskedUsage { from: Some("soon"), ..none }, "no time for from");
        of(AskedUsage { to: Some("2026-03-01T00:00:00"), ..none }, "no time for to");
        of(AskedUsage { from: Some("2027-01-01"), ..none }, "after to");
        of(AskedUsage { step: Some("Day"), ..none }, "unknown step");
        of(AskedUsage { timezone: Some("Mars/Base"), ..none }, "unknown timezone");
        of(AskedUsage { group_by: Some("model,model"), ..none }, "twice");
    }

    #[test]
    fn one_dimension_that_is_there_may_be_a_group() {
        let of = |name: &str| Arc::new(Dimension::new(name, None, "1").unwrap());
        let there = [of("team"), of("app")];
        let groups = |group_by| {
            let asked = AskedUsage { group_by: Some(group_by), ..AskedUsage::default() };
            UsageQuestion::read(asked, NOW).unwrap().groups(&there)
        };
        let found = groups("model, team,provider").unwrap();
        assert_eq!(
            found.iter().map(UsageGroup::name).collect::<Vec<_>>(),
            ["model", "team", "provider"]
        );
        assert!(matches!(groups("team,app"), Err(UsageError::Dimensions(..))));
        let unknown = groups("user").unwrap_err().to_string();
        assert!(unknown.ends_with("there are provider, model, team, app"), "{unknown}");
        assert!(groups("model,").is_err() && groups("Model").is_err());
    }
}
