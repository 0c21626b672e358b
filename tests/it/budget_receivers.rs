//! Spend alerts as their receivers take them: libraries of Standard Webhooks, the types that Slack and
//! PagerDuty publish, and a real Alertmanager.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use crate::support::alertmanager;
use crate::support::client;
use crate::support::poll;
use crate::support::process::{Server, key, optional, passed_over, run, tokenlake};
use crate::support::tools::tool;
use crate::support::webhook::{Told, Webhook, place};

/// How long a message may take on a busy machine.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// A month whose end every alert knows.
const BUDGET: [&str; 8] =
    ["--org", "acme", "--amount", "10", "--period", "month", "--threshold", "80"];

/// Where `tests/setup` has put libraries of receivers; none where it could not.
fn receivers() -> Option<PathBuf> {
    let folder = tool("receivers-1")?;
    let why = || passed_over("libraries of receivers are not installed (tests/setup)");
    (folder.join("node_modules/typescript").exists() || why()).then_some(folder)
}

/// Runs `tokenlake budget` with a webhook that is allowed; what it prints.
fn budget(archive: &TempDir, url: &str, args: &[&str]) -> String {
    let allowed = place(url);
    let more = ["--webhook-allow", &allowed];
    let done = tokenlake(archive.path(), &[&["budget"], args, &more].concat());
    assert_eq!(done.status, 0, "{done:?}");
    done.stdout.trim_end().to_owned()
}

/// Sets a budget of a kind; its secret.
fn set(archive: &TempDir, url: &str, kind: &[&str]) -> String {
    budget(archive, url, &[&["set", "all", "--webhook", url], &BUDGET[..], kind].concat())
}

/// A server that may call `url`, and has spent enough of the budget.
fn spent(archive: &TempDir, url: &str) -> Server {
    let key = key(archive.path(), "acme");
    let allowed = place(url);
    let server = Server::start_with(archive.path(), &["serve", "--webhook-allow", &allowed]);
    let event = json!({
        "event_id": "1", "ts": SystemClock.now(), "provider": "openai", "model": "<!channel>",
        "cost_usd": "8.25",
    });
    let sent = client::post(&server.url("/v1/events"), &key, "application/json", event.to_string());
    assert_eq!(sent.status, 200, "{}", sent.text());
    server
}

/// The message of a test, and that of a threshold.
fn messages(kind: &[&str]) -> [Told; 2] {
    let (archive, webhook) = (tempdir().unwrap(), Webhook::start());
    set(&archive, &webhook.url, kind);
    budget(&archive, &webhook.url, &["test", "all", "--org", "acme"]);
    let test = webhook.told.recv_timeout(TOLD_WITHIN).unwrap();
    let _server = spent(&archive, &webhook.url);
    [test, webhook.told.recv_timeout(TOLD_WITHIN).unwrap()]
}

/// Verifies a message by the library on crates.io.
fn verified_by_rust(secret: &str, told: &Told) -> bool {
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, told.headers[name].parse().unwrap());
    }
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    webhook.verify(told.body.as_bytes(), &headers).is_ok()
}

/// The same by the one on PyPI; `None` if it is not installed.
fn verified_by_python(secret: &str, told: &Told) -> Option<bool> {
    const SCRIPT: &str = "\
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
secret, headers, body = json.load(open(sys.argv[1]))
try:
    Webhook(secret).verify(body, headers)
    print('verified')
except WebhookVerificationError as error:
    print('refused:', error)
";
    let folder = tempdir().unwrap();
    let asked = folder.path().join("asked.json");
    fs::write(&asked, json!([secret, told.headers, told.body]).to_string()).unwrap();
    let mut python = Command::new(receivers()?.join("python/bin/python"));
    let done = run(python.args(["-c", SCRIPT]).arg(asked));
    assert_eq!(done.status, 0, "{done:?}");
    Some(done.stdout.starts_with("verified"))
}

