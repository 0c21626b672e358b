//! What a leaf of a plan tells a node: the files as the log describes them, and what to read of them.
//!
//! DataFusion's own form of a scan drops the reader that verifies checksums, and what it needs of a file.
//! So the leaf travels as a note of ours. It has a version, and fields that a node does not know are an
//! error, never something that is read otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use serde::{Deserialize, Serialize};

use crate::archive::{ObjectNote, ScanFile};
use crate::sql::presummed::Resolution;

/// The version of these notes, and of what the functions in plans take and tell each other.
pub(super) const VERSION: u32 = 2;

/// The note of a leaf.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeafNote {
    version: u32,
    leaf: LeafContent,
}

/// What a leaf reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum LeafContent {
    /// Rows, or cells as they are stored, of our own files.
    Scan {
        /// One for each file, or part of one, of all groups in order.
        objects: Vec<ObjectNote>,
        /// The scan in DataFusion's form, in base64: columns, filter, groups of files.
        plan: String,
    },
    /// Presummed rows.
    Partials {
        files: Vec<(ScanFile, Resolution)>,
        org_id: Option<String>,
        projection: Vec<usize>,
        partitions: usize,
    },
    /// Rows of files of other programs.
    Foreign { files: Vec<ScanFile>, columns: Vec<String>, partitions: usize },
    /// No leaf, but our one plan with an input: what is known of its columns is forgotten.
    Forget,
}

impl LeafNote {
    /// The note in bytes.
    ///
    /// # Errors
    /// None.
    pub(super) fn write(leaf: LeafContent) -> Result<Vec<u8>> {
        let note = Self { version: VERSION, leaf };
        serde_json::to_vec(&note).map_err(|error| exec_datafusion_err!("{error}"))
    }

    /// Reads a note.
    ///
    /// # Errors
    /// If it is none of this version.
    pub(super) fn read(bytes: &[u8]) -> Result<LeafContent> {
        let note: Self = serde_json::from_slice(bytes)
            .map_err(|error| exec_datafusion_err!("a leaf is not as described: {error}"))?;
        if note.version != VERSION {
            return Err(exec_datafusion_err!("a leaf is of version {}", note.version));
        }
        Ok(note.leaf)
    }
}

/// Bytes as they are within a note.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes again.
///
/// # Errors
/// If the text is no base64.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|error| exec_datafusion_err!("a scan is not as described: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_does_not_know_is_an_error() {
        let leaf = LeafContent::Scan { objects: Vec::new(), plan: to_base64(b"plan") };
        let bytes = LeafNote::write(leaf).unwrap();
        let LeafContent::Scan { plan, .. } = LeafNote::read(&bytes).unwrap() else { panic!() };
        assert_eq!(from_base64(&plan).unwrap(), b"plan");
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            (r#""version":2"#, r#""version":1"#),
            (r#""version":2"#, r#""version":2,"more":1"#),
            (r#""objects""#, r#""more":1,"objects""#),
            ("scan", "dance"),
            ("}}", "}"),
        ] {
            let other = text.replacen(from, to, 1);
            assert!(other != text && LeafNote::read(other.as_bytes()).is_err(), "{other}");
        }
        assert!(from_base64("?").is_err());
    }
}
