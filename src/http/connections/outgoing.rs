//! The body of an answer being sent. It is handed over in small parts, and what is held for the
//! answer is released when the last part is written.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::waiting::UnderWay;
use crate::http::answers::HeldUntilSent;

/// The size of a part. With large parts the progress of a slow client could not be seen, and some
/// ways of writing copy a part.
pub(super) const PART_BYTES_MAX: usize = 64 * 1024;

/// A body on its way to a client.
#[derive(Debug)]
pub(super) struct Outgoing {
    body: Body,
    /// Bytes that were read from the body and not yet handed over.
    rest: Bytes,
    answer: Arc<UnsentAnswer>,
}

/// An answer, until its last byte is written.
#[derive(Debug)]
struct UnsentAnswer {
    under_way: UnderWay,
    _held: Option<HeldUntilSent>,
}

/// A part that was handed over, until it is written.
struct AnswerPart {
    bytes: Bytes,
    answer: Arc<UnsentAnswer>,
}

impl Outgoing {
    /// The answer to a request that is under way.
    pub(super) fn answer(under_way: UnderWay, mut response: Response) -> Response<Self> {
        let held = response.extensions_mut().remove::<HeldUntilSent>();
        let answer = Arc::new(UnsentAnswer { under_way, _held: held });
        response.map(|body| Self { body, rest: Bytes::new(), answer })
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) => this.rest = data,
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
        let bytes = this.rest.split_to(this.rest.len().min(PART_BYTES_MAX));
        let part = AnswerPart::hand_over(bytes, this.answer.clone());
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len());
        let rest = u64::try_from(rest).unwrap_or(u64::MAX);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

impl AnswerPart {
    fn hand_over(bytes: Bytes, answer: Arc<UnsentAnswer>) -> Self {
        answer.under_way.hand_over();
        Self { bytes, answer }
    }
}

impl AsRef<[u8]> for AnswerPart {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for AnswerPart {
    fn drop(&mut self) {
        self.answer.under_way.taken();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt as _;

    use super::super::waiting::Pulse;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_goes_with_the_last_part_that_is_taken() {
        let (kept, pulse) = (Arc::new(()), Pulse::new(Arc::default()));
        let response = Response::new(Body::from(vec![b'x'; 2 * PART_BYTES_MAX + 1]));
        let response = HeldUntilSent::new(kept.clone()).until_taken(response);
        let mut body = Outgoing::answer(pulse.begin(), response).into_body();
        assert_eq!(pulse.untaken_since(), None);
        let begun = tokio::time::Instant::now();
        let mut parts = Vec::new();
        while let Some(frame) = body.frame().await {
            tokio::time::sleep(Duration::from_secs(1)).await;
            parts.push(frame.unwrap().into_data().unwrap());
            let left = 2 * PART_BYTES_MAX + 1 - parts.iter().map(Bytes::len).sum::<usize>();
            assert_eq!(body.size_hint().exact(), Some(left as u64));
        }
        assert_eq!(
            parts.iter().map(Bytes::len).collect::<Vec<_>>(),
            [PART_BYTES_MAX, PART_BYTES_MAX, 1]
        );
        assert!(body.is_end_stream());
        drop(body);
        let last = parts.pop();
        drop(parts);
        assert_eq!((Arc::strong_count(&kept), pulse.is_waiting()), (2, false));
        assert_eq!(pulse.untaken_since(), Some(begun), "since then some part was not taken");
        drop(last);
        assert_eq!((Arc::strong_count(&kept), pulse.is_waiting()), (1, true));
        assert_eq!(pulse.untaken_since(), None);
    }
}
