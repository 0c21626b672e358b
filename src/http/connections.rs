//! Connections: how many there may be, their time limits, and how they end.
//!
//! A connection that has not completed a request has no priority. If there is no room for a new
//! connection, the one that has waited longest is closed. So connections that send nothing, or a
//! byte now and then, cannot keep others out. A connection that does not read its answers is closed
//! after a while, which releases what the answers hold.

mod limits;
mod outgoing;
mod pace;
mod preface;
mod waiting;

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::limits::ConnectionLimits;
use self::outgoing::{Outgoing, PART_BYTES_MAX};
use self::pace::Paced;
use self::waiting::{Pulse, UnderWay};
use super::error::plain;
use super::host;
use super::listener::Listener;
use super::observe::observed;
use crate::telemetry::Telemetry;
use crate::tls::Tls;
use crate::waiting_line::WaitingLine;

/// HTTP/2, if a client offers it.
const HTTP_2: &[u8] = b"h2";
/// What clients may offer.
const PROTOCOLS: [&[u8]; 2] = [HTTP_2, b"http/1.1"];
/// How long a dismissed connection may take to free its place.
const ROOM_WAIT: Duration = Duration::from_millis(250);
/// Pause after `accept` fails, as for lack of file descriptors, which may be free again by then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long a connection without a request under way may take to close.
const GOODBYE_WAIT: Duration = Duration::from_secs(5);
/// Requests that one HTTP/2 connection may have under way at a time, if there is room for more than
/// one.
const STREAMS_MAX: u32 = 100;
/// A JWT is by far the longest header, with 16 KiB at most.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// The largest HTTP/1.1 buffer of a connection for an incoming request, and for an answer.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
/// The most bytes of all requests of one HTTP/2 connection that may arrive before they are read.
const WINDOW_BYTES: u32 = 256 * 1024;
/// The most memory that a connection takes without TLS: the current head and the bytes after it, an
/// answer being sent, and the connection's task.
pub const CONNECTION_BYTES: u64 = 3 * BUFFER_BYTES_MAX as u64;
/// The most memory that TLS adds: its records, and for HTTP/2 a window instead of a buffer and the
/// answers that turn requests away.
pub const TLS_BYTES: u64 = 256 * 1024;
/// The most memory that one more request on a connection takes. A head of short lines takes five
/// times its size.
pub const REQUEST_BYTES: u64 = 5 * HEAD_BYTES_MAX as u64;
/// Of the connections in the clear one in so many may be of HTTP/2, which takes more memory.
pub const CLEAR_HTTP2_SHARE: usize = 8;
/// How many times in `write_wait` a connection is checked for answers that the client does not
/// read.
const LOOKS: u32 = 8;
/// The answer to a connection that there is no room for.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\
    connection: close\r\n\r\n";

/// Answers the connections to `listener` until `stop`. Then no more are accepted, and open ones
/// close after the request that is under way.
pub async fn serve(
    listener: impl Into<Listener>,
    routes: Router,
    limits: ConnectionLimits,
    telemetry: Telemetry,
    stop: CancellationToken,
) {
    let Listener { tcp, tls } = listener.into();
    let connections = Arc::new(Connections::new(routes, tls, limits, telemetry, stop));
    let tasks = TaskTracker::new();
    while let Some(stream) = connections.accept(&tcp).await {
        match connections.place().await {
            Some(place) => {
                // It counts as waiting from here on, before its task runs: the next connection may
                // need its place.
                let pulse = Pulse::new(connections.waiting.clone());
                drop(tasks.spawn(connections.clone().run(stream, place, pulse)));
            }
            None => connections.refuse(stream),
        }
    }
    drop(tcp);
    tasks.close();
    tasks.wait().await;
}

/// The state that all connections share.
#[derive(Debug)]
struct Connections {
    routes: TowerToHyperService<Router>,
    tls: Option<Tls>,
    limits: ConnectionLimits,
    places: Arc<Semaphore>,
    /// For those of HTTP/2 in the clear.
    clear_http2: Arc<Semaphore>,
    /// For HTTP/2 requests that share their connection with a request under way.
    more: Arc<Semaphore>,
    waiting: Arc<WaitingLine>,
    telemetry: Telemetry,
    stop: CancellationToken,
}

