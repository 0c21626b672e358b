//! Delivers the messages of crossings, those of other processes too if these do not.
//!
//! Who puts a crossing delivers its message at once. Others watch the open ones: what nobody takes on
//! for a minute longer than its pause is delivered by whoever watches. Time is elapsed time of the
//! watching process alone, so that no clocks need to agree.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;

use super::attempt::{Attempts, EndMark, Ending, TryOutcome};
use super::crossing::Crossing;
use super::crossings::{Crossings, OpenCrossing, note_path};
use super::definition::Definition;
use super::error::BudgetError;
use super::message::{Message, ends_at};
use super::store::BudgetStore;
use super::stored::Budget;
use super::turns::{Watched, take_turns};
use super::webhooks::Webhooks;
use crate::archive::ArchiveError;
use crate::clock::Clock;
use crate::error::Kind;

/// How long another process may be late before its message is taken over.
const GRACE: Duration = Duration::from_secs(60);
/// Notes that are read at a time.
const READS: usize = 16;
/// Why the last try failed of a receiver that is gone.
const GONE: &str = "HTTP status 410: it is gone";

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
    /// By the paths of their notes.
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
        let note = note_path(&crossing);
        self.watched.lock().insert(note, Watched::new(crossing, now, now));
    }

    /// Looks what is open. Takes one request per thousand notes, and some for each that is new.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn look(&self) -> Result<(), ArchiveError> {
        let began = self.clock.elapsed();
        let open = self.crossings.open().await?;
        let noted: HashSet<String> = open.iter().map(|open| open.note.path.to_string()).collect();
        let sees = futures::stream::iter(open.into_iter().map(|open| self.see(open)));
        sees.buffer_unordered(READS).try_collect::<Vec<_>>().await?;
        let is_missed = |note: &String, watched: &Watched| {
            !noted.contains(note) && !watched.is_running && watched.since < began
        };
        let missed: Vec<_> = {
            let watched = self.watched.lock();
            let missed = watched.iter().filter(|(note, watched)| is_missed(note, watched));
            missed.map(|(note, watched)| (note.clone(), watched.crossing.clone())).collect()
        };
        for (note, crossing) in missed {
            match self.crossings.ending(&crossing).await {
                // Another process has ended it.
                Ok(Some(_)) => {
                    let mut watched = self.watched.lock();
                    if watched.get(&note).is_some_and(|watched| !watched.is_running) {
                        watched.remove(&note);
                    }
                }
                Ok(None) => self.crossings.note(&crossing).await?,
                Err(error) if error.kind() == Kind::Corrupt => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Watches an open crossing.
    async fn see(&self, open: OpenCrossing) -> Result<(), ArchiveError> {
        let (note, mark) = (open.note.path.to_string(), open.attempts.map(|record| record.mark));
        let is_known = |watched: &Watched| watched.is_running || watched.attempts == mark;
        if self.watched.lock().get(&note).is_some_and(is_known) {
            return Ok(());
        }
        let crossing = match self.crossings.noted(&open.note).await {
            Ok(Some(crossing)) => crossing,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == Kind::Corrupt => {
                tracing::warn!(%error, "what is open of a spend alert cannot be read");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let attempts = match mark {
            None => Attempts::default(),
            Some(_) => self.crossings.attempts(&crossing).await?,
        };
        let now = self.clock.elapsed();
        let due = now.saturating_add(attempts.pause()).saturating_add(GRACE);
        let mut watched = self.watched.lock();
        let known = watched.entry(note);
        let known = known.or_insert_with(|| Watched::new(Arc::new(crossing), now, due));
        known.attempts = mark;
        // Who tried last knows when to try again.
        if !std::mem::take(&mut known.is_tried_here) && !known.is_running {
            known.due = due;
        }
        Ok(())
    }

    /// Tells a receiver about a crossing once more, unless that is over; false if it did not take it.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn tell_again(
        &self,
        budget: &Budget,
        crossing: &Crossing,
    ) -> Result<bool, ArchiveError> {
        if self.clock.now() >= ends_at(crossing) {
            return Ok(true);
        }
        let message = Message::of_crossing(crossing, &budget.definition);
        match self.webhooks.send(budget, &message).await {
            TryOutcome::Taken => Ok(true),
            TryOutcome::Gone => {
                self.disable(crossing, &budget.definition).await?;
                Ok(false)
            }
            TryOutcome::Failed { .. } => Ok(false),
        }
    }

    /// Messages that are to be tried now, a few of each organisation; each is given out once until it
    /// was tried.
    pub fn due(&self) -> Vec<Arc<Crossing>> {
        take_turns(&mut self.watched.lock(), self.clock.elapsed())
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
        let id = note_path(crossing);
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
            // What it was about was removed, and another budget has its name.
            Some(budget) if crossing.revision < budget.since => {
                return ended(self.end(crossing, Ending::Removed, &attempts).await?);
            }
            Some(budget) if budget.gone_at_us.is_some() => {
                return ended(self.end(crossing, Ending::Gone, &attempts).await?);
            }
            Some(budget) => budget,
        };
        let message = Message::of_crossing(crossing, &budget.definition);
        match self.webhooks.send(&budget, &message).await {
            TryOutcome::Taken => ended(self.end(crossing, Ending::Delivered, &attempts).await?),
            TryOutcome::Gone => {
                if !self.disable(crossing, &budget.definition).await? {
                    return Ok((Delivery::Again, Attempts::FIRST_PAUSE));
                }
                let last = Attempts { reason: GONE.to_owned(), ..attempts };
                ended(self.end(crossing, Ending::Gone, &last).await?)
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

    /// Sends nothing more for a budget whose receiver is gone, until it is set again; false if it has
    /// another receiver by now.
    async fn disable(&self, crossing: &Crossing, tried: &Definition) -> Result<bool, ArchiveError> {
        let (now, org, name) = (self.clock.now(), &crossing.org_id, &crossing.budget);
        match self.store.change(org, name, |known| Ok(known.gone(tried, now))).await {
            Ok(Some(_)) => Ok(true),
            Err(BudgetError::Archive(error)) => Err(error),
            // Others have changed it.
            _ => {
                let newest = self.store.newest(org, name).await?.budget;
                Ok(newest.is_none_or(|budget| budget.gone_at_us.is_some()))
            }
        }
    }
}
