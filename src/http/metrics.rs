//! `GET /metrics`: one organisation's usage, as Prometheus scrapes it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY,
};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};

use super::Shared;

use super::error::HttpError;
use super::observe::observed;
use super::request::{caller, joined, within};
use crate::access::Scope;
use crate::app::{App, Form};
use crate::clock::Micros;
use crate::exposition::{Collect, Format, accepts_gzip};

/// The deadline of a scraper that names none.
const DEADLINE: Duration = Duration::from_millis(9_500);
/// What a scraper's timeout must leave for the way back.
const WAY_BACK: Duration = Duration::from_millis(500);
/// A timeout below the way back still gets this chance.
const DEADLINE_MIN: Duration = Duration::from_millis(50);

/// `GET` and `HEAD /metrics`.
pub(super) async fn scrape(
    State(shared): State<Arc<Shared>>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let app = &shared.app;
    let work = answer(app, query.as_deref(), &headers, app.now());
    // Whatever keeps the numbers from being whole, a scraper is to see it as a failed scrape.
    let work = async { within(deadline(&headers), work).await.map_err(HttpError::unavailable) };
    observed(app.telemetry(), "/metrics", &method, work).await
}

async fn answer(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
    now: Micros,
) -> Result<Response, HttpError> {
    let caller = caller(app, headers, Scope::MetricsRead).await?;
    let asked: Vec<String> = query.map(collectors).unwrap_or_default();
    let collect = Collect::parse(asked.iter().map(String::as_str))?;
    let format = Format::negotiate(joined(headers, ACCEPT).as_deref());
    let gzip = accepts_gzip(joined(headers, ACCEPT_ENCODING).as_deref());
    let form = Form { collect, format, gzip };
    let body = app.scrape(&caller.org_id, form, now).await?;
    let mut response = body.into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    answer.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding, Authorization"));
    if gzip {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// The values of `collect[]`, in the order of the query.
fn collectors(query: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(name, _)| name == "collect[]").map(|(_, value)| value.into_owned()).collect()
}

/// The scraper's own timeout (decimal seconds) less the way back.
fn deadline(headers: &HeaderMap) -> Duration {
    let seconds = headers.get("x-prometheus-scrape-timeout-seconds");
    let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    timeout.map_or(DEADLINE, |timeout| timeout.saturating_sub(WAY_BACK).max(DEADLINE_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_follows_the_scraper() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("X-Prometheus-Scrape-Timeout-Seconds", value.parse().unwrap());
            deadline(&headers)
        };
        assert_eq!(with("10"), Duration::from_millis(9_500));
        assert_eq!(with("2.000"), Duration::from_millis(1_500));
        assert_eq!(with("0.2"), DEADLINE_MIN);
        for odd in ["NaN", "-1", "inf", "1e400", "soon", ""] {
            assert_eq!(with(odd), DEADLINE, "{odd}");
        }
        assert_eq!(deadline(&HeaderMap::new()), DEADLINE);
    }

    #[test]
    fn collectors_are_read_from_the_query() {
        assert_eq!(collectors("collect[]=core&collect%5B%5D=tokens&x=1"), ["core", "tokens"]);
    }
}
