//! Families as lines of text.

use super::decimal::{write_integer, write_money, write_seconds};
use super::escape::{push_quoted, push_unquoted};
use super::families::{Family, Value};
use super::format::Format;
use crate::rollup::{SeriesTotals, UsageView};

/// An answer in the making.
pub(super) struct Text<'a> {
    view: &'a UsageView<'a>,
    format: Format,
    /// `org_id="…"} `, which ends the labels of every sample.
    org_label: Vec<u8>,
    out: Vec<u8>,
    /// Where in `out` the value of the rolling gauge belongs.
    rolling_at: Option<usize>,
}

impl<'a> Text<'a> {
    pub(super) fn new(view: &'a UsageView<'a>, format: Format) -> Self {
        let mut org_label = b"org_id=\"".to_vec();
        push_quoted(&mut org_label, view.org_id);
        org_label.extend_from_slice(b"\"} ");
        Self { view, format, org_label, out: Vec::new(), rolling_at: None }
    }

    /// Adds the description and the samples of `family`.
    pub(super) fn push_family(&mut self, family: &Family) {
        self.comments(family);
        match family.value {
            Value::Count(of) => self.series(family, |out, totals| write_integer(out, of(totals))),
            Value::Money(of) => self.series(family, |out, totals| write_money(out, of(totals))),
            Value::RollingCost => {
                self.gauge(family);
                self.rolling_at = Some(self.out.len());
                self.push("\n");
            }
            Value::ArchiveVersion => {
                self.gauge(family);
                write_integer(&mut self.out, self.view.archive_version.into());
                self.push("\n");
            }
            Value::LastEvent => {
                let Some(micros) = self.view.last_event else { return };
                self.gauge(family);
                write_seconds(&mut self.out, micros);
                self.push("\n");
            }
        }
    }

    /// Adds what ends an answer of the format.
    pub(super) fn push_end(&mut self) {
        match self.format {
            Format::Text004 | Format::Text100 => {}
            Format::OpenMetrics100 => self.push("# EOF\n"),
        }
    }

    /// The bytes, and where among them the value of the rolling gauge belongs, if it was added.
    pub(super) fn into_parts(self) -> (Vec<u8>, Option<usize>) {
        (self.out, self.rolling_at)
    }

    fn comments(&mut self, family: &Family) {
        self.comment("# HELP ", family);
        match self.format {
            Format::Text004 | Format::Text100 => push_unquoted(&mut self.out, family.help),
            Format::OpenMetrics100 => push_quoted(&mut self.out, family.help),
        }
        self.comment("\n# TYPE ", family);
        self.push(if family.is_counter() { "counter" } else { "gauge" });
        if let (Format::OpenMetrics100, Some(unit)) = (self.format, family.unit) {
            self.comment("\n# UNIT ", family);
            self.push(unit);
        }
        self.push("\n");
    }

    fn comment(&mut self, start: &str, family: &Family) {
        self.push(start);
        self.push(family.name);
        // In OpenMetrics the family is called without the suffix that its samples have.
        if family.is_counter() && self.format != Format::OpenMetrics100 {
            self.push("_total");
        }
        self.push(" ");
    }

    fn series(&mut self, family: &Family, write: impl Fn(&mut Vec<u8>, &SeriesTotals)) {
        for ((provider, model), totals) in self.view.series {
            self.push(family.name);
            self.push("_total{provider=\"");
            push_quoted(&mut self.out, provider);
            self.push("\",model=\"");
            push_quoted(&mut self.out, model);
            self.push("\",");
            self.out.extend_from_slice(&self.org_label);
            write(&mut self.out, totals);
            self.push("\n");
        }
    }

    /// A sample of the organisation up to its value.
    fn gauge(&mut self, family: &Family) {
        self.push(family.name);
        self.push("{");
        self.out.extend_from_slice(&self.org_label);
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}
