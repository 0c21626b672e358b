//! What was done to metadata so that it cost no event: counted, since nothing is changed in silence.

/// How a piece of metadata differs from what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// A text was longer than its column, and was cut.
    Cut,
    /// A value was no text, and is stored as its JSON text; or left out, where it was `NaN`.
    NotText,
    /// A column was given again: the first value stands.
    Repeated,
    /// Half a surrogate pair became U+FFFD; or, inside of a list or object, `NaN` became null.
    Replaced,
    /// `attributes` were no object, and are stored as one attribute.
    NoObject,
}

/// How often each [`Mend`] was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended([u64; Mend::ALL.len()]);

impl Mend {
    /// All of them.
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
    /// One more.
    pub(super) fn add(&mut self, mend: Mend) {
        if let Some(count) = self.0.get_mut(mend as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Those of another one, too.
    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// Each that was made, with how often.
    pub fn counts(&self) -> impl Iterator<Item = (Mend, u64)> {
        Mend::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}
