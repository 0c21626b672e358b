//! `GET /metrics`: one organisation's usage, as Prometheus scrapes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, AGE, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;

use super::answers::{HeldUntilSent, body_of};
use super::error::{HttpError, plain};
use super::observe::observed;
use super::request::{caller_naming, credential, joined, named_orgs, within};
use super::shared::Shared;
use crate::access::{Caller, Scope};
use crate::app::BodyForm;
use crate::clock::Micros;
use crate::event::excerpt;
use crate::exposition::{Coding, Collect, MetricsFormat, Pieces};

/// The parameter that selects families, by the convention of exporters.
const COLLECT: &str = "collect[]";
/// The deadline of a scraper that sends none.
const DEADLINE: Duration = Duration::from_millis(9_500);
/// Time left of a scraper's timeout for the way back.
const WAY_BACK: Duration = Duration::from_millis(500);
/// The deadline for timeouts shorter than the way back.
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
    // Whatever makes the numbers incomplete, a scraper must see it as a failed scrape.
    let work = async { work.await.map_err(HttpError::unavailable) };
    observed(app.telemetry(), "/metrics", &method, work).await
}

async fn answer(
    shared: &Shared,
    query: Option<&str>,
    headers: &HeaderMap,
    now: Micros,
) -> Result<Response, HttpError> {
    let (began, mut known) = (Instant::now(), None);
    let orgs = named_orgs(query);
    let whole = whole(shared, query, headers, &orgs, now, &mut known);
    let whole = within(deadline(headers), whole).await;
    let mut credential = credential(headers).unwrap_or_default();
    // An operator's credential has a caller for each organisation. No credential has a line's end.
    for org in &orgs {
        let credential = credential.to_mut();
        credential.push('\n');
        credential.push_str(org);
    }
    match whole {
        Ok((form, body, held)) => {
            if let Some(caller) = &known {
                shared.last_good.keep(&credential, caller, form, began, &body);
            }
            Ok(held.until_taken(rendered(form, body)))
        }
        Err(error) if error.is_unavailable() => {
            let stale = || {
                let (form, now) = (form(query, headers).ok()?, Instant::now());
                // A credential that was refused since its last answer is forgotten here. If storage failed
                // while it was checked, the last check counts.
                let last = shared.last_good.caller(&credential, now)?;
                let caller = known.unwrap_or(last);
                let (age, body) = shared.last_good.get(&caller, form, now)?;
                let turn = shared.scrapes.begin(&caller.org_id).ok()?;
                let held = shared.answers.try_hold_text(&caller.org_id, &body)?;
                Some((form, age, body, HeldUntilSent::new((turn, held))))
            };
            let Some((form, age, body, held)) = stale() else { return Err(error) };
            shared.app.telemetry().rollup.scrapes_stale.inc();
            let mut response = held.until_taken(rendered(form, body));
            response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
            Ok(response)
        }
        Err(error) => {
            if error.is_of_access() {
                shared.last_good.forget(&credential);
            }
            Err(error)
        }
    }
}

/// The complete and current answer, with what it holds until it is sent. `known` is set to the
/// caller as soon as it is known.
async fn whole(
    shared: &Shared,
    query: Option<&str>,
    headers: &HeaderMap,
    orgs: &[String],
    now: Micros,
    known: &mut Option<Arc<Caller>>,
) -> Result<(BodyForm, Pieces, HeldUntilSent), HttpError> {
    let caller = caller_naming(&shared.app, headers, Scope::MetricsRead, orgs).await?;
    let caller = known.insert(caller);
    let form = form(query, headers)?;
    let turn = shared.scrapes.begin(&caller.org_id)?;
    let (body, held) = text(shared, caller, form, now).await?;
    Ok((form, body, HeldUntilSent::new((turn, held))))
}

/// The body, and the memory that is reserved for it.
async fn text(
    shared: &Shared,
    caller: &Caller,
    form: BodyForm,
    now: Micros,
) -> Result<(Pieces, HeldUntilSent), HttpError> {
    let org_id = &caller.org_id;
    let body = shared.app.scrape(caller, form, now).await?;
    if let Some(held) = shared.answers.try_hold_text(org_id, &body) {
        return Ok((body, held));
    }
    // Otherwise each request that waits for memory would hold a body meanwhile.
    let bytes = body.bytes();
    drop(body);
    let reserved = shared.answers.reserve(org_id, bytes).await?;
    let body = shared.app.scrape(caller, form, now).await?;
    let held = shared.answers.hold_text(&body, reserved);
    Ok((body, held))
}

fn form(query: Option<&str>, headers: &HeaderMap) -> Result<BodyForm, HttpError> {
    let asked = query.map(collectors).transpose()?.unwrap_or_default();
    let format = MetricsFormat::negotiate(joined(headers, ACCEPT).as_deref());
    Ok(BodyForm {
        collect: Collect::parse(asked.iter().map(String::as_str))?.shown_in(format),
        format,
        coding: Coding::negotiate(joined(headers, ACCEPT_ENCODING).as_deref()),
    })
}

fn rendered(form: BodyForm, body: Pieces) -> Response {
    let mut response = Response::new(body_of(body));
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(form.format.content_type()));
    answer.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding, Authorization"));
    if let Some(coding) = form.coding.name() {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// The values of `collect[]`, in the order of the query. Other parameters are ignored, as exporters
/// do. But a misspelling of this one is an error, because ignoring it would go unnoticed.
fn collectors(query: &str) -> Result<Vec<String>, HttpError> {
    let mut values = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name == COLLECT {
            values.push(value.into_owned());
        } else if is_like_collect(&name) {
            let (name, value) = (excerpt(&name), excerpt(&value));
            let message = format!("unknown parameter {name}; ask with {COLLECT}={value}");
            return Err(plain(StatusCode::BAD_REQUEST, &message));
        }
    }
    Ok(values)
}

/// Whether a name is a misspelling of `collect[]`: `collect`, `collect[0]`, `Collect[]`,
/// `collectors`.
fn is_like_collect(name: &str) -> bool {
    let letters = name.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    ["collect", "collector", "collectors"].iter().any(|like| letters.eq_ignore_ascii_case(like))
}

/// The scraper's own timeout (decimal seconds), less the way back.
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
        let values = collectors("collect[]=core&collect%5B%5D=tokens&x=1&collection=2").unwrap();
        assert_eq!(values, ["core", "tokens"]);
        for like in [
            "collect=tokens",
            "collect",
            "collect[0]=a",
            "COLLECT[]=a",
            "collect%5B=a",
            "collectors=a",
        ] {
            assert!(collectors(like).is_err(), "{like}");
        }
    }
}
