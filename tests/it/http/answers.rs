//! Tests of answers that clients do not read: their memory is counted, bounded and given back.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Certificate, Client, Response, Version};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::Acme;
use super::limits::{start, telemetry};
use crate::support::authority::Authority;
use crate::support::client;
use crate::support::events::{counted, event, send};
use crate::support::poll;
use crate::support::process::{Server, key};

const NEVER: Duration = Duration::from_secs(30);
const RESERVED: &str = "tokenlake_answer_reserved_bytes";
const ALL: &str = "/metrics?collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness";
/// Of which the text of all families has several MiB: more than the system takes from a server
/// whose client reads nothing.
const SERIES: usize = 1_000;
/// Has room for one of them in the half of an organisation.
const MEMORY: [&str; 2] = ["--answer-memory", "16MiB"];
const MIB: u64 = 1 << 20;

/// Gives an organisation many series with long names.
fn fill(server: &Server, key: &str) {
    let events = (0..SERIES).map(|n| {
        let name = |kind: &str| format!("{kind}{n}-{}", kind.repeat(240));
        json!({
            "event_id": format!("series-{n}"), "ts": "2024-05-01T10:00:00Z", "provider": name("p"),
            "model": name("m"),
        })
    });
    let body = Value::from(events.collect::<Vec<_>>()).to_string();
    let answer = client::post(&server.url("/v1/events"), key, "application/json", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Asks for a scrape, and reads nothing of it.
fn ask(server: &Server, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    let head = format!("GET {ALL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The head of an answer, and what comes with it.
fn head(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 1_024];
    let read = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

fn reserved_is(admin: &str, what: &str, is: impl Fn(u64) -> bool) -> u64 {
    poll(NEVER, what, || Some(telemetry(admin, RESERVED)).filter(|bytes| is(*bytes)))
}

#[test]
fn a_text_is_held_once_until_its_readers_have_gone_and_others_have_their_half() {
    let (acme, admin) = start(&MEMORY);
    let globex = key(acme.archive.path(), "globex");
    fill(&acme.server, &acme.key);
    let whole = acme.get(ALL);
    assert_eq!(whole.status, 200);
    assert!(whole.body.len() as u64 > 4 * MIB, "{}", whole.body.len());
    assert_eq!(reserved_is(&admin, "all is taken", |bytes| bytes == 0), 0);

    // The same version, however often it is asked for, takes memory once.
    let first = ask(&acme.server, &acme.key);
    let held = reserved_is(&admin, "it is held", |bytes| bytes > 0);
    assert!(held >= whole.body.len() as u64, "{held}");
    let mut same = ask(&acme.server, &acme.key);
    assert!(head(&mut same).starts_with("HTTP/1.1 200 "));
    assert_eq!(telemetry(&admin, RESERVED), held);

    // Another version has no room beside it.
    send(&acme.server, &acme.key, 0..1);
    let asked = Instant::now();
    let refused = acme.get(ALL);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("(--answer-memory)"), "{}", refused.text());
    assert!(!refused.text().trim_end().contains('\n'), "{}", refused.text());
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    assert!(telemetry(&admin, "tokenlake_answers_without_memory_total") >= 1);
    assert_eq!(acme.post_json(event("more")).status, 200, "events are taken");
    fill(&acme.server, &globex);
    let other = client::get(&acme.server.url(ALL), &globex);
    assert_eq!(other.status, 200, "{}", other.text());
    assert!(other.body.len() > whole.body.len(), "{}", other.body.len());

    drop((first, same));
    assert_eq!(reserved_is(&admin, "all is given back", |bytes| bytes == 0), 0);
    assert_eq!(acme.get(ALL).status, 200);
}

#[test]
fn clients_that_take_nothing_do_not_fill_memory() {
    let (acme, _) = start(&MEMORY);
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", acme.server.pid()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024)
    };
    fill(&acme.server, &acme.key);
    assert_eq!(acme.get(ALL).status, 200);
    let before = resident();
    // Each would hold a version of its own.
    let mut readers: Vec<_> = (0..48)
        .map(|n| {
            assert_eq!(acme.post_json(event(&format!("more-{n}"))).status, 200);
            ask(&acme.server, &acme.key)
        })
        .collect();
    let heads: Vec<_> = readers.iter_mut().map(head).collect();
    let taken = heads.iter().filter(|head| head.starts_with("HTTP/1.1 200 ")).count();
    let refused = heads.iter().filter(|head| head.starts_with("HTTP/1.1 503 ")).count();
    assert!(taken > 0 && refused > 20 && taken + refused == heads.len(), "{heads:?}");
    let grown = resident() - before;
    assert!(grown < 150, "{grown} MiB");
}

/// A server with TLS, whose clients speak HTTP/2.
struct Secured {
    acme: Acme,
    admin: String,
    authority: Authority,
}

fn secured(more: &[&str]) -> Secured {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let paths = authority.certify().write(folder.path());
    let [cert, key] = paths.each_ref().map(|path| path.to_str().unwrap());
    let (acme, admin) = start(&[&["--tls-cert", cert, "--tls-key", key], more].concat());
    Secured { acme, admin, authority }
}

impl Secured {
    /// A client that takes so much of each answer before it reads.
    fn client(&self, window: u32) -> Client {
        let builder = Client::builder().no_proxy().tls_built_in_root_certs(false);
        let builder = builder
            .add_root_certificate(Certificate::from_pem(self.authority.pem().as_bytes()).unwrap());
        let builder = builder.http2_initial_stream_window_size(window);
        builder.http2_initial_connection_window_size(4 << 20).build().unwrap()
    }

    async fn post(&self, client: &Client, body: &[u8]) -> Response {
        let request = client.post(self.acme.server.url("/v1/events")).bearer_auth(&self.acme.key);
        let request = request.header("content-type", "application/json");
        let request = request.header("content-encoding", "gzip").body(body.to_vec());
        let response = request.send().await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        response
    }
}

/// As many bad events as are told of, of which each says as much as it can.
fn bad_events() -> Vec<u8> {
    let id = "\u{1}".repeat(256);
    let events = (0..1_500).map(|_| json!({ "event_id": id, "ts": "\u{1}".repeat(500) }));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(Value::from(events.collect::<Vec<_>>()).to_string().as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_one_connection_of_http_2_answers_are_bounded_as_well() {
    let secured = secured(&MEMORY);
    let (client, body) = (secured.client(1_024), bad_events());
    let admin = secured.admin.clone();
    let reserved = move || tokio::task::block_in_place(|| telemetry(&admin, RESERVED));
    let (mut held, mut longest) = (Vec::new(), 0);
    for _ in 0..12 {
        let response = secured.post(&client, &body).await;
        assert_eq!(response.status(), 422);
        held.push(response);
        let bytes = reserved();
        assert!(bytes <= 8 * MIB, "{bytes}");
        longest = longest.max(bytes);
    }
    assert!(longest > 4 * MIB, "{longest}");
    // Where there is no memory, they are counted and not told one by one.
    let last: Value = serde_json::from_slice(&held.pop().unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!((&last["rejected"], &last["rejected_more"]), (&json!([]), &json!(1_500)));
    let first: Value = serde_json::from_slice(&held.remove(0).bytes().await.unwrap()).unwrap();
    assert_eq!(first["rejected"].as_array().unwrap().len(), 1_000);
    assert_eq!(first["rejected_more"], 500);
    drop((held, client));
    let start = Instant::now();
    while reserved() > 0 {
        assert!(start.elapsed() < NEVER, "it is not given back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a request quotes does not come back whole.
#[test]
fn an_error_is_short_whatever_was_sent() {
    let acme = Acme::start();
    let long = "x".repeat(200_000);
    let url = acme.server.url("/v1/sql");
    for (kind, body) in [
        ("application/json", json!(long).to_string()),
        ("application/json", json!({ "query": [long] }).to_string()),
        ("text/plain", format!("SELECT \"{long}\" FROM events")),
        ("text/plain", format!("SELECT {long}")),
    ] {
        let answer = client::post(&url, &acme.key, kind, body);
        assert_eq!(answer.status, 400, "{kind}");
        assert!(answer.body.len() < 8_192, "{} bytes", answer.body.len());
    }
    let bad = acme.post_json(json!([{ "event_id": "a", "ts": long }, [long]]).to_string());
    assert!(bad.body.len() < 4_096, "{} bytes", bad.body.len());
    send(&acme.server, &acme.key, 0..1);
    assert_eq!(counted(&acme.server, &acme.key, "acme"), 1);
}
