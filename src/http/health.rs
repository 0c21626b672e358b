//! Whether the process lives, and whether it can serve. Nothing about organisations.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use super::Shared;
use super::error::{HttpError, plain};

/// Load balancers ask often and wait little.
const READY_WAIT: Duration = Duration::from_secs(5);

/// `GET /healthz`.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the archive answers. Why it does not is in the log alone: nobody was asked for
/// a credential.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, HttpError> {
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
