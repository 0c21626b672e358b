//! Events as NDJSON: one JSON object a line, each line on its own.

use super::{EVENTS_MAX, IngestError, json, json_plain};
use crate::event::{EventBatchBuilder, Slots};

/// Reads a whole body. Lines end with `\n` or `\r\n`; blank ones are skipped and not counted.
pub(super) fn decode(body: &[u8], builder: &mut EventBatchBuilder) -> Result<(), IngestError> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut slots = Slots::default();
    for (index, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        if index == EVENTS_MAX {
            return Err(IngestError::TooManyEvents);
        }
        slots.clear();
        if json_plain::fill(line, &mut slots) && builder.push_slots(index, &slots) {
            continue;
        }
        match std::str::from_utf8(line) {
            Ok(event) => json::push(builder, index, event),
            Err(error) => builder.reject(index, None, format!("the line is not UTF-8: {error}")),
        }
    }
    Ok(())
}
