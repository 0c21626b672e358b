//! Tests of pages: what becomes of each form, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::archive::ReportFigures;

fn rows_of(format: ReportFormat, text: &str) -> Result<Vec<ReportRow>, String> {
    let mut report = ReadReport::default();
    read(&mut report, format, text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(report.dates.into_values().flat_map(|part| part.rows.into_values()).collect())
}

fn openai(start: i64, end: i64, results: &Value) -> Value {
    let bucket =
        json!({ "object": "bucket", "start_time": start, "end_time": end, "results": results });
    json!({ "object": "page", "data": [bucket], "has_more": false, "next_page": null })
}

fn anthropic(results: &Value) -> Value {
    let times = ("2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z");
    let bucket = json!({ "starting_at": times.0, "ending_at": times.1, "results": results });
    json!({ "data": [bucket], "has_more": false, "next_page": null })
}

const DAY_START: i64 = 1_793_664_000;

#[test]
fn usage_of_openai_is_read_with_its_group() {
    let result = json!({
        "object": "organization.usage.completions.result", "input_tokens": 1000,
        "output_tokens": 500, "input_cached_tokens": 800, "num_model_requests": 5,
        "project_id": "p", "project_name": "Renamed", "user_id": null, "model": "gpt-4o",
        "batch": false, "input_audio_tokens": 0,
    });
    let page = openai(DAY_START, DAY_START + 86_400, &json!([result]));
    let rows = rows_of(ReportFormat::OpenaiUsage, &page.to_string()).unwrap();
    let figures = ReportFigures {
        requests: Some(5),
        input_tokens: Some(1000),
        output_tokens: Some(500),
        cached_input_tokens: Some(800),
        ..ReportFigures::default()
    };
    assert_eq!((rows.len(), rows[0].figures), (1, figures));
    assert_eq!(rows[0].model(), Some("gpt-4o"));
    let names: Vec<_> = rows[0].group.keys().map(String::as_str).collect();
    assert_eq!(names, ["batch", "model", "object", "project_id"]);
    assert_eq!(rows[0].end_us - rows[0].start_us, crate::clock::DAY);
}

#[test]
fn costs_keep_every_digit() {
    let amount = |value: &str| {
        format!(
            r#"{{"data":[{{"start_time":{DAY_START},"end_time":{},"results":[{{"amount":{{"value":{value},"currency":"usd"}},"line_item":"gpt-4o, input"}}]}}]}}"#,
            DAY_START + 3_600
        )
    };
    for (value, units) in [
        ("0.1234567890123456789", 123_456_789_012),
        ("1e-7", 100_000),
        ("\"-2.5\"", -2_500_000_000_000),
    ] {
        let rows = rows_of(ReportFormat::OpenaiCosts, &amount(value)).unwrap();
        assert_eq!(rows[0].figures.cost_usd.unwrap().0, units, "{value}");
        assert_eq!(rows[0].line_item(), Some("gpt-4o, input"));
    }
    let cents = json!([
        { "amount": "123.78912", "currency": "USD", "description": "Claude Sonnet 4 Usage - Input Tokens",
          "model": "claude-sonnet-4-20250514", "cost_type": "tokens", "token_type": "uncached_input_tokens" },
        { "amount": "5", "currency": "USD", "description": null, "model": null },
    ]);
    let rows = rows_of(ReportFormat::AnthropicCosts, &anthropic(&cents).to_string()).unwrap();
    let found = rows.iter().map(|row| (row.line_item(), row.figures.cost_usd.unwrap().0));
    let found: Vec<_> = found.collect();
    assert!(found.contains(&(None, 50_000_000_000)), "{found:?}");
    let line = Some("Claude Sonnet 4 Usage - Input Tokens");
    assert!(found.contains(&(line, 1_237_891_200_000)), "{found:?}");
}

#[test]
fn usage_of_anthropic_adds_up_the_parts_of_its_input() {
    let result = json!({
        "uncached_input_tokens": 1500, "cache_read_input_tokens": 200, "output_tokens": 500,
        "cache_creation": { "ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500 },
        "server_tool_use": { "web_search_requests": 10 }, "model": "claude-opus-4-1",
        "service_tier": "standard", "context_window": "0-200k", "workspace_id": null,
    });
    let rows =
        rows_of(ReportFormat::AnthropicUsage, &anthropic(&json!([result])).to_string()).unwrap();
    let figures = ReportFigures {
        input_tokens: Some(3200),
        output_tokens: Some(500),
        cached_input_tokens: Some(200),
        cache_write_tokens: Some(1500),
        ..ReportFigures::default()
    };
    assert_eq!(rows[0].figures, figures);
}

#[test]
fn many_pages_are_read_however_they_are_put_together() {
    let result = |model: &str| json!([{ "num_model_requests": 1, "model": model }]);
    let pages = [
        openai(DAY_START, DAY_START + 60, &result("a")),
        openai(DAY_START + 60, DAY_START + 120, &result("b")),
        openai(DAY_START + 120, DAY_START + 180, &json!([])),
    ];
    let texts = pages.each_ref().map(Value::to_string);
    let pretty = serde_json::to_string_pretty(&pages[0]).unwrap() + &texts[1] + &texts[2];
    let buckets: Vec<_> = pages.iter().map(|page| page["data"][0].to_string()).collect();
    for text in [format!("[{}]", texts.join(",")), texts.join("\n"), pretty, buckets.join("\r\n\n")]
    {
        let mut report = ReadReport::default();
        read(&mut report, ReportFormat::OpenaiUsage, text.as_bytes()).unwrap();
        let part = report.dates.values().next().unwrap();
        assert_eq!((report.dates.len(), part.rows.len()), (1, 2), "{text}");
        let start = DAY_START * crate::clock::SECOND;
        assert_eq!(part.covered, [[start, start + 180 * crate::clock::SECOND]]);
    }
}

#[test]
fn what_is_no_report_is_refused_with_its_place() {
    let usage = |result: Value| openai(DAY_START, DAY_START + 60, &json!([result])).to_string();
    let twice = json!({ "num_model_requests": 1, "model": "a" });
    let twice = openai(DAY_START, DAY_START + 60, &json!([twice, twice])).to_string();
    let long = openai(DAY_START, DAY_START + 700_000, &json!([])).to_string();
    let costs = json!({ "amount": { "value": 1, "currency": "eur" } });
    use ReportFormat::{AnthropicCosts, AnthropicUsage, OpenaiCosts, OpenaiUsage};
    for (format, text, said) in [
        (OpenaiUsage, String::new(), "it has no page"),
        (OpenaiUsage, "[]".to_owned(), "it has no page"),
        (OpenaiUsage, "{\"data\":".to_owned(), "EOF"),
        (OpenaiUsage, "7".to_owned(), "page 1: 7 is no object"),
        (OpenaiUsage, r#"{"error":{"code":"x"}}"#.to_owned(), "page 1: it has no data"),
        (
            OpenaiUsage,
            usage(json!({ "num_model_requests": -1 })),
            "page 1, bucket 1, result 1: num_model_requests: -1 is no count",
        ),
        (OpenaiUsage, usage(json!({ "num_model_requests": 1.5 })), "1.5 is no count"),
        (OpenaiUsage, usage(costs.clone()), "it is a report of costs"),
        (OpenaiUsage, usage(json!({ "model": "a" })), "it has no num_model_requests"),
        (OpenaiUsage, anthropic(&json!([])).to_string(), "page 1, bucket 1: it has no start_time"),
        (OpenaiUsage, twice, "result 2: its group is in the bucket already"),
        (OpenaiUsage, long, "it is longer than a day"),
        (OpenaiCosts, usage(costs), "its currency is \"eur\""),
        (OpenaiCosts, usage(json!({ "num_model_requests": 1 })), "it has no amount"),
        (
            AnthropicUsage,
            anthropic(&json!([{ "amount": "1", "currency": "USD" }])).to_string(),
            "it is a report of costs",
        ),
        (
            AnthropicCosts,
            anthropic(&json!([{ "amount": "1e14", "currency": "USD" }])).to_string(),
            "amount: \"1e14\" is not below 10^12 dollars",
        ),
        (
            AnthropicCosts,
            anthropic(&json!([{ "amount": "x", "currency": "USD" }])).to_string(),
            "amount: \"x\" is not a decimal number",
        ),
    ] {
        let error = rows_of(format, &text).unwrap_err();
        assert!(error.contains(said) && !error.contains('\n'), "{said}: {error}");
    }
}

/// A file of the largest size, of which a list of all values would take a multiple.
#[test]
fn a_list_of_what_is_no_page_ends_at_its_first_value() {
    let many = format!("[{}0]", "0,".repeat(8 << 20));
    let bucket = |results: &str| {
        let end = DAY_START + 60;
        format!(r#"{{"start_time":{DAY_START},"end_time":{end},"results":{results}}}"#)
    };
    for (text, said) in [
        (many.clone(), "page 1: 0 is no object"),
        (format!(r#"{{"data":{many}}}"#), "page 1, bucket 1: 0 is no object"),
        (bucket(&many), "page 1, result 1: 0 is no object"),
        (bucket("{}"), "page 1: results is no list"),
        (r#"{"data":7}"#.to_owned(), "page 1: data is no list"),
    ] {
        let error = rows_of(ReportFormat::OpenaiUsage, &text).unwrap_err();
        assert!(error.starts_with(said), "{said}: {error}");
    }
    let texts: Vec<_> = (0..65).map(|number| format!(r#""t{number}":"x""#)).collect();
    let result = format!(r#"[{{"num_model_requests":1,{}}}]"#, texts.join(","));
    let error = rows_of(ReportFormat::OpenaiUsage, &bucket(&result)).unwrap_err();
    assert_eq!(error, "page 1, result 1: it has more than 64 texts");
}

#[test]
fn no_bytes_panic() {
    let result = json!({ "num_model_requests": 1, "model": "a", "amount": { "value": 1.5e-7 } });
    let cost = json!({ "amount": "1.5", "currency": "USD", "cache_creation": { "a": 1 } });
    let pages = [openai(DAY_START, DAY_START + 60, &json!([result])), anthropic(&json!([cost]))];
    let pages = pages.iter().map(|page| page.to_string().into_bytes()).collect();
    crate::mutation_tests::each_of("report page", pages, 500, |bytes| {
        for format in ReportFormat::ALL {
            let _ = read(&mut ReadReport::default(), format, bytes);
        }
    });
}
