//! Tests of SIGTERM: the server stops accepting, finishes requests under way, commits, and exits
//! with 0.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::support::process::{Server, key, tokenlake};
use crate::support::{events, poll};

/// Starts a request whose body the server then waits for.
fn begin(server: &Server, key: &str, bytes: usize) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(
        stream,
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {bytes}\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut stream = BufReader::new(stream);
    for expected in ["HTTP/1.1 100 Continue\r\n", "\r\n"] {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert_eq!(line, expected);
    }
    stream
}

#[test]
fn a_batch_under_way_at_sigterm_is_committed_and_acknowledged() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    // The second commit waits for a second after the first: it falls after the signal.
    let mut server = Server::start_with(folder.path(), &["serve", "--commit-interval", "1s"]);
    events::send(&server, &key, 0..10);
    let body = events::ndjson(10..60);
    let mut stream = begin(&server, &key, body.len());
    server.terminate();
    poll(Duration::from_secs(10), "it stops accepting", || {
        TcpStream::connect(server.address()).is_err().then_some(())
    });
    stream.get_mut().write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with(r#"{"accepted":50,"duplicates":0,"rejected":[]}"#), "{answer}");
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    let restarted = Server::start(folder.path());
    assert_eq!(events::counted(&restarted, &key, "acme"), 60);
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}

#[test]
fn a_signal_right_after_the_first_line_ends_the_server_in_order() {
    let folder = tempdir().unwrap();
    for _ in 0..10 {
        let mut server = Server::start(folder.path());
        server.terminate();
        assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    }
}

#[test]
fn an_idle_connection_does_not_keep_the_server_from_its_end() {
    let folder = tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let _idle = TcpStream::connect(server.address()).unwrap();
    let started = Instant::now();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
    assert!(started.elapsed() < Duration::from_secs(10));
}
