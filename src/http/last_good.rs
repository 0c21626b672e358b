//! What scrapes were answered lately, for the time in which storage is away (`--max-stale-on-error`).

use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::app::Form;
use crate::byte_lru::ByteLru;

/// Memory for all answers.
const BYTES_MAX: usize = 64 << 20;
/// Memory of an answer beside its body.
const ENTRY_BYTES: usize = 160;

/// Whose answer: a hash of the credential, so that whoever has another gets nothing of it.
type Key = ([u8; 32], Form);

/// The last whole answers.
#[derive(Debug)]
pub(super) struct LastGood {
    age_max: Duration,
    answers: Mutex<ByteLru<Key, (Instant, Bytes)>>,
}

impl LastGood {
    /// Gives back what is up to `age_max` old; 0 keeps nothing.
    pub(super) fn new(age_max: Duration) -> Self {
        Self { age_max, answers: Mutex::new(ByteLru::new(BYTES_MAX)) }
    }

    /// Keeps an answer that was true when its request `began`.
    pub(super) fn keep(&self, token: &str, form: Form, began: Instant, body: &Bytes) {
        if !self.age_max.is_zero() {
            let bytes = body.len() + ENTRY_BYTES;
            self.answers.lock().put(key(token, form), (began, body.clone()), bytes);
        }
    }

    /// The last answer and its age, if it is young enough by `now`.
    pub(super) fn get(&self, token: &str, form: Form, now: Instant) -> Option<(Duration, Bytes)> {
        if self.age_max.is_zero() {
            return None;
        }
        let mut answers = self.answers.lock();
        let (began, body) = answers.get_mut(&key(token, form))?;
        let age = now.saturating_duration_since(*began);
        (age <= self.age_max).then(|| (age, body.clone()))
    }
}

fn key(token: &str, form: Form) -> Key {
    (Sha256::digest(token).into(), form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{Coding, Collect, Format};

    fn form(coding: Coding) -> Form {
        let (collect, format) =
            (Collect::parse(std::iter::empty()).unwrap(), Format::negotiate(None));
        Form { collect, format, coding }
    }

    #[test]
    fn an_answer_is_given_again_to_the_same_credential_until_it_is_too_old() {
        let kept = LastGood::new(Duration::from_secs(60));
        let (body, began) = (Bytes::from_static(b"x 1\n"), Instant::now());
        kept.keep("a", form(Coding::Identity), began, &body);
        let later = began + Duration::from_secs(60);
        assert_eq!(
            kept.get("a", form(Coding::Identity), later),
            Some((Duration::from_secs(60), body))
        );
        assert_eq!(kept.get("b", form(Coding::Identity), later), None);
        assert_eq!(kept.get("a", form(Coding::Gzip), later), None);
        assert_eq!(kept.get("a", form(Coding::Identity), later + Duration::from_millis(1)), None);
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be_stale() {
        let (kept, now) = (LastGood::new(Duration::ZERO), Instant::now());
        kept.keep("a", form(Coding::Identity), now, &Bytes::from_static(b"x"));
        assert_eq!(kept.get("a", form(Coding::Identity), now), None);
    }
}
