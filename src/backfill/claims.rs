//! Claims of the organisations' names that rows bring with them.

use std::collections::{BTreeMap, HashSet};
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

    /// Claims those names that the job has not claimed yet; `orgs` are in the order of their rows. Of
    /// names that differ in case alone the first one is to stand, so these are claimed in turn.
    pub(super) async fn claim(&mut self, orgs: &[String]) -> Result<Vec<NameClash>, BackfillError> {
        let Some(admission) = &self.admission else { return Ok(Vec::new()) };
        let new = orgs.iter().filter(|org| !self.claimed.contains(*org));
        let mut alike: BTreeMap<String, Vec<OrgId>> = BTreeMap::new();
        for org in new.filter_map(|org| OrgId::parse(org).ok()) {
            alike.entry(org.lowercase()).or_default().push(org);
        }
        let claim = async |orgs: Vec<OrgId>| {
            let mut claims = Vec::with_capacity(orgs.len());
            for org in orgs {
                claims.push((admission.claim(&org).await, org));
            }
            claims
        };
        let mut claims = stream::iter(alike.into_values().map(claim)).buffered(CLAIMS);
        let mut clashes = Vec::new();
        while let Some(claims) = claims.next().await {
            for (claimed, org) in claims {
                let org = org.as_str().to_owned();
                match claimed {
                    Ok(()) => drop(self.claimed.insert(org)),
                    Err(error @ ArchiveError::OrgCase { .. }) => {
                        clashes.push(NameClash { org, reason: error.to_string() });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(clashes)
    }
}
