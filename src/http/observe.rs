//! Counting requests.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use crate::telemetry::Telemetry;

/// Counts a request under its route's pattern, never under the client's text.
pub(super) async fn observe(
    State(telemetry): State<Telemetry>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let endpoint = match request.extensions().get::<MatchedPath>().map(MatchedPath::as_str) {
        Some("/metrics") => "/metrics",
        Some("/v1/events") => "/v1/events",
        Some("/healthz") => "/healthz",
        Some("/readyz") => "/readyz",
        _ => "other",
    };
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    };
    let response = next.run(request).await;
    telemetry.http.observe(endpoint, method, response.status().as_u16(), start.elapsed());
    response
}
