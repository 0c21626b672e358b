//! The alternatives of a regular expression, and whether it matters in which order they stand.

/// What one place of a match may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum OnePlace {
    Char(char),
    Digit,
    Word,
    Space,
    Letter,
    Any,
    /// The end of the text.
    End,
    /// Something of another length than 1.
    Open,
}

impl OnePlace {
    pub(super) fn of_bracket(text: &str) -> Self {
        match text {
            "[0-9]" | "[[:digit:]]" => Self::Digit,
            "[a-z]" | "[A-Z]" | "[a-zA-Z]" | "[A-Za-z]" => Self::Letter,
            "[[:space:]]" => Self::Space,
            _ => Self::Any,
        }
    }

    fn is_apart(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(one), Self::Char(other)) => one.to_lowercase().ne(other.to_lowercase()),
            (Self::Char(char), class) | (class, Self::Char(char)) => match class {
                Self::Digit => !char.is_ascii_digit(),
                Self::Word => !char.is_alphanumeric() && char != '_',
                Self::Space => !char.is_whitespace(),
                Self::Letter => !char.is_alphabetic(),
                _ => false,
            },
            (Self::Digit, Self::Letter) | (Self::Letter, Self::Digit) => true,
            (Self::Space, Self::Digit | Self::Word | Self::Letter)
            | (Self::Digit | Self::Word | Self::Letter, Self::Space) => true,
            _ => false,
        }
    }
}

/// One of several alternatives.
#[derive(Debug, Default)]
pub(super) struct Alternative {
    pub text: String,
    pub places: Vec<OnePlace>,
}

impl Alternative {
    /// Whether it may match more than one before it that also matches.
    fn may_exceed(&self, first: &Self) -> bool {
        // As in `^ +| +$`: where both match, they match the same.
        let bare = |one: &Self| one.text.trim_start_matches('^').trim_end_matches('$').to_owned();
        bare(self) != bare(first) && may_begin_with(&self.places, &first.places)
    }
}

/// A group that is being read, or the whole pattern.
#[derive(Debug, Default)]
pub(super) struct PatternGroup {
    /// The alternatives before the last one.
    pub before: Vec<Alternative>,
    pub last: Alternative,
    /// Where the last one begins.
    pub start: usize,
    /// Whether its match is told apart.
    pub captures: bool,
    /// Whether a group whose match is told apart is in it.
    pub captures_inside: bool,
    pub greedy: bool,
    pub lazy: bool,
}

impl PatternGroup {
    /// Ends the last alternative.
    pub(super) fn end(&mut self, pattern: &str, at: usize) {
        self.last.text = pattern.get(self.start..at).unwrap_or_default().to_owned();
    }

    /// Whether an alternative may begin with one before it, which then is taken in its place.
    pub(super) fn is_ambiguous(&self) -> bool {
        let all: Vec<_> = self.before.iter().chain([&self.last]).collect();
        let pairs = all.iter().enumerate();
        pairs
            .into_iter()
            .any(|(place, first)| all.iter().skip(place + 1).any(|later| later.may_exceed(first)))
    }
}

fn may_begin_with(later: &[OnePlace], first: &[OnePlace]) -> bool {
    if matches!(first.last(), Some(OnePlace::End)) {
        return false;
    }
    let mut later = later.iter();
    for one in first {
        match (one, later.next()) {
            (_, None) => return false,
            (OnePlace::Open, _) | (_, Some(OnePlace::Open)) => return true,
            (one, Some(other)) if one.is_apart(*other) => return false,
            _ => {}
        }
    }
    later.next().is_some_and(|next| !matches!(next, OnePlace::End))
}
