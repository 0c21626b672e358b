//! Dimensions: what an archive is to tell apart besides providers and models, as the team or the user,
//! by an attribute of the events.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, MapArray};
use serde::{Deserialize, Serialize};

use super::attributes::{ATTRIBUTE_BYTES_MAX, Attributes};
use super::columns::AttributeColumn;
use super::needed::WAS_UNPRICED;

/// Dimensions of an archive.
pub const DIMENSIONS_MAX: usize = 4;
/// Bytes of a value; what is longer is cut at a character.
pub const VALUE_BYTES_MAX: usize = 128;
/// Bytes of a dimension's name.
const NAME_BYTES_MAX: usize = 32;
/// Bytes of the attribute of a dimension that is declared now: each event that a bound key sends gets it.
const DECLARED_BYTES_MAX: usize = 256;
/// What a name may not be: usage is grouped by these already.
const TAKEN: [&str; 2] = ["provider", "model"];

/// A dimension, as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Its name: the label `dimension`.
    pub name: Arc<str>,
    /// The key of the attribute that has its values.
    pub attribute: Arc<str>,
    /// Tells this declaration from an earlier one of the same name: what expired between the two is
    /// in none.
    pub id: Arc<str>,
}

/// Why there is no such dimension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DimensionError {
    /// The name is none.
    #[error(
        "{0:?} is no name of a dimension: a lower-case letter, then up to 31 lower-case letters, \
         digits or _, and neither provider nor model"
    )]
    Name(String),
    /// The attribute is none.
    #[error(
        "{0:?} is no attribute: a key of 1 to {DECLARED_BYTES_MAX} bytes with no blank around it"
    )]
    Attribute(String),
    /// There are as many as there may be.
    #[error(
        "there are {DIMENSIONS_MAX} dimensions already; remove one with: tokenlake dimension remove NAME"
    )]
    TooMany,
    /// The name stands for another attribute.
    #[error("the dimension {name} is of the attribute {attribute:?} already; remove it first")]
    Other {
        /// The name.
        name: Arc<str>,
        /// Its attribute.
        attribute: Arc<str>,
    },
    /// No dimension has the name.
    #[error("there is no dimension {0}; see: tokenlake dimension list")]
    Unknown(String),
}

/// The dimensions of an archive, in the order in which they were declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dimensions(Vec<Arc<Dimension>>);

impl Dimension {
    /// A dimension to be declared; without an attribute it is that of its name.
    ///
    /// # Errors
    /// If the name or the attribute does not fit.
    pub fn new(name: &str, attribute: Option<&str>, id: &str) -> Result<Self, DimensionError> {
        if !is_name(name) {
            return Err(DimensionError::Name(name.to_owned()));
        }
        let attribute = attribute.unwrap_or(name);
        let fits = (1..=ATTRIBUTE_BYTES_MAX).contains(&attribute.len());
        if !fits || attribute.trim() != attribute || attribute.chars().any(char::is_control) {
            return Err(DimensionError::Attribute(attribute.to_owned()));
        }
        Ok(Self { name: name.into(), attribute: attribute.into(), id: id.into() })
    }
}

impl Dimensions {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Dimension>> {
        self.0.iter()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is of this attribute.
    pub fn are_of(&self, attribute: &str) -> bool {
        self.0.iter().any(|dimension| &*dimension.attribute == attribute)
    }

    /// The one of a name.
    pub fn named(&self, name: &str) -> Option<&Arc<Dimension>> {
        self.0.iter().find(|dimension| &*dimension.name == name)
    }

    /// These and one more; `None` if it is there already.
    ///
    /// # Errors
    /// If the name stands for another attribute, or there are too many.
    pub fn with(&self, dimension: Dimension) -> Result<Option<Self>, DimensionError> {
        if let Some(known) = self.named(&dimension.name) {
            if known.attribute == dimension.attribute {
                return Ok(None);
            }
            let (name, attribute) = (known.name.clone(), known.attribute.clone());
            return Err(DimensionError::Other { name, attribute });
        }
        if self.0.len() >= DIMENSIONS_MAX {
            return Err(DimensionError::TooMany);
        }
        // Those of before this rule stay sound.
        if dimension.attribute.len() > DECLARED_BYTES_MAX {
            return Err(DimensionError::Attribute(dimension.attribute.to_string()));
        }
        let all = self.0.iter().cloned().chain([Arc::new(dimension)]);
        Ok(Some(Self(all.collect())))
    }

    /// These without the one of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn without(&self, name: &str) -> Result<Self, DimensionError> {
        self.named(name).ok_or_else(|| DimensionError::Unknown(name.to_owned()))?;
        let others = self.0.iter().filter(|dimension| &*dimension.name != name);
        Ok(Self(others.cloned().collect()))
    }

