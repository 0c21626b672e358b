//! Media types in the headers of HTTP: which one is sent, and which ones are accepted how gladly.
//!
//! Written by hand, because a scraper's `Accept` is to be read as far as it makes sense: one broken
//! element is skipped alone, a version is part of what is named, and a header of any length takes
//! linear time and no memory. The crates that parse such headers refuse the whole of them, or know no
//! weights. Pure: text in, text out.

mod accept;
mod content_type;
mod weighted;

pub use self::accept::{Closeness, Match, Offer, decide};
pub use self::content_type::ContentType;
pub use self::weighted::{Element, elements};

/// Names as a sentence has them: `a, b or c`.
pub fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_as_a_choice() {
        assert_eq!(one_of(&[]), "");
        assert_eq!(one_of(&["a"]), "a");
        assert_eq!(one_of(&["a", "b"]), "a or b");
        assert_eq!(one_of(&["a", "b", "c"]), "a, b or c");
    }
}
