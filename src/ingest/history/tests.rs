//! Tests of histories.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn read(format: HistoryFormat, text: &str) -> Vec<(u64, Value)> {
    let (mut history, mut rows) = (History::new(format), Rows::new());
    for (line, row) in (1..).zip(text.lines()) {
        history.row(line, row, &mut rows);
    }
    history.end(&mut rows);
    let value = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
    rows.iter().map(|(line, bytes)| (*line, value(bytes))).collect()
}

/// The line, id, provider, model and tokens of each event.
fn core(format: HistoryFormat, rows: &[Value]) -> Vec<String> {
    let text = rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let names = [
        "event_id",
        "provider",
        "model",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ];
    let events = read(format, &text).into_iter();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let events = events.map(|(line, event)| {
        let values = names.map(|name| event.get(name).map_or("-".to_owned(), text));
        format!("{line}: {}", values.join(" "))
    });
    events.collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "it says that it was passed over")]
fn a_captured_transcript_is_one_call() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
    let Ok(text) = fs::read_to_string(captures.join("transcripts/claude-code.jsonl")) else {
        eprintln!("passed over: there is no capture of a transcript");
        return;
    };
    let events = read(HistoryFormat::ClaudeCode, &text);
    let expected = json!({
        "event_id": "req_fake0001", "ts": "2026-11-28T21:41:56.664Z", "provider": "anthropic",
        "model": "claude-sonnet-4-5", "input_tokens": 4312, "output_tokens": 57,
        "cached_input_tokens": 4000, "cache_write_tokens": 300, "reasoning_tokens": 0,
        "source": "claude-code",
        "attributes": {
            "service_tier": "standard", "speed": "standard", "cache_write_1h_tokens": 200,
            "session.id": "06be8b4c-0b0a-4986-be96-f2c9ee5e2277",
        },
    });
    assert_eq!(events, [(1, expected)]);
}

