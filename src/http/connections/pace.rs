//! A stream with deadlines for the peer: for a request's head, between requests, and for reading an
//! answer. While a request is under way, its handler sets the deadlines of the body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::ConnectionLimits;
use super::waiting::{Pulse, Wait};
use crate::telemetry::Telemetry;

/// A stream that fails if its peer takes too long.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pulse: Arc<Pulse>,
    limits: ConnectionLimits,
    telemetry: Telemetry,
    /// The number of requests before the current head, and when that head began.
    head: Option<(u64, Instant)>,
    last_written: Option<Instant>,
    /// The deadline for what has been written.
    write_by: Option<Instant>,
    read_alarm: Pin<Box<Sleep>>,
    write_alarm: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    /// A connection's stream, at its start.
    pub(super) fn new(
        stream: S,
        pulse: Arc<Pulse>,
        limits: ConnectionLimits,
        telemetry: Telemetry,
    ) -> Self {
        let alarm = || Box::pin(sleep_until(Instant::now()));
        Self {
            stream,
            pulse,
            limits,
            telemetry,
            head: None,
            last_written: None,
            write_by: None,
            read_alarm: alarm(),
            write_alarm: alarm(),
        }
    }

    fn has_read(&mut self) {
        if let Some(wait) = self.pulse.wait()
            && self.head.is_none_or(|(before, _)| before != wait.begun)
        {
            self.head = Some((wait.begun, Instant::now()));
        }
    }

    /// The deadline for the next byte.
    fn read_by(&self, wait: Wait) -> Instant {
        match self.head {
            Some((before, began)) if before == wait.begun => began + self.limits.head_wait,
            _ if wait.begun == 0 => wait.since + self.limits.head_wait,
            _ => {
                self.last_written.map_or(wait.since, |at| at.max(wait.since))
                    + self.limits.idle_wait
            }
        }
    }

    /// Fails once the peer has sent nothing for too long.
    fn poll_read_alarm(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(wait) = self.pulse.wait() else { return Poll::Pending };
        let by = self.read_by(wait);
        poll_alarm(&mut self.read_alarm, by, &self.telemetry, cx).map(Err)
    }

    /// The result of a write, or an error once the peer has read nothing for too long.
    fn paced_write<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.last_written = Some(Instant::now());
            return written;
        }
        let by = *self.write_by.get_or_insert_with(|| Instant::now() + self.limits.write_wait);
        poll_alarm(&mut self.write_alarm, by, &self.telemetry, cx).map(Err)
    }
}

/// Ready with an error from `by` on.
fn poll_alarm(
    alarm: &mut Pin<Box<Sleep>>,
    by: Instant,
    telemetry: &Telemetry,
    cx: &mut Context<'_>,
) -> Poll<io::Error> {
    if alarm.deadline() != by {
        alarm.as_mut().reset(by);
    }
    alarm.as_mut().poll(cx).map(|()| {
        telemetry.connections.timed_out.inc();
        io::ErrorKind::TimedOut.into()
    })
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() {
            return self.poll_read_alarm(cx);
        }
        self.has_read();
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.paced_write(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.paced_write(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // Only a complete flush ends the deadline; a peer that reads a little now and then does not
        // end it. A flush that did not have to wait is not a write: one occurs whenever the
        // connection is polled.
        if flushed.is_ready() && self.write_by.take().is_none() {
            return flushed;
        }
        self.paced_write(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.paced_write(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looking_at_an_idle_connection_gives_it_no_more_time() {
        let (pulse, limits) = (Pulse::new(Arc::default()), ConnectionLimits::of(1));
        let (stream, _peer) = tokio::io::duplex(64);
        let mut stream = Paced::new(stream, pulse.clone(), limits, Telemetry::new());
        let request = pulse.begin();
        stream.write_all(b"answer").await.unwrap();
        drop(request);
        let idle = Instant::now();
        for _ in 0..3 {
            tokio::time::sleep(limits.idle_wait / 4).await;
            stream.flush().await.unwrap();
        }
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let took = idle.elapsed();
        assert!(took >= limits.idle_wait, "{took:?}");
        assert!(took < limits.idle_wait + Duration::from_secs(1), "{took:?}");
    }
}