    /// True if each is one that [`Dimension::new`] makes, none has the name of another, and they are
    /// not too many.
    pub fn are_sound(&self) -> bool {
        let sound = |dimension: &Arc<Dimension>| {
            let Dimension { name, attribute, id } = &**dimension;
            Dimension::new(name, Some(attribute), id).is_ok()
                && self.named(name).is_some_and(|first| Arc::ptr_eq(first, dimension))
        };
        self.0.len() <= DIMENSIONS_MAX && self.0.iter().all(sound)
    }
}

fn is_name(name: &str) -> bool {
    let follows = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(follows)
        && !TAKEN.contains(&name)
}

/// The value that an attribute stands for: trimmed, cut, and trimmed again; none where it is blank. The
/// exposition formats end at a NUL.
pub fn dimension_value(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let end = text.floor_char_boundary(VALUE_BYTES_MAX);
    let value = text.get(..end).unwrap_or(text).trim_end();
    if value.is_empty() {
        return None;
    }
    if !value.contains('\0') {
        return Some(Cow::Borrowed(value));
    }
    let shown = value.replace('\0', "\u{FFFD}");
    let end = shown.floor_char_boundary(VALUE_BYTES_MAX);
    Some(Cow::Owned(shown.get(..end).unwrap_or_default().trim_end().to_owned()))
}

/// The text of one attribute of a row, as it is stored.
pub fn attribute_of<'a>(attributes: &'a MapArray, row: usize, key: &str) -> Option<&'a str> {
    if attributes.is_null(row) {
        return None;
    }
    let keys = attributes.keys().as_string_opt::<i32>()?;
    let values = attributes.values().as_string_opt::<i32>()?;
    let offsets = attributes.value_offsets();
    let at = |row: usize| offsets.get(row).and_then(|at| usize::try_from(*at).ok());
    let mut entries = at(row)?..at(row + 1)?;
    let entry = entries.find(|entry| keys.is_valid(*entry) && keys.value(*entry) == key)?;
    values.is_valid(entry).then(|| values.value(entry))
}

/// The attributes of rows without those that no sum of a dimension is made of; `None` if they are none.
pub fn attributes_of(attributes: &ArrayRef, dimensions: &Dimensions) -> Option<ArrayRef> {
    let attributes = attributes.as_map_opt()?;
    let keys = dimensions.iter().map(|dimension| &*dimension.attribute);
    let keys: BTreeSet<_> = keys.chain([WAS_UNPRICED]).collect();
    let mut kept = AttributeColumn::with_capacity(attributes.len());
    for row in 0..attributes.len() {
        let entries = keys
            .iter()
            .filter_map(|key| Some((*key, dimension_value(attribute_of(attributes, row, key)?)?)));
        kept.append(&Attributes::stored(entries));
    }
    Some(Arc::new(kept.finish().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_attributes_keep_their_rules() {
        for name in ["team", "a", "a_1", &"x".repeat(32)] {
            assert_eq!(&*Dimension::new(name, None, "1").unwrap().attribute, name);
        }
        for name in ["", "Team", "1a", "_a", "a-b", "ä", &"x".repeat(33), "model", "provider"] {
            assert!(Dimension::new(name, None, "1").is_err(), "{name:?}");
        }
        assert!(Dimension::new("team", Some("user.name"), "1").is_ok());
        for attribute in ["", " ", " a", "a\n", "a\0b"] {
            assert!(Dimension::new("team", Some(attribute), "1").is_err(), "{attribute:?}");
        }
    }

    #[test]
    fn a_value_is_trimmed_and_cut_at_a_character() {
        assert_eq!(dimension_value(" \tCore \n").as_deref(), Some("Core"));
        assert_eq!(dimension_value(" \u{a0} "), None);
        assert_eq!(dimension_value("unknown").as_deref(), Some("unknown"));
        let long = "ä".repeat(100);
        assert_eq!(dimension_value(&long).unwrap(), "ä".repeat(64));
        let blank_at_the_cut = format!("{} {}", "a".repeat(127), "b");
        assert_eq!(dimension_value(&blank_at_the_cut).unwrap(), "a".repeat(127));
        assert_eq!(dimension_value("a\0b").as_deref(), Some("a\u{FFFD}b"));
    }

    #[test]
    fn a_declaration_is_made_once_and_there_are_four() {
        let new = |name: &str| Dimension::new(name, None, "1").unwrap();
        let mut all = Dimensions::default();
        for name in ["a", "b", "c", "d"] {
            all = all.with(new(name)).unwrap().unwrap();
        }
        assert_eq!(all.with(new("a")), Ok(None));
        assert_eq!(all.with(new("e")), Err(DimensionError::TooMany));
        let other = Dimension::new("a", Some("x"), "1").unwrap();
        assert!(matches!(all.with(other), Err(DimensionError::Other { .. })));
        assert!(all.are_sound() && all.without("e").is_err());
        let long = Dimension::new("e", Some(&"x".repeat(257)), "1").unwrap();
        let tried = all.without("d").unwrap().with(long);
        assert!(matches!(tried, Err(DimensionError::Attribute(_))));
        let fewer = all.without("b").unwrap();
        assert_eq!(fewer.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["a", "c", "d"]);
    }
}
