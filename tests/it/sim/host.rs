//! A machine that runs the program, and starts it again after it dies.

use std::fmt::{self, Display};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokenlake::access::{Caller, Scope, Scopes};
use tokenlake::app::{App, AppError, AppSettings, BodyForm, Receipt};
use tokenlake::archive::{FollowSettings, WriterSettings};
use tokenlake::error::Kind;
use tokenlake::event::OrgId;
use tokenlake::exposition::{Coding, Collect, MetricsFormat};
use tokenlake::ingest::ContentKind;
use tokenlake::telemetry::Telemetry;

use super::bucket::Bucket;
use super::counts::Count;
use super::link::Link;
use super::world::{MachineClock, World};
use crate::support::random::Random;

/// What servers answer requests within.
const DEADLINE: Duration = Duration::from_millis(9_500);

/// A running process.
#[derive(Debug, Clone)]
pub struct Process {
    pub app: Arc<App>,
    pub link: Link,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Silence {
    /// The process is away, slow, or says that storage is.
    Unavailable,
    /// What it says instead, and of which kind that is.
    Error(Kind, String),
}

impl Silence {
    /// An error's.
    pub fn of(kind: Kind, error: &dyn Display) -> Self {
        match kind {
            Kind::Unavailable => Self::Unavailable,
            kind => Self::Error(kind, error.to_string()),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.app.archive().current().version();
        write!(f, "{} at version {version}", self.link)
    }
}

impl Process {
    /// What a client of this process gets.
    ///
    /// # Errors
    /// The process died, was too slow, or says that storage is away.
    pub async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, AppError>>,
    ) -> Result<T, Silence> {
        self.within(DEADLINE, answer).await
    }

    /// As [`Process::ask`], with a deadline of the caller's.
    pub async fn within<T>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = Result<T, AppError>>,
    ) -> Result<T, Silence> {
        let dead = self.link.dead();
        tokio::select! {
            biased;
            () = dead.cancelled() => Err(Silence::Unavailable),
            answer = tokio::time::timeout(deadline, answer) => match answer {
                Err(_) => Err(Silence::Unavailable),
                Ok(Err(error)) => Err(Silence::of(error.kind(), &error)),
                Ok(Ok(answer)) => Ok(answer),
            },
        }
    }

    /// Sends newline-separated JSON.
    pub async fn send(&self, org: &str, lines: String) -> Result<Receipt, AppError> {
        let org_id = OrgId::parse(org).unwrap();
        let scopes = Scopes::or_usual(vec![Scope::EventsWrite, Scope::CorrectionsWrite]);
        let caller = Caller { org_id, scopes, bound: None };
        let decoded = self.app.decode(&caller, &ContentKind::Ndjson, lines.as_ref());
        self.app.commit(&caller.org_id, decoded.unwrap()).await
    }

    /// A scrape of some groups, and the time that it is of.
    pub async fn scrape_with(&self, org: &str, groups: &[&str]) -> Result<(i64, String), AppError> {
        let groups = groups.iter().copied();
        let form = BodyForm {
            collect: Collect::parse(groups).unwrap(),
            format: MetricsFormat::Text004,
            coding: Coding::Identity,
        };
        let now = self.app.now();
        let (org_id, scopes) = (OrgId::parse(org).unwrap(), Scopes::or_usual(Vec::new()));
        let caller = Caller { org_id, scopes, bound: None };
        let body = self.app.scrape(&caller, form, now).await?;
        Ok((now, String::from_utf8(body.into()).unwrap()))
    }
}

/// One machine.
#[derive(Debug)]
pub struct Host {
    pub clock: Arc<MachineClock>,
    world: Arc<World>,
    bucket: Arc<Bucket>,
    actor: u64,
    started: AtomicU64,
    settings: AppSettings,
    running: Mutex<Option<Process>>,
}

impl Host {
    /// A machine on which nothing runs yet.
    pub fn new(world: Arc<World>, bucket: Arc<Bucket>, actor: u64, random: &mut Random) -> Self {
        Self {
            clock: MachineClock::new(world.clone()),
            world,
            bucket,
            actor,
            started: AtomicU64::new(0),
            settings: settings(random),
            running: Mutex::default(),
        }
    }

    /// The process, if one runs.
    pub fn running(&self) -> Option<Process> {
        self.running.lock().unwrap().clone()
    }

    /// Starts the program, however often that takes.
    pub async fn start(&self) {
        loop {
            let door = self.bucket.door.read().await;
            let nth = self.started.fetch_add(1, Ordering::SeqCst);
            let link = Link::new(self.bucket.clone(), self.world.clone(), self.actor, nth);
            match open(&link, self.clock.clone(), self.settings.clone()).await {
                Ok(process) => {
                    *self.running.lock().unwrap() = Some(process);
                    return;
                }
                Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "opening: {error}"),
            }
            drop(door);
            self.world.wait(self.actor, Duration::from_millis(500)).await;
        }
    }

    /// The process dies, if one runs.
    pub fn crash(&self) {
        if let Some(process) = self.running.lock().unwrap().take() {
            process.link.kill();
            self.world.counts.add(Count::Crashes, 1);
        }
    }
}

/// Opens the archive over a link.
pub async fn open(
    link: &Link,
    clock: Arc<MachineClock>,
    settings: AppSettings,
) -> Result<Process, AppError> {
    let app = App::open(Arc::new(link.clone()), clock, Telemetry::new(), settings).await?;
    Ok(Process { app: Arc::new(app), link: link.clone() })
}

/// Settings that servers may have.
pub fn settings(random: &mut Random) -> AppSettings {
    let mut one = |of: &[u64]| of[usize::try_from(random.below(of.len() as u64)).unwrap()];
    let writer = WriterSettings {
        commit_interval: Duration::from_millis(one(&[0, 0, 1_000])),
        dedupe_bytes_max: usize::try_from(one(&[0, 4 << 10, 64 << 20])).unwrap(),
        checkpoint_every: one(&[3, 10, 500]),
        ..WriterSettings::default()
    };
    let cache_bytes_max = usize::try_from(one(&[0, 256 << 10, 64 << 20])).unwrap();
    let interval = one(&[0, 2_000, 5_000]);
    AppSettings {
        writer,
        cache_bytes_max,
        body_bytes_max: 1 << 20,
        answer_bytes_max: 1 << 20,
        series_max: Some(tokenlake::rollup::SERIES_MAX),
        dimension_values_max: 1_000,
        follow: FollowSettings {
            interval: (interval > 0).then_some(Duration::from_millis(interval)),
            probe: None,
            waits_for_repair: true,
        },
        totals_work_max: [None, Some(1), Some(1 << 20)][usize::try_from(one(&[0, 1, 2])).unwrap()],
        ..AppSettings::default()
    }
}
