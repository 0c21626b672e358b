//! Tests of whole answers.

use std::sync::Arc;

use super::super::collect::FamilyGroup;
use super::*;
use crate::rollup::{DimensionView, PartView, SeriesMap, SeriesTotals};
use crate::sql::FurtherSums;
use proptest::prelude::*;

const ALL: [&str; 4] = ["core", "tokens", "pricing", "freshness"];

fn sample() -> SeriesMap {
    let totals = |requests, input_tokens, cost| SeriesTotals {
        requests,
        input_tokens,
        output_tokens: 7,
        cached_input_tokens: 3,
        cache_write_tokens: 2,
        reasoning_tokens: 1,
        cost,
        unpriced: 4,
        further: None,
    };
    SeriesMap::from([
        (("openai".into(), "gpt-4o".into()), totals(42, 10_i128.pow(31), 100_000_000_000)),
        (("azure".into(), "a\"b\\c\nd".into()), totals(1, 0, 0)),
        (("openai".into(), "gpt-4".into()), totals(2, 5, 1)),
    ])
}

/// What tells of a series that it began then.
fn started(micros: i64) -> Option<Box<FurtherSums>> {
    let further = FurtherSums { first_ingested: Some(micros), ..FurtherSums::default() };
    Some(Box::new(further))
}

fn render(
    series: &SeriesMap,
    last_event: Option<i64>,
    names: &[&str],
    format: MetricsFormat,
) -> String {
    let rolling_cost = 12_345_000_000_000;
    let view = UsageView { rolling_cost, last_event, ..UsageView::of("acme", series, 17) };
    shown(&view, names, format)
}

fn shown(view: &UsageView<'_>, names: &[&str], format: MetricsFormat) -> String {
    let collect = Collect::parse(names.iter().copied()).unwrap();
    String::from_utf8(Template::new(view, collect, format).body(view).into()).unwrap()
}

