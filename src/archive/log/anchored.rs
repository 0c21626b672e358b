//! A store that reports absences and accepts writes only while it is the archive that was opened.
//!
//! To check the archive and to use it are two requests. Between them, another archive may be put in
//! its place, or the right one put back. So an answer counts only if the archive was the right one
//! before and after, within a time too short for anyone to swap it away and back.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    UploadPart,
};

use super::anchor::Anchor;
use crate::archive::paths;

/// How many times a request is tried if the store answers too slowly.
pub(super) const TRIES: usize = 4;
/// Objects of a listing that are held back until the archive has been checked. The rest of a longer
/// listing arrives over a longer time, and is followed by a check of its own.
const LISTED_AT_ONCE: usize = 1_000;

/// What was put is not what is there: another archive may have got it, or it was written over since.
#[derive(Debug, thiserror::Error)]
#[error("what is at {0} is not what was put there; try again")]
struct NotThere(Path);

/// No answer came within the time in which the archive cannot have been replaced.
#[derive(Debug, thiserror::Error)]
#[error("the store answers too slowly to verify that it is the right archive; try again")]
pub(super) struct Slow;

/// The store of an archive, checked against the process's [`Anchor`].
#[derive(Debug, Clone)]
pub(in crate::archive) struct AnchoredStore {
    inner: Arc<dyn ObjectStore>,
    anchor: Anchor,
}

impl AnchoredStore {
    /// A store that is checked against `anchor`.
    pub fn new(inner: Arc<dyn ObjectStore>, anchor: Anchor) -> Self {
        Self { inner, anchor }
    }

    async fn check(&self) -> Result<()> {
        self.anchor.check(self.inner.as_ref()).await
    }

    fn is_since(&self, then: Option<Duration>) -> bool {
        self.anchor.is_since(then)
    }

    /// The answer to a request. An answer that `counts` must come from the right archive.
    async fn sure<T>(
        &self,
        ask: impl Fn() -> BoxFuture<'static, Result<T>> + Send + Sync,
        counts: impl Fn(&Result<T>) -> bool + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
    {
        for _ in 0..TRIES {
            let right_at = self.anchor.checked();
            let answer = ask().await;
            if !counts(&answer) {
                return answer;
            }
            self.check().await?;
            if self.is_since(right_at) {
                return answer;
            }
        }
        Err(Error::Generic { store: "archive", source: Slow.into() })
    }

    /// The outcome of a put that began at `began`; it succeeds only in the right archive. `payload` is
    /// what was put, if another process may put something else under that name.
    async fn put_to<T>(
        &self,
        location: &Path,
        began: Duration,
        put: Result<T>,
        payload: Option<PutPayload>,
    ) -> Result<T> {
        if !matches!(put, Ok(_) | Err(Error::AlreadyExists { .. })) {
            return put;
        }
        self.check().await?;
        if self.is_since(Some(began)) {
            return put;
        }
        // Another archive may have got it. That the right one has an object of this name says
        // nothing: it may be the entry of another process.
        let payload = payload.filter(|_| put.is_ok());
        let options = GetOptions { head: payload.is_none(), ..GetOptions::default() };
        let size = payload.as_ref().map(|payload| payload.content_length() as u64);
        let look = || -> BoxFuture<'static, Result<Bytes>> {
            let (store, place, options) = (self.inner.clone(), location.clone(), options.clone());
            Box::pin(async move {
                let found = store.get_opts(&place, options.clone()).await?;
                // What has another size is not what was put, and may be too large to hold.
                if size == Some(found.meta.size) { found.bytes().await } else { Ok(Bytes::new()) }
            })
        };
        let found = self.sure(look, |_| true).await?;
        if payload.is_some_and(|payload| !payload.iter().flatten().eq(&found)) {
            let source = NotThere(location.clone()).into();
            return Err(Error::Generic { store: "archive", source });
        }
        put
    }

