//! The stored record of an access key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BoundTo, Caller, Holder, Scopes};
use crate::archive::Record;
use crate::clock::Micros;
use crate::event::OrgId;

/// The record of a key. Times are microseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The organisation that the key speaks for. Empty for an operator's key, and if the record was
    /// damaged when the key was revoked.
    pub org_id: String,
    /// What the key allows.
    pub scopes: Scopes,
    /// A name for people.
    pub name: Option<String>,
    /// When the key was created.
    pub created_at_us: Micros,
    /// From when on the key is no longer valid.
    pub expires_at_us: Option<Micros>,
    /// When it was revoked.
    pub revoked_at_us: Option<Micros>,
    /// The part of the organisation that it is bound to. Programs that do not know it refuse the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<BoundTo>,
    /// True for an operator's key, which speaks for no organisation. Programs that do not know it refuse
    /// the key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
}

/// The same record as programs from before seals wrote it.
#[derive(Serialize)]
struct Unsealed<'a> {
    org_id: &'a str,
    scopes: &'a Scopes,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    created_at_us: Micros,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_us: Option<Micros>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at_us: Option<Micros>,
}

impl Record for KeyRecord {
    fn unsealed(&self) -> Option<Vec<u8>> {
        let Self { org_id, scopes, name, created_at_us, expires_at_us, revoked_at_us, .. } = self;
        // Such programs knew of no part, and of no operators.
        if self.bound.is_some() || self.operator {
            return None;
        }
        let unsealed = Unsealed {
            org_id,
            scopes,
            name: name.as_deref(),
            created_at_us: *created_at_us,
            expires_at_us: *expires_at_us,
            revoked_at_us: *revoked_at_us,
        };
        serde_json::to_vec(&unsealed).ok()
    }
}

impl KeyRecord {
    /// The record of a revoked key of which nothing else is known.
    pub(super) fn only_revoked(at: Micros) -> Self {
        Self {
            org_id: String::new(),
            scopes: Scopes::of(Vec::new()),
            name: None,
            created_at_us: at,
            expires_at_us: None,
            revoked_at_us: Some(at),
            bound: None,
            operator: false,
        }
    }

    /// Who holds the key, whether or not it is still valid. `None` if the record's organisation name is
    /// invalid.
    pub(super) fn holder(&self) -> Option<Holder> {
        if self.operator {
            return Some(Holder::Operator);
        }
        let (org_id, scopes) = (OrgId::parse(&self.org_id).ok()?, self.scopes.clone());
        Some(Holder::Caller(Arc::new(Caller { org_id, scopes, bound: self.bound.clone() })))
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
