//! An object store that calls a hook before every request and applies the fault that it chooses.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};

use super::{Fault, Op, Verb};

/// Sees every request before it is made, and may choose a fault for it.
pub trait Hook: fmt::Debug + Send + Sync + 'static {
    fn meet(&self, op: &Op) -> Option<Fault>;

    /// How a put is made in place of the way that was asked for.
    fn put_options(&self, asked: PutOptions) -> PutOptions {
        asked
    }

    /// How a listing shows an object.
    fn listed(&self, found: ObjectMeta) -> ObjectMeta {
        found
    }
}

/// A store with a [`Hook`] on every request.
#[derive(Debug)]
pub struct Hooked<H> {
    inner: Arc<dyn ObjectStore>,
    hook: Arc<H>,
}

/// Makes a request with the fault that its hook chooses, which a read must still apply.
async fn run<T>(
    hook: &impl Hook,
    op: Op,
    effect: impl Future<Output = Result<T>> + Send,
) -> Result<(T, Option<Fault>)> {
    let injected = || format!("injected fault: {:?} {}", op.verb, op.path).into();
    let failed = || Error::Generic { store: "FaultyStore", source: injected() };
    let fault = hook.meet(&op);
    match fault {
        Some(Fault::FailBefore | Fault::CrashBefore) => return Err(failed()),
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }
    let answer = effect.await;
    if let Some(Fault::SlowAnswer(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    match fault {
        Some(Fault::FailAfter | Fault::CrashAfter) => Err(failed()),
        Some(Fault::ExistsAfter) => {
            Err(Error::AlreadyExists { path: op.path.to_string(), source: injected() })
        }
        _ => Ok((answer?, fault)),
    }
}

fn spoil(bytes: Bytes, fault: Option<Fault>) -> Bytes {
    let middle = bytes.len() / 2;
    match fault {
        Some(Fault::Truncate) => bytes.slice(..middle),
        Some(Fault::Damage) => {
            let mut bytes = Vec::from(bytes);
            bytes.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 0xff);
            bytes.into()
        }
        _ => bytes,
    }
}

impl<H> fmt::Display for Hooked<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooked({})", self.inner)
    }
}

#[async_trait]
impl<H: Hook> ObjectStore for Hooked<H> {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let options = self.hook.put_options(options);
        let effect = self.inner.put_opts(path, payload, options);
        Ok(run(&*self.hook, Op::new(Verb::Put, path), effect).await?.0)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let effect = self.inner.put_multipart_opts(path, options);
        let (inner, _) = run(&*self.hook, Op::new(Verb::PutMultipart, path), effect).await?;
        Ok(Box::new(HookedUpload { inner, path: path.clone(), hook: Arc::clone(&self.hook) }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let op = Op::get(path, &options);
        let (result, fault) = run(&*self.hook, op, self.inner.get_opts(path, options)).await?;
        if !matches!(fault, Some(Fault::Truncate | Fault::Damage)) {
            return Ok(result);
        }
        let (meta, range) = (result.meta.clone(), result.range.clone());
        let attributes = result.attributes.clone();
        let bytes = spoil(result.bytes().await?, fault);
        let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let effect = self.inner.get_ranges(path, ranges);
        let (parts, fault) = run(&*self.hook, Op::get_ranges(path, ranges), effect).await?;
        Ok(parts.into_iter().map(|bytes| spoil(bytes, fault)).collect())
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (hook, inner) = (Arc::clone(&self.hook), Arc::clone(&self.inner));
        let delete = move |path: Path| {
            let (hook, inner) = (Arc::clone(&hook), Arc::clone(&inner));
            async move {
                run(&*hook, Op::new(Verb::Delete, &path), inner.delete(&path)).await?;
                Ok(path)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let effect = self.inner.list_with_delimiter(prefix);
        Ok(run(&*self.hook, Op::list(Verb::ListWithDelimiter, prefix), effect).await?.0)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let effect = self.inner.copy_opts(from, to, options);
        run(&*self.hook, Op::new(Verb::Copy, to), effect).await.map(|_| ())
    }
}

impl<H: Hook> Hooked<H> {
    pub fn with_hook(inner: Arc<dyn ObjectStore>, hook: H) -> Self {
        Self { inner, hook: Arc::new(hook) }
    }

    pub fn hook(&self) -> &H {
        &self.hook
    }

    /// `found` behind the hook, which is met when the stream is first polled.
    fn listed(
        &self,
        prefix: Option<&Path>,
        found: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (hook, op) = (Arc::clone(&self.hook), Op::list(Verb::List, prefix));
        let shown = hook.clone();
        let found = found.map_ok(move |object| shown.listed(object)).boxed();
        let start = async move { Ok(run(&*hook, op, async { Ok(found) }).await?.0) };
        start.try_flatten_stream().boxed()
    }
}

#[derive(Debug)]
struct HookedUpload<H> {
    inner: Box<dyn MultipartUpload>,
    path: Path,
    hook: Arc<H>,
}

#[async_trait]
impl<H: Hook> MultipartUpload for HookedUpload<H> {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let op = Op::new(Verb::CompleteMultipart, &self.path);
        Ok(run(&*self.hook, op, self.inner.complete()).await?.0)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
