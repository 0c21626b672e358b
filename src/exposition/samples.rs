//! The samples of a family, in order. Every format shows the same ones.

use super::decimal::Number;
use super::families::{Family, SampleSource};
use super::gapped::Blank;
use crate::clock::Micros;
use crate::rollup::{PartView, SeriesMap, SeriesTotals, UsageView};

/// A sample of a family.
#[derive(Debug)]
pub(super) struct Sample<'s> {
    /// The names and values of its labels in the order of text, but for `org_id`, which comes last.
    pub(super) labels: &'s [(&'s str, &'s str)],
    pub(super) value: Value,
    /// When the series of a counter began, if that is known.
    pub(super) created: Option<Micros>,
}

/// The value of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Known(Number),
    /// Filled in at each scrape.
    Gap(Blank),
}

/// Shows each sample of `family` to `see`. `series` are those of `view`, with their corrections.
pub(super) fn each_sample(
    view: &UsageView<'_>,
    series: &SeriesMap,
    family: &Family,
    mut see: impl FnMut(&Sample<'_>),
) {
    use Number::{Integer, Money, Seconds};
    let mut gauge = |value| see(&Sample { labels: &[], value, created: None });
    match family.value {
        SampleSource::Count(of) => of_series(view, series, |totals| Integer(of(totals)), see),
        SampleSource::Money(of) => of_series(view, series, |totals| Money(of(totals)), see),
        SampleSource::PartCount(of) => of_parts(view, |part| Integer(of(part)), see),
        SampleSource::PartMoney(of) => of_parts(view, |part| Money(of(part)), see),
        SampleSource::RollingCost => gauge(Value::Gap(Blank::Whole)),
        SampleSource::PartRollingCost => each_part(view, |labels, _| {
            see(&Sample { labels, value: Value::Gap(Blank::Part), created: None });
        }),
        SampleSource::ArchiveVersion => {
            gauge(Value::Known(Integer(view.archive_version.into())));
        }
        SampleSource::LastEvent => {
            if let Some(micros) = view.last_event {
                gauge(Value::Known(Seconds(micros)));
            }
        }
    }
}

fn of_series(
    view: &UsageView<'_>,
    series: &SeriesMap,
    number: impl Fn(&SeriesTotals) -> Number,
    mut see: impl FnMut(&Sample<'_>),
) {
    for (name, totals) in series {
        let (provider, model) = name;
        let labels = &[("provider", &**provider), ("model", &**model)];
        let value = Value::Known(number(totals));
        see(&Sample { labels, value, created: view.created(name) });
    }
}

fn of_parts(
    view: &UsageView<'_>,
    number: impl Fn(&PartView) -> Number,
    mut see: impl FnMut(&Sample<'_>),
) {
    each_part(view, |labels, part| {
        if part.is_counted {
            see(&Sample { labels, value: Value::Known(number(part)), created: part.created });
        }
    });
}

fn each_part(view: &UsageView<'_>, mut see: impl FnMut(&[(&str, &str)], &PartView)) {
    for dimension in view.dimensions {
        for part in dimension.parts.iter() {
            see(&[("dimension", &*dimension.name), ("value", &*part.value)], part);
        }
    }
}
