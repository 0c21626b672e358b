//! Prices that genai-prices lists under conditions, as spans of time with variants.

use super::draft::Draft;
use crate::clock::Micros;
use crate::pricing::ordered::Ordered;
use crate::pricing::period::instant_text;
use crate::pricing::text::{HoursText, VariantText};

/// When a price is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// At all times.
    Always,
    /// From an instant on.
    From(Micros),
    /// At times of the day.
    Hours(HoursText),
}

/// Rates of a context under a condition.
#[derive(Clone, Debug)]
pub(super) struct Special {
    /// Keys and values of the context, sorted.
    pub(super) when: Vec<(String, String)>,
    pub(super) condition: Condition,
    pub(super) draft: Draft,
}

/// A time from one instant up to another; none for the start and the end of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PriceSpan {
    pub(super) from: Option<Micros>,
    pub(super) until: Option<Micros>,
}

impl Condition {
    /// Whether it holds from the start of a span on, which has no other start in it.
    fn holds(&self, span: PriceSpan) -> bool {
        match self {
            Self::Always => true,
            Self::From(from) => span.from.is_some_and(|start| *from <= start),
            Self::Hours(_) => false,
        }
    }
}

/// The spans between the starts of conditions.
fn spans<'c>(conditions: impl Iterator<Item = &'c Condition>) -> Vec<PriceSpan> {
    let mut starts: Vec<Option<Micros>> = vec![None];
    starts.extend(conditions.filter_map(|condition| match condition {
        Condition::From(from) => Some(Some(*from)),
        _ => None,
    }));
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).chain([&None]);
    starts.iter().zip(ends).map(|(from, until)| PriceSpan { from: *from, until: *until }).collect()
}

/// The standard rates of a span.
#[derive(Clone, Debug)]
pub(super) struct Standard {
    pub(super) span: PriceSpan,
    pub(super) draft: Draft,
    /// Those of times of the day.
    pub(super) hours: Vec<(HoursText, Draft)>,
}

/// The standard rates of each span. Of prices that are in force together the last one counts; if none is,
/// the first.
pub(super) fn standard(prices: &[(Condition, Draft)]) -> Vec<Standard> {
    let spans = spans(prices.iter().map(|(condition, _)| condition)).into_iter();
    let spans = spans.filter_map(|span| {
        let last = prices.iter().rposition(|(condition, _)| condition.holds(span));
        let (_, draft) = prices.get(last.unwrap_or(0))?;
        let later = prices.iter().skip(last.map_or(0, |last| last + 1)).rev();
        let hours = later.filter_map(|(condition, draft)| match condition {
            Condition::Hours(hours) => Some((hours.clone(), draft.clone())),
            _ => None,
        });
        Some(Standard { span, draft: draft.clone(), hours: hours.collect() })
    });
    spans.collect()
}

/// The variants of contexts in a span: of prices that are in force together, the first one of each rate
/// counts.
pub(super) fn variants(
    specials: &[Special],
    standard: &Draft,
    within: PriceSpan,
) -> Vec<VariantText> {
    let mut whens: Vec<_> = specials.iter().map(|special| &special.when).collect();
    whens.sort();
    whens.dedup();
    let spans = spans(specials.iter().map(|special| &special.condition));
    let mut made: Vec<VariantText> = Vec::new();
    for when in whens {
        let mut before: Option<(PriceSpan, Draft)> = None;
        for span in &spans {
            let draft = of_context(specials, when, *span).map(|mut draft| {
                draft.settle(standard);
                draft
            });
            match (&mut before, draft) {
                (Some((last, same)), Some(draft)) if *same == draft => last.until = span.until,
                (_, draft) => {
                    made.extend(before.take().and_then(|one| text(when, one, within)));
                    before = draft.map(|draft| (*span, draft));
                }
            }
        }
        made.extend(before.and_then(|one| text(when, one, within)));
    }
    made
}

/// The rates of a context; none if nothing in force is for exactly this one.
fn of_context(specials: &[Special], when: &[(String, String)], span: PriceSpan) -> Option<Draft> {
    let active = specials.iter().filter(|special| special.condition.holds(span));
    let part = |special: &&Special| special.when.iter().all(|entry| when.contains(entry));
    let parts: Vec<_> = active.filter(part).collect();
    parts.iter().find(|special| special.when == when)?;
    let mut draft = Draft::default();
    parts.iter().for_each(|special| draft.complete(&special.draft));
    Some(draft)
}

/// A variant, unless it has ended when the rule begins, or begins when that one has ended.
fn text(
    when: &[(String, String)],
    (span, draft): (PriceSpan, Draft),
    within: PriceSpan,
) -> Option<VariantText> {
    let over = |until: Option<Micros>, from: Option<Micros>| {
        until.zip(from).is_some_and(|(until, from)| until <= from)
    };
    if over(span.until, within.from) || over(within.until, span.from) {
        return None;
    }
    let fields = draft.fields();
    Some(VariantText {
        when: Ordered(when.to_vec()),
        from: span
            .from
            .filter(|from| within.from.is_none_or(|start| start < *from))
            .map(instant_text),
        until: span
            .until
            .filter(|until| within.until.is_none_or(|end| *until < end))
            .map(instant_text),
        rates: fields.rates,
        tiers: fields.tiers,
        units: fields.units,
        ..VariantText::default()
    })
}
