//! The link of one process to the bucket: it takes time, fails, and ends with the process.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};
use tokenlake::clock::Micros;
use tokio_util::sync::CancellationToken;

use super::bucket::{Asked, Bucket};
use super::counts::Count;
use super::faults::{Fate, Fates, Fault};
use super::world::World;
use crate::stores::{Op, Verb};

/// What happens late is nobody's doing any longer.
const NOBODY: u64 = 31;
/// How often a process that is halted looks whether it goes on.
const HALTED: Duration = Duration::from_millis(250);

/// The store of one process.
#[derive(Debug, Clone)]
pub struct Link(Arc<Way>);

#[derive(Debug)]
struct Way {
    bucket: Arc<Bucket>,
    world: Arc<World>,
    fates: Fates,
    /// Whose milliseconds it acts in.
    actor: u64,
    /// Until when nothing gets through, by the world's time.
    away_until: AtomicI64,
    /// Until when the process does nothing at all.
    halted_until: AtomicI64,
    faultless: AtomicBool,
    dead: CancellationToken,
}

impl Link {
    /// The way of the process that is the `nth` of an actor.
    pub fn new(bucket: Arc<Bucket>, world: Arc<World>, actor: u64, nth: u64) -> Self {
        let fates = Fates::new(world.seed.wrapping_mul(0x9E37_79B9) ^ (actor << 32) ^ nth);
        Self(Arc::new(Way {
            bucket,
            world,
            fates,
            actor,
            away_until: AtomicI64::new(0),
            halted_until: AtomicI64::new(0),
            faultless: AtomicBool::new(false),
            dead: CancellationToken::new(),
        }))
    }

    /// Nothing fails here.
    pub fn faultless(self) -> Self {
        self.0.faultless.store(true, Ordering::SeqCst);
        self
    }

    /// The process dies: what is on its way may arrive, and no answer ever does.
    pub fn kill(&self) {
        self.0.dead.cancel();
    }

    /// When the process has died.
    pub fn dead(&self) -> CancellationToken {
        self.0.dead.clone()
    }

    /// Nothing gets through for some time.
    pub fn cut_off(&self, time: Micros) {
        self.0.away_until.store(self.0.world.elapsed() + time, Ordering::SeqCst);
    }

    /// The process stops, as by SIGSTOP, and goes on after some time.
    pub fn halt(&self, time: Micros) {
        self.0.halted_until.store(self.0.world.elapsed() + time, Ordering::SeqCst);
    }

    fn listed(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (way, prefix, after) = (self.0.clone(), prefix.cloned(), after.cloned());
        let op =
            Op { verb: Verb::List, path: prefix.clone().unwrap_or_default(), ranges: Vec::new() };
        let found = async move {
            let bucket = way.bucket.clone();
            let effect = async move { bucket.list(prefix.as_ref(), after.as_ref()).await };
            let (found, broken) = way.run(op, effect).await?;
            let shown = if broken { found.len() / 2 } else { found.len() };
            let end = broken.then(|| Err(failure("the listing broke off".to_owned())));
            Ok::<_, Error>(stream::iter(found.into_iter().take(shown).map(Ok).chain(end)))
        };
        found.try_flatten_stream().boxed()
    }
}

impl Way {
    fn asked(&self) -> Asked {
        Asked { at: self.world.ran(), halted_until: self.halted_until.load(Ordering::SeqCst) }
    }

    fn fate(&self, op: &Op) -> Fate {
        let failing = match (self.faultless.load(Ordering::SeqCst), self.world.is_here()) {
            (true, _) => 0,
            (_, true) => self.world.faults(),
            // The library reads a whole log in one go, and does not try again by itself.
            (_, false) => self.world.faults() / 10,
        };
        let mut fate = self.fates.next(op, failing);
        if self.world.elapsed() < self.away_until.load(Ordering::SeqCst) {
            fate.fault = Some(Fault::Refused);
        }
        let counts = &self.world.counts;
        counts.add(Count::Requests, 1);
        if self.world.is_traced() {
            let (at, actor) = (self.world.elapsed(), self.actor);
            let place = if self.world.is_here() { "" } else { "elsewhere " };
            eprintln!("{at:>14} {actor:>2} {:?} {} {place}{fate:?}", op.verb, op.path);
        }
        let what = match fate.fault {
            None => return fate,
            Some(Fault::Refused) => Count::Refused,
            Some(Fault::AnswerLost) => Count::AnswerLost,
            Some(Fault::FoundOwn) => Count::FoundOwn,
            Some(Fault::Late(_)) => Count::Late,
            Some(Fault::BrokenOff) => Count::BrokenOff,
            Some(Fault::SlowThere | Fault::SlowBack) => Count::Slow,
        };
        counts.add(what, 1);
        fate
    }

