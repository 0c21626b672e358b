//! Objects in memory, with the simulated time of their last change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::DateTime;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetResult, ListResult, ObjectMeta, ObjectStore as _, ObjectStoreExt as _,
    PutMode, PutOptions, PutPayload, PutResult, Result,
};
use tokenlake::clock::Micros;

use super::world::World;

/// Where objects are.
#[derive(Debug)]
pub struct Place {
    store: InMemory,
    world: Arc<World>,
    changed: Mutex<HashMap<Path, Micros>>,
}

impl Place {
    /// An empty one.
    pub fn new(world: Arc<World>) -> Self {
        Self { store: InMemory::new(), world, changed: Mutex::default() }
    }

    /// A copy, as a backup is.
    pub fn copy(&self) -> Self {
        let changed = self.changed.lock().unwrap().clone();
        Self { store: self.store.fork(), world: self.world.clone(), changed: Mutex::new(changed) }
    }

    pub async fn put(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = self.store.put_opts(path, payload, options).await?;
        self.changed.lock().unwrap().insert(path.clone(), self.world.now());
        Ok(put)
    }

    pub async fn get(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let found = self.store.get_opts(path, options).await?;
        Ok(GetResult { meta: self.timed(found.meta), ..found })
    }

    pub async fn delete(&self, path: &Path) -> Result<()> {
        self.store.delete(path).await
    }

    pub async fn list(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        let found: Vec<_> = match after {
            Some(after) => self.store.list_with_offset(prefix, after).try_collect().await?,
            None => self.store.list(prefix).try_collect().await?,
        };
        Ok(found.into_iter().map(|meta| self.timed(meta)).collect())
    }

    pub async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let ListResult { common_prefixes, objects } =
            self.store.list_with_delimiter(prefix).await?;
        let objects = objects.into_iter().map(|meta| self.timed(meta)).collect();
        Ok(ListResult { common_prefixes, objects })
    }

    fn timed(&self, meta: ObjectMeta) -> ObjectMeta {
        let changed = self.changed.lock().unwrap().get(&meta.location).copied();
        let changed = changed.and_then(DateTime::from_timestamp_micros);
        ObjectMeta { last_modified: changed.unwrap_or(meta.last_modified), ..meta }
    }

    /// The bytes of an object; `None` where there is none. No time passes.
    pub async fn read(&self, path: &str) -> Option<Bytes> {
        match self.get(&path.into(), GetOptions::default()).await {
            Ok(found) => Some(found.bytes().await.unwrap()),
            Err(Error::NotFound { .. }) => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Puts an object that must be new. No time passes.
    pub async fn create(&self, path: &str, bytes: Bytes) {
        self.put(&path.into(), bytes.into(), PutMode::Create.into()).await.unwrap();
    }

    /// Takes in all objects of another one.
    pub async fn copy_over(&self, other: &Self) {
        self.take_in(other, |_, _| true).await;
    }

    /// Takes in objects of another one, chosen by their paths and when they were last changed.
    pub async fn take_in(&self, other: &Self, chosen: impl Fn(&Path, Micros) -> bool) {
        for object in other.list(None, None).await.unwrap() {
            let path = &object.location;
            if !chosen(path, object.last_modified.timestamp_micros()) {
                continue;
            }
            let bytes = other.read(path.as_ref()).await.unwrap();
            self.store.put(path, bytes.into()).await.unwrap();
            let changed = other.changed.lock().unwrap().get(path).copied();
            self.changed.lock().unwrap().extend(changed.map(|changed| (path.clone(), changed)));
        }
    }

    /// The version of the newest log entry, or 0.
    pub async fn newest(&self) -> u64 {
        self.version().await.unwrap_or_default()
    }

    /// The version of the newest log entry; `None` where there is none.
    pub async fn version(&self) -> Option<u64> {
        let found = self.list(Some(&"events/_delta_log".into()), None).await.unwrap();
        found.iter().filter_map(|object| version_of(&object.location)).max()
    }
}

/// The version of a log entry.
pub fn version_of(path: &Path) -> Option<u64> {
    let name = path.as_ref().strip_prefix("events/_delta_log/")?;
    name.strip_suffix(".json")?.parse().ok()
}
