//! What is stored of an access key.

use serde::{Deserialize, Serialize};

use super::{Caller, Scopes};
use crate::clock::Micros;
use crate::event::OrgId;

/// The record of a key. Times are microseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The organisation that the key speaks for.
    pub org_id: String,
    /// What it allows.
    pub scopes: Scopes,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made.
    pub created_at_us: Micros,
    /// From when on it is no longer valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_us: Option<Micros>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at_us: Option<Micros>,
}

impl KeyRecord {
    /// The caller that the key stands for, while it is valid; `None` if its organisation's name
    /// is none.
    pub fn caller(&self) -> Option<Caller> {
        Some(Caller { org_id: OrgId::parse(&self.org_id).ok()?, scopes: self.scopes.clone() })
    }

    /// False once the key is expired or revoked.
    pub fn is_valid(&self, now: Micros) -> bool {
        self.revoked_at_us.is_none() && self.expires_at_us.is_none_or(|at| now < at)
    }

    /// `active`, `expired` or `revoked`.
    pub fn status(&self, now: Micros) -> &'static str {
        match (self.revoked_at_us, self.expires_at_us) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= now => "expired",
            _ => "active",
        }
    }
}
