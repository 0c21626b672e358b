//! An answer with a gap for the value that depends on the time.

use bytes::Bytes;

use super::collect::Collect;
use super::decimal::write_money;
use super::families::FAMILIES;
use super::format::MetricsFormat;
use super::pieces::{PIECE_BYTES, Pieces};
use super::text::Text;
use crate::rollup::UsageView;

/// The longest i128 has 39 digits, a sign and a point.
const MONEY_LEN_MAX: usize = 41;

/// The longest text of one series in all families: names with every byte escaped, and the longest
/// numbers.
pub const SERIES_BYTES_MAX: usize = 13 * 1024;

/// The part of an answer that does not depend on the time. It is a function of the archive's
/// version, the organisation, the groups and the format, and can be kept while these are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    before_rolling: Vec<Bytes>,
    /// From the end of the gauge's line on; `None` if the gauge is not requested.
    after_rolling: Option<Vec<Bytes>>,
}

impl Template {
    /// Renders everything but the rolling gauge; `view.rolling_cost` is not read.
    pub fn new(view: &UsageView<'_>, collect: Collect, format: MetricsFormat) -> Self {
        let mut text = Text::new(view, format);
        for family in FAMILIES.iter().filter(|family| collect.includes(family.group)) {
            text.push_family(family);
        }
        text.push_end();
        let (before_rolling, after_rolling) = text.into_parts();
        Self { before_rolling, after_rolling }
    }

    /// The bytes of its text, which large answers made from it share.
    pub fn bytes(&self) -> usize {
        self.before_rolling.iter().chain(self.after_rolling.iter().flatten()).map(Bytes::len).sum()
    }

    /// The whole answer; `rolling_cost` is in units of 10^-12 dollars.
    pub fn body(&self, rolling_cost: i128) -> Pieces {
        let mut gauge = Vec::with_capacity(MONEY_LEN_MAX);
        let after = self.after_rolling.as_ref().map(|after| {
            write_money(&mut gauge, rolling_cost);
            after.iter().cloned()
        });
        let pieces = self.before_rolling.iter().cloned();
        let pieces = pieces.chain([Bytes::from(gauge)]).chain(after.into_iter().flatten());
        let pieces: Pieces = pieces.collect();
        // One small piece is sent in fewer steps than three.
        if self.bytes() > PIECE_BYTES { pieces } else { Bytes::from(Vec::from(pieces)).into() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rollup::{SeriesMap, SeriesTotals};
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
        };
        SeriesMap::from([
            (("openai".into(), "gpt-4o".into()), totals(42, 10_i128.pow(31), 100_000_000_000)),
            (("azure".into(), "a\"b\\c\nd".into()), totals(1, 0, 0)),
            (("openai".into(), "gpt-4".into()), totals(2, 5, 1)),
        ])
    }

    fn render(
        series: &SeriesMap,
        last_event: Option<i64>,
        names: &[&str],
        format: MetricsFormat,
    ) -> String {
        let view = UsageView {
            org_id: "acme",
            series,
            rolling_cost: 12_345_000_000_000,
            archive_version: 17,
            last_event,
        };
        let collect = Collect::parse(names.iter().copied()).unwrap();
        let body = Template::new(&view, collect, format).body(view.rolling_cost);
        String::from_utf8(body.into()).unwrap()
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
        };
        let org_id = "o".repeat(128);
        let text = |series: &SeriesMap| {
            let view = UsageView {
                org_id: &org_id,
                series,
                rolling_cost: 0,
                archive_version: 1,
                last_event: None,
            };
            let collect = Collect::parse(ALL.into_iter()).unwrap();
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
        assert_eq!((count("# HELP "), count("# TYPE ")), (FAMILIES.len(), FAMILIES.len()));
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
        # EOF
        "#);
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
            prop_assert_eq!(unique.len(), keys.len() * 9 + 3);
        }

        #[test]
        fn a_template_depends_on_nothing_but_the_gauge(first: i128, second: i128) {
            let series = sample();
            let view = |rolling_cost| UsageView {
                org_id: "acme", series: &series, rolling_cost, archive_version: 1, last_event: None,
            };
            let collect = Collect::parse(std::iter::empty()).unwrap();
            let template = |cost| Template::new(&view(cost), collect, MetricsFormat::Text004);
            prop_assert_eq!(template(first), template(second));
            let body = Vec::from(template(first).body(second));

            let mut gauge = Vec::new();
            write_money(&mut gauge, second);
            let line = [b"llm_cost_usd_rolling_24h{org_id=\"acme\"} ".as_slice(), &gauge, b"\n"].concat();
            prop_assert!(body.ends_with(&line));
        }
    }
}
