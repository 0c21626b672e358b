//! Spans and log records in JSON.
//!
//! One pass over the body, by brackets and quotes, so that a record that is broken costs no other
//! one. Numbers come as numbers or as text, ids as hexadecimal digits, and anything may be null.
//! What is not read may have any form.

use std::borrow::Cow;

use super::json_value::{
    any_value, hex_id, is, key_value, name_text, single_value, text, time, unquoted, value,
};
use super::kept::Kept;
use super::record::{AttributeSource, AttributeValue, Found, OtlpRecord, RecordContext, Visit};
use super::signal::OtlpSignal;
use crate::event::json_split::SourceCursor;

/// The names of what holds the records of a signal: from the outermost list to the innermost.
const TRACES: [&str; 3] = ["resourceSpans", "scopeSpans", "spans"];
/// The same of logs.
const LOGS: [&str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];

/// Visits all records of a request. What is in the place of a list or of a record and is neither
/// is visited as a broken record. `None` if brackets and quotes do not form an object.
pub(super) fn walk<'a>(
    signal: OtlpSignal,
    body: &'a [u8],
    kept: &Kept<'_>,
    visit: &mut dyn Visit<'a>,
) -> Option<()> {
    let names = if signal == OtlpSignal::Traces { TRACES } else { LOGS };
    let context = RecordContext::default();
    let mut walk =
        JsonWalk { signal, names, kept, context, index: 0, record: OtlpRecord::default(), visit };
    let mut cursor = SourceCursor::of(body);
    cursor.object(|cursor, name| {
        if is(cursor, name, walk.names[0]) {
            return walk.list(cursor, JsonWalk::resource);
        }
        cursor.value().map(drop)
    })?;
    cursor.peek().is_none().then_some(())
}

/// All attributes of a record, with those values that are single ones.
pub(super) fn each_attribute<'a>(
    array: &'a [u8],
    mut visit: impl FnMut(Cow<'a, [u8]>, AttributeValue<'a>),
) {
    // The record was read before, so that nothing in it is broken.
    let _ = attributes(&mut SourceCursor::of(array), |name, value| {
        if let Some(value) = single_value(value) {
            visit(name, value);
        }
    });
}

struct JsonWalk<'a, 'v> {
    signal: OtlpSignal,
    names: [&'static str; 3],
    kept: &'v Kept<'v>,
    context: RecordContext<'a>,
    index: usize,
    record: OtlpRecord<'a>,
    visit: &'v mut dyn Visit<'a>,
}

impl<'a, 'v> JsonWalk<'a, 'v> {
    /// Reads a list, each element by `read`, which must be an object or null.
    fn list(
        &mut self,
        cursor: &mut SourceCursor<'a>,
        read: fn(&mut Self, &mut SourceCursor<'a>) -> Option<()>,
    ) -> Option<()> {
        match cursor.peek()? {
            b'[' => cursor.array(|cursor| match cursor.peek()? {
                b'{' => read(self, cursor),
                b'n' => cursor.value().map(drop),
                _ => self.broken(cursor, "is not an object"),
            }),
            b'n' => cursor.value().map(drop),
            _ => self.broken(cursor, "is not an array"),
        }
    }

    /// Passes over a value that is not what it should be.
    fn broken(&mut self, cursor: &mut SourceCursor<'a>, reason: &'static str) -> Option<()> {
        cursor.value()?;
        self.visit.broken(self.index, reason);
        self.index += 1;
        Some(())
    }

    fn resource(&mut self, cursor: &mut SourceCursor<'a>) -> Option<()> {
        let kept = self.kept;
        let mut ahead = *cursor;
        self.context.resource = Found::default();
        let found = &mut self.context.resource;
        let mut read = |cursor: &mut SourceCursor<'a>| {
            optional(cursor, b'{', |cursor| {
                cursor.object(|cursor, name| {
                    if is(cursor, name, "attributes") {
                        return add_attributes(cursor, found, kept);
                    }
                    cursor.value().map(drop)
                })
            })
        };
        first(&mut ahead, "resource", &mut read)?;
        let inner = self.names[1];
        cursor.object(|cursor, name| {
            if is(cursor, name, inner) {
                return self.list(cursor, Self::scope);
            }
            cursor.value().map(drop)
        })
    }

    fn scope(&mut self, cursor: &mut SourceCursor<'a>) -> Option<()> {
        let mut ahead = *cursor;
        self.context.scope = Cow::default();
        let scope = &mut self.context.scope;
        let mut read = |cursor: &mut SourceCursor<'a>| {
            optional(cursor, b'{', |cursor| {
                cursor.object(|cursor, name| {
                    let is_name = is(cursor, name, "name");
                    let place = cursor.value()?;
                    if is_name {
                        *scope = text(cursor.bytes(place)).unwrap_or_default();
                    }
                    Some(())
                })
            })
        };
        first(&mut ahead, "scope", &mut read)?;
        let inner = self.names[2];
        cursor.object(|cursor, name| {
            if is(cursor, name, inner) {
                return self.list(cursor, Self::record);
            }
            cursor.value().map(drop)
        })
    }

