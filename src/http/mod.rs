//! HTTP: parse, call, render. What is decided here is only form.

mod accept;
mod admin;
mod body;
mod connections;
mod error;
mod events;
mod health;
mod last_good;
mod metrics;
mod observe;
mod request;
mod sql;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use crate::app::App;

pub use self::admin::router as admin_router;
pub use self::connections::{ConnectionLimits, serve};

use self::last_good::LastGood;

/// Memory for request bodies that are being read, and as much again for what compressed ones grow
/// to while they are decoded, in KiB.
const MEMORY_KIB_MAX: usize = 256 * 1024;

/// What every handler has.
#[derive(Debug)]
struct Shared {
    app: Arc<App>,
    /// One permit for each KiB of a body.
    bodies: Arc<Semaphore>,
    /// One permit for each KiB that a compressed body may grow to.
    decoding: Arc<Semaphore>,
    last_good: LastGood,
}

/// The server's routes.
pub fn router(app: Arc<App>) -> Router {
    let memory = || Arc::new(Semaphore::new(MEMORY_KIB_MAX));
    let last_good = LastGood::new(app.settings().stale_on_error_max);
    let shared = Arc::new(Shared { app, bodies: memory(), decoding: memory(), last_good });
    Router::new()
        .route("/metrics", get(metrics::scrape))
        .route("/v1/events", post(events::post))
        .route("/v1/sql", post(sql::post))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
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
