//! Who may do what: access keys, their scopes, their expiry and revocation; and the JWTs of issuers.
//!
//! A plain key and a hashed key are different types; only the hash is ever stored, and neither
//! prints itself.

mod error;
mod jwt;
mod key;
mod keys;
mod known;
mod record;
mod scope;
mod stored;
mod watch;

pub use self::error::AccessError;
pub use self::jwt::{JwksLocation, JwtError, JwtRules, JwtSettings, Jwts};
pub use self::key::{HashedKey, PlainKey};
pub use self::keys::{AccessKeys, ListedKey, NewKey};
pub use self::known::KNOWN_KEYS_MAX;
pub use self::record::KeyRecord;
pub use self::scope::{Scope, Scopes, UnknownScope};

use crate::event::OrgId;

/// A caller whose credential was found valid. Two that are equal may be given the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The organisation that it speaks for.
    pub org_id: OrgId,
    /// What it may do.
    pub scopes: Scopes,
}

impl Caller {
    /// Checks one scope.
    ///
    /// # Errors
    /// [`AccessError::Forbidden`].
    pub fn allow(&self, scope: Scope) -> Result<(), AccessError> {
        if self.scopes.contains(scope) { Ok(()) } else { Err(AccessError::Forbidden(scope)) }
    }
}
