//! Tests of access: which key allows what, and what needs no key.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tempfile::tempdir;

use super::Acme;
use crate::support::process::key;
use crate::support::{client, events};

/// A text of the right form that is no key here.
fn strangers(own: &str) -> Vec<String> {
    let foreign = tempdir().unwrap();
    let last = own.chars().last().unwrap();
    let changed = format!("{}{}", &own[..own.len() - 1], if last == 'a' { 'b' } else { 'a' });
    vec![
        format!("Bearer {}", key(foreign.path(), "acme")),
        format!("Bearer {changed}"),
        format!("Bearer {}", &own[..own.len() - 1]),
        format!("Bearer {}", own.to_uppercase()),
        format!("Bearer {own} {own}"),
        "Bearer td_live_".to_owned(),
        "Bearer eyJhbGciOiJub25lIn0.eyJvcmdfaWQiOiJhY21lIiwiZXhwIjo5OTk5OTk5OTk5fQ.".to_owned(),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        format!("Basic {own}"),
        own.to_owned(),
        String::new(),
    ]
}

#[test]
fn without_a_valid_token_every_answer_is_the_same_401() {
    let acme = Acme::start();
    let mut bodies = Vec::new();
    for (method, path) in [("GET", "/metrics"), ("POST", "/v1/events"), ("POST", "/v1/sql")] {
        let url = acme.server.url(path);
        bodies.push(client::send(method, &url, &[], "junk"));
        for value in strangers(&acme.key) {
            bodies.push(client::send(method, &url, &[("authorization", &value)], "junk"));
        }
        let auth = client::bearer(&acme.key);
        let twice = [("authorization", auth.as_str()), ("authorization", auth.as_str())];
        bodies.push(client::send(method, &url, &twice, "junk"));
    }
    for (number, answer) in bodies.iter().enumerate() {
        assert_eq!(answer.status, 401, "{number}: {}", answer.text());
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.body, bodies[0].body);
    }
    assert_eq!(client::send("HEAD", &acme.server.url("/metrics"), &[], "").status, 401);
    assert_eq!(acme.get("/metrics").status, 200);
}

#[test]
fn the_name_of_the_scheme_has_no_case() {
    let acme = Acme::start();
    let url = acme.server.url("/metrics");
    for scheme in ["bearer", "BEARER"] {
        let value = format!("{scheme} {}", acme.key);
        assert_eq!(client::send("GET", &url, &[("authorization", &value)], "").status, 200);
    }
}

#[test]
fn health_needs_no_token_and_names_no_organisation() {
    let acme = Acme::start();
    events::send(&acme.server, &acme.key, 0..3);
    for path in ["/healthz", "/readyz"] {
        let answer = client::send("GET", &acme.server.url(path), &[], "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("acme"), "{}", answer.text());
    }
}

#[test]
fn a_server_whose_archive_is_damaged_is_alive_but_not_ready() {
    let acme = Acme::start();
    let log = acme.archive.path().join("events/_delta_log");
    std::fs::write(log.join(format!("{:020}.json", 1)), "{").unwrap();
    let status = |path: &str| client::send("GET", &acme.server.url(path), &[], "").status;
    assert_eq!((status("/healthz"), status("/readyz")), (200, 503));
}

#[test]
fn other_paths_are_404_and_other_methods_405() {
    let acme = Acme::start();
    for path in
        ["//", "/metrics//", "/v1/event", "/v1/events/1", "/admin", "//metrics", "/%2e%2e/x"]
    {
        assert_eq!(acme.get(path).status, 404, "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/metrics", "GET,HEAD"),
        ("DELETE", "/metrics", "GET,HEAD"),
        ("GET", "/v1/events", "POST"),
        ("PUT", "/v1/events", "POST"),
        ("GET", "/v1/sql", "POST"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let auth = client::bearer(&acme.key);
        let headers = [("authorization", auth.as_str())];
        let answer = client::send(method, &acme.server.url(path), &headers, "");
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

#[test]
fn a_refused_client_that_sends_all_of_a_large_body_first_sees_why() {
    let acme = Acme::start();
    let body = vec![b' '; 8 << 20];
    for _ in 0..5 {
        let mut stream = TcpStream::connect(acme.server.address()).unwrap();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
    }
}
