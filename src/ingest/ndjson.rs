//! Events as NDJSON: one JSON object a line, each line on its own.

use super::{EVENTS_MAX, IngestError, json, json_plain};
use crate::event::{EventBatchBuilder, Slots};

/// Reads a whole body. Lines end with `\n` or `\r\n`; blank ones are skipped and not counted.
pub(super) fn decode(body: &[u8], builder: &mut EventBatchBuilder) -> Result<(), IngestError> {
    let lines = lines(body).map(<[u8]>::trim_ascii);
    let (mut names, mut slots) = (json_plain::Names::default(), Slots::default());
    for (index, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        if index == EVENTS_MAX {
            return Err(IngestError::TooManyEvents);
        }
        slots.clear();
        if json_plain::fill(line, &mut names, &mut slots) && builder.push_slots(index, &slots) {
            continue;
        }
        match std::str::from_utf8(line) {
            Ok(event) => json::push(builder, index, event),
            Err(error) => builder.reject(index, None, format!("the line is not UTF-8: {error}")),
        }
    }
    Ok(())
}

/// The lines of a text; what comes after the last end of a line is one too, if only an empty one.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
    ends.scan(0, |start, end| {
        let line = text.get(*start..end);
        *start = end + 1;
        line
    })
}
