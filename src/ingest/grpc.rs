//! The frames of gRPC over HTTP/2: one message in, one message or a status out.
//!
//! Source: "gRPC over HTTP2" of the gRPC project. What HTTP says with its status is said by the
//! trailer `grpc-status` here.

use std::fmt::Write as _;

use bytes::Bytes;

use super::error::IngestError;

/// The status of a call that worked.
const OK: u8 = 0;

/// Bytes in front of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The message of a body, and how it is compressed by `encoding`, which is the value of
/// `grpc-encoding`.
pub(super) fn message(
    mut body: Bytes,
    encoding: Option<&str>,
) -> Result<(Bytes, Option<String>), IngestError> {
    let broken = || IngestError::NotOtlp("is not one message of gRPC".to_owned());
    let (flag, length) = match body.first_chunk::<PREFIX_BYTES>() {
        Some([flag, a, b, c, d]) => (*flag, u32::from_be_bytes([*a, *b, *c, *d])),
        None => return Err(broken()),
    };
    let message = body.split_off(PREFIX_BYTES);
    if usize::try_from(length).ok() != Some(message.len()) {
        return Err(broken());
    }
    match flag {
        0 => Ok((message, None)),
        1 => Ok((message, Some(encoding.unwrap_or("none").to_owned()))),
        _ => Err(broken()),
    }
}

/// The body with one message.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut body = Vec::with_capacity(PREFIX_BYTES + message.len());
    body.push(0);
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(message);
    body
}

/// The trailers of a call that worked.
pub(super) fn worked() -> Vec<(&'static str, String)> {
    vec![("grpc-status", OK.to_string())]
}

/// The trailers of a call that failed.
pub(super) fn failed(code: u8, message: &str) -> Vec<(&'static str, String)> {
    vec![("grpc-status", code.to_string()), ("grpc-message", percent_encoded(message))]
}

/// Text as the value of a header.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_message() {
        let of = |body: &[u8], encoding| message(Bytes::copy_from_slice(body), encoding).ok();
        let plain = Some((Bytes::from_static(b"hi"), None));
        assert_eq!(of(&[0, 0, 0, 0, 2, b'h', b'i'], Some("gzip")), plain);
        let packed = |coding: &str| Some((Bytes::from_static(b"h"), Some(coding.to_owned())));
        assert_eq!(of(&[1, 0, 0, 0, 1, b'h'], Some("gzip")), packed("gzip"));
        assert_eq!(of(&[1, 0, 0, 0, 1, b'h'], None), packed("none"));
        for broken in [
            &[][..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[0, 0, 0, 0, 1, 2, 3],
            &[2, 0, 0, 0, 0],
            &[0, 255, 255, 255, 255, 0],
        ] {
            assert_eq!(of(broken, None), None, "{broken:?}");
        }
        assert_eq!(of(&framed(b"hi"), None), plain);
    }

    #[test]
    fn any_body_is_a_message_or_refused() {
        let inputs = vec![framed(b"hi"), framed(b""), [&[1][..], &framed(b"hi")[1..]].concat()];
        crate::mutation_tests::each_of("grpc", inputs, 1_000, |body| {
            if let Ok((message, _)) = message(Bytes::copy_from_slice(body), None) {
                assert_eq!(framed(&message)[1..], body[1..]);
            }
        });
    }

    #[test]
    fn a_message_is_the_value_of_a_header() {
        assert_eq!(
            failed(3, "a%\nü"),
            [("grpc-status", "3".to_owned()), ("grpc-message", "a%25%0A%C3%BC".to_owned()),]
        );
    }
}
