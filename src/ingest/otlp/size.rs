//! How many calls a body can hold, before it is read.

use super::proto;
use super::signal::Encoding;

/// No record in protobuf tells of a call in fewer bytes: a time, and one attribute.
const CALL_BYTES_MIN: usize = 32;
/// The same in JSON.
const JSON_CALL_BYTES_MIN: usize = 96;

/// The most calls that a body can hold.
pub fn calls_max(encoding: Encoding, body: &[u8]) -> usize {
    match encoding {
        Encoding::Protobuf => proto::count(body, CALL_BYTES_MIN),
        Encoding::Json => body.len() / JSON_CALL_BYTES_MIN,
    }
}
