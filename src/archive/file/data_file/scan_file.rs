//! The description of a data file that is sent to a SQL worker: its path, what prunes it, and its
//! checksums. The bounds of its organisations are left out.

use serde::{Deserialize, Serialize};

use super::{DataFile, StoredPartial, further, kept};
use crate::archive::parquet::checksums::Checksums;
use crate::archive::paths;
use crate::clock::Micros;

/// The description of a data file for another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanFile {
    path: String,
    size_bytes: u64,
    date: String,
    rows: Option<u64>,
    times: Option<(Micros, Micros)>,
    checksums: Option<String>,
    partial: Option<String>,
    #[serde(default)]
    cells: Option<String>,
}

impl ScanFile {
    /// The description of `file`.
    pub fn of(file: &DataFile) -> Self {
        Self {
            path: file.path.to_string(),
            size_bytes: file.size_bytes,
            date: file.date.to_string(),
            rows: file.rows,
            times: file.times,
            checksums: file.checksums.as_ref().map(Checksums::to_text),
            partial: file.partial.as_ref().map(StoredPartial::to_text),
            cells: file.further_text(),
        }
    }

    /// The file; `None` if this was not made by [`ScanFile::of`]. A description that cannot be read
    /// must not become a file without checksums.
    pub fn file(&self) -> Option<DataFile> {
        let checksums = self.checksums.as_deref().map(|text| Checksums::from_text(text).ok_or(()));
        let partial = self.partial.as_deref();
        let partial = partial.map(|text| StoredPartial::from_text(text, self.size_bytes).ok_or(()));
        let further = self
            .cells
            .as_deref()
            .map(|text| further::from_text(text, &self.path, self.size_bytes).ok_or(()));
        let (further, ingested) = further.transpose().ok()?.unwrap_or_default();
        Some(DataFile {
            path: self.path.as_str().into(),
            size_bytes: self.size_bytes,
            date: paths::parse_date(&self.date)?,
            rows: self.rows,
            orgs: None,
            times: self.times,
            ids: None,
            checksums: checksums.transpose().ok()?,
            partial: partial.transpose().ok()?,
            further: kept(further),
            ingested,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use deltalake_core::kernel::Add;

    const PATH: &str = "event_date=2026-01-02/x.parquet";

    #[test]
    fn a_file_is_told_whole_but_for_organisations_and_ids() {
        let tags = [
            (super::super::tags::TAG_CHECKSUMS, Checksums::of(b"abc").to_text()),
            (super::super::tags::TAG_PARTIAL, "version 1 3".to_owned()),
            (super::super::tags::TAG_CELLS, further::to_text(&[], Some(7), PATH)),
        ];
        let stats = r#"{"numRecords":2,"minValues":{"org_id":"a","ts":"2026-01-02T00:00:00Z"},
            "maxValues":{"org_id":"b","ts":"2026-01-02T01:00:00Z"}}"#;
        let file = DataFile::from_add(&Add {
            path: PATH.into(),
            partition_values: HashMap::from([("event_date".into(), Some("2026-01-02".into()))]),
            size: 3,
            stats: Some(stats.to_owned()),
            tags: Some(tags.map(|(name, text)| (name.to_owned(), Some(text))).into()),
            ..Add::default()
        })
        .unwrap();
        assert!(file.orgs.is_some() && file.times.is_some() && file.partial.is_some());
        assert_eq!(file.ingested_at(), Some(7));
        let told = serde_json::to_string(&ScanFile::of(&file)).unwrap();
        let told: ScanFile = serde_json::from_str(&told).unwrap();
        assert_eq!(told.file(), Some(DataFile { orgs: None, ids: None, ..file }));
    }

    #[test]
    fn what_cannot_be_read_is_no_file() {
        let file = DataFile::for_tests("x", 3, chrono::NaiveDate::default(), None);
        let told = ScanFile::of(&file);
        assert!(told.file().is_some());
        for broken in [
            ScanFile { checksums: Some("?".into()), ..told.clone() },
            ScanFile { partial: Some("?".into()), ..told.clone() },
            ScanFile { date: "?".into(), ..told },
        ] {
            assert_eq!(broken.file(), None);
        }
    }
}
