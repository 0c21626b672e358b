//! Corrections of costs: who may send them, what they must say, and what of them is shown.

use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use super::{Acme, counts, rejected};
use crate::support::client::{self, Answer};
use crate::support::events::event;
use crate::support::issuer::{Signer, claims};
use crate::support::process::{Server, key_with, tokenlake};
use crate::support::scrape::scrape;

const BOTH: &str = "events:write,corrections:write";

/// A correction with some of its members changed.
fn correction(id: &str, changes: &Value) -> Value {
    let mut event = json!({
        "event_id": id, "event_type": "cost_correction", "ts": SystemClock.now() / SECOND - 60,
        "provider": "openai", "model": "gpt-4o", "cost_usd": "-0.25",
        "attributes": {"corrects": "a"},
    });
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn post(server: &Server, key: &str, events: &[Value]) -> Answer {
    let body = serde_json::to_vec(events).unwrap();
    client::post(&server.url("/v1/events"), key, "application/json", body)
}

/// The reason why one event is rejected.
fn reason(answer: &Answer) -> String {
    assert_eq!(answer.status, 422, "{}", answer.text());
    rejected(&answer.json())[0]["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_correction_needs_its_own_scope_and_its_neighbours_do_not() {
    let acme = Acme::start();
    let call: Value = serde_json::from_str(&event("a")).unwrap();
    let events = [call, correction("c", &json!({})), correction("d", &json!({"cost_usd": 1}))];
    let answer = post(&acme.server, &acme.key, &events);
    assert_eq!((answer.status, counts(&answer)), (200, (1, 0, 2)));
    for (at, rejection) in (1..).zip(rejected(&answer.json())) {
        assert_eq!(rejection["index"], at);
        assert!(rejection["error"].as_str().unwrap().contains("corrections:write"), "{rejection}");
    }
    let key = |scopes| key_with(acme.archive.path(), "acme", &["--scope", scopes]);
    assert_eq!(counts(&post(&acme.server, &key(BOTH), &events)), (2, 1, 0));
    for alone in ["corrections:write", "corrections:write,sql:read"] {
        assert_eq!(post(&acme.server, &key(alone), &events).status, 403, "{alone}");
    }
    let usual = post(&acme.server, &key("events:write"), &events);
    assert_eq!(counts(&usual), (0, 1, 2));
    // By every other door, too.
    let cloud = json!({
        "specversion": "1.0", "id": "x", "source": "s", "type": "t",
        "data": correction("e", &json!({})),
    });
    let cloud = |key: &str| {
        let url = acme.server.url("/v1/events");
        client::post(&url, key, "application/cloudevents+json", cloud.to_string())
    };
    assert!(reason(&cloud(&acme.key)).contains("corrections:write"));
    assert_eq!(counts(&cloud(&key(BOTH))), (1, 0, 0));
}

#[test]
fn no_key_has_the_scope_unless_it_is_told_and_a_jwt_by_its_claim() {
    let folder = tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let archive = folder.path().join("archive");
    let args = ["serve", "--jwt-secret-file", secret.to_str().unwrap()];
    let server = Server::start_with(&archive, &args);
    let signer = Signer::hs256(b"0123456789abcdef0123456789abcdef");
    let ask = |scope: &str, id: &str| {
        let jwt = signer.sign(&claims(scope, 600));
        post(&server, &jwt, &[correction(id, &json!({}))])
    };
    assert!(reason(&ask("events:write", "a")).contains("corrections:write"));
    assert_eq!(counts(&ask("events:write corrections:write", "a")), (1, 0, 0));
    key_with(&archive, "acme", &[]);
    key_with(&archive, "acme", &["--scope", BOTH]);
    let listed = tokenlake(&archive, &["key", "list", "--format", "json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let scopes: Vec<_> =
        listed.as_array().unwrap().iter().map(|key| key["scopes"].clone()).collect();
    assert!(scopes.contains(&json!(["metrics:read", "events:write", "sql:read"])), "{listed}");
    assert!(scopes.contains(&json!(["events:write", "corrections:write"])), "{listed}");
}

#[test]
fn what_is_no_correction_is_rejected_with_the_reason() {
    let acme = Acme::start();
    let key = key_with(acme.archive.path(), "acme", &["--scope", BOTH]);
    for (changes, word) in [
        (json!({"cost_usd": null}), "cost_usd: missing"),
        (json!({"cost_usd": "-1000000"}), "not above -1000000"),
        (json!({"cost_usd": "1000000"}), "not below 1000000"),
        (json!({"cost_usd": "-1e400"}), "not above"),
        (json!({"cost_usd": "x"}), "not a decimal"),
        (json!({"input_tokens": 1}), "input_tokens: 1"),
        (json!({"output_tokens": "2"}), "output_tokens: 2"),
        (json!({"cached_input_tokens": 1}), "cached_input_tokens"),
        (json!({"attributes": null}), "corrects"),
        (json!({"attributes": {"corrects": " "}}), "corrects"),
        (json!({"attributes": {"corrects": null}}), "corrects"),
        (json!({"attributes": {"Corrects": "a"}}), "corrects"),
        (json!({"event_type": "cost_correction "}), "is negative"),
        (json!({"event_type": "api_call"}), "is negative"),
        (json!({"event_type": "refund"}), "is negative"),
        (json!({"event_type": null}), "is negative"),
    ] {
        let answer = post(&acme.server, &key, &[correction("x", &changes)]);
        let reason = reason(&answer);
        assert!(reason.contains(word) && !reason.contains('\n'), "{changes}: {reason}");
    }
    let good = [
        json!({"cost_usd": "-999999.999999999999"}),
        json!({"cost_usd": 999_999.5}),
        json!({"cost_usd": "0"}),
        json!({"input_tokens": 0, "output_tokens": "0", "reasoning_tokens": 0}),
        json!({"attributes": null, "corrects": "a field that no column names"}),
        json!({"provider": null, "model": null}),
    ];
    for (at, changes) in good.iter().enumerate() {
        let answer = post(&acme.server, &key, &[correction(&at.to_string(), changes)]);
        assert_eq!(counts(&answer), (1, 0, 0), "{changes}: {}", answer.text());
        let again = post(&acme.server, &key, &[correction(&at.to_string(), changes)]);
        assert_eq!(counts(&again), (0, 1, 0), "{changes}");
    }
}

#[test]
fn corrections_are_rows_with_their_sign_and_no_calls() {
    let acme = Acme::start();
    let (archive, key) =
        (acme.archive.path(), key_with(acme.archive.path(), "acme", &["--scope", BOTH]));
    let call: Value = serde_json::from_str(&event("a")).unwrap();
    assert_eq!(counts(&post(&acme.server, &acme.key, &[call])), (1, 0, 0));
    let requests = |server: &Server| {
        let mut series = scrape(server, &acme.key);
        series.retain(|name, _| name.starts_with("llm_requests") || name.starts_with("llm_tokens"));
        series
    };
    let before = requests(&acme.server);
    assert_eq!(before.len(), 2);
    let down = correction("down", &json!({"cost_source": "price:mine#1"}));
    let up = correction("up", &json!({"cost_usd": "0.000000000001"}));
    assert_eq!(counts(&post(&acme.server, &key, &[down, up])), (2, 0, 0));
    assert_eq!(requests(&acme.server), before);
    let rows = "SELECT event_id, cost_usd, cost_source, attributes['corrects'] AS corrects, \
                input_tokens, reasoning_tokens FROM events \
                WHERE event_type = 'cost_correction' ORDER BY cost_usd";
    let sums = "SELECT CAST(sum(cost_usd) AS decimal(18, 12)) AS cost, count(*) AS n FROM events \
                WHERE event_type <> 'api_call' AND cost_usd < 1";
    let ask = |query: &str| {
        let done = tokenlake(archive, &["sql", "--format", "json", "-c", query]);
        assert_eq!(done.status, 0, "{done:?}");
        serde_json::from_str::<Value>(&done.stdout).unwrap()
    };
    let shown = |id: &str, cost: &str| {
        json!({
            "event_id": id, "cost_usd": cost, "cost_source": "reported", "corrects": "a",
            "input_tokens": 0, "reasoning_tokens": null,
        })
    };
    let expected = json!([shown("down", "-0.25"), shown("up", "0.000000000001")]);
    let net = json!([{"cost": "-0.249999999999", "n": 2}]);
    for _ in 0..2 {
        assert_eq!((ask(rows), ask(sums)), (expected.clone(), net.clone()));
        assert_eq!(ask("SELECT sum(requests) AS n FROM usage_hourly")[0]["n"], 1);
        let own = client::post(&acme.server.url("/v1/sql"), &acme.key, "text/plain", sums);
        assert_eq!(own.json(), net);
        assert_eq!(tokenlake(archive, &["verify"]).status, 0);
        assert_eq!(tokenlake(archive, &["compact"]).status, 0);
    }
    assert_eq!(requests(&acme.server), before);
}
