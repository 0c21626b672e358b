//! The decoder of NDJSON: one JSON object per line, each line read separately.

use std::str::Utf8Error;

use super::limits::EVENTS_MAX;
use super::{IngestError, json, json_plain};
use crate::event::{EventBatchBuilder, Slots};

/// A line that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUtf8<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What is wrong with them.
    pub error: Utf8Error,
}

impl<'a> NotUtf8<'a> {
    /// The bytes as text.
    ///
    /// # Errors
    /// The bytes, and what is wrong with them.
    pub fn check(bytes: &'a [u8]) -> Result<&'a str, Self> {
        std::str::from_utf8(bytes).map_err(|error| Self { bytes, error })
    }
}

/// Reads a whole body. Lines end with `\n` or `\r\n`; blank ones are skipped and not counted.
pub(super) fn decode(body: &[u8], builder: &mut EventBatchBuilder) -> Result<(), IngestError> {
    let (mut names, mut slots) = (json_plain::FieldNames::default(), Slots::default());
    for (index, line) in lines(body).filter(|line| *line != Ok("")).enumerate() {
        if index == EVENTS_MAX {
            return Err(IngestError::TooManyEvents);
        }
        let event = match line {
            Ok(event) => event,
            Err(NotUtf8 { error, .. }) => {
                builder.reject(index, None, format!("the line is not UTF-8: {error}"));
                continue;
            }
        };
        slots.clear();
        let plain = json_plain::fill(event, &mut names, &mut slots);
        if !(plain && builder.push_slots(index, &slots)) {
            json::push(builder, index, event);
        }
    }
    Ok(())
}

/// The lines of a text, without white space around them. The text after the last line end counts as
/// a line too, even if it is empty.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = Result<&str, NotUtf8<'_>>> {
    // Most texts are valid UTF-8, and one check of the whole is faster than many of short lines.
    let whole = std::str::from_utf8(text).ok();
    let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
    ends.scan(0, move |start, end| {
        let line = *start..end;
        *start = end + 1;
        Some(match whole.and_then(|whole| whole.get(line.clone())) {
            Some(line) => Ok(line.trim_ascii()),
            None => NotUtf8::check(text.get(line)?.trim_ascii()),
        })
    })
}
