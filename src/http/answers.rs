//! Memory for answers being sent. It stays reserved until the client has read the last byte or has
//! disconnected.

use std::any::Any;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::error::HttpError;
use super::shares::{Memory, Reserved, Use};
use crate::event::OrgId;
use crate::exposition::Pieces;
use crate::telemetry::Telemetry;

/// Answers up to this size reserve no memory, because the limit on concurrent requests bounds them.
const SMALL_BYTES_MAX: usize = 4 * 1024;

/// Memory for answers.
#[derive(Debug)]
pub(super) struct Answers {
    memory: Memory,
    /// The texts being sent, by their address. Each is in memory once, however many clients read
    /// it.
    texts: Mutex<HashMap<usize, Weak<HeldText>>>,
}

/// A text with the memory that is reserved for it.
#[derive(Debug)]
struct HeldText {
    /// Kept, so that no other text can have the same address.
    _text: Pieces,
    _reserved: Reserved,
}

/// What an answer holds until its last byte is read.
#[derive(Debug, Clone)]
pub(super) struct HeldUntilSent {
    _kept: Option<Arc<dyn Any + Send + Sync>>,
}

impl Answers {
    /// A budget of `bytes_max`.
    pub(super) fn new(bytes_max: usize, telemetry: &Telemetry) -> Self {
        let (kib_max, overload) = (bytes_max / 1024, &telemetry.overload);
        let use_of = Use {
            reserved: overload.answer_bytes.clone(),
            refused: overload.answers_without_memory.clone(),
            full: format!(
                "answers that clients have not read yet fill the {} MiB for answers, or the half \
                 of it that one organisation may use (--answer-memory); try again in a second",
                bytes_max >> 20
            ),
        };
        Self { memory: Memory::new(kib_max, use_of), texts: Mutex::default() }
    }

    /// Reserves memory for an answer that is about to be made.
    ///
    /// # Errors
    /// 503 after a short wait.
    pub(super) async fn reserve(
        &self,
        org_id: &OrgId,
        bytes: usize,
    ) -> Result<Reserved, HttpError> {
        self.memory.reserve(org_id, bytes).await
    }

    /// Reserves memory for a finished answer, without waiting; `None` if there is none left.
    pub(super) fn try_hold(&self, org_id: &OrgId, bytes: usize) -> Option<HeldUntilSent> {
        if bytes <= SMALL_BYTES_MAX {
            return Some(HeldUntilSent { _kept: None });
        }
        self.memory.try_reserve(org_id, bytes).map(HeldUntilSent::new)
    }

    /// Reserves memory for a text, without waiting; `None` if there is none left. A text that is
    /// already being sent needs no more.
    pub(super) fn try_hold_text(&self, org_id: &OrgId, text: &Pieces) -> Option<HeldUntilSent> {
        if text.bytes() <= SMALL_BYTES_MAX {
            return Some(HeldUntilSent { _kept: None });
        }
        let known = self.texts.lock().get(&text.place()).and_then(Weak::upgrade);
        match known {
            Some(held) => Some(HeldUntilSent::shared(held)),
            None => {
                let reserved = self.memory.try_reserve(org_id, text.bytes())?;
                Some(self.hold_text(text, reserved))
            }
        }
    }

    /// Holds a text in memory that was reserved for it.
    pub(super) fn hold_text(&self, text: &Pieces, reserved: Reserved) -> HeldUntilSent {
        let mut texts = self.texts.lock();
        if let Some(held) = texts.get(&text.place()).and_then(Weak::upgrade) {
            return HeldUntilSent::shared(held);
        }
        texts.retain(|_, held| held.strong_count() > 0);
        let held = Arc::new(HeldText { _text: text.clone(), _reserved: reserved });
        texts.insert(text.place(), Arc::downgrade(&held));
        HeldUntilSent::shared(held)
    }
}

impl HeldUntilSent {
    /// Holds `kept` for one answer.
    pub(super) fn new(kept: impl Any + Send + Sync) -> Self {
        Self::shared(Arc::new(kept))
    }

    fn shared(kept: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _kept: Some(kept) }
    }

    /// Keeps this until the response is sent.
    pub(super) fn until_taken(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// A body of known length that sends a text's pieces.
pub(super) fn body_of(text: Pieces) -> Body {
    let mut pieces = text.iter();
    match (pieces.next(), pieces.next()) {
        (None, _) => Body::empty(),
        (Some(only), None) => Body::from(only.clone()),
        _ => Body::new(TextBody { left: text.bytes(), next: 0, text }),
    }
}

/// A body that sends a text piece by piece.
struct TextBody {
    text: Pieces,
    next: usize,
    left: usize,
}

impl HttpBody for TextBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.text.iter().nth(self.next).cloned();
        self.next += 1;
        self.left -= piece.as_ref().map_or(0, Bytes::len);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: usize) -> Pieces {
        Bytes::from(vec![b'x'; bytes]).into()
    }

    #[tokio::test]
    async fn a_text_takes_memory_once_until_its_last_reader_has_gone() {
        let telemetry = Telemetry::new();
        let answers = Answers::new(64 << 10, &telemetry);
        let [acme, globex] = ["acme", "globex"].map(|org| OrgId::parse(org).unwrap());
        let reserved = || {
            let text = telemetry.encode().unwrap();
            let mut lines = text.lines();
            let line = lines.find_map(|line| line.strip_prefix("tokenlake_answer_reserved_bytes "));
            line.unwrap().parse::<usize>().unwrap()
        };
        let (first, second) = (text(20 << 10), text(20 << 10));
        let readers = [(); 3].map(|()| answers.try_hold_text(&acme, &first).unwrap());
        assert_eq!(reserved(), 20 << 10);
        assert!(answers.try_hold_text(&acme, &second).is_none(), "its half is full");
        assert!(answers.try_hold(&acme, 5 << 10).is_some());
        assert!(answers.try_hold(&acme, SMALL_BYTES_MAX).is_some());
        let other = answers.try_hold_text(&globex, &second).unwrap();
        assert_eq!(reserved(), 40 << 10);
        let refused = answers.reserve(&acme, 20 << 10).await.unwrap_err();
        assert!(refused.is_unavailable() && format!("{refused:?}").contains("--answer-memory"));
        drop(readers);
        assert_eq!(reserved(), 20 << 10);
        let waited = answers.reserve(&acme, 20 << 10).await.unwrap();
        let again = answers.hold_text(&second, waited);
        assert_eq!(reserved(), 20 << 10, "it was on its way already");
        drop((other, again));
        assert_eq!(reserved(), 0);
    }
}
