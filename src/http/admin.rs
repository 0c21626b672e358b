//! tokenlake's own telemetry, on a separate address.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::routing::get;

use super::error;
use crate::telemetry::{self, Telemetry};

/// The routes of `--admin-listen`; each path also works with a trailing slash.
pub fn router(telemetry: Telemetry) -> Router {
    let scrape = move || async move {
        match telemetry.encode() {
            Ok(text) => ([(CONTENT_TYPE, telemetry::CONTENT_TYPE)], text).into_response(),
            Err(error) => {
                error::plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()).into_response()
            }
        }
    };
    // `/healthz` is also here, for clients that cannot reach the other address, which may have TLS.
    let mut router = Router::new();
    for (path, answers) in [("/metrics", get(scrape)), ("/healthz", get(async || "ok\n"))] {
        router = router.route(path, answers.clone()).route(&format!("{path}/"), answers);
    }
    router
}
