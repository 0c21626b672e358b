//! The reader of JSON: the values of an array, of the array `events` in an object, or one after the
//! other. It counts brackets to find them, so that a file of any size is never whole in memory.

use std::io::BufRead;

use super::rows::{CHUNK_BYTES, ChunkSink, ROW_BYTES_MAX, ROW_OVERHEAD_BYTES, RawRows, ReadError};

const EVENTS: &[u8] = b"\"events\"";
const EVENT_ID: &[u8] = b"\"event_id\"";
/// The name as it is kept in an object that is read.
const ID: &[u8] = b"\"event_id\" :";

pub(super) fn read(bytes: &mut dyn BufRead, sink: ChunkSink<'_>) -> Result<(), ReadError> {
    let mut values = JsonValues {
        source: Source { bytes, line: 1 },
        chunk: Vec::new(),
        held: 0,
        first: 0,
        sink,
    };
    let read = values.all();
    if read.is_err() {
        // Whole values before the flaw are kept.
        values.flush();
    }
    read.map(drop)
}

/// The bytes of an input, with the current line.
struct Source<'a> {
    bytes: &'a mut dyn BufRead,
    line: u64,
}

struct JsonValues<'a> {
    source: Source<'a>,
    chunk: Vec<(u64, Vec<u8>)>,
    /// Bytes in `chunk`.
    held: usize,
    /// The index of the first value of `chunk`.
    first: u64,
    sink: ChunkSink<'a>,
}

impl Source<'_> {
    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        Ok(self.bytes.fill_buf()?.first().copied())
    }

    fn pass(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        self.bytes.consume(1);
    }

    /// The next byte that is not white space.
    fn next_mark(&mut self) -> Result<Option<u8>, ReadError> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.pass(byte);
        }
        Ok(None)
    }

    fn broken(&self, reason: &str) -> ReadError {
        ReadError::Broken { line: self.line, reason: reason.to_owned() }
    }

    /// Adds the value that starts here to `out`.
    fn value(&mut self, out: &mut Vec<u8>) -> Result<(), ReadError> {
        let (began, mut scan) = (out.len(), ValueScan::default());
        loop {
            let buffer = self.bytes.fill_buf()?;
            if buffer.is_empty() {
                // At the end of the file nothing closes a bare number or word.
                let whole = scan.depth == 0 && !scan.quoted && out.len() > began;
                return if whole {
                    Ok(())
                } else {
                    Err(self.broken("the file ends inside of a value"))
                };
            }
            let end = buffer.iter().position(|byte| scan.ends(*byte));
            let taken = end.map_or(buffer.len(), |end| end + usize::from(scan.closed));
            let part = buffer.get(..taken).unwrap_or_default();
            self.line += part.iter().filter(|byte| **byte == b'\n').count() as u64;
            out.extend_from_slice(part);
            self.bytes.consume(taken);
            if end.is_some() {
                return Ok(());
            }
            if out.len() > ROW_BYTES_MAX {
                return Err(self.broken("a row is longer than 16 MiB"));
            }
        }
    }
}

/// The position within a value.
#[derive(Default)]
struct ValueScan {
    depth: usize,
    quoted: bool,
    escaped: bool,
    /// Whether the byte that ended the value is part of it.
    closed: bool,
}

impl ValueScan {
    /// Whether the value ends at this byte, or before it.
    fn ends(&mut self, byte: u8) -> bool {
        if self.quoted {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.quoted = false,
                _ => {}
            }
            self.closed = !self.quoted && self.depth == 0;
            return self.closed;
        }
        match byte {
            b'"' => self.quoted = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                self.closed = self.depth == 0;
                return self.closed;
            }
            b'}' | b']' | b',' | b':' => return self.depth == 0,
            byte => return self.depth == 0 && byte.is_ascii_whitespace(),
        }
        false
    }
}

