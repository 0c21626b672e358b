//! The tracker of CSV quotes: it finds rows with a quote that is not closed where it should be. The
//! CSV library reads on to the next quote, or to the end of the file, and reports nothing.

use std::collections::VecDeque;

/// The most places that are kept; a row with more has already been reported.
const FLAWS_MAX: usize = 1 << 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuoteState {
    /// A cell begins here.
    Start,
    /// In a cell without quotes, or after its closing quote.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote that ends the cell, or is a literal quote if another one follows.
    Closed,
}

/// Follows the bytes of a file from its start.
#[derive(Debug)]
pub(super) struct Quotes {
    delimiter: u8,
    state: QuoteState,
    /// Number of bytes seen so far.
    passed: u64,
    /// Position where the last quote opened.
    open: u64,
    /// Positions where text follows a closing quote, in order.
    flaws: VecDeque<u64>,
}

impl Quotes {
    pub(super) fn new(delimiter: u8) -> Self {
        let flaws = VecDeque::new();
        Self { delimiter, state: QuoteState::Start, passed: 0, open: 0, flaws }
    }

    /// Follows the next bytes. Most have no quotes and are scanned once.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += self.step(rest, self.passed + at as u64);
        }
        self.passed += bytes.len() as u64;
    }

    /// Follows some of the bytes and returns how many; `place` is the position of the first.
    fn step(&mut self, rest: &[u8], place: u64) -> usize {
        let first = rest.first().copied().unwrap_or_default();
        match self.state {
            QuoteState::Start if first == b'"' => {
                (self.state, self.open) = (QuoteState::Quoted, place);
                1
            }
            QuoteState::Start | QuoteState::Plain => {
                let quote = memchr::memchr(b'"', rest);
                let end = quote.unwrap_or(rest.len());
                let before = end.checked_sub(1).and_then(|last| rest.get(last));
                if before.is_some_and(|before| self.ends_cell(*before)) {
                    self.state = QuoteState::Start;
                    return end;
                }
                // A quote in the middle of a cell is one of its characters.
                self.state = QuoteState::Plain;
                end + usize::from(quote.is_some())
            }
            QuoteState::Quoted => match memchr::memchr(b'"', rest) {
                Some(quote) => {
                    self.state = QuoteState::Closed;
                    quote + 1
                }
                None => rest.len(),
            },
            QuoteState::Closed => {
                self.state = match first {
                    b'"' => QuoteState::Quoted,
                    byte if self.ends_cell(byte) => QuoteState::Start,
                    _ => {
                        if self.flaws.len() == FLAWS_MAX {
                            self.flaws.truncate(1);
                        }
                        self.flaws.push_back(place);
                        QuoteState::Plain
                    }
                };
                1
            }
        }
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }

    /// Whether text follows a closing quote between these positions; callers ask for rows in order.
    pub(super) fn flawed(&mut self, start: u64, end: u64) -> bool {
        let mut flawed = false;
        while let Some(place) = self.flaws.front().filter(|place| **place < end) {
            flawed |= *place >= start;
            self.flaws.pop_front();
        }
        flawed
    }

    /// Whether a quote that opened at or after this position is still open.
    pub(super) fn is_open_since(&self, start: u64) -> bool {
        self.state == QuoteState::Quoted && self.open >= start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether text follows a closing quote, and whether a quote is open at the end; the bytes are
    /// passed in parts of this size.
    fn follow(text: &str, size: usize) -> (bool, bool) {
        let mut quotes = Quotes::new(b',');
        text.as_bytes().chunks(size).for_each(|part| quotes.pass(part));
        (quotes.flawed(0, u64::MAX), quotes.is_open_since(0))
    }

    #[test]
    fn open_quotes_and_text_behind_quotes_are_seen() {
        for (text, expected) in [
            ("a,b\n", (false, false)),
            ("\"a\",\"b\"\n\"c\"", (false, false)),
            ("\"a \"\"b\"\" c\"\r\n", (false, false)),
            ("5\" disk,a\"\n", (false, false)),
            ("\"\",\"\"\"\"\n", (false, false)),
            ("\"two\nlines\",b\n", (false, false)),
            ("a,\"b\nc,d\n", (false, true)),
            ("a,\"b\nc,\"d\"\n", (true, false)),
            ("\"a\" ,b\n", (true, false)),
            ("a,\"", (false, true)),
        ] {
            for size in [1, 2, 3, 100] {
                assert_eq!(follow(text, size), expected, "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn a_flaw_is_that_of_its_row() {
        let mut quotes = Quotes::new(b',');
        quotes.pass(b"\"a\",b\n\"c\"d,e\n\"f");
        assert!(!quotes.flawed(0, 6));
        assert!(quotes.flawed(6, 13));
        assert!(!quotes.flawed(13, 15) && quotes.is_open_since(13) && !quotes.is_open_since(14));
    }

    proptest! {
        #[test]
        fn parts_of_any_size_are_followed_alike(text in "[a\",\n]{0,40}", size in 1..7_usize) {
            prop_assert_eq!(follow(&text, size), follow(&text, 1_000));
        }
    }
}
