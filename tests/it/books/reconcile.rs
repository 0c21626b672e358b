//! Comparisons of a month: each way in which events and reports can differ, told by day and model.

use serde_json::{Value, json};

use super::{DAY, HOUR, Priced, anthropic, call, cost, import, openai, send, used};
use crate::support::process::Done;

const MONTH: [&str; 3] = ["reconcile", "--month", "2026-11"];

fn compared(acme: &Priced, more: &[&str]) -> (Done, Vec<Value>) {
    let done = acme.run(&[&MONTH[..], &["--format", "json"], more].concat());
    let rows: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    let rows = rows.as_array().unwrap().clone();
    (done, rows)
}

fn row<'r>(rows: &'r [Value], provider: &str, model: &Value) -> &'r Value {
    let is_of = |row: &&Value| row["provider"] == provider && row["model"] == *model;
    rows.iter().find(is_of).unwrap_or_else(|| panic!("no {provider} {model}: {rows:?}"))
}

#[test]
fn each_difference_is_told_with_its_reason() {
    let acme = Priced::start(&["--prices", "none"]);
    send(
        &acme,
        &[
            call("same", "gpt-4o", 60, 1_000, 50, Some("0.003")),
            call("same 2", "openai/gpt-4o", 61, 1_000, 50, Some("0.003")),
            call("dear", "gpt-4.1", 60, 10, 10, Some("0.5")),
            call("unpriced", "o3", 60, 10, 10, None),
            call("ours", "ours", 60, 5, 5, Some("1")),
            call("dated", "gpt-4o-mini", 60, 7, 7, Some("0.1")),
            call("early", "hourly", 60, 3, 3, Some("0")),
            json!({
                "event_id": "mistral", "ts": DAY, "provider": "mistral", "model": "large",
                "input_tokens": 1, "output_tokens": 1, "cost_usd": "1",
            }),
        ],
    );
    let usage = openai(&[
        (
            DAY,
            DAY + HOUR,
            json!([
                used(&json!("gpt-4o"), 2, 2_000, 100),
                used(&json!("gpt-4.1"), 1, 10, 10),
                used(&json!("o3"), 1, 10, 10),
                used(&json!("gpt-4o-mini-2024-07-18"), 1, 7, 7),
                used(&json!("theirs"), 4, 4, 4),
                used(&json!("hourly"), 1, 3, 3),
            ]),
        ),
        (DAY + 2 * HOUR, DAY + 3 * HOUR, json!([used(&json!("hourly"), 1, 3, 3)])),
    ]);
    let line = |line: &str, value| cost(&json!(line), value);
    let costs = openai(&[(
        DAY,
        DAY + 86_400,
        json!([
            line("gpt-4o, input", "0.005"),
            line("gpt-4o, output", "0.001"),
            line("gpt-4.1, input", "0.4"),
            line("o3, input", "0.2"),
            line("gpt-4o-mini-2024-07-18, input", "0.1"),
            line("web search tool calls", "2"),
        ]),
    )]);
    for _ in 0..2 {
        import(&acme, "openai-usage", &usage);
        import(&acme, "openai-costs", &costs);
    }
    let (done, rows) = compared(&acme, &[]);
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.stderr.contains("differ by more than is tolerated"), "{done:?}");
    let of = |model: &str| row(&rows, "openai", &json!(model));

    let same = of("gpt-4o");
    let expected = json!({
        "day": "2026-11-03", "provider": "openai", "model": "gpt-4o",
        "events_requests": 2, "report_requests": 2, "difference_requests": 0,
        "events_input_tokens": 2000, "report_input_tokens": 2000, "difference_input_tokens": 0,
        "events_output_tokens": 100, "report_output_tokens": 100, "difference_output_tokens": 0,
        "events_cost_usd": "0.006", "report_cost_usd": "0.006", "difference_cost_usd": "0",
        "reasons": [],
    });
    assert_eq!(*same, expected);
    assert_eq!(
        (&of("gpt-4.1")["difference_cost_usd"], &of("gpt-4.1")["reasons"]),
        (&json!("0.1"), &json!([]))
    );
    assert_eq!(of("o3")["difference_cost_usd"], "-0.2");
    assert_eq!(of("o3")["reasons"], json!(["unpriced"]));
    assert_eq!(of("ours")["reasons"], json!(["only in events"]));
    assert_eq!(
        (&of("ours")["report_requests"], &of("ours")["difference_requests"]),
        (&json!(null), &json!(1))
    );
    assert_eq!(of("theirs")["reasons"], json!(["only in the report"]));
    assert_eq!(of("theirs")["difference_requests"], -4);
    let dated = of("gpt-4o-mini-2024-07-18");
    assert_eq!(
        (&dated["difference_requests"], &dated["difference_cost_usd"]),
        (&json!(0), &json!("0"))
    );
    assert_eq!(dated["reasons"], json!(["gpt-4o-mini in events"]));
    let hourly = of("hourly")["reasons"].as_array().unwrap();
    assert!(hourly.contains(&json!("missing hours")), "{hourly:?}");
    assert!(hourly.contains(&json!("events lack 02:00-03:00")), "{hourly:?}");
    // What the invoice has of no model is compared for the day.
    let day = row(&rows, "openai", &json!(null));
    assert_eq!(
        (&day["events_cost_usd"], &day["report_cost_usd"]),
        (&json!("1.606"), &json!("2.706"))
    );
    assert_eq!(day["difference_requests"], json!(null));
    // A provider without a report is left out.
    assert!(rows.iter().all(|row| row["provider"] == "openai"), "{rows:?}");

    let table = acme.run(&MONTH);
    assert_eq!(table.status, 1);
    assert!(
        table.stdout.contains("only in the report") && table.stdout.contains("0.006"),
        "{table:?}"
    );
}

