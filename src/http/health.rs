//! Whether the process lives, and whether it can serve. Nothing about organisations.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;

use super::Shared;
use super::error::HttpError;
use crate::app::AppError;

/// Load balancers ask often and wait little.
const READY_WAIT: Duration = Duration::from_secs(5);

/// `GET /healthz`.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the archive answers.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, HttpError> {
    let ready = tokio::time::timeout(READY_WAIT, shared.app.ready()).await;
    ready.unwrap_or(Err(AppError::Deadline(READY_WAIT)))?;
    Ok("ready\n")
}
