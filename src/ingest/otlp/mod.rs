//! OTLP: spans and log records in which instrumentations and agents tell of their calls.
//!
//! `wire` and `proto` walk over protobuf, `json` over JSON; both make the same `record`s, of which
//! only attributes with a name in `names` are read. `producer` says which records are calls; `call`,
//! with `usage` and `identity`, makes events of them. Prompts and answers are never looked at.

mod call;
mod details;
mod identity;
mod json;
mod json_value;
mod names;
mod producer;
mod proto;
mod record;
mod usage;
mod wire;

pub use names::Kept;
pub use record::Signal;

use record::{Context, Record, Visit};

use crate::event::{NamedValue, json_text};

/// How a request is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// The one who takes what is read.
pub trait Sink {
    /// Takes the values of an event. `index` counts records, whatever they are.
    fn event(&mut self, index: usize, fields: &[NamedValue<'_>]);

    /// Takes the reason why a record cannot be read.
    fn reject(&mut self, index: usize, reason: String);
}

/// Reads the calls of a request. Records that are none are passed over.
///
/// # Errors
/// Why it is no such request, as the end of a sentence. Some of it may have been taken by then.
pub fn read(
    signal: Signal,
    encoding: Encoding,
    body: &[u8],
    kept: &Kept<'_>,
    sink: &mut dyn Sink,
) -> Result<(), String> {
    let mut calls = Calls { signal, sink };
    match (encoding, signal) {
        (Encoding::Protobuf, Signal::Metrics) => {
            proto::check(body).map_err(|error| format!("is not protobuf: {error}"))
        }
        (Encoding::Protobuf, _) => proto::walk(signal, body, kept, &mut calls)
            .map_err(|error| format!("is not protobuf: {error}")),
        (Encoding::Json, Signal::Metrics) => whole(body),
        (Encoding::Json, _) => match json::walk(signal, body, kept, &mut calls) {
            Some(()) => Ok(()),
            None => whole(body).and(Err("is no request of OTLP: it is not an object".to_owned())),
        },
    }
}

/// Checks that a body is JSON.
fn whole(body: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(body).map_err(|error| format!("is not JSON: {error}"))?;
    json_text::whole(text).map(drop).map_err(|error| format!("is not JSON: {error}"))
}

/// Makes events of records.
struct Calls<'s> {
    signal: Signal,
    sink: &'s mut dyn Sink,
}

impl<'a> Visit<'a> for Calls<'_> {
    fn record(&mut self, index: usize, context: &Context<'a>, record: &Record<'a>) {
        if let Some(producer) = producer::producer(self.signal, context, record) {
            self.sink.event(index, &call::fields(self.signal, producer, context, record));
        }
    }

    fn broken(&mut self, index: usize, reason: String) {
        self.sink.reject(index, reason);
    }
}

#[cfg(test)]
mod tests;
