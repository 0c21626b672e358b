//! A share of something for each organisation, so that there is some left for others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::event::OrgId;

/// As many permits for each organisation. The semaphore of an organisation is forgotten once nobody
/// holds or awaits a permit of it, so that memory is bounded by what is under way.
#[derive(Debug)]
pub struct OrgShares {
    permits_max: usize,
    orgs: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

impl OrgShares {
    /// `permits_max` permits for each organisation, but at least one.
    pub fn new(permits_max: usize) -> Self {
        Self { permits_max: permits_max.clamp(1, Semaphore::MAX_PERMITS), orgs: Mutex::default() }
    }

    /// How many permits an organisation has.
    pub fn permits_max(&self) -> usize {
        self.permits_max
    }

    /// The semaphore of an organisation. It is the same one for as long as it, or a permit of it, is
    /// held.
    pub fn of(&self, org_id: &OrgId) -> Arc<Semaphore> {
        let mut orgs = self.orgs.lock();
        if let Some(share) = orgs.get(org_id) {
            return share.clone();
        }
        orgs.retain(|_, share| Arc::strong_count(share) > 1);
        let share = Arc::new(Semaphore::new(self.permits_max));
        orgs.insert(org_id.clone(), share.clone());
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    #[test]
    fn an_organisation_has_its_permits_alone_and_is_forgotten_without_any() {
        let shares = OrgShares::new(1);
        let held = shares.of(&org("a")).try_acquire_owned().unwrap();
        assert!(shares.of(&org("a")).try_acquire_owned().is_err());
        let other = shares.of(&org("b")).try_acquire_owned().unwrap();
        assert_eq!(shares.orgs.lock().len(), 2);
        drop(held);
        assert!(shares.of(&org("a")).try_acquire_owned().is_ok());
        drop(other);
        drop(shares.of(&org("c")));
        assert_eq!(shares.orgs.lock().len(), 1, "what nobody holds is forgotten");
    }

    #[test]
    fn there_is_a_permit_at_least() {
        assert_eq!(OrgShares::new(0).permits_max(), 1);
        assert_eq!(
            OrgShares::new(usize::MAX).of(&org("a")).available_permits(),
            Semaphore::MAX_PERMITS
        );
    }
}