    async fn pass(&self, time: Duration) {
        self.world.wait(self.actor, time).await;
        while self.world.elapsed() < self.halted_until.load(Ordering::SeqCst) {
            self.world.wait(self.actor, HALTED).await;
        }
        if self.dead.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    /// Makes a request; true if its answer breaks off.
    async fn run<T: Send + 'static>(
        &self,
        op: Op,
        effect: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<(T, bool)> {
        let fate = self.fate(&op);
        let failed = || failure(format!("{:?} {} {:?}", op.verb, op.path, fate.fault));
        if !self.world.is_here() {
            // Threads of the library's are not to be kept waiting.
            if self.dead.is_cancelled() || fate.fault == Some(Fault::Refused) {
                return Err(failed());
            }
            return Ok((effect.await?, fate.fault == Some(Fault::BrokenOff)));
        }
        self.pass(fate.there).await;
        match fate.fault {
            Some(Fault::Refused) => {
                self.pass(fate.back).await;
                return Err(failed());
            }
            Some(Fault::Late(later)) => {
                let world = self.world.clone();
                tokio::spawn(async move {
                    world.wait(NOBODY, later).await;
                    // Nobody waits for this answer.
                    let _ = effect.await;
                });
                self.pass(fate.back).await;
                return Err(failed());
            }
            _ => {}
        }
        let answer = effect.await;
        if let Err(error) = &answer {
            self.world.tell(|| format!("{} is told: {error}", self.actor));
        }
        self.pass(fate.back).await;
        match fate.fault {
            Some(Fault::AnswerLost) => Err(failed()),
            Some(Fault::FoundOwn) if answer.is_ok() => {
                let source = "the store's own retry met it".into();
                Err(Error::AlreadyExists { path: op.path.to_string(), source })
            }
            fault => Ok((answer?, fault == Some(Fault::BrokenOff))),
        }
    }
}

fn failure(what: String) -> Error {
    Error::Generic { store: "simulated", source: what.into() }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the way of {}", self.0.actor)
    }
}

#[async_trait]
impl ObjectStore for Link {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let op = Op { verb: Verb::Put, path: path.clone(), ranges: Vec::new() };
        let (bucket, path, new) =
            (self.0.bucket.clone(), path.clone(), options.mode == PutMode::Create);
        let asked = self.0.asked();
        let effect = async move { bucket.put(&path, payload, options, asked).await };
        match self.0.run(op, effect).await {
            Ok((put, _)) => Ok(put),
            // A put that replaces what is there succeeds when it is tried again.
            Err(Error::AlreadyExists { .. }) if !new => {
                Ok(PutResult { e_tag: None, version: None })
            }
            Err(error) => Err(error),
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload { link: self.clone(), path: path.clone(), parts: Arc::default() }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let verb = if options.head { Verb::Head } else { Verb::Get };
        let op = Op { verb, path: path.clone(), ranges: options.range.iter().cloned().collect() };
        let (bucket, path) = (self.0.bucket.clone(), path.clone());
        let effect = async move { bucket.get(&path, options).await };
        let (found, broken) = self.0.run(op, effect).await?;
        if !broken {
            return Ok(found);
        }
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let attributes = found.attributes.clone();
        let bytes = found.bytes().await?;
        let half = bytes.slice(..bytes.len() / 2);
        let broke = Err(failure(format!("reading {} broke off", meta.location)));
        let payload = GetResultPayload::Stream(stream::iter([Ok(half), broke]).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let asked = ranges.iter().cloned().map(GetRange::Bounded).collect();
        let op = Op { verb: Verb::GetRanges, path: path.clone(), ranges: asked };
        let (bucket, path, ranges) = (self.0.bucket.clone(), path.clone(), ranges.to_vec());
        let effect = async move {
            let mut parts = Vec::new();
            for range in ranges {
                let options = GetOptions::new().with_range(Some(GetRange::Bounded(range)));
                parts.push(bucket.get(&path, options).await?.bytes().await?);
            }
            Ok(parts)
        };
        match self.0.run(op, effect).await? {
            (parts, false) => Ok(parts),
            _ => Err(failure("reading broke off".to_owned())),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let way = self.0.clone();
        let delete = move |path: Path| {
            let way = way.clone();
            async move {
                let op = Op { verb: Verb::Delete, path: path.clone(), ranges: Vec::new() };
                let (bucket, place, asked) = (way.bucket.clone(), path.clone(), way.asked());
                way.run(op, async move { bucket.delete(&place, asked).await }).await?;
                Ok(path)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.cloned().unwrap_or_default();
        let op = Op { verb: Verb::ListWithDelimiter, path, ranges: Vec::new() };
        let (bucket, prefix) = (self.0.bucket.clone(), prefix.cloned());
        let effect = async move { bucket.list_with_delimiter(prefix.as_ref()).await };
        match self.0.run(op, effect).await? {
            (found, false) => Ok(found),
            _ => Err(failure("the listing broke off".to_owned())),
        }
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented {
            operation: "copy".to_owned(),
            implementer: "simulated".to_owned(),
        })
    }
}

/// An upload in parts, which is one put at its end.
#[derive(Debug)]
struct Upload {
    link: Link,
    path: Path,
    parts: Arc<Mutex<Vec<Bytes>>>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.lock().unwrap().extend(data);
        Box::pin(async { Ok(()) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let payload: PutPayload =
            std::mem::take(&mut *self.parts.lock().unwrap()).into_iter().collect();
        self.link.put_opts(&self.path, payload, PutOptions::default()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.lock().unwrap().clear();
        Ok(())
    }
}
