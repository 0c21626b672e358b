//! The paths of tables of prices and of their versions.

use object_store::path::Path;

/// The folder of the versions: which tables are in force.
pub const VERSIONS: &str = "prices/versions";
/// The folder of the tables.
const TABLES: &str = "prices/tables";
/// The note of the newest version.
pub(in crate::archive) const NEWEST: &str = "prices/newest.json";

/// The record of a version.
pub fn version(version: u64) -> Path {
    Path::from(format!("{VERSIONS}/{version:020}.json"))
}

/// The version in the path of such a record.
pub fn version_of(path: &Path) -> Option<u64> {
    let digits = path.as_ref().strip_prefix(VERSIONS)?.strip_prefix('/')?;
    let number = digits.strip_suffix(".json")?.parse().ok()?;
    (version(number) == *path).then_some(number)
}

/// The note of the newest version.
pub fn newest() -> Path {
    Path::from(NEWEST)
}

/// The record of a table.
pub fn table(id: &str) -> Path {
    Path::from(format!("{TABLES}/{id}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_survives_its_path_and_nothing_else_is_one() {
        for number in [0, 1, 42, u64::MAX] {
            assert_eq!(version_of(&version(number)), Some(number));
        }
        for other in ["prices/versions/1.json", "prices/newest.json", "prices/versions/x.json"] {
            assert_eq!(version_of(&Path::from(other)), None, "{other}");
        }
    }
}
