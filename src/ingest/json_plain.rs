//! The fast reader of the most common form of an event: one flat object on one line, without
//! escapes. Reading such a line copies no text. All other lines, valid or not, are left to `json.rs`.

use std::borrow::Cow;

use crate::event::{FieldName, FieldValue, PlainValue, Slots};

/// Members of an object that is read here. It is small because each name is compared with the
/// others.
const MEMBERS_MAX: usize = 32;

/// The names in earlier events, in order. Most events repeat them, so that one comparison finds
/// each.
#[derive(Debug, Default)]
pub struct FieldNames<'a> {
    /// Each name as its line has it, with quotes and colon.
    known: Vec<(&'a [u8], FieldName<'a>)>,
    next: usize,
}

impl<'a> FieldNames<'a> {
    /// Reads the name that begins here, and its colon.
    fn read(&mut self, scan: &mut LineCursor<'a>) -> Option<FieldName<'a>> {
        let bytes = scan.text.as_bytes();
        let rest = bytes.get(scan.at..)?;
        // An event may lack a name that an earlier one had.
        for at in [self.next, self.next + 1] {
            if let Some((known, name)) = self.known.get(at).filter(|it| rest.starts_with(it.0)) {
                scan.at += known.len();
                self.next = at + 1;
                return Some(*name);
            }
        }
        let start = scan.at;
        let name = FieldName::of(scan.name()?);
        if self.known.len() < MEMBERS_MAX && self.next <= self.known.len() {
            self.known.insert(self.next, (bytes.get(start..scan.at)?, name));
            self.next += 1;
        }
        Some(name)
    }
}

/// Fills `slots` with the values of the event in `text`, the same that [`super::fields`] returns;
/// false if it is not of the plain form.
pub(super) fn fill<'a>(text: &'a str, names: &mut FieldNames<'a>, slots: &mut Slots<'a>) -> bool {
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'\\';
    // One pass without branches is enough to find most lines plain.
    if !text.as_bytes().iter().fold(true, |all, byte| all & plain(byte)) {
        return false;
    }
    let mut scan = LineCursor { text, at: 0 };
    names.next = 0;
    let read = scan.object(
        |scan| names.read(scan),
        |scan, name| {
            if name.text() == "attributes" && scan.peek() == Some(b'{') {
                return scan.map().is_some_and(|map| slots.set_made(name.text(), map));
            }
            scan.value().is_some_and(|value| slots.set_named(name, value))
        },
    );
    read.is_some() && scan.at == text.len()
}

/// A line, and the position up to which it has been read.
struct LineCursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> LineCursor<'a> {
    /// The next byte that is not a space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match *bytes.get(self.at)? {
                b' ' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn pass(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Reads an object; `name` reads each name with its colon, `member` its value.
    fn object<N>(
        &mut self,
        mut name: impl FnMut(&mut Self) -> Option<N>,
        mut member: impl FnMut(&mut Self, N) -> bool,
    ) -> Option<()> {
        self.pass(b'{')?;
        if self.peek()? == b'}' {
            return self.pass(b'}');
        }
        for _ in 0..MEMBERS_MAX {
            self.peek()?;
            let name = name(self)?;
            if !member(self, name) {
                return None;
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => return self.pass(b'}'),
                _ => return None,
            }
        }
        None
    }

    fn name(&mut self) -> Option<&'a str> {
        let name = self.string()?;
        self.pass(b':')?;
        Some(name)
    }

    fn map(&mut self) -> Option<FieldValue<'a>> {
        let mut entries: Vec<(Cow<'a, str>, FieldValue<'a>)> = Vec::new();
        self.object(Self::name, |scan, name| {
            let twice = entries.iter().any(|(known, _)| known == name);
            let Some(value) = scan.value().filter(|_| !twice) else { return false };
            entries.push((Cow::Borrowed(name), value.into()));
            true
        })?;
        Some(FieldValue::Map(entries))
    }

    fn value(&mut self) -> Option<PlainValue<'a>> {
        match self.peek()? {
            b'"' => self.string().map(PlainValue::Text),
            b'0'..=b'9' => self.number().map(PlainValue::Number),
            b't' => self.word("true").map(|()| PlainValue::Bool(true)),
            b'f' => self.word("false").map(|()| PlainValue::Bool(false)),
            b'n' => self.word("null").map(|()| PlainValue::Null),
            _ => None,
        }
    }

    /// The string that begins here. Without escapes, it ends at the next quote.
    fn string(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        if *bytes.get(self.at)? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let end = quote(bytes, start)?;
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// The number that begins here, if it is digits with a point or without.
    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        let whole = self.digits();
        let leading_zero = whole > 1 && self.text.as_bytes().get(start) == Some(&b'0');
        if whole == 0 || leading_zero {
            return None;
        }
        if self.text.as_bytes().get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        // An exponent is not accepted after a number here, so such a line is left to `json.rs`.
        self.text.get(start..self.at)
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        rest.starts_with(word).then(|| self.at += word.len())
    }
}

