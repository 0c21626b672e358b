//! Counts requests.

use std::time::Instant;

use axum::http::Method;
use axum::response::{IntoResponse, Response};

use crate::telemetry::Telemetry;

/// Answers with the result of `work`, and counts it under the route's pattern. It never uses the
/// client's text, so that clients cannot create series.
pub(super) async fn observed(
    telemetry: &Telemetry,
    endpoint: &'static str,
    method: &Method,
    work: impl Future<Output = impl IntoResponse>,
) -> Response {
    let start = Instant::now();
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    };
    let response = work.await.into_response();
    telemetry.http.observe(endpoint, method, response.status().as_u16(), start.elapsed());
    response
}
