//! The format of an input by its first bytes, whatever its name.

use super::format::InputFormat;

/// Number of bytes that are examined.
pub(super) const HEAD_BYTES: usize = 4 << 10;
/// The byte order mark of UTF-8, which is skipped.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

const RECODE: &str = "write it as UTF-8 (iconv -t UTF-8)";
const UNPACK: &str = "unpack it first";
const EXPORT: &str = "export it as NDJSON, CSV or Parquet";

/// First bytes, the format that begins so, and what to do about it. A longer beginning comes before
/// a shorter one.
const BEGINNINGS: [(&[u8], &str, &str); 24] = [
    (b"\xff\xfe\0\0", "UTF-32 text", RECODE),
    (b"\0\0\xfe\xff", "UTF-32 text", RECODE),
    (b"\xff\xfe", "UTF-16 text", RECODE),
    (b"\xfe\xff", "UTF-16 text", RECODE),
    (b"\x1f\x8b", "gzip", UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd", UNPACK),
    (b"BZh", "bzip2", UNPACK),
    (b"\xfd7zXZ\0", "xz", UNPACK),
    (b"\x04\x22\x4d\x18", "lz4", UNPACK),
    (b"\xff\x06\0\0sNaPpY", "framed snappy", UNPACK),
    (b"\x1f\x9d", "compress (.Z)", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet", UNPACK),
    (b"Rar!\x1a", "a RAR archive", UNPACK),
    (b"PAR1", "Parquet", "give --format parquet"),
    (b"PARE", "encrypted Parquet", EXPORT),
    (b"ARROW1", "an Arrow file", EXPORT),
    (b"Obj\x01", "Avro", EXPORT),
    (b"ORC", "ORC", EXPORT),
    (b"SQLite format 3\0", "an SQLite database", EXPORT),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet", EXPORT),
    (b"%PDF", "PDF", EXPORT),
    (b"\x89PNG", "a picture", EXPORT),
    (b"\x7fELF", "a program", EXPORT),
];

/// Why these bytes are not readable text, and what to do; `None` if they may be text.
pub(super) fn no_text(head: &[u8]) -> Option<String> {
    let begins = BEGINNINGS.iter().find(|(bytes, ..)| {
        // Text may begin with letters alone too, unless binary data follows.
        let letters = bytes.iter().all(u8::is_ascii_alphanumeric);
        head.starts_with(bytes) && (!letters || looks_binary(head))
    });
    let (what, remedy) = match begins {
        Some((_, what, remedy)) => (*what, *remedy),
        None => (wide_or_binary(head)?, EXPORT),
    };
    let remedy = if what.starts_with("UTF-") { RECODE } else { remedy };
    Some(format!("it is {what}, but text was expected: {remedy}"))
}

/// Why these bytes are not Parquet; `None` if they may be.
pub(super) fn no_parquet(head: &[u8]) -> Option<String> {
    if head.starts_with(b"PAR1") {
        return None;
    }
    if head.is_empty() {
        return Some("it is empty, not a Parquet file".to_owned());
    }
    let known = BEGINNINGS.iter().find(|(bytes, ..)| head.starts_with(bytes));
    Some(match known {
        Some((_, what, remedy)) => format!("it is {what}, not a Parquet file: {remedy}"),
        None => "it is not a whole Parquet file: it does not begin as one".to_owned(),
    })
}

/// Recognises binary data, and UTF-16 and UTF-32 without a mark by their zeros.
fn wide_or_binary(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'\t'..=b'~', 0, 0, 0, ..] | [0, 0, 0, b'\t'..=b'~', ..] => Some("UTF-32 text"),
        [b'\t'..=b'~', 0, b'\t'..=b'~', 0, ..] | [0, b'\t'..=b'~', 0, b'\t'..=b'~', ..] => {
            Some("UTF-16 text")
        }
        _ => looks_binary(head).then_some("binary data"),
    }
}

/// Whether the first line has bytes that text never has: zeros, or other control characters outside
/// valid UTF-8.
fn looks_binary(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let control = |byte: &u8| *byte < b' ' && !b"\t\r\x0c\x1b".contains(byte);
    let broken = std::str::from_utf8(line).is_err_and(|error| error.error_len().is_some());
    line.contains(&0) || broken && line.iter().any(control)
}

