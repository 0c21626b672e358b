//! Tests that the rolling 24 hours are exact: `now − 24h < ts ≤ now`, to the microsecond.

use tokenlake::clock::{DAY, HOUR, Micros, SECOND};

use crate::support::event::{Event, NOW, find_value};
use crate::support::lake::Lake;
use crate::support::rewrite::{delete, rewrite};

const MINUTE: Micros = 60 * SECOND;
/// An instant on the hour.
const ON_THE_HOUR: Micros = NOW / HOUR * HOUR;

fn event(id: &str, ts: Micros, cost: &str) -> Event {
    Event::priced(id, ts, cost)
}

/// The gauge over one event at each of these times; the n-th costs 2^n.
async fn rolling_over(now: Micros, times: &[Micros]) -> u64 {
    let lake = Lake::at(now).await;
    let events: Vec<_> = (0_u32..)
        .zip(times)
        .map(|(n, ts)| event(&format!("e{n}"), *ts, &2_u64.pow(n).to_string()))
        .collect();
    lake.add("acme", &events).await;
    assert_eq!(lake.verify().await.differences, [""; 0]);
    lake.rolling("acme").await.parse().unwrap()
}

#[tokio::test]
async fn the_window_opens_just_after_its_first_instant() {
    for now in [NOW, NOW + 1, NOW - 1, ON_THE_HOUR, ON_THE_HOUR + 1, ON_THE_HOUR - 1] {
        let start = now - DAY;
        assert_eq!(rolling_over(now, &[start - 1, start, start + 1]).await, 0b100, "{now}");
    }
}

#[tokio::test]
async fn the_window_closes_with_now() {
    for now in [NOW, NOW + 1, NOW - 1, ON_THE_HOUR, ON_THE_HOUR + 1, ON_THE_HOUR - 1] {
        assert_eq!(rolling_over(now, &[now - 1, now, now + 1]).await, 0b011, "{now}");
    }
}

#[tokio::test]
async fn hours_meet_without_gap_or_overlap() {
    let (first, last) = ((NOW - DAY) / HOUR * HOUR + HOUR, ON_THE_HOUR);
    let times = [first - 1, first, first + 1, last - 1, last, last + 1, NOW - 12 * HOUR];
    assert_eq!(rolling_over(NOW, &times).await, 0b111_1111);
    // The hour that the window's start cuts, and the instants around its two ends.
    let cut = first - HOUR;
    assert_eq!(rolling_over(NOW, &[cut - 1, cut, cut + 1, first - 1]).await, 0b1000);
}

#[tokio::test]
async fn an_event_is_counted_while_now_passes_over_its_day() {
    let lake = Lake::at(NOW).await;
    lake.add("acme", &[event("e", NOW, "5")]).await;
    for (at, expected) in
        [(NOW - 1, "0"), (NOW, "5"), (NOW + DAY - 1, "5"), (NOW + DAY, "0"), (NOW + DAY + 1, "0")]
    {
        lake.clock.set(at);
        assert_eq!(lake.rolling("acme").await, expected, "{}", at - NOW);
    }
    assert_eq!(lake.counter("acme", "llm_cost_usd_total").await.unwrap(), "5");
}

#[tokio::test]
async fn each_of_many_events_ages_out_in_its_own_microsecond() {
    let lake = Lake::at(NOW).await;
    let start = NOW - DAY;
    let events: Vec<_> = (0..8).map(|n| event(&format!("e{n}"), start + n, "0.1")).collect();
    lake.add("acme", &events).await;
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.push(lake.rolling("acme").await);
        lake.pass(1);
    }
    assert_eq!(seen, ["0.7", "0.6", "0.5", "0.4", "0.3", "0.2", "0.1", "0"]);
}

#[tokio::test]
async fn an_event_of_the_near_future_waits_for_the_clock() {
    let lake = Lake::at(NOW).await;
    let ahead = NOW + 5 * MINUTE;
    lake.add("acme", &[event("soon", NOW + 1, "1"), event("later", ahead, "2")]).await;
    assert_eq!(lake.rolling("acme").await, "0");
    assert_eq!(lake.counter("acme", "llm_cost_usd_total").await.unwrap(), "3");
    lake.pass(1);
    assert_eq!(lake.rolling("acme").await, "1");
    lake.clock.set(ahead - 1);
    assert_eq!(lake.rolling("acme").await, "1");
    lake.clock.set(ahead);
    assert_eq!(lake.rolling("acme").await, "3");
}

