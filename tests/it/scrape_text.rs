//! Tests of the whole text of a scrape, from events sent as JSON.

use tokenlake::clock::{DAY, HOUR};
use tokenlake::exposition::MetricsFormat;

use crate::support::event::{Event, NOW, find_value};
use crate::support::lake::Lake;

const ALL: [&str; 4] = ["core", "tokens", "pricing", "freshness"];

/// Two organisations; names in several cases; sums that floats get wrong.
async fn sample() -> Lake {
    let lake = Lake::at(NOW).await;
    let lines = |lines: &[&str]| lines.join("\n").replace("NOW", &NOW.to_string());
    let first = lines(&[
        r#"{"event_id":"1","ts":NOW,"provider":"OpenAI","model":"gpt-4o","input_tokens":100,"output_tokens":20,"cached_input_tokens":60,"cache_write_tokens":5,"cost_usd":0.1}"#,
        r#"{"event_id":"2","ts":NOW,"provider":"openai ","model":" GPT-4o","input_tokens":10,"output_tokens":7,"reasoning_tokens":3,"cost_usd":0.2}"#,
        r#"{"event_id":"3","ts":"2026-02-01T03:20:00Z","provider":"azure","model":"o\"1\\","input_tokens":1,"cost_usd":"0.000000000001"}"#,
        r#"{"event_id":"4","ts":"2026-02-01T03:20:00.000001Z","provider":"unknown","model":"gpt-4o","cost_usd":7}"#,
        r#"{"event_id":"5","ts":"2026-01-15T00:00:00Z","provider":"mistral","model":"large","output_tokens":9}"#,
    ]);
    let receipt = lake.send_lines("Acme.EU", &first).await;
    assert_eq!((receipt.accepted, receipt.rejected.len()), (5, 0));
    lake.add("other", &[Event::priced("1", NOW, "99")]).await;
    lake
}