/// The format that these first bytes show, for an input without a name; `None` if they show none.
pub(super) fn format(head: &[u8]) -> Option<InputFormat> {
    if head.starts_with(b"PAR1") {
        return Some(InputFormat::Parquet);
    }
    let text = head.strip_prefix(MARK).unwrap_or(head).trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    match text.first()? {
        b'[' => Some(InputFormat::Json),
        b'{' => {
            // An object that does not end on its first line, or a list of events, is JSON.
            let open = line.len() < text.len() && !line.ends_with(b"}");
            let first = line.get(1..).unwrap_or_default().trim_ascii_start();
            let list = first.starts_with(b"\"events\"");
            Some(if open || list { InputFormat::Json } else { InputFormat::Ndjson })
        }
        _ if line.contains(&b'\t') && !line.contains(&b',') => Some(InputFormat::Tsv),
        _ if line.contains(&b',') || line.contains(&b';') => Some(InputFormat::Csv),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_says_what_it_is() {
        let cases: [(&[u8], &str); 14] = [
            (b"\xff\xfe{\0\"\0", "UTF-16"),
            (b"\xfe\xff\0{\0\"", "UTF-16"),
            (b"{\0\"\0e\0", "UTF-16"),
            (b"\0{\0\"\0e", "UTF-16"),
            (b"\xff\xfe\0\0{\0\0\0", "UTF-32"),
            (b"{\0\0\0\"\0\0\0", "UTF-32"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\x28\xb5\x2f\xfd\x20", "zstd"),
            (b"PK\x03\x04\x14", "ZIP"),
            (b"BZh91AY&SY\x01\xff\xfe", "bzip2"),
            (b"PAR1\x15\x04\0", "Parquet"),
            (b"Obj\x01\x04", "Avro"),
            (b"abc\0def", "binary"),
            (b"\x01\xff\xfe\x02", "binary"),
        ];
        for (head, word) in cases {
            let said = no_text(head).unwrap_or_default();
            assert!(said.contains(word), "{head:?}: {said:?}");
        }
        let texts: [&[u8]; 8] = [
            b"",
            b"{}",
            b"\xef\xbb\xbfa,b\n",
            b"ORC,id\n1,2",
            b"BZh,PAR1\n",
            "événement\n".as_bytes(),
            // Latin-1: each of its rows is rejected with a reason.
            b"\xe9v\xe9nement,b\n",
            // A zero in a later row concerns that row only.
            b"a,b\n\0,1",
        ];
        for head in texts {
            assert_eq!(no_text(head), None, "{head:?}");
        }
    }

    #[test]
    fn what_is_no_parquet_says_what_it_is() {
        assert_eq!(no_parquet(b"PAR1\x15"), None);
        for (head, word) in [
            (b"\x1f\x8b".as_slice(), "gzip"),
            (b"", "empty"),
            (b"{}", "Parquet"),
            (b"PARE", "encrypted"),
        ] {
            let said = no_parquet(head).unwrap();
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn the_first_line_tells_the_format() {
        let cases: [(&[u8], Option<InputFormat>); 12] = [
            (b"PAR1", Some(InputFormat::Parquet)),
            (b" [\n{", Some(InputFormat::Json)),
            (b"{\n\"a\":1}", Some(InputFormat::Json)),
            (b"{\"events\":[{}]}\n", Some(InputFormat::Json)),
            (b"{ \"events\" : [{}] }\n", Some(InputFormat::Json)),
            (b"\xef\xbb\xbf{\"a\":1}\n{", Some(InputFormat::Ndjson)),
            (b"{\"a\":1}", Some(InputFormat::Ndjson)),
            (b"a\tb\n", Some(InputFormat::Tsv)),
            (b"a,b\n", Some(InputFormat::Csv)),
            (b"a;b\n", Some(InputFormat::Csv)),
            (b"a\n", None),
            (b"", None),
        ];
        for (head, expected) in cases {
            assert_eq!(format(head), expected, "{head:?}");
        }
    }
}
