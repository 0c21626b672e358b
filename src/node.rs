//! The server of a node: connections, TLS, and `/healthz`; what a node answers is in `sql`.
//!
//! Coordinators and other nodes speak gRPC, which is HTTP/2. Probes may speak HTTP/1.1. A peer that
//! answers no ping for half a minute is gone, and the work for it ends.

mod strangers;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use self::strangers::{SECRET_WAIT, Stranger};
use crate::http::Listener;
use crate::sql::NodeEngine;
use crate::tls::Tls;
use crate::waiting_line::WaitingLine;

/// What is offered to a client that names protocols: coordinators speak HTTP/2, probes may not.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// Connections at a time: each coordinator and each other node has one.
pub const NODE_CONNECTIONS_MAX: usize = 256;
/// Requests that one connection has under way at a time: some for each share of a plan.
const STREAMS_MAX: u32 = 2_048;
/// How long a connection that has to leave may take to free its place.
const ROOM_WAIT: Duration = Duration::from_millis(250);
/// How often a peer is asked whether it is there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_WAIT: Duration = Duration::from_secs(20);
/// How long queries that are under way at a stop may take.
const STOP_WAIT: Duration = Duration::from_secs(20);
/// Pause after `accept` fails, as for lack of file descriptors, which may be free again by then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// The most memory that the head of a request takes.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// The most bytes of one request that may arrive before they are read.
const WINDOW_BYTES: u32 = 256 * 1024;
/// The most memory that a connection takes besides the rows that queries hold.
pub const NODE_CONNECTION_BYTES: u64 = 1 << 20;

/// Answers connections until `stop`. Then no more are accepted, and queries under way may end.
pub async fn serve(listener: Listener, engine: Arc<NodeEngine>, stop: CancellationToken) {
    let (tcp, tls) = listener.into_parts();
    let (tls, tasks) = (Arc::new(tls), TaskTracker::new());
    let places = Arc::new(Semaphore::new(NODE_CONNECTIONS_MAX));
    let strangers = Arc::<WaitingLine>::default();
    while let Some(stream) = accepted(&tcp, &stop).await {
        let Some(place) = place(&places, &strangers).await else {
            tracing::warn!("there are {NODE_CONNECTIONS_MAX} connections; another one is closed");
            continue;
        };
        let (engine, tls, stop) = (engine.clone(), tls.clone(), stop.clone());
        let stranger = Arc::new(Stranger::come(&strangers));
        drop(tasks.spawn(async move {
            tokio::select! {
                () = run(stream, &tls, engine, stranger.clone(), stop) => {}
                () = stranger.leaves() => {
                    tracing::debug!("a connection is closed over which no secret was shown");
                }
            }
            drop(place);
        }));
    }
    drop(tcp);
    tasks.close();
    if timeout(STOP_WAIT, tasks.wait()).await.is_err() {
        tracing::warn!("some queries did not end in time; their coordinators get an error");
    }
}

/// A place for one more connection, if need be that of a stranger.
async fn place(places: &Arc<Semaphore>, strangers: &WaitingLine) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = places.clone().try_acquire_owned() {
        return Some(place);
    }
    if !strangers.dismiss_first() {
        return None;
    }
    timeout(ROOM_WAIT, places.clone().acquire_owned()).await.ok()?.ok()
}

/// The next connection; `None` after `stop`.
async fn accepted(listener: &TcpListener, stop: &CancellationToken) -> Option<TcpStream> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => return Some(stream),
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn run(
    stream: TcpStream,
    tls: &Option<Tls>,
    engine: Arc<NodeEngine>,
    stranger: Arc<Stranger>,
    stop: CancellationToken,
) {
    match tls {
        None => {
            // Rows must not wait for the peer's confirmation of the previous ones.
            let _ = stream.set_nodelay(true);
            speak(stream, engine, stranger, stop).await;
        }
        Some(tls) => match tls.accept(stream, &PROTOCOLS).await {
            Ok(stream) => speak(stream, engine, stranger, stop).await,
            Err(error) => tracing::debug!(%error, "a handshake failed"),
        },
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    engine: Arc<NodeEngine>,
    stranger: Arc<Stranger>,
    stop: CancellationToken,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(SECRET_WAIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_WAIT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .adaptive_window(false);
    let service = service_fn(move |request| answer(engine.clone(), stranger.clone(), request));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(
    engine: Arc<NodeEngine>,
    stranger: Arc<Stranger>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let is_probe = [Method::GET, Method::HEAD].contains(request.method());
    if !is_probe {
        return Ok(engine.answer(request, || stranger.becomes_known()).await);
    }
    let is_known = request.uri().path() == "/healthz";
    let (status, text) = match is_known {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::NOT_FOUND, "a node answers GET /healthz, and coordinators by gRPC\n"),
    };
    let mut response = Response::new(Body::new(text.to_owned()));
    *response.status_mut() = status;
    Ok(response)
}
