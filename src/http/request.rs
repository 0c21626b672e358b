//! What handlers need from a request: its credential, its headers, its deadline.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING};
use axum::http::{HeaderMap, HeaderValue};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};

use super::error::HttpError;
use crate::access::{AccessError, Caller, Identity, Scope};
use crate::app::{App, AppError};
use crate::ingest::Headers;

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The parameter by which an operator names an organisation.
pub(super) const ORG: &str = "org";

/// Who sends a request.
pub(super) async fn identity(app: &App, headers: &HeaderMap) -> Result<Identity, HttpError> {
    let credential = credential(headers).ok_or(AccessError::Unauthenticated)?;
    Ok(app.identify(&credential).await?)
}

/// The caller of a request that needs `scope`.
pub(super) async fn caller(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Arc<Caller>, HttpError> {
    let caller = identity(app, headers).await?.caller()?;
    caller.allow(scope)?;
    Ok(caller)
}

/// The same, where an operator names the organisation: `named` are those of the query.
pub(super) async fn caller_naming(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
    named: &[String],
) -> Result<Arc<Caller>, HttpError> {
    let caller = identity(app, headers).await?.caller_naming(named)?;
    caller.allow(scope)?;
    Ok(caller)
}

/// The organisations that the query of a URL names.
pub(super) fn named_orgs(query: Option<&str>) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.filter(|(name, _)| name == ORG).map(|(_, value)| value.into_owned()).collect()
}

/// The access key or JWT of a request: the token of `Authorization: Bearer <token>` (RFC 6750), or
/// the password of `Authorization: Basic …` (RFC 7617) with any user name, for clients that support
/// nothing else. The scheme's name is in any case. Two such headers count as none, because choosing
/// one would be a guess.
pub(super) fn credential(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Cow::Borrowed(token));
    }
    scheme.eq_ignore_ascii_case("basic").then(|| password(token)).flatten().map(Cow::Owned)
}

/// The password in the base64 of `user:password`. A user name has no colon.
fn password(encoded: &str) -> Option<String> {
    let decoded = BASE64.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = str::from_utf8(decoded.get(colon + 1..)?).ok()?.trim();
    (!password.is_empty()).then(|| password.to_owned())
}

/// All values of a header as one list; `None` if none is text.
pub(super) fn joined(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut list = Cow::Borrowed(values.next()?);
    for value in values {
        list.to_mut().push(',');
        list.to_mut().push_str(value);
    }
    Some(list)
}

/// Whether the body of a request is sent as it is, not compressed.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    let coding = joined(headers, CONTENT_ENCODING);
    coding.is_none_or(|coding| coding.trim().eq_ignore_ascii_case("identity"))
}

impl Headers for HeaderMap {
    fn get(&self, name: &str) -> Option<&[u8]> {
        HeaderMap::get(self, name).map(HeaderValue::as_bytes)
    }
}

/// The result of `work`, if it finishes within `deadline`.
pub(super) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    let done = tokio::time::timeout(deadline, work).await;
    done.unwrap_or_else(|_| Err(AppError::Deadline(deadline).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<String> {
        let headers = values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap()));
        credential(&headers.collect()).map(Cow::into_owned)
    }

    #[test]
    fn a_credential_is_a_token_or_a_password() {
        let basic = |pair: &str| of(&[&format!("Basic {}", BASE64.encode(pair))]);
        assert_eq!(of(&["Bearer td_live_1"]).as_deref(), Some("td_live_1"));
        assert_eq!(of(&["bEARER  td_live_1 "]).as_deref(), Some("td_live_1"));
        assert_eq!(basic("prometheus:td_live_1").as_deref(), Some("td_live_1"));
        assert_eq!(basic(":td_live_1\n").as_deref(), Some("td_live_1"));
        assert_eq!(basic("a:b:c").as_deref(), Some("b:c"));
        assert_eq!(of(&["basic dTpw"]).as_deref(), Some("p"));
        assert_eq!(of(&["BASIC OnB3ZA"]).as_deref(), Some("pwd"));
        for none in ["td_live_1", "td_live_1:", "td_live_1: "] {
            assert_eq!(basic(none), None, "{none}");
        }
        for none in [
            "",
            "Bearer",
            "Basic",
            "Basic !",
            "Basic dTpw dTpw",
            "Digest x",
            "Basic /zr/",
            "td_live_1",
        ] {
            assert_eq!(of(&[none]), None, "{none}");
        }
        assert_eq!(of(&["Bearer a", "Bearer a"]), None);
        assert_eq!(of(&[]), None);
    }
}
