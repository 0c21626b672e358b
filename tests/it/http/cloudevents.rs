//! Tests of CloudEvents: structured, in batches, in binary mode.

use super::{Acme, counts};
use crate::support::events::counted;

const DATA: &str = r#"{"provider":"openai","model":"gpt-4o","input_tokens":10,"cost_usd":"0.5"}"#;

/// A CloudEvent whose data has neither id nor time of its own.
fn envelope(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/gateway","type":"com.example.call","time":"2024-05-01T10:00:00Z","datacontenttype":"application/json","data":{DATA}}}"#
    )
}

fn binary(acme: &Acme, id: &str, data: &str) -> crate::support::client::Answer {
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", id),
        ("ce-source", "/gateway"),
        ("ce-type", "com.example.call"),
        ("ce-time", "2024-05-01T10:00:00Z"),
    ];
    acme.post_with(&headers, data)
}

#[test]
fn the_three_modes_give_the_same_events() {
    let acme = Acme::start();
    let structured = acme.post("application/cloudevents+json", envelope("1"));
    assert_eq!((structured.status, counts(&structured)), (200, (1, 0, 0)));
    let batch = format!("[{},{}]", envelope("1"), envelope("2"));
    let batch = acme.post("application/cloudevents-batch+json", batch);
    assert_eq!((batch.status, counts(&batch)), (200, (1, 1, 0)));
    assert_eq!(counts(&binary(&acme, "2", DATA)), (0, 1, 0));
    assert_eq!(counts(&binary(&acme, "3", DATA)), (1, 0, 0));
    // The identity is the source, a space and the id.
    let plain = r#"{"event_id":"/gateway 3","ts":"2024-05-01T10:00:00Z"}"#;
    assert_eq!(counts(&acme.post_json(plain)), (0, 1, 0));
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 3);
    let fresh = acme.get("/metrics?collect[]=freshness");
    assert!(fresh.text().contains(" 1714557600\n"), "{}", fresh.text());
}

#[test]
fn what_the_data_says_of_itself_wins() {
    let acme = Acme::start();
    let own = r#"{"event_id":"own","ts":"2024-05-02T00:00:00Z","#;
    let data = DATA.replacen('{', own, 1);
    assert_eq!(counts(&binary(&acme, "1", &data)), (1, 0, 0));
    assert_eq!(counts(&binary(&acme, "2", &data)), (0, 1, 0));
    let fresh = acme.get("/metrics?collect[]=freshness");
    assert!(fresh.text().contains(" 1714608000\n"), "{}", fresh.text());
}

#[test]
fn a_bad_cloudevent_fails_alone() {
    let acme = Acme::start();
    let bad = [
        envelope("x").replace(DATA, "7"),
        envelope("x").replace(DATA, r#"{"input_tokens":-1}"#),
        envelope("x").replace(r#""source":"/gateway","#, ""),
        envelope("x").replace(DATA, r#"{"org_id":"globex"}"#),
        "7".to_owned(),
    ];
    let batch = format!("[{},{},{}]", envelope("1"), bad.join(","), envelope("2"));
    let answer = acme.post("application/cloudevents-batch+json", batch);
    assert_eq!((answer.status, counts(&answer)), (200, (2, 0, bad.len())), "{}", answer.text());
    for one in bad {
        let answer = acme.post("application/cloudevents-batch+json", format!("[{one}]"));
        assert_eq!(answer.status, 422, "{one}");
    }
    assert_eq!(counts(&acme.post("application/cloudevents+json", envelope("x"))), (1, 0, 0));
}

#[test]
fn binary_mode_needs_no_content_type_and_takes_bytes_that_are_no_ascii() {
    let acme = Acme::start();
    let context = |id| {
        [
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-source", "/gateway"),
            ("ce-type", "com.example.call"),
            ("ce-time", "2024-05-01T10:00:00Z"),
        ]
    };
    assert_eq!(counts(&acme.post_with(&context("1"), DATA)), (1, 0, 0));
    for kind in ["", "application/json; charset=utf-8", "text/json", "application/vnd.acme+json"] {
        let headers = [&context("1")[..], &[("content-type", kind)]].concat();
        let answer = acme.post_with(&headers, DATA);
        assert_eq!((answer.status, counts(&answer)), (200, (0, 1, 0)), "{kind}");
    }
    // As UTF-8, and percent-encoded: one id.
    assert_eq!(counts(&acme.post_with(&context("é1"), DATA)), (1, 0, 0));
    assert_eq!(counts(&acme.post_with(&context("%C3%A91"), DATA)), (0, 1, 0));
    let plain = r#"{"event_id":"/gateway é1","ts":"2024-05-01T10:00:00Z"}"#;
    assert_eq!(counts(&acme.post_json(plain)), (0, 1, 0));
    for (headers, words) in [
        (&context("x")[..1], "id: missing, but a CloudEvent has one"),
        (&context("")[..], "id: missing, but a CloudEvent has one"),
        (&context("x")[1..], "specversion: missing, but a CloudEvent has one"),
        (&context("x")[..2], "source: missing, but a CloudEvent has one"),
        (&context("%zz")[..], "ce-id: a % is not followed by two hex digits"),
    ] {
        let answer = acme.post_with(headers, DATA);
        assert_eq!((answer.status, counts(&answer)), (422, (0, 0, 1)), "{words}");
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    assert_eq!(acme.post_with(&[("ce-type", "x")], DATA).status, 415);
    let xml = [&context("x")[..], &[("content-type", "application/xml")]].concat();
    assert_eq!(acme.post_with(&xml, "<a/>").status, 415);
    assert_eq!(acme.post_with(&context("x"), "").status, 400);
    for kind in [
        "application/cloudevents+json; charset=utf-8",
        "Application/CloudEvents+JSON;charset=\"UTF-8\"",
    ] {
        assert_eq!(counts(&acme.post(kind, envelope("9"))).2, 0, "{kind}");
    }
}
