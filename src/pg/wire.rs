//! The bytes of a connection: messages in, within bounds, and messages out.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use pgwire::messages::Message;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::error::PgError;

/// The longest message of a client that has shown a key: a query, or the values of its parameters.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Bytes that are read at a time. A message is not allocated ahead, because its announced length may be
/// wrong.
const READ_BYTES: usize = 8 * 1024;
/// Bytes of messages that wait to be written.
pub(super) const OUT_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take to read what is written.
const WRITE_WAIT: Duration = Duration::from_secs(60);
/// How long a client may take to end a connection that has ended.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// Bytes of the kind and the length of a message.
const HEAD_BYTES: usize = 5;
/// Bytes of the length, which counts itself.
const LENGTH_BYTES: usize = 4;

/// A stream in both directions, with TLS or without.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// The kind and the body of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PgFrame {
    pub kind: u8,
    pub body: Bytes,
}

/// A connection.
pub(super) struct Wire {
    stream: Box<dyn Duplex>,
    read: BytesMut,
    out: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Duplex>) -> Self {
        Self { stream, read: BytesMut::new(), out: BytesMut::new() }
    }

    /// The next message, if it has arrived whole.
    fn frame(&mut self, bytes_max: usize) -> Result<Option<PgFrame>, PgError> {
        frame(&mut self.read, bytes_max)
    }

    /// The next message. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A message that is too long; or the connection has ended.
    pub(super) async fn next(&mut self, bytes_max: usize) -> Result<PgFrame, PgError> {
        loop {
            if let Some(frame) = self.frame(bytes_max)? {
                return Ok(frame);
            }
            if self.read.is_empty() {
                // What was needed for a long message is not kept while the client is idle.
                self.read = BytesMut::new();
            }
            if self.fill().await? == 0 {
                return Err(PgError::gone());
            }
        }
    }

    async fn fill(&mut self) -> Result<usize, PgError> {
        self.read.reserve(READ_BYTES);
        let read = (&mut self.stream).take(READ_BYTES as u64).read_buf(&mut self.read).await;
        read.map_err(|_| PgError::gone())
    }

    /// The result of `work`, unless the client cancels it or leaves. What the client sends meanwhile is
    /// read ahead, within the bound of a message.
    ///
    /// # Errors
    /// The client has cancelled the work, or is gone.
    pub(super) async fn watching<T>(
        &mut self,
        cancelled: &CancellationToken,
        work: impl Future<Output = T>,
    ) -> Result<T, PgError> {
        let mut work = std::pin::pin!(work);
        loop {
            let has_room = self.read.len() < MESSAGE_BYTES_MAX;
            tokio::select! {
                biased;
                () = cancelled.cancelled() => return Err(PgError::cancelled()),
                done = &mut work => return Ok(done),
                read = self.fill(), if has_room => if read? == 0 {
                    return Err(PgError::gone());
                },
            }
        }
    }

    /// Puts a message to those that wait to be written.
    ///
    /// # Errors
    /// Only for a defect.
    pub(super) fn put(&mut self, message: &impl Message) -> Result<(), PgError> {
        message.encode(&mut self.out).map_err(|error| PgError::defect(&error.to_string()))
    }

    /// Puts bytes of messages to those that wait.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Whether so much waits that it should be written.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= OUT_BYTES_MAX
    }

    /// Writes all that waits if it is much.
    ///
    /// # Errors
    /// The client has cancelled its query, or is gone, or reads too slowly.
    pub(super) async fn make_room(&mut self, cancelled: &CancellationToken) -> Result<(), PgError> {
        if !self.is_full() {
            return Ok(());
        }
        tokio::select! {
            flushed = self.flush() => flushed,
            () = cancelled.cancelled() => Err(PgError::cancelled()),
        }
    }

    /// Writes all that waits. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The client is gone, or reads too slowly.
    pub(super) async fn flush(&mut self) -> Result<(), PgError> {
        let write = async {
            while self.out.has_remaining() {
                if self.stream.write_buf(&mut self.out).await? == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
            }
            self.stream.flush().await
        };
        let written = timeout(WRITE_WAIT, write).await;
        if self.out.is_empty() && self.out.capacity() > 2 * OUT_BYTES_MAX {
            self.out = BytesMut::new();
        }
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|_| PgError::gone())
    }

    /// Ends the connection. What the client still sends is read for a moment: otherwise the system would
    /// end it so that the last message may be lost.
    pub(super) async fn close(mut self) {
        // Whether the peer notices is its own affair.
        let _ = self.flush().await;
        let last = async {
            self.stream.shutdown().await?;
            let mut passed_over = [0; 1024];
            while self.stream.read(&mut passed_over).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout(CLOSE_WAIT, last).await;
    }
}

