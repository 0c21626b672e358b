//! An answer with a gap for the value that depends on the time.

use bytes::Bytes;

use super::collect::Collect;
use super::decimal::Number;
use super::families::FAMILIES;
use super::format::MetricsFormat;
use super::gapped::Blank;
use super::pieces::{Growing, PIECE_BYTES, Pieces};
use super::protobuf::Protobuf;
use super::samples::ShownUsage;
use super::text::Text;
use super::wire::push_double;
use crate::rollup::UsageView;

/// The longest i128 has 39 digits, a sign and a point.
const MONEY_LEN_MAX: usize = 41;
/// With more gauges than that, what is between them is too small to be sent by itself.
const FEW_BLANKS: usize = 2;

/// The longest text of one series in all families: names with every byte escaped, the longest
/// numbers, and start times.
pub const SERIES_BYTES_MAX: usize = 28 * 1024;

/// The part of an answer that does not depend on the time. It is a function of the archive's
/// version, the organisation, the groups and the format, and can be kept while these are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    first: Vec<Bytes>,
    /// What follows each gauge that changes with the time, and which gauge it is.
    rest: Vec<(Blank, Vec<Bytes>)>,
    format: MetricsFormat,
}

impl Template {
    /// Renders everything but the rolling gauges, whose values are not read.
    pub fn new(view: &UsageView<'_>, collect: Collect, format: MetricsFormat) -> Self {
        let shown = ShownUsage::of(view);
        let families = FAMILIES.iter().filter(|family| family.is_asked_for(collect));
        let (first, rest) = if format == MetricsFormat::Protobuf {
            let mut messages = Protobuf::new(&shown);
            families.for_each(|family| messages.push_family(family));
            messages.into_parts()
        } else {
            let mut text = Text::new(&shown, collect, format);
            families.for_each(|family| text.push_family(family));
            text.push_end();
            text.into_parts()
        };
        Self { first, rest, format }
    }

    /// The bytes of its text, which large answers made from it share.
    pub fn bytes(&self) -> usize {
        let rest = self.rest.iter().flat_map(|(_, text)| text);
        self.first.iter().chain(rest).map(Bytes::len).sum()
    }

    /// The whole answer, with the gauges of `view`, which shows the same organisation at the same
    /// version.
    pub fn body(&self, view: &UsageView<'_>) -> Pieces {
        let mut parts = view.dimensions.iter().flat_map(|dimension| &*dimension.rolling_costs);
        let mut gauge = |blank: Blank| {
            let mut gauge = Vec::with_capacity(MONEY_LEN_MAX);
            let cost = match blank {
                Blank::Whole => Some(&view.rolling_cost),
                Blank::Part => parts.next(),
            };
            let cost = Number::Money(cost.copied().unwrap_or_default());
            if self.format == MetricsFormat::Protobuf {
                let nearest = cost.nearest(&mut gauge);
                gauge.clear();
                push_double(&mut gauge, nearest);
            } else {
                cost.write(&mut gauge);
            }
            gauge
        };
        if self.rest.len() > FEW_BLANKS {
            let mut text = Growing::default();
            let mut push = |bytes: &[u8]| {
                bytes.chunks(PIECE_BYTES).for_each(|bytes| text.last().extend_from_slice(bytes));
            };
            self.first.iter().for_each(|bytes| push(bytes));
            for (blank, after) in &self.rest {
                push(&gauge(*blank));
                after.iter().for_each(|bytes| push(bytes));
            }
            return text.take().into_iter().collect();
        }
        let rest = self.rest.iter().flat_map(|(blank, after)| {
            std::iter::once(Bytes::from(gauge(*blank))).chain(after.iter().cloned())
        });
        let pieces: Pieces = self.first.iter().cloned().chain(rest).collect();
        // One small piece is sent in fewer steps than three.
        if self.bytes() > PIECE_BYTES { pieces } else { Bytes::from(Vec::from(pieces)).into() }
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
