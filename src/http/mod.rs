//! HTTP: parse, call, render. Nothing here decides what the answer says, only its form.

mod accept;
mod admin;
mod answers;
mod body;
mod budgets;
mod connections;
mod endpoint;
mod error;
mod events;
mod health;
mod host;
mod last_good;
mod listener;
mod me;
mod metrics;
mod observe;
mod page;
mod request;
mod sd;
mod shared;
mod shares;
mod sql;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;

use crate::app::App;

pub use self::admin::router as admin_router;
pub use self::connections::{
    CLEAR_HTTP2_SHARE, CONNECTION_BYTES, ConnectionLimits, REQUEST_BYTES, TLS_BYTES, serve,
};
pub use self::last_good::BYTES_MAX as LAST_GOOD_BYTES_MAX;
pub use self::listener::{Listener, Scheme};
pub use self::shares::DECODERS_MAX;

use self::answers::Answers;
use self::endpoint::{Endpoint as _, route};
use self::events::Events;
use self::last_good::LastGood;
use self::shared::Shared;
use self::shares::{Decoders, Memory, Turns, Use};
use self::sql::Sql;
use crate::ingest::DOORS;

/// Memory for request bodies that are being read, in KiB, and the same amount again for their
/// decompressed and decoded data. One organisation may use half of each.
const MEMORY_KIB_MAX: usize = 256 * 1024;
/// The same in bytes.
pub const REQUESTS_BYTES_MAX: usize = MEMORY_KIB_MAX * 1024;

/// The routes of a server that is reached by `scheme`. Each path also works with a trailing slash:
/// clients that join a URL from two parts may send one, and not all repeat their credential or body
/// after a redirect.
pub fn router(app: Arc<App>, scheme: Scheme) -> Router {
    let telemetry = || app.telemetry().clone();
    let turns = || Turns::new(app.settings().requests_per_org_max, telemetry());
    let memory = || {
        let overload = &app.telemetry().overload;
        let use_of = Use {
            reserved: overload.reserved_bytes.clone(),
            refused: overload.without_memory.clone(),
            full: format!(
                "the bodies of requests under way fill the {} MiB for request bodies, or the half \
                 of it that one organisation may use (each takes up to --max-body); try again in \
                 a second",
                MEMORY_KIB_MAX >> 10
            ),
        };
        Memory::new(MEMORY_KIB_MAX, use_of)
    };
    let shared = Arc::new(Shared {
        scrapes: turns(),
        posts: turns(),
        queries: turns(),
        usages: turns(),
        bodies: memory(),
        decoding: memory(),
        decoders: Decoders::new(),
        answers: Answers::new(app.settings().answer_bytes_max, app.telemetry()),
        last_good: LastGood::new(app.settings().stale_on_error_max),
        app,
        scheme,
    });
    let mut router = page::with_page(Router::new());
    let doors = DOORS.map(|door| (door.path(), route(Events(door))));
    let others = [
        ("/metrics", get(metrics::scrape)),
        (Sql.path(), route(Sql)),
        (usage::PATH, get(usage::answer)),
        (me::PATH, get(me::answer)),
        (sd::PATH, get(sd::answer)),
        ("/healthz", get(health::alive)),
        ("/readyz", get(health::ready)),
    ];
    for (path, answers) in doors.into_iter().chain(others).chain(budgets::routes()) {
        router = router.route(path, answers.clone()).route(&format!("{path}/"), answers);
    }
    router
        .fallback(|shared, method| {
            refused(shared, method, StatusCode::NOT_FOUND, "there is nothing at this path")
        })
        .method_not_allowed_fallback(|shared, method| {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            refused(shared, method, status, "this path does not take this method")
        })
        .with_state(shared)
}

async fn refused(
    State(shared): State<Arc<Shared>>,
    method: Method,
    status: StatusCode,
    message: &'static str,
) -> Response {
    let answer = async { error::plain(status, message) };
    observe::observed(shared.app.telemetry(), "other", &method, answer).await
}
