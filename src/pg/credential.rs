//! Who asks, by the credential that was given as the password.

use std::sync::Arc;

use super::error::{AfterError, PgError};
use crate::access::{Caller, Scope};
use crate::app::{App, AppError};

/// The caller with a credential, who may ask in SQL.
///
/// # Errors
/// 28P01 without a valid credential, 28000 if it may not.
pub(super) async fn caller(app: &App, credential: &str) -> Result<Arc<Caller>, PgError> {
    let ended = |error: PgError| PgError { end: AfterError::Fatal, ..error };
    let caller = app.authenticate(credential).await.map_err(|error| ended(error.into()))?;
    let allowed = caller.allow(Scope::SqlRead);
    allowed.map_err(|error| ended(AppError::from(error).into()))?;
    Ok(caller)
}
