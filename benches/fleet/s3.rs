//! A bucket with the latencies and prices of S3, seen by one replica. Time is the runtime's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What a request is billed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Put,
    List,
    Delete,
}

/// The median and the 99th percentile of a request's time, in milliseconds, for objects of some kilobytes
/// in the same region. Between them the times are taken to be log-normal. The figures are of the order that
/// Durner, Leis and Neumann measured ("Exploiting Cloud Object Storage for High-Performance Analytics",
/// VLDB 2023) for a first byte; puts and listings take about twice as long.
const fn latency(verb: Verb) -> (f64, f64) {
    match verb {
        Verb::Get => (25.0, 120.0),
        Verb::Put => (45.0, 200.0),
        Verb::List => (50.0, 250.0),
        Verb::Delete => (30.0, 150.0),
    }
}

/// The 99th percentile of a standard normal distribution.
const Z99: f64 = 2.326;

/// Dollars of a million requests by S3's list (Standard, us-east-1).
const fn price(verb: Verb) -> f64 {
    match verb {
        Verb::Get => 0.4,
        Verb::Put | Verb::List => 5.0,
        Verb::Delete => 0.0,
    }
}

/// How many requests there were.
#[derive(Debug, Default)]
pub struct Counts {
    by_verb: [AtomicU64; 4],
    /// Log entries that were put.
    pub commits: AtomicU64,
    /// Puts of log entries that another replica had put before.
    pub lost: AtomicU64,
    /// Bytes that were read.
    pub bytes_read: AtomicU64,
    /// Requests by kind and by the folder of what they were about.
    places: Mutex<BTreeMap<(Verb, String), u64>>,
}

impl Counts {
    /// Requests of a kind.
    pub fn of(&self, verb: Verb) -> u64 {
        self.by_verb[verb as usize].load(Ordering::Relaxed)
    }

    /// How many requests of a kind were about each folder.
    pub fn places(&self) -> BTreeMap<(Verb, String), u64> {
        self.places.lock().unwrap().clone()
    }

    /// Dollars that they cost.
    pub fn dollars(&self) -> f64 {
        let kinds = [Verb::Get, Verb::Put, Verb::List, Verb::Delete];
        kinds.iter().map(|verb| self.of(*verb) as f64 * price(*verb) / 1e6).sum()
    }
}

/// One replica's way to the bucket.
#[derive(Debug, Clone)]
pub struct S3 {
    bucket: Arc<InMemory>,
    pub counts: Arc<Counts>,
    /// Draws the time that the next request takes.
    random: Arc<Mutex<fastrand::Rng>>,
    thread: ThreadId,
}

impl S3 {
    pub fn new(bucket: Arc<InMemory>, counts: Arc<Counts>, seed: u64) -> Self {
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        Self { bucket, counts, random, thread: std::thread::current().id() }
    }

    /// A request goes there: half of its time passes before its effect, and half after it.
    async fn ask<T>(
        &self,
        verb: Verb,
        path: &Path,
        effect: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.counts.by_verb[verb as usize].fetch_add(1, Ordering::Relaxed);
        *self.counts.places.lock().unwrap().entry((verb, place(path))).or_default() += 1;
        // Simulated time does not pass on threads of the library's.
        if std::thread::current().id() != self.thread {
            return effect.await;
        }
        let time = self.time_of(verb) / 2;
        tokio::time::sleep(time).await;
        let answer = effect.await;
        tokio::time::sleep(time).await;
        answer
    }

    fn time_of(&self, verb: Verb) -> Duration {
        let (median, high) = latency(verb);
        let mut random = self.random.lock().unwrap();
        // Box and Muller's transform.
        let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * random.f64()).cos();
        let sigma = (high / median).ln() / Z99;
        Duration::from_secs_f64(median * (sigma * normal).exp() / 1e3)
    }
}

/// The folder of an object: the first two parts of its path, without the dates and organisations of
/// which there are many.
fn place(path: &Path) -> String {
    let parts = path.parts().take(2).map(|part| part.as_ref().to_owned());
    let parts = parts.filter(|part| !part.contains(['=', '.']) && !part.contains("org-"));
    parts.collect::<Vec<_>>().join("/")
}

impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated S3")
    }
}

#[async_trait]
impl ObjectStore for S3 {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = self.ask(Verb::Put, path, self.bucket.put_opts(path, payload, options)).await;
        if path.as_ref().contains("/_delta_log/") && path.extension() == Some("json") {
            match &put {
                Ok(_) => self.counts.commits.fetch_add(1, Ordering::Relaxed),
                Err(Error::AlreadyExists { .. }) => {
                    self.counts.lost.fetch_add(1, Ordering::Relaxed)
                }
                Err(_) => 0,
            };
        }
        put
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.ask(Verb::Put, path, self.bucket.put_multipart_opts(path, options)).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.ask(Verb::Get, path, self.bucket.get_opts(path, options)).await?;
        let bytes = got.range.end - got.range.start;
        self.counts.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        Ok(got)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let s3 = self.clone();
        let delete = move |path: Path| {
            let s3 = s3.clone();
            async move {
                let one = stream::iter([Ok(path.clone())]).boxed();
                let mut deleted = s3.bucket.delete_stream(one);
                s3.ask(Verb::Delete, &path, async { deleted.next().await.unwrap() }).await
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix.cloned(), None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix.cloned(), Some(offset.clone()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.ask(
            Verb::List,
            &prefix.cloned().unwrap_or_default(),
            self.bucket.list_with_delimiter(prefix),
        )
        .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.ask(Verb::Put, to, self.bucket.copy_opts(from, to, options)).await
    }
}

impl S3 {
    /// A request for each thousand objects, and for the last ones.
    fn listed(
        &self,
        prefix: Option<Path>,
        offset: Option<Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let s3 = self.clone();
        let found = async move {
            let all: Vec<ObjectMeta> = match offset {
                Some(offset) => {
                    s3.bucket.list_with_offset(prefix.as_ref(), &offset).try_collect().await?
                }
                None => s3.bucket.list(prefix.as_ref()).try_collect().await?,
            };
            let prefix = prefix.unwrap_or_default();
            for _ in 0..=all.len() / 1_000 {
                s3.ask(Verb::List, &prefix, async { Ok(()) }).await?;
            }
            Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
        };
        found.try_flatten_stream().boxed()
    }
}
