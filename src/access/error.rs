//! Why access is refused.

use super::{BoundTo, JwtError, Scope};
use crate::archive::ArchiveError;
use crate::error::Kind;

/// A refused or failed check. Messages never reveal whether a key or an organisation exists.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// No credential, or one that is malformed, unknown, expired or revoked.
    #[error("a valid access key or JWT is needed: send Authorization: Bearer <key>")]
    Unauthenticated,
    /// The credential lacks a scope.
    #[error("the access key or JWT lacks the scope {0}")]
    Forbidden(Scope),
    /// An operator's key, where a request is about the caller's own organisation.
    #[error(
        "an operator's key reads /metrics and /v1/usage of the organisation that ?org= names, and \
         nothing else"
    )]
    Operator,
    /// An organisation is named by one who may not.
    #[error("only an operator's key may ask for organisations, by ?org= or at /sd/prometheus")]
    NoOperator,
    /// An operator has not named one organisation.
    #[error("an operator's key needs one organisation, as ?org=NAME")]
    OrgNeeded,
    /// The part that the credential is bound to is told apart no longer.
    #[error("the access key is bound to {0}, and the dimension is no longer declared")]
    Unbound(BoundTo),
    /// The id matches no key, or more than one.
    #[error("there is no single access key with the id {0:?}; see: tokenlake key list")]
    NoSuchKey(String),
    /// The source of the JWT keys has not answered yet.
    #[error("the keys of JWTs are not known yet; try again in a moment")]
    NoJwtKeys,
    /// The JWT keys cannot be read.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// The record of a key is damaged, so the key is refused.
    #[error(
        "{error}; until then the access key {id} is refused, and `tokenlake key revoke {id}` ends it"
    )]
    Record {
        /// The key's id.
        id: String,
        /// Why.
        error: ArchiveError,
    },
    /// The record of when a key was last used is damaged; the key's next use writes it anew.
    #[error("when the access key {id} was last used is not known: {error}")]
    LastUse {
        /// The key's id.
        id: String,
        /// Why.
        error: ArchiveError,
    },
    /// The records could not be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl AccessError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unauthenticated => Kind::Unauthenticated,
            Self::Forbidden(_) | Self::Unbound(_) | Self::Operator | Self::NoOperator => {
                Kind::Forbidden
            }
            Self::NoSuchKey(_) => Kind::NotFound,
            Self::NoJwtKeys => Kind::Unavailable,
            Self::Jwt(_) | Self::OrgNeeded => Kind::Invalid,
            Self::Record { error, .. } | Self::LastUse { error, .. } | Self::Archive(error) => {
                error.kind()
            }
        }
    }
}
