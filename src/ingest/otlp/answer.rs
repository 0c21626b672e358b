//! What the senders of OTLP are answered, in the encoding of their request.
//!
//! Sources: the specification of OTLP 1.x ("OTLP/HTTP Response"), and `google.rpc.Status`.

use serde_json::json;

use super::signal::{Encoding, OtlpSignal};

/// Codes of `google.rpc.Code`.
const INVALID_ARGUMENT: u8 = 3;
const NOT_FOUND: u8 = 5;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// Statuses of HTTP.
const REQUEST_TIMEOUT: u16 = 408;
const INTERNAL_SERVER_ERROR: u16 = 500;
const SERVICE_UNAVAILABLE: u16 = 503;

impl Encoding {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// The body of a response to a request of which `rejected` records were refused, with a reason.
pub fn accepted(signal: OtlpSignal, encoding: Encoding, rejected: usize, reason: &str) -> Vec<u8> {
    if rejected == 0 {
        return if encoding == Encoding::Json { b"{}".to_vec() } else { Vec::new() };
    }
    let counted = match signal {
        OtlpSignal::Traces => "rejectedSpans",
        OtlpSignal::Logs => "rejectedLogRecords",
        OtlpSignal::Metrics => "rejectedDataPoints",
    };
    match encoding {
        // In JSON, an integer of 64 bits is text.
        Encoding::Json => {
            let partial = json!({ counted: rejected.to_string(), "errorMessage": reason });
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
        Encoding::Protobuf => {
            let mut partial = Vec::new();
            add_varint(&mut partial, 1, u64::try_from(rejected).unwrap_or(u64::MAX));
            add_bytes(&mut partial, 2, reason.as_bytes());
            let mut response = Vec::new();
            add_bytes(&mut response, 1, &partial);
            response
        }
    }
}

/// The status of HTTP that a request fails with. What is worth sending again is 503: exporters throw
/// a batch away after most others.
pub fn status(status: u16) -> u16 {
    match status {
        REQUEST_TIMEOUT | INTERNAL_SERVER_ERROR => SERVICE_UNAVAILABLE,
        other => other,
    }
}

/// The body of a response to a request that fails with a status of HTTP: a `google.rpc.Status`.
pub fn failed(encoding: Encoding, status: u16, message: &str) -> Vec<u8> {
    let code = code(status);
    match encoding {
        Encoding::Json => json!({ "code": code, "message": message }).to_string().into_bytes(),
        Encoding::Protobuf => {
            let mut body = Vec::new();
            add_varint(&mut body, 1, code.into());
            add_bytes(&mut body, 2, message.as_bytes());
            body
        }
    }
}

/// The code of `google.rpc.Status` for a status of HTTP.
pub fn code(status: u16) -> u8 {
    match status {
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => NOT_FOUND,
        413 | 429 => RESOURCE_EXHAUSTED,
        INTERNAL_SERVER_ERROR => INTERNAL,
        REQUEST_TIMEOUT | 502..=504 => UNAVAILABLE,
        _ => INVALID_ARGUMENT,
    }
}

fn add_varint(message: &mut Vec<u8>, field: u8, value: u64) {
    message.push(field << 3);
    push_varint(message, value);
}

fn add_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    push_varint(message, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    message.extend_from_slice(bytes);
}

fn push_varint(message: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return message.push(low & 0x7f);
        }
        message.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::tests::messages::ExportResponse;
    use super::*;

    #[test]
    fn a_library_reads_the_answers() {
        let body = accepted(OtlpSignal::Traces, Encoding::Protobuf, 300, "é");
        let partial = ExportResponse::decode(body.as_slice()).unwrap().partial_success;
        let partial = partial.unwrap();
        assert_eq!((partial.rejected, partial.error_message.as_str()), (300, "é"));
        let reason = "x".repeat(1_000);
        let body = accepted(OtlpSignal::Logs, Encoding::Protobuf, 1, &reason);
        let partial = ExportResponse::decode(body.as_slice()).unwrap().partial_success;
        let partial = partial.unwrap();
        assert_eq!((partial.rejected, partial.error_message), (1, reason));
        let all = ExportResponse::decode(
            accepted(OtlpSignal::Traces, Encoding::Protobuf, 0, "").as_slice(),
        );
        assert_eq!(all.unwrap().partial_success, None);
        let json = accepted(OtlpSignal::Logs, Encoding::Json, 2, "why");
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"partialSuccess":{"errorMessage":"why","rejectedLogRecords":"2"}}"#
        );
        assert_eq!(accepted(OtlpSignal::Traces, Encoding::Json, 0, ""), b"{}");
    }

    #[test]
    fn failures_are_statuses_and_worth_another_try_where_they_are() {
        let json = failed(Encoding::Json, 400, "no");
        assert_eq!(String::from_utf8(json).unwrap(), r#"{"code":3,"message":"no"}"#);
        assert_eq!(failed(Encoding::Protobuf, 413, "no"), [0x08, 8, 0x12, 2, b'n', b'o']);
        for (sent, kept) in [(400, 400), (401, 401), (408, 503), (413, 413), (500, 503), (503, 503)]
        {
            assert_eq!(status(sent), kept);
        }
    }
}
