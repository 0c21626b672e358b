//! A connection that fails once nothing has been heard over it for too long.
//!
//! HTTP/2 has pings, and a peer that is there answers them. If it does not, the layers above would only say
//! that the connection broke; this one says why.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A node of which nothing is heard for so long is given up.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What is said of a node that is given up.
pub(super) fn silent() -> String {
    format!("it did not answer for {} seconds", SILENCE_MAX.as_secs())
}

/// A connection, and the time until its peer is given up.
pub(super) struct Heard<S> {
    stream: S,
    silence: Pin<Box<Sleep>>,
}

impl<S> Heard<S> {
    /// A connection whose peer is there now.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, silence: Box::pin(sleep(SILENCE_MAX)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.silence.set(sleep(SILENCE_MAX));
            return Poll::Ready(read);
        }
        let given_up = self.silence.as_mut().poll(context);
        given_up.map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, silent())))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_peer_that_is_silent_is_given_up() {
        let (here, mut there) = duplex(8);
        let mut here = Heard::new(here);
        let slow = async {
            for _ in 0..5 {
                tokio::time::sleep(SILENCE_MAX.saturating_sub(Duration::from_secs(1))).await;
                there.write_all(b"x").await.unwrap();
            }
        };
        let mut bytes = [0; 5];
        let (heard, ()) = tokio::join!(here.read_exact(&mut bytes), slow);
        assert_eq!((heard.unwrap(), &bytes), (5, b"xxxxx"));
        let error = here.read_u8().await.unwrap_err();
        assert_eq!(error.to_string(), "it did not answer for 30 seconds");
    }
}
