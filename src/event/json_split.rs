//! A splitter of JSON by brackets and quotes alone, so that a broken part does not affect its
//! neighbours. Nothing recurses, so nesting costs no stack.

use std::ops::Range;

/// The place of a part in its source, without the white space around it.
pub(crate) type SourceRange = Range<usize>;

/// Calls `each` with the number and the place of every element of the array in `source`, whatever
/// the element holds. Returns the number of elements; `None` if brackets, quotes or commas do not
/// form an array. The elements before the flaw have been passed to `each` by then.
pub(crate) fn each_element(
    source: &[u8],
    mut each: impl FnMut(usize, SourceRange),
) -> Option<usize> {
    let mut scan = SourceCursor::of(source);
    let mut count = 0;
    scan.array(|scan| {
        each(count, scan.value()?);
        count += 1;
        Some(())
    })?;
    scan.peek().is_none().then_some(count)
}

/// The places of the names, with their quotes, and of the values of the object in `source`. `None`
/// if there are more than `members_max`, or if brackets, quotes, colons or commas do not form an
/// object.
pub(crate) fn members(
    source: &[u8],
    members_max: usize,
) -> Option<Vec<(SourceRange, SourceRange)>> {
    let mut scan = SourceCursor::of(source);
    let mut members = Vec::new();
    scan.object(|scan, name| {
        if members.len() == members_max {
            return None;
        }
        members.push((name, scan.value()?));
        Some(())
    })?;
    scan.peek().is_none().then_some(members)
}

/// A source, and the position up to which it has been read. Its copies go their own ways, so that one
/// may look ahead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceCursor<'a> {
    source: &'a [u8],
    at: usize,
}

impl<'a> SourceCursor<'a> {
    /// A cursor before the first byte.
    pub(crate) fn of(source: &'a [u8]) -> Self {
        Self { source, at: 0 }
    }

    /// The bytes at a place.
    pub(crate) fn bytes(&self, place: SourceRange) -> &'a [u8] {
        self.source.get(place).unwrap_or_default()
    }

    /// The bytes that were read since `start`.
    pub(crate) fn since(&self, start: Self) -> &'a [u8] {
        self.bytes(start.at..self.at)
    }

    /// Reads the object that begins here. `member` gets the place of each name, with its quotes, and
    /// reads the value. `None` if it is no object or `member` says so.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, SourceRange) -> Option<()>,
    ) -> Option<()> {
        self.pass(b'{')?;
        if self.peek()? != b'}' {
            loop {
                if self.peek()? != b'"' {
                    return None;
                }
                let name = self.value()?;
                self.pass(b':')?;
                member(self, name)?;
                match self.peek()? {
                    b',' => self.at += 1,
                    _ => break,
                }
            }
        }
        self.pass(b'}')
    }

    /// Reads the array that begins here, each element by `element`. `None` if it is no array or
    /// `element` says so.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.pass(b'[')?;
        if self.peek()? != b']' {
            loop {
                element(self)?;
                match self.peek()? {
                    b',' => self.at += 1,
                    _ => break,
                }
            }
        }
        self.pass(b']')
    }

    /// The next byte that is not white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.source.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn pass(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The place of the value that begins here: up to its closing bracket or quote, or to the end
    /// of a word or number.
    pub(crate) fn value(&mut self) -> Option<SourceRange> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            _ => {
                let rest = self.source.get(start..)?;
                let ends = |byte: &u8| b",:{}[]\" \t\n\r".contains(byte);
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        (self.at > start).then_some(start..self.at)
    }

    /// Skips the string that begins here.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let rest = self.source.get(self.at..)?;
            let found = memchr::memchr2(b'"', b'\\', rest)?;
            self.at += found + 1;
            if rest.get(found) == Some(&b'"') {
                return Some(());
            }
            // An escaped byte never ends the string.
            self.at += 1;
        }
    }

    /// Skips the object or array that begins here.
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match *self.source.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(array: &str) -> Option<Vec<&str>> {
        let mut found = Vec::new();
        each_element(array.as_bytes(), |_, place| found.push(&array[place]))?;
        Some(found)
    }

    fn parts(object: &str) -> Option<Vec<(&str, &str)>> {
        let members = members(object.as_bytes(), 3)?;
        Some(members.into_iter().map(|(name, value)| (&object[name], &object[value])).collect())
    }

    #[test]
    fn elements_are_told_apart_whatever_they_hold() {
        let cases = [
            ("[]", vec![]),
            (" [ ] ", vec![]),
            ("[1,NaN, -Infinity ,{\"a\":nope} ]", vec!["1", "NaN", "-Infinity", "{\"a\":nope}"]),
            (r#"["a,]\"[", {"x":"}\\"} ]"#, vec![r#""a,]\"[""#, r#"{"x":"}\\"}"#]),
            ("[[[1],2],{\"a\":[}]]", vec!["[[1],2]", "{\"a\":[}]"]),
        ];
        for (array, found) in cases {
            assert_eq!(elements(array), Some(found), "{array}");
        }
        for array in
            ["", "[", "[1", "[1,]", "[,1]", "[1 2]", "[1] 2", "[\"a]", "{}", "[{]", "[1:2]"]
        {
            assert_eq!(elements(array), None, "{array}");
        }
    }

    #[test]
    fn members_are_told_apart_whatever_they_hold() {
        assert_eq!(parts("{}"), Some(vec![]));
        let object = r#" { "a\"" : NaN , "b":{"c":[1,]}} "#;
        assert_eq!(parts(object), Some(vec![(r#""a\"""#, "NaN"), ("\"b\"", "{\"c\":[1,]}")]));
        for object in [
            "",
            "{",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "[]",
            "{\"a\":1 2}",
        ] {
            assert_eq!(parts(object), None, "{object}");
        }
        assert_eq!(parts(r#"{"a":1,"b":1,"c":1,"d":1}"#), None);
    }

    #[test]
    fn deep_nesting_takes_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(elements(&deep).map(|found| found.len()), Some(1));
    }

    proptest! {
        #[test]
        fn what_is_json_is_taken_apart_as_json(values in prop::collection::vec(".{0,6}|[0-9]{1,5}", 0..5)) {
            let values: Vec<_> = values.iter().map(|text| serde_json::json!([text])).collect();
            let array = serde_json::to_string_pretty(&values).unwrap();
            let found = elements(&array).unwrap();
            let found: Vec<serde_json::Value> =
                found.into_iter().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(found, values);
        }

        #[test]
        fn any_bytes_are_answered(source in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (each_element(&source, |_, _| ()), members(&source, 9));
        }
    }
}
