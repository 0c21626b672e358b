//! The samples of a family, in order. Every format shows the same ones.

use std::borrow::Cow;

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

/// What samples are made of.
pub(super) struct ShownUsage<'a> {
    pub(super) view: &'a UsageView<'a>,
    /// With what corrections add to them.
    series: Cow<'a, SeriesMap>,
    /// When each of them began; empty if nobody asked.
    starts: Vec<Option<Micros>>,
}

impl<'a> ShownUsage<'a> {
    pub(super) fn of(view: &'a UsageView<'a>) -> Self {
        let series = view.corrected();
        let names = series.keys().filter(|_| view.starts.is_some());
        let starts = names.map(|name| view.created(name)).collect();
        Self { view, series, starts }
    }
}

/// Shows each sample of `family` to `see`.
pub(super) fn each_sample(
    shown: &ShownUsage<'_>,
    family: &Family,
    mut see: impl FnMut(&Sample<'_>),
) {
    use Number::{Integer, Money, Seconds};
    let view = shown.view;
    let gauge = |see: &mut dyn FnMut(&Sample<'_>), value| {
        see(&Sample { labels: &[], value, created: None });
    };
    match family.value {
        SampleSource::Count(of) => of_series(shown, |totals| Integer(of(totals)), see),
        SampleSource::Money(of) => of_series(shown, |totals| Money(of(totals)), see),
        SampleSource::PartCount(of) => of_parts(view, |part| Integer(of(part)), see),
        SampleSource::PartMoney(of) => of_parts(view, |part| Money(of(part)), see),
        SampleSource::RollingCost => gauge(&mut see, Value::Gap(Blank::Whole)),
        SampleSource::PartRollingCost => each_part(view, |labels, _| {
            see(&Sample { labels, value: Value::Gap(Blank::Part), created: None });
        }),
        SampleSource::ArchiveVersion => {
            gauge(&mut see, Value::Known(Integer(view.archive_version.into())));
        }
        SampleSource::PriceTables => {
            for table in view.price_tables {
                let labels = &[("table", &*table.name)];
                see(&Sample { labels, value: Value::Known(Seconds(table.taken)), created: None });
            }
        }
        SampleSource::LastEvent => {
            if let Some(micros) = view.last_event {
                gauge(&mut see, Value::Known(Seconds(micros)));
            }
        }
    }
}

fn of_series(
    shown: &ShownUsage<'_>,
    number: impl Fn(&SeriesTotals) -> Number,
    mut see: impl FnMut(&Sample<'_>),
) {
    let mut starts = shown.starts.iter().copied();
    for ((provider, model), totals) in shown.series.iter() {
        let labels = &[("provider", &**provider), ("model", &**model)];
        let (value, created) = (Value::Known(number(totals)), starts.next().flatten());
        see(&Sample { labels, value, created });
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
