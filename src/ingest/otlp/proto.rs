//! Spans and log records in protobuf.
//!
//! The numbers of fields are those of `opentelemetry/proto` 1.x. Its messages for requests and those
//! for files are the same on the wire. What is not read may have any form.

use std::borrow::Cow;

use super::kept::Kept;
use super::proto_value::{any_value, key_value, single_value};
use super::record::{AttributeSource, AttributeValue, Found, OtlpRecord, RecordContext, Visit, id};
use super::signal::OtlpSignal;
use super::wire::{NotProtobuf, WireFields, WireValue};

/// `TracesData.resource_spans`, `LogsData.resource_logs`, and the attributes of a resource.
const FIRST: u32 = 1;
/// `ResourceSpans.scope_spans`, `ScopeSpans.spans`, and the same of logs.
const INNER: u32 = 2;

/// Passes over measurements.
///
/// # Errors
/// It is no message.
pub(super) fn check(body: &[u8]) -> Result<(), NotProtobuf> {
    WireFields::of(body).try_for_each(|field| field.map(drop))
}

/// How many records of at least so many bytes there are.
pub(super) fn count(body: &[u8], bytes_min: usize) -> usize {
    let mut count = 0;
    // What is broken ends the count, as it ends the walk.
    let _ = each(body, FIRST, |resource| {
        each(resource, INNER, |scope| {
            each(scope, INNER, |record| {
                count += usize::from(record.len() >= bytes_min);
                Ok(())
            })
        })
    });
    count
}

/// Visits all records of a request.
///
/// # Errors
/// What holds the records is broken. A record that is broken itself is visited as such.
pub(super) fn walk<'a>(
    signal: OtlpSignal,
    body: &'a [u8],
    kept: &Kept<'_>,
    visit: &mut dyn Visit<'a>,
) -> Result<(), NotProtobuf> {
    let mut walk = MessageWalk { signal, kept, context: RecordContext::default(), index: 0 };
    let mut record = OtlpRecord::default();
    each(body, FIRST, |resource| {
        walk.context.resource = Found::default();
        // A message may come in parts, and after what it is about.
        each(resource, FIRST, |part| attributes(part, FIRST, &mut walk.context.resource, kept))?;
        each(resource, INNER, |scope| walk.scope(scope, &mut record, visit))
    })
}

/// All attributes of a record, with those values that are single ones.
pub(super) fn each_attribute<'a>(
    message: &'a [u8],
    number: u32,
    mut visit: impl FnMut(&'a [u8], AttributeValue<'a>),
) {
    // The record was read before, so that nothing in it is broken.
    let _ = each(message, number, |attribute| {
        let (name, value) = key_value(attribute)?;
        if let Some(value) = value.and_then(single_value) {
            visit(name, value);
        }
        Ok(())
    });
}

/// Calls `visit` with each message or text that is the field `number`.
fn each<'a>(
    message: &'a [u8],
    number: u32,
    mut visit: impl FnMut(&'a [u8]) -> Result<(), NotProtobuf>,
) -> Result<(), NotProtobuf> {
    for field in WireFields::of(message) {
        if let (found, WireValue::Bytes(bytes)) = field?
            && found == number
        {
            visit(bytes)?;
        }
    }
    Ok(())
}

struct MessageWalk<'a, 'k> {
    signal: OtlpSignal,
    kept: &'k Kept<'k>,
    context: RecordContext<'a>,
    index: usize,
}

impl<'a> MessageWalk<'a, '_> {
    fn scope(
        &mut self,
        scope: &'a [u8],
        record: &mut OtlpRecord<'a>,
        visit: &mut dyn Visit<'a>,
    ) -> Result<(), NotProtobuf> {
        self.context.scope = Cow::default();
        let name = &mut self.context.scope;
        each(scope, FIRST, |part| {
            each(part, FIRST, |text| {
                *name = String::from_utf8_lossy(text);
                Ok(())
            })
        })?;
        each(scope, INNER, |message| {
            let read = match self.signal {
                OtlpSignal::Traces => span(message, record, self.kept),
                OtlpSignal::Logs | OtlpSignal::Metrics => log(message, record, self.kept),
            };
            match read {
                Ok(()) => visit.record(self.index, &self.context, record),
                Err(_) => visit.broken(self.index, "cannot be read: it is no message of protobuf"),
            }
            self.index += 1;
            Ok(())
        })
    }
}

fn span<'a>(
    message: &'a [u8],
    record: &mut OtlpRecord<'a>,
    kept: &Kept<'_>,
) -> Result<(), NotProtobuf> {
    record.clear(AttributeSource::Message(message, 9));
    for field in WireFields::of(message) {
        match field? {
            (1, WireValue::Bytes(bytes)) => record.trace_id = id(bytes),
            (2, WireValue::Bytes(bytes)) => record.span_id = id(bytes),
            (5, WireValue::Bytes(bytes)) => record.name = String::from_utf8_lossy(bytes),
            (7, WireValue::Fixed64(time)) => record.other_time_ns = time,
            (8, WireValue::Fixed64(time)) => record.time_ns = time,
            (9, WireValue::Bytes(bytes)) => attribute(bytes, &mut record.found, kept)?,
            (15, WireValue::Bytes(status)) => is_error(status, &mut record.is_error)?,
            _ => {}
        }
    }
    Ok(())
}

fn log<'a>(
    message: &'a [u8],
    record: &mut OtlpRecord<'a>,
    kept: &Kept<'_>,
) -> Result<(), NotProtobuf> {
    record.clear(AttributeSource::Message(message, 6));
    for field in WireFields::of(message) {
        match field? {
            (1, WireValue::Fixed64(time)) => record.time_ns = time,
            (6, WireValue::Bytes(bytes)) => attribute(bytes, &mut record.found, kept)?,
            (9, WireValue::Bytes(bytes)) => record.trace_id = id(bytes),
            (10, WireValue::Bytes(bytes)) => record.span_id = id(bytes),
            (11, WireValue::Fixed64(time)) => record.other_time_ns = time,
            (12, WireValue::Bytes(bytes)) => record.name = String::from_utf8_lossy(bytes),
            _ => {}
        }
    }
    Ok(())
}

/// Reads `Status.code`, if this part of the message has it.
fn is_error(status: &[u8], is_error: &mut bool) -> Result<(), NotProtobuf> {
    const ERROR: u64 = 2;
    for field in WireFields::of(status) {
        if let (3, WireValue::Varint(code)) = field? {
            *is_error = code == ERROR;
        }
    }
    Ok(())
}

fn attributes<'a>(
    message: &'a [u8],
    number: u32,
    found: &mut Found<'a>,
    kept: &Kept<'_>,
) -> Result<(), NotProtobuf> {
    each(message, number, |bytes| attribute(bytes, found, kept))
}

fn attribute<'a>(
    bytes: &'a [u8],
    found: &mut Found<'a>,
    kept: &Kept<'_>,
) -> Result<(), NotProtobuf> {
    let (name, value) = key_value(bytes)?;
    if let Some(value) = value {
        found.add(Cow::Borrowed(name), kept, || any_value(value));
    }
    Ok(())
}