#[test]
fn the_last_line_of_a_reply_counts() {
    let reply = |request: Option<&str>, id: &str, model: &str, output: u64| {
        json!({"type": "assistant", "requestId": request, "timestamp": "2026-01-01T00:00:00Z",
            "message": {"id": id, "model": model, "usage": {"input_tokens": 1, "output_tokens": output}}})
    };
    let rows = [
        reply(Some("r1"), "m1", "a", 1),
        json!({"type": "user", "message": {"content": "Say hi"}}),
        reply(Some("r2"), "m2", "a", 5),
        reply(Some("r1"), "m1", "a", 7),
        reply(None, "m3", "a", 8),
        reply(Some("r4"), "m4", "<synthetic>", 0),
        json!({"type": "assistant", "message": {"id": "m5", "model": "a"}}),
    ];
    assert_eq!(
        core(HistoryFormat::ClaudeCode, &rows),
        [
            "3: r2 anthropic a 1 5 - - -",
            "4: r1 anthropic a 1 7 - - -",
            "5: m3 anthropic a 1 8 - - -",
        ]
    );
    for (cost, kept) in [(json!(0), Value::Null), (json!(0.5), json!("0.5"))] {
        let mut row = reply(Some("r1"), "m1", "a", 1);
        row["costUSD"] = cost;
        let (_, event) = read(HistoryFormat::ClaudeCode, &row.to_string()).remove(0);
        assert_eq!(event["cost_usd"], kept);
    }
    let broken = read(HistoryFormat::ClaudeCode, "{\"type\":\n[1]");
    assert_eq!(broken.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn many_open_replies_take_bounded_memory_and_lose_none() {
    let (mut history, mut rows) = (History::new(HistoryFormat::ClaudeCode), Rows::new());
    for number in 0..40_000_u64 {
        let row = json!({"requestId": number.to_string(), "message": {"model": "a", "usage": {}}});
        history.row(number, &row.to_string(), &mut rows);
        assert!(history.replies.open.len() <= 16 << 10);
    }
    history.end(&mut rows);
    assert_eq!(rows.len(), 40_000);
}

fn usage(input: u64, cached: u64, output: u64, reasoning: u64) -> Value {
    json!({"input_tokens": input, "cached_input_tokens": cached, "output_tokens": output,
        "reasoning_output_tokens": reasoning, "total_tokens": input + output})
}

fn count(at: u32, total: &Value) -> Value {
    let info = json!({"total_token_usage": total, "last_token_usage": null});
    json!({"timestamp": format!("2026-01-01T00:00:{at:02}Z"), "type": "event_msg",
        "payload": {"type": "token_count", "info": info}})
}

fn record(id: &str, usage: &Value) -> Value {
    json!({"timestamp": "2026-01-01T00:00:30Z", "type": "token_usage_record",
        "payload": {"response_id": id, "usage": usage}})
}

fn start(provider: Option<&str>) -> [Value; 2] {
    let meta = json!({"type": "session_meta", "payload": {"id": "s", "model_provider": provider}});
    [meta, json!({"type": "turn_context", "payload": {"model": "gpt-5-codex"}})]
}

#[test]
fn sums_of_older_rollouts_are_taken_apart() {
    let mut rows = start(None).to_vec();
    rows.extend([
        count(1, &Value::Null),
        count(2, &usage(100, 60, 20, 8)),
        count(3, &usage(100, 60, 20, 8)),
        count(4, &usage(250, 160, 25, 8)),
        // A new beginning.
        count(5, &usage(40, 0, 4, 0)),
    ]);
    assert_eq!(
        core(HistoryFormat::Codex, &rows),
        [
            "4: s 2026-01-01T00:00:02Z 100 20 openai gpt-5-codex 100 20 60 0 8",
            "6: s 2026-01-01T00:00:04Z 250 25 openai gpt-5-codex 150 5 100 0 0",
            "7: s 2026-01-01T00:00:05Z 40 4 openai gpt-5-codex 40 4 0 0 0",
        ]
    );
}

#[test]
fn a_record_and_the_sums_beside_it_are_one_call() {
    for record_first in [true, false] {
        let mut rows = start(Some("azure")).to_vec();
        let mut beside = |record: Value, count: Value| {
            let pair = if record_first { [record, count] } else { [count, record] };
            rows.extend(pair);
        };
        beside(record("r1", &usage(100, 60, 20, 8)), count(1, &usage(100, 60, 20, 8)));
        beside(record("r2", &usage(150, 100, 5, 0)), count(2, &usage(250, 160, 25, 8)));
        rows.push(count(3, &usage(260, 160, 26, 8)));
        let found = core(HistoryFormat::Codex, &rows);
        let calls: Vec<_> = found.iter().map(|line| line.split_once(": ").unwrap().1).collect();
        assert_eq!(
            calls,
            [
                "r1 azure gpt-5-codex 100 20 60 - 8",
                "r2 azure gpt-5-codex 150 5 100 - 0",
                "s 2026-01-01T00:00:03Z 260 26 azure gpt-5-codex 10 1 0 0 0",
            ],
            "{record_first}"
        );
    }
}

/// A count with the tokens of its last call.
fn grown(at: u32, total: u64, last: u64) -> Value {
    let mut row = count(at, &usage(total, 0, total / 10, 0));
    row["payload"]["info"]["last_token_usage"] = usage(last, 0, last / 10, 0);
    row
}

/// The lines and the input of each call of a rollout.
fn inputs(rows: &[Value]) -> Vec<String> {
    let rows: Vec<_> = start(None).into_iter().chain(rows.iter().cloned()).collect();
    let text = rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let events = read(HistoryFormat::Codex, &text).into_iter();
    let name = |id: &Value| id.as_str().unwrap().split(' ').next().unwrap().to_owned();
    events.map(|(_, it)| format!("{} {}", name(&it["event_id"]), it["input_tokens"])).collect()
}

#[test]
fn records_and_sums_are_one_call_in_any_groups() {
    let [r1, r2] = [record("r1", &usage(100, 0, 10, 0)), record("r2", &usage(200, 0, 20, 0))];
    let [one, both] = [grown(1, 100, 100), grown(2, 300, 200)];
    for rows in [
        vec![&r1, &r2, &one, &both],
        vec![&r1, &r2, &both],
        vec![&r1, &both, &r2],
        vec![&one, &both, &r1, &r2],
        vec![&r1, &one, &one, &r2, &both, &both],
        vec![&both, &r1, &r2],
    ] {
        let rows: Vec<_> = rows.into_iter().cloned().collect();
        assert_eq!(inputs(&rows), ["r1 100", "r2 200"], "{rows:?}");
    }
    // The sums of the thread hold what was in an earlier file.
    let mut of_thread = r1.clone();
    of_thread["payload"]["thread_token_usage"] = usage(5_100, 0, 510, 0);
    let resumed = [grown(1, 5_100, 100), grown(2, 5_300, 200)];
    for rows in [[&of_thread, &resumed[0]], [&resumed[0], &of_thread], [&r1, &resumed[0]]] {
        let rows = [rows[0].clone(), rows[1].clone(), resumed[1].clone()];
        assert_eq!(inputs(&rows), ["r1 100", "s 200"], "{rows:?}");
    }
}

#[test]
fn what_is_no_sum_of_calls_counts_nothing() {
    let mut limits = count(2, &Value::Null);
    limits["payload"]["info"] = Value::Null;
    let rows = [limits.clone(), grown(1, 100, 100), limits, grown(3, 300, 200)];
    assert_eq!(inputs(&rows), ["s 100", "s 200"]);
    // An earlier row again, and a new beginning.
    let rows = [grown(1, 100, 100), grown(2, 300, 200), grown(3, 100, 50), grown(4, 40, 40)];
    assert_eq!(inputs(&rows), ["s 100", "s 200", "s 40"]);
    // The calls before the first one are in an earlier file.
    assert_eq!(inputs(&[grown(1, 5_000, 100), grown(2, 5_200, 200)]), ["s 100", "s 200"]);
}

#[test]
fn a_fork_counts_its_own_calls_alone() {
    let meta = |time: &str, id: &str, more: Value| {
        let mut payload = json!({"id": id, "model_provider": "azure"});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"timestamp": time, "type": "session_meta", "payload": payload})
    };
    let at = |time: &str, mut row: Value| {
        row["timestamp"] = time.into();
        row
    };
    let (began, own) = ("2026-01-01T11:00:00.100Z", "2026-01-01T11:00:00.900Z");
    let spawned = json!({"source": {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}});
    let forked = json!({"forked_from_id": "p"});
    for (more, copied, has_parent) in [
        (&forked, ["2026-01-01T11:00:00.110Z", "2026-01-01T11:00:00.250Z"], true),
        (&forked, ["2026-01-01T10:00:01Z", "2026-01-01T10:00:02Z"], true),
        (&spawned, ["2026-01-01T10:00:01Z", "2026-01-01T10:00:02Z"], false),
    ] {
        let mut rows = vec![meta(began, "c", more.clone())];
        rows.extend(has_parent.then(|| meta(copied[0], "p", json!({"model_provider": "old"}))));
        rows.extend([
            at(copied[0], record("r1", &usage(100, 0, 10, 0))),
            at(copied[0], grown(1, 100, 100)),
            at(copied[1], grown(2, 300, 200)),
            at(own, grown(3, 700, 400)),
        ]);
        let call = format!("{}: c {own} 700 70 azure - 400 40 0 0 0", rows.len());
        assert_eq!(core(HistoryFormat::Codex, &rows), [call], "{copied:?}");
    }
}