#[tokio::test]
async fn an_event_too_far_ahead_is_refused() {
    let lake = Lake::at(NOW).await;
    let receipt = lake.send_lines("acme", &event("e", NOW + 5 * MINUTE + 1, "1").to_line()).await;
    assert_eq!((receipt.accepted, receipt.rejected.len()), (0, 1));
    lake.pass(6 * MINUTE);
    assert_eq!(lake.rolling("acme").await, "0");
}

#[tokio::test]
async fn late_events_join_a_boundary_hour_whose_rows_are_loaded() {
    let lake = Lake::at(NOW).await;
    let start = NOW - DAY;
    let straddling = [event("a", start, "1"), event("b", start + 1, "2"), event("c", NOW, "4")];
    lake.add("acme", &straddling).await;
    lake.add("acme", &[event("d", NOW + 1, "8")]).await;
    assert_eq!(lake.rolling("acme").await, "6");
    // Out of order, and on both sides of both cuts.
    lake.add("acme", &[event("e", start + 2, "16"), event("f", start - 1, "32")]).await;
    assert_eq!(lake.rolling("acme").await, "22");
    lake.add("acme", &[event("g", NOW - 1, "64"), event("h", NOW + 2, "128")]).await;
    assert_eq!(lake.rolling("acme").await, "86");
    lake.pass(1);
    assert_eq!(lake.rolling("acme").await, "92");
    lake.add("acme", &[event("i", start + 1, "256"), event("j", start + 2, "512")]).await;
    assert_eq!(lake.rolling("acme").await, "604");
    assert_eq!(lake.verify().await.differences, [""; 0]);
}

#[tokio::test]
async fn a_boundary_hour_over_many_files_is_summed_from_all() {
    let lake = Lake::at(NOW).await;
    let start = NOW - DAY;
    for n in 0..30 {
        let step = (n - 15) * SECOND;
        let pair = [
            event(&format!("old{n}"), start + step, "0.01"),
            event(&format!("new{n}"), NOW + step, "1"),
        ];
        lake.add("acme", &pair).await;
        lake.scrape("acme").await;
    }
    // Steps 1..=14 lie after the start, -15..=0 up to now.
    assert_eq!(lake.rolling("acme").await, "16.14");
    assert_eq!(lake.replica(0).await.rolling("acme").await, "16.14");
    lake.pass(5 * SECOND);
    assert_eq!(lake.rolling("acme").await, "21.09");
}

#[tokio::test]
async fn rows_of_a_boundary_hour_outlive_the_files_they_were_read_from() {
    let lake = Lake::at(NOW).await;
    let start = NOW - DAY;
    lake.add("acme", &[event("a", start, "1"), event("b", start + 9, "2")]).await;
    lake.add("acme", &[event("c", start + 5, "4"), event("d", start + 7, "8")]).await;
    assert_eq!(lake.rolling("acme").await, "14");
    let old: Vec<_> = lake.snapshot().await.files().cloned().collect();
    rewrite(&lake, old[0].date, 1).await;
    assert_eq!(lake.rolling("acme").await, "14");
    delete(&lake, &old).await;
    lake.pass(5);
    // The rows of the second file were never read; now they stand in another file.
    assert_eq!(lake.rolling("acme").await, "10");
    assert_eq!(lake.replica(0).await.rolling("acme").await, "10");
}

#[tokio::test]
async fn a_clock_set_back_moves_the_window_back() {
    let lake = Lake::at(NOW).await;
    let events = [
        event("now", NOW, "1"),
        event("hours", NOW - 3 * HOUR, "2"),
        event("day", NOW - DAY - HOUR, "4"),
        event("days", NOW - 3 * DAY, "8"),
        event("week", NOW - 9 * DAY, "16"),
    ];
    lake.add("acme", &events).await;
    let counters = |body: String| -> Vec<String> {
        body.lines().filter(|line| line.contains("_total{")).map(str::to_owned).collect()
    };
    let before = counters(lake.scrape("acme").await);
    for (back, expected) in [
        (0, "3"),
        (HOUR, "2"),
        (3 * HOUR, "6"),
        (3 * HOUR + 1, "4"),
        (DAY + HOUR, "4"),
        (3 * DAY, "8"),
        (9 * DAY, "16"),
        (30 * DAY, "0"),
        (0, "3"),
        (3 * DAY - 1, "8"),
    ] {
        lake.clock.set(NOW - back);
        assert_eq!(lake.rolling("acme").await, expected, "set back by {back}");
        assert_eq!(counters(lake.scrape("acme").await), before, "set back by {back}");
        assert_eq!(lake.replica(0).await.rolling("acme").await, expected, "set back by {back}");
    }
}

