//! Events as rows of JSON.

use crate::event::{FieldValue, NamedValue};
use crate::ingest::call::Call;

/// Events as JSON, each with the line that it comes from.
pub type Rows = Vec<(u64, Vec<u8>)>;

/// The event of a call.
pub(super) fn event(call: Call<'_>) -> Vec<u8> {
    json(call.fields())
}

/// The event with these values.
pub(super) fn json(fields: Vec<NamedValue<'_>>) -> Vec<u8> {
    FieldValue::Map(fields).json().into_bytes()
}
