//! Counts of the changes that kept bad metadata from costing an event: nothing changes in silence.

/// How a piece of metadata differs from what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// A text was longer than its column, and was cut.
    Cut,
    /// A value was not text and is stored as its JSON text; `NaN` is left out.
    NotText,
    /// A column was given again; the first value is kept.
    Repeated,
    /// Half a surrogate pair became U+FFFD, or `NaN` inside a list or object became null.
    Replaced,
    /// `attributes` was not an object and is stored as one attribute.
    NoObject,
}

/// The number of times each [`Mend`] was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended([u64; Mend::ALL.len()]);

impl Mend {
    /// All variants.
    pub const ALL: [Self; 5] =
        [Self::Cut, Self::NotText, Self::Repeated, Self::Replaced, Self::NoObject];

    /// The name in telemetry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::NotText => "not_text",
            Self::Repeated => "repeated",
            Self::Replaced => "replaced",
            Self::NoObject => "no_object",
        }
    }
}

impl Mended {
    /// Counts one change.
    pub(super) fn add(&mut self, mend: Mend) {
        if let Some(count) = self.0.get_mut(mend as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds the counts of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// Each [`Mend`] that was made, with its count.
    pub fn counts(&self) -> impl Iterator<Item = (Mend, u64)> {
        Mend::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}
