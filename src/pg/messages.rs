//! What clients send, out of the bodies of messages.
//!
//! pgwire's own decoders trust counts and lengths inside of a message (they panic on damaged ones), so
//! its types are filled here, by reads that are checked.

use bytes::{Buf as _, Bytes};
use pgwire::messages::extendedquery::{Bind, Close, Describe, Execute, Parse};

use super::error::{AfterError, PgError};
use super::wire::PgFrame;

/// What a client asks.
#[derive(Debug)]
pub(super) enum ClientMessage {
    /// With its text, or what is wrong with the message.
    Query(Result<String, PgError>),
    Parse(Parse),
    Bind(Bind),
    Describe(Describe),
    Execute(Execute),
    Close(Close),
    Flush,
    Sync,
    Terminate,
    /// What belongs to a COPY from the client, which there is not.
    Copy,
    /// One of the extended protocol that is damaged.
    Damaged(PgError),
}

/// Kinds of the extended protocol. What is wrong inside of them is told: where the next message begins is
/// clear.
const EXTENDED: &[u8] = b"PBDEC";
const QUERY: u8 = b'Q';

impl ClientMessage {
    /// What a message asks.
    ///
    /// # Errors
    /// A message of no known kind.
    pub(super) fn of(frame: PgFrame) -> Result<Self, PgError> {
        let kind = frame.kind;
        Self::whole(frame).or_else(|error| {
            let told = PgError { end: AfterError::GoesOn, ..error.clone() };
            match kind {
                QUERY => Ok(Self::Query(Err(told))),
                kind if EXTENDED.contains(&kind) => Ok(Self::Damaged(told)),
                _ => Err(error),
            }
        })
    }

    fn whole(frame: PgFrame) -> Result<Self, PgError> {
        let kind = frame.kind;
        let mut body = MessageBody(frame.body);
        let asked = body.asked(kind).ok_or_else(|| {
            let kind = char::from(kind).escape_default();
            PgError::damaged(&format!("a message of the kind '{kind}' is damaged or not known"))
        })?;
        if !body.0.is_empty() && !matches!(asked, Self::Copy) {
            return Err(PgError::damaged("a message is longer than its content"));
        }
        Ok(asked)
    }
}

/// The rest of a message's body.
pub(super) struct MessageBody(pub Bytes);

impl MessageBody {
    fn asked(&mut self, kind: u8) -> Option<ClientMessage> {
        Some(match kind {
            QUERY => ClientMessage::Query(Ok(self.text()?)),
            b'P' => ClientMessage::Parse(self.parse()?),
            b'B' => ClientMessage::Bind(self.bind()?),
            b'D' => ClientMessage::Describe(Describe::new(self.byte()?, Some(self.text()?))),
            b'E' => ClientMessage::Execute(Execute::new(Some(self.text()?), self.word()?)),
            b'C' => ClientMessage::Close(Close::new(self.byte()?, Some(self.text()?))),
            b'H' => ClientMessage::Flush,
            b'S' => ClientMessage::Sync,
            b'X' => ClientMessage::Terminate,
            b'd' | b'c' | b'f' => ClientMessage::Copy,
            _ => return None,
        })
    }

    fn parse(&mut self) -> Option<Parse> {
        let (name, query) = (self.text()?, self.text()?);
        let types = self.list(|body| body.word().map(i32::cast_unsigned))?;
        Some(Parse::new(Some(name), query, types))
    }

    fn bind(&mut self) -> Option<Bind> {
        let (portal, statement) = (self.text()?, self.text()?);
        let formats = self.list(Self::short)?;
        let values = self.list(Self::value)?;
        let results = self.list(Self::short)?;
        Some(Bind::new(Some(portal), Some(statement), formats, values, results))
    }

    /// A count and so many items, which grow as they are found: the count may be wrong.
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.0.try_get_u16().ok()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    /// A value after its length; none for null.
    fn value(&mut self) -> Option<Option<Bytes>> {
        match self.word()? {
            -1 => Some(None),
            length => {
                let length = usize::try_from(length).ok()?;
                (length <= self.0.len()).then(|| Some(self.0.split_to(length)))
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    fn short(&mut self) -> Option<i16> {
        self.0.try_get_i16().ok()
    }

    pub(super) fn word(&mut self) -> Option<i32> {
        self.0.try_get_i32().ok()
    }

    /// The text up to the next zero.
    pub(super) fn text(&mut self) -> Option<String> {
        let end = memchr::memchr(0, &self.0)?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(kind: u8, body: &[u8]) -> Result<ClientMessage, PgError> {
        ClientMessage::whole(PgFrame { kind, body: Bytes::copy_from_slice(body) })
    }

    const PARSE: &[u8] = b"s\0SELECT $1\0\0\x01\0\0\0\x14";
    const BIND: &[u8] = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01a\xff\xff\xff\xff\0\x01\0\0";

    #[test]
    fn messages_are_read() {
        let ClientMessage::Parse(parse) = of(b'P', PARSE).unwrap() else { panic!("no Parse") };
        assert_eq!(
            (parse.name.as_deref(), parse.query.as_str(), &parse.type_oids[..]),
            (Some("s"), "SELECT $1", &[20][..])
        );
        let ClientMessage::Bind(bind) = of(b'B', BIND).unwrap() else { panic!("no Bind") };
        assert_eq!(bind.parameters, [Some(Bytes::from_static(b"a")), None]);
        assert_eq!(
            (bind.parameter_format_codes, bind.result_column_format_codes),
            (vec![1], vec![0])
        );
        assert!(
            matches!(of(b'Q', b"SELECT 1\0"), Ok(ClientMessage::Query(Ok(text))) if text == "SELECT 1")
        );
    }

    #[test]
    fn no_cut_of_a_message_passes_for_whole() {
        for (kind, body) in
            [(b'P', PARSE), (b'B', BIND), (b'Q', b"SELECT 1\0"), (b'E', b"p\0\0\0\0\0")]
        {
            assert!(of(kind, body).is_ok());
            for length in 0..body.len() {
                assert!(of(kind, &body[..length]).is_err(), "{kind} {length}");
            }
            assert!(of(kind, &[body, b"x"].concat()).is_err());
        }
    }

    #[test]
    fn damage_is_told_and_what_is_unknown_ends_the_connection() {
        let of = |kind, body: &'static [u8]| {
            ClientMessage::of(PgFrame { kind, body: Bytes::from_static(body) })
        };
        let goes_on = |error: &PgError| (error.state, error.end) == ("08P01", AfterError::GoesOn);
        assert!(matches!(of(b'B', b"p"), Ok(ClientMessage::Damaged(error)) if goes_on(&error)));
        assert!(
            matches!(of(b'Q', b"\xff\0"), Ok(ClientMessage::Query(Err(error))) if goes_on(&error))
        );
        assert_eq!(of(b'?', b"").unwrap_err().end, AfterError::Fatal);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = of(kind, &body);
        }

        #[test]
        fn any_damage_is_read_or_refused(place in 0..BIND.len(), byte in any::<u8>()) {
            let mut body = BIND.to_vec();
            body[place] = byte;
            let _ = of(b'B', &body);
        }
    }
}
