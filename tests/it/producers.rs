//! Tests with programs that people meter: coding agents and instrumentations, as their makers publish
//! them, with the settings that `docs/producers.md` shows. They ask providers that answer from this
//! machine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::{TempDir, tempdir};

use crate::support::client;
use crate::support::poll;
use crate::support::process::{Server, key, passed_over, run, tokenlake};
use crate::support::tools;

/// Exporters send what they have when their program ends.
const SEND_MAX: Duration = Duration::from_secs(30);

/// A file below the folder in which `tests/setup` puts programs; none where it could not.
fn tool(path: &str) -> Option<PathBuf> {
    let tool = tools::tool(path)?;
    let why = || passed_over(format_args!("{path} is not installed (see tests/setup)"));
    (tool.exists() || why()).then_some(tool)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/producers").join(name)
}

/// Providers of models.
struct Providers {
    child: Child,
    url: String,
}

impl Providers {
    fn start() -> Self {
        let mut command = Command::new("python3");
        command.arg(script("provider.py")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, url: format!("http://127.0.0.1:{}", port.trim()) }
    }

    /// How many of Anthropic's messages were asked for: Claude Code asks for some of its own accord.
    fn messages(&self) -> u64 {
        client::get(&format!("{}/calls", self.url), "").text().parse().unwrap()
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server, a key of `acme`, and a home for programs.
struct Place {
    archive: TempDir,
    home: TempDir,
    server: Server,
    key: String,
    providers: Providers,
}

impl Place {
    fn start() -> Self {
        let archive = tempdir().unwrap();
        let key = key(archive.path(), "acme");
        let server = Server::start(archive.path());
        let (home, providers) = (tempdir().unwrap(), Providers::start());
        Self { archive, home, server, key, providers }
    }

    /// A program with nothing of the caller's settings but where programs are.
    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.home.path());
        command.current_dir(self.home.path());
        command
    }

