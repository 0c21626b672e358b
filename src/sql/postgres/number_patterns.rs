//! The patterns of `to_char` of numbers: `FM999,990.00`.
//!
//! They are those of <https://www.postgresql.org/docs/current/functions-formatting.html>, table 9.29,
//! without `V`, `EEEE`, `RN`, `TH` and `L`.

use datafusion::error::Result;

use super::refusal::{quoted, refused};

/// A piece of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberPiece {
    /// A digit; `0` shows zeros before the number.
    Digit {
        shows_zero: bool,
    },
    Point,
    Comma,
    /// `MI`: a minus, or a blank.
    Minus,
    /// `PL`: a plus, or a blank.
    Plus,
    /// `SG`: the sign.
    Sign,
    Text(char),
}

/// Where `S` puts the sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnSign {
    /// There is no `S`.
    Nowhere,
    Before,
    After,
}

/// A format.
#[derive(Debug, Clone)]
pub(super) struct NumberFormat {
    pieces: Vec<NumberPiece>,
    /// Digits before and after the point.
    before: usize,
    after: usize,
    has_point: bool,
    /// `FM`: without blanks and zeros that only fill.
    is_short: bool,
    own_sign: OwnSign,
    /// Digits before `S`.
    before_own_sign: usize,
    /// `PR`: negative numbers are in angle brackets.
    has_brackets: bool,
    has_minus: bool,
    has_plus: bool,
    /// Digits up to the first `0` before the point, if there is one.
    zero_from: Option<usize>,
    /// Digits up to the last `0`.
    zero_to: usize,
}

fn wrong(rest: &str) -> datafusion::error::DataFusionError {
    refused(&format!(
        "the format of a number is not understood at {}; it is made of 9 0 . , D G S MI PL SG PR FM and \"text\"",
        quoted(rest)
    ))
}

impl NumberFormat {
    /// Reads a format.
    ///
    /// # Errors
    /// Patterns that are not known, or contradict each other.
    pub(super) fn read(format: &str) -> Result<Self> {
        let mut read = Self {
            pieces: Vec::new(),
            before: 0,
            after: 0,
            has_point: false,
            is_short: false,
            own_sign: OwnSign::Nowhere,
            before_own_sign: 0,
            has_brackets: false,
            has_minus: false,
            has_plus: false,
            zero_from: None,
            zero_to: 0,
        };
        let mut rest = format;
        while !rest.is_empty() {
            rest = read.take(rest)?;
        }
        Ok(read)
    }

