//! A store that can be replaced by another one, like a volume that is unmounted or a backup that is
//! restored under a running process.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};

use super::hooked::{Hook, Hooked};
use super::{Fault, Op, Verb};
use crate::support::lake::ManualClock;
use tokenlake::clock::{Clock as _, SECOND};

/// A store that is exchanged right before certain requests are made.
pub type SwitchingStore = Hooked<Switches>;

/// When a store is exchanged.
#[derive(Debug)]
pub struct Switch {
    /// The request before which it is.
    pub verbs: &'static [Verb],
    /// In which its path has this.
    pub path: String,
    /// What takes its place.
    pub to: Arc<dyn ObjectStore>,
    /// Its process stands still for ten seconds then.
    pub later: Option<Arc<ManualClock>>,
}

/// What is exchanged, and when, one after the other.
#[derive(Debug)]
pub struct Switches {
    store: Arc<SwitchedStore>,
    plan: Mutex<VecDeque<Switch>>,
}

impl Hook for Switches {
    fn meet(&self, op: &Op) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let is_next = |next: &mut Switch| {
            next.verbs.contains(&op.verb) && op.path.as_ref().contains(&next.path)
        };
        if let Some(switch) = plan.pop_front_if(is_next) {
            self.store.switch(&switch.to);
            if let Some(clock) = switch.later {
                clock.set(clock.now() + 10 * SECOND);
            }
        }
        None
    }
}

impl SwitchingStore {
    pub fn switching(store: Arc<SwitchedStore>) -> Arc<Self> {
        Arc::new(Self::with_hook(store.clone(), Switches { store, plan: Mutex::default() }))
    }

    /// Exchanges the store at these requests.
    pub fn switch_at(&self, plan: impl IntoIterator<Item = Switch>) {
        *self.hook().plan.lock().unwrap_or_else(PoisonError::into_inner) =
            plan.into_iter().collect();
    }

    /// Exchanges it now.
    pub fn switch(&self, to: &Arc<dyn ObjectStore>) {
        self.hook().store.switch(to);
    }
}

/// A store that can be exchanged.
#[derive(Debug)]
pub struct SwitchedStore(RwLock<Arc<dyn ObjectStore>>);

impl SwitchedStore {
    pub fn new(store: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(store)))
    }

    /// Puts another store in the place of the one that is there.
    pub fn switch(&self, store: &Arc<dyn ObjectStore>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = store.clone();
    }

    fn now(&self) -> Arc<dyn ObjectStore> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A copy of all objects, as a backup is.
pub async fn copy_of(store: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    let copy: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for object in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        copy.put(&object.location, bytes.into()).await.unwrap();
    }
    copy
}

impl fmt::Display for SwitchedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Switched({})", self.now())
    }
}

#[async_trait]
impl ObjectStore for SwitchedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.now().put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.now().put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.now().get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.now().get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.now().delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.now().list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.now().list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.now().list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.now().copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.now().rename_opts(from, to, options).await
    }
}
