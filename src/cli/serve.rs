//! The command `tokenlake serve`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::listen::ListenAddr;
use super::memory::Bounds;
use super::open::Create;
use super::print::print_note;
use super::serve_args::ServeArgs;
use super::settings::ADMIN_CONNECTIONS_MAX;
use super::{expire, open, open_files, settings, signals};
use crate::app::App;
use crate::archive::{ArchiveError, ArchiveLocation, StoreCheck};
use crate::http::{self, Listener};
use crate::pg::{self, PgSettings};
use crate::telemetry::Telemetry;

/// The time that requests may take after a stop; their own deadlines are shorter.
const STOP_WAIT: Duration = Duration::from_secs(20);

/// Opens the archive and serves it until a signal comes.
pub(super) async fn run(archive: &ArchiveLocation, args: ServeArgs) -> anyhow::Result<ExitCode> {
    signals::end_well();
    let listeners = listen(&args).await?;
    let app = start(archive, &args).await?;
    serve(archive, app, listeners, &args).await
}

/// The addresses of the doors.
pub(super) struct Listeners {
    pub(super) http: Listener,
    pg: Option<(TcpListener, PgSettings)>,
}

/// Binds the addresses and reads the certificate, so that wrong ones fail before anything is opened.
pub(super) async fn listen(args: &ServeArgs) -> anyhow::Result<Listeners> {
    let tcp = bound(&args.listen, "--listen").await?;
    let tls = args.tls.open()?;
    let pg = args.pg.bind(tls.clone()).await?;
    Ok(Listeners { http: Listener::new(tcp, tls), pg })
}

async fn bound(address: &ListenAddr, flag: &str) -> anyhow::Result<TcpListener> {
    let bound = address.bind().await;
    bound.map_err(|error| {
        anyhow::anyhow!("cannot listen on {address}: {error}; choose another {flag}")
    })
}

/// Opens the archive.
pub(super) async fn start(archive: &ArchiveLocation, args: &ServeArgs) -> anyhow::Result<Arc<App>> {
    let settings = settings::of_serve(archive, args);
    let store = match args.create {
        Create::Never => open::existing_store(archive)?,
        Create::IfMissing => open::store(archive)?,
    };
    if !archive.is_local() {
        refuse_unfit(&StoreCheck::new(store.clone())).await?;
    }
    let app = App::open(store, open::clock(), Telemetry::new(), settings).await?;
    Ok(Arc::new(app))
}

/// Refuses a store that replaces an object although the put asks for a new one: it would lose
/// events. Any other failure is left to the requests that depend on it: a server may only be
/// allowed to read.
async fn refuse_unfit(check: &StoreCheck) -> anyhow::Result<()> {
    match check.conditional_put().await {
        Err(error @ ArchiveError::UnfitStore(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "cannot check that the store refuses to replace objects");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Answers PostgreSQL's protocol until `stop`.
fn serve_pg(
    (listener, settings): (TcpListener, PgSettings),
    app: &Arc<App>,
    stop: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    print_note(&format!("PostgreSQL's protocol on {}", listener.local_addr()?));
    Ok(tokio::spawn(pg::serve(listener, settings, app.clone(), stop.clone())))
}

/// Serves until SIGTERM or SIGINT, then finishes and commits what is under way.
pub(super) async fn serve(
    archive: &ArchiveLocation,
    app: Arc<App>,
    listeners: Listeners,
    args: &ServeArgs,
) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    let admin = match &args.admin_listen {
        None => None,
        Some(address) => {
            let admin = bound(address, "--admin-listen").await?;
            print_note(&format!("telemetry on http://{}/metrics", admin.local_addr()?));
            let routes = http::admin_router(app.telemetry().clone());
            let limits = http::ConnectionLimits::of(ADMIN_CONNECTIONS_MAX);
            // With meters of its own, so that its connections are not counted as those of clients.
            Some(tokio::spawn(http::serve(admin, routes, limits, Telemetry::new(), stop.clone())))
        }
    };
    let Listeners { http: listener, pg } = listeners;
    let pg = pg.map(|door| serve_pg(door, &app, &stop)).transpose()?;
    let retention = args.expire_older_than;
    let expiry = retention.map(|retention| expire::scheduled(app.clone(), archive, retention));
    let url = listener.url()?;
    let mib = Bounds::of_serve(args).bytes().div_ceil(1 << 20);
    tracing::info!(
        "memory is bounded by {mib} MiB, queries included; docs/memory.md lists the parts"
    );
    let routes = http::router(app.clone(), listener.scheme());
    open_files::allow(args.max_connections.saturating_add(args.pg.pg_max_connections));
    let limits = http::ConnectionLimits::of(args.max_connections);
    let (telemetry, ended) = (app.telemetry().clone(), stop.clone());
    let server = tokio::spawn(http::serve(listener, routes, limits, telemetry, ended));
    // Signals are caught first: a reader of this line may stop the server at once.
    let stopped = signals::told();
    print_note(&format!("listening on {url}"));
    let sound = tokio::select! {
        () = stopped => true,
        () = app.archive().ended() => false,
    };
    tracing::info!("stopping: finishing requests and commits");
    stop.cancel();
    // A client that never ends its request must not keep the rest from being committed.
    if tokio::time::timeout(STOP_WAIT, server).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    if let Some(pg) = pg
        && tokio::time::timeout(STOP_WAIT, pg).await.is_err()
    {
        tracing::warn!("some queries of PostgreSQL's protocol did not end in time");
    }
    drop((admin, expiry));
    if tokio::time::timeout(STOP_WAIT, app.close()).await.is_err() {
        tracing::warn!(
            "some batches could not be committed in time; none of them was acknowledged"
        );
    }
    // A server that can no longer commit or follow must not look alive; a new one can go on.
    anyhow::ensure!(sound, "a part of the server failed; see the log above, and start it again");
    Ok(ExitCode::SUCCESS)
}
