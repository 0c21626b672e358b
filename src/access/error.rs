//! Why access is refused.

use super::Scope;
use crate::archive::ArchiveError;
use crate::error::Kind;

/// A refused or failed check. Messages never tell whether a key or an organisation exists.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// No credential, or one that is malformed, unknown, expired or revoked.
    #[error("a valid access key is needed: send Authorization: Bearer <key>")]
    Unauthenticated,
    /// The credential lacks a scope.
    #[error("the access key lacks the scope {0}")]
    Forbidden(Scope),
    /// A scope that does not exist.
    #[error("unknown scope {0:?}; the scopes are metrics:read, events:write and sql:read")]
    UnknownScope(String),
    /// An id that no key has, or more than one.
    #[error("there is no single access key with the id {0:?}; see: tokenlake key list")]
    NoSuchKey(String),
    /// The records could not be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl AccessError {
    /// What the error asks of the caller.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unauthenticated => Kind::Unauthenticated,
            Self::Forbidden(_) => Kind::Forbidden,
            Self::UnknownScope(_) => Kind::Invalid,
            Self::NoSuchKey(_) => Kind::NotFound,
            Self::Archive(error) => error.kind(),
        }
    }
}
