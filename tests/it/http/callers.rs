//! Tests of the ways clients call: forms of a credential, of a path, of a query, of an address; and
//! the requirements of HTTP/1.1.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::tempdir;

use super::{Acme, counts};
use crate::support::client::{self, Answer};
use crate::support::events::event;
use crate::support::process::{Server, key, program, run, tokenlake};

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn get_as(server: &Server, path: &str, authorization: &str) -> Answer {
    client::send("GET", &server.url(path), &[("authorization", authorization)], "")
}

#[test]
fn http_basic_takes_a_key_as_its_password_wherever_bearer_does() {
    let acme = Acme::start();
    let good = [
        basic("prometheus", &acme.key),
        basic("", &acme.key),
        basic("acme", &format!("{}\n", acme.key)),
        basic("é", &acme.key).replacen("Basic", "bASIC", 1),
    ];
    for authorization in &good {
        assert_eq!(get_as(&acme.server, "/metrics", authorization).status, 200, "{authorization}");
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let events = client::send("POST", &acme.server.url("/v1/events"), &headers, event("a"));
        assert_eq!(events.status, 200, "{}", events.text());
        let query = r#"{"query":"select 1 as one"}"#;
        let sql = client::send("POST", &acme.server.url("/v1/sql"), &headers, query);
        assert_eq!((sql.status, sql.text().replace("\n", "")), (200, r#"[{"one":1}]"#.to_owned()));
    }
    let nobody = get_as(&acme.server, "/metrics", "Bearer no");
    for bad in [
        basic(&acme.key, ""),
        basic(&acme.key, "x"),
        basic("x", &acme.key[1..]),
        format!("Basic {}", STANDARD.encode(&acme.key)),
        "Basic !!!".to_owned(),
        "Basic".to_owned(),
        format!("Basic {}", STANDARD.encode([b':', 0xff])),
    ] {
        let answer = get_as(&acme.server, "/metrics", &bad);
        assert_eq!((answer.status, &answer.body), (401, &nobody.body), "{bad}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn a_slash_at_the_end_of_a_path_changes_nothing() {
    let acme = Acme::start();
    let post = |path: &str, kind: &str, body: &str| {
        client::post(&acme.server.url(path), &acme.key, kind, body)
    };
    let answer = post("/v1/events/", "application/json", &event("a"));
    assert_eq!((answer.status, counts(&answer)), (200, (1, 0, 0)));
    for (path, slash) in [
        ("/metrics", "/metrics/"),
        ("/metrics?collect[]=tokens", "/metrics/?collect[]=tokens"),
        ("/healthz", "/healthz/"),
        ("/readyz", "/readyz/"),
    ] {
        let (one, other) = (acme.get(path), acme.get(slash));
        assert_eq!((one.status, other.status), (200, 200), "{path}");
        assert_eq!(one.body, other.body);
    }
    let sql = post("/v1/sql/", "text/plain", "select count(*) as n from events");
    assert_eq!((sql.status, sql.text().replace("\n", "")), (200, r#"[{"n":1}]"#.to_owned()));
    assert_eq!(client::send("HEAD", &acme.server.url("/metrics/"), &[], "").status, 401);
    let wrong = acme.get("/v1/events/");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
}

#[test]
fn a_parameter_that_can_only_mean_collect_is_refused_with_its_name() {
    let acme = Acme::start();
    for query in [
        "collect=tokens",
        "collect",
        "collect[0]=tokens",
        "collect%5b%5d%5b%5d=core",
        "Collect[]=core",
    ] {
        let answer = acme.get(&format!("/metrics?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text().contains("collect[]"), "{}", answer.text());
    }
    for query in ["", "name=x", "x", "collect[]=core&format=prometheus", "&&"] {
        assert_eq!(acme.get(&format!("/metrics?{query}")).status, 200, "{query}");
    }
    for query in ["collect[]=", "collect[]=core,tokens", "collect[]=Core"] {
        assert_eq!(acme.get(&format!("/metrics?{query}")).status, 400, "{query}");
    }
}

/// The status of what comes back for these bytes, and the head of the answer.
fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = [0; 1_024];
    let read = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[test]
fn http_1_1_needs_one_host() {
    let acme = Acme::start_with(&["serve", "--admin-listen", "127.0.0.1:0"]);
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n", "200"),
        ("GET /healthz HTTP/1.1\r\nHost:\r\n", "200"),
        ("GET /healthz HTTP/1.1\r\nhost: [::1]:9797\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\n", "200"),
        ("GET http://x/healthz HTTP/1.1\r\nHost: x\r\n", "200"),
        ("GET /healthz HTTP/1.1\r\n", "400"),
        ("GET /nowhere HTTP/1.1\r\n", "400"),
        ("GET /metrics HTTP/1.1\r\nAuthorization: Bearer x\r\n", "400"),
        ("GET http://x/healthz HTTP/1.1\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: x\r\nHost: x\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n", "400"),
        ("POST /v1/events HTTP/1.1\r\nHost: x\r\nhost: y\r\nContent-Length: 2\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a/b\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a, b\r\n", "400"),
    ] {
        let answer = raw(&acme.server, format!("{head}\r\n{{}}").as_bytes());
        let expected = format!(" {status} ");
        assert!(answer.lines().next().unwrap().contains(&expected), "{head:?}: {answer}");
        if status == "400" {
            assert!(answer.to_lowercase().contains("host header"), "{answer}");
            assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        }
    }
}

#[test]
fn a_name_is_listened_on_and_the_address_printed_is_real() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    for name in ["localhost:0", "127.0.0.1:0", "[::1]:0"] {
        // Not every machine has the other version.
        if name.starts_with('[') && std::net::TcpListener::bind("[::1]:0").is_err() {
            crate::support::process::passed_over(format_args!("no IPv6 here"));
            continue;
        }
        let mut command = program();
        command.arg("--archive").arg(folder.path());
        command.args(["serve", "--listen", name, "--admin-listen", name]);
        let server = Server::start_command(command);
        assert!(!server.address().ends_with(":0"), "{}", server.address());
        assert_eq!(client::get(&server.url("/metrics"), &key).status, 200, "{name}");
        let said = server.stderr();
        let admin = said.lines().find_map(|line| line.strip_prefix("telemetry on ")).unwrap();
        assert_eq!(client::get(admin, "").status, 200, "{name}");
        let port = server.address().rsplit_once(':').unwrap().1;
        let (host, _) = name.rsplit_once(':').unwrap();
        let asked = run(program().args(["healthcheck", "--listen", &format!("{host}:{port}")]));
        assert_eq!(asked.status, 0, "{asked:?}");
    }
    for wrong in ["localhost", ":9797", "localhost:http", "::1:9797"] {
        let done = tokenlake(folder.path(), &["serve", "--listen", wrong]);
        assert_eq!(done.status, 2, "{done:?}");
        assert!(done.stderr.contains("localhost:9797"), "{done:?}");
    }
    let nobody = tokenlake(folder.path(), &["serve", "--listen", "nobody.invalid:0"]);
    assert_eq!((nobody.status, nobody.stderr.lines().count()), (1, 1), "{nobody:?}");
    assert!(nobody.stderr.contains("choose another --listen"), "{nobody:?}");
}

/// Puts a folder out of reach: who opens what is in it fails, and not for want of it.
fn hide(folder: &std::path::Path) {
    std::fs::rename(folder, folder.with_extension("away")).unwrap();
    std::os::unix::fs::symlink(folder, folder).unwrap();
}

#[test]
fn while_storage_is_away_each_caller_has_its_own_last_answer_whatever_it_sends() {
    let acme = Acme::start_with(&["serve", "--max-stale-on-error", "5m"]);
    let globex = key(acme.archive.path(), "globex");
    let writer = {
        let more = ["--scope", "events:write"];
        crate::support::process::key_with(acme.archive.path(), "acme", &more)
    };
    assert_eq!(acme.post_json(event("a")).status, 200);
    let before = [&acme.key, &globex].map(|key| {
        let answer = get_as(&acme.server, "/metrics", &basic("x", key));
        assert_eq!(answer.status, 200);
        answer.body
    });
    assert_ne!(before[0], before[1]);
    assert_eq!(get_as(&acme.server, "/metrics", &basic("x", &writer)).status, 403);
    hide(&acme.archive.path().join("events/_delta_log"));
    hide(&acme.archive.path().join("access/keys"));
    let check = || {
        for (key, body) in [&acme.key, &globex].into_iter().zip(&before) {
            for authorization in [basic("x", key), basic("other", key), client::bearer(key)] {
                let answer = get_as(&acme.server, "/metrics", &authorization);
                assert_eq!((answer.status, &answer.body), (200, body), "{}", answer.text());
                assert!(answer.header("age").is_some());
            }
            // It was never answered in this form.
            assert_eq!(acme.get("/metrics?collect[]=tokens").status, 503);
        }
        for authorization in ["Basic !", "Basic Og==", "Bearer ", "Digest x", ""] {
            assert_eq!(get_as(&acme.server, "/metrics", authorization).status, 401);
        }
        let status = get_as(&acme.server, "/metrics", &basic("x", &writer)).status;
        assert!([403, 503].contains(&status), "{status}");
    };
    check();
    // From here on credentials cannot be checked, either.
    std::thread::sleep(Duration::from_secs(5));
    check();
}
