//! `GET /v1/budgets`, and `PUT` and `DELETE /v1/budgets/NAME`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, put};

use super::body::{drain, read};
use super::error::{HttpError, plain};
use super::observe::observed;
use super::request::{caller, is_plain, within};
use super::shared::Shared;
use crate::access::Scope;

/// The path of all, and the pattern of one.
pub(super) const PATH: &str = "/v1/budgets";
pub(super) const ONE_PATH: &str = "/v1/budgets/{name}";
/// How long an answer may take.
const WAIT: Duration = Duration::from_millis(9_500);
/// The largest definition.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The routes of all budgets, and of one.
pub(super) fn routes() -> [(&'static str, MethodRouter<Arc<Shared>>); 2] {
    [(PATH, get(shown)), (ONE_PATH, put(set).delete(remove))]
}

async fn shown(State(shared): State<Arc<Shared>>, method: Method, headers: HeaderMap) -> Response {
    let work = async {
        let caller = caller(&shared.app, &headers, Scope::MetricsRead).await?;
        let _turn = shared.usages.begin(&caller.org_id)?;
        // Boxed because it is large, and rarely does more than to look at what is known.
        let body = Box::pin(shared.app.budgets(&caller)).await?;
        Ok::<_, HttpError>(json(StatusCode::OK, body))
    };
    observed(shared.app.telemetry(), PATH, &method, within(WAIT, work)).await
}

async fn set(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let work = async {
        let (name, mut body) = (name_of(name), body);
        // Boxed because it is large.
        let done = Box::pin(set_budget(&shared, &name, &headers, &mut body)).await;
        if let Err(error) = &done {
            drain(body, error).await;
        }
        done
    };
    observed(shared.app.telemetry(), ONE_PATH, &method, work).await
}

async fn set_budget(
    shared: &Arc<Shared>,
    name: &str,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<Response, HttpError> {
    let caller = within(WAIT, caller(&shared.app, headers, Scope::BudgetsWrite)).await?;
    if !is_plain(headers) {
        let message = "send the budget as application/json, in UTF-8 and not compressed";
        return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let _turn = shared.usages.begin(&caller.org_id)?;
    let _memory = shared.answers.reserve(&caller.org_id, BODY_BYTES_MAX).await?;
    let too_large = || {
        let message =
            format!("the budget is longer than {BODY_BYTES_MAX} bytes; send a shorter one");
        plain(StatusCode::PAYLOAD_TOO_LARGE, &message)
    };
    let body = read(shared.app.telemetry(), body, BODY_BYTES_MAX, too_large).await?;
    let set = async { Ok(shared.app.set_budget(&caller, name, &body).await?) };
    let answer = match within(WAIT, set).await? {
        Some(secret) => serde_json::json!({ "name": name, "secret": secret }),
        None => serde_json::json!({ "name": name }),
    };
    Ok(json(StatusCode::OK, format!("{answer}\n")))
}

async fn remove(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let work = async {
        let caller = caller(&shared.app, &headers, Scope::BudgetsWrite).await?;
        let _turn = shared.usages.begin(&caller.org_id)?;
        shared.app.remove_budget(&caller, &name_of(name)).await?;
        Ok::<_, HttpError>(StatusCode::NO_CONTENT.into_response())
    };
    observed(shared.app.telemetry(), ONE_PATH, &method, within(WAIT, work)).await
}

/// The name in a path. One that is no text is not a name either, and has its error.
fn name_of(name: Result<Path<String>, PathRejection>) -> String {
    name.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(name)| name)
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Authorization"));
    response
}
