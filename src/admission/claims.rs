//! The names of organisations that this process knows to be claimed.

use std::collections::HashSet;

use parking_lot::Mutex;

use crate::archive::{Archive, ArchiveError};
use crate::event::OrgId;

/// Names that are remembered.
pub const CLAIMED_MAX: usize = 65_536;

/// The names of organisations that have been claimed.
#[derive(Debug, Default)]
pub struct NameClaims(Mutex<HashSet<OrgId>>);

impl NameClaims {
    /// Makes sure that an organisation's name is claimed in the archive.
    ///
    /// # Errors
    /// As [`Archive::claim_org`].
    pub async fn claim(&self, archive: &Archive, org_id: &OrgId) -> Result<(), ArchiveError> {
        if !self.0.lock().contains(org_id) {
            archive.claim_org(org_id).await?;
            self.remember(org_id.clone());
        }
        Ok(())
    }

    fn remember(&self, org_id: OrgId) {
        let mut claimed = self.0.lock();
        // Claiming a name again costs a request and changes nothing.
        if claimed.len() >= CLAIMED_MAX {
            claimed.clear();
        }
        claimed.insert(org_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_names_are_remembered_and_no_more() {
        let claims = NameClaims::default();
        let mut most = 0;
        for number in 0..=CLAIMED_MAX {
            claims.remember(OrgId::parse(&format!("org-{number}")).unwrap());
            most = most.max(claims.0.lock().len());
        }
        assert_eq!((most, claims.0.lock().len()), (CLAIMED_MAX, 1));
    }
}
