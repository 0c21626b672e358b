//! What an input's name tells: its format and its compression.

/// The form of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// JSON: an array, `{"events":[…]}`, or objects one after the other.
    Json,
    /// Comma-separated values below a header.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// How an input is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Gzip,
    Zstd,
}

/// Names and endings of the formats.
const FORMATS: [(&str, Format); 5] = [
    ("ndjson", Format::Ndjson),
    ("jsonl", Format::Ndjson),
    ("json", Format::Json),
    ("csv", Format::Csv),
    ("parquet", Format::Parquet),
];

impl Format {
    /// Reads a format's name.
    ///
    /// # Errors
    /// The names there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found = FORMATS.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format).ok_or("known are ndjson, json, csv and parquet".to_owned())
    }

    /// The format by the ending of a name without compression.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        Self::parse(&ending.to_ascii_lowercase()).ok()
    }
}

impl Coding {
    /// The compression by a name's ending, and the name without it.
    pub(super) fn split(name: &str) -> (Self, &str) {
        let (rest, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        match ending.to_ascii_lowercase().as_str() {
            "gz" => (Self::Gzip, rest),
            "zst" => (Self::Zstd, rest),
            _ => (Self::Plain, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_format_and_compression() {
        let cases = [
            ("a.ndjson", Coding::Plain, Some(Format::Ndjson)),
            ("a.jsonl.gz", Coding::Gzip, Some(Format::Ndjson)),
            ("a.b.JSON.ZST", Coding::Zstd, Some(Format::Json)),
            ("a.csv", Coding::Plain, Some(Format::Csv)),
            ("a.parquet", Coding::Plain, Some(Format::Parquet)),
            ("csv", Coding::Plain, None),
            ("a.log.gz", Coding::Gzip, None),
        ];
        for (name, coding, format) in cases {
            let (found, rest) = Coding::split(name);
            assert_eq!((found, Format::of(rest)), (coding, format), "{name}");
        }
    }
}
