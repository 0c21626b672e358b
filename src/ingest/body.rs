//! The decompressor of request bodies (`Content-Encoding`), within a bound.

use std::fmt::Display;
use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

use super::IngestError;
use crate::event::excerpt;

/// Codings that one body may have on top of each other.
const CODINGS_MAX: usize = 2;

/// The largest window that a zstd frame may ask for, as a power of two: 128 MiB, which `zstd
/// --long` uses. Memory is touched only as far as the data goes.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

#[derive(Clone, Copy, Debug)]
enum BodyCoding {
    Gzip,
    Zstd,
}

/// Decodes `body` by `content_encoding`: none, `identity`, `gzip`, `x-gzip`, `zstd`, or a list of
/// at most two, in the order in which the sender applied them.
///
/// Neither the body nor the output of any step may be larger than `max_bytes`; at most one byte
/// more is ever produced. A stream that is cut short, or followed by other bytes, is refused.
pub fn decompress(
    content_encoding: Option<&str>,
    body: Bytes,
    max_bytes: usize,
) -> Result<Bytes, IngestError> {
    if body.len() > max_bytes {
        return Err(IngestError::TooLarge { max_bytes });
    }
    let codings = BodyCoding::list(content_encoding.unwrap_or_default())?;
    codings.into_iter().rev().try_fold(body, |body, coding| coding.undo(&body, max_bytes))
}

/// The format of a body that is not UTF-8 text, by its first bytes, and what to do about it.
pub(super) fn foreign(body: &[u8]) -> Option<&'static str> {
    match body {
        [0x1f, 0x8b, ..] => Some("it is gzip; say so with Content-Encoding: gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("it is zstd; say so with Content-Encoding: zstd"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => {
            Some("it is UTF-16; send UTF-8")
        }
        [b'P', b'A', b'R', b'1', ..] => Some("it is Parquet; use: tokenlake backfill"),
        _ => None,
    }
}

