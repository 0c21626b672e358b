//! Families as lines of text.

use bytes::Bytes;

use super::collect::Collect;
use super::decimal::Number;
use super::escape::{push_quoted, push_unquoted};
use super::families::Family;
use super::format::MetricsFormat;
use super::gapped::{Blank, Gapped};
use super::samples::{Sample, ShownUsage, Value, each_sample};

/// An answer while it is written.
pub(super) struct Text<'a> {
    shown: &'a ShownUsage<'a>,
    is_open: bool,
    /// True if each counter is followed by when its series began.
    shows_created: bool,
    /// `org_id="…"} `, which ends the labels of every sample.
    org_label: Vec<u8>,
    out: Gapped,
}

impl<'a> Text<'a> {
    pub(super) fn new(shown: &'a ShownUsage<'a>, collect: Collect, format: MetricsFormat) -> Self {
        let mut org_label = b"org_id=\"".to_vec();
        push_quoted(&mut org_label, shown.view.org_id);
        org_label.extend_from_slice(b"\"} ");
        let is_open = format == MetricsFormat::OpenMetrics100;
        let shows_created = is_open && collect.has_created();
        Self { shown, is_open, shows_created, org_label, out: Gapped::default() }
    }

    /// Adds the description and the samples of `family`.
    pub(super) fn push_family(&mut self, family: &Family) {
        self.comments(family);
        let suffix = if family.is_counter() { "_total" } else { "" };
        each_sample(self.shown, family, |sample| {
            self.name(family, suffix, sample);
            match sample.value {
                Value::Known(number) => number.write(self.out.last()),
                Value::Gap(blank) => self.out.leave(blank),
            }
            self.push("\n");
            if let Some(created) = sample.created.filter(|_| self.shows_created) {
                self.name(family, "_created", sample);
                Number::Seconds(created).write(self.out.last());
                self.push("\n");
            }
        });
    }

    /// Adds the end of an answer in the format.
    pub(super) fn push_end(&mut self) {
        if self.is_open {
            self.push("# EOF\n");
        }
    }

    /// The text before the first gap, and each gap with the text after it.
    pub(super) fn into_parts(self) -> (Vec<Bytes>, Vec<(Blank, Vec<Bytes>)>) {
        self.out.into_parts()
    }

    fn comments(&mut self, family: &Family) {
        self.comment("# HELP ", family);
        let push_help = if self.is_open { push_quoted } else { push_unquoted };
        push_help(self.out.last(), family.help);
        self.comment("\n# TYPE ", family);
        self.push(if family.is_counter() { "counter" } else { "gauge" });
        if let Some(unit) = family.unit.filter(|_| self.is_open) {
            self.comment("\n# UNIT ", family);
            self.push(unit);
        }
        self.push("\n");
    }

    fn comment(&mut self, start: &str, family: &Family) {
        self.push(start);
        self.push(family.name);
        // In OpenMetrics the family is called without the suffix that its samples have.
        if family.is_counter() && !self.is_open {
            self.push("_total");
        }
        self.push(" ");
    }

    /// Adds a line up to its value.
    fn name(&mut self, family: &Family, suffix: &str, sample: &Sample<'_>) {
        let out = self.out.last();
        out.extend_from_slice(family.name.as_bytes());
        out.extend_from_slice(suffix.as_bytes());
        out.push(b'{');
        for (name, value) in sample.labels {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            push_quoted(out, value);
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(&self.org_label);
    }

    fn push(&mut self, text: &str) {
        self.out.last().extend_from_slice(text.as_bytes());
    }
}
