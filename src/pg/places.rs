//! How many connections there may be.
//!
//! One that has not shown a key has no priority: there are a few places for such, and if they are full,
//! the one that has waited longest is closed. So connections that say nothing keep nobody out. One
//! organisation may have three quarters of the places of those that have.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::event::OrgId;
use crate::per_org::OrgShares;

/// Connections that may be on their way to a login.
pub(super) const LOGINS_MAX: usize = 64;

/// The places of connections.
#[derive(Debug)]
pub(super) struct PgPlaces {
    sessions: Arc<Semaphore>,
    shares: OrgShares,
    logins: Arc<Mutex<VecDeque<CancellationToken>>>,
}

impl PgPlaces {
    /// Places for `sessions_max` connections that have shown a key.
    pub(super) fn new(sessions_max: usize) -> Self {
        let sessions = sessions_max.clamp(1, Semaphore::MAX_PERMITS);
        let shares = OrgShares::new(sessions - sessions / 4);
        Self { sessions: Arc::new(Semaphore::new(sessions)), shares, logins: Arc::default() }
    }

    /// A place for a login. If there is none, the longest waiting one is dismissed.
    pub(super) fn login(&self) -> LoginPlace {
        let dismissed = CancellationToken::new();
        let mut logins = self.logins.lock();
        if logins.len() >= LOGINS_MAX
            && let Some(first) = logins.pop_front()
        {
            first.cancel();
        }
        logins.push_back(dismissed.clone());
        LoginPlace { dismissed, logins: self.logins.clone() }
    }

    /// A place for a connection that has shown a key of an organisation.
    pub(super) fn session(&self, org_id: &OrgId) -> Option<SessionPlace> {
        let own = self.shares.of(org_id).try_acquire_owned().ok()?;
        Some([own, self.sessions.clone().try_acquire_owned().ok()?])
    }
}

/// The place of a session: one of its organisation's, and one of all.
pub(super) type SessionPlace = [OwnedSemaphorePermit; 2];

/// The place of a login, until it is dropped.
#[derive(Debug)]
pub(super) struct LoginPlace {
    /// Its place is needed.
    pub dismissed: CancellationToken,
    logins: Arc<Mutex<VecDeque<CancellationToken>>>,
}

impl Drop for LoginPlace {
    fn drop(&mut self) {
        // What marks it as gone also ends nobody: the login is over.
        self.dismissed.cancel();
        self.logins.lock().retain(|login| !login.is_cancelled());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_wait_longest_make_room() {
        let places = PgPlaces::new(1);
        let mut waiting: Vec<_> = (0..LOGINS_MAX).map(|_| places.login()).collect();
        let next = places.login();
        assert!(waiting[0].dismissed.is_cancelled() && !waiting[1].dismissed.is_cancelled());
        drop(waiting.remove(1));
        let last = places.login();
        assert!(!waiting[1].dismissed.is_cancelled(), "a place was free");
        drop((waiting, next, last));
        assert!(places.logins.lock().is_empty());
    }

    #[test]
    fn one_organisation_leaves_places_to_others() {
        let places = PgPlaces::new(4);
        let [a, b] = ["a", "b"].map(|name| OrgId::parse(name).unwrap());
        let mut held: Vec<_> = (0..3).map(|_| places.session(&a).unwrap()).collect();
        assert!(places.session(&a).is_none());
        let other = places.session(&b).unwrap();
        assert!(places.session(&b).is_none(), "all are taken");
        held.pop();
        assert!(places.session(&a).is_some());
        drop(other);
    }
}
