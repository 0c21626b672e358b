//! Objects outside the archive, which a backfill reads from a bucket.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _};

use super::live_files::{LiveFile, live_files};
use crate::archive::error::ArchiveError;
use crate::archive::store::cloud::Cloud;
use crate::archive::store::location::ArchiveLocation;
use crate::archive::store::location_error::LocationError;

/// The objects of one bucket.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
}

/// An object as it was when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundObject {
    /// Its key in the bucket.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// The store's entity tag, which changes with the object; `None` if the store has none.
    mark: Option<String>,
}

impl Objects {
    /// The objects of a new, empty store in memory.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self { store: Arc::new(object_store::memory::InMemory::new()) }
    }

    /// Writes an object.
    #[cfg(test)]
    pub(crate) async fn put(&self, key: &str, text: &'static str) {
        self.store.put(&path_of(key), text.into()).await.expect("memory takes all");
    }

    /// True for the address of a bucket.
    pub fn are_at(url: &str) -> bool {
        url.split_once("://").is_some_and(|(scheme, _)| Cloud::of_scheme(scheme).is_some())
    }

    /// Opens the bucket of `s3://BUCKET/KEY` (`az:` and `gs:` too). Also returns `s3://BUCKET/` and
    /// `KEY`.
    ///
    /// # Errors
    /// The address or the environment variables are wrong.
    pub fn open(url: &str) -> Result<(Self, String, String), LocationError> {
        let ArchiveLocation::Bucket { cloud, bucket, prefix } = ArchiveLocation::parse(url)? else {
            return Err(LocationError::NoObjects(url.to_owned()));
        };
        let root = ArchiveLocation::Bucket { cloud, bucket, prefix: Path::default() };
        Ok((Self { store: root.open()? }, root.to_string(), prefix.to_string()))
    }

    /// The object with this key. If there is none, all objects in the folder of this name, sorted.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn list(&self, key: &str) -> Result<Vec<FoundObject>, ArchiveError> {
        let away = |error| ArchiveError::unavailable(format!("listing {key}"), error);
        let path = path_of(key);
        if !key.is_empty() {
            match self.store.head(&path).await {
                Ok(object) => return Ok(vec![FoundObject::new(object)]),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(away(error)),
            }
        }
        let objects = self.store.list(Some(&path)).map_ok(FoundObject::new);
        let mut objects: Vec<_> = objects.try_collect().await.map_err(away)?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// True if the folder of this name has an object whose key ends with `ending`.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn any_in(&self, folder: &str, ending: &str) -> Result<bool, ArchiveError> {
        let path = path_of(folder);
        let mut objects = self.store.list(Some(&path));
        let away = |error| ArchiveError::unavailable(format!("listing {folder}"), error);
        while let Some(object) = objects.try_next().await.map_err(away)? {
            if object.location.as_ref().ends_with(ending) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The live files of the Delta table in the folder of this name. Messages call it `name`.
    ///
    /// # Errors
    /// Unsupported, Corrupt or Unavailable, as of any table.
    pub async fn live_files(
        &self,
        folder: &str,
        name: &str,
    ) -> Result<Vec<LiveFile>, ArchiveError> {
        let store = PrefixStore::new(self.store.clone(), path_of(folder));
        live_files(Arc::new(store), name).await
    }

    /// A range of bytes of an object.
    ///
    /// # Errors
    /// Unavailable, or Corrupt if the object is gone or has changed.
    pub async fn read(
        &self,
        object: &FoundObject,
        range: Range<u64>,
    ) -> Result<Bytes, ArchiveError> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: object.mark.clone(),
            ..GetOptions::default()
        };
        let failed = |error: object_store::Error| match error {
            object_store::Error::Precondition { .. } => {
                ArchiveError::corrupt(&object.key, "it changed while it was read")
            }
            error => ArchiveError::of_read(&object.key, &error),
        };
        let found = self.store.get_opts(&path_of(&object.key), options).await;
        found.map_err(failed)?.bytes().await.map_err(failed)
    }
}

/// The path of a key exactly as it is; `Path::from` would encode it a second time.
fn path_of(key: &str) -> Path {
    Path::parse(key).unwrap_or_else(|_| Path::from(key))
}

impl FoundObject {
    /// An object that a table names and that was not listed.
    pub fn named(key: String, bytes: u64) -> Self {
        Self { key, bytes, mark: None }
    }

    /// The store's entity tag, which changes with the object; empty if the store has none.
    pub fn mark(&self) -> &str {
        self.mark.as_deref().unwrap_or_default()
    }

    fn new(object: ObjectMeta) -> Self {
        Self { key: object.location.into(), bytes: object.size, mark: object.e_tag }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn keys_with_percent_signs_are_read_as_they_are_listed() {
        let store = Arc::new(InMemory::new());
        let key = Path::parse("logs/model=a%20b/c d.csv").unwrap();
        store.put(&key, "0123456789".into()).await.unwrap();
        let objects = Objects { store };
        let object = objects.list("logs").await.unwrap().remove(0);
        assert_eq!(object.key, key.as_ref());
        assert_eq!(objects.read(&object, 2..5).await.unwrap(), "234");
        assert_eq!(objects.list(key.as_ref()).await.unwrap(), [object]);
        assert!(objects.any_in("logs/model=a%20b", ".csv").await.unwrap());
        assert!(!objects.any_in("logs/model=a%20b", ".json").await.unwrap());
    }

    #[tokio::test]
    async fn an_object_or_a_folder_is_listed_and_read_in_parts() {
        let store = Arc::new(InMemory::new());
        for key in ["logs/b.csv", "logs/a/c.csv", "logs2/d.csv"] {
            store.put(&key.into(), "0123456789".into()).await.unwrap();
        }
        let objects = Objects { store: store.clone() };
        let keys = async |key| {
            let found = objects.list(key).await.unwrap();
            found.into_iter().map(|object| object.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("logs").await, ["logs/a/c.csv", "logs/b.csv"]);
        assert_eq!(keys("logs/b.csv").await, ["logs/b.csv"]);
        assert_eq!(keys("").await.len(), 3);
        assert_eq!(keys("nowhere").await.len(), 0);
        let object = objects.list("logs/b.csv").await.unwrap().remove(0);
        assert_eq!(objects.read(&object, 2..5).await.unwrap(), "234");
        store.put(&"logs/b.csv".into(), "another".into()).await.unwrap();
        let changed = objects.read(&object, 2..5).await.unwrap_err();
        assert!(changed.to_string().contains("changed"), "{changed}");
    }
}
