//! The format and compression of an input by its name, and its compression by its first bytes.

use crate::ingest::HistoryFormat;

/// The form of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// One JSON object per line.
    Ndjson,
    /// JSON: an array, `{"events":[…]}`, or objects one after the other.
    Json,
    /// Comma-separated values below a header.
    Csv,
    /// Tab-separated values below a header.
    Tsv,
    /// Apache Parquet.
    Parquet,
    /// JSON in which another program keeps its calls.
    History(HistoryFormat),
}

/// How an input is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

/// The names of the formats, which are also their endings.
const FORMATS: [(&str, InputFormat); 6] = [
    ("ndjson", InputFormat::Ndjson),
    ("jsonl", InputFormat::Ndjson),
    ("json", InputFormat::Json),
    ("csv", InputFormat::Csv),
    ("tsv", InputFormat::Tsv),
    ("parquet", InputFormat::Parquet),
];
/// The names of histories. No ending shows them.
const HISTORIES: [(&str, HistoryFormat); 4] = [
    ("litellm", HistoryFormat::LiteLlm),
    ("claude-code", HistoryFormat::ClaudeCode),
    ("codex", HistoryFormat::Codex),
    ("bedrock", HistoryFormat::Bedrock),
];
/// Delimiters that have names.
const DELIMITERS: [(&str, u8); 3] = [("tab", b'\t'), ("\\t", b'\t'), ("pipe", b'|')];

impl InputFormat {
    /// Reads a format's name.
    ///
    /// # Errors
    /// The known names.
    pub fn parse(name: &str) -> Result<Self, String> {
        let history = HISTORIES.iter().find(|(known, _)| *known == name);
        let history = history.map(|(_, format)| Self::History(*format));
        history.or_else(|| Self::named(name)).ok_or_else(|| {
            "the formats are ndjson, json, csv, tsv, parquet, litellm, claude-code, codex and \
             bedrock"
                .to_owned()
        })
    }

    fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The format by the ending of a name, after the ending of a compression is removed.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        Self::named(&ending.to_ascii_lowercase())
    }
}

/// Reads the delimiter between the cells of a CSV row: a character, or a name like `tab`.
///
/// # Errors
/// What to write instead.
pub fn parse_delimiter(text: &str) -> Result<u8, String> {
    if let Some((_, byte)) = DELIMITERS.iter().find(|(name, _)| *name == text) {
        return Ok(*byte);
    }
    match text.as_bytes() {
        [byte] if !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte) && byte.is_ascii() => {
            Ok(*byte)
        }
        _ => Err("give one character that is not a letter, digit or quote, or `tab`".to_owned()),
    }
}

impl Compression {
    /// The compression by a name's ending, and the name without that ending.
    pub(super) fn split(name: &str) -> (Self, &str) {
        let (rest, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        match ending.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => (Self::Gzip, rest),
            "zst" | "zstd" => (Self::Zstd, rest),
            _ => (Self::Plain, name),
        }
    }

    /// The compression by the first bytes.
    pub(super) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_format_and_compression() {
        let cases = [
            ("a.ndjson", Compression::Plain, Some(InputFormat::Ndjson)),
            ("a.jsonl.gz", Compression::Gzip, Some(InputFormat::Ndjson)),
            ("a.jsonl.gzip", Compression::Gzip, Some(InputFormat::Ndjson)),
            ("a.b.JSON.ZST", Compression::Zstd, Some(InputFormat::Json)),
            ("a.tsv.zstd", Compression::Zstd, Some(InputFormat::Tsv)),
            ("a.csv", Compression::Plain, Some(InputFormat::Csv)),
            ("a.parquet", Compression::Plain, Some(InputFormat::Parquet)),
            ("csv", Compression::Plain, None),
            ("a.codex", Compression::Plain, None),
            ("a.log.gz", Compression::Gzip, None),
        ];
        for (name, coding, format) in cases {
            let (found, rest) = Compression::split(name);
            assert_eq!((found, InputFormat::of(rest)), (coding, format), "{name}");
        }
    }

    #[test]
    fn histories_are_named() {
        for (name, format) in HISTORIES {
            assert_eq!(InputFormat::parse(name), Ok(InputFormat::History(format)));
        }
        assert!(InputFormat::parse("claude").unwrap_err().contains("claude-code"));
    }

    #[test]
    fn a_delimiter_is_one_character_or_a_name() {
        for (text, byte) in
            [(";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("\t", b'\t'), ("|", b'|')]
        {
            assert_eq!(parse_delimiter(text), Ok(byte), "{text}");
        }
        for text in ["", ";;", "\"", "a", "0", "\n", "é"] {
            assert!(parse_delimiter(text).is_err(), "{text}");
        }
    }
}