#[tokio::test]
async fn the_core_is_four_families() {
    let lake = sample().await;
    insta::assert_snapshot!(lake.scrape("Acme.EU").await, @r##"
    # HELP llm_requests_total LLM API calls ever recorded for this organisation, by provider and model; late events are added when they arrive.
    # TYPE llm_requests_total counter
    llm_requests_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_requests_total{provider="mistral",model="large",org_id="acme.eu"} 1
    llm_requests_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 2
    # HELP llm_tokens_total Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens are part of them; late events are added when they arrive.
    # TYPE llm_tokens_total counter
    llm_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 9
    llm_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 137
    # HELP llm_cost_usd_total Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; late events are added when they arrive.
    # TYPE llm_cost_usd_total counter
    llm_cost_usd_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0.000000000001
    llm_cost_usd_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0.3
    # HELP llm_cost_usd_rolling_24h Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all providers and models, also unknown ones; late events count by the time of the call.
    # TYPE llm_cost_usd_rolling_24h gauge
    llm_cost_usd_rolling_24h{org_id="acme.eu"} 7.3
    "##);
}

#[tokio::test]
async fn all_groups_are_shown_in_the_text_format() {
    let lake = sample().await;
    insta::assert_snapshot!(lake.scrape_as("Acme.EU", &ALL, MetricsFormat::Text004).await, @r##"
    # HELP llm_requests_total LLM API calls ever recorded for this organisation, by provider and model; late events are added when they arrive.
    # TYPE llm_requests_total counter
    llm_requests_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_requests_total{provider="mistral",model="large",org_id="acme.eu"} 1
    llm_requests_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 2
    # HELP llm_tokens_total Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens are part of them; late events are added when they arrive.
    # TYPE llm_tokens_total counter
    llm_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 9
    llm_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 137
    # HELP llm_cost_usd_total Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; late events are added when they arrive.
    # TYPE llm_cost_usd_total counter
    llm_cost_usd_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0.000000000001
    llm_cost_usd_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0.3
    # HELP llm_cost_usd_rolling_24h Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all providers and models, also unknown ones; late events count by the time of the call.
    # TYPE llm_cost_usd_rolling_24h gauge
    llm_cost_usd_rolling_24h{org_id="acme.eu"} 7.3
    # HELP llm_input_tokens_total Input tokens ever recorded, those read from a prompt cache included; late events are added when they arrive.
    # TYPE llm_input_tokens_total counter
    llm_input_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_input_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_input_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 110
    # HELP llm_output_tokens_total Output tokens ever recorded, those spent on reasoning included; late events are added when they arrive.
    # TYPE llm_output_tokens_total counter
    llm_output_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_output_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 9
    llm_output_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 27
    # HELP llm_cached_input_tokens_total Input tokens that the provider read from its prompt cache; a part of llm_input_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_cached_input_tokens_total counter
    llm_cached_input_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_cached_input_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cached_input_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 60
    # HELP llm_cache_write_tokens_total Input tokens that the provider wrote to its prompt cache; a part of llm_input_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_cache_write_tokens_total counter
    llm_cache_write_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_cache_write_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cache_write_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 5
    # HELP llm_reasoning_tokens_total Output tokens spent on reasoning; a part of llm_output_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_reasoning_tokens_total counter
    llm_reasoning_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_reasoning_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_reasoning_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 3
    # HELP llm_requests_unpriced_total LLM API calls recorded without a price: counted in llm_requests_total, missing from llm_cost_usd_total; late events are added when they arrive.
    # TYPE llm_requests_unpriced_total counter
    llm_requests_unpriced_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_requests_unpriced_total{provider="mistral",model="large",org_id="acme.eu"} 1
    llm_requests_unpriced_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0
    # HELP llm_requests_priced_later_total LLM API calls of llm_requests_unpriced_total that a correction has given a price since.
    # TYPE llm_requests_priced_later_total counter
    llm_requests_priced_later_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_requests_priced_later_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_requests_priced_later_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0
    # HELP llm_cost_usd_credits_total Corrections downward of the cost in US dollars, as amounts above 0: what llm_cost_usd_total is too high by; late events are added when they arrive.
    # TYPE llm_cost_usd_credits_total counter
    llm_cost_usd_credits_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_cost_usd_credits_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cost_usd_credits_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0
    # HELP llm_price_table_timestamp_seconds When the prices of each table that prices this organisation's calls were taken, in seconds since 1970; no sample without tables.
    # TYPE llm_price_table_timestamp_seconds gauge
    # HELP llm_archive_version Version of the archive's table that this scrape shows; all events up to it are included; it stands still while --max-staleness or --max-stale-on-error lets scrapes show what was known before.
    # TYPE llm_archive_version gauge
    llm_archive_version{org_id="acme.eu"} 2
    # HELP llm_last_event_timestamp_seconds Time of this organisation's latest event, by the event's own clock, in seconds since 1970; late events do not set it back; no sample while there is no event.
    # TYPE llm_last_event_timestamp_seconds gauge
    llm_last_event_timestamp_seconds{org_id="acme.eu"} 1770002400
    "##);
}

#[tokio::test]
async fn all_groups_are_shown_in_openmetrics() {
    let lake = sample().await;
    insta::assert_snapshot!(lake.scrape_as("Acme.EU", &ALL, MetricsFormat::OpenMetrics100).await, @r##"
    # HELP llm_requests LLM API calls ever recorded for this organisation, by provider and model; late events are added when they arrive.
    # TYPE llm_requests counter
    llm_requests_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_requests_total{provider="mistral",model="large",org_id="acme.eu"} 1
    llm_requests_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 2
    # HELP llm_tokens Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens are part of them; late events are added when they arrive.
    # TYPE llm_tokens counter
    # UNIT llm_tokens tokens
    llm_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 9
    llm_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 137
    # HELP llm_cost_usd Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; late events are added when they arrive.
    # TYPE llm_cost_usd counter
    # UNIT llm_cost_usd usd
    llm_cost_usd_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0.000000000001
    llm_cost_usd_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0.3
    # HELP llm_cost_usd_rolling_24h Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all providers and models, also unknown ones; late events count by the time of the call.
    # TYPE llm_cost_usd_rolling_24h gauge
    llm_cost_usd_rolling_24h{org_id="acme.eu"} 7.3
    # HELP llm_input_tokens Input tokens ever recorded, those read from a prompt cache included; late events are added when they arrive.
    # TYPE llm_input_tokens counter
    # UNIT llm_input_tokens tokens
    llm_input_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 1
    llm_input_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_input_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 110
    # HELP llm_output_tokens Output tokens ever recorded, those spent on reasoning included; late events are added when they arrive.
    # TYPE llm_output_tokens counter
    # UNIT llm_output_tokens tokens
    llm_output_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_output_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 9
    llm_output_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 27
    # HELP llm_cached_input_tokens Input tokens that the provider read from its prompt cache; a part of llm_input_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_cached_input_tokens counter
    # UNIT llm_cached_input_tokens tokens
    llm_cached_input_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_cached_input_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cached_input_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 60
    # HELP llm_cache_write_tokens Input tokens that the provider wrote to its prompt cache; a part of llm_input_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_cache_write_tokens counter
    # UNIT llm_cache_write_tokens tokens
    llm_cache_write_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_cache_write_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cache_write_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 5
    # HELP llm_reasoning_tokens Output tokens spent on reasoning; a part of llm_output_tokens_total, not an addition to it; late events are added when they arrive.
    # TYPE llm_reasoning_tokens counter
    # UNIT llm_reasoning_tokens tokens
    llm_reasoning_tokens_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_reasoning_tokens_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_reasoning_tokens_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 3
    # HELP llm_requests_unpriced LLM API calls recorded without a price: counted in llm_requests_total, missing from llm_cost_usd_total; late events are added when they arrive.
    # TYPE llm_requests_unpriced counter
    llm_requests_unpriced_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_requests_unpriced_total{provider="mistral",model="large",org_id="acme.eu"} 1
    llm_requests_unpriced_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0
    # HELP llm_requests_priced_later LLM API calls of llm_requests_unpriced_total that a correction has given a price since.
    # TYPE llm_requests_priced_later counter
    llm_requests_priced_later_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_requests_priced_later_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_requests_priced_later_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0
    # HELP llm_cost_usd_credits Corrections downward of the cost in US dollars, as amounts above 0: what llm_cost_usd_total is too high by; late events are added when they arrive.
    # TYPE llm_cost_usd_credits counter
    llm_cost_usd_credits_total{provider="azure",model="o\"1\\",org_id="acme.eu"} 0
    llm_cost_usd_credits_total{provider="mistral",model="large",org_id="acme.eu"} 0
    llm_cost_usd_credits_total{provider="openai",model="gpt-4o",org_id="acme.eu"} 0
    # HELP llm_price_table_timestamp_seconds When the prices of each table that prices this organisation's calls were taken, in seconds since 1970; no sample without tables.
    # TYPE llm_price_table_timestamp_seconds gauge
    # UNIT llm_price_table_timestamp_seconds seconds
    # HELP llm_archive_version Version of the archive's table that this scrape shows; all events up to it are included; it stands still while --max-staleness or --max-stale-on-error lets scrapes show what was known before.
    # TYPE llm_archive_version gauge
    llm_archive_version{org_id="acme.eu"} 2
    # HELP llm_last_event_timestamp_seconds Time of this organisation's latest event, by the event's own clock, in seconds since 1970; late events do not set it back; no sample while there is no event.
    # TYPE llm_last_event_timestamp_seconds gauge
    # UNIT llm_last_event_timestamp_seconds seconds
    llm_last_event_timestamp_seconds{org_id="acme.eu"} 1770002400
    # EOF
    "##);
}

#[tokio::test]
async fn an_organisation_without_events_has_the_gauge_alone() {
    let lake = sample().await;
    insta::assert_snapshot!(lake.scrape("nobody").await, @r##"
    # HELP llm_requests_total LLM API calls ever recorded for this organisation, by provider and model; late events are added when they arrive.
    # TYPE llm_requests_total counter
    # HELP llm_tokens_total Input plus output tokens of all LLM API calls ever recorded; cached and reasoning tokens are part of them; late events are added when they arrive.
    # TYPE llm_tokens_total counter
    # HELP llm_cost_usd_total Cost in US dollars of all LLM API calls ever recorded; calls without a price add nothing; late events are added when they arrive.
    # TYPE llm_cost_usd_total counter
    # HELP llm_cost_usd_rolling_24h Cost in US dollars of the LLM API calls of the 24 hours before this scrape, over all providers and models, also unknown ones; late events count by the time of the call.
    # TYPE llm_cost_usd_rolling_24h gauge
    llm_cost_usd_rolling_24h{org_id="nobody"} 0
    "##);
}

/// The lines of a counter.
fn series<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    body.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')).collect()
}

#[tokio::test]
async fn names_that_differ_in_case_or_blanks_are_one_series() {
    let lake = Lake::at(NOW).await;
    for (n, name) in (0..).zip(["OpenAI", "openai ", "\topenai", "OPENAI\u{a0}"]) {
        let event = Event {
            provider: Some(name.into()),
            model: Some(name.into()),
            ..Event::priced(&format!("e{n}"), NOW - n * HOUR, "0.1")
        };
        lake.add("acme", &[event]).await;
    }
    let body = lake.scrape("acme").await;
    let labels = r#"provider="openai",model="openai",org_id="acme"}"#;
    assert_eq!(series(&body, "llm_requests_total"), [format!("{labels} 4")]);
    assert_eq!(series(&body, "llm_cost_usd_total"), [format!("{labels} 0.4")]);
}

#[tokio::test]
async fn lower_case_is_that_of_unicode() {
    let lake = Lake::at(NOW).await;
    for (n, name) in (0..).zip(["ÄRGER", "ärger", "Ärger"]) {
        let event = Event { model: Some(name.into()), ..Event::priced(&format!("e{n}"), NOW, "1") };
        lake.add("acme", &[event]).await;
    }
    let labels = r#"provider="openai",model="ärger",org_id="acme"}"#;
    let body = lake.scrape("acme").await;
    assert_eq!(series(&body, "llm_requests_total"), [format!("{labels} 3")]);
}

#[tokio::test]
async fn the_label_of_an_organisation_is_lower_case_and_its_name_is_exact() {
    let lake = Lake::at(NOW).await;
    lake.add("ACME", &[Event::priced("e", NOW, "1")]).await;
    let labels = r#"provider="openai",model="gpt-4o",org_id="acme"}"#;
    assert_eq!(series(&lake.scrape("ACME").await, "llm_requests_total"), [format!("{labels} 1")]);
    // Whoever holds a key for the other spelling sees none of it.
    let body = lake.scrape("acme").await;
    assert_eq!(series(&body, "llm_requests_total"), [""; 0]);
    assert_eq!(find_value(&body, r#"llm_cost_usd_rolling_24h{org_id="acme"}"#), Some("0"));
}

#[tokio::test]
async fn a_series_exists_from_its_first_event_and_costs_nothing_while_unpriced() {
    let lake = Lake::at(NOW).await;
    let unpriced = |id: &str| Event { cost: None, ..Event::priced(id, NOW, "") };
    assert_eq!(lake.counter("acme", "llm_cost_usd_total").await, None);
    lake.add("acme", &[unpriced("a")]).await;
    assert_eq!(lake.counter("acme", "llm_requests_total").await.unwrap(), "1");
    assert_eq!(lake.counter("acme", "llm_cost_usd_total").await.unwrap(), "0");
    lake.add("acme", &[unpriced("b"), Event::priced("free", NOW, "0")]).await;
    assert_eq!(lake.counter("acme", "llm_cost_usd_total").await.unwrap(), "0");
    lake.add("acme", &[Event::priced("priced", NOW - 3 * DAY, "0.000000000001")]).await;
    assert_eq!(lake.counter("acme", "llm_cost_usd_total").await.unwrap(), "0.000000000001");
    assert_eq!(lake.counter("acme", "llm_requests_total").await.unwrap(), "4");
}

#[tokio::test]
async fn money_is_exact_and_printed_in_full() {
    let cases: [(&[&str], &str); 7] = [
        (&["0.1", "0.2"], "0.3"),
        (&["0.1"; 10], "1"),
        (&["999999.999999999999", "0.000000000001"], "1000000"),
        (&["999999.999999999999"; 30], "29999999.99999999997"),
        (&["9007199254740.993e-7", "1e-12"], "900719.925474099301"),
        (&["1e-12"], "0.000000000001"),
        (&["0.0000000000005", "0.0000000000015"], "0.000000000002"),
    ];
    for (costs, expected) in cases {
        let lake = Lake::at(NOW).await;
        // As JSON numbers, each in a file of its own.
        for (n, cost) in costs.iter().enumerate() {
            let line = Event::priced(&format!("e{n}"), NOW, cost).to_line();
            let number = line.replace(&format!("\"{cost}\""), cost);
            assert_ne!(line, number);
            assert_eq!(lake.send_lines("acme", &number).await.accepted, 1);
        }
        assert_eq!(lake.counter("acme", "llm_cost_usd_total").await.unwrap(), expected);
        assert_eq!(lake.rolling("acme").await, expected);
    }
}
