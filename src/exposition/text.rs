//! Families as lines of text.

use std::borrow::Cow;

use bytes::Bytes;

use super::decimal::{write_integer, write_money, write_seconds};
use super::escape::{push_quoted, push_unquoted};
use super::families::{Family, SampleSource};
use super::format::MetricsFormat;
use super::pieces::Growing;
use crate::rollup::{PartView, SeriesMap, SeriesTotals, UsageView};

/// An answer while it is written.
pub(super) struct Text<'a> {
    view: &'a UsageView<'a>,
    /// With what corrections add to them.
    series: Cow<'a, SeriesMap>,
    format: MetricsFormat,
    /// `org_id="…"} `, which ends the labels of every sample.
    org_label: Vec<u8>,
    out: Growing,
    /// The text before each gauge that changes with the time, and which gauge it is.
    full: Vec<(Vec<Bytes>, Blank)>,
}

/// Where a gauge that changes with the time is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blank {
    /// The organisation's.
    Whole,
    /// That of the next value of a dimension.
    Part,
}

impl<'a> Text<'a> {
    pub(super) fn new(view: &'a UsageView<'a>, format: MetricsFormat) -> Self {
        let mut org_label = b"org_id=\"".to_vec();
        push_quoted(&mut org_label, view.org_id);
        org_label.extend_from_slice(b"\"} ");
        let series = view.corrected();
        Self { view, series, format, org_label, out: Growing::default(), full: Vec::new() }
    }

    /// Adds the description and the samples of `family`.
    pub(super) fn push_family(&mut self, family: &Family) {
        self.comments(family);
        match family.value {
            SampleSource::Count(of) => {
                self.series(family, |out, totals| write_integer(out, of(totals)))
            }
            SampleSource::Money(of) => {
                self.series(family, |out, totals| write_money(out, of(totals)))
            }
            SampleSource::RollingCost => {
                self.gauge(family);
                self.blank(Blank::Whole);
            }
            SampleSource::PartCount(of) => {
                self.parts(family, |out, part| write_integer(out, of(part)));
            }
            SampleSource::PartMoney(of) => {
                self.parts(family, |out, part| write_money(out, of(part)))
            }
            SampleSource::PartRollingCost => {
                let view = self.view;
                for dimension in view.dimensions {
                    for part in dimension.parts.iter() {
                        self.part(family.name, &dimension.name, &part.value);
                        self.blank(Blank::Part);
                    }
                }
            }
            SampleSource::ArchiveVersion => {
                self.gauge(family);
                write_integer(self.out.last(), self.view.archive_version.into());
                self.push("\n");
            }
            SampleSource::LastEvent => {
                let Some(micros) = self.view.last_event else { return };
                self.gauge(family);
                write_seconds(self.out.last(), micros);
                self.push("\n");
            }
        }
    }

    /// Adds the end of an answer in the format.
    pub(super) fn push_end(&mut self) {
        match self.format {
            MetricsFormat::Text004 | MetricsFormat::Text100 => {}
            MetricsFormat::OpenMetrics100 => self.push("# EOF\n"),
        }
    }

    /// The text before the first gap, and each gap with the text after it.
    pub(super) fn into_parts(mut self) -> (Vec<Bytes>, Vec<(Blank, Vec<Bytes>)>) {
        let last = self.out.take();
        let (mut texts, blanks): (Vec<_>, Vec<_>) = self.full.into_iter().unzip();
        texts.push(last);
        let mut texts = texts.into_iter();
        let first = texts.next().unwrap_or_default();
        (first, blanks.into_iter().zip(texts).collect())
    }

    /// Leaves a line's value open.
    fn blank(&mut self, blank: Blank) {
        let before = self.out.take();
        self.full.push((before, blank));
        self.push("\n");
    }

    fn comments(&mut self, family: &Family) {
        self.comment("# HELP ", family);
        match self.format {
            MetricsFormat::Text004 | MetricsFormat::Text100 => {
                push_unquoted(self.out.last(), family.help)
            }
            MetricsFormat::OpenMetrics100 => push_quoted(self.out.last(), family.help),
        }
        self.comment("\n# TYPE ", family);
        self.push(if family.is_counter() { "counter" } else { "gauge" });
        if let (MetricsFormat::OpenMetrics100, Some(unit)) = (self.format, family.unit) {
            self.comment("\n# UNIT ", family);
            self.push(unit);
        }
        self.push("\n");
    }

    fn comment(&mut self, start: &str, family: &Family) {
        self.push(start);
        self.push(family.name);
        // In OpenMetrics the family is called without the suffix that its samples have.
        if family.is_counter() && self.format != MetricsFormat::OpenMetrics100 {
            self.push("_total");
        }
        self.push(" ");
    }

    fn series(&mut self, family: &Family, write: impl Fn(&mut Vec<u8>, &SeriesTotals)) {
        let series = std::mem::take(&mut self.series);
        for ((provider, model), totals) in series.iter() {
            self.push(family.name);
            self.push("_total{provider=\"");
            push_quoted(self.out.last(), provider);
            self.push("\",model=\"");
            push_quoted(self.out.last(), model);
            self.push("\",");
            self.out.last().extend_from_slice(&self.org_label);
            write(self.out.last(), totals);
            self.push("\n");
        }
        self.series = series;
    }

    fn parts(&mut self, family: &Family, write: impl Fn(&mut Vec<u8>, &PartView)) {
        let (view, name) = (self.view, format!("{}_total", family.name));
        for dimension in view.dimensions {
            for part in dimension.parts.iter().filter(|part| part.is_counted) {
                self.part(&name, &dimension.name, &part.value);
                write(self.out.last(), part);
                self.push("\n");
            }
        }
    }

    /// A sample of a value of a dimension up to its own value.
    fn part(&mut self, name: &str, dimension: &str, value: &str) {
        self.push(name);
        self.push("{dimension=\"");
        self.push(dimension);
        self.push("\",value=\"");
        push_quoted(self.out.last(), value);
        self.push("\",");
        self.out.last().extend_from_slice(&self.org_label);
    }

    /// Adds a sample of the organisation up to its value.
    fn gauge(&mut self, family: &Family) {
        self.push(family.name);
        self.push("{");
        self.out.last().extend_from_slice(&self.org_label);
    }

    fn push(&mut self, text: &str) {
        self.out.last().extend_from_slice(text.as_bytes());
    }
}
