//! Histories that other programs keep.

use serde_json::json;
use tempfile::tempdir;

use super::formats::gzip;
use super::{counts, done, file, run};
use crate::support::process::{Server, key, tokenlake};
use crate::support::scrape::scrape;

#[test]
fn histories_of_each_program_are_calls() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let reply = |id: &str, output: u64| {
        json!({"type": "assistant", "requestId": id, "timestamp": "2026-01-15T10:00:00.5Z",
            "sessionId": "s", "message": {"id": "m", "model": "claude-sonnet-4-5",
            "content": [{"type": "text", "text": "hello"}],
            "usage": {"input_tokens": 12, "cache_read_input_tokens": 4_000, "output_tokens": output}}})
        .to_string()
    };
    let transcript = [reply("r1", 1), reply("r1", 57), reply("r2", 3)].join("\n");
    let rollout = [
        json!({"type": "session_meta", "payload": {"id": "s", "model_provider": "openai"}}),
        json!({"type": "turn_context", "payload": {"model": "gpt-5-codex"}}),
        json!({"type": "token_usage_record", "timestamp": "2026-01-15T10:00:00Z",
            "payload": {"response_id": "resp_1", "usage": {"input_tokens": 100, "output_tokens": 20}}}),
    ]
    .map(|row| row.to_string())
    .join("\n");
    let bedrock = json!({"timestamp": "2026-01-15T10:00:00Z", "requestId": "b1",
        "modelId": "arn:aws:bedrock:eu-west-1:1:foundation-model/titan-v1",
        "input": {"inputTokenCount": 5, "cacheReadInputTokenCount": 3},
        "output": {"outputTokenCount": 2}});
    let litellm = json!({"id": "l1", "endTime": 1_768_471_200.25, "custom_llm_provider": "xai",
        "model": "xai/grok-4", "prompt_tokens": 7, "completion_tokens": 1, "response_cost": 1e-5});
    for (format, name, bytes, calls) in [
        ("claude-code", "a.jsonl", transcript.into_bytes(), 2),
        ("codex", "b.jsonl", rollout.into_bytes(), 1),
        ("bedrock", "c.gz", gzip(format!("{bedrock}\n").as_bytes()), 1),
        ("litellm", "d.json", serde_json::to_vec_pretty(&litellm).unwrap(), 1),
    ] {
        let path = file(folder.path(), name, bytes);
        let args = ["--org", "acme", "--format", format, path.as_str()];
        assert_eq!(done(archive.path(), &args), counts(calls, calls, 0, 0, 1), "{format}");
    }
    // In a folder, other files beside a history are passed over.
    let beside = folder.path().join("beside");
    file(&beside, "notes.md", "no history");
    file(&beside, "e.jsonl", reply("r3", 5));
    let args = ["--org", "acme", "--format", "claude-code", beside.to_str().unwrap()];
    assert_eq!(done(archive.path(), &args), counts(1, 1, 0, 0, 1));
    // A pattern names its files, whatever their endings.
    let bodies = folder.path().join("bodies");
    file(&bodies, "1.body", serde_json::to_vec(&litellm).unwrap());
    let args = ["--org", "acme", "--format", "litellm"];
    let pattern = bodies.join("*.body");
    let args_of = |input| [&args[..], &[input]].concat();
    let counted = done(archive.path(), &args_of(pattern.to_str().unwrap()));
    assert_eq!(counted, counts(1, 0, 1, 0, 1));
    let whole = run(archive.path(), &args_of(bodies.to_str().unwrap()));
    assert!(whole.status == 1 && whole.stderr.contains(".jsonl"), "{whole:?}");
    let key = key(archive.path(), "acme");
    let series = scrape(&Server::start(archive.path()), &key);
    for (provider, model, tokens) in [
        ("anthropic", "claude-sonnet-4-5", "12101"),
        ("openai", "gpt-5-codex", "120"),
        ("aws.bedrock", "titan-v1", "10"),
        ("xai", "grok-4", "8"),
    ] {
        let name =
            format!(r#"llm_tokens_total{{provider="{provider}",model="{model}",org_id="acme"}}"#);
        assert_eq!(series.get(&name).map(String::as_str), Some(tokens), "{name}");
    }
    let query = ["sql", "--format", "ndjson", "-c", "select * from events"];
    assert!(!tokenlake(archive.path(), &query).stdout.contains("hello"));
}

#[test]
fn broken_rows_of_a_history_are_rejected_and_the_others_kept() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let call = json!({"id": "l1", "endTime": 1_768_471_200.25, "prompt_tokens": 7}).to_string();
    let failure = json!({"id": "l2", "status": "failure"}).to_string();
    let text = [call.as_str(), "{\"id\":", failure.as_str(), "[1]"].join("\n");
    let path = file(folder.path(), "a.ndjson", text);
    let rejects = folder.path().join("rejects.ndjson");
    let args = ["--org", "acme", "--format", "litellm", "--rejects", rejects.to_str().unwrap()];
    assert_eq!(
        done(archive.path(), &[&args[..], &[path.as_str()]].concat()),
        counts(3, 1, 0, 2, 1)
    );
    let rejects = std::fs::read_to_string(rejects).unwrap();
    let lines: Vec<serde_json::Value> =
        rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|row| row["line"].as_u64()).collect::<Vec<_>>(),
        [Some(2), Some(4)]
    );
    let unknown = run(archive.path(), &["--org", "acme", "--format", "claude", path.as_str()]);
    assert!(unknown.status == 2 && unknown.stderr.contains("claude-code"), "{unknown:?}");
}
