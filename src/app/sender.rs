//! Who sends events, and what of them it may send.

use crate::access::{Caller, Scope};
use crate::clock::Micros;
use crate::event::{EventBatchBuilder, OrgId, OrgRule};

/// Who sends events.
#[derive(Debug, Clone)]
pub struct Sender {
    org_id: OrgId,
    /// Whether corrections are taken.
    corrections: bool,
}

impl Sender {
    /// A builder for events of the sender that arrive at `now`.
    pub(super) fn builder(self, now: Micros) -> EventBatchBuilder {
        EventBatchBuilder::new(OrgRule::Only(self.org_id), now).corrections(self.corrections)
    }
}

impl From<&Caller> for Sender {
    fn from(caller: &Caller) -> Self {
        Self { org_id: caller.org_id.clone(), corrections: caller.may(Scope::CorrectionsWrite) }
    }
}

/// One with the usual scopes.
impl From<&OrgId> for Sender {
    fn from(org_id: &OrgId) -> Self {
        Self { org_id: org_id.clone(), corrections: false }
    }
}
