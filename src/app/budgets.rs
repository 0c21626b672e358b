//! Budgets of a running server: they are set, asked for, looked at again and again, and their messages
//! are delivered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::AppError;
use super::budget_answer::{AnswerTime, answer};
use super::spending::UsageSpending;
use crate::access::{BoundTo, Caller};
use crate::archive::{Archive, Snapshot};
use crate::budget::{
    AllowedTargets, AskedBudget, BudgetError, BudgetName, BudgetRecord, BudgetStore, Courier,
    Crossing, Definition, Delivery, Editions, Ending, Evaluator, HttpWebhooks, SetBudget,
};
use crate::byte_lru::ByteLru;
use crate::clock::Clock;
use crate::event::OrgId;
use crate::per_org::OrgShares;
use crate::rollup::Rollup;
use crate::telemetry::Telemetry;

/// How often budgets are looked at although no event comes.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The pause after a look.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked what other processes have left open.
const OPEN_EVERY: Duration = Duration::from_secs(15);
/// How often it is looked whether a message is due.
const DUE_EVERY: Duration = Duration::from_millis(250);
/// How often Alertmanager is told again.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How old the budgets may be that an answer is made of.
const EDITIONS_AGE: Duration = Duration::from_secs(2);
/// Memory for answers about budgets, in bytes.
pub const BUDGET_ANSWERS_BYTES_MAX: usize = 8 << 20;
/// Memory of an answer besides its text.
const ANSWER_BYTES: usize = 512;

/// Whose answer it is.
type WhoAsks = (OrgId, Option<BoundTo>);

/// An answer that was given.
#[derive(Debug, Clone)]
struct GivenAnswer {
    body: Bytes,
    version: u64,
    time: AnswerTime,
    /// When the budgets were read, in elapsed time.
    read_at: Duration,
    /// How often budgets had been changed here.
    changes: u64,
}

/// Budgets.
#[derive(Debug)]
pub(super) struct Budgets {
    store: Arc<BudgetStore>,
    evaluator: Evaluator,
    courier: Arc<Courier>,
    spending: UsageSpending,
    allowed: AllowedTargets,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    answers: Mutex<ByteLru<WhoAsks, Arc<AsyncMutex<Option<GivenAnswer>>>>>,
    /// How often budgets were changed here.
    changes: watch::Sender<u64>,
    wanted: Notify,
    /// Who sets budgets: one at a time of each organisation.
    setters: OrgShares,
}

impl Budgets {
    /// The budgets of an archive.
    pub(super) fn new(
        archive: &Arc<Archive>,
        rollup: &Arc<Rollup>,
        (allowed, staleness_max): (AllowedTargets, Duration),
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
    ) -> Self {
        let store = Arc::new(BudgetStore::new(archive.records().clone()));
        let webhooks = Arc::new(HttpWebhooks::new(allowed.clone(), clock.clone()));
        let courier = Arc::new(Courier::new(store.clone(), webhooks, clock.clone()));
        let spending = UsageSpending::new(archive.clone(), rollup.clone(), staleness_max);
        let spent = Arc::new(spending.clone());
        let evaluator = Evaluator::new(store.clone(), spent, courier.clone(), clock.clone());
        let answers = Mutex::new(ByteLru::new(BUDGET_ANSWERS_BYTES_MAX));
        let (changes, wanted) = (watch::Sender::new(0), Notify::new());
        Self {
            store,
            evaluator,
            courier,
            spending,
            allowed,
            clock,
            telemetry,
            answers,
            changes,
            wanted,
            setters: OrgShares::new(1),
        }
    }