impl JsonValues<'_> {
    /// Reads values one after the other; false if the receiver wants no more.
    fn all(&mut self) -> Result<bool, ReadError> {
        loop {
            let wanted = match self.source.next_mark()? {
                None => return Ok(self.flush()),
                Some(b'[') => self.array()?,
                Some(b'{') => self.object()?,
                Some(_) => {
                    return Err(self.source.broken("neither an object nor an array begins here"));
                }
            };
            if !wanted {
                return Ok(false);
            }
        }
    }

    /// Reads the values of the array that starts here.
    fn array(&mut self) -> Result<bool, ReadError> {
        self.source.pass(b'[');
        let mut last = b'[';
        loop {
            let mark = self.source.next_mark()?;
            match (mark, last) {
                (None, _) => return Err(self.source.broken("the file ends inside of an array")),
                (Some(b']'), b'[' | b'v') => {
                    self.source.pass(b']');
                    return Ok(true);
                }
                (Some(b','), b'v') => {
                    self.source.pass(b',');
                    last = b',';
                }
                (Some(b',' | b']' | b'}' | b':'), _) | (Some(_), b'v') => {
                    return Err(self.source.broken("a comma or ] is missing or one too many"));
                }
                (Some(_), _) => {
                    let (line, mut value) = (self.source.line, Vec::new());
                    self.source.value(&mut value)?;
                    last = b'v';
                    if !self.add(line, value) {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Reads the object that starts here: an event, or an object with a list of events named
    /// `events`.
    fn object(&mut self) -> Result<bool, ReadError> {
        let line = self.source.line;
        self.source.pass(b'{');
        let (mut object, mut listed) = (vec![b'{'], false);
        loop {
            let Some(mark) = self.source.next_mark()? else {
                return Err(self.source.broken("the file ends inside of an object"));
            };
            match mark {
                b'}' => {
                    self.source.pass(b'}');
                    object.push(b'}');
                    return Ok(listed || self.add(line, object));
                }
                b',' | b':' => {
                    self.source.pass(mark);
                    object.push(mark);
                }
                b']' => return Err(self.source.broken("a ] without its [")),
                _ if listed && mark != b'n' && is_contrary(&object) => {
                    let reason = "the object has a list of events, and another one or an event_id of its own; if each line is an event, give --format ndjson";
                    return Err(self.source.broken(reason));
                }
                b'[' if !listed && is_list(&object) => {
                    listed = true;
                    object.clear();
                    if !self.array()? {
                        return Ok(false);
                    }
                }
                _ => {
                    // The other members next to a list are not events and need not be kept.
                    if listed {
                        object.clear();
                    }
                    self.source.value(&mut object)?;
                    object.push(b' ');
                }
            }
        }
    }

    fn add(&mut self, line: u64, value: Vec<u8>) -> bool {
        self.held += value.len() + ROW_OVERHEAD_BYTES;
        self.chunk.push((line, value));
        self.held < CHUNK_BYTES || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.held = 0;
        let (first, values) = (self.first, std::mem::take(&mut self.chunk));
        self.first += values.len() as u64;
        values.is_empty() || (self.sink)(first, RawRows::Values(values))
    }
}

/// Whether the object so far ends in the name `events` and has no id yet.
fn is_list(object: &[u8]) -> bool {
    let named = object.strip_suffix(b":").map(<[u8]>::trim_ascii_end);
    let before = named.and_then(|object| object.strip_suffix(EVENTS));
    before.is_some_and(|before| {
        let a_name = before.ends_with(b"{") || before.ends_with(b",");
        a_name && !object.windows(ID.len()).any(|part| part == ID)
    })
}

/// Whether the value of a second `events`, or of an `event_id`, begins after these bytes of an object
/// that has a list of events. Their meaning would be another than over HTTP: the first list is in.
fn is_contrary(name: &[u8]) -> bool {
    let name = name.strip_suffix(b":").map(<[u8]>::trim_ascii);
    name.is_some_and(|name| name == EVENTS || name == EVENT_ID)
}
