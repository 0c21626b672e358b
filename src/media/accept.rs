//! `Accept`: which of its elements decides about each media type that is on offer.
//!
//! Source: RFC 9110, section 12.5.1. A header that comes in several lines is joined with commas by the
//! caller (section 5.3).

use std::cmp::Reverse;

use super::weighted::{Element, elements};

/// How closely an element names a media type; the closest element decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// `*/*`
    Everything,
    /// `text/*`
    Type,
    /// `text/plain`
    Subtype,
    /// `text/plain;version=1.0.0`: with each parameter of the offer.
    Parameters,
}

/// The element that decides about a media type: the greatest of those that match it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// How closely it names it.
    pub closeness: Closeness,
    /// Thousandths; 0 means "not acceptable".
    pub weight: u16,
    /// Its place in the header: the greater one is the earlier one.
    pub position: Reverse<usize>,
}

/// A media type that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// As `text` of `text/plain`.
    pub kind: &'static str,
    /// As `plain` of `text/plain`.
    pub subtype: &'static str,
    /// Its parameters, as `version` and `1.0.0`. An element that gives one of them another value does
    /// not match; all others mean nothing.
    pub parameters: &'static [(&'static str, &'static str)],
}

impl Offer {
    /// A media type without parameters, as `text/plain`.
    pub fn of(media_type: &'static str) -> Self {
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        Self { kind, subtype, parameters: &[] }
    }

    fn closeness(&self, element: &Element<'_>) -> Option<Closeness> {
        let (kind, subtype) = element.name.split_once('/')?;
        if (kind, subtype) == ("*", "*") {
            return Some(Closeness::Everything);
        }
        if !kind.eq_ignore_ascii_case(self.kind) {
            return None;
        }
        if subtype == "*" {
            return Some(Closeness::Type);
        }
        if !subtype.eq_ignore_ascii_case(self.subtype) {
            return None;
        }
        let mut is_named = !self.parameters.is_empty();
        for (name, value) in self.parameters {
            match element.parameter(name) {
                Some(named) if named != *value => return None,
                named => is_named &= named.is_some(),
            }
        }
        Some(if is_named { Closeness::Parameters } else { Closeness::Subtype })
    }
}

/// For each offer the element of `accept` that decides about it; `None` if none matches. One pass, so
/// that a header of any length takes linear time.
pub fn decide<const N: usize>(accept: &str, offers: &[Offer; N]) -> [Option<Match>; N] {
    let mut decided = [None; N];
    for (position, element) in elements(accept).enumerate() {
        for (best, offer) in decided.iter_mut().zip(offers) {
            let matched = offer.closeness(&element).map(|closeness| Match {
                closeness,
                weight: element.weight,
                position: Reverse(position),
            });
            *best = (*best).max(matched);
        }
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONED: Offer =
        Offer { kind: "text", subtype: "plain", parameters: &[("version", "1.0.0")] };

    fn decided(accept: &str) -> [Option<(Closeness, u16, usize)>; 2] {
        let decided = decide(accept, &[VERSIONED, Offer::of("text/csv")]);
        decided.map(|of| of.map(|of| (of.closeness, of.weight, of.position.0)))
    }

    #[test]
    fn the_closest_element_decides_about_each_offer() {
        use Closeness::{Everything, Parameters, Subtype, Type};
        for (accept, plain, csv) in [
            ("*/*", Some((Everything, 1000, 0)), Some((Everything, 1000, 0))),
            ("*/*;q=0.9, text/*;q=0.1", Some((Type, 100, 1)), Some((Type, 100, 1))),
            ("text/csv;q=0, */*", Some((Everything, 1000, 1)), Some((Subtype, 0, 0))),
            ("text/plain;q=0.3, Text/Plain;Version=1.0.0;q=0.2", Some((Parameters, 200, 1)), None),
            ("text/plain;version=2", None, None),
            ("text/csv;version=2;q=0.5", None, Some((Subtype, 500, 0))),
            ("text/csv;q=0.2, text/csv;q=0.8", None, Some((Subtype, 800, 1))),
            ("text/csv;q=2, text/csv;q=0.1, text", None, Some((Subtype, 100, 0))),
            ("*/plain, plain, text/plain/x", None, None),
            ("", None, None),
        ] {
            assert_eq!(decided(accept), [plain, csv], "{accept}");
        }
    }

    #[test]
    fn each_parameter_must_be_named_to_be_the_closest_and_none_may_differ() {
        const TWO: Offer = Offer { kind: "a", subtype: "b", parameters: &[("x", "1"), ("y", "2")] };
        let closeness = |accept: &str| decide(accept, &[TWO])[0].map(|of| of.closeness);
        for accept in ["a/b;x=1;y=2", "A/B; Y=\"2\"; z=3; X=1; q=0.5"] {
            assert_eq!(closeness(accept), Some(Closeness::Parameters), "{accept}");
        }
        for accept in ["a/b", "a/b;x=1", "a/b;y=2;x"] {
            assert_eq!(closeness(accept), Some(Closeness::Subtype), "{accept}");
        }
        for accept in ["a/b;x=2;y=2", "a/b;x=1;y=2;y=3", "a/b;y=1"] {
            assert_eq!(closeness(accept), None, "{accept}");
        }
    }

    #[test]
    fn of_two_that_are_as_close_and_as_heavy_the_earlier_decides() {
        assert_eq!(decided("text/csv, text/csv")[1], Some((Closeness::Subtype, 1000, 0)));
    }
}
