//! The part of an organisation that a key is bound to: the events that have one value of a dimension.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::dimension_value;

/// A dimension and a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundTo {
    /// The dimension's name.
    pub dimension: Arc<str>,
    /// The value, as the metrics show it.
    pub value: Arc<str>,
}

/// Why a text names no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no part; write it as team=core: a dimension and a value that is not blank")]
pub struct InvalidBound(String);

impl FromStr for BoundTo {
    type Err = InvalidBound;

    fn from_str(text: &str) -> Result<Self, InvalidBound> {
        let invalid = || InvalidBound(text.to_owned());
        let (dimension, value) = text.split_once('=').ok_or_else(invalid)?;
        let value = dimension_value(value).filter(|_| !dimension.is_empty()).ok_or_else(invalid)?;
        Ok(Self { dimension: dimension.into(), value: value.as_ref().into() })
    }
}

impl fmt::Display for BoundTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.dimension, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_dimension_and_a_value() {
        let bound: BoundTo = "team= a=b ".parse().unwrap();
        assert_eq!((&*bound.dimension, &*bound.value), ("team", "a=b"));
        assert_eq!(bound.to_string(), "team=a=b");
        for text in ["", "team", "team=", "team= ", "=core"] {
            assert!(text.parse::<BoundTo>().is_err(), "{text:?}");
        }
    }
}
