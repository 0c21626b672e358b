//! Tests of the limits on connections: time, number, and the server's patience.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tempfile::tempdir;
use tokenlake::http::{ConnectionLimits, Listener, serve};
use tokenlake::telemetry::Telemetry;
use tokenlake::tls::{Tls, TlsFiles};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::authority::Authority;

const HEAD_WAIT: Duration = Duration::from_millis(400);
const IDLE_WAIT: Duration = Duration::from_millis(1_200);
const WRITE_WAIT: Duration = Duration::from_millis(400);
const WORK: Duration = Duration::from_millis(700);
/// Longer than any wait here, so that what should end but does not is noticed.
const NEVER: Duration = Duration::from_secs(20);
const QUICK: &[u8] = b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n";
const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
const LARGE_BYTES: usize = 64 << 20;

struct Small {
    address: SocketAddr,
    telemetry: Telemetry,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl Small {
    async fn start(connections_max: usize) -> Self {
        Self::start_with(connections_max, None).await
    }

    async fn start_with(connections_max: usize, tls: Option<Tls>) -> Self {
        let routes = Router::new()
            .route("/quick", get(|| async { "quick" }))
            .route("/large", get(|| async { vec![b'x'; LARGE_BYTES] }))
            .route(
                "/slow",
                get(|| async {
                    tokio::time::sleep(WORK).await;
                    "slow"
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (telemetry, stop) = (Telemetry::new(), CancellationToken::new());
        let limits = ConnectionLimits {
            connections_max,
            head_wait: HEAD_WAIT,
            idle_wait: IDLE_WAIT,
            write_wait: WRITE_WAIT,
        };
        let listener = Listener::new(listener, tls);
        let served = serve(listener, routes, limits, telemetry.clone(), stop.clone());
        Self { address, telemetry, stop, ended: tokio::spawn(served) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn send(&self, request: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        stream
    }

    fn telemetry(&self, name: &str) -> u64 {
        let text = self.telemetry.encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

/// What comes until the connection ends, and how long that took.
async fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let (start, mut bytes) = (Instant::now(), Vec::new());
    // A connection may end with a reset as well.
    let _ = tokio::time::timeout(NEVER, stream.read_to_end(&mut bytes)).await.expect("it ends");
    (String::from_utf8_lossy(&bytes).into_owned(), start.elapsed())
}

/// Reads one answer of a few bytes.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4_096];
    let read = tokio::time::timeout(NEVER, stream.read(&mut bytes)).await.expect("it answers");
    bytes.truncate(read.unwrap());
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_slowly_or_never_ends_its_connection() {
    let server = Small::start(10).await;
    let mut silent = server.connect().await;
    let (said, took) = rest(&mut silent).await;
    assert_eq!(said, "");
    assert!(took >= HEAD_WAIT / 2, "{took:?}");

    let (mut read, mut write) = server.connect().await.into_split();
    let start = Instant::now();
    let trickle = tokio::spawn(async move {
        for byte in QUICK.iter().cycle() {
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(HEAD_WAIT / 8).await;
        }
    });
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(NEVER, read.read_to_end(&mut bytes)).await.expect("it ends");
    assert!(start.elapsed() < IDLE_WAIT, "{:?}", start.elapsed());
    assert_eq!(bytes, b"");
    trickle.abort();
    assert_eq!(server.telemetry("tokenlake_connections_timed_out_total"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_between_requests_longer_than_a_head_may_take() {
    let server = Small::start(10).await;
    let mut stream = server.send(SLOW).await;
    assert!(answer(&mut stream).await.ends_with("slow"), "work may take its time");
    for _ in 0..2 {
        tokio::time::sleep(HEAD_WAIT + HEAD_WAIT / 2).await;
        stream.write_all(QUICK).await.unwrap();
        assert!(answer(&mut stream).await.ends_with("quick"));
    }
    let (said, took) = rest(&mut stream).await;
    assert_eq!(said, "");
    assert!(took > HEAD_WAIT, "{took:?}");
    assert_eq!(server.telemetry("tokenlake_connections_timed_out_total"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_nothing_makes_room_for_who_asks() {
    let server = Small::start(2).await;
    let mut silent = [server.connect().await, server.send(b"GET /qui").await];
    let mut kept = Vec::new();
    for round in 1..=3 {
        let mut stream = server.send(QUICK).await;
        assert!(answer(&mut stream).await.ends_with("quick"));
        kept.push(stream);
        assert_eq!(server.telemetry("tokenlake_connections_dismissed_total"), round);
    }
    for stream in &mut silent {
        assert!(rest(stream).await.1 < HEAD_WAIT, "it was dismissed, not timed out");
    }
    assert_eq!(server.telemetry("tokenlake_connections_refused_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_work_one_more_is_told_to_come_again() {
    let server = Small::start(2).await;
    let mut busy = [server.send(SLOW).await, server.send(SLOW).await];
    tokio::time::sleep(WORK / 4).await;
    let (said, _) = rest(&mut server.connect().await).await;
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nretry-after: 1\r\n"), "{said}");
    assert_eq!(server.telemetry("tokenlake_connections_refused_total"), 1);
    for stream in &mut busy {
        assert!(answer(stream).await.ends_with("slow"));
    }
    let mut after = server.send(QUICK).await;
    assert!(answer(&mut after).await.ends_with("quick"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_take_an_answer_is_not_waited_for() {
    let server = Small::start(1).await;
    let mut stream = server.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let gone = async {
        while server.telemetry("tokenlake_connections_timed_out_total") == 0
            || server.telemetry("tokenlake_connections") > 0
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(NEVER, gone).await.expect("the connection ends");
    let (said, _) = rest(&mut stream).await;
    assert!(said.len() < LARGE_BYTES, "{} bytes", said.len());
}

/// It takes all that is written to it, and lets nothing of an answer be so.
#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_an_answer_of_http_2_from_being_sent_is_not_waited_for() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let [cert, key] = authority.certify().write(folder.path());
    let tls = Tls::open(TlsFiles { cert, key, client_ca: None }).unwrap();
    let server = Small::start_with(1, Some(tls)).await;
    let trusted = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().add_root_certificate(trusted);
    let client = client.http2_initial_stream_window_size(16).build().unwrap();
    let ask = async |path: &str| {
        client.get(format!("https://{}/{path}", server.address)).send().await.unwrap()
    };
    let (large, mut small) = (ask("large").await, Vec::new());
    assert_eq!(large.version(), reqwest::Version::HTTP_2);
    // Others are answered meanwhile, and do not give it more time.
    let start = Instant::now();
    while server.telemetry("tokenlake_connections_timed_out_total") == 0 {
        assert!(start.elapsed() < NEVER, "the connection does not end");
        let quick = client.get(format!("https://{}/quick", server.address)).send().await;
        small.push(quick.is_ok());
        tokio::time::sleep(WRITE_WAIT / 20).await;
    }
    assert!(start.elapsed() >= WRITE_WAIT / 2, "{:?}", start.elapsed());
    assert!(small.len() > 3 && small[0]);
    large.bytes().await.unwrap_err();
}

/// So many as there may be connections, whatever one connection may hold.
#[tokio::test(flavor = "multi_thread")]
async fn requests_beside_others_of_their_connection_have_so_many_places() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let [cert, key] = authority.certify().write(folder.path());
    let tls = Tls::open(TlsFiles { cert, key, client_ca: None }).unwrap();
    let server = Small::start_with(2, Some(tls)).await;
    let trusted = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().add_root_certificate(trusted);
    let client = client.build().unwrap();
    let url = format!("https://{}/", server.address);
    let ask = async |path: &str| client.get(format!("{url}{path}")).send().await.unwrap();
    // The connection is there before they share it.
    assert_eq!(ask("quick").await.version(), reqwest::Version::HTTP_2);
    let asked: Vec<_> =
        (0..8).map(|_| tokio::spawn(client.get(format!("{url}slow")).send())).collect();
    let mut statuses = Vec::new();
    for asked in asked {
        let answer = asked.await.unwrap().unwrap();
        let told = answer.headers().contains_key("retry-after");
        assert_eq!(told, answer.status() == 503);
        statuses.push(answer.status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 503, 503, 503, 503, 503]);
    assert_eq!(server.telemetry("tokenlake_requests_turned_away_total"), 5);
    // They are given back.
    assert_eq!(ask("slow").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_what_waits_and_finishes_what_is_under_way() {
    let server = Small::start(10).await;
    let mut kept = server.send(QUICK).await;
    answer(&mut kept).await;
    let (mut silent, mut busy) = (server.connect().await, server.send(SLOW).await);
    tokio::time::sleep(WORK / 4).await;
    server.stop.cancel();
    let start = Instant::now();
    assert!(rest(&mut kept).await.1 < WORK / 2);
    assert!(rest(&mut silent).await.1 < WORK / 2);
    let (said, _) = rest(&mut busy).await;
    assert!(said.ends_with("slow"), "{said}");
    tokio::time::timeout(NEVER, server.ended).await.expect("it ends").unwrap();
    assert!(start.elapsed() < IDLE_WAIT);
    assert!(TcpStream::connect(server.address).await.is_err());
}
