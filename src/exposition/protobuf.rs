//! Families as messages `io.prometheus.client.MetricFamily`, each after its length.
//!
//! Source: `io/prometheus/client/metrics.proto` of Prometheus' client model. The length of a message
//! comes before it, so samples are gone through twice: once to add up their lengths, once to write
//! them. Labels are in the order of their names, as Prometheus' own library has them.

use bytes::Bytes;

use super::families::Family;
use super::gapped::{Blank, Gapped};
use super::samples::{Sample, ShownUsage, Value, each_sample};
use super::wire::{
    DOUBLE_BYTES, field_bytes, number_bytes, push_double, push_double_key, push_field, push_length,
    push_number, push_text,
};
use crate::clock::SECOND;

/// Fields of `MetricFamily`.
const FAMILY_NAME: u8 = 1;
const FAMILY_HELP: u8 = 2;
const FAMILY_TYPE: u8 = 3;
const FAMILY_METRIC: u8 = 4;
const FAMILY_UNIT: u8 = 5;
/// Values of `MetricType`.
const COUNTER: u64 = 0;
const GAUGE: u64 = 1;
/// Fields of `Metric`.
const METRIC_LABEL: u8 = 1;
const METRIC_GAUGE: u8 = 2;
const METRIC_COUNTER: u8 = 3;
/// Fields of `LabelPair`.
const LABEL_NAME: u8 = 1;
const LABEL_VALUE: u8 = 2;
/// The field of `Gauge` and of `Counter` with the value.
const VALUE: u8 = 1;
/// The field of `Counter` with its start.
const COUNTER_CREATED: u8 = 3;
/// Fields of `google.protobuf.Timestamp`.
const TIME_SECONDS: u8 = 1;
const TIME_NANOS: u8 = 2;
const NANOS_A_MICRO: i64 = 1_000;

/// The label that every sample has.
const ORG_ID: &str = "org_id";

/// An answer while it is written.
pub(super) struct Protobuf<'a> {
    shown: &'a ShownUsage<'a>,
    out: Gapped,
    /// The text of the last number.
    digits: Vec<u8>,
}

impl<'a> Protobuf<'a> {
    pub(super) fn new(shown: &'a ShownUsage<'a>) -> Self {
        Self { shown, out: Gapped::default(), digits: Vec::new() }
    }

    /// Adds a family with its samples.
    pub(super) fn push_family(&mut self, family: &Family) {
        let (shown, is_counter) = (self.shown, family.is_counter());
        // A counter is called as its samples are in text.
        let (suffix, kind) = if is_counter { ("_total", COUNTER) } else { ("", GAUGE) };
        let (name, mut samples) = (family.name.len() + suffix.len(), 0);
        each_sample(shown, family, |sample| {
            samples += field_bytes(self.metric_bytes(is_counter, sample));
        });
        let unit = family.unit.map_or(0, |unit| field_bytes(unit.len()));
        let head = field_bytes(name) + field_bytes(family.help.len()) + number_bytes(kind);
        let out = self.out.last();
        push_length(out, head + samples + unit);
        push_field(out, FAMILY_NAME, name);
        out.extend_from_slice(family.name.as_bytes());
        out.extend_from_slice(suffix.as_bytes());
        push_text(out, FAMILY_HELP, family.help);
        push_number(out, FAMILY_TYPE, kind);
        each_sample(shown, family, |sample| self.push_metric(is_counter, sample));
        if let Some(unit) = family.unit {
            push_text(self.out.last(), FAMILY_UNIT, unit);
        }
    }

    /// The bytes before the first gap, and each gap with the bytes after it.
    pub(super) fn into_parts(self) -> (Vec<Bytes>, Vec<(Blank, Vec<Bytes>)>) {
        self.out.into_parts()
    }

    /// Bytes of a `Metric`.
    fn metric_bytes(&self, is_counter: bool, sample: &Sample<'_>) -> usize {
        let label = |(name, value): (&str, &str)| field_bytes(label_bytes(name, value));
        let labels: usize = sample.labels.iter().copied().map(label).sum();
        let value = field_bytes(value_bytes(is_counter, sample));
        labels + label((ORG_ID, self.shown.view.org_id)) + value
    }

    fn push_metric(&mut self, is_counter: bool, sample: &Sample<'_>) {
        let bytes = self.metric_bytes(is_counter, sample);
        let out = self.out.last();
        push_field(out, FAMILY_METRIC, bytes);
        for is_before in [true, false] {
            let here = sample.labels.iter().filter(|(name, _)| (*name < ORG_ID) == is_before);
            here.for_each(|(name, value)| push_label(out, name, value));
            if is_before {
                push_label(out, ORG_ID, self.shown.view.org_id);
            }
        }
        let field = if is_counter { METRIC_COUNTER } else { METRIC_GAUGE };
        push_field(out, field, value_bytes(is_counter, sample));
        push_double_key(out, VALUE);
        match sample.value {
            Value::Known(number) => push_double(out, number.nearest(&mut self.digits)),
            Value::Gap(blank) => self.out.leave(blank),
        }
        if let Some(created) = created(is_counter, sample) {
            created.push(self.out.last());
        }
    }
}

/// Bytes of a `Counter` or a `Gauge`.
fn value_bytes(is_counter: bool, sample: &Sample<'_>) -> usize {
    let created = created(is_counter, sample);
    DOUBLE_BYTES + created.map_or(0, |created| field_bytes(created.bytes()))
}

/// Bytes of a `LabelPair`.
fn label_bytes(name: &str, value: &str) -> usize {
    field_bytes(name.len()) + field_bytes(value.len())
}

fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    push_field(out, METRIC_LABEL, label_bytes(name, value));
    push_text(out, LABEL_NAME, name);
    push_text(out, LABEL_VALUE, value);
}

/// When the series of a counter began, as a `Timestamp`.
struct Created {
    seconds: u64,
    nanos: u64,
}

fn created(is_counter: bool, sample: &Sample<'_>) -> Option<Created> {
    let micros = sample.created.filter(|_| is_counter)?;
    let nanos = micros.rem_euclid(SECOND) * NANOS_A_MICRO;
    // Signed numbers are encoded as those that have the same bits.
    Some(Created {
        seconds: micros.div_euclid(SECOND).cast_unsigned(),
        nanos: nanos.cast_unsigned(),
    })
}

impl Created {
    fn bytes(&self) -> usize {
        number_bytes(self.seconds) + number_bytes(self.nanos)
    }

    fn push(&self, out: &mut Vec<u8>) {
        push_field(out, COUNTER_CREATED, self.bytes());
        push_number(out, TIME_SECONDS, self.seconds);
        push_number(out, TIME_NANOS, self.nanos);
    }
}
