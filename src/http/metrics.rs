//! `GET /metrics`: one organisation's usage, as Prometheus scrapes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, AGE, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY,
};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::Shared;

use super::error::HttpError;
use super::observe::observed;
use super::request::{bearer, caller, joined, within};
use crate::access::Scope;
use crate::app::Form;
use crate::clock::Micros;
use crate::exposition::{Coding, Collect, Format};

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
    let work = answer(&shared, query.as_deref(), &headers, app.now());
    // Whatever keeps the numbers from being whole, a scraper is to see it as a failed scrape.
    let work = async { work.await.map_err(HttpError::unavailable) };
    observed(app.telemetry(), "/metrics", &method, work).await
}

async fn answer(
    shared: &Shared,
    query: Option<&str>,
    headers: &HeaderMap,
    now: Micros,
) -> Result<Response, HttpError> {
    let began = Instant::now();
    let whole = within(deadline(headers), whole(shared, query, headers, now)).await;
    let token = bearer(headers).unwrap_or_default();
    match whole {
        Ok((form, body)) => {
            shared.last_good.keep(token, form, began, &body);
            Ok(rendered(form, body))
        }
        Err(error) => {
            let stale = || shared.last_good.get(token, form(query, headers).ok()?, Instant::now());
            let Some((age, body)) = error.is_unavailable().then(stale).flatten() else {
                return Err(error);
            };
            shared.app.telemetry().rollup.scrapes_stale.inc();
            let mut response = rendered(form(query, headers)?, body);
            response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
            Ok(response)
        }
    }
}

/// All of what the caller asks for, as of now.
async fn whole(
    shared: &Shared,
    query: Option<&str>,
    headers: &HeaderMap,
    now: Micros,
) -> Result<(Form, Bytes), HttpError> {
    let caller = caller(&shared.app, headers, Scope::MetricsRead).await?;
    let form = form(query, headers)?;
    let _turn = shared.scrapes.begin(&caller.org_id)?;
    Ok((form, shared.app.scrape(&caller.org_id, form, now).await?))
}

fn form(query: Option<&str>, headers: &HeaderMap) -> Result<Form, HttpError> {
    let asked: Vec<String> = query.map(collectors).unwrap_or_default();
    Ok(Form {
        collect: Collect::parse(asked.iter().map(String::as_str))?,
        format: Format::negotiate(joined(headers, ACCEPT).as_deref()),
        coding: Coding::negotiate(joined(headers, ACCEPT_ENCODING).as_deref()),
    })
}

fn rendered(form: Form, body: Bytes) -> Response {
    let mut response = body.into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(form.format.content_type()));
    answer.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding, Authorization"));
    if let Some(coding) = form.coding.name() {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
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
