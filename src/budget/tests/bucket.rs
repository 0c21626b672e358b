//! A bucket whose user may be stopped before or after any request, and whose requests may fail.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// One replica's way to the bucket.
#[derive(Debug)]
pub struct Bucket {
    inner: Arc<InMemory>,
    /// Requests until the replica stops for ever; below 0 for never.
    pub fuel: AtomicI64,
    /// Of this many requests one fails; 0 for none.
    pub one_fails_of: AtomicU64,
    rng: parking_lot::Mutex<fastrand::Rng>,
}

impl Bucket {
    pub fn new(inner: Arc<InMemory>, seed: u64) -> Self {
        let rng = parking_lot::Mutex::new(fastrand::Rng::with_seed(seed));
        Self { inner, fuel: AtomicI64::new(-1), one_fails_of: AtomicU64::new(0), rng }
    }

    /// Takes a request's fuel, and stops where there is none.
    async fn burn(&self) {
        if self.fuel.load(Ordering::SeqCst) == 0 {
            futures::future::pending::<()>().await;
        }
        self.fuel.fetch_sub(1, Ordering::SeqCst);
    }

    fn fails(&self) -> bool {
        let of = self.one_fails_of.load(Ordering::SeqCst);
        of > 0 && self.rng.lock().u64(0..of) == 0
    }
}

fn away() -> Error {
    Error::Generic { store: "simulated", source: "away".into() }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket")
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        if self.fails() {
            return Err(away());
        }
        // It stops before the request is made, or after it.
        if self.rng.lock().bool() {
            self.burn().await;
            let put = self.inner.put_opts(location, payload, opts).await;
            // The answer may be lost.
            return if self.fails() { Err(away()) } else { put };
        }
        let put = self.inner.put_opts(location, payload, opts).await;
        self.burn().await;
        put
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented {
            operation: "multipart".into(),
            implementer: "simulated".into(),
        })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.burn().await;
        if self.fails() { Err(away()) } else { self.inner.get_opts(location, options).await }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        if self.fails() || self.fuel.load(Ordering::SeqCst) == 0 {
            return stream::once(async { Err(away()) }).boxed();
        }
        self.fuel.fetch_sub(1, Ordering::SeqCst);
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.fails() || self.fuel.load(Ordering::SeqCst) == 0 {
            return stream::once(async { Err(away()) }).boxed();
        }
        self.fuel.fetch_sub(1, Ordering::SeqCst);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