    /// Takes the first pattern of a format, and gives what follows it.
    fn take<'a>(&mut self, rest: &'a str) -> Result<&'a str> {
        let two = rest.get(..2).map(str::to_ascii_uppercase).unwrap_or_default();
        let has_sign = self.has_minus || self.has_plus || self.has_brackets;
        match two.as_str() {
            "FM" => self.is_short = true,
            "PR" if !has_sign && self.own_sign == OwnSign::Nowhere => self.has_brackets = true,
            "MI" | "PL" | "SG" if self.own_sign == OwnSign::Nowhere && !self.has_brackets => {
                self.has_minus |= two != "PL";
                self.has_plus |= two != "MI";
                self.pieces.push(match two.as_str() {
                    "MI" => NumberPiece::Minus,
                    "PL" => NumberPiece::Plus,
                    _ => NumberPiece::Sign,
                });
            }
            _ => return self.take_one(rest),
        }
        Ok(rest.get(2..).unwrap_or_default())
    }

    fn take_one<'a>(&mut self, rest: &'a str) -> Result<&'a str> {
        let Some(first) = rest.chars().next() else { return Ok(rest) };
        match first.to_ascii_uppercase() {
            digit @ ('9' | '0') if !self.has_brackets => self.take_digit(digit == '0'),
            '.' | 'D' if !self.has_point => {
                self.has_point = true;
                self.pieces.push(NumberPiece::Point);
            }
            ',' | 'G' => self.pieces.push(NumberPiece::Comma),
            'S' if self.own_sign == OwnSign::Nowhere
                && !(self.has_minus || self.has_plus || self.has_brackets) =>
            {
                self.own_sign = if self.has_point { OwnSign::After } else { OwnSign::Before };
                self.before_own_sign = self.before;
            }
            '"' => {
                let inner = rest.get(1..).unwrap_or_default();
                let (text, after) = inner.split_once('"').ok_or_else(|| wrong(rest))?;
                self.pieces.extend(text.chars().map(NumberPiece::Text));
                return Ok(after);
            }
            char if char.is_alphanumeric() || matches!(char, '.' | '\\') => {
                return Err(wrong(rest));
            }
            _ => self.pieces.push(NumberPiece::Text(first)),
        }
        Ok(rest.get(first.len_utf8()..).unwrap_or_default())
    }

    fn take_digit(&mut self, shows_zero: bool) {
        if self.has_point {
            self.after += 1;
        } else {
            self.before += 1;
        }
        if shows_zero {
            if !self.has_point && self.zero_from.is_none() {
                self.zero_from = Some(self.before);
            }
            self.zero_to = self.before + self.after;
        }
        self.pieces.push(NumberPiece::Digit { shows_zero });
    }

    /// Digits after the point.
    pub(super) fn places(&self) -> usize {
        self.after
    }

    /// The format with no more digits after the point than these.
    pub(super) fn with_places_max(&self, places: usize) -> Self {
        Self { after: self.after.min(places), ..self.clone() }
    }

    /// Shows a number, whose digits are given without a sign, rounded to [`Self::places`].
    pub(super) fn shown(&self, is_negative: bool, number: &str) -> String {
        let whole = number.find('.').unwrap_or(number.len());
        // A number that is too long for its pattern.
        let filled = || format!("{}.{}", "#".repeat(self.before), "#".repeat(self.after));
        let number = if whole > self.before { filled() } else { number.to_owned() };
        let mut shown =
            ShownNumber::new(self, is_negative, number, self.before.saturating_sub(whole));
        for piece in &self.pieces {
            shown.put(*piece);
        }
        shown.text
    }
}

/// A number that is being shown, digit by digit.
struct ShownNumber<'a> {
    format: &'a NumberFormat,
    is_negative: bool,
    number: Vec<u8>,
    /// The digit of the number that comes next.
    at: usize,
    /// Digits and points of the format that were passed.
    passed: usize,
    /// Digits of the format that are before the number.
    blanks: usize,
    /// With `FM` and a point, the last digit that is shown, or the point.
    last: Option<usize>,
    /// Digits of the format, and the sign if it goes before them.
    count: usize,
    has_sign: bool,
    own_sign: OwnSign,
    /// A digit was shown, so that commas are.
    has_begun: bool,
    text: String,
}

impl<'a> ShownNumber<'a> {
    fn new(format: &'a NumberFormat, is_negative: bool, number: String, blanks: usize) -> Self {
        let number = number.into_bytes();
        let is_apart = format.has_plus || format.has_minus;
        let has_sign = match is_apart {
            true => format.has_minus,
            false => !is_negative && format.is_short && format.own_sign == OwnSign::Nowhere,
        };
        let is_behind =
            format.own_sign == OwnSign::Before && format.before == format.before_own_sign;
        let own_sign = if is_behind && !is_apart { OwnSign::After } else { format.own_sign };
        let count = (format.after + format.before).saturating_sub(1);
        let count = count + usize::from(!has_sign && blanks == 0);
        let last =
            (format.is_short && format.has_point).then(|| last_shown(format, &number, blanks));
        Self {
            format,
            is_negative,
            number,
            at: 0,
            passed: 0,
            blanks,
            last: last.flatten(),
            count,
            has_sign,
            own_sign,
            has_begun: false,
            text: String::new(),
        }
    }

