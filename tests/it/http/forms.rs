//! Tests of the formats of a body, and of bodies in no known format.

use std::fmt::Write as _;

use super::{Acme, counts, rejected};
use crate::support::events::{counted, event};
use crate::support::process::Server;

#[test]
fn events_come_alone_in_arrays_in_objects_and_in_lines() {
    let acme = Acme::start();
    let (a, b) = (event("a"), event("b"));
    let lines = format!("\n{}\r\n\n  \n{}", event("e"), event("f"));
    for (content_type, body, accepted) in [
        ("application/json", a, 1),
        ("application/json; charset=UTF-8", format!("[{b},{}]", event("c")), 2),
        ("application/json", format!(r#" {{"events":[{}]}} "#, event("d")), 1),
        ("application/x-ndjson", lines, 2),
        ("APPLICATION/X-NDJSON", format!("{}\n", event("g")), 1),
    ] {
        let answer = acme.post(content_type, body.clone());
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        assert_eq!(counts(&answer), (accepted, 0, 0), "{body}");
    }
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 7);
}

#[test]
fn an_empty_list_is_fine() {
    let acme = Acme::start();
    for (content_type, body) in [
        ("application/json", "[]"),
        ("application/json", r#"{"events":[]}"#),
        ("application/x-ndjson", ""),
        ("application/x-ndjson", "\n \n"),
        ("application/cloudevents-batch+json", "[]"),
    ] {
        let answer = acme.post(content_type, body);
        assert_eq!((answer.status, counts(&answer)), (200, (0, 0, 0)), "{content_type} {body}");
    }
}

#[test]
fn what_is_neither_event_nor_list_is_400() {
    let acme = Acme::start();
    let bodies = [
        "",
        " ",
        "{",
        "[",
        "]",
        "nope",
        "NaN",
        "42",
        "-1",
        "\"text\"",
        "null",
        "true",
        "[{}",
        "[{},]",
        "{}{}",
        "[] []",
        "{\"a\":1,}",
        "'x'",
        "\u{feff}[]x",
        "{\"events\":3}",
        "{\"events\":\"x\"}",
        "{\"events\":[{\"event_id\":\"1\",\"ts\":1768471200}],\"events\":[]}",
    ];
    for body in bodies {
        let answer = acme.post_json(body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.json()["error"].is_string(), "{body}");
    }
    for body in [&b"[\"\xff\"]"[..], b"\xff\xfe", b"\x00", b"\x1f\x8b\x08\x00"] {
        assert_eq!(acme.post_json(body).status, 400, "{body:?}");
    }
    for body in ["", "42", "{", "[]"] {
        assert_eq!(acme.post("application/cloudevents+json", body).status, 400, "{body}");
    }
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 0);
}

#[test]
fn deep_nesting_hurts_nobody() {
    let acme = Acme::start();
    let depth = 200_000;
    for (open, close) in [("[", "]"), ("{\"events\":", "}"), ("{\"a\":[", "]}")] {
        for body in [open.repeat(depth), open.repeat(depth) + "1" + &close.repeat(depth)] {
            for content_type in ["application/json", "application/x-ndjson"] {
                let answer = acme.post(content_type, body.clone());
                assert!([400, 422].contains(&answer.status), "{open}: {}", answer.status);
            }
        }
    }
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let body = format!("{deep}\n{}", event("beside"));
    assert_eq!(counts(&acme.post("application/x-ndjson", body)).0, 1);
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 1);
}

#[test]
fn a_broken_line_fails_alone_and_events_are_counted_from_0() {
    let acme = Acme::start();
    let lines = [&event("a"), "", "{\"event_id\":\"b\"", "42", " ", &event("c"), "\"x\"", "[]"];
    let mut body = lines.join("\n").into_bytes();
    body.extend(b"\n{\"event_id\":\"\xff\"}\n");
    let answer = acme.post("application/x-ndjson", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let receipt = answer.json();
    assert_eq!((receipt["accepted"].as_u64(), receipt["duplicates"].as_u64()), (Some(2), Some(0)));
    let indexes: Vec<_> = rejected(&receipt).iter().map(|one| one["index"].as_u64()).collect();
    assert_eq!(indexes, [1, 2, 4, 5, 6].map(Some), "{receipt}");
}

#[test]
fn other_types_and_codings_are_415() {
    let acme = Acme::start();
    for content_type in ["text/plain", "text/json", "application/xml", "multipart/form-data", "x"] {
        assert_eq!(acme.post(content_type, event("a")).status, 415, "{content_type}");
    }
    assert_eq!(acme.post("application/json; charset=latin1", event("a")).status, 415);
    assert_eq!(acme.post_with(&[], event("a")).status, 415);
    for coding in ["br", "deflate", "compress", "gzip, br", "x"] {
        let headers = [("content-type", "application/json"), ("content-encoding", coding)];
        assert_eq!(acme.post_with(&headers, event("a")).status, 415, "{coding}");
    }
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 0);
}

#[test]
fn more_than_400_dates_in_a_request_are_422() {
    let acme = Acme::start();
    let body = |days: u64| {
        let mut lines = String::new();
        for day in 0..days {
            writeln!(lines, r#"{{"event_id":"d{day}","ts":{}}}"#, 1_600_000_000 + day * 86_400)
                .unwrap();
        }
        lines
    };
    let answer = acme.post("application/x-ndjson", body(401));
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("backfill"), "{}", answer.text());
    assert_eq!(counts(&acme.post("application/x-ndjson", body(40))), (40, 0, 0));
}

#[test]
fn the_same_event_counts_once_in_a_request_a_retry_another_server_and_after_a_restart() {
    let acme = Acme::start();
    let body = format!("[{},{},{}]", event("a"), event("b"), event("a"));
    assert_eq!(counts(&acme.post_json(body.clone())), (2, 1, 0));
    assert_eq!(counts(&acme.post_json(body)), (0, 3, 0));
    let url = |server: &Server| server.url("/v1/events");
    let other = Server::start(acme.archive.path());
    let both = format!("{}\n{}", event("b"), event("c"));
    let kind = "application/x-ndjson";
    let answer = crate::support::client::post(&url(&other), &acme.key, kind, both.clone());
    assert_eq!(counts(&answer), (1, 1, 0));
    let Acme { archive, server, key } = acme;
    assert_eq!(counted(&server, &key, "acme"), 3);
    drop((server, other));
    let server = Server::start(archive.path());
    // The first one stands, whatever the second says. A neighbouring date is the same event.
    let changed = both.replace("10:00:00", "23:59:59").replace("0.25", "99") + "\n";
    let moved = changed.replace("2024-05-01", "2024-05-02");
    for body in [changed, moved] {
        let answer = crate::support::client::post(&url(&server), &key, kind, body);
        assert_eq!(counts(&answer), (0, 2, 0));
    }
    assert_eq!(counted(&server, &key, "acme"), 3);
    let cost = r#"llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme"}"#;
    assert_eq!(crate::support::scrape::scrape(&server, &key)[cost], "0.75");
}
