//! Whether the process is alive and can serve. Reveals nothing about organisations.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::error::{HttpError, plain};
use super::observe::observed;
use super::shared::Shared;

/// Load balancers ask often and wait only briefly.
const READY_WAIT: Duration = Duration::from_secs(5);

/// `GET /healthz`.
pub(super) async fn alive(State(shared): State<Arc<Shared>>, method: Method) -> Response {
    observed(shared.app.telemetry(), "/healthz", &method, async { "ok\n" }).await
}

/// `GET /readyz`: the archive answers.
pub(super) async fn ready(State(shared): State<Arc<Shared>>, method: Method) -> Response {
    observed(shared.app.telemetry(), "/readyz", &method, answer(&shared)).await
}

/// The reason is only logged, because the request needs no credential.
async fn answer(shared: &Shared) -> Result<&'static str, HttpError> {
    match tokio::time::timeout(READY_WAIT, shared.app.ready()).await {
        Ok(Ok(())) => return Ok("ready\n"),
        Ok(Err(error)) => tracing::warn!(%error, "not ready"),
        Err(_) => tracing::warn!("not ready: the archive did not answer in time"),
    }
    Err(plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "the archive cannot be read; the server's log says why",
    ))
}