    fn put(&mut self, piece: NumberPiece) {
        let is_short = self.format.is_short;
        let sign = if self.is_negative { '-' } else { '+' };
        match piece {
            NumberPiece::Text(char) => self.text.push(char),
            NumberPiece::Sign => self.text.push(sign),
            NumberPiece::Minus if self.is_negative => self.text.push('-'),
            NumberPiece::Plus if !self.is_negative => self.text.push('+'),
            NumberPiece::Comma if self.has_begun => self.text.push(','),
            NumberPiece::Minus | NumberPiece::Plus | NumberPiece::Comma => {
                if !is_short {
                    self.text.push(' ');
                }
            }
            NumberPiece::Digit { shows_zero } => self.put_digit(shows_zero),
            NumberPiece::Point => self.put_digit(false),
        }
    }

    /// `0.1` by `9.9` is ` .1`: the zero before the point is not shown.
    fn is_idle_zero(&self) -> bool {
        self.format.zero_from.is_none()
            && self.at == 0
            && self.number.first() == Some(&b'0')
            && self.format.after > 0
    }

    /// All digits after the point are zeros that `FM` leaves out.
    fn is_whole(&self) -> bool {
        self.last.is_some_and(|last| self.number.get(last) == Some(&b'.'))
    }

    fn put_digit(&mut self, shows_zero: bool) {
        let is_zero_from = self.format.zero_from.map(|from| from - 1);
        let begins =
            self.passed >= self.blanks || is_zero_from.is_some_and(|from| from == self.passed);
        if !self.has_sign && begins && (!self.is_idle_zero() || self.is_whole()) {
            self.put_sign_before();
        }
        let is_short = self.format.is_short;
        if self.passed < self.blanks {
            if is_zero_from.is_some_and(|from| from <= self.passed) {
                self.text.push('0');
                self.has_begun = true;
            } else if !is_short {
                self.text.push(' ');
            }
        } else if let Some(digit) = self.number.get(self.at).copied() {
            let is_left_out = self.last.is_some_and(|last| self.at > last) && !shows_zero;
            if digit == b'.' {
                self.text.push('.');
            } else if is_left_out {
                // A zero at the end.
            } else if self.is_idle_zero() {
                if !is_short {
                    self.text.push(' ');
                } else if self.is_whole() {
                    self.text.push('0');
                }
            } else {
                self.text.push(digit.into());
                self.has_begun = true;
            }
            self.at += 1;
        }
        self.put_sign_after();
        self.passed += 1;
    }

    fn put_sign_before(&mut self) {
        let sign = if self.is_negative { '-' } else { '+' };
        if self.own_sign != OwnSign::Nowhere {
            if self.own_sign == OwnSign::Before {
                self.text.push(sign);
                self.has_sign = true;
            }
            return;
        }
        match (self.format.has_brackets, self.is_negative) {
            (true, true) => self.text.push('<'),
            (false, true) => self.text.push('-'),
            (_, false) if self.format.is_short => {}
            (_, false) => self.text.push(' '),
        }
        self.has_sign = true;
    }

    fn put_sign_after(&mut self) {
        let mut end =
            self.count + usize::from(self.blanks > 0) + usize::from(self.format.has_point);
        if self.last.is_some_and(|last| last == self.at) {
            end = self.passed;
        }
        if self.passed + 1 != end {
            return;
        }
        if self.format.has_brackets && self.has_sign {
            match self.is_negative {
                true => self.text.push('>'),
                false if self.format.is_short => {}
                false => self.text.push(' '),
            }
        } else if self.own_sign == OwnSign::After {
            self.text.push(if self.is_negative { '-' } else { '+' });
        }
    }
}

/// The place of the last digit that `FM` shows, or of the point.
fn last_shown(format: &NumberFormat, number: &[u8], blanks: usize) -> Option<usize> {
    let point = number.iter().position(|byte| *byte == b'.')?;
    let last = number.iter().rposition(|byte| !matches!(byte, b'0' | b'.')).unwrap_or(point);
    let zeros = format.zero_to.saturating_sub(blanks).min(number.len().saturating_sub(1));
    let has_zeros = format.zero_to > blanks;
    Some(if has_zeros { last.max(point).max(zeros) } else { last.max(point) })
}
