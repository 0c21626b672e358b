//! The login: an access key or a JWT as the password. The user's name is only shown.

use std::sync::Arc;

use pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey,
};

use super::credential::caller;
use super::error::PgError;
use super::messages::MessageBody;
use super::opening::{StartMessage, VERSION_3};
use super::session::PgSession;
use super::session_settings::{REPORTED, SessionSettings};
use super::shared::Shared;
use super::wire::Wire;

/// A JWT is the longest password, with 16 KiB at most.
const PASSWORD_BYTES_MAX: usize = 20 * 1024;
/// PostgreSQL's bound of names.
const NAME_CHARS_MAX: usize = 63;
/// A program that asks for what there is not, under this name.
const DUMP: &str = "pg_dump";
/// The message with a password.
const PASSWORD: u8 = b'p';

/// Asks for the password, and begins the session.
///
/// # Errors
/// What the client is told before the connection ends.
pub(super) async fn login(
    wire: &mut Wire,
    start: StartMessage,
    shared: &Arc<Shared>,
) -> Result<PgSession, PgError> {
    negotiate(wire, &start)?;
    wire.put(&Authentication::CleartextPassword)?;
    wire.flush().await?;
    let frame = wire.next(PASSWORD_BYTES_MAX).await?;
    let password = if frame.kind == PASSWORD { MessageBody(frame.body).text() } else { None };
    let password = password.ok_or_else(|| PgError::damaged("there is no password"))?;
    let credential = password.trim().to_owned();
    let caller = caller(&shared.app, &credential).await?;
    if start.get("application_name").is_some_and(|name| name.starts_with(DUMP)) {
        let refused = PgError::fatal(
            "0A000",
            "pg_dump has nothing to dump here: the tables are made by tokenlake",
        );
        return Err(refused.hint("read rows with tokenlake sql, or copy the archive's folder"));
    }
    let place = shared.places.session(&caller.org_id).ok_or_else(|| {
        PgError::fatal(
            "53300",
            "too many connections (--pg-max-connections); close some, or try again",
        )
    })?;
    let user = shown(start.get("user"), "tokenlake");
    let database = shown(start.get("database").filter(|name| !name.is_empty()), &user);
    let mut settings = SessionSettings::default();
    for (name, value) in &start.parameters {
        // What a client wishes at the start is a wish: what stays as it is, is reported below.
        let _ = settings.set(name, value);
    }
    let session = PgSession::new(shared.clone(), place, credential, user, database, settings);
    greet(wire, &session)?;
    wire.flush().await?;
    Ok(session)
}

/// Tells a client that asks for a newer protocol, or for options of one, what there is.
fn negotiate(wire: &mut Wire, start: &StartMessage) -> Result<(), PgError> {
    let options = start.parameters.iter().map(|(name, _)| name);
    let options: Vec<_> = options.filter(|name| name.starts_with("_pq_.")).cloned().collect();
    if start.minor == 0 && options.is_empty() {
        return Ok(());
    }
    // The newest version is told whole, as PostgreSQL does, although the protocol's page speaks of its
    // minor part.
    wire.put(&NegotiateProtocolVersion::new(VERSION_3, options))
}

fn greet(wire: &mut Wire, session: &PgSession) -> Result<(), PgError> {
    wire.put(&Authentication::Ok)?;
    for name in REPORTED {
        let value = session.settings.get(name).unwrap_or_default();
        wire.put(&ParameterStatus::new(name.to_owned(), value))?;
    }
    wire.put(&ParameterStatus::new("session_authorization".to_owned(), session.user.clone()))?;
    let key = session.cancellable.key;
    wire.put(&BackendKeyData::new(key.number, SecretKey::I32(key.secret)))?;
    wire.put(&ReadyForQuery::new(TransactionStatus::Idle))
}

/// A name to be shown.
fn shown(name: Option<&str>, otherwise: &str) -> String {
    let name = name.filter(|name| !name.is_empty()).unwrap_or(otherwise);
    name.chars().take(NAME_CHARS_MAX).collect()
}