#[tokio::test]
async fn a_clock_set_back_takes_in_what_came_since() {
    let lake = Lake::at(NOW).await;
    let replica = lake.replica(0).await;
    lake.add("acme", &[event("old", NOW - 4 * DAY, "1")]).await;
    assert_eq!(replica.rolling("acme").await, "0");
    lake.add("acme", &[event("older", NOW - 5 * DAY + 1, "2")]).await;
    lake.clock.set(NOW - 4 * DAY);
    assert_eq!(replica.rolling("acme").await, "3");
    assert_eq!(replica.counter("acme", "llm_requests_total").await.unwrap(), "2");
}

#[tokio::test]
async fn a_day_later_the_gauge_is_empty_and_the_counters_stand() {
    let lake = Lake::at(NOW).await;
    let events: Vec<_> =
        (0..48).map(|n| event(&format!("e{n}"), NOW - n * HOUR / 2, "0.25")).collect();
    lake.add("acme", &events).await;
    assert_eq!(lake.rolling("acme").await, "12");
    lake.pass(DAY);
    assert_eq!(lake.rolling("acme").await, "0");
    assert_eq!(lake.replica(0).await.rolling("acme").await, "0");
    for (name, expected) in
        [("llm_requests_total", "48"), ("llm_tokens_total", "528"), ("llm_cost_usd_total", "12")]
    {
        assert_eq!(lake.counter("acme", name).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_organisation_without_events_shows_zero() {
    let lake = Lake::at(NOW).await;
    assert_eq!(lake.rolling("acme").await, "0");
    lake.add("other", &[event("e", NOW, "1")]).await;
    assert_eq!(lake.rolling("acme").await, "0");
    assert!(!lake.scrape("acme").await.contains("_total{"));
}

#[tokio::test]
async fn unpriced_events_cost_nothing_and_count_as_requests() {
    let lake = Lake::at(NOW).await;
    let unpriced = |id: &str, ts| Event { cost: None, ..event(id, ts, "") };
    lake.add("acme", &[unpriced("a", NOW), unpriced("b", NOW - DAY), unpriced("c", NOW + 1)]).await;
    assert_eq!(lake.rolling("acme").await, "0");
    lake.add("acme", &[event("d", NOW, "0.5")]).await;
    assert_eq!(lake.rolling("acme").await, "0.5");
    assert_eq!(lake.counter("acme", "llm_requests_total").await.unwrap(), "4");
    assert_eq!(lake.counter("acme", "llm_cost_usd_total").await.unwrap(), "0.5");
}

#[tokio::test]
async fn unnamed_calls_are_in_the_gauge_and_in_no_counter() {
    let lake = Lake::at(NOW).await;
    let names = [None, Some(""), Some(" \t "), Some("unknown"), Some(" UnKnown ")];
    let mut events = Vec::new();
    for (n, name) in (0..).zip(names) {
        let name = name.map(str::to_owned);
        // In a boundary hour and in a whole one.
        for (m, ts) in (0..).zip([NOW - 1, NOW - 5 * HOUR]) {
            let base = event(&format!("{n}-{m}"), ts, "1");
            let id = format!("model-{n}-{m}");
            events.push(Event { provider: name.clone(), ..base.clone() });
            events.push(Event { model: name.clone(), id, ..base });
        }
    }
    lake.add("acme", &events).await;
    let body = lake.scrape("acme").await;
    assert!(!body.contains("_total{"), "{body}");
    assert_eq!(find_value(&body, r#"llm_cost_usd_rolling_24h{org_id="acme"}"#), Some("20"));
}

#[tokio::test]
async fn events_of_another_type_are_in_neither() {
    let lake = Lake::at(NOW).await;
    let typed = |id: &str, ts, name: &str| Event {
        event_type: Some(name.to_owned()),
        ..event(id, ts, "1")
    };
    let events = [
        typed("a", NOW, "API_CALL"),
        typed("b", NOW - 1, "tool_call"),
        typed("c", NOW - 5 * HOUR, "api_call_failed"),
        typed("d", NOW - DAY + 1, "embedding"),
    ];
    lake.add("acme", &events).await;
    let body = lake.scrape("acme").await;
    assert!(!body.contains("_total{"), "{body}");
    assert_eq!(lake.rolling("acme").await, "0");
    // Beside them in the same file, hour and instant, calls count alone.
    lake.add("acme", &[typed("e", NOW, "other"), typed("f", NOW, "api_call")]).await;
    assert_eq!(lake.rolling("acme").await, "1");
    assert_eq!(lake.counter("acme", "llm_requests_total").await.unwrap(), "1");
}
