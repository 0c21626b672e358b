//! Tests of the protobuf exposition: another's decoder finds in it what the text shows.

use std::sync::Arc;

use proptest::prelude::*;
use tokenlake::exposition::{Collect, MetricsFormat, Template};
use tokenlake::rollup::{DimensionView, PartView, SeriesMap, SeriesTotals, UsageView};
use tokenlake::sql::FurtherSums;

use crate::support::metric_families::{MetricType, Sample, families, samples, samples_of_text};

const ALL: [&str; 6] = ["core", "tokens", "pricing", "freshness", "dimensions", "created"];
static NO_SERIES: SeriesMap = SeriesMap::new();

fn body(view: &UsageView<'_>, format: MetricsFormat) -> Vec<u8> {
    let collect = Collect::parse(ALL.into_iter()).unwrap();
    Template::new(view, collect, format).body(view).into()
}

fn totals(requests: u64, cost: i128, created: i64) -> SeriesTotals {
    let further = FurtherSums { first_ingested: Some(created), ..FurtherSums::default() };
    SeriesTotals {
        requests,
        input_tokens: cost / 3,
        output_tokens: cost % 1_000,
        cost,
        further: Some(Box::new(further)),
        ..SeriesTotals::default()
    }
}

fn view<'a>(
    series: &'a SeriesMap,
    rolling_cost: i128,
    dimensions: &'a [DimensionView],
) -> UsageView<'a> {
    let last_event = Some(1_732_370_000_123_456);
    let starts = Some(series);
    UsageView { rolling_cost, last_event, dimensions, starts, ..UsageView::of("acme", series, 17) }
}

fn part(value: &str, cost: i128) -> PartView {
    let (requests, tokens) = (u64::try_from(cost % 7).unwrap(), cost / 5);
    let created = Some(1_732_370_000_000_000 + i64::try_from(cost % 100).unwrap());
    let (is_counted, value) = (requests > 0, Arc::from(value));
    PartView { value, is_counted, requests, tokens, spent: cost, credits: cost / 11, created }
}

#[test]
fn families_are_described_as_in_text() {
    let view = view(&NO_SERIES, 0, &[]);
    let (messages, text) = (families(&body(&view, MetricsFormat::Protobuf)), {
        String::from_utf8(body(&view, MetricsFormat::Text004)).unwrap()
    });
    let open = String::from_utf8(body(&view, MetricsFormat::OpenMetrics100)).unwrap();
    let mut described = text.lines().filter(|line| line.starts_with("# "));
    for family in &messages {
        let (name, help) = (family.name.as_ref().unwrap(), family.help.as_ref().unwrap());
        let (kind, suffix) = match family.kind() {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Gauge => ("gauge", ""),
        };
        assert_eq!(described.next().unwrap(), format!("# HELP {name} {help}"));
        assert_eq!(described.next().unwrap(), format!("# TYPE {name} {kind}"));
        // A unit is what the name ends with, but for the suffix.
        let base = name.strip_suffix(suffix).unwrap();
        let unit = open.lines().find_map(|line| line.strip_prefix(&format!("# UNIT {base} ")));
        assert_eq!(family.unit.as_deref(), unit, "{name}");
        assert!(unit.is_none_or(|unit| base.ends_with(&format!("_{unit}"))), "{name}");
    }
    assert_eq!(described.next(), None);
    assert_eq!(messages.len(), 20);
}

#[test]
fn a_start_that_is_not_known_is_left_out() {
    let name = ("openai".into(), "gpt-4o".into());
    let series = SeriesMap::from([(name, totals(3, 100_000_000_000, 1_732_370_000_000_001))]);
    let shown = |view: &UsageView<'_>| samples(&body(view, MetricsFormat::Protobuf));
    let known = view(&series, 5, &[]);
    let unknown = shown(&UsageView { starts: None, ..known });
    let is_counter = |sample: &&Sample| sample.name.ends_with("_total");
    for sample in shown(&known).iter().filter(is_counter) {
        assert_eq!(sample.created, Some(1_732_370_000_000_001), "{sample:?}");
    }
    assert!(unknown.iter().all(|sample| sample.created.is_none()));
    assert_eq!(unknown.iter().filter(is_counter).count(), 11);
    let cost = unknown.iter().find(|sample| sample.name == "llm_cost_usd_total").unwrap();
    assert_eq!(cost.value, 0.1);
}

#[test]
fn large_answers_are_whole() {
    let name = |at| ("provider".into(), format!("model-{at}").into());
    let series = (0..1_500_u32).map(|at| (name(at), totals(at.into(), i128::from(at) << 40, 1)));
    let series = series.collect::<SeriesMap>();
    let view = view(&series, 7, &[]);
    let text = String::from_utf8(body(&view, MetricsFormat::Text004)).unwrap();
    let protobuf = body(&view, MetricsFormat::Protobuf);
    assert!(protobuf.len() > 1 << 20);
    let without = |sample: Sample| Sample { created: None, ..sample };
    let shown: Vec<_> = samples(&protobuf).into_iter().map(without).collect();
    assert!(shown == samples_of_text(&text));
}

proptest! {
    #[test]
    fn protobuf_has_the_samples_of_the_text_with_their_starts(
        names in prop::collection::btree_set(("[a-c\"\\\\\n]{1,3}", "[^\\x00]{1,40}"), 0..40),
        values in prop::collection::btree_set("[^\\x00]{1,200}", 0..5),
        cost in 0..i128::MAX, rolling_cost: i128, created in 0_i64..4_000_000_000_000_000,
        shift in 0_u32..127,
    ) {
        let cost = cost >> shift;
        let series = names.iter().zip(1_u32..).map(|((provider, model), at)| {
            let created = created + i64::from(at);
            ((provider.as_str().into(), model.as_str().into()), totals(at.into(), cost >> (at % 64), created))
        }).collect::<SeriesMap>();
        let parts: Arc<[_]> = values.iter().map(|value| part(value, cost >> 9)).collect();
        let rolling_costs = vec![rolling_cost >> 1; parts.len()].into();
        let dimensions = [DimensionView { name: "team".into(), parts, rolling_costs }];
        let view = view(&series, rolling_cost, &dimensions);
        let text = String::from_utf8(body(&view, MetricsFormat::OpenMetrics100)).unwrap();
        let expected = samples_of_text(&text);
        let shown = samples(&body(&view, MetricsFormat::Protobuf));
        prop_assert_eq!(shown.len(), expected.len());
        for (shown, expected) in shown.iter().zip(&expected) {
            prop_assert_eq!(shown, expected);
        }
        prop_assert_eq!(expected.iter().filter(|sample| sample.created.is_some()).count(),
            names.len() * 11 + 4 * values.len() * usize::from(part("", cost >> 9).is_counted));
    }
}
