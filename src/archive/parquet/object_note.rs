//! A checked object as one process describes it to another, checksums and all.

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::checked_read::CheckedObject;
use super::checksums::Checksums;

/// The description of a [`CheckedObject`] for another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectNote {
    path: String,
    size_bytes: u64,
    checksums: Option<String>,
    part: (u64, u64),
}

impl ObjectNote {
    /// The description of `object`.
    pub fn of(object: &CheckedObject) -> Self {
        Self {
            path: object.path().to_string(),
            size_bytes: object.size_bytes(),
            checksums: object.checksums().map(Checksums::to_text),
            part: (object.part_start(), object.part_start() + object.part_bytes()),
        }
    }

    /// The object; `None` if this was not made by [`ObjectNote::of`]. Checksums that cannot be read
    /// must not become an object without any.
    pub fn object(&self) -> Option<CheckedObject> {
        let checksums = self.checksums.as_deref().map(|text| Checksums::from_text(text).ok_or(()));
        let path = Path::parse(&self.path).ok()?;
        let whole = CheckedObject::new(path, self.size_bytes, checksums.transpose().ok()?);
        whole.part(self.part.0..self.part.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_told_whole_or_not_at_all() {
        let object = CheckedObject::new("events/x.parquet".into(), 9, Some(Checksums::of(b"abc")));
        let object = object.part(2..5).unwrap();
        let told = ObjectNote::of(&object);
        let text = serde_json::to_string(&told).unwrap();
        let read: ObjectNote = serde_json::from_str(&text).unwrap();
        assert_eq!(ObjectNote::of(&read.object().unwrap()), told);
        for broken in [
            ObjectNote { checksums: Some("?".into()), ..told.clone() },
            ObjectNote { part: (2, 10), ..told.clone() },
            ObjectNote { path: "../x".into(), ..told },
        ] {
            assert!(broken.object().is_none(), "{broken:?}");
        }
        let more = text.replacen('{', r#"{"more":1,"#, 1);
        assert!(serde_json::from_str::<ObjectNote>(&more).is_err());
    }
}
