//! Coding agents, and what they keep.

use super::page::PageSection;
use super::place::ProducerPlace;
use crate::support::process::{run, tokenlake};
use crate::support::tools::installed_tool;

#[test]
fn claude_code_is_counted_by_its_log_and_once_with_its_transcript() {
    let Some(claude) = installed_tool("agents/node_modules/.bin/claude") else { return };
    let place = ProducerPlace::start();
    let done = run(place
        .program("Claude Code", place.repeated(), &claude)
        .env("ANTHROPIC_API_KEY", "none")
        .env("ANTHROPIC_BASE_URL", place.providers())
        .args(["--model", "claude-sonnet-4-5", "-p", "a secret that was said"]));
    assert_eq!(done.status, 0, "{done:?}");
    let calls = place.messages();
    let counts = [calls.to_string(), (calls * 4369).to_string(), format!("0.{:06}", calls * 3666)];
    let expected = [("anthropic", "claude-sonnet-4-5", counts.each_ref().map(String::as_str))];
    place.assert_counted(&expected);
    let projects = place.home.path().join(".claude/projects");
    let history = ["--org", "acme", "--format", "claude-code", projects.to_str().unwrap()];
    let done = tokenlake(place.archive.path(), &[&["backfill"], &history[..]].concat());
    assert!(done.stdout.contains(r#""accepted":0,"duplicates":"#), "{done:?}");
    assert!(!done.stdout.contains(r#""duplicates":0"#), "{done:?}");
    place.assert_counted(&expected);
}

#[test]
fn codex_is_counted_by_its_log_or_by_its_rollout() {
    let Some(codex) = installed_tool("agents/node_modules/.bin/codex") else { return };
    let place = ProducerPlace::start();
    let shown = PageSection::of("Codex").text("[otel", place.repeated(), &place.key);
    let config = format!(
        "model = \"gpt-5-codex\"\nmodel_provider = \"here\"\n\
         [model_providers.here]\nname = \"here\"\nbase_url = \"{}/v1\"\nenv_key = \"NO_KEY\"\n\
         wire_api = \"responses\"\n{shown}",
        place.providers(),
    );
    place.write(".codex/config.toml", config);
    let ask = ["exec", "--skip-git-repo-check", "a secret that was said"];
    let done = run(place.plain_program(&codex).env("NO_KEY", "none").args(ask));
    assert_eq!(done.status, 0, "{done:?}");
    place.assert_counted(&[("openai", "gpt-5-codex", ["1", "120", "0.0002575"])]);
    let rollouts = place.home.path().join(".codex/sessions");
    let history = ["--org", "globex", "--format", "codex", rollouts.to_str().unwrap()];
    for counts in [r#""accepted":1,"#, r#""accepted":0,"#] {
        let done = tokenlake(place.archive.path(), &[&["backfill"], &history[..]].concat());
        assert!(done.status == 0 && done.stdout.contains(counts), "{done:?}");
    }
}

#[test]
fn gemini_cli_is_counted_by_its_log() {
    let Some(gemini) = installed_tool("agents/node_modules/.bin/gemini") else { return };
    let place = ProducerPlace::start();
    let settings = PageSection::of("Gemini CLI").text("telemetry", place.repeated(), &place.key);
    place.write(".gemini/settings.json", settings);
    let done = run(place
        .program("Gemini CLI", place.repeated(), &gemini)
        .env("GEMINI_API_KEY", "none")
        .env("GOOGLE_GEMINI_BASE_URL", place.providers())
        .args(["--skip-trust", "-m", "gemini-2.5-pro", "-p", "a secret that was said"]));
    assert_eq!(done.status, 0, "{done:?}");
    place.assert_counted(&[("gcp.gen_ai", "gemini-2.5-pro", ["1", "950", "0.00095"])]);
}
