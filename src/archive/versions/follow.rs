//! Following the table: the newest version that this process knows, and looks for a newer one.
//!
//! A *look* asks the store for the next log entry. Callers that arrive together share one, but only
//! one that starts after they arrived. A look that is under way may already be past the point where
//! an event acknowledged just now would be seen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::noted::NotedHead;
use super::opening::{Creation, OpenedTable};
use crate::archive::error::ArchiveError;
use crate::archive::log::Log;
use crate::archive::log::entry::Entry;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::store::probe::LogProbe;
use crate::clock::Clock;
use crate::error::Kind;
use crate::telemetry::Telemetry;

/// After this long without a look, the log may have been cleaned past our version, and a missing
/// entry proves nothing. So the table is opened anew.
const REOPEN_AFTER: Duration = Duration::from_secs(3_600);
/// A step of following that takes longer fails, so that waiting callers get an error.
const STEP_MAX: Duration = Duration::from_secs(20);

/// How the program follows the log.
#[derive(Debug, Clone, Default)]
pub struct FollowSettings {
    /// How often to look when no caller asks, so that a scrape seldom has more than one entry to
    /// read; `None` for never.
    pub interval: Option<Duration>,
    /// A cheaper look, if the archive is on a local disk.
    pub probe: Option<LogProbe>,
    /// Whether a table whose newest commits are refused is opened at the version before them. A
    /// server then answers with this error until the table is repaired; a command ends.
    pub waits_for_repair: bool,
}

/// One look, and its waiting callers. Each is woken once, by the look that it waits for.
#[derive(Debug, Default)]
struct Look {
    asked: AtomicBool,
    done: Notify,
    result: OnceLock<Result<(), ArchiveError>>,
}

#[derive(Debug)]
struct Shared {
    log: Log,
    probe: Option<LogProbe>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    current: watch::Sender<Arc<Snapshot>>,
    /// When the log was last followed to its end; by the clock that counts sleep.
    followed_at: Mutex<Duration>,
    noted: NotedHead,
    /// True while commits after the known version are refused.
    refused: watch::Sender<bool>,
    /// The look that has not started yet.
    next: Mutex<Arc<Look>>,
    asked: Notify,
}

/// The process's view of the table.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    ended: CancellationToken,
    _looks: AbortOnDropHandle<()>,
}

impl Follower {
    /// Opens the table and starts to follow it.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub async fn start(
        log: Log,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
        settings: FollowSettings,
        creation: Creation,
    ) -> Result<Self, ArchiveError> {
        let before = clock.elapsed();
        let OpenedTable { snapshot, refused } = log.open(creation).await?;
        let is_refused = refused.is_some();
        match refused {
            Some(error) if !settings.waits_for_repair => return Err(error),
            Some(error) => tracing::error!(%error, "nothing is answered until this is repaired"),
            None => {}
        }
        log.anchor.move_to(&snapshot);
        let shared = Arc::new(Shared {
            noted: NotedHead::new(log.clone(), before),
            log,
            probe: settings.probe,
            clock,
            telemetry,
            current: watch::Sender::new(Arc::new(snapshot)),
            followed_at: Mutex::new(before),
            refused: watch::Sender::new(is_refused),
            next: Mutex::default(),
            asked: Notify::new(),
        });
        shared.show();
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let looks = make_looks(shared.clone(), settings.interval);
        let looks = tokio::spawn(async move {
            let _ended = guard;
            looks.await;
        });
        Ok(Self { shared, ended, _looks: AbortOnDropHandle::new(looks) })
    }

    /// The newest version known here; no I/O.
    pub fn current(&self) -> Arc<Snapshot> {
        self.shared.current.borrow().clone()
    }

    /// The versions as this process learns of them.
    pub fn versions(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.shared.current.subscribe()
    }

    /// Whether commits after the known version are refused, as this process learns of it.
    pub fn refusals(&self) -> watch::Receiver<bool> {
        self.shared.refused.subscribe()
    }

    /// The newest version of the table: everything committed before this call is in it.
    ///
    /// # Errors
    /// Unavailable or Corrupt, from the look.
    pub async fn newest(&self) -> Result<Arc<Snapshot>, ArchiveError> {
        if let Some(newest) = self.probed() {
            return Ok(newest);
        }
        let look = self.shared.next.lock().clone();
        let done = look.done.notified();
        if !look.asked.swap(true, Ordering::SeqCst) {
            self.shared.asked.notify_one();
        }
        if look.result.get().is_none() {
            tokio::select! {
                () = done => {}
                () = self.ended.cancelled() => {}
            }
        }
        look.result.get().cloned().unwrap_or(Err(ArchiveError::Stopping))?;
        Ok(self.current())
    }

    /// The version known here, if a probe finds nothing after it: a look that starts now and ends
    /// at once.
    fn probed(&self) -> Option<Arc<Snapshot>> {
        let shared = &self.shared;
        let is_enough = shared.pause() <= REOPEN_AFTER && !shared.noted.is_due();
        let probe = shared.probe.as_ref().filter(|_| is_enough)?;
        let began = shared.clock.elapsed();
        let current = self.current();
        let head = current.head()?;
        let newest = probe.is_newest(current.version(), head).then_some(current)?;
        shared.followed(began);
        Some(newest)
    }

    /// Makes sure that the log has the newest commit that anybody noted.
    ///
    /// # Errors
    /// Corrupt if it has not; Unavailable.
    pub async fn check_noted(&self) -> Result<(), ArchiveError> {
        self.shared.noted.check(&self.current()).await
    }

    /// Returns when no more looks are made, which only a defect can cause.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// How long ago the known version was last found to be the newest; the maximum if it is not,
    /// because the commits after it are refused.
    pub fn age(&self) -> Duration {
        match *self.shared.refused.borrow() {
            true => Duration::MAX,
            false => self.shared.pause(),
        }
    }

    /// Applies an entry that this process put or met at `version`; one that is already applied is
    /// ignored.
    ///
    /// # Errors
    /// As [`Log::apply`].
    pub fn advance(&self, version: u64, entry: &Entry) -> Result<Arc<Snapshot>, ArchiveError> {
        let mut result = Ok(());
        self.shared.current.send_if_modified(|current| {
            if version != current.version() + 1 {
                return false;
            }
            match self.shared.log.apply(current, entry) {
                Ok(next) => *current = Arc::new(next),
                Err(error) => result = Err(error),
            }
            result.is_ok()
        });
        self.shared.log.anchor.move_to(&self.current());
        self.shared.show();
        result.map(|()| self.current())
    }
}

