//! Hostile requests of OTLP: each is answered, and takes no more memory than its body and a bit.

use super::Acme;
use super::otlp::gzip;
use crate::support::client;
use crate::support::resident::{forget_peak, peak_kib, resident_kib};

/// So large that two bytes a record would show, and so small that a build without optimizations
/// reads it well within a request's deadline.
const BODY_BYTES: usize = 4 << 20;
/// What a request may take: the largest body, and what its work needs.
const TAKEN_KIB_MAX: u64 = (5 + 32) << 10;

/// A message around a message.
fn within(field: u8, inner: &[u8]) -> Vec<u8> {
    let mut message = vec![field << 3 | 2];
    let mut length = inner.len();
    while length > 0x7f {
        message.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap());
    message.extend_from_slice(inner);
    message
}

/// Spans in protobuf, as a request.
fn protobuf(spans: &[u8]) -> Vec<u8> {
    within(1, &within(2, spans))
}

fn json(spans: &str) -> Vec<u8> {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#).into_bytes()
}

#[test]
fn hostile_bodies_take_no_more_memory_than_their_bytes() {
    let acme = Acme::start_with(&["serve", "--max-body", "5MiB"]);
    let (url, auth) = (acme.server.url("/v1/traces"), client::bearer(&acme.key));
    let deep = (0..BODY_BYTES / 16)
        .fold(Vec::new(), |inner, _| if inner.len() < 1 << 16 { within(5, &inner) } else { inner });
    let text = within(1, &vec![b'x'; BODY_BYTES]);
    let name = within(1, b"gen_ai.response.id");
    let long = within(2, &within(9, &[name, within(2, &text)].concat()));
    let value = within(9, &[within(1, b"x"), within(2, &deep)].concat());
    let brackets = BODY_BYTES / 2;
    let nested = format!("{{\"x\":{}{}}}", "[".repeat(brackets), "]".repeat(brackets));
    let bomb = gzip(&vec![b' '; 256 << 20]);
    let (x_protobuf, x_json) = ("application/x-protobuf", "application/json");
    for (what, content_type, coding, body, status) in [
        ("empty spans", x_protobuf, "", protobuf(&b"\x12\x00".repeat(BODY_BYTES / 2)), 200),
        (
            "deep values",
            x_protobuf,
            "",
            protobuf(&within(2, &value).repeat(BODY_BYTES / (value.len() + 16))),
            200,
        ),
        ("a long text", x_protobuf, "", protobuf(&long), 200),
        ("empty spans", x_json, "", json(&vec!["{}"; BODY_BYTES / 3].join(",")), 200),
        ("no spans", x_json, "", json(&vec!["5"; BODY_BYTES / 2].join(",")), 200),
        ("deep values", x_json, "", json(&nested), 200),
        ("a bomb", x_json, "gzip", bomb, 413),
    ] {
        let before = resident_kib(acme.server.pid());
        forget_peak(acme.server.pid());
        let headers = [
            ("authorization", auth.as_str()),
            ("content-type", content_type),
            ("content-encoding", coding),
        ];
        let headers = if coding.is_empty() { &headers[..2] } else { &headers };
        let answer = client::send("POST", &url, headers, body);
        assert_eq!(answer.status, status, "{what}: {}", String::from_utf8_lossy(&answer.body));
        let grown = peak_kib(acme.server.pid()).saturating_sub(before);
        eprintln!("{what}, {content_type}: {grown} KiB");
        assert!(grown < TAKEN_KIB_MAX, "{what}, {content_type}: {grown} KiB");
    }
}