    /// The tasks that look at budgets and deliver messages, for as long as they are held.
    pub(super) fn start(
        self: &Arc<Self>,
        versions: watch::Receiver<Arc<Snapshot>>,
    ) -> [AbortOnDropHandle<()>; 3] {
        let (looks, delivers, tells) = (self.clone(), self.clone(), self.clone());
        let looks = tokio::spawn(async move { looks.keep_looking(versions).await });
        let delivers = tokio::spawn(async move { delivers.keep_delivering().await });
        let tells = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TELL_EVERY).await;
                tells.evaluator.tell_again().await;
            }
        });
        [looks, delivers, tells].map(AbortOnDropHandle::new)
    }

    async fn keep_looking(&self, mut versions: watch::Receiver<Arc<Snapshot>>) {
        loop {
            versions.borrow_and_update();
            if let Err(error) = self.evaluator.look().await {
                self.telemetry.budgets.failures.inc();
                tracing::warn!(%error, "budgets cannot be looked at; will retry");
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.wanted.notified() => {}
                changed = versions.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn keep_delivering(self: Arc<Self>) {
        let mut looked_at = None;
        loop {
            let now = self.clock.elapsed();
            if looked_at.is_none_or(|at| now.saturating_sub(at) >= OPEN_EVERY) {
                looked_at = Some(now);
                if let Err(error) = self.courier.look().await {
                    tracing::warn!(%error, "open spend alerts cannot be looked at; will retry");
                }
            }
            for crossing in self.courier.due() {
                let budgets = self.clone();
                // A task, so that a receiver that is slow keeps nobody else waiting.
                tokio::spawn(async move { budgets.deliver(&crossing).await });
            }
            tokio::time::sleep(DUE_EVERY).await;
        }
    }

    async fn deliver(&self, crossing: &Crossing) {
        let telemetry = &self.telemetry.budgets;
        let (org_id, budget, threshold) = (&crossing.org_id, &crossing.budget, crossing.threshold);
        match self.courier.deliver(crossing).await {
            Ok(Delivery::Ended(Ending::Delivered)) => telemetry.delivered.inc(),
            Ok(Delivery::Ended(Ending::GivenUp)) => {
                telemetry.given_up.inc();
                tracing::warn!(%org_id, %budget, threshold, "a spend alert is given up: no try delivered it for a day");
            }
            Ok(Delivery::Ended(Ending::Gone)) => {
                telemetry.gone.inc();
                tracing::warn!(%org_id, %budget, threshold, "the webhook of a budget is gone; nothing more is sent until it is set again");
            }
            Ok(Delivery::Ended(Ending::Removed) | Delivery::Elsewhere) => {}
            Ok(Delivery::Again) => telemetry.tries_failed.inc(),
            Err(error) => {
                tracing::warn!(%error, %org_id, %budget, "a spend alert is delivered later")
            }
        }
    }

    /// The budgets that a caller may see, at a version, as JSON.
    ///
    /// # Errors
    /// Unavailable or Corrupt, never a smaller sum.
    pub(super) async fn shown(
        &self,
        caller: &Caller,
        snapshot: Arc<Snapshot>,
    ) -> Result<Bytes, AppError> {
        let asker = (caller.org_id.clone(), caller.bound.clone());
        let slot = {
            let mut answers = self.answers.lock();
            match answers.get_mut(&asker) {
                Some(slot) => slot.clone(),
                None => {
                    let slot = Arc::default();
                    answers.put(asker.clone(), Arc::clone(&slot), ANSWER_BYTES);
                    slot
                }
            }
        };
        let mut given = slot.lock().await;
        let (version, now, elapsed) = (snapshot.version(), self.clock.now(), self.clock.elapsed());
        let is_current = |given: &&GivenAnswer| {
            given.version == version
                && given.time.holds(now)
                && elapsed.saturating_sub(given.read_at) < EDITIONS_AGE
                && given.changes == *self.changes.borrow()
        };
        if let Some(given) = given.as_ref().filter(is_current) {
            return Ok(given.body.clone());
        }
        let changes = *self.changes.borrow();
        let editions = seen_by(caller, self.store.of_org(&caller.org_id).await?);
        let (body, time) = self.answer(&editions, snapshot).await?;
        let bytes = body.len() + ANSWER_BYTES;
        *given = Some(GivenAnswer { body: body.clone(), version, time, read_at: elapsed, changes });
        drop(given);
        self.answers.lock().resize(&asker, bytes);
        Ok(body)
    }

    async fn answer(
        &self,
        editions: &Editions,
        snapshot: Arc<Snapshot>,
    ) -> Result<(Bytes, AnswerTime), AppError> {
        let view = self.spending.at(snapshot);
        let mut rows = Vec::new();
        for record in editions.values() {
            match self.evaluator.look_at_one(record, &view, true).await {
                Ok(()) => rows.push((record.clone(), self.evaluator.status(record).await)),
                // It is shown, but not what nobody can tell.
                Err(BudgetError::Undeclared(_)) => rows.push((record.clone(), None)),
                Err(error) => return Err(error.into()),
            }
        }
        answer(&rows, self.clock.now())
    }

    /// Sets a budget of a caller. Returns it if that changes it.
    ///
    /// # Errors
    /// Invalid, with the rule that is broken; Forbidden, if the caller is bound to another part;
    /// Unavailable or Corrupt.
    pub(super) async fn set(
        &self,
        caller: &Caller,
        name: &BudgetName,
        asked: &AskedBudget,
        snapshot: &Snapshot,
    ) -> Result<Option<SetBudget>, AppError> {
        let definition = Definition::read(asked)?;
        self.allowed.check(&definition.webhook).map_err(BudgetError::Target)?;
        check_declared(&definition, snapshot)?;
        // One after another, so that none is refused because of another that is.
        let _turn = self.setters.of(&caller.org_id).acquire_owned().await;
        let who = (&caller.org_id, caller.bound.as_ref());
        let set = self.store.set(who, name, &definition, self.clock.now()).await?;
        self.changed();
        Ok(set)
    }

    /// Removes a budget of a caller.
    ///
    /// # Errors
    /// [`BudgetError::Unknown`], also of one of a part that the caller is not bound to; Unavailable
    /// or Corrupt.
    pub(super) async fn remove(&self, caller: &Caller, name: &BudgetName) -> Result<(), AppError> {
        self.store.remove((&caller.org_id, caller.bound.as_ref()), name).await?;
        self.changed();
        Ok(())
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
        self.wanted.notify_one();
    }
}

/// The budgets of the part that a caller is bound to; all of them if it is bound to none.
fn seen_by(caller: &Caller, editions: Editions) -> Editions {
    let Some(bound) = &caller.bound else { return editions };
    let is_seen = |record: &BudgetRecord| {
        let budget = record.budget.as_ref();
        budget.is_some_and(|budget| budget.definition.dimension.as_ref() == Some(bound))
    };
    let seen = editions.into_iter().filter(|(_, record)| is_seen(record));
    seen.collect::<BTreeMap<_, _>>()
}

/// Checks that the dimension of a budget is declared.
///
/// # Errors
/// [`BudgetError::Undeclared`].
fn check_declared(definition: &Definition, snapshot: &Snapshot) -> Result<(), BudgetError> {
    let Some(part) = &definition.dimension else { return Ok(()) };
    match snapshot.table().dimensions.named(&part.dimension) {
        Some(_) => Ok(()),
        None => Err(BudgetError::Undeclared(part.dimension.to_string())),
    }
}