#[test]
fn core_is_the_contracts_body() {
    insta::assert_snapshot!(render(&sample(), None, &[], MetricsFormat::Text004), @r#"
    # HELP llm_requests_total LLM API calls ever recorded for this organisation, by provider and model; late events are added when they arrive.
    # TYPE llm_requests_total counter
    llm_requests_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 1
    llm_requests_total{provider="openai",model="gpt-4",org_id="acme"} 2
    llm_requests_total{provider="openai",model="gpt-4o",org_id="acme"} 42
    # HELP llm_tokens_total Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens are part of them; late events are added when they arrive.
    # TYPE llm_tokens_total counter
    llm_tokens_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 7
    llm_tokens_total{provider="openai",model="gpt-4",org_id="acme"} 12
    llm_tokens_total{provider="openai",model="gpt-4o",org_id="acme"} 10000000000000000000000000000007
    # HELP llm_cost_usd_total Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; late events are added when they arrive.
    # TYPE llm_cost_usd_total counter
    llm_cost_usd_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 0
    llm_cost_usd_total{provider="openai",model="gpt-4",org_id="acme"} 0.000000000001
    llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme"} 0.1
    # HELP llm_cost_usd_rolling_24h Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all providers and models, also unknown ones; late events count by the time of the call.
    # TYPE llm_cost_usd_rolling_24h gauge
    llm_cost_usd_rolling_24h{org_id="acme"} 12.345
    "#);
}

#[test]
fn openmetrics_has_all_groups() {
    let last_event = Some(1_732_370_000_123_456);
    let series = sample().into_iter().take(1).collect();
    insta::assert_snapshot!(render(&series, last_event, &ALL, MetricsFormat::OpenMetrics100), @r#"
    # HELP llm_requests LLM API calls ever recorded for this organisation, by provider and model; late events are added when they arrive.
    # TYPE llm_requests counter
    llm_requests_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 1
    # HELP llm_tokens Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens are part of them; late events are added when they arrive.
    # TYPE llm_tokens counter
    # UNIT llm_tokens tokens
    llm_tokens_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 7
    # HELP llm_cost_usd Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; late events are added when they arrive.
    # TYPE llm_cost_usd counter
    # UNIT llm_cost_usd usd
    llm_cost_usd_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 0
    # HELP llm_cost_usd_rolling_24h Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all providers and models, also unknown ones; late events count by the time of the call.
    # TYPE llm_cost_usd_rolling_24h gauge
    llm_cost_usd_rolling_24h{org_id="acme"} 12.345
    # HELP llm_input_tokens Input tokens ever recorded, those read from a prompt cache included; late events are added when they arrive.
    # TYPE llm_input_tokens counter
    # UNIT llm_input_tokens tokens
    llm_input_tokens_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 0
    # HELP llm_output_tokens Output tokens ever recorded, those spent on reasoning included; late events are added when they arrive.
    # TYPE llm_output_tokens counter
    # UNIT llm_output_tokens tokens
    llm_output_tokens_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 7
    # HELP llm_cached_input_tokens Input tokens that the provider read from its prompt cache; a part of llm_input_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_cached_input_tokens counter
    # UNIT llm_cached_input_tokens tokens
    llm_cached_input_tokens_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 3
    # HELP llm_cache_write_tokens Input tokens that the provider wrote to its prompt cache; a part of llm_input_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_cache_write_tokens counter
    # UNIT llm_cache_write_tokens tokens
    llm_cache_write_tokens_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 2
    # HELP llm_reasoning_tokens Output tokens spent on reasoning; a part of llm_output_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_reasoning_tokens counter
    # UNIT llm_reasoning_tokens tokens
    llm_reasoning_tokens_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 1
    # HELP llm_requests_unpriced LLM API calls recorded without a price: counted in llm_requests_total, missing from llm_cost_usd_total; late events are added when they arrive.
    # TYPE llm_requests_unpriced counter
    llm_requests_unpriced_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 4
    # HELP llm_requests_priced_later LLM API calls of llm_requests_unpriced_total that a correction has given a price since.
    # TYPE llm_requests_priced_later counter
    llm_requests_priced_later_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 0
    # HELP llm_cost_usd_credits Corrections downward of the cost in US dollars, as amounts above 0: what llm_cost_usd_total is too high by; late events are added when they arrive.
    # TYPE llm_cost_usd_credits counter
    llm_cost_usd_credits_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 0
    # HELP llm_price_table_timestamp_seconds When the prices of each table that prices this organisation's calls were taken, in seconds since 1970; no sample without tables.
    # TYPE llm_price_table_timestamp_seconds gauge
    # UNIT llm_price_table_timestamp_seconds seconds
    # HELP llm_archive_version Version of the archive's table that this scrape shows; all events up to it are included; it stands still while --max-staleness or --max-stale-on-error lets scrapes show what was known before.
    # TYPE llm_archive_version gauge
    llm_archive_version{org_id="acme"} 17
    # HELP llm_last_event_timestamp_seconds Time of this organisation's latest event, by the event's own clock, in seconds since 1970; late events do not set it back; no sample while there is no event.
    # TYPE llm_last_event_timestamp_seconds gauge
    # UNIT llm_last_event_timestamp_seconds seconds
    llm_last_event_timestamp_seconds{org_id="acme"} 1732370000.123456
    # EOF
    "#);
}

#[test]
fn no_series_has_more_text_than_is_reckoned_with() {
    let quotes: Arc<str> = "\"".repeat(crate::event::TEXT_BYTES_MAX).into();
    let most = SeriesTotals {
        requests: u64::MAX,
        input_tokens: i128::MIN / 4,
        output_tokens: i128::MIN / 4,
        cached_input_tokens: i128::MIN,
        cache_write_tokens: i128::MIN,
        reasoning_tokens: i128::MIN,
        cost: i128::MIN,
        unpriced: u64::MAX,
        further: started(1_732_370_000_123_456),
    };
    let org_id = "o".repeat(128);
    let text = |series: &SeriesMap| {
        let view = UsageView { starts: Some(series), ..UsageView::of(&org_id, series, 1) };
        let collect = Collect::parse(ALL.into_iter().chain(["created"])).unwrap();
        Template::new(&view, collect, MetricsFormat::OpenMetrics100).bytes()
    };
    let one = text(&SeriesMap::from([((quotes.clone(), quotes), most)]));
    let one = one - text(&SeriesMap::new());
    assert!(one <= SERIES_BYTES_MAX, "{one}");
    assert!(one > SERIES_BYTES_MAX * 3 / 4, "{one}");
}

#[test]
fn without_events_every_family_is_still_described() {
    let text = render(&SeriesMap::new(), None, &ALL, MetricsFormat::Text004);
    let count = |start| text.lines().filter(|line| line.starts_with(start)).count();
    let described =
        FAMILIES.iter().filter(|family| family.group != FamilyGroup::Dimensions).count();
    assert_eq!((count("# HELP "), count("# TYPE ")), (described, described));
    assert_eq!(
        samples(&text),
        [
            ("llm_cost_usd_rolling_24h", r#"org_id="acme"} 12.345"#),
            ("llm_archive_version", r#"org_id="acme"} 17"#)
        ]
    );
}

#[test]
fn only_the_groups_asked_for_appear() {
    insta::assert_snapshot!(render(&sample(), None, &["pricing"], MetricsFormat::OpenMetrics100), @r#"
    # HELP llm_requests_unpriced LLM API calls recorded without a price: counted in llm_requests_total, missing from llm_cost_usd_total; late events are added when they arrive.
    # TYPE llm_requests_unpriced counter
    llm_requests_unpriced_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 4
    llm_requests_unpriced_total{provider="openai",model="gpt-4",org_id="acme"} 4
    llm_requests_unpriced_total{provider="openai",model="gpt-4o",org_id="acme"} 4
    # HELP llm_requests_priced_later LLM API calls of llm_requests_unpriced_total that a correction has given a price since.
    # TYPE llm_requests_priced_later counter
    llm_requests_priced_later_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 0
    llm_requests_priced_later_total{provider="openai",model="gpt-4",org_id="acme"} 0
    llm_requests_priced_later_total{provider="openai",model="gpt-4o",org_id="acme"} 0
    # HELP llm_cost_usd_credits Corrections downward of the cost in US dollars, as amounts above 0: what llm_cost_usd_total is too high by; late events are added when they arrive.
    # TYPE llm_cost_usd_credits counter
    llm_cost_usd_credits_total{provider="azure",model="a\"b\\c\nd",org_id="acme"} 0
    llm_cost_usd_credits_total{provider="openai",model="gpt-4",org_id="acme"} 0
    llm_cost_usd_credits_total{provider="openai",model="gpt-4o",org_id="acme"} 0
    # HELP llm_price_table_timestamp_seconds When the prices of each table that prices this organisation's calls were taken, in seconds since 1970; no sample without tables.
    # TYPE llm_price_table_timestamp_seconds gauge
    # UNIT llm_price_table_timestamp_seconds seconds
    # EOF
    "#);
}

/// Two series, of which one knows when it began, and a part that knows it.
fn with_starts(see: impl Fn(&UsageView<'_>)) {
    let series = sample().into_iter().skip(1).collect::<SeriesMap>();
    let further = started(1_732_370_000_500_000);
    let start = SeriesTotals { further, ..SeriesTotals::default() };
    let starts = SeriesMap::from([(("openai".into(), "gpt-4".into()), start)]);
    let part = PartView {
        value: "ops".into(),
        is_counted: true,
        requests: 2,
        tokens: 3,
        spent: 4,
        credits: 0,
        created: Some(1_732_370_000_000_000),
    };
    let (name, parts, rolling_costs) = ("team".into(), [part].into(), [0].into());
    see(&UsageView {
        dimensions: &[DimensionView { name, parts, rolling_costs }],
        starts: Some(&starts),
        ..UsageView::of("acme", &series, 1)
    });
}

#[test]
fn when_a_series_began_follows_its_counters_where_it_is_known() {
    with_starts(|view| {
        insta::assert_snapshot!(shown(view, &["created"], MetricsFormat::OpenMetrics100), @r#"
        # HELP llm_requests LLM API calls ever recorded for this organisation, by provider and model; late events are added when they arrive.
        # TYPE llm_requests counter
        llm_requests_total{provider="openai",model="gpt-4",org_id="acme"} 2
        llm_requests_created{provider="openai",model="gpt-4",org_id="acme"} 1732370000.5
        llm_requests_total{provider="openai",model="gpt-4o",org_id="acme"} 42
        # HELP llm_tokens Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens are part of them; late events are added when they arrive.
        # TYPE llm_tokens counter
        # UNIT llm_tokens tokens
        llm_tokens_total{provider="openai",model="gpt-4",org_id="acme"} 12
        llm_tokens_created{provider="openai",model="gpt-4",org_id="acme"} 1732370000.5
        llm_tokens_total{provider="openai",model="gpt-4o",org_id="acme"} 10000000000000000000000000000007
        # HELP llm_cost_usd Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; late events are added when they arrive.
        # TYPE llm_cost_usd counter
        # UNIT llm_cost_usd usd
        llm_cost_usd_total{provider="openai",model="gpt-4",org_id="acme"} 0.000000000001
        llm_cost_usd_created{provider="openai",model="gpt-4",org_id="acme"} 1732370000.5
        llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme"} 0.1
        # HELP llm_cost_usd_rolling_24h Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all providers and models, also unknown ones; late events count by the time of the call.
        # TYPE llm_cost_usd_rolling_24h gauge
        llm_cost_usd_rolling_24h{org_id="acme"} 0
        # EOF
        "#);
    });
}

#[test]
fn when_a_part_began_follows_its_counters() {
    with_starts(|view| {
        let parts = shown(view, &["created", "dimensions"], MetricsFormat::OpenMetrics100);
        let parts: Vec<_> = parts.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            parts,
            [
                r#"llm_dimension_requests_total{dimension="team",value="ops",org_id="acme"} 2"#,
                r#"llm_dimension_requests_created{dimension="team",value="ops",org_id="acme"} 1732370000"#,
                r#"llm_dimension_tokens_total{dimension="team",value="ops",org_id="acme"} 3"#,
                r#"llm_dimension_tokens_created{dimension="team",value="ops",org_id="acme"} 1732370000"#,
                r#"llm_dimension_cost_usd_total{dimension="team",value="ops",org_id="acme"} 0.000000000004"#,
                r#"llm_dimension_cost_usd_created{dimension="team",value="ops",org_id="acme"} 1732370000"#,
                r#"llm_dimension_cost_usd_rolling_24h{dimension="team",value="ops",org_id="acme"} 0"#,
            ]
        );
    });
}

#[test]
fn text_has_no_start_times_and_openmetrics_has_them_on_request() {
    let asked = ["core", "dimensions", "created"];
    with_starts(|view| {
        for format in [MetricsFormat::Text004, MetricsFormat::Text100] {
            assert_eq!(shown(view, &asked, format), shown(view, &asked[..2], format));
        }
        let open = shown(view, &asked[..2], MetricsFormat::OpenMetrics100);
        assert!(!open.contains("_created"));
    });
}

#[test]
fn dimensions_have_a_line_for_each_value_and_gauges_of_their_own() {
    let part = |value: &str, requests| PartView {
        value: value.into(),
        is_counted: requests > 0,
        requests,
        tokens: 30,
        spent: 2_500_000_000_000,
        credits: 500_000_000_000,
        created: Some(1_732_370_000_123_456),
    };
    let team = DimensionView {
        name: "team".into(),
        parts: [part("Co\"re", 2), part("ops", 0)].into(),
        rolling_costs: [1_000_000_000_000, 250_000_000_000].into(),
    };
    let (series, dimensions) = (SeriesMap::new(), [team]);
    let view = UsageView {
        rolling_cost: 5_000_000_000_000,
        dimensions: &dimensions,
        ..UsageView::of("acme", &series, 1)
    };
    let shown = |groups: &[&str]| {
        let text = shown(&view, groups, MetricsFormat::OpenMetrics100);
        assert!(text.ends_with("# EOF\n"));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let dimensions = [
        r#"llm_dimension_requests_total{dimension="team",value="Co\"re",org_id="acme"} 2"#,
        r#"llm_dimension_tokens_total{dimension="team",value="Co\"re",org_id="acme"} 30"#,
        r#"llm_dimension_cost_usd_total{dimension="team",value="Co\"re",org_id="acme"} 2.5"#,
        r#"llm_dimension_cost_usd_rolling_24h{dimension="team",value="Co\"re",org_id="acme"} 1"#,
        r#"llm_dimension_cost_usd_rolling_24h{dimension="team",value="ops",org_id="acme"} 0.25"#,
    ];
    assert_eq!(shown(&["dimensions"]), dimensions);
    let core = r#"llm_cost_usd_rolling_24h{org_id="acme"} 5"#.to_owned();
    assert_eq!(shown(&["dimensions", "core"])[0], core);
    let credits = r#"llm_dimension_cost_usd_credits_total{dimension="team",value="Co\"re",org_id="acme"} 0.5"#;
    assert_eq!(shown(&["dimensions", "pricing"]).last().unwrap(), credits);
    // Credits are shown only where both are asked for.
    assert!(!shown(&["pricing"]).iter().any(|line| line.contains("dimension")));
}

/// (name, labels and value) of each sample.
fn samples(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('{').unwrap()).collect()
}

proptest! {
    #[test]
    fn formats_show_the_same_samples_each_once(
        keys in prop::collection::btree_set(("[a-c\"\\\\\n]{1,3}", "\\PC{1,4}"), 0..12),
        cost in 0..i128::from(u64::MAX),
    ) {
        let totals = SeriesTotals { requests: 1, cost, ..SeriesTotals::default() };
        let series = keys.iter().map(|(provider, model)| {
            ((provider.as_str().into(), model.as_str().into()), totals.clone())
        }).collect::<SeriesMap>();
        let text = render(&series, Some(0), &ALL, MetricsFormat::Text004);
        let open = render(&series, Some(0), &ALL, MetricsFormat::OpenMetrics100);
        prop_assert_eq!(samples(&text), samples(&open));
        prop_assert!(open.ends_with("\n# EOF\n"));
        let unique = samples(&text).into_iter().collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(unique.len(), keys.len() * 11 + 3);
    }

    #[test]
    fn a_template_depends_on_nothing_but_the_gauge(first: i128, second: i128) {
        let series = sample();
        let view = |rolling_cost| UsageView { rolling_cost, ..UsageView::of("acme", &series, 1) };
        let collect = Collect::parse(std::iter::empty()).unwrap();
        let template = |cost| Template::new(&view(cost), collect, MetricsFormat::Text004);
        prop_assert_eq!(template(first), template(second));
        let body = Vec::from(template(first).body(&view(second)));

        let mut gauge = Vec::new();
        Number::Money(second).write(&mut gauge);
        let line = [b"llm_cost_usd_rolling_24h{org_id=\"acme\"} ".as_slice(), &gauge, b"\n"].concat();
        prop_assert!(body.ends_with(&line));
    }
}
