//! The bucket that all processes share. It never fails; the ways to it do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutOptions,
    PutPayload, PutResult, Result,
};
use tokenlake::clock::Micros;

use super::world::World;

/// Objects, with the world's time as that of their last change.
#[derive(Debug)]
pub struct Bucket {
    store: InMemory,
    world: Arc<World>,
    changed: Mutex<HashMap<Path, Micros>>,
}

impl Bucket {
    pub fn new(world: Arc<World>) -> Arc<Self> {
        Arc::new(Self { store: InMemory::new(), world, changed: Mutex::default() })
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
}
