//! Families as lines of text.

use bytes::Bytes;

use super::decimal::{write_integer, write_money, write_seconds};
use super::escape::{push_quoted, push_unquoted};
use super::families::{Family, SampleSource};
use super::format::MetricsFormat;
use super::pieces::Growing;
use crate::rollup::{SeriesTotals, UsageView};

/// An answer while it is written.
pub(super) struct Text<'a> {
    view: &'a UsageView<'a>,
    format: MetricsFormat,
    /// `org_id="…"} `, which ends the labels of every sample.
    org_label: Vec<u8>,
    out: Growing,
    /// The text before the value of the rolling gauge; `out` is the text after it.
    before_rolling: Option<Vec<Bytes>>,
}

impl<'a> Text<'a> {
    pub(super) fn new(view: &'a UsageView<'a>, format: MetricsFormat) -> Self {
        let mut org_label = b"org_id=\"".to_vec();
        push_quoted(&mut org_label, view.org_id);
        org_label.extend_from_slice(b"\"} ");
        Self { view, format, org_label, out: Growing::default(), before_rolling: None }
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
                self.before_rolling = Some(self.out.take());
                self.push("\n");
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

    /// The whole answer; in two parts, with a gap between them, if the rolling gauge is requested.
    pub(super) fn into_parts(mut self) -> (Vec<Bytes>, Option<Vec<Bytes>>) {
        let last = self.out.take();
        match self.before_rolling {
            None => (last, None),
            Some(before) => (before, Some(last)),
        }
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
        for ((provider, model), totals) in self.view.series {
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