/// The first message in `read`, if it is there whole.
///
/// # Errors
/// An announced length that no message has.
fn frame(read: &mut BytesMut, bytes_max: usize) -> Result<Option<PgFrame>, PgError> {
    let Some((kind, length)) = head(read) else { return Ok(None) };
    let length = usize::try_from(length).ok().filter(|length| *length >= LENGTH_BYTES);
    let Some(length) = length else { return Err(PgError::damaged("a length is below 4")) };
    if length > bytes_max {
        return Err(PgError::too_long(bytes_max));
    }
    if read.len() < length + 1 {
        return Ok(None);
    }
    let mut whole = read.split_to(length + 1);
    whole.advance(HEAD_BYTES);
    Ok(Some(PgFrame { kind, body: whole.freeze() }))
}

fn head(read: &[u8]) -> Option<(u8, i32)> {
    match read {
        [kind, a, b, c, d, ..] => Some((*kind, i32::from_be_bytes([*a, *b, *c, *d]))),
        _ => None,
    }
}

/// Reads a message of the start, which has no kind, and not a byte more: what follows may be a
/// handshake.
///
/// # Errors
/// A length that no such message has, or the connection has ended.
pub(super) async fn first_message(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> Result<Vec<u8>, PgError> {
    let mut length = [0; LENGTH_BYTES];
    stream.read_exact(&mut length).await.map_err(|_| PgError::gone())?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(2 * LENGTH_BYTES..=bytes_max).contains(&length) {
        return Err(PgError::damaged("the first message is no message of PostgreSQL's protocol"));
    }
    let mut body = vec![0; length - LENGTH_BYTES];
    stream.read_exact(&mut body).await.map_err(|_| PgError::gone())?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_messages_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), max in 4_usize..400) {
            let mut read = BytesMut::from(&bytes[..]);
            let mut taken = 0;
            while let Ok(Some(frame)) = frame(&mut read, max) {
                taken += HEAD_BYTES + frame.body.len();
                prop_assert!(frame.body.len() + LENGTH_BYTES <= max);
            }
            prop_assert_eq!(taken + read.len(), bytes.len());
        }
    }

    #[test]
    fn a_message_waits_until_it_is_whole() {
        let whole = b"Q\0\0\0\x08abc\0X\0\0\0\x04";
        for length in 0..9 {
            assert_eq!(frame(&mut BytesMut::from(&whole[..length]), 100).unwrap(), None);
        }
        let mut read = BytesMut::from(&whole[..]);
        let frames =
            [frame(&mut read, 100), frame(&mut read, 100)].map(|frame| frame.unwrap().unwrap());
        assert_eq!((frames[0].kind, &frames[0].body[..]), (b'Q', &b"abc\0"[..]));
        assert_eq!((frames[1].kind, frames[1].body.len()), (b'X', 0));
        for wrong in [&b"Q\0\0\0\x03"[..], b"Q\xff\xff\xff\xff", b"Q\x7f\xff\xff\xff"] {
            assert!(frame(&mut BytesMut::from(wrong), 100).is_err());
        }
    }

    #[tokio::test]
    async fn a_long_message_is_not_allocated_ahead() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut wire = Wire::new(Box::new(ours));
        theirs.write_all(&[b'Q', 0, 3, 0, 0]).await.unwrap();
        let next = timeout(Duration::from_millis(50), wire.next(MESSAGE_BYTES_MAX)).await;
        assert!(next.is_err() && wire.read.capacity() <= 2 * READ_BYTES);
        assert_eq!(wire.read.len(), 5, "what was read is kept");
    }
}
