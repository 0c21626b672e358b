//! The latest scrape answers, for the time while storage is unreachable (`--max-stale-on-error`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::access::Caller;
use crate::app::BodyForm;
use crate::byte_lru::ByteLru;
use crate::exposition::Pieces;

/// Memory for answers and callers together.
pub const BYTES_MAX: usize = ANSWER_BYTES_MAX + CALLER_BYTES_MAX;
/// Memory for all answers.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Memory of an answer in addition to its body.
const ENTRY_BYTES: usize = 320;
/// Memory for the callers of credentials.
const CALLER_BYTES_MAX: usize = 8 << 20;
/// Memory of one caller.
const CALLER_BYTES: usize = 320;

/// The hash of a credential, so that none is kept in the clear.
type Hash = [u8; 32];
/// The caller of an answer, and its form.
type AnswerKey = (Arc<Caller>, BodyForm);

/// The last complete answers. Each belongs to the caller that its verified credential identified,
/// and is never returned to another caller.
#[derive(Debug)]
pub(super) struct LastGood {
    age_max: Duration,
    answers: Mutex<ByteLru<AnswerKey, (Instant, Pieces)>>,
    /// The caller of each credential when it was last verified. Storage is needed to verify it.
    callers: Mutex<ByteLru<Hash, (Instant, Arc<Caller>)>>,
}

impl LastGood {
    /// Returns answers up to `age_max` old; with 0, keeps nothing.
    pub(super) fn new(age_max: Duration) -> Self {
        let answers = Mutex::new(ByteLru::new(ANSWER_BYTES_MAX));
        Self { age_max, answers, callers: Mutex::new(ByteLru::new(CALLER_BYTES_MAX)) }
    }

    /// Keeps an answer that was true when its request `began`, and the caller of its credential.
    pub(super) fn keep(
        &self,
        credential: &str,
        caller: &Arc<Caller>,
        form: BodyForm,
        began: Instant,
        body: &Pieces,
    ) {
        if self.age_max.is_zero() {
            return;
        }
        self.callers.lock().put(hash(credential), (began, caller.clone()), CALLER_BYTES);
        let bytes = body.bytes() + ENTRY_BYTES;
        self.answers.lock().put((caller.clone(), form), (began, body.clone()), bytes);
    }

    /// Forgets the caller of a credential that is no longer valid.
    pub(super) fn forget(&self, credential: &str) {
        if !self.age_max.is_zero() {
            self.callers.lock().remove(&hash(credential));
        }
    }

    /// The caller of this credential when it was last verified, if that is recent enough at `now`.
    pub(super) fn caller(&self, credential: &str, now: Instant) -> Option<Arc<Caller>> {
        if self.age_max.is_zero() {
            return None;
        }
        let mut callers = self.callers.lock();
        let (checked, caller) = callers.get_mut(&hash(credential))?;
        (now.saturating_duration_since(*checked) <= self.age_max).then(|| caller.clone())
    }

    /// The last answer to a caller and its age, if it is recent enough at `now`.
    pub(super) fn get(
        &self,
        caller: &Arc<Caller>,
        form: BodyForm,
        now: Instant,
    ) -> Option<(Duration, Pieces)> {
        if self.age_max.is_zero() {
            return None;
        }
        let mut answers = self.answers.lock();
        let (began, body) = answers.get_mut(&(caller.clone(), form))?;
        let age = now.saturating_duration_since(*began);
        (age <= self.age_max).then(|| (age, body.clone()))
    }
}

fn hash(credential: &str) -> Hash {
    Sha256::digest(credential).into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::access::{Scope, Scopes};
    use crate::event::OrgId;
    use crate::exposition::{Coding, Collect, MetricsFormat};

    fn form(coding: Coding) -> BodyForm {
        let (collect, format) =
            (Collect::parse(std::iter::empty()).unwrap(), MetricsFormat::negotiate(None));
        BodyForm { collect, format, coding }
    }

    fn caller(org: &str, scopes: &[Scope]) -> Arc<Caller> {
        let (org_id, scopes) = (OrgId::parse(org).unwrap(), Scopes::of(scopes.to_vec()));
        Arc::new(Caller { org_id, scopes, bound: None })
    }

    #[test]
    fn an_answer_is_given_again_to_the_same_caller_until_it_is_too_old() {
        let kept = LastGood::new(Duration::from_secs(60));
        let (body, began) = (Pieces::from(Bytes::from_static(b"x 1\n")), Instant::now());
        let (acme, plain) = (caller("acme", &Scope::ALL), form(Coding::Identity));
        kept.keep("a", &acme, plain, began, &body);
        let later = began + Duration::from_secs(60);
        assert_eq!(kept.caller("a", later).as_ref(), Some(&acme));
        let again = kept.get(&caller("acme", &Scope::ALL), plain, later);
        assert_eq!(again, Some((Duration::from_secs(60), body)));
        for other in [caller("Acme", &Scope::ALL), caller("acme", &[Scope::MetricsRead])] {
            assert_eq!(kept.get(&other, plain, later), None);
        }
        assert_eq!(kept.get(&acme, form(Coding::Gzip), later), None);
        let too_late = later + Duration::from_millis(1);
        assert_eq!((kept.get(&acme, plain, too_late), kept.caller("a", too_late)), (None, None));
    }

    #[test]
    fn a_credential_is_nobodys_but_its_callers() {
        let (kept, now) = (LastGood::new(Duration::from_secs(60)), Instant::now());
        let plain = form(Coding::Identity);
        // If two callers have sent the same credential, the last verification decides.
        for org in ["acme", "globex"] {
            let org = caller(org, &Scope::ALL);
            kept.keep("", &org, plain, now, &Bytes::from(org.org_id.to_string()).into());
            assert_eq!(kept.caller("", now).as_ref(), Some(&org));
        }
        let (_, body) = kept.get(&caller("acme", &Scope::ALL), plain, now).unwrap();
        assert_eq!(Vec::from(body), b"acme");
        assert_eq!(kept.caller("other", now), None);
        kept.forget("");
        assert_eq!(kept.caller("", now), None);
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be_stale() {
        let (kept, now) = (LastGood::new(Duration::ZERO), Instant::now());
        let (acme, plain) = (caller("acme", &Scope::ALL), form(Coding::Identity));
        kept.keep("a", &acme, plain, now, &Bytes::from_static(b"x").into());
        assert_eq!((kept.get(&acme, plain, now), kept.caller("a", now)), (None, None));
    }
}
