//! OpenTelemetry's SDK for Python with instrumentations, Anthropic's library, pydantic-ai, and the SDK
//! of CloudEvents.

use std::path::Path;
use std::process::Command;

use super::page::PageSection;
use super::place::{CountedModel, PYTHON, ProducerPlace};
use crate::support::process::run;
use crate::support::tools::installed_tool;

/// What an application makes of OpenAI's library: two chats, a response and an embedding.
pub const CHATS: CountedModel = ("openai", "gpt-4o-2024-08-06", ["2", "44", "0.000235"]);
pub const RESPONSE: CountedModel = ("openai", "gpt-5-codex", ["1", "120", "0.0002575"]);
pub const EMBEDDING: CountedModel = ("openai", "text-embedding-3-small", ["1", "5", "0.0000001"]);
/// And of Anthropic's: two messages.
const MESSAGES: CountedModel = ("anthropic", "claude-sonnet-4-5", ["2", "8738", "0.007332"]);

/// Writes the page's `telemetry.py`, with the blocks that have these pieces.
pub fn write_telemetry(place: &ProducerPlace, pieces: &[&str], protocol: &str) {
    let section = PageSection::of("Python");
    let blocks = [&["BatchSpanProcessor"], pieces].concat();
    let blocks = blocks.into_iter().map(|piece| section.text(piece, "", ""));
    let telemetry = blocks.collect::<Vec<_>>().join("\n");
    place.write("telemetry.py", telemetry.replace(".proto.http.", &format!(".proto.{protocol}.")));
}

/// A place with `telemetry.py`, and a Python there.
fn telemetry(python: &Path, pieces: &[&str], protocol: &str) -> (ProducerPlace, Command) {
    let place = ProducerPlace::start();
    write_telemetry(&place, pieces, protocol);
    // What repeats requests is none of HTTP/2.
    let server = if protocol == "grpc" { &place.server.url("") } else { place.repeated() };
    let program = place.program("OpenTelemetry", server, python);
    (place, program)
}

#[test]
fn instrumentations_of_openai_are_counted_by_http_and_by_grpc() {
    let Some(python) = installed_tool(PYTHON) else { return };
    for instrumentation in [
        "instrumentation.genai.openai",
        "opentelemetry.instrumentation.openai ",
        "openinference.instrumentation.openai",
    ] {
        for protocol in ["http", "grpc"] {
            eprintln!("{instrumentation} by {protocol}");
            let (place, program) = telemetry(&python, &[instrumentation], protocol);
            place.run_script(program, "openai_calls.py");
            place.assert_counted(&[CHATS, RESPONSE, EMBEDDING]);
        }
    }
}

#[test]
fn the_library_of_anthropic_is_counted_by_itself_and_once_with_instrumentations() {
    let Some(python) = installed_tool(PYTHON) else { return };
    for instrumentations in [
        &[][..],
        &["instrumentation.genai.anthropic"],
        &["opentelemetry.instrumentation.anthropic"],
        &["instrumentation.genai.anthropic", "opentelemetry.instrumentation.anthropic"],
        &["openinference.instrumentation.anthropic"],
    ] {
        eprintln!("{instrumentations:?}");
        let (place, program) = telemetry(&python, instrumentations, "http");
        place.run_script(program, "anthropic_calls.py");
        // OpenInference does not tell what is kept in the cache for an hour, which costs more.
        let cost = if instrumentations.concat().contains("openinference") {
            "0.006432"
        } else {
            MESSAGES.2[2]
        };
        let [calls, tokens, _] = MESSAGES.2;
        place.assert_counted(&[(MESSAGES.0, MESSAGES.1, [calls, tokens, cost])]);
    }
}

#[test]
fn agents_of_pydantic_ai_are_counted_by_their_calls() {
    let Some(python) = installed_tool(PYTHON) else { return };
    let (place, program) = telemetry(&python, &["pydantic_ai"], "http");
    place.run_script(program, "pydantic_calls.py");
    place.assert_counted(&[
        ("openai", "gpt-4o-2024-08-06", ["1", "22", "0.0001175"]),
        RESPONSE,
        ("anthropic", "claude-sonnet-4-5", ["1", "4369", "0.003666"]),
    ]);
}

#[test]
fn cloudevents_of_their_sdk_are_counted() {
    let Some(python) = installed_tool(PYTHON) else { return };
    let place = ProducerPlace::start();
    let shown = PageSection::of("CloudEvents").text("to_structured_event", place.repeated(), "");
    let calls = "print([send(number) for number in (1, 2, 1)])";
    place.write("events.py", format!("{shown}\n{calls}\n"));
    let done = run(place.plain_program(&python).env("KEY", &place.key).arg("events.py"));
    assert_eq!(done.status, 0, "{done:?}");
    place.assert_counted(&[("openai", "gpt-4o", ["2", "44", "0.000245"])]);
}
