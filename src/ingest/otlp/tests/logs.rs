//! Which log records are calls, and what is read of those of agents.

use super::*;

fn log_event(scope: &str, lines: &str) -> Option<Event> {
    event_of(OtlpSignal::Logs, scope, &log(lines))
}

#[test]
fn logs_of_the_conventions_count_if_they_have_usage() {
    let details = "event.name=gen_ai.client.inference.operation.details";
    let usage = "gen_ai.usage.input_tokens=5;gen_ai.response.id=r";
    assert_eq!(log_event("s", details), None);
    let event = log_event("s", &format!("{details};{usage}")).unwrap();
    assert_eq!((event["event_id"].as_str(), core(&event)), ("r", "- - 5 - - - - -".to_owned()));
    assert_eq!(log_event("s", usage), None);
    let failed = "gen_ai.usage.input_tokens=0;error.type=timeout";
    assert_eq!(log_event("s", &format!("{details};{failed}")), None);
    assert_eq!(log_event("s", &format!("{details};{usage};gen_ai.operation.name=plan")), None);
    assert_eq!(log_event("gemini-cli", &format!("{details};{usage}")), None);
    let named = log(usage).replace(
        "\"body\"",
        "\"eventName\":\"gen_ai.client.inference.operation.details\",\"body\"",
    );
    assert!(event_of(OtlpSignal::Logs, "s", &named).is_some());
    let openlit = log_event("openlit.instrumentation.openai", &format!("{details};{usage}"));
    assert_eq!(openlit.unwrap()["provider"], "openai");
    // Without an answer's id it is that of the span that it was logged in.
    let event = log_event("s", &format!("{details};gen_ai.usage.input_tokens=5")).unwrap();
    assert_eq!(event["event_id"], "5b8efff798038103d269b633813fc60ceee19b7ec3c1b174");
}

#[test]
fn codex() {
    let completed = "event.name=codex.sse_event;event.kind=response.completed;conversation.id=c;\
        event.timestamp=2026-11-28T21:41:56.669Z;model=gpt-5-codex";
    let counts = "input_token_count=100;output_token_count=20;cached_token_count=60;\
        reasoning_token_count=8;cache_write_token_count=5;tool_token_count=120";
    assert_eq!(log_event("codex", completed), None);
    let other = counts.replace("response.completed", "response.created");
    assert_eq!(log_event("codex", &format!("event.name=codex.sse_event;{other}")), None);
    let event = log_event("codex", &format!("{completed};{counts}")).unwrap();
    assert_eq!(core(&event), "openai gpt-5-codex 100 20 60 5 8 -");
    assert_eq!(event["event_id"].len(), 32);
    let texts = log(&format!("{completed};{counts}")).replace("\"intValue\"", "\"stringValue\"");
    let texts = texts.replace(
        "\"timeUnixNano\":\"1795436673178833273\"",
        "\"timeUnixNano\":\"0\",\"observedTimeUnixNano\":\"1795436673178833273\"",
    );
    let event = event_of(OtlpSignal::Logs, "codex", &texts).unwrap();
    assert_eq!(
        (core(&event).as_str(), event["ts"].as_str()),
        ("openai gpt-5-codex 100 20 60 5 8 -", "1795436673178833")
    );
    let lines = "gen_ai.operation.name=chat;gen_ai.usage.input_tokens=5";
    assert_eq!(event_of(OtlpSignal::Traces, "codex_core", &span("handle_responses", lines)), None);
}

#[test]
fn claude_code_without_an_id_has_that_of_its_event() {
    let lines = "event.name=api_request;session.id=s;event.sequence=5;event.timestamp=t;\
        model=m;input_tokens=1;cache_read_tokens=2;cache_creation_tokens=3;cost_usd=0.0001";
    let event = log_event("com.anthropic.claude_code.events", lines).unwrap();
    assert_eq!(
        (event["event_id"].as_str(), core(&event).as_str()),
        ("s 5 t", "anthropic m 6 - 2 3 - 0.0001")
    );
    // Others have events of that name, too.
    let others = "event.name=api_request;input_tokens=1";
    assert_eq!(log_event("app", others), None);
    assert!(log_event("app", &format!("{others};session.id=s")).is_some());
    let named = request(OtlpSignal::Logs, "app", &log(others)).replace("svc", "claude-code");
    let taken = taken(OtlpSignal::Logs, Encoding::Json, named.as_bytes()).unwrap();
    assert_eq!(taken.events.len(), 1);
    let span = span("claude_code.llm_request", "gen_ai.operation.name=chat");
    assert_eq!(event_of(OtlpSignal::Traces, "com.anthropic.claude_code.tracing", &span), None);
}
