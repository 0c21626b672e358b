//! `GET /sd/prometheus`: one target for each tenant, for Prometheus' `http_sd_configs` with an operator's
//! key.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, VARY};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::error::{HttpError, plain};
use super::listener::Scheme;
use super::observe::observed;
use super::request::{credential, within};
use super::shared::Shared;
use crate::access::{AccessError, Holder};
use crate::app::AppError;
use crate::event::OrgId;

/// The path.
pub(super) const PATH: &str = "/sd/prometheus";
/// How long the list of tenants may take.
const WAIT: Duration = Duration::from_millis(9_500);

/// What Prometheus is to scrape, and with which labels.
#[derive(Debug, Serialize)]
struct ScrapeTarget<'a> {
    targets: [&'a str; 1],
    labels: Labels<'a>,
}

#[derive(Debug, Serialize)]
struct Labels<'a> {
    /// Becomes the parameter `org` of the scrape.
    #[serde(rename = "__param_org")]
    param_org: &'a str,
    /// As the scraped series have it.
    org_id: String,
    #[serde(rename = "__scheme__", skip_serializing_if = "Option::is_none")]
    scheme: Option<&'static str>,
}

/// `GET` and `HEAD /sd/prometheus`.
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let work = within(WAIT, answered(&shared, &uri, &headers));
    observed(shared.app.telemetry(), PATH, &method, work).await
}

async fn answered(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Result<Response, HttpError> {
    let credential = credential(headers).or_else(|| bare(headers));
    let credential = credential.ok_or(AccessError::Unauthenticated)?;
    match shared.app.identify(&credential).await?.holder {
        Holder::Operator => {}
        Holder::Caller(_) => return Err(AccessError::NoOperator.into()),
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has the host in its address.
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Err(plain(
            StatusCode::BAD_REQUEST,
            "the request needs a Host header: it is the target",
        ));
    };
    let tenants = Box::pin(shared.app.tenants()).await?;
    let body = body(host, shared.scheme, &tenants);
    let mut response = body.map_err(|error| AppError::Internal(error.to_string()))?.into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert(VARY, HeaderValue::from_static("Authorization"));
    Ok(response)
}

/// A credential without a scheme: Prometheus up to 2.42 sends it so to `http_sd_configs`, if its
/// configuration has no `type`.
fn bare(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    (!value.contains(' ')).then_some(Cow::Borrowed(value))
}

fn body(host: &str, scheme: Scheme, tenants: &BTreeSet<OrgId>) -> serde_json::Result<Vec<u8>> {
    let scheme = match scheme {
        Scheme::Http => None,
        Scheme::Https => Some(scheme.name()),
    };
    let targets = tenants.iter().map(|org_id| ScrapeTarget {
        targets: [host],
        labels: Labels { param_org: org_id.as_str(), org_id: org_id.lowercase(), scheme },
    });
    serde_json::to_vec(&targets.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_is_a_target() {
        let tenants: BTreeSet<_> =
            ["globex", "Acme.1"].iter().map(|name| OrgId::parse(name).unwrap()).collect();
        let of = |scheme| String::from_utf8(body("[::1]:9797", scheme, &tenants).unwrap()).unwrap();
        assert_eq!(
            of(Scheme::Http),
            r#"[{"targets":["[::1]:9797"],"labels":{"__param_org":"Acme.1","org_id":"acme.1"}},{"targets":["[::1]:9797"],"labels":{"__param_org":"globex","org_id":"globex"}}]"#
        );
        assert_eq!(of(Scheme::Https).matches(r#""__scheme__":"https""#).count(), 2);
        assert_eq!(body("x", Scheme::Http, &BTreeSet::new()).unwrap(), b"[]");
    }
}
