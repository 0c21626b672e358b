//! Delivers the messages of crossings, those of other processes too if these do not.
//!
//! Who puts a crossing delivers its message at once. Others watch the open ones: what nobody takes on
//! for a minute longer than its pause is delivered by whoever watches. Time is elapsed time of the
//! watching process alone, so that no clocks need to agree.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::attempt::{Attempts, EndMark, Ending, TryOutcome};
use super::crossing::Crossing;
use super::crossings::{Crossings, OpenCrossing};
use super::error::BudgetError;
use super::message::{Message, ends_at};
use super::store::BudgetStore;
use super::stored::Budget;
use super::webhooks::Webhooks;
use crate::archive::{ArchiveError, RecordMark};
use crate::clock::Clock;
use crate::error::Kind;

/// How long another process may be late before its message is taken over.
const GRACE: Duration = Duration::from_secs(60);

/// A message that is watched.
#[derive(Debug, Clone)]
struct Watched {
    crossing: Arc<Crossing>,
    /// Since when, in elapsed time.
    since: Duration,
    /// The tries that were known then.
    attempts: Option<String>,
    /// When it is tried from here, in elapsed time.
    due: Duration,
    /// Whether the last try that failed was made here, so that its mark is not another process's.
    is_tried_here: bool,
    is_running: bool,
}

impl Watched {
    fn new(crossing: Arc<Crossing>, since: Duration, due: Duration) -> Self {
        Self { crossing, since, attempts: None, due, is_tried_here: false, is_running: false }
    }
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It has ended so.
    Ended(Ending),
    /// It will be tried again.
    Again,
    /// Another process has ended it.
    Elsewhere,
}

/// Delivers messages.
#[derive(Debug)]
pub struct Courier {
    store: Arc<BudgetStore>,
    crossings: Crossings,
    webhooks: Arc<dyn Webhooks>,
    clock: Arc<dyn Clock>,
    /// By their ids.
    watched: Mutex<BTreeMap<String, Watched>>,
}

impl Courier {
    /// Delivers the messages of an archive's crossings.
    pub fn new(
        store: Arc<BudgetStore>,
        webhooks: Arc<dyn Webhooks>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let crossings = Crossings::new(store.records().clone());
        Self { store, crossings, webhooks, clock, watched: Mutex::default() }
    }

    /// Takes on the message of a crossing that this process has put.
    pub fn take(&self, crossing: Arc<Crossing>) {
        let now = self.clock.elapsed();
        let id = crossing.webhook_id();
        self.watched.lock().insert(id, Watched::new(crossing, now, now));
    }

