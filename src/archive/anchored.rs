//! A store whose absences count, and that is written to, only while it is the archive that was
//! opened.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::anchor::Anchor;

/// The store of an archive, and what ties the process to it. See [`Anchor`].
#[derive(Debug)]
pub(super) struct AnchoredStore {
    inner: Arc<dyn ObjectStore>,
    anchor: Anchor,
}

impl AnchoredStore {
    /// A store that is asked whether it is the right one.
    pub fn new(inner: Arc<dyn ObjectStore>, anchor: Anchor) -> Self {
        Self { inner, anchor }
    }

    async fn check(&self) -> Result<()> {
        self.anchor.check(self.inner.as_ref()).await
    }

    /// What was found; that nothing was, only from the right archive.
    async fn found<T>(&self, found: Result<T>) -> Result<T> {
        if matches!(found, Err(Error::NotFound { .. })) {
            self.check().await?;
        }
        found
    }

    /// A listing that ends well only if it is one of the right archive.
    fn listed(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, anchor) = (self.inner.clone(), self.anchor.clone());
        let check = stream::once(async move { anchor.check(inner.as_ref()).await });
        listed.chain(check.filter_map(async |checked| checked.err().map(Err))).boxed()
    }
}

impl fmt::Display for AnchoredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchored({})", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "a default would bypass the inner store")]
impl ObjectStore for AnchoredStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.check().await?;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check().await?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let found = self.inner.get_opts(location, options).await;
        self.found(found).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let found = self.inner.get_ranges(location, ranges).await;
        self.found(found).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, anchor) = (self.inner.clone(), self.anchor.clone());
        let deleted = async move {
            anchor.check(inner.as_ref()).await?;
            Ok::<_, Error>(inner.delete_stream(locations))
        };
        stream::once(deleted).try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let found = self.inner.list_with_delimiter(prefix).await?;
        self.check().await?;
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check().await?;
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.check().await?;
        self.inner.rename_opts(from, to, options).await
    }
}
