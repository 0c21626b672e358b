//! OpenTelemetry's SDK for JavaScript with an instrumentation, and Vercel's AI SDK.

use std::path::Path;
use std::process::Command;

use super::page::PageSection;
use super::place::ProducerPlace;
use crate::support::process::optional;
use crate::support::tools::installed_tool;

/// A place with a file that has the page's block with this piece, and a Node that loads it first.
fn telemetry(piece: &str, file: &str, load: &str) -> Option<(ProducerPlace, Command)> {
    let modules = installed_tool("producers-js-1/node_modules")?;
    if !optional("node") {
        return None;
    }
    let place = ProducerPlace::start();
    place.link_modules(&modules);
    place.write(file, PageSection::of("JavaScript").text(piece, "", ""));
    let mut program = place.program("OpenTelemetry", place.repeated(), Path::new("node"));
    program.args([load, &format!("./{file}")]);
    Some((place, program))
}

#[test]
fn the_instrumentation_of_openai_is_counted() {
    let found = telemetry("OpenAIInstrumentation", "telemetry.cjs", "--require");
    let Some((place, program)) = found else { return };
    place.run_script(program, "openai_calls.cjs");
    // It does not tell of cached tokens, which cost less.
    place.assert_counted(&[
        ("openai", "gpt-4o-2024-08-06", ["2", "44", "0.000245"]),
        ("openai", "gpt-5-codex", ["1", "120", "0.000325"]),
        ("openai", "text-embedding-3-small", ["1", "5", "0.0000001"]),
    ]);
}

#[test]
fn the_ai_sdk_of_vercel_is_counted_by_its_calls() {
    // The second one makes the spans that it made before its version 7.
    for spans in ["OpenTelemetry", "LegacyOpenTelemetry"] {
        let found = telemetry("@ai-sdk/otel", "telemetry.mjs", "--import");
        let Some((place, program)) = found else { return };
        let shown = PageSection::of("JavaScript").text("@ai-sdk/otel", "", "");
        let shown = shown.replace("{ OpenTelemetry }", &format!("{{ {spans} }}"));
        place.write("telemetry.mjs", shown.replace("new OpenTelemetry(", &format!("new {spans}(")));
        place.run_script(program, "vercel_calls.mjs");
        place.assert_counted(&[
            ("openai", "gpt-4o-2024-08-06", ["1", "22", "0.0001175"]),
            ("openai", "gpt-5-codex", ["1", "120", "0.0002575"]),
            ("openai", "text-embedding-3-small", ["2", "10", "0.0000002"]),
        ]);
    }
}