    /// Looks what is open.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn look(&self) -> Result<(), ArchiveError> {
        let began = self.clock.elapsed();
        let mut seen = Vec::new();
        for open in self.crossings.open().await? {
            match self.see(open).await {
                Ok(id) => seen.extend(id),
                Err(error) if error.kind() == Kind::Corrupt => {
                    tracing::warn!(%error, "what is open of a spend alert cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        // What is open no longer was ended by another process.
        self.watched.lock().retain(|id, watched| {
            watched.is_running || watched.since >= began || seen.contains(id)
        });
        Ok(())
    }

    /// Watches an open crossing. Returns its id unless its note is gone.
    async fn see(&self, open: OpenCrossing) -> Result<Option<String>, ArchiveError> {
        let Some(crossing) = self.crossings.noted(&open.note).await? else { return Ok(None) };
        let (id, mark) = (crossing.webhook_id(), open.attempts.map(|RecordMark { mark, .. }| mark));
        let is_known = |watched: &Watched| watched.is_running || watched.attempts == mark;
        if self.watched.lock().get(&id).is_some_and(is_known) {
            return Ok(Some(id));
        }
        let attempts = match mark {
            None => Attempts::default(),
            Some(_) => self.crossings.attempts(&crossing).await?,
        };
        let now = self.clock.elapsed();
        let due = now.saturating_add(attempts.pause()).saturating_add(GRACE);
        let mut watched = self.watched.lock();
        let known = watched.entry(id.clone());
        let known = known.or_insert_with(|| Watched::new(Arc::new(crossing), now, due));
        known.attempts = mark;
        // Who tried last knows when to try again.
        if !std::mem::take(&mut known.is_tried_here) && !known.is_running {
            known.due = due;
        }
        Ok(Some(id))
    }

    /// Tells a receiver about a crossing once more, unless that is over.
    pub async fn tell_again(&self, budget: &Budget, crossing: &Crossing) {
        if self.clock.now() < ends_at(crossing) {
            let message = Message::of_crossing(crossing, &budget.definition);
            self.webhooks.send(budget, &message).await;
        }
    }

    /// Messages that are to be tried now; each is given out once until it was tried.
    pub fn due(&self) -> Vec<Arc<Crossing>> {
        let now = self.clock.elapsed();
        let mut watched = self.watched.lock();
        let due = watched.values_mut().filter(|watched| !watched.is_running && watched.due <= now);
        due.map(|watched| {
            watched.is_running = true;
            watched.crossing.clone()
        })
        .collect()
    }

    /// How long until a message is to be tried; `None` if none is.
    pub fn next_due(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        let watched = self.watched.lock();
        let due = watched.values().filter(|watched| !watched.is_running).map(|watched| watched.due);
        due.min().map(|due| due.saturating_sub(now))
    }

    /// Tries a message that was due.
    ///
    /// # Errors
    /// Unavailable or Corrupt; then it is tried again after a pause.
    pub async fn deliver(&self, crossing: &Crossing) -> Result<Delivery, ArchiveError> {
        let id = crossing.webhook_id();
        let tried = self.try_once(crossing).await;
        let mut watched = self.watched.lock();
        match &tried {
            Ok((Delivery::Again, pause)) => {
                if let Some(known) = watched.get_mut(&id) {
                    known.is_running = false;
                    known.is_tried_here = true;
                    known.due = self.clock.elapsed().saturating_add(*pause);
                }
            }
            Ok(_) => drop(watched.remove(&id)),
            Err(_) => {
                if let Some(known) = watched.get_mut(&id) {
                    known.is_running = false;
                    known.due = self.clock.elapsed().saturating_add(Attempts::FIRST_PAUSE);
                }
            }
        }
        tried.map(|(delivery, _)| delivery)
    }

    async fn try_once(&self, noted: &Crossing) -> Result<(Delivery, Duration), ArchiveError> {
        let ended = |ending| Ok((ending, Duration::ZERO));
        if self.crossings.ending(noted).await?.is_some() {
            self.crossings.close(noted).await?;
            return ended(Delivery::Elsewhere);
        }
        // Whoever noted it may have stopped before it was put. What was put is what is sent.
        let is_new = self.crossings.put(noted).await?;
        let put = if is_new { None } else { self.crossings.get(noted).await? };
        let crossing = put.as_ref().unwrap_or(noted);
        let newest = self.store.newest(&crossing.org_id, &crossing.budget).await?;
        let attempts = self.crossings.attempts(crossing).await?;
        let budget = match newest.budget {
            None => return ended(self.end(crossing, Ending::Removed, &attempts).await?),
            Some(budget) if budget.gone_at_us.is_some() => {
                return ended(self.end(crossing, Ending::Gone, &attempts).await?);
            }
            Some(budget) => budget,
        };
        let message = Message::of_crossing(crossing, &budget.definition);
        match self.webhooks.send(&budget, &message).await {
            TryOutcome::Taken => ended(self.end(crossing, Ending::Delivered, &attempts).await?),
            TryOutcome::Gone => {
                self.disable(crossing).await?;
                ended(self.end(crossing, Ending::Gone, &attempts).await?)
            }
            TryOutcome::Failed { reason, retry_after } => {
                let Some(next) = attempts.failed(reason.clone(), retry_after) else {
                    let last = Attempts { reason, ..attempts };
                    return ended(self.end(crossing, Ending::GivenUp, &last).await?);
                };
                self.crossings.failed(crossing, &next).await?;
                Ok((Delivery::Again, next.pause()))
            }
        }
    }

    async fn end(
        &self,
        crossing: &Crossing,
        ending: Ending,
        attempts: &Attempts,
    ) -> Result<Delivery, ArchiveError> {
        let reason = Some(attempts.reason.clone()).filter(|reason| !reason.is_empty());
        let (tries, at_us) = (attempts.tries.saturating_add(1), self.clock.now());
        self.crossings.end(crossing, &EndMark { ending, tries, reason, at_us }).await?;
        Ok(Delivery::Ended(ending))
    }

    /// Sends nothing more for a budget whose receiver is gone, until it is set again.
    async fn disable(&self, crossing: &Crossing) -> Result<(), ArchiveError> {
        let now = self.clock.now();
        let gone =
            self.store.change(&crossing.org_id, &crossing.budget, |known| Ok(known.gone(now)));
        match gone.await {
            Err(BudgetError::Archive(error)) => Err(error),
            // Others are changing it; the next message is refused again.
            _ => Ok(()),
        }
    }
}
