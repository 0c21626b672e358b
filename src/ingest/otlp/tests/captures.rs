//! What real clients sent becomes the calls that their applications made.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::*;

/// The calls of a captured request; none where the captures are not there.
#[expect(clippy::print_stderr, reason = "it says that it was passed over")]
fn captured(name: &str, signal: OtlpSignal, encoding: Encoding) -> Option<Vec<Event>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
    let Ok(mut body) = fs::read(folder.join(name)) else {
        eprintln!("passed over: there is no capture {name}");
        return None;
    };
    if body.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    let taken = taken(signal, encoding, &body).unwrap();
    assert!(taken.rejected.is_empty(), "{:?}", taken.rejected);
    for event in &taken.events {
        for text in event.values() {
            assert!(!text.contains("Say hi") && !text.contains("Hello"), "{text}");
        }
    }
    Some(taken.events)
}

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event["event_id"], core(event))).collect()
}

#[test]
fn the_python_instrumentation_of_genai() {
    for (name, encoding, first) in [
        ("otlp_genai_default/001.body", Encoding::Protobuf, 20),
        ("otlp_genai_latest_json/001.body", Encoding::Json, 27),
    ] {
        let Some(events) = captured(name, OtlpSignal::Traces, encoding) else { return };
        let mut lines = lines(&events);
        let embedding = lines.remove(3);
        assert!(embedding.ends_with(" openai text-embedding-3-small 5 - - - - -"), "{embedding}");
        assert_eq!(embedding.split(' ').next().unwrap().len(), 48);
        let mini = "openai gpt-4o-mini-2024-08-06";
        let sonnet = "anthropic claude-3-5-sonnet-20241022 35 7 11 3 - -";
        let expected = [
            format!("chatcmpl-fake00{first} {mini} 13 9 4 - 2 -"),
            format!("chatcmpl-fake00{} {mini} 13 9 4 - 2 -", first + 1),
            format!("chatcmpl-fake00{} {mini} - - - - - -", first + 2),
            format!("resp_fake00{} openai gpt-4o-2024-08-06 13 9 4 - 2 -", first + 4),
            // The library's own span and that of the instrumentation: one id.
            format!("msg_fake00{} {sonnet}", first + 6),
            format!("msg_fake00{} {sonnet}", first + 6),
        ];
        assert_eq!(lines, expected);
        assert_eq!(
            some(&events[0], &["attributes.service_tier", "attributes.service.name"]),
            ["default", "svc"]
        );
    }
}

#[test]
fn the_python_instrumentation_of_openai() {
    let name = "otlp_openai_v2_latest/001.body";
    let Some(events) = captured(name, OtlpSignal::Traces, Encoding::Protobuf) else { return };
    let (last, chats) = events.split_last().unwrap();
    assert_eq!(core(last), "openai text-embedding-3-small 5 - - - - -");
    let mini = "openai gpt-4o-mini-2024-08-06";
    assert_eq!(
        lines(chats),
        [
            format!("chatcmpl-fake0014 {mini} 13 9 - - - -"),
            format!("chatcmpl-fake0015 {mini} 13 9 - - - -"),
            format!("chatcmpl-fake0016 {mini} - - - - - -"),
        ]
    );
}

#[test]
fn openllmetry() {
    let name = "otlp_openllmetry/001.body";
    let Some(events) = captured(name, OtlpSignal::Traces, Encoding::Protobuf) else { return };
    let mut lines = lines(&events);
    assert!(lines.remove(3).ends_with(" openai text-embedding-3-small 5 - 0 - - -"));
    let (mini, sonnet) = ("openai gpt-4o-mini-2024-08-06", "anthropic claude-3-5-sonnet-20241022");
    let expected = [
        format!("chatcmpl-fake0001 {mini} 13 9 4 - 2 -"),
        format!("chatcmpl-fake0002 {mini} 13 9 4 - - -"),
        format!("chatcmpl-fake0003 {mini} - - - - - -"),
        "resp_fake0005 openai gpt-4o-2024-08-06 13 9 4 - 2 -".to_owned(),
        format!("msg_fake0007 {sonnet} 35 7 11 3 - -"),
        format!("msg_fake0007 {sonnet} 35 7 11 3 - -"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn claude_code() {
    let (traces, logs, metrics) =
        ("otlp_claude_code/002.body", "otlp_claude_code/003.body", "otlp_claude_code/004.body");
    let Some(spans) = captured(traces, OtlpSignal::Traces, Encoding::Json) else { return };
    assert_eq!(spans, [], "its log tells of the same call");
    assert_eq!(captured(metrics, OtlpSignal::Metrics, Encoding::Json).unwrap(), []);
    let events = captured(logs, OtlpSignal::Logs, Encoding::Json).unwrap();
    let call = "req_fake0001 anthropic claude-sonnet-4-5 4312 57 4000 300 - 0.003666";
    assert_eq!(lines(&events), [call]);
    let names = ["attributes.team", "attributes.speed", "attributes.cache_write_1h_tokens", "ts"];
    assert_eq!(some(&events[0], &names), ["core", "standard", "200", "1795902116669000"]);
    assert!(events[0].contains_key("attributes.session.id"));
}

#[test]
fn gemini_cli() {
    let (traces, logs) = ("otlp_gemini_cli/002.body", "otlp_gemini_cli/003.body");
    let Some(spans) = captured(traces, OtlpSignal::Traces, Encoding::Json) else { return };
    assert_eq!(spans, []);
    let events = captured(logs, OtlpSignal::Logs, Encoding::Json).unwrap();
    let cores: Vec<_> = events.iter().map(core).collect();
    assert_eq!(cores, ["gcp.gen_ai gemini-2.5-pro 900 50 600 - 30 -"]);
    assert_eq!(events[0]["event_id"].len(), 32);
}
