//! Tables of other formats among the inputs. Their folders also hold files that are no longer part
//! of the table, so such files are not read one by one.

use std::path::Path;

use super::BackfillError;

/// The log of a Delta table.
pub(super) const DELTA_LOG: &str = "_delta_log";
/// The folder at the root of a Hudi table, and the file that marks each of its partitions.
pub(super) const HUDI: &str = ".hoodie";
pub(super) const HUDI_PARTITION: &str = ".hoodie_partition_metadata";
/// The folder of an Iceberg table's metadata, and the endings of files there.
pub(super) const ICEBERG: &str = "metadata";
const ICEBERG_ENDINGS: [&str; 3] = [".metadata.json", ".metadata.json.gz", "version-hint.text"];

/// The format of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TableKind {
    /// It is read through its log.
    Delta,
    Hudi,
    Iceberg,
}

impl TableKind {
    /// The table that has this folder as its root or a partition.
    pub(super) fn at(folder: &Path) -> Option<Self> {
        if folder.join(DELTA_LOG).is_dir() {
            return Some(Self::Delta);
        }
        if folder.join(HUDI).is_dir() || folder.join(HUDI_PARTITION).is_file() {
            return Some(Self::Hudi);
        }
        let names = folder.join(ICEBERG).read_dir().into_iter().flatten().flatten();
        let described = names.map(|entry| entry.file_name());
        let mut described = described.filter(|name| is_iceberg(&name.to_string_lossy()));
        described.next().map(|_| Self::Iceberg)
    }

    /// The table that an object is a mark of, and the table's root without a slash at the end.
    pub(super) fn of_key(key: &str) -> Option<(&str, Self)> {
        let mut at = 0;
        for part in key.split('/') {
            let root = key.get(..at).unwrap_or_default().trim_end_matches('/');
            let rest = key.get(at + part.len() + 1..);
            match (part, rest) {
                (DELTA_LOG, Some(_)) => return Some((root, Self::Delta)),
                (HUDI, Some(_)) | (HUDI_PARTITION, None) => return Some((root, Self::Hudi)),
                (ICEBERG, Some(name)) if is_iceberg(name) => return Some((root, Self::Iceberg)),
                _ => at += part.len() + 1,
            }
        }
        None
    }

    /// The error for a table that is not read.
    pub(super) fn refusal(self, root: &str) -> BackfillError {
        let name = match self {
            Self::Delta => "a Delta table",
            Self::Hudi => "a Hudi table",
            Self::Iceberg => "an Iceberg table",
        };
        let reason = format!(
            "is {name}, whose files also hold deleted rows and old copies; export it as Parquet and give that"
        );
        BackfillError::unusable(root, reason)
    }
}

/// Whether a file in the folder `metadata` describes an Iceberg table.
pub(super) fn is_iceberg(name: &str) -> bool {
    !name.contains('/') && ICEBERG_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The error for a file in a Delta table's folder that the table no longer has.
pub(super) fn not_live(name: &str, root: &str) -> BackfillError {
    let reason = format!(
        "the Delta table {root} no longer holds it: its rows were deleted or moved; give {root}"
    );
    BackfillError::unusable(name, reason)
}

/// The error for a Delta table without files.
pub(super) fn empty(root: &str) -> BackfillError {
    BackfillError::unusable(root, "the Delta table holds no file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_of_tables() {
        for (key, expected) in [
            ("a/b/_delta_log/0.json", Some(("a/b", TableKind::Delta))),
            ("_delta_log/0.json", Some(("", TableKind::Delta))),
            ("a/.hoodie/hoodie.properties", Some(("a", TableKind::Hudi))),
            ("a/2026/.hoodie_partition_metadata", Some(("a/2026", TableKind::Hudi))),
            ("a/metadata/v1.metadata.json", Some(("a", TableKind::Iceberg))),
            ("a/metadata/x/v1.metadata.json", None),
            ("a/metadata/readme.json", None),
            ("a/_delta_log", None),
            ("a/b.parquet", None),
        ] {
            assert_eq!(TableKind::of_key(key), expected, "{key}");
        }
    }
}