#[test]
fn bedrock_counts_what_came_from_no_cache() {
    let row = |id: &str, input: Value, output: Value| {
        json!({"schemaType": "ModelInvocationLog", "timestamp": "2026-01-01T00:00:00Z",
            "requestId": id, "input": input, "output": output,
            "modelId": "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-v1:0"})
    };
    let converse = json!({"outputTokenCount": 7, "outputBodyJson": {
        "output": {}, "usage": {"cacheReadInputTokens": 11, "cacheWriteInputTokens": 3}}});
    let streamed = json!({"outputTokenCount": 7, "outputBodyJson": [
        {"type": "message_start", "message": {"usage": {"cache_read_input_tokens": 11,
            "cache_creation_input_tokens": 3}}}, {"usage": {"output_tokens": 7}}]});
    let counted = json!({"inputTokenCount": 21, "cacheReadInputTokenCount": 11, "cacheWriteInputTokenCount": 3});
    let mut failed = row("e", json!({}), json!({}));
    failed["errorCode"] = "ThrottlingException".into();
    let mut plain = row("d", json!({"inputTokenCount": 5}), json!({"outputTokenCount": 1}));
    plain["modelId"] = "amazon.titan-v1".into();
    plain["errorCode"] = "".into();
    let rows = [
        row("a", json!({"inputTokenCount": 21}), converse),
        row("b", json!({"inputTokenCount": 21}), streamed),
        row("c", counted, json!({"outputTokenCount": 7})),
        plain,
        failed,
    ];
    let hour = json!({"outputTokenCount": 7, "outputBodyJson": {"usage": {
        "cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 9}}}});
    let hour = row("h", json!({"inputTokenCount": 21}), hour).to_string();
    let (_, event) = read(HistoryFormat::Bedrock, &hour).remove(0);
    assert_eq!(event["attributes"]["cache_write_1h_tokens"], 9);
    let core = core(HistoryFormat::Bedrock, &rows);
    let claude = "aws.bedrock eu.anthropic.claude-v1:0 35 7 11 3 -";
    assert_eq!(
        core,
        [
            format!("1: a {claude}"),
            format!("2: b {claude}"),
            format!("3: c {claude}"),
            "4: d aws.bedrock amazon.titan-v1 5 1 - - -".to_owned(),
        ]
    );
}

#[test]
fn litellm_is_read_as_by_its_door() {
    let call = json!({"id": "a", "endTime": 1_795_437_170.25, "prompt_tokens": 5});
    let failure = json!({"id": "b", "status": "failure"});
    assert_eq!(core(HistoryFormat::LiteLlm, &[call, failure]), ["1: a - - 5 - - - -"]);
}