/// The position of the first quote from `at` on. Eight bytes are compared together; strings are too
/// short for more to pay off.
fn quote(bytes: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // A quote becomes 0. The trick may mark bytes above a 0 wrongly, but never the lowest one.
        let eight = u64::from_le_bytes(*eight) ^ QUOTES;
        let found = eight.wrapping_sub(ONES) & !eight & HIGHS;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?.iter().position(|byte| *byte == b'"');
    rest.map(|place| at + place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{EventBatchBuilder, OrgRule};
    use crate::ingest::json;

    const NOW: i64 = 1_770_000_000_000_000;

    /// The rows of a line from both readers; `None` if the plain reader leaves it alone.
    fn both(line: &str) -> Option<(arrow::array::RecordBatch, arrow::array::RecordBatch)> {
        let mut slots = Slots::default();
        let mut builders = [(); 2].map(|()| EventBatchBuilder::new(OrgRule::Own, NOW));
        let [plain, general] = &mut builders;
        // The second time the names are known.
        let mut names = FieldNames::default();
        let first = fill(line, &mut names, &mut slots);
        slots.clear();
        assert_eq!(fill(line, &mut names, &mut slots), first);
        if !first || !plain.push_slots(0, &slots) {
            return None;
        }
        json::push(general, 0, line);
        let [plain, general] =
            builders.map(|builder| builder.finish().unwrap().batch.record_batch().clone());
        Some((plain, general))
    }

    fn member() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "event_id",
            "org_id",
            "ts",
            "provider",
            "model",
            "event_type",
            "input_tokens",
            "output_tokens",
            "cached_input_tokens",
            "cost_usd",
            "source",
            "attributes",
            "team",
            "ingested_at",
            "é",
            "",
        ]);
        let value = prop_oneof![
            "[0-9]{1,19}(\\.[0-9]{0,14})?",
            "-?[0-9](e[0-9])?",
            "\"[ -~é]{0,12}\"",
            prop::sample::select(vec![
                "null",
                "true",
                "false",
                "[1]",
                "{\"a\": 1 , \"b\":\"x\", \"c\":null}",
                "{\"a\":1,\"a\":2}",
                "{}",
                "{\"a\":[]}",
                "nul",
                "tru e",
                "01",
                "1.",
                "\"a\\nb\"",
                "\" padded \"",
                "\"\\u0041\"",
            ])
            .prop_map(str::to_owned),
        ];
        (name, value, "( ?| \t)", " ?")
            .prop_map(|(name, value, before, after)| format!("\"{name}\":{before}{value}{after}"))
    }

    #[test]
    fn names_are_known_again_whichever_an_event_lacks() {
        let lines = [
            r#"{"event_id":"a","org_id":"o","ts":1769000000,"model":"m"}"#,
            r#"{"event_id":"b","org_id":"o","cost_usd":1,"ts":1769000000}"#,
            r#"{"org_id":"o","ts":1769000000,"event_id":"c","model":"n"}"#,
            r#"{"event_id":"d","org_id":"o","ts":1769000000,"models":"n"}"#,
        ];
        let (mut names, mut slots) = (FieldNames::default(), Slots::default());
        let mut builders = [(); 2].map(|()| EventBatchBuilder::new(OrgRule::Own, NOW));
        let [plain, general] = &mut builders;
        for (index, line) in lines.into_iter().enumerate() {
            slots.clear();
            assert!(fill(line, &mut names, &mut slots), "{line}");
            assert!(plain.push_slots(index, &slots), "{line}");
            json::push(general, index, line);
        }
        let [plain, general] = builders.map(|it| it.finish().unwrap().batch);
        assert_eq!((plain.len(), plain.record_batch()), (4, general.record_batch()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]
        #[test]
        fn what_is_plain_is_read_as_all_else_is(
            members in prop::collection::vec(member(), 0..6),
            flip in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let needed = r#"{"event_id":"e1","org_id":"acme","ts":1769000000,"#;
            let mut line = format!("{needed}{}}}", members.join(",")).into_bytes();
            if let Some((at, byte)) = flip {
                let at = at.index(line.len());
                line[at] = byte;
            }
            let Ok(line) = String::from_utf8(line) else { return Ok(()) };
            if let Some((plain, general)) = both(&line) {
                prop_assert_eq!(plain, general, "{}", line);
            }
        }
    }

    #[test]
    fn the_usual_line_is_plain() {
        for line in [
            r#"{"event_id":"e","org_id":"acme","ts":"2026-01-02T03:04:05.5Z","input_tokens":12,"cost_usd":0.25,"x":true,"y":null}"#,
            r#"{ "event_id": "e", "org_id": "acme", "ts": 1769000000.5, "attributes": {"a": "é", "b": 1} }"#,
        ] {
            let (plain, general) = both(line).expect("it is plain");
            assert_eq!((plain.num_rows(), &plain), (1, &general));
        }
        for line in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"a":1,"a":2}"#,
            r#"{"a":1}x"#,
            r#"{"a":1,}"#,
            "{\"a\":\"\x01\"}",
        ] {
            let mut slots = Slots::default();
            let plain = fill(line, &mut FieldNames::default(), &mut slots);
            assert_eq!(plain, line == "{}", "{line}");
        }
    }
}