impl Shared {
    fn show(&self) {
        let current = self.current.borrow();
        self.telemetry.archive.version.set(current.version());
        self.telemetry.archive.live_files.set(current.file_count());
    }

    /// How long ago the log was last followed to its end.
    fn pause(&self) -> Duration {
        let at = *self.followed_at.lock();
        self.clock.elapsed().saturating_sub(at)
    }

    fn followed(&self, began: Duration) {
        let mut followed_at = self.followed_at.lock();
        *followed_at = began.max(*followed_at);
    }

    /// Notes whether commits after the known version are refused.
    fn are_refused(&self, now: bool) {
        self.refused.send_if_modified(|refused| std::mem::replace(refused, now) != now);
    }

    async fn look(&self) -> Result<(), ArchiveError> {
        let began = self.clock.elapsed();
        let timer = std::time::Instant::now();
        let refused = match self.pause() > REOPEN_AFTER {
            true => {
                let known = self.current.borrow().clone();
                self.replace_with_opened(self.reopen(&known).await?)
            }
            false => match self.follow().await {
                Err(error) if self.log.anchor.is_missing() => {
                    self.replace_with_opened(self.open_past_cleaning(error).await?)
                }
                followed => followed.map(|()| None)?,
            },
        };
        self.followed(began);
        refused.map_or(Ok(()), Err)?;
        self.telemetry.archive.refreshes.observe(timer.elapsed());
        Ok(())
    }

    /// Follows the log to its end.
    async fn follow(&self) -> Result<(), ArchiveError> {
        loop {
            let current = self.current.borrow().clone();
            let right_at = self.log.anchor.checked();
            let followed = tokio::time::timeout(STEP_MAX, self.log.follow(&current)).await;
            let followed = followed.map_err(|elapsed| {
                ArchiveError::unavailable("looking for new log entries", elapsed)
            })?;
            let Some(next) = followed? else { break };
            self.log.confirm(&next, right_at).await?;
            self.replace_with(next.snapshot);
            if next.at_head {
                break;
            }
        }
        let current = self.current.borrow().clone();
        self.noted.check(&current).await
    }

    /// Opens the table anew if another program has cleaned its log past the known version, whose entry
    /// is what the archive is recognised by.
    ///
    /// # Errors
    /// `lost`, if that is not why the log cannot be followed; or as [`Log::reopen_cleaned`], but `lost`
    /// also in place of damage: another copy may be in the archive's place since part of it was read.
    async fn open_past_cleaning(&self, lost: ArchiveError) -> Result<OpenedTable, ArchiveError> {
        let known = self.current.borrow().clone();
        let log = self.log.unanchored()?;
        if !log.is_cleaned_past(&known).await.unwrap_or(false) {
            return Err(lost);
        }
        match log.reopen_cleaned(&known).await {
            Err(ArchiveError::Corrupt { .. }) => Err(lost),
            opened => opened,
        }
    }

    /// Moves on to a table that was opened anew; returns why commits after its version are refused.
    fn replace_with_opened(&self, opened: OpenedTable) -> Option<ArchiveError> {
        self.replace_with(opened.snapshot);
        opened.refused
    }

    /// Opens the table anew. What looks like damage may be another archive in its place, or a
    /// listing that began before the right one was back.
    async fn reopen(&self, known: &Snapshot) -> Result<OpenedTable, ArchiveError> {
        let log = self.log.unanchored()?;
        match log.reopen(known).await {
            Err(error) if error.kind() == Kind::Corrupt => {
                self.log.check_anchor().await?;
                log.reopen(known).await
            }
            opened => opened,
        }
    }

    /// Moves on, never back: the writer may have advanced further meanwhile.
    fn replace_with(&self, snapshot: Snapshot) {
        self.current.send_if_modified(|current| {
            let newer = snapshot.version() > current.version();
            if newer {
                *current = Arc::new(snapshot);
            }
            newer
        });
        self.log.anchor.move_to(&self.current.borrow());
        self.show();
    }
}

async fn make_looks(shared: Arc<Shared>, interval: Option<Duration>) {
    loop {
        match interval {
            Some(interval) => drop(tokio::time::timeout(interval, shared.asked.notified()).await),
            None => shared.asked.notified().await,
        }
        // Callers that arrive from here on wait for the look after this one.
        let look = std::mem::take(&mut *shared.next.lock());
        let result = shared.look().await;
        match &result {
            Ok(()) => shared.are_refused(false),
            Err(error) => {
                if error.is_refusal() {
                    shared.are_refused(true);
                }
                tracing::warn!(%error, "cannot follow the table");
            }
        }
        // Only this task sets the result, once.
        let _ = look.result.set(result);
        look.done.notify_waiters();
    }
}
