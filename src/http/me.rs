//! `GET /v1/me`: whose a credential is, what it allows, and until when.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use super::error::HttpError;
use super::observe::observed;
use super::request::{identity, within};
use super::shared::Shared;
use crate::access::{BoundTo, Holder, Identity, Scopes, operator_scopes};
use crate::app::AppError;
use crate::clock::Micros;

/// The path.
pub(super) const PATH: &str = "/v1/me";
/// How long the record of a key may take.
const WAIT: Duration = Duration::from_millis(9_500);

/// The answer.
#[derive(Debug, Serialize)]
struct Me<'a> {
    org_id: Option<&'a str>,
    scopes: &'a Scopes,
    dimension: Option<OwnPart<'a>>,
    expires: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    operator: bool,
}

/// The part of an organisation that a key is bound to.
#[derive(Debug, Serialize)]
struct OwnPart<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> OwnPart<'a> {
    fn of(BoundTo { dimension, value }: &'a BoundTo) -> Self {
        Self { name: dimension, value }
    }
}

/// `GET` and `HEAD /v1/me`. Any valid credential may ask.
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let work = within(WAIT, answered(&shared, &headers));
    observed(shared.app.telemetry(), PATH, &method, work).await
}

async fn answered(shared: &Shared, headers: &HeaderMap) -> Result<Response, HttpError> {
    let body = body(&identity(&shared.app, headers).await?);
    let body = body.map_err(|error| AppError::Internal(error.to_string()))?;
    let mut response = body.into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert(VARY, HeaderValue::from_static("Authorization"));
    Ok(response)
}

fn body(identity: &Identity) -> serde_json::Result<Vec<u8>> {
    let expires = identity.expires_at_us.and_then(time);
    match &identity.holder {
        Holder::Operator => {
            let scopes = &operator_scopes();
            let (org_id, dimension, operator) = (None, None, true);
            serde_json::to_vec(&Me { org_id, scopes, dimension, expires, operator })
        }
        Holder::Caller(caller) => serde_json::to_vec(&Me {
            org_id: Some(caller.org_id.as_str()),
            scopes: &caller.scopes,
            dimension: caller.bound.as_ref().map(OwnPart::of),
            expires,
            operator: false,
        }),
    }
}

/// RFC 3339; `None` beyond its years, which is as good as never.
fn time(at: Micros) -> Option<String> {
    let text = DateTime::from_timestamp_micros(at)?.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    text.starts_with(|first: char| first.is_ascii_digit()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Caller, Scope};
    use crate::clock::SECOND;
    use crate::event::OrgId;

    #[test]
    fn an_answer_tells_all_of_a_credential() {
        let of = |holder, expires_at_us| {
            String::from_utf8(body(&Identity { holder, expires_at_us }).unwrap()).unwrap()
        };
        let org_id = OrgId::parse("acme").unwrap();
        let scopes = Scopes::of(vec![Scope::SqlRead, Scope::MetricsRead]);
        let bound = Some("team=a\"b".parse().unwrap());
        let caller = Caller { org_id, scopes, bound };
        assert_eq!(
            of(Holder::Caller(Arc::new(caller)), Some(1_800_000_000 * SECOND)),
            r#"{"org_id":"acme","scopes":["metrics:read","sql:read"],"dimension":{"name":"team","value":"a\"b"},"expires":"2027-01-15T08:00:00Z"}"#
        );
        assert_eq!(
            of(Holder::Operator, Some(Micros::MAX)),
            r#"{"org_id":null,"scopes":["metrics:read"],"dimension":null,"expires":null,"operator":true}"#
        );
    }
}
