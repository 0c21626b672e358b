//! The formats of rows for programs: the one list of them, with what each is called.

use serde::{Deserialize, Serialize};

/// The format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowFormat {
    /// Comma-separated, with a header.
    Csv,
    /// Tab-separated, with a header.
    Tsv,
    /// A JSON array of objects.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// The stream format of Arrow IPC.
    Arrow,
}

impl RowFormat {
    /// Those that the command line offers: texts.
    pub const TEXTS: [Self; 4] = [Self::Csv, Self::Tsv, Self::Json, Self::Ndjson];
    /// Those that HTTP offers, the preferred ones first.
    pub const SERVED: [Self; 4] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
        }
    }

    /// What it is, for the help.
    pub fn help(self) -> &'static str {
        match self {
            Self::Csv => "Comma-separated, with a head",
            Self::Tsv => "Tab-separated, with a head",
            Self::Json => "A JSON array of objects",
            Self::Ndjson => "A JSON object a line",
            Self::Arrow => "The stream format of Arrow IPC",
        }
    }

    /// The text that a file with this ending holds.
    pub fn of_ending(ending: &str) -> Option<Self> {
        let ending = if ending == "jsonl" { "ndjson" } else { ending };
        Self::TEXTS.into_iter().find(|format| format.name() == ending)
    }

    /// Its media type, without parameters.
    pub fn media_type(self) -> &'static str {
        let content_type = self.content_type();
        content_type.split_once(';').map_or(content_type, |(media_type, _)| media_type)
    }

    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            // The charset is given, because a reader would otherwise have to guess it.
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Tsv => "text/tab-separated-values; charset=utf-8",
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_text_tells_its_format_by_its_ending() {
        assert_eq!(RowFormat::of_ending("jsonl"), Some(RowFormat::Ndjson));
        for format in RowFormat::TEXTS {
            assert_eq!(RowFormat::of_ending(format.name()), Some(format));
        }
        for other in ["arrow", "txt", ""] {
            assert_eq!(RowFormat::of_ending(other), None, "{other}");
        }
    }

    #[test]
    fn a_media_type_has_no_parameters() {
        assert_eq!(RowFormat::Csv.media_type(), "text/csv");
        assert_eq!(RowFormat::Arrow.media_type(), "application/vnd.apache.arrow.stream");
    }
}
