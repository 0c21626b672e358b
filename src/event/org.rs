//! The name of an organisation, and the rule that says whose events are accepted.

use std::borrow::Borrow;
use std::fmt::{self, Debug, Display};
use std::sync::Arc;

use thiserror::Error;

/// An organisation's name: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`, case-sensitive.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrgId(Arc<str>);

/// Bytes in the longest name.
const ORG_BYTES_MAX: usize = 128;

/// The error for a text that is not an [`OrgId`]; its message states the rule.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is not 1 to 128 of A-Z a-z 0-9 _ . : -")]
pub struct InvalidOrgId;

/// The organisations whose events are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrgRule {
    /// This organisation only. An event without `org_id` belongs to it; one that names another is
    /// rejected.
    Only(OrgId),
    /// Any organisation; each event must name its own.
    Own,
}

impl OrgId {
    /// Accepts `text` unchanged.
    ///
    /// # Errors
    /// If it is not a valid name.
    pub fn parse(text: &str) -> Result<Self, InvalidOrgId> {
        check(text)?;
        Ok(Self(Arc::from(text)))
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in lower case. Names that differ only in case clash, and labels of series use this
    /// form.
    pub fn lowercase(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// Whether `text` could be an [`OrgId`], without making one.
pub(super) fn check(text: &str) -> Result<(), InvalidOrgId> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    let valid = (1..=ORG_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
    if valid { Ok(()) } else { Err(InvalidOrgId) }
}

/// So that a map of organisations is asked with the text of a column.
impl Borrow<str> for OrgId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrgId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_allowed_names_only() {
        let longest = "a".repeat(128);
        for text in ["a", "Acme", "a.b:c-d_E9", "..", longest.as_str()] {
            assert_eq!(OrgId::parse(text).unwrap().as_str(), text);
        }
        let longer = "a".repeat(129);
        for text in ["", " ", "a b", "a/b", "é", "a\n", "a\0", "*", longer.as_str()] {
            assert_eq!(OrgId::parse(text), Err(InvalidOrgId), "{text:?}");
        }
    }

    #[test]
    fn case_matters_but_can_be_folded() {
        let (upper, lower) = (OrgId::parse("Acme").unwrap(), OrgId::parse("acme").unwrap());
        assert_ne!(upper, lower);
        assert_eq!(upper.lowercase(), lower.as_str());
        assert_eq!(format!("{upper} {upper:?}"), "Acme OrgId(Acme)");
    }
}