/// Who sends no provider finds no call in a row, and is told so.
#[test]
fn calls_of_no_provider_are_counted_and_buckets_over_midnight_are_told() {
    let acme = Priced::start(&["--prices", "none"]);
    let mut calls = vec![
        call("told", "gpt-4o", 60, 10, 1, Some("1")),
        call("by its model", "openai/gpt-4o", 60, 10, 1, Some("1")),
        call("one", "gpt-4o", 60, 10, 1, Some("1")),
    ];
    for call in calls.iter_mut().skip(1) {
        call["provider"] = json!(null);
    }
    send(&acme, &calls);
    assert!(!compared(&acme, &[]).0.stderr.contains("left out"));
    let start = DAY + 12 * HOUR;
    let page = openai(&[(start, start + 86_400, json!([used(&json!("gpt-4o"), 3, 30, 3)]))]);
    import(&acme, "openai-usage", &page);
    let (done, rows) = compared(&acme, &[]);
    let notes: Vec<_> = done.stderr.lines().collect();
    let wanted = [
        "left out, since no provider is told: 1 call",
        "1 of 1 row differs by more than is tolerated",
    ];
    assert_eq!((done.status, &notes[..]), (1, &wanted[..]), "{done:?}");
    assert_eq!(rows[0]["difference_requests"], -1, "{rows:?}");
    let over_midnight = "reported in buckets over midnight";
    let reasons = json!(["missing hours", "the report lacks 00:00-12:00", over_midnight]);
    assert_eq!(rows[0]["reasons"], reasons);
}

#[test]
fn a_tolerance_decides_and_months_are_checked() {
    let acme = Priced::start(&["--prices", "none"]);
    send(&acme, &[call("a", "gpt-4o", 60, 1_000, 100, Some("1"))]);
    let (done, rows) = compared(&acme, &[]);
    assert_eq!((done.status, rows.len()), (0, 0), "{done:?}");
    assert!(done.stderr.contains("there is no report of 2026-11"), "{done:?}");
    let page =
        |input| openai(&[(DAY, DAY + 86_400, json!([used(&json!("gpt-4o"), 1, input, 100)]))]);
    import(&acme, "openai-usage", &page(1_010));
    for (tolerance, status) in [("0%", 1), ("0.9%", 1), ("1%", 0), ("1", 0)] {
        let (done, rows) = compared(&acme, &["--org", "acme", "--tolerance", tolerance]);
        assert_eq!((done.status, rows.len()), (status, 1), "{tolerance}: {done:?}");
        assert_eq!(rows[0]["difference_input_tokens"], -10);
        assert_eq!(
            (&rows[0]["report_cost_usd"], &rows[0]["difference_cost_usd"]),
            (&json!(null), &json!(null))
        );
    }
    let (done, rows) = compared(&acme, &["--org", "globex"]);
    assert_eq!((done.status, rows.len()), (0, 0), "{done:?}");
    import(&acme, "openai-usage", &page(1_000));
    assert_eq!(compared(&acme, &[]).0.status, 0);
    for wrong in ["2026-13", "2026", "11", "2026-11-01", "november"] {
        let done = acme.run(&["reconcile", "--month", wrong]);
        assert_eq!(done.status, 2, "{wrong}: {done:?}");
        let output = acme.archive.path().join("x.csv");
        let output = output.to_str().unwrap();
        let done =
            acme.run(&["export", "focus", "--month", wrong, "--format", "csv", "--output", output]);
        assert_eq!(done.status, 2, "{wrong}: {done:?}");
    }
    assert_eq!(acme.run(&[&MONTH[..], &["--tolerance", "-1%"]].concat()).status, 2);
}

#[test]
fn reports_of_anthropic_meet_events_by_their_cleaned_names() {
    let acme = Priced::start(&["--prices", "none"]);
    send(
        &acme,
        &[json!({
            "event_id": "a", "ts": DAY, "provider": "anthropic", "model": "anthropic/claude-opus-4-1-20250805",
            "input_tokens": 3_200, "cached_input_tokens": 200, "cache_write_tokens": 1_500,
            "output_tokens": 500, "cost_usd": "1.2378912",
        })],
    );
    let usage = anthropic(&json!([{
        "uncached_input_tokens": 1500, "cache_read_input_tokens": 200, "output_tokens": 500,
        "cache_creation": { "ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500 },
        "model": "claude-opus-4-1-20250805",
    }]));
    let costs = anthropic(
        &json!([{ "amount": "123.78912", "currency": "USD", "description": null, "model": null }]),
    );
    import(&acme, "anthropic-usage", &usage);
    import(&acme, "anthropic-costs", &costs);
    let (done, rows) = compared(&acme, &[]);
    assert_eq!((done.status, rows.len()), (0, 2), "{done:?}");
    let model = row(&rows, "anthropic", &json!("claude-opus-4-1-20250805"));
    assert_eq!(
        (&model["difference_input_tokens"], &model["report_requests"]),
        (&json!(0), &json!(null))
    );
    let day = row(&rows, "anthropic", &json!(null));
    assert_eq!(
        (&day["report_cost_usd"], &day["difference_cost_usd"]),
        (&json!("1.2378912"), &json!("0"))
    );
}
