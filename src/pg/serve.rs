//! Accepts connections and runs each of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::PgError;
use super::login::login;
use super::opening::{Opened, open};
use super::places::{LOGINS_MAX, PgPlaces};
use super::session::PgSession;
use super::shared::{PgSettings, Shared};
use super::wire::Wire;
use crate::app::App;

/// From a connection's begin to the end of its login.
const LOGIN_WAIT: Duration = Duration::from_secs(15);
/// Pause after `accept` fails, as for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// An idle connection is asked so often whether its peer is there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The most memory of a connection: a message and its copies while it is passed on, what is read ahead,
/// prepared statements and bound values, rows on their way, TLS.
pub const CONNECTION_BYTES: u64 = 3 << 20;
/// The most memory of connections that are on their way to a login.
pub const LOGINS_BYTES: u64 = 96 * 1024 * LOGINS_MAX as u64;

/// Answers the connections to `listener` until `stop`. Then no more are accepted, and open ones end after
/// the query that is under way.
pub async fn serve(
    listener: TcpListener,
    settings: PgSettings,
    app: Arc<App>,
    stop: CancellationToken,
) {
    let places = PgPlaces::new(settings.connections_max);
    let cancels = Arc::default();
    let shared = Arc::new(Shared { app, settings, places, cancels, stop: stop.clone() });
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => drop(tasks.spawn(run(shared.clone(), stream, peer))),
            Err(error) => {
                tracing::error!(%error, "cannot accept connections of PostgreSQL's protocol");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

async fn run(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    let _ = sockopt::set_socket_keepalive(&stream, true);
    let _ = sockopt::set_tcp_keepidle(&stream, KEEPALIVE);
    let _ = stream.set_nodelay(true);
    let place = shared.places.login();
    let entered = tokio::select! {
        entered = timeout(LOGIN_WAIT, enter(&shared, stream, peer)) => entered.ok().flatten(),
        () = place.dismissed.cancelled() => None,
        () = shared.stop.cancelled() => None,
    };
    drop(place);
    let Some((session, wire)) = entered else { return };
    let telemetry = &shared.app.telemetry().postgres;
    telemetry.open.add(1);
    session.run(wire).await;
    telemetry.open.sub(1);
}

/// The session of a client that has shown a key.
async fn enter(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<(PgSession, Wire)> {
    let opened = open(stream, shared).await.ok()?;
    let Opened { mut wire, start, is_tls } = opened?;
    let entered = match (refusal(shared, peer, is_tls), start) {
        (None, Ok(start)) => login(&mut wire, start, shared).await,
        (Some(error), _) | (None, Err(error)) => Err(error),
    };
    match entered {
        Ok(session) => Some((session, wire)),
        Err(error) => {
            tracing::debug!(message = error.message, "a login of PostgreSQL's protocol is refused");
            shared.app.telemetry().postgres.refused.inc();
            wire.put(&error.response()).ok()?;
            wire.close().await;
            None
        }
    }
}

/// Why a client may not send its key over this connection.
fn refusal(shared: &Shared, peer: SocketAddr, is_tls: bool) -> Option<PgError> {
    let settings = &shared.settings;
    let is_here = peer.ip().to_canonical().is_loopback();
    if is_tls || is_here || (settings.tls.is_none() && settings.insecure) {
        return None;
    }
    let error = PgError::fatal("28000", "a connection from another machine needs TLS");
    Some(match settings.tls {
        Some(_) => error.hint("connect with sslmode=require, or verify-full"),
        None => error.hint("start the server with --tls-cert, or with --pg-insecure"),
    })
}
