//! Calls whose cost by public list prices was summed by hand.

use serde_json::{Value, json};

/// A call as an event, without an id, and what it costs; none if it has no price.
pub type KnownCall = (Value, Option<&'static str>);

/// When most of them were made.
pub const AT: &str = "2026-11-20T12:00:00Z";

fn call(provider: &str, model: &str, more: &Value) -> Value {
    let mut call = json!({ "provider": provider, "model": model, "ts": AT });
    for (name, value) in more.as_object().unwrap() {
        call[name] = value.clone();
    }
    call
}

fn io(provider: &str, model: &str, input: i64, output: i64) -> Value {
    call(provider, model, &json!({ "input_tokens": input, "output_tokens": output }))
}

fn at(ts: &str, mut call: Value) -> Value {
    call["ts"] = ts.into();
    call
}

/// The calls.
pub fn known() -> Vec<KnownCall> {
    let cached = |model: &str, input: i64, cached: i64, output: i64, provider: &str| {
        let mut call = io(provider, model, input, output);
        call["cached_input_tokens"] = cached.into();
        call
    };
    let gpt = |context: &Value| {
        let mut call = cached("gpt-5.5", 5_000, 4_200, 80, "openai");
        call["attributes"] = context.clone();
        call
    };
    let opus = |more: &Value| call("anthropic", "claude-opus-5", more);
    let bedrock = |region: &str| {
        let model = format!("{region}.anthropic.claude-sonnet-4-5-20250929-v1:0");
        io("aws.bedrock", &model, 1_000, 10)
    };
    let sonnet = json!({
        "input_tokens": 4_312, "cached_input_tokens": 4_000, "cache_write_tokens": 300,
        "cache_write_1h_tokens": 200, "output_tokens": 57,
    });
    let thoughts = json!({
        "input_tokens": 900, "cached_input_tokens": 600, "output_tokens": 50,
        "reasoning_tokens": 30,
    });
    let realtime = json!({
        "input_tokens": 1_000, "input_audio_tokens": "400", "output_tokens": 100,
        "output_audio_tokens": 60,
    });
    let batch = json!({
        "input_tokens": 1_000, "cached_input_tokens": 200, "cache_write_tokens": 100,
        "output_tokens": 10, "processing": "batch",
    });
    let fast = json!({ "input_tokens": 1_000, "output_tokens": 10, "speed": "fast" });
    let o3 = io("openai", "o3", 1_000, 1_000);
    let deepseek = io("deepseek", "deepseek-reasoner", 1_000, 10);
    vec![
        (cached("gpt-4o-mini-2024-07-18", 13, 4, 9, "openai"), Some("0.00000705")),
        (call("anthropic", "claude-sonnet-4-5", &sonnet), Some("0.003666")),
        (io("gcp.gemini", "gemini-2.5-pro", 200_000, 1_000), Some("0.26")),
        (io("vertex_ai", "gemini-2.5-pro", 200_001, 1_000), Some("0.5150025")),
        (call("gemini", "gemini-2.5-pro", &thoughts), Some("0.00095")),
        (at("2025-06-09T23:59:59Z", o3.clone()), Some("0.05")),
        (at("2025-06-10T00:00:00Z", o3), Some("0.01")),
        (io("openai", "gpt-5.5", 272_000, 1_000), Some("1.39")),
        (io("openai", "gpt-5.5", 272_001, 1_000), Some("2.76501")),
        (cached("gpt-5.5", 272_001, 272_000, 1_000, "openai"), Some("0.31701")),
        (gpt(&json!({ "service_tier": "default" })), Some("0.0085")),
        (gpt(&json!({ "service_tier": "priority" })), Some("0.02125")),
        (gpt(&json!({ "service_tier": "flex" })), Some("0.00425")),
        (gpt(&json!({ "processing": "batch" })), Some("0.00425")),
        (gpt(&json!({ "service_tier": "scale" })), None),
        (opus(&batch), Some("0.0022375")),
        (opus(&fast), Some("0.0105")),
        (bedrock("us"), Some("0.003465")),
        (bedrock("global"), Some("0.00315")),
        (at("2025-03-01T16:29:59Z", deepseek.clone()), Some("0.0005719")),
        (at("2025-03-01T16:30:00Z", deepseek), Some("0.0001405")),
        (io("xai", "grok-4.3", 199_999, 10), Some("0.25002375")),
        (io("x_ai", "grok-4.3", 200_000, 10), Some("0.50005")),
        (io("openai", "text-embedding-3-small", 5, 0), Some("0.0000001")),
        (io("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", 1_000, 10), Some("0.000312")),
        (call("openai", "gpt-realtime", &realtime), Some("0.01968")),
        (io("openai", "my-finetune", 1_000, 10), None),
    ]
}
