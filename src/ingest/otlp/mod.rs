//! OTLP: spans and log records in which instrumentations and agents tell of their calls.
//!
//! `wire` and `proto` walk over protobuf, `json` over JSON; both make the same `record`s, of which
//! only attributes with a name in `names` are read. `producer` says which records are calls; `call`,
//! with `usage` and `identity`, makes events of them, and `best` says which of several records of one
//! call is taken. Prompts and answers are never looked at.

mod answer;
mod best;
mod call;
mod details;
mod identity;
mod json;
mod json_value;
mod kept;
mod names;
mod nested;
mod producer;
mod proto;
mod proto_value;
mod record;
mod signal;
mod size;
mod usage;
mod wire;
mod words;

pub use answer::{accepted, code, failed, status};
pub use kept::Kept;
pub use signal::{Encoding, OtlpSignal};
pub use size::calls_max;

use best::CallRecords;
use record::{OtlpRecord, RecordContext, Visit, bytes_of};
use wire::NotProtobuf;

use crate::event::{NamedValue, VALUE_BYTES_MAX, json_text};

/// Bytes of resources' attributes that a request may have copied to its events, beyond its own size.
const COPIED_BYTES: usize = 4 << 20;

/// Records that cannot be read of which it is told why.
const REASONS_MAX: usize = 1_000;

/// The one who takes what is read.
pub trait CallSink {
    /// Takes the values of an event. `index` counts records, whatever they are.
    fn event(&mut self, index: usize, fields: &[NamedValue<'_>]);

    /// Takes the reason why a record cannot be read; of more than a thousand it is empty.
    fn reject(&mut self, index: usize, reason: String);

    /// Learns that the last event has fewer attributes than were sent.
    fn dropped(&mut self, attributes: usize);

    /// Forgets all that it took: the request is read again.
    fn again(&mut self);
}

/// Reads the calls of a request. Records that are none are passed over.
///
/// # Errors
/// Why it is no such request, as the end of a sentence. Some of it may have been taken by then.
pub fn read(
    signal: OtlpSignal,
    encoding: Encoding,
    body: &[u8],
    kept: &Kept<'_>,
    sink: &mut dyn CallSink,
) -> Result<(), String> {
    let mut calls = Calls::new(signal, body, Vec::new(), sink);
    walk(signal, encoding, body, kept, &mut calls)?;
    if let Some(passed) = std::mem::take(&mut calls.records).passed() {
        calls.sink.again();
        let mut calls = Calls::new(signal, body, passed, calls.sink);
        walk(signal, encoding, body, kept, &mut calls)?;
    }
    Ok(())
}

fn walk(
    signal: OtlpSignal,
    encoding: Encoding,
    body: &[u8],
    kept: &Kept<'_>,
    calls: &mut Calls<'_>,
) -> Result<(), String> {
    match (encoding, signal) {
        (Encoding::Protobuf, OtlpSignal::Metrics) => proto::check(body).map_err(not_protobuf),
        (Encoding::Protobuf, _) => proto::walk(signal, body, kept, calls).map_err(not_protobuf),
        (Encoding::Json, OtlpSignal::Metrics) => whole(body),
        (Encoding::Json, _) => {
            let walked = json::walk(signal, body, kept, calls);
            // Where there is no call, it may be anything.
            if walked.is_none() || !calls.found {
                whole(body)?;
            }
            walked.ok_or_else(|| "is no request of OTLP: it is not an object".to_owned())
        }
    }
}

fn not_protobuf(error: NotProtobuf) -> String {
    format!("is not protobuf: {error}")
}

/// Checks that a body is JSON.
fn whole(body: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(body).map_err(|error| format!("is not JSON: {error}"))?;
    json_text::whole(text).map(drop).map_err(|error| format!("is not JSON: {error}"))
}

/// Makes events of records.
struct Calls<'s> {
    signal: OtlpSignal,
    sink: &'s mut dyn CallSink,
    found: bool,
    broken: usize,
    records: CallRecords,
    /// Records of calls of which others tell more, in order.
    passed: Vec<usize>,
    /// A resource is sent once for all its records, and stored with each.
    copied_bytes_left: usize,
    /// The same for those of its attributes that dimensions read, which the others leave their room.
    read_bytes_left: usize,
}

impl<'s> Calls<'s> {
    fn new(
        signal: OtlpSignal,
        body: &[u8],
        passed: Vec<usize>,
        sink: &'s mut dyn CallSink,
    ) -> Self {
        let bytes = body.len().saturating_add(COPIED_BYTES);
        let (copied_bytes_left, read_bytes_left) = (bytes, bytes);
        let records = CallRecords::default();
        Self {
            signal,
            sink,
            found: false,
            broken: 0,
            records,
            passed,
            copied_bytes_left,
            read_bytes_left,
        }
    }
}

/// Takes room for attributes of a resource, if there is some left.
fn take(left: &mut usize, bytes: usize) -> bool {
    let after = left.checked_sub(bytes);
    *left = after.unwrap_or(*left);
    after.is_some()
}

impl<'a> Visit<'a> for Calls<'_> {
    fn record(&mut self, index: usize, context: &RecordContext<'a>, record: &OtlpRecord<'a>) {
        let Some(producer) = producer::producer(self.signal, context, record) else { return };
        self.found = true;
        if self.passed.binary_search(&index).is_ok() {
            return;
        }
        let mut call = call::call(self.signal, producer, context, record);
        self.records.add(index, &call);
        let (found, resource) = (&record.found, &context.resource);
        let mut dropped = found.dropped.saturating_add(resource.dropped);
        call.attributes.extend(call::read(&found.read));
        if take(&mut self.read_bytes_left, bytes_of(&resource.read, VALUE_BYTES_MAX)) {
            call.attributes.extend(call::read(&resource.read));
        } else {
            dropped = dropped.saturating_add(resource.read.len());
        }
        for (own, shared) in [(&found.named, &resource.named), (&found.kept, &resource.kept)] {
            call.attributes.extend(call::kept(own));
            if take(&mut self.copied_bytes_left, bytes_of(shared, usize::MAX)) {
                call.attributes.extend(call::kept(shared));
            } else {
                dropped = dropped.saturating_add(shared.len());
            }
        }
        self.sink.event(index, &call.fields());
        if dropped > 0 {
            self.sink.dropped(dropped);
        }
    }

    fn broken(&mut self, index: usize, reason: &'static str) {
        self.broken += 1;
        // Nobody wants to read a million of them.
        let reason = if self.broken > REASONS_MAX { "" } else { reason };
        self.sink.reject(index, reason.to_owned());
    }
}

#[cfg(test)]
mod tests;
