//! What handlers ask of a request: its credential, its headers, its time.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::error::HttpError;
use crate::access::{AccessError, Caller, Scope};
use crate::app::{App, AppError};

/// The caller of a request that needs `scope`.
pub(super) async fn caller(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Arc<Caller>, HttpError> {
    let token = bearer(headers).ok_or(AccessError::Unauthenticated)?;
    let caller = app.authenticate(token).await?;
    caller.allow(scope)?;
    Ok(caller)
}

/// The token of `Authorization: Bearer <token>` (RFC 6750; the scheme's name in any case). Two
/// such headers are as none: which one counts would be a guess.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// All values of a header as one list; `None` without any that is text.
pub(super) fn joined(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut list = Cow::Borrowed(values.next()?);
    for value in values {
        list.to_mut().push(',');
        list.to_mut().push_str(value);
    }
    Some(list)
}

/// The result of `work`, if it comes within `deadline`.
pub(super) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    let done = tokio::time::timeout(deadline, work).await;
    done.unwrap_or_else(|_| Err(AppError::Deadline(deadline).into()))
}
