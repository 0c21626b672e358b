//! The name of a budget.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::BudgetError;
use crate::event::excerpt;

/// Bytes of the longest name.
const BYTES_MAX: usize = 64;

/// 1 to 64 of `A-Z a-z 0-9 _ . : -` that begin with a letter or digit; exact and case-sensitive.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BudgetName(Arc<str>);

impl BudgetName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BudgetName {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
        let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if begins && text.len() <= BYTES_MAX && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(BudgetError::Name(excerpt(text)))
    }
}

impl TryFrom<String> for BudgetName {
    type Error = BudgetError;

    fn try_from(text: String) -> Result<Self, BudgetError> {
        text.parse()
    }
}

impl From<BudgetName> for String {
    fn from(name: BudgetName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rule() {
        for name in ["a", "Team-Core", "2026:q1", "a.b_c", &"x".repeat(64)] {
            assert_eq!(name.parse::<BudgetName>().unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "-a", "a b", "a/b", "é", "a\n", &"x".repeat(65)] {
            assert!(name.parse::<BudgetName>().is_err(), "{name:?}");
        }
    }
}
