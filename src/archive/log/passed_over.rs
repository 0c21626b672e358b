//! A store that hides checkpoints of the log that cannot be read.
//!
//! The entries of the log contain the same information as a checkpoint, as long as they exist. So
//! everything in this process passes over a damaged checkpoint until a newer one exists. That
//! includes the library's cleanup: it must not delete entries because a damaged checkpoint covers
//! them.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, future};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use parking_lot::RwLock;

use crate::archive::paths::{LOG, TABLE};

/// The library's note of its last checkpoint.
const NOTE: &str = "_last_checkpoint";

/// Versions whose checkpoints are hidden.
#[derive(Debug, Default)]
pub(in crate::archive) struct PassedOver {
    any: AtomicBool,
    versions: RwLock<BTreeSet<u64>>,
    /// Whether the note is hidden too.
    note: AtomicBool,
}

impl PassedOver {
    /// Hides the checkpoint of a version, and the note of the last checkpoint.
    pub(in crate::archive) fn add(&self, version: u64) {
        self.versions.write().insert(version);
        self.note.store(true, Ordering::SeqCst);
        self.any.store(true, Ordering::SeqCst);
    }

    /// Shows them again.
    pub(in crate::archive) fn forget(&self, version: u64) {
        self.versions.write().remove(&version);
        self.note.store(false, Ordering::SeqCst);
    }

    fn hides(&self, path: &Path) -> bool {
        if !self.any.load(Ordering::SeqCst) {
            return false;
        }
        let name = path.as_ref().strip_prefix(TABLE).and_then(|path| path.strip_prefix('/'));
        let name = name.and_then(|path| path.strip_prefix(LOG)?.strip_prefix('/'));
        match name {
            Some(NOTE) => self.note.load(Ordering::SeqCst),
            Some(name) => {
                let version = name.split_once(".checkpoint.").map(|(digits, _)| digits.parse());
                version.is_some_and(|version| {
                    version.is_ok_and(|version: u64| self.versions.read().contains(&version))
                })
            }
            None => false,
        }
    }

    fn check(&self, path: &Path) -> Result<()> {
        if !self.hides(path) {
            return Ok(());
        }
        let source = "it is passed over, as it cannot be read".into();
        Err(Error::NotFound { path: path.to_string(), source })
    }
}

/// A store without the hidden objects.
pub(in crate::archive) struct WithoutPassedOver {
    inner: Arc<dyn ObjectStore>,
    hidden: Arc<PassedOver>,
}

impl WithoutPassedOver {
    /// The archive's store without the objects that are, or will be, in `hidden`.
    pub(in crate::archive) fn new(inner: Arc<dyn ObjectStore>, hidden: Arc<PassedOver>) -> Self {
        Self { inner, hidden }
    }

    fn shown(
        &self,
        objects: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let hidden = self.hidden.clone();
        let is_hidden = move |object: &Result<ObjectMeta>| {
            object.as_ref().is_ok_and(|object| hidden.hides(&object.location))
        };
        objects.filter(move |object| future::ready(!is_hidden(object))).boxed()
    }
}

impl fmt::Debug for WithoutPassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Display for WithoutPassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for WithoutPassedOver {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(location, payload, options).await?;
        if location.filename() == Some(NOTE) {
            // The note now names a new checkpoint.
            self.hidden.note.store(false, Ordering::SeqCst);
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.hidden.check(location)?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.hidden.check(location)?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.shown(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.shown(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects.retain(|object| !self.hidden.hides(&object.location));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
