//! Tests of the limits on one organisation, which leave room for others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::tempdir;

use super::Acme;
use crate::support::client;
use crate::support::events::{counted, event, send};
use crate::support::poll;
use crate::support::process::{Server, key, program};

/// The server gives a body that does not come five seconds.
const NEVER: Duration = Duration::from_secs(20);

/// A request whose body is announced, and does not come.
fn announce(acme: &Acme, key: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(acme.server.address()).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The head of what comes next.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 1_024];
    let read = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

pub(super) fn telemetry(admin: &str, name: &str) -> u64 {
    let text = client::get(&format!("{admin}/metrics"), "");
    let line = text.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// A server with telemetry, and the address of that.
pub(super) fn start(args: &[&str]) -> (Acme, String) {
    let acme = Acme::start_with(&[&["serve", "--admin-listen", "127.0.0.1:0"], args].concat());
    let said = acme.server.stderr();
    let admin = said.lines().find_map(|line| line.strip_prefix("telemetry on ")).unwrap();
    let admin = admin.trim_end_matches("/metrics").to_owned();
    (acme, admin)
}

#[test]
fn an_organisation_has_so_many_requests_under_way_and_others_have_theirs() {
    let (acme, admin) = start(&["--max-requests-per-org", "2"]);
    let globex = key(acme.archive.path(), "globex");
    let bytes = 1 << 20;
    let mut held = [announce(&acme, &acme.key, bytes), announce(&acme, &acme.key, bytes)];
    // Memory is reserved after a turn is taken. A request before that could take one of the two.
    poll(NEVER, "both have their turns", || {
        (telemetry(&admin, "tokenlake_request_reserved_bytes") == 2 << 20).then_some(())
    });
    let third = acme.post_json(event("x"));
    assert_eq!((third.status, third.header("retry-after")), (503, Some("1")), "{}", third.text());
    assert!(telemetry(&admin, "tokenlake_requests_turned_away_total") >= 1);
    assert_eq!(acme.get("/metrics").status, 200, "scrapes have turns of their own");
    send(&acme.server, &globex, 0..10);
    assert_eq!(counted(&acme.server, &globex, "globex"), 10);
    // Those that hold the turns are given up, and then there are turns again.
    for stream in &mut held {
        assert!(answer(stream).starts_with("HTTP/1.1 408 "));
    }
    assert_eq!(telemetry(&admin, "tokenlake_request_bodies_slow_total"), 2);
    assert_eq!(acme.post_json(event("y")).status, 200);
}

#[test]
fn bodies_that_do_not_come_leave_memory_to_others() {
    let (acme, admin) = start(&[]);
    let globex = key(acme.archive.path(), "globex");
    let large = 32 << 20;
    let _held: Vec<_> = (0..4).map(|_| announce(&acme, &acme.key, large)).collect();
    poll(NEVER, "half of the memory is taken", || {
        (telemetry(&admin, "tokenlake_request_reserved_bytes") == 128 << 20).then_some(())
    });
    let start = Instant::now();
    let more = acme.post_json(event("x"));
    assert_eq!((more.status, more.header("retry-after")), (503, Some("1")), "{}", more.text());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let mut body = event("a").into_bytes();
    body.resize(large, b' ');
    let url = acme.server.url("/v1/events");
    let answer = client::post(&url, &globex, "application/json", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    poll(NEVER, "all is given back", || {
        (telemetry(&admin, "tokenlake_request_reserved_bytes") == 0).then_some(())
    });
    assert_eq!(acme.post_json(event("y")).status, 200);
}

#[test]
fn a_body_may_come_in_small_pieces_as_long_as_it_comes() {
    let acme = Acme::start();
    let body = format!("{}{}", event("slow"), " ".repeat(2_000));
    let mut stream = announce(&acme, &acme.key, body.len());
    for piece in body.as_bytes().chunks(100) {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = answer(&mut stream);
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains(r#""accepted":1"#), "{said}");
}

#[test]
fn connections_are_not_bound_by_the_first_limit_of_open_files() {
    let folder = tempdir().unwrap();
    let program = program();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 128 && exec \"$0\" \"$@\""]).arg(program.get_program());
    command.arg("--archive").arg(folder.path()).args(["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start_command(command);
    let connect = |_| TcpStream::connect(server.address()).unwrap();
    let held: Vec<_> = (0..200).map(connect).collect();
    let start = Instant::now();
    assert_eq!(client::get(&server.url("/healthz"), "").status, 200);
    assert!(start.elapsed() < Duration::from_secs(5), "it waited until others had gone");
    drop(held);
}