    /// A listing that is certain to be of the right archive.
    fn listed(
        &self,
        list: impl Fn(&dyn ObjectStore) -> BoxStream<'static, Result<ObjectMeta>>
        + Send
        + Sync
        + 'static,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let listed = async move {
            let store = this.inner.clone();
            let begin = move || -> BoxFuture<'static, Result<BegunListing>> {
                Box::pin(begun(list(store.as_ref())))
            };
            let (first, more) = this.sure(begin, |_| true).await?;
            let check = stream::once(async move { this.check().await });
            let check = check.filter_map(async |checked| checked.err().map(Err));
            let first = stream::iter(first.into_iter().map(Ok));
            Ok::<_, Error>(match more {
                Some(more) => first.chain(more).chain(check).boxed(),
                None => first.boxed(),
            })
        };
        stream::once(listed).try_flatten().boxed()
    }
}

/// The first objects of a listing, and the rest if there are more.
type BegunListing = (Vec<ObjectMeta>, Option<BoxStream<'static, Result<ObjectMeta>>>);

async fn begun(mut listed: BoxStream<'static, Result<ObjectMeta>>) -> Result<BegunListing> {
    let mut first = Vec::new();
    while let Some(object) = listed.try_next().await? {
        first.push(object);
        if first.len() == LISTED_AT_ONCE {
            return Ok((first, Some(listed)));
        }
    }
    Ok((first, None))
}

fn is_absent<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(Error::NotFound { .. }))
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
        let began = self.anchor.elapsed();
        self.check().await?;
        let compared = (!paths::is_of_one_writer(location)).then(|| payload.clone());
        let put = self.inner.put_opts(location, payload, opts).await;
        self.put_to(location, began, put, compared).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check().await?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(AnchoredUpload { inner, to: self.clone(), location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let ask = || -> BoxFuture<'static, Result<GetResult>> {
            let (store, place, options) = (self.inner.clone(), location.clone(), options.clone());
            Box::pin(async move { store.get_opts(&place, options).await })
        };
        // A record may be overwritten, so an older copy may hold an outdated one.
        let changes = paths::is_record(location);
        self.sure(ask, |answer| changes && answer.is_ok() || is_absent(answer)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let ask = || -> BoxFuture<'static, Result<Vec<Bytes>>> {
            let (store, place, ranges) = (self.inner.clone(), location.clone(), ranges.to_vec());
            Box::pin(async move { store.get_ranges(&place, &ranges).await })
        };
        self.sure(ask, is_absent).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (first, this) = (self.clone(), self.clone());
        let locations = locations.and_then(move |location| {
            let this = this.clone();
            async move {
                if !this.is_since(this.anchor.checked()) {
                    this.check().await?;
                }
                Ok(location)
            }
        });
        let deleted = async move {
            first.check().await?;
            Ok::<_, Error>(first.inner.delete_stream(locations.boxed()))
        };
        stream::once(deleted).try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned();
        self.listed(move |store| store.list(prefix.as_ref()))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        self.listed(move |store| store.list_with_offset(prefix.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let ask = || -> BoxFuture<'static, Result<ListResult>> {
            let (store, prefix) = (self.inner.clone(), prefix.cloned());
            Box::pin(async move { store.list_with_delimiter(prefix.as_ref()).await })
        };
        self.sure(ask, Result::is_ok).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let began = self.anchor.elapsed();
        self.check().await?;
        let copied = self.inner.copy_opts(from, to, options).await;
        self.put_to(to, began, copied, None).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let began = self.anchor.elapsed();
        self.check().await?;
        let renamed = self.inner.rename_opts(from, to, options).await;
        self.put_to(to, began, renamed, None).await
    }
}

/// A multipart upload that succeeds only in the right archive.
#[derive(Debug)]
struct AnchoredUpload {
    inner: Box<dyn MultipartUpload>,
    to: AnchoredStore,
    location: Path,
}

#[async_trait]
impl MultipartUpload for AnchoredUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let began = self.to.anchor.elapsed();
        self.to.check().await?;
        let put = self.inner.complete().await;
        self.to.put_to(&self.location, began, put, None).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