impl BodyCoding {
    fn list(content_encoding: &str) -> Result<Vec<Self>, IngestError> {
        let unsupported = || IngestError::UnsupportedEncoding(excerpt(content_encoding));
        let mut codings = Vec::new();
        for name in content_encoding.split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" => codings.push(Self::Gzip),
                "zstd" => codings.push(Self::Zstd),
                _ => return Err(unsupported()),
            }
        }
        if codings.len() > CODINGS_MAX { Err(unsupported()) } else { Ok(codings) }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn undo(self, body: &[u8], max_bytes: usize) -> Result<Bytes, IngestError> {
        if body.is_empty() {
            return Err(self.broken(&"it is empty"));
        }
        match self {
            Self::Gzip => self.read(MultiGzDecoder::new(body), max_bytes),
            Self::Zstd => {
                let reader = zstd::stream::read::Decoder::with_buffer(body);
                let mut reader = reader.map_err(|error| self.broken(&error))?;
                reader.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| self.broken(&error))?;
                self.read(reader, max_bytes)
            }
        }
    }

    /// Reads to the end or to one byte over `max_bytes`, whichever comes first.
    fn read(self, reader: impl Read, max_bytes: usize) -> Result<Bytes, IngestError> {
        let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
        let mut out = Vec::new();
        reader.take(limit).read_to_end(&mut out).map_err(|error| self.broken(&error))?;
        if out.len() > max_bytes {
            return Err(IngestError::TooLarge { max_bytes });
        }
        Ok(Bytes::from(out))
    }

    fn broken(self, reason: &dyn Display) -> IngestError {
        IngestError::BrokenEncoding { coding: self.name(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::encode_all(data, 1).unwrap()
    }

    fn undo(encoding: &str, body: &[u8], max_bytes: usize) -> Result<Bytes, IngestError> {
        decompress(Some(encoding), Bytes::copy_from_slice(body), max_bytes)
    }

    #[test]
    fn codings_are_undone_in_reverse_order() {
        let data = b"{\"a\":1}".repeat(100);
        let cases = [
            ("", data.clone()),
            ("Identity", data.clone()),
            ("GZIP", gzip(&data)),
            (" x-gzip ", gzip(&data)),
            ("Zstd", zstd(&data)),
            ("gzip, zstd", zstd(&gzip(&data))),
            ("zstd,identity,gzip", gzip(&zstd(&data))),
            ("gzip", [gzip(&data[..9]), gzip(b""), gzip(&data[9..])].concat()),
            ("zstd", [zstd(&data[..9]), zstd(b""), zstd(&data[9..])].concat()),
        ];
        for (encoding, body) in cases {
            assert_eq!(undo(encoding, &body, data.len()).unwrap(), data, "{encoding}");
        }
        assert_eq!(decompress(None, Bytes::from(data.clone()), data.len()).unwrap(), data);
    }

    #[test]
    fn unknown_codings_and_long_lists_are_unsupported() {
        for encoding in ["br", "deflate", "gzip, br", "gzip;q=1", "gzip,gzip,gzip", "*"] {
            let error = undo(encoding, b"x", 10).unwrap_err();
            assert!(matches!(error, IngestError::UnsupportedEncoding(_)), "{encoding}");
        }
    }

    #[test]
    fn the_bound_holds_for_the_body_and_each_step() {
        let data = vec![b'0'; 1 << 20];
        let bodies = [
            ("identity", data.clone()),
            ("gzip", gzip(&data)),
            ("zstd", zstd(&data)),
            ("gzip, zstd", zstd(&gzip(&data))),
        ];
        for (encoding, body) in bodies {
            assert_eq!(undo(encoding, &body, data.len()).unwrap().len(), data.len());
            let error = undo(encoding, &body, data.len() - 1).unwrap_err();
            assert!(
                matches!(error, IngestError::TooLarge { max_bytes } if max_bytes == data.len() - 1)
            );
        }
    }

    #[test]
    fn what_is_cut_or_has_something_behind_it_is_broken() {
        let data = b"some text that is long enough to be cut anywhere".repeat(3);
        for (encoding, body) in [("gzip", gzip(&data)), ("zstd", zstd(&data))] {
            for length in 0..body.len() {
                let error = undo(encoding, &body[..length], 1000).unwrap_err();
                assert!(matches!(error, IngestError::BrokenEncoding { .. }), "{encoding} {length}");
            }
            for garbage in [&b"x"[..], b"\0\0\0\0\0\0\0\0\0\0\0\0", b"{\"event_id\":1}......"] {
                let error = undo(encoding, &[&body, garbage].concat(), 1000).unwrap_err();
                assert!(matches!(error, IngestError::BrokenEncoding { .. }), "{encoding}");
            }
            assert!(undo(encoding, &data, 1000).is_err());
        }
        let mut wrong_checksum = gzip(&data);
        let at = wrong_checksum.len() - 8;
        wrong_checksum[at] ^= 1;
        assert!(undo("gzip", &wrong_checksum, 1000).is_err());
    }

    #[test]
    fn a_frame_may_not_ask_for_a_window_of_its_choice() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.write_all(b"small").unwrap();
        let error = undo("zstd", &encoder.finish().unwrap(), 1000).unwrap_err();
        assert!(matches!(error, IngestError::BrokenEncoding { coding: "zstd", .. }), "{error}");
    }

    #[test]
    fn a_body_of_empty_members_ends_soon() {
        for (encoding, member) in [("gzip", gzip(b"")), ("zstd", zstd(b""))] {
            let body = member.repeat((4 << 20) / member.len());
            assert!(undo(encoding, &body, 4 << 20).unwrap().is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_within_the_bound(
            body in prop::collection::vec(any::<u8>(), 0..300),
            encoding in "gzip|zstd|gzip,zstd|identity|.{0,9}",
            max_bytes in 0..400_usize,
        ) {
            if let Ok(out) = undo(&encoding, &body, max_bytes) {
                prop_assert!(out.len() <= max_bytes);
            }
        }

        #[test]
        fn damaged_streams_are_answered_within_the_bound(
            data in prop::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(), flip in 1..=u8::MAX, max_bytes in 0..400_usize,
        ) {
            for (encoding, mut body) in [("gzip", gzip(&data)), ("zstd", zstd(&data))] {
                let at = at.index(body.len());
                body[at] ^= flip;
                if let Ok(out) = undo(encoding, &body, max_bytes) {
                    prop_assert!(out.len() <= max_bytes);
                }
            }
        }
    }
}
