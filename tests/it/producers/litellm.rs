//! LiteLLM's SDK and its proxy.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::page::PageSection;
use super::place::{KilledChild, ProducerPlace};
use crate::support::tools::installed_tool;
use crate::support::{client, poll};

const SECTION: &str = "LiteLLM";
/// It imports a lot.
const START_MAX: Duration = Duration::from_secs(240);
/// By then its callback has sent what it has.
const SENT: Duration = Duration::from_secs(8);

/// With its own prices, which it would fetch otherwise.
fn local(mut program: Command) -> Command {
    program.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    program
}

/// A program of LiteLLM with the environment that the page shows.
fn program(place: &ProducerPlace, name: &str) -> Option<Command> {
    let program = installed_tool(&format!("litellm-1/bin/{name}"))?;
    Some(local(place.program(SECTION, place.repeated(), &program)))
}

#[test]
fn its_sdk_is_counted_by_its_callback() {
    let place = ProducerPlace::start();
    let Some(program) = program(&place, "python") else { return };
    place.write("callback.py", PageSection::of(SECTION).text("litellm.callbacks =", "", ""));
    place.run_script(program, "litellm_calls.py");
    place.assert_counted(&[
        ("openai", "gpt-4o", ["1", "22", "0.0001175"]),
        ("anthropic", "claude-sonnet-4-5", ["1", "4369", "0.003666"]),
    ]);
}

/// Starts the proxy, and waits until it answers; gives its address.
fn start(place: &ProducerPlace, mut proxy: Command) -> (KilledChild, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    proxy.args(["--config", "config.yaml", "--host", "127.0.0.1"]);
    proxy.args(["--port", &free.port().to_string()]);
    proxy.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
    let log = fs::File::create(place.home.path().join("log")).unwrap();
    proxy.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let proxy = KilledChild(proxy.spawn().unwrap());
    poll(START_MAX, "LiteLLM's proxy starts", || {
        let answer = client::try_send("GET", &format!("{url}/health/liveliness"), &[], Vec::new());
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    (proxy, url)
}

/// Starts the proxy with the block of the page that has this piece.
fn start_with(place: &ProducerPlace, program: Command, piece: &str) -> (KilledChild, String) {
    let shown = PageSection::of(SECTION).text(piece, place.repeated(), &place.key);
    let url = place.providers();
    let model = |name: &str, model: &str, path: &str| {
        let params = format!("{{model: {model}, api_base: {url}{path}, api_key: none}}");
        format!("- model_name: {name}\n  litellm_params: {params}\n")
    };
    let models = [
        model("gpt-4o", "openai/gpt-4o", "/v1"),
        model("claude", "anthropic/claude-sonnet-4-5", ""),
    ];
    place.write("config.yaml", format!("model_list:\n{}{shown}", models.concat()));
    start(place, program)
}

/// Asks for a call.
fn ask(proxy: &str, path: &str, model: &str, stream: bool) {
    let body = json!({
        "model": model, "stream": stream, "max_tokens": 64,
        "messages": [{"role": "user", "content": "a secret that was said"}],
    });
    let url = format!("{proxy}/v1/{path}");
    let answer = client::post(&url, "none", "application/json", body.to_string());
    assert_eq!(answer.status, 200, "{path} {model}: {}", answer.text());
}

#[test]
fn its_proxy_is_counted_by_its_callback() {
    let place = ProducerPlace::start();
    let Some(program) = program(&place, "litellm") else { return };
    let (_proxy, url) = start_with(&place, program, "callbacks: [\"generic_api\"]");
    for (number, (path, model, stream)) in (1..).zip([
        ("chat/completions", "gpt-4o", false),
        ("chat/completions", "gpt-4o", true),
        ("chat/completions", "claude", false),
        ("messages", "claude", false),
    ]) {
        ask(&url, path, model, stream);
        // Its callback loses what comes while it sends.
        poll(START_MAX, "the call is there", || {
            (place.rows().lines().count() == number).then_some(())
        });
    }
    place.assert_counted(&[
        ("openai", "gpt-4o", ["2", "44", "0.000235"]),
        ("anthropic", "claude-sonnet-4-5", ["2", "8738", "0.007332"]),
    ]);
}

#[test]
fn its_proxy_tries_again_if_it_is_told_to() {
    let place = ProducerPlace::start();
    let Some(program) = installed_tool("litellm-1/bin/litellm") else { return };
    let (_proxy, url) =
        start_with(&place, local(place.plain_program(&program)), "callback_settings");
    let archive = place.archive.path();
    let away = archive.with_extension("away");
    fs::rename(archive, &away).unwrap();
    ask(&url, "chat/completions", "gpt-4o", false);
    std::thread::sleep(SENT);
    fs::rename(&away, archive).unwrap();
    place.assert_counted(&[("openai", "gpt-4o", ["1", "22", "0.0001175"])]);
}
