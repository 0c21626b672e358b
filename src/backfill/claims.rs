//! Claims of the organisations' names that rows bring with them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};

use super::BackfillError;
use crate::admission::Admission;
use crate::archive::ArchiveError;
use crate::event::OrgId;

/// Names that are claimed at the same time.
const CLAIMS: usize = 16;

/// The names that a job has claimed.
pub(super) struct OrgClaims {
    /// None for a dry run, which claims nothing.
    admission: Option<Arc<Admission>>,
    claimed: HashSet<String>,
}

/// A name that differs from an older one in case alone, and the error that says so.
pub(super) struct NameClash {
    pub(super) org: String,
    pub(super) reason: String,
}

impl OrgClaims {
    pub(super) fn new(admission: Option<Arc<Admission>>) -> Self {
        Self { admission, claimed: HashSet::new() }
    }

    /// Claims those names that the job has not claimed yet.
    pub(super) async fn claim(
        &mut self,
        orgs: &BTreeSet<String>,
    ) -> Result<Vec<NameClash>, BackfillError> {
        let Some(admission) = &self.admission else { return Ok(Vec::new()) };
        let new = orgs.iter().filter(|org| !self.claimed.contains(*org));
        let new = new.filter_map(|org| OrgId::parse(org).ok()).collect::<Vec<_>>();
        let claim = async |org: OrgId| (admission.claim(&org).await, org);
        let mut claims = stream::iter(new.into_iter().map(claim)).buffered(CLAIMS);
        let mut clashes = Vec::new();
        while let Some((claimed, org)) = claims.next().await {
            let org = org.as_str().to_owned();
            match claimed {
                Ok(()) => drop(self.claimed.insert(org)),
                Err(error @ ArchiveError::OrgCase { .. }) => {
                    clashes.push(NameClash { org, reason: error.to_string() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(clashes)
    }
}