#[test]
fn signatures_are_verified_by_the_libraries_while_a_secret_is_rotated() {
    let (archive, webhook) = (tempdir().unwrap(), Webhook::start());
    let test = ["test", "all", "--org", "acme"];
    let first = set(&archive, &webhook.url, &[]);
    budget(&archive, &webhook.url, &test);
    let told = webhook.told.recv_timeout(TOLD_WITHIN).unwrap();
    let rotate = tokenlake(archive.path(), &["budget", "rotate", "all", "--org", "acme"]);
    let second = rotate.stdout.trim_end();
    budget(&archive, &webhook.url, &test);
    let rotated = webhook.told.recv_timeout(TOLD_WITHIN).unwrap();
    let forged = Told {
        headers: told.headers.clone(),
        body: told.body.replace("\"threshold\":80", "\"threshold\":81"),
    };
    assert_ne!(forged.body, told.body);
    for (secret, message, is_right) in [
        (first.as_str(), &told, true),
        (second, &told, false),
        (&first, &rotated, true),
        (second, &rotated, true),
        (&first, &forged, false),
    ] {
        assert_eq!(verified_by_rust(secret, message), is_right, "{message:?}");
        let by_python = verified_by_python(secret, message);
        assert!(by_python.is_none_or(|verified| verified == is_right), "{message:?}");
    }
}

#[test]
fn slack_and_pagerduty_have_the_types_that_they_publish() {
    let Some(folder) = receivers().filter(|_| optional("node")) else { return };
    let slack = messages(&["--kind", "slack"]);
    let pagerduty = messages(&["--kind", "pagerduty", "--routing-key", "R0"]);
    let mut source = String::from(
        "import type { KnownBlock } from \"@slack/types\";\n\
         import type { EventPayloadV2 } from \"@pagerduty/pdjs/build/src/events\";\n\
         type Incoming = { text: string; blocks: KnownBlock[] };\n",
    );
    for (kind, told) in [("Incoming", &slack), ("EventPayloadV2", &pagerduty)] {
        for (at, Told { body, .. }) in told.iter().enumerate() {
            source += &format!("export const {kind}{at}: {kind} = {body};\n");
        }
    }
    // Beside the types, since they are looked for upward from the file.
    let file = tempfile::Builder::new().suffix(".ts").tempfile_in(&folder).unwrap();
    let check = |source: &str| {
        fs::write(file.path(), source).unwrap();
        let flags = "--noEmit --strict --skipLibCheck --module nodenext";
        let mut tsc = Command::new(folder.join("node_modules/.bin/tsc"));
        run(tsc.args(flags.split(' ')).arg(file.path()).current_dir(&folder))
    };
    let done = check(&source);
    assert_eq!(done.status, 0, "{source}\n{}{}", done.stdout, done.stderr);
    // That the types are looked at.
    assert_ne!(check(&source.replace("\"trigger\"", "\"shout\"")).status, 0);
    assert_ne!(check(&source.replace("\"plain_text\"", "\"plain\"")).status, 0);
}

#[test]
fn a_real_alertmanager_takes_its_own() {
    if !optional(alertmanager::PROGRAM) {
        return;
    }
    let (archive, folder, webhook) = (tempdir().unwrap(), tempdir().unwrap(), Webhook::start());
    let config = format!(
        "route: {{receiver: us, group_wait: 0s}}\nreceivers: [{{name: us, webhook_configs: [{{url: '{}'}}]}}]\n",
        webhook.url
    );
    fs::write(folder.path().join("alertmanager.yml"), config).unwrap();
    let alertmanager = alertmanager::start(folder.path());
    let url = format!("http://{}/api/v2/alerts", alertmanager.address);
    set(&archive, &url, &["--kind", "alertmanager"]);
    let _server = spent(&archive, &url);
    let told = webhook.told.recv_timeout(TOLD_WITHIN).unwrap().json();
    let alert = &told["alerts"][0];
    let expected = json!({
        "alertname": "TokenlakeBudget", "org_id": "acme", "budget": "all", "period": "month",
        "threshold": "80", "severity": "warning",
    });
    assert_eq!((&alert["status"], &alert["labels"]), (&json!("firing"), &expected));
    let known = poll(TOLD_WITHIN, "Alertmanager knows the alert", || {
        let alerts: Value = client::send("GET", &url, &[], "").json();
        alerts.as_array().filter(|alerts| alerts.len() == 1).map(|alerts| alerts[0].clone())
    });
    // Until the month ends, not for Alertmanager's own five minutes.
    let ends = known["endsAt"].as_str().unwrap();
    let ends = chrono::DateTime::parse_from_rfc3339(ends).unwrap().timestamp();
    assert_eq!((ends % 86_400, ends > SystemClock.now() / SECOND), (0, true));
}