    /// Waits until a model has so many calls, tokens and dollars, and then for more that may come.
    #[track_caller]
    fn assert_counted(&self, provider: &str, model: &str, expected: [&str; 3]) {
        let labels = format!(r#"{{provider="{provider}",model="{model}",org_id="acme"}}"#);
        let counted = || {
            let text = client::get(&self.server.url("/metrics"), &self.key);
            let text = text.text().to_owned();
            ["requests", "tokens", "cost_usd"].map(|what| {
                let name = format!("llm_{what}_total{labels} ");
                let line = text.lines().find_map(|line| line.strip_prefix(&name));
                line.unwrap_or("-").to_owned()
            })
        };
        poll(SEND_MAX, "the calls are counted", || (counted()[0] != "-").then_some(()));
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(counted(), expected);
        let query = ["sql", "--format", "ndjson", "-c", "select * from events"];
        let rows = tokenlake(self.archive.path(), &query).stdout;
        assert!(!rows.contains("secret") && !rows.contains("hello"), "{rows}");
    }
}

#[test]
fn claude_code_is_counted_by_its_log_and_once_with_its_transcript() {
    let Some(claude) = tool("agents/node_modules/.bin/claude") else { return };
    let place = Place::start();
    let done = run(place
        .program(&claude)
        .env("ANTHROPIC_API_KEY", "none")
        .env("ANTHROPIC_BASE_URL", &place.providers.url)
        .env("CLAUDE_CODE_ENABLE_TELEMETRY", "1")
        .env("OTEL_LOGS_EXPORTER", "otlp")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", place.server.url(""))
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("Authorization=Bearer {}", place.key))
        .args(["--model", "claude-sonnet-4-5", "-p", "a secret that was said"]));
    assert_eq!(done.status, 0, "{done:?}");
    let calls = place.providers.messages();
    let expected =
        [calls.to_string(), (calls * 4369).to_string(), format!("0.{:06}", calls * 3666)];
    let expected = expected.each_ref().map(String::as_str);
    place.assert_counted("anthropic", "claude-sonnet-4-5", expected);
    let projects = place.home.path().join(".claude/projects");
    let history = ["--org", "acme", "--format", "claude-code", projects.to_str().unwrap()];
    let done = tokenlake(place.archive.path(), &[&["backfill"], &history[..]].concat());
    assert!(done.stdout.contains(r#""accepted":0,"duplicates":"#), "{done:?}");
    assert!(!done.stdout.contains(r#""duplicates":0"#), "{done:?}");
    place.assert_counted("anthropic", "claude-sonnet-4-5", expected);
}

#[test]
fn codex_is_counted_by_its_log_or_by_its_rollout() {
    let Some(codex) = tool("agents/node_modules/.bin/codex") else { return };
    let place = Place::start();
    let folder = place.home.path().join(".codex");
    fs::create_dir(&folder).unwrap();
    let config = format!(
        "model = \"gpt-5-codex\"\nmodel_provider = \"here\"\n\
         [model_providers.here]\nname = \"here\"\nbase_url = \"{}/v1\"\nenv_key = \"NO_KEY\"\n\
         wire_api = \"responses\"\n\
         [otel]\nexporter = {{ otlp-http = {{ endpoint = \"{}\", protocol = \"binary\", headers = \
         {{ \"Authorization\" = \"Bearer {}\" }} }} }}\n",
        place.providers.url,
        place.server.url("/v1/logs"),
        place.key
    );
    fs::write(folder.join("config.toml"), config).unwrap();
    let ask = ["exec", "--skip-git-repo-check", "a secret that was said"];
    let done = run(place.program(&codex).env("NO_KEY", "none").args(ask));
    assert_eq!(done.status, 0, "{done:?}");
    place.assert_counted("openai", "gpt-5-codex", ["1", "120", "0.0002575"]);
    let rollouts = folder.join("sessions");
    let history = ["--org", "globex", "--format", "codex", rollouts.to_str().unwrap()];
    for counts in [r#""accepted":1,"#, r#""accepted":0,"#] {
        let done = tokenlake(place.archive.path(), &[&["backfill"], &history[..]].concat());
        assert!(done.status == 0 && done.stdout.contains(counts), "{done:?}");
    }
}

#[test]
fn gemini_cli_is_counted_by_its_log() {
    let Some(gemini) = tool("agents/node_modules/.bin/gemini") else { return };
    let place = Place::start();
    let folder = place.home.path().join(".gemini");
    fs::create_dir(&folder).unwrap();
    let settings = serde_json::json!({
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "telemetry": {"enabled": true, "target": "local", "otlpProtocol": "http",
            "otlpEndpoint": place.server.url(""), "logPrompts": false},
    });
    fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
    let done = run(place
        .program(&gemini)
        .env("GEMINI_API_KEY", "none")
        .env("GOOGLE_GEMINI_BASE_URL", &place.providers.url)
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("Authorization=Bearer%20{}", place.key))
        .args(["--skip-trust", "-m", "gemini-2.5-pro", "-p", "a secret that was said"]));
    assert_eq!(done.status, 0, "{done:?}");
    place.assert_counted("gcp.gen_ai", "gemini-2.5-pro", ["1", "950", "0.00095"]);
}

#[test]
fn instrumentations_are_counted_by_http_and_by_grpc() {
    let Some(python) = tool("producers/bin/python") else { return };
    for instrumentation in ["openllmetry", "openinference"] {
        for protocol in ["http/protobuf", "grpc"] {
            let place = Place::start();
            let headers = format!("Authorization=Bearer%20{}", place.key);
            let done = run(place
                .program(&python)
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", place.server.url(""))
                .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .env("OTEL_EXPORTER_OTLP_HEADERS", headers)
                .arg(script("sdk.py"))
                .args([instrumentation, &place.providers.url]));
            assert_eq!(done.status, 0, "{instrumentation} {protocol}: {done:?}");
            place.assert_counted("openai", "gpt-4o-2024-08-06", ["3", "66", "0.0003525"]);
        }
    }
}
