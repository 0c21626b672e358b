//! The kinds of tokens that may have a rate of their own, and how many of each a call has.

use thiserror::Error;

/// How many kinds there are.
const KINDS: usize = 14;

/// A kind of tokens. A part comes before what it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// Audio that was read from the cache.
    CachedAudio,
    /// Images that were read from the cache.
    CachedImage,
    /// Written to the cache for an hour.
    CacheWrite1h,
    /// Read from the cache.
    CachedInput,
    /// Written to the cache, for any time.
    CacheWrite,
    /// Audio of the input.
    InputAudio,
    /// Images of the input.
    InputImage,
    /// Video of the input.
    InputVideo,
    /// Reasoning, which is output.
    Reasoning,
    /// Audio of the output.
    OutputAudio,
    /// Images of the output.
    OutputImage,
    /// Video of the output.
    OutputVideo,
    /// All of the input.
    Input,
    /// All of the output.
    Output,
}

impl TokenKind {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; KINDS] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::CachedAudio,
        Self::InputImage,
        Self::CachedImage,
        Self::InputVideo,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
        Self::OutputImage,
        Self::OutputVideo,
    ];

    /// Its name in a table. The field of an event that counts it has this name and `_tokens`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::InputAudio => "input_audio",
            Self::CachedAudio => "cached_audio",
            Self::InputImage => "input_image",
            Self::CachedImage => "cached_image",
            Self::InputVideo => "input_video",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image",
            Self::OutputVideo => "output_video",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it is part of, directly or not.
    pub(super) fn wholes(self) -> &'static [Self] {
        match self {
            Self::Input | Self::Output => &[],
            Self::CachedInput
            | Self::CacheWrite
            | Self::InputAudio
            | Self::InputImage
            | Self::InputVideo => &[Self::Input],
            Self::CacheWrite1h => &[Self::CacheWrite, Self::Input],
            Self::CachedAudio => &[Self::CachedInput, Self::InputAudio, Self::Input],
            Self::CachedImage => &[Self::CachedInput, Self::InputImage, Self::Input],
            Self::Reasoning | Self::OutputAudio | Self::OutputImage | Self::OutputVideo => {
                &[Self::Output]
            }
        }
    }

    /// Whether its tokens are also of the kind `whole`.
    pub(super) fn is_part_of(self, whole: Self) -> bool {
        self.wholes().contains(&whole)
    }
}

/// How many tokens of each kind a call has. A part is counted in what it is part of, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([i64; KINDS]);

/// Counts that contradict each other.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{}_tokens: {count} is more than the {of} that {}_tokens allow", part.name(), whole.name())]
pub struct Impossible {
    /// The kind that has too many.
    part: TokenKind,
    /// How many.
    count: i64,
    /// The kind that it is part of.
    whole: TokenKind,
    /// How many that one leaves.
    of: i64,
}

impl Counts {
    /// The tokens of a kind.
    pub fn of(&self, kind: TokenKind) -> i64 {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// These with so many tokens of a kind.
    #[must_use]
    pub fn with(mut self, kind: TokenKind, tokens: i64) -> Self {
        self.set(kind, tokens);
        self
    }

    pub(super) fn set(&mut self, kind: TokenKind, tokens: i64) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count = tokens;
        }
    }

    /// Whether a call can have these counts.
    ///
    /// # Errors
    /// The part that is more than its whole.
    pub fn check(&self) -> Result<(), Impossible> {
        for part in TokenKind::ALL {
            let count = self.of(part);
            // Most calls have few kinds.
            if count == 0 {
                continue;
            }
            if count < 0 {
                return Err(Impossible { part, count, whole: part, of: 0 });
            }
            let whole = part.wholes().iter().find(|whole| count > self.of(**whole));
            if let Some(whole) = whole.copied() {
                return Err(Impossible { part, count, whole, of: self.of(whole) });
            }
        }
        // What is read from the cache is not written to it.
        let (input, read) = (self.of(TokenKind::Input), self.of(TokenKind::CachedInput));
        let written = self.of(TokenKind::CacheWrite);
        if read > input - written {
            let (part, whole) = (TokenKind::CacheWrite, TokenKind::Input);
            return Err(Impossible { part, count: written, whole, of: input - read });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_and_a_place_of_its_own() {
        let mut counts = Counts::default();
        for (tokens, kind) in (1..).zip(TokenKind::ALL) {
            assert_eq!(TokenKind::named(kind.name()), Some(kind));
            counts.set(kind, tokens);
        }
        let all: Vec<_> = TokenKind::ALL.into_iter().map(|kind| counts.of(kind)).collect();
        assert_eq!(all, (1..=14).collect::<Vec<_>>());
    }

    #[test]
    fn a_part_comes_before_its_whole_and_wholes_of_wholes_are_wholes() {
        for part in TokenKind::ALL {
            for whole in part.wholes() {
                assert!(part < *whole);
                assert!(whole.wholes().iter().all(|above| part.is_part_of(*above)));
            }
        }
    }

    #[test]
    fn a_part_is_no_more_than_its_whole() {
        let call = Counts::default().with(TokenKind::Input, 10);
        assert_eq!(call.with(TokenKind::CachedInput, 10).check(), Ok(()));
        let text = call.with(TokenKind::CachedInput, 11).check().unwrap_err().to_string();
        assert_eq!(text, "cached_input_tokens: 11 is more than the 10 that input_tokens allow");
        let both = call.with(TokenKind::CachedInput, 6).with(TokenKind::CacheWrite, 5);
        assert!(both.check().is_err());
        assert!(call.with(TokenKind::CacheWrite1h, 1).check().is_err());
        assert!(Counts::default().with(TokenKind::Output, -1).check().is_err());
        // Audio may have been read from the cache.
        assert_eq!(
            call.with(TokenKind::CachedInput, 6).with(TokenKind::InputAudio, 6).check(),
            Ok(())
        );
    }
}
