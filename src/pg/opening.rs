//! The begin of a connection: TLS, a request to cancel, or the message that names user and database.

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::cancel::CancelKey;
use super::error::PgError;
use super::messages::MessageBody;
use super::shared::Shared;
use super::wire::{Duplex, Wire, first_message};

/// PostgreSQL's own bound of the first message.
const START_BYTES_MAX: usize = 10_000;
/// Codes in place of a version.
const SSL: i32 = 80_877_103;
const GSS: i32 = 80_877_104;
const CANCEL: i32 = 80_877_102;
/// The version 3.0. Minor versions are asked for as 3.1, 3.2 and so on.
pub(super) const VERSION_3: i32 = 3 << 16;
/// What a client may name in a handshake.
const PROTOCOLS: [&[u8]; 1] = [b"postgresql"];

/// A connection that is open.
pub(super) struct Opened {
    pub wire: Wire,
    /// How the session begins, or what the client is told of a begin that there is not.
    pub start: Result<StartMessage, PgError>,
    pub is_tls: bool,
}

/// The message that begins a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StartMessage {
    /// The minor version of the protocol.
    pub minor: i32,
    pub parameters: Vec<(String, String)>,
}

impl StartMessage {
    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Opens a connection. None, if it only asked to cancel a query.
///
/// # Errors
/// The client is gone, or does not speak the protocol.
pub(super) async fn open(
    mut stream: TcpStream,
    shared: &Shared,
) -> Result<Option<Opened>, PgError> {
    // A client may ask for both kinds of encryption, one after the other.
    for _ in 0..3 {
        let message = first_message(&mut stream, START_BYTES_MAX).await?;
        match (code(&message), &shared.settings.tls) {
            (Some(SSL), Some(tls)) => {
                say(&mut stream, b'S').await?;
                let mut stream =
                    tls.accept(stream, &PROTOCOLS).await.map_err(|_| PgError::gone())?;
                let message = first_message(&mut stream, START_BYTES_MAX).await?;
                return opened(Box::new(stream), message, true, shared);
            }
            (Some(SSL | GSS), _) => say(&mut stream, b'N').await?,
            _ => return opened(Box::new(stream), message, false, shared),
        }
    }
    Err(PgError::gone())
}

async fn say(stream: &mut TcpStream, answer: u8) -> Result<(), PgError> {
    stream.write_all(&[answer]).await.map_err(|_| PgError::gone())
}

fn code(message: &[u8]) -> Option<i32> {
    message.first_chunk().map(|code| i32::from_be_bytes(*code))
}

fn opened(
    stream: Box<dyn Duplex>,
    message: Vec<u8>,
    is_tls: bool,
    shared: &Shared,
) -> Result<Option<Opened>, PgError> {
    let mut body = MessageBody(Bytes::from(message));
    if body.0.first_chunk() == Some(&CANCEL.to_be_bytes()) {
        if let (Some(_), Some(number), Some(secret)) = (body.word(), body.word(), body.word()) {
            shared.cancels.cancel(CancelKey { number, secret });
        }
        return Ok(None);
    }
    let start = start_message(body);
    Ok(Some(Opened { wire: Wire::new(stream), start, is_tls }))
}

/// The version and the names and values after it.
///
/// # Errors
/// What is no such message, or asks for another version of the protocol.
fn start_message(mut body: MessageBody) -> Result<StartMessage, PgError> {
    let damaged = || PgError::damaged("the first message is damaged");
    let version = body.word().ok_or_else(damaged)?;
    let minor = version.checked_sub(VERSION_3).filter(|minor| (0..=0xFFFF).contains(minor));
    let Some(minor) = minor else {
        let words = format!(
            "unsupported frontend protocol {}.{}; connect with version 3.0",
            version.cast_unsigned() >> 16,
            version & 0xFFFF
        );
        return Err(PgError::fatal("0A000", &words));
    };
    let parameters = body.parameters().ok_or_else(damaged)?;
    Ok(StartMessage { minor, parameters })
}

impl MessageBody {
    /// Names and values up to a name that is empty.
    fn parameters(&mut self) -> Option<Vec<(String, String)>> {
        let mut parameters = Vec::new();
        loop {
            let name = self.text()?;
            if name.is_empty() {
                return Some(parameters);
            }
            parameters.push((name, self.text()?));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_start_names_user_and_database() {
        let of = |bytes: &[u8]| start_message(MessageBody(Bytes::copy_from_slice(bytes)));
        let whole = b"\0\x03\0\x02user\0a\0database\0b\0\0";
        let start = of(whole).unwrap();
        assert_eq!(
            (start.minor, start.get("user"), start.get("database")),
            (2, Some("a"), Some("b"))
        );
        for length in 0..whole.len() {
            assert_eq!(of(&whole[..length]).unwrap_err().state, "08P01", "{length}");
        }
        for other in [b"\0\x02\0\0user\0a\0\0", b"\0\x04\0\0user\0a\0\0"] {
            assert_eq!(of(other).unwrap_err().state, "0A000", "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_start_or_not(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = start_message(MessageBody(Bytes::from(bytes)));
        }
    }
}
