//! Tests of whole bodies through `decode`.

mod cloudevents;
mod json;
mod laws;

use arrow::array::AsArray;

use super::*;
use crate::clock::{Micros, SECOND};
use crate::event::{OrgId, OrgRule};

const NOW: Micros = 1_704_164_645 * SECOND;

fn builder() -> EventBatchBuilder {
    EventBatchBuilder::new(OrgRule::Only(OrgId::parse("acme").unwrap()), NOW)
}

fn decode_bytes(kind: &ContentKind, body: &[u8]) -> Result<Decoded, IngestError> {
    decode(kind, body, builder())
}

fn decode_json(body: &str) -> Decoded {
    decode_bytes(&ContentKind::Json, body.as_bytes()).unwrap()
}

/// One valid event as JSON text, with more members.
fn event(id: &str, more: &str) -> String {
    format!(r#"{{"event_id":"{id}","ts":1704164645{more}}}"#)
}

/// The accepted ids, each with its index.
fn taken(decoded: &Decoded) -> Vec<(u32, String)> {
    let ids = decoded.batch.record_batch().column(0).as_string::<i32>();
    let ids = ids.iter().map(|id| id.unwrap().to_owned());
    decoded.batch.indices().iter().copied().zip(ids).collect()
}

fn refused(decoded: &Decoded) -> Vec<(usize, Option<&str>, &str)> {
    let parts = decoded.rejections.iter();
    parts.map(|r| (r.index, r.event_id.as_deref(), r.error.as_str())).collect()
}

/// The error of a body with one bad event.
fn only_error(decoded: &Decoded) -> &str {
    match decoded.rejections.as_slice() {
        [rejection] if decoded.batch.is_empty() => &rejection.error,
        other => panic!("not one bad event: {other:?}"),
    }
}

/// The attributes of the first row.
fn attributes(decoded: &Decoded) -> Vec<(String, String)> {
    let maps = decoded.batch.record_batch().column_by_name("attributes").unwrap().as_map();
    let entries = maps.value(0);
    let column = |at| entries.column(at).as_string::<i32>().clone();
    let (keys, values) = (column(0), column(1));
    let pairs = keys.iter().zip(values.iter());
    pairs.map(|(key, value)| (key.unwrap().to_owned(), value.unwrap().to_owned())).collect()
}
