//! The paths of what providers report: the catalogues of an organisation, and its parts.

use object_store::path::Path;

/// The folder of the catalogues: which parts are in force.
pub(in crate::archive) const CATALOGUES: &str = "reports/catalogues";
/// The folder of the parts: the rows of a report on a date.
const PARTS: &str = "reports/parts";
/// The folder of the notes of the newest catalogues.
pub(in crate::archive) const NEWEST: &str = "reports/newest";

/// The folder of an organisation's catalogues, by the lower-case form of its name.
pub(in crate::archive) fn catalogues_of(lowercase: &str) -> Path {
    Path::from(CATALOGUES).join(format!("org={lowercase}"))
}

/// A catalogue.
pub(in crate::archive) fn catalogue(lowercase: &str, version: u64) -> Path {
    catalogues_of(lowercase).join(format!("{version:020}.json"))
}

/// The organisation, in lower case, and the version in the path of a catalogue.
pub(in crate::archive) fn catalogue_of(path: &Path) -> Option<(&str, u64)> {
    let rest = path.as_ref().strip_prefix(CATALOGUES)?.strip_prefix("/org=")?;
    let (org, name) = rest.split_once('/')?;
    let version = name.strip_suffix(".json")?.parse().ok()?;
    (catalogue(org, version) == *path).then_some((org, version))
}

/// The note of an organisation's newest catalogue.
pub(in crate::archive) fn newest(lowercase: &str) -> Path {
    Path::from(NEWEST).join(format!("org={lowercase}.json"))
}

/// The organisation, in lower case, in the path of such a note.
pub(in crate::archive) fn newest_of(path: &Path) -> Option<&str> {
    let name = path.as_ref().strip_prefix(NEWEST)?.strip_prefix("/org=")?;
    name.strip_suffix(".json")
}

/// A part.
pub(in crate::archive) fn part(lowercase: &str, id: &str) -> Path {
    Path::from(PARTS).join(format!("org={lowercase}")).join(format!("{id}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_survives_its_path_and_nothing_else_is_one() {
        for version in [1, 42, u64::MAX] {
            let path = catalogue("acme.eu:1", version);
            assert_eq!(catalogue_of(&path), Some(("acme.eu:1", version)));
        }
        assert_eq!(newest_of(&newest("acme.eu:1")), Some("acme.eu:1"));
        for other in ["reports/catalogues/org=acme/1.json", "reports/newest/org=acme.json"] {
            assert_eq!(catalogue_of(&Path::from(other)), None, "{other}");
        }
    }
}