    fn record(&mut self, cursor: &mut SourceCursor<'a>) -> Option<()> {
        let mut record = std::mem::take(&mut self.record);
        record.clear(AttributeSource::Array(&[]));
        let start = *cursor;
        let read = match self.signal {
            OtlpSignal::Traces => span(cursor, &mut record, self.kept),
            OtlpSignal::Logs | OtlpSignal::Metrics => log(cursor, &mut record, self.kept),
        };
        if read.is_none() {
            *cursor = start;
            cursor.value()?;
            self.visit.broken(self.index, "cannot be read: its JSON is broken");
        } else {
            self.visit.record(self.index, &self.context, &record);
        }
        self.index += 1;
        self.record = record;
        Some(())
    }
}

fn span<'a>(
    cursor: &mut SourceCursor<'a>,
    record: &mut OtlpRecord<'a>,
    kept: &Kept<'_>,
) -> Option<()> {
    cursor.object(|cursor, name| {
        match name_text(cursor, name).as_ref() {
            b"attributes" => return record_attributes(cursor, record, kept),
            b"status" => return optional(cursor, b'{', |cursor| status(cursor, record)),
            b"traceId" => record.trace_id = hex_id(value(cursor)?),
            b"spanId" => record.span_id = hex_id(value(cursor)?),
            b"name" => record.name = text(value(cursor)?).unwrap_or_default(),
            b"startTimeUnixNano" => record.other_time_ns = time(value(cursor)?),
            b"endTimeUnixNano" => record.time_ns = time(value(cursor)?),
            _ => {
                cursor.value()?;
            }
        }
        Some(())
    })
}

fn log<'a>(
    cursor: &mut SourceCursor<'a>,
    record: &mut OtlpRecord<'a>,
    kept: &Kept<'_>,
) -> Option<()> {
    cursor.object(|cursor, name| {
        match name_text(cursor, name).as_ref() {
            b"attributes" => return record_attributes(cursor, record, kept),
            b"traceId" => record.trace_id = hex_id(value(cursor)?),
            b"spanId" => record.span_id = hex_id(value(cursor)?),
            b"eventName" => record.name = text(value(cursor)?).unwrap_or_default(),
            b"timeUnixNano" => record.time_ns = time(value(cursor)?),
            b"observedTimeUnixNano" => record.other_time_ns = time(value(cursor)?),
            _ => {
                cursor.value()?;
            }
        }
        Some(())
    })
}

fn status(cursor: &mut SourceCursor<'_>, record: &mut OtlpRecord<'_>) -> Option<()> {
    cursor.object(|cursor, name| {
        let is_code = is(cursor, name, "code");
        let code = value(cursor)?;
        if is_code {
            record.is_error = matches!(text(code).as_deref(), Some("2" | "STATUS_CODE_ERROR"));
        }
        Some(())
    })
}

fn record_attributes<'a>(
    cursor: &mut SourceCursor<'a>,
    record: &mut OtlpRecord<'a>,
    kept: &Kept<'_>,
) -> Option<()> {
    let start = *cursor;
    add_attributes(cursor, &mut record.found, kept)?;
    record.source = AttributeSource::Array(cursor.since(start));
    Some(())
}

fn add_attributes<'a>(
    cursor: &mut SourceCursor<'a>,
    found: &mut Found<'a>,
    kept: &Kept<'_>,
) -> Option<()> {
    attributes(cursor, |name, value| found.add(name, kept, || any_value(value)))
}

/// Calls `visit` with the name and the source of the value of each attribute of a list.
fn attributes<'a>(
    cursor: &mut SourceCursor<'a>,
    mut visit: impl FnMut(Cow<'a, [u8]>, &'a [u8]),
) -> Option<()> {
    let mut attribute = |cursor: &mut SourceCursor<'a>| {
        let [key, of_key] = key_value(cursor)?;
        if let (Some(key @ [b'"', ..]), Some(value)) = (key, of_key) {
            visit(unquoted(key), value);
        }
        Some(())
    };
    optional(cursor, b'[', |cursor| cursor.array(|cursor| optional(cursor, b'{', &mut attribute)))
}

/// Reads a value by `read` if it begins with `begin`, and passes over any other.
fn optional<'a>(
    cursor: &mut SourceCursor<'a>,
    begin: u8,
    read: impl FnOnce(&mut SourceCursor<'a>) -> Option<()>,
) -> Option<()> {
    if cursor.peek()? == begin { read(cursor) } else { cursor.value().map(drop) }
}

/// Reads the first member of an object that has this name, and nothing more of the object.
fn first<'a>(
    cursor: &mut SourceCursor<'a>,
    wanted: &str,
    read: &mut dyn FnMut(&mut SourceCursor<'a>) -> Option<()>,
) -> Option<()> {
    let mut found = None;
    // The walk stops where it is found, as it does where the object is broken.
    let whole = cursor.object(|cursor, name| {
        if is(cursor, name, wanted) {
            found = Some(read(cursor));
            return None;
        }
        cursor.value().map(drop)
    });
    found.unwrap_or(whole)
}