impl Connections {
    fn new(
        routes: Router,
        tls: Option<Tls>,
        limits: ConnectionLimits,
        telemetry: Telemetry,
        stop: CancellationToken,
    ) -> Self {
        let places = limits.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        let http2 = if tls.is_some() { places } else { places.div_ceil(CLEAR_HTTP2_SHARE) };
        let [places, clear_http2, more] =
            [places, http2, http2].map(|count| Arc::new(Semaphore::new(count)));
        let (routes, waiting) = (TowerToHyperService::new(routes), Arc::default());
        Self { routes, tls, limits, places, clear_http2, more, waiting, telemetry, stop }
    }

    /// The next connection; `None` after `stop`.
    async fn accept(&self, listener: &TcpListener) -> Option<TcpStream> {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => return Some(stream),
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections; is --max-connections above what the system allows?");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// A place for one more connection. If there is none, the longest waiting one is dismissed.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        if !self.waiting.dismiss_first() {
            return None;
        }
        self.telemetry.connections.dismissed.inc();
        let place = self.places.clone().acquire_owned();
        timeout(ROOM_WAIT, place).await.ok()?.ok()
    }

    /// Refuses without waiting: a new connection takes this few bytes at once. In TLS nothing can
    /// be said before a handshake.
    fn refuse(&self, stream: TcpStream) {
        self.telemetry.connections.refused.inc();
        if self.tls.is_some() {
            return;
        }
        let said = stream.into_std().and_then(|stream| io::Write::write(&mut &stream, FULL));
        if let Err(error) = said {
            tracing::debug!(%error, "cannot tell a refused connection why");
        }
    }

    /// Answers the requests of one connection until it ends.
    async fn run(
        self: Arc<Self>,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        pulse: Arc<Pulse>,
    ) {
        self.telemetry.connections.open.add(1);
        match &self.tls {
            None => match self.speaks_http2(&stream, &pulse).await {
                None => {}
                Some(true) => match self.clear_http2.clone().try_acquire_owned() {
                    Ok(_place) => self.http2(stream, &pulse).await,
                    Err(_) => self.telemetry.connections.refused.inc(),
                },
                Some(false) => self.http1(stream, &pulse).await,
            },
            Some(tls) => match self.shake_hands(tls, stream, &pulse).await {
                None => {}
                Some(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) => {
                    self.http2(stream, &pulse).await;
                }
                Some(stream) => self.http1(stream, &pulse).await,
            },
        }
        self.telemetry.connections.open.sub(1);
        drop(place);
    }

    /// Makes the TLS handshake, within the time limit of a request's head, unless the connection's
    /// place is needed.
    async fn shake_hands(
        &self,
        tls: &Tls,
        stream: TcpStream,
        pulse: &Pulse,
    ) -> Option<TlsStream<TcpStream>> {
        let shaken = tokio::select! {
            shaken = timeout(self.limits.head_wait, tls.accept(stream, &PROTOCOLS)) => shaken,
            () = pulse.dismissed() => return None,
            () = self.stop.cancelled() => return None,
        };
        match shaken {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => {
                self.telemetry.connections.tls_failed.inc();
                tracing::debug!(%error, "a TLS handshake failed");
            }
            Err(_) => self.telemetry.connections.timed_out.inc(),
        }
        None
    }

    /// Whether a connection in the clear is one of HTTP/2; `None` if it says nothing within the time
    /// limit of a request's head, or its place is needed.
    async fn speaks_http2(&self, stream: &TcpStream, pulse: &Pulse) -> Option<bool> {
        let said = tokio::select! {
            said = timeout(self.limits.head_wait, preface::is_http2(stream)) => said,
            () = pulse.dismissed() => return None,
            () = self.stop.cancelled() => return None,
        };
        if said.is_err() {
            self.telemetry.connections.timed_out.inc();
        }
        said.ok()?.ok()
    }

    async fn http1<S>(&self, stream: S, pulse: &Arc<Pulse>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Paced::new(stream, pulse.clone(), self.limits, self.telemetry.clone());
        let requests = service_fn(|request| self.answer(pulse.begin(), request));
        let mut builder = http1::Builder::new();
        // `Paced` is stricter. With this set, hyper polls the stream again once an answer has been
        // written.
        let head_wait = self.limits.idle_wait + self.limits.head_wait;
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(head_wait)
            .max_buf_size(BUFFER_BYTES_MAX);
        let connection = builder.serve_connection(TokioIo::new(stream), requests);
        self.drive(connection, http1::Connection::graceful_shutdown, pulse).await;
    }

    async fn http2<S>(self: &Arc<Self>, stream: S, pulse: &Arc<Pulse>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Between two requests there are frames of the connection itself, which do not begin a
        // head.
        let limits = ConnectionLimits { head_wait: self.limits.idle_wait, ..self.limits };
        let stream = Paced::new(stream, pulse.clone(), limits, self.telemetry.clone());
        // Each request is a separate task.
        let (connections, began) = (self.clone(), pulse.clone());
        let requests = service_fn(move |request| {
            let (connections, under_way) = (connections.clone(), began.begin());
            let under_way = under_way.with_place(&connections.more);
            async move {
                match under_way {
                    Ok(under_way) => connections.answer(under_way, request).await,
                    Err(under_way) => Ok(connections.turn_away(under_way, &request).await),
                }
            }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_BYTES_MAX)
            .max_send_buf_size(PART_BYTES_MAX)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        let connection = builder.serve_connection(TokioIo::new(stream), requests);
        self.drive(connection, http2::Connection::graceful_shutdown, pulse).await;
    }

    /// The answer to a request, which counts as under way until its last byte is written.
    async fn answer(
        &self,
        under_way: UnderWay,
        request: Request<Incoming>,
    ) -> Result<Response<Outgoing>, Infallible> {
        let response = match host::refusal(&request) {
            None => self.routes.call(request).await?,
            Some(reason) => {
                let refused = async { plain(StatusCode::BAD_REQUEST, reason) };
                let mut response =
                    observed(&self.telemetry, "other", request.method(), refused).await;
                // After such a request it is unclear where the next one begins.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
        };
        Ok(Outgoing::answer(under_way, response))
    }

    /// The answer to a request that there is no room for on a shared connection. A client that uses
    /// one connection per request never gets it.
    async fn turn_away<B>(&self, under_way: UnderWay, request: &Request<B>) -> Response<Outgoing> {
        self.telemetry.overload.turned_away.inc();
        let refused = async {
            let reason = "too many requests under way share a connection with others \
                          (--max-connections); try again in a second";
            plain(StatusCode::SERVICE_UNAVAILABLE, reason)
        };
        let response = observed(&self.telemetry, "other", request.method(), refused).await;
        Outgoing::answer(under_way, response)
    }

    /// Whether an answer was not read in time. Writes to the connection have the same limit
    /// (`pace`), but an HTTP/2 client may read all that is written and still hold an answer back.
    fn is_too_slow(&self, pulse: &Pulse) -> bool {
        let since = pulse.untaken_since();
        let is_too_slow = since.is_some_and(|since| since.elapsed() > self.limits.write_wait);
        if is_too_slow {
            self.telemetry.connections.timed_out.inc();
        }
        is_too_slow
    }

    /// Drives a connection until it ends, or closes it after the requests under way.
    async fn drive<C>(&self, connection: C, end: fn(Pin<&mut C>), pulse: &Pulse)
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut connection = std::pin::pin!(connection);
        let mut stop = std::pin::pin!(self.stop.cancelled());
        let mut dismissed = std::pin::pin!(pulse.dismissed());
        let mut ending = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::trace!(%error, "a connection broke off");
                    }
                    break;
                }
                () = &mut stop, if !ending => {}
                // A request may have begun at the same moment; it is answered.
                () = &mut dismissed, if !ending => if pulse.is_waiting() { break },
                () = sleep(self.limits.write_wait / LOOKS) => {
                    if self.is_too_slow(pulse) {
                        break;
                    }
                    continue;
                }
                // An idle peer need not close the connection itself.
                () = sleep(GOODBYE_WAIT), if ending => {
                    if pulse.is_waiting() {
                        break;
                    }
                    continue;
                }
            }
            end(connection.as_mut());
            ending = true;
        }
    }
}

/// Errors of a single connection, after which the next can be accepted at once.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
