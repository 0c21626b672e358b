//! The book of what was spent, and the receiver of messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::budget::attempt::TryOutcome;
use crate::budget::definition::Definition;
use crate::budget::error::BudgetError;
use crate::budget::message::Message;
use crate::budget::spending::{Spending, SpendingView};
use crate::budget::stored::Budget;
use crate::budget::webhooks::Webhooks;
use crate::clock::Micros;
use crate::event::OrgId;
use crate::usage::StepSpan;

/// Amounts by their times and the versions with which they came.
#[derive(Debug, Default)]
pub struct Entries {
    by_time: BTreeMap<(Micros, u64), i128>,
    times: Vec<Micros>,
    declarations: usize,
}

impl Entries {
    pub fn add(&mut self, ts: Micros, units: i128) {
        self.times.push(ts);
        self.by_time.insert((ts, self.version()), units);
    }

    /// What counts is declared anew: twice as much was spent, although nothing came.
    pub fn redeclare(&mut self) {
        self.declarations += 1;
        self.by_time.values_mut().for_each(|units| *units *= 2);
    }

    pub fn version(&self) -> u64 {
        self.times.len() as u64
    }

    /// What was spent in a time, and the most that it ever was.
    pub fn spent(&self, span: StepSpan) -> (i128, i128) {
        let mut entries: Vec<_> = self
            .by_time
            .range((span.start, 0)..(span.end, 0))
            .map(|((_, version), units)| (*version, *units))
            .collect();
        entries.sort_unstable();
        let sums = entries.iter().scan(0, |sum, (_, units)| {
            *sum += units;
            Some(*sum)
        });
        let most = sums.max().unwrap_or(0);
        (entries.iter().map(|(_, units)| units).sum(), most)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Book(pub Arc<Mutex<Entries>>);

#[async_trait]
impl Spending for Book {
    async fn newest(&self) -> Result<Arc<dyn SpendingView>, BudgetError> {
        Ok(Arc::new(BookView { version: self.0.lock().version(), entries: self.0.clone() }))
    }
}

#[derive(Debug)]
struct BookView {
    version: u64,
    entries: Arc<Mutex<Entries>>,
}

#[async_trait]
impl SpendingView for BookView {
    fn version(&self) -> u64 {
        self.version
    }

    fn changed_since(&self, _: &OrgId, version: u64) -> Option<Vec<StepSpan>> {
        // Now and then it is not known.
        if version.is_multiple_of(97) {
            return None;
        }
        let times = &self.entries.lock().times;
        let since = times.iter().skip(version as usize);
        Some(since.map(|ts| StepSpan { start: *ts, end: ts + 1 }).collect())
    }

    fn declaration(&self, _: &Definition) -> Option<Arc<str>> {
        Some(self.entries.lock().declarations.to_string().into())
    }

    async fn spent(
        &self,
        _: &OrgId,
        _: &Definition,
        spans: &[StepSpan],
    ) -> Result<(u64, Vec<i128>), BudgetError> {
        let entries = self.entries.lock();
        Ok((entries.version(), spans.iter().map(|span| entries.spent(*span).0).collect()))
    }

    fn query(&self, _: &Definition, _: StepSpan) -> String {
        "SELECT 1".to_owned()
    }
}

/// A receiver of messages.
#[derive(Debug)]
pub struct Receiver {
    rng: fastrand::Rng,
    /// Answers 500 to everything.
    pub is_down: bool,
    /// Answers 410 to everything.
    pub is_gone: bool,
    /// Of so many messages one fails, is taken without an answer, or comes twice.
    pub one_odd_of: u32,
    /// Bodies by their ids.
    pub taken: BTreeMap<String, String>,
    pub repeats: usize,
    pub tries: usize,
}

#[derive(Debug, Clone)]
pub struct SharedReceiver(pub Arc<Mutex<Receiver>>);

impl SharedReceiver {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Receiver {
            rng: fastrand::Rng::with_seed(seed),
            is_down: false,
            is_gone: false,
            one_odd_of: 0,
            taken: BTreeMap::new(),
            repeats: 0,
            tries: 0,
        })))
    }

    pub fn lock(&self) -> parking_lot::MutexGuard<'_, Receiver> {
        self.0.lock()
    }
}

impl Receiver {
    fn take(&mut self, message: &Message) {
        let known = self.taken.insert(message.id.clone(), message.body.clone());
        if let Some(known) = known {
            assert_eq!(known, message.body, "the same on every try");
            self.repeats += 1;
        }
    }
}

#[async_trait]
impl Webhooks for SharedReceiver {
    async fn send(&self, _: &Budget, message: &Message) -> TryOutcome {
        let mut receiver = self.lock();
        receiver.tries += 1;
        let late = TryOutcome::Failed { reason: "no answer in time".to_owned(), retry_after: None };
        if receiver.is_gone {
            return TryOutcome::of_status(410, None);
        }
        if receiver.is_down {
            let asked = receiver.rng.bool().then(|| std::time::Duration::from_secs(600));
            return TryOutcome::of_status(503, asked);
        }
        let of = receiver.one_odd_of;
        match if of > 0 { receiver.rng.u32(0..of) } else { 4 } {
            0 => return TryOutcome::of_status(500, None),
            1 => return late,
            2 => {
                // It takes the message, and its answer comes too late.
                receiver.take(message);
                return late;
            }
            3 => receiver.take(message),
            _ => {}
        }
        receiver.take(message);
        TryOutcome::of_status(200, None)
    }
}
