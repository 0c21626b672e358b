//! Authentication and authorisation: access keys with scopes, expiry and revocation, and issuers'
//! JWTs.
//!
//! A plain key and a hashed key are different types. Only the hash is stored, and `Debug` shows
//! neither.

mod bound;
mod error;
mod identity;
mod jwt;
mod key;
mod key_orgs;
mod keys;
mod known;
mod last_use;
mod record;
mod scope;
mod stored;
mod watch;

pub use self::bound::{BoundTo, InvalidBound};
pub use self::error::AccessError;
pub use self::identity::{Holder, Identity, operator_scopes};
pub use self::jwt::{JwksLocation, JwtError, JwtRules, JwtSettings, Jwts};
pub use self::key::{HashedKey, PlainKey};
pub use self::keys::{AccessKeys, ListedKey, NewKey, NewOperatorKey};
pub use self::known::KNOWN_KEYS_MAX;
pub use self::record::KeyRecord;
pub use self::scope::{Scope, Scopes, UnknownScope};

use crate::event::OrgId;

/// A caller whose credential is valid. Equal callers may be given the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The caller's organisation.
    pub org_id: OrgId,
    /// What the caller may do.
    pub scopes: Scopes,
    /// The part of the organisation that it speaks for; `None` for all of it.
    pub bound: Option<BoundTo>,
}

impl Caller {
    /// True if the caller has a scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Checks one scope.
    ///
    /// # Errors
    /// [`AccessError::Forbidden`].
    pub fn allow(&self, scope: Scope) -> Result<(), AccessError> {
        if self.may(scope) { Ok(()) } else { Err(AccessError::Forbidden(scope)) }
    }
}
