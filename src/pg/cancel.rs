//! Cancelling queries: a client sends the number and the secret of another of its connections on a new
//! one, which gets no answer.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The number and the secret of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CancelKey {
    pub number: i32,
    pub secret: i32,
}

/// The query that a connection runs, if it runs one.
type Running = Arc<Mutex<Option<CancellationToken>>>;

/// All connections that can be asked to cancel their query.
#[derive(Debug, Default)]
pub(super) struct Cancels(Mutex<HashMap<CancelKey, Running>>);

impl Cancels {
    /// A connection, until the result is dropped.
    pub(super) fn register(self: &Arc<Self>) -> Cancellable {
        let mut all = self.0.lock();
        loop {
            let key = CancelKey { number: rand::random_range(1..i32::MAX), secret: rand::random() };
            if let std::collections::hash_map::Entry::Vacant(vacant) = all.entry(key) {
                let running = Running::default();
                vacant.insert(running.clone());
                return Cancellable { key, running, all: self.clone() };
            }
        }
    }

    /// Cancels the query that a connection runs now. Nobody learns whether there is one.
    pub(super) fn cancel(&self, key: CancelKey) {
        let running = self.0.lock().get(&key).cloned();
        if let Some(query) = running.and_then(|running| running.lock().clone()) {
            query.cancel();
        }
    }
}

/// A connection whose queries can be cancelled.
#[derive(Debug)]
pub(super) struct Cancellable {
    pub key: CancelKey,
    running: Running,
    all: Arc<Cancels>,
}

impl Cancellable {
    /// A query begins: what was asked before does not count.
    pub(super) fn begin(&self) -> CancellationToken {
        let query = CancellationToken::new();
        *self.running.lock() = Some(query.clone());
        query
    }

    /// The query has ended.
    pub(super) fn end(&self) {
        *self.running.lock() = None;
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_the_secret_cancels_the_query_that_runs() {
        let all = Arc::new(Cancels::default());
        let (one, other) = (all.register(), all.register());
        all.cancel(one.key);
        let query = one.begin();
        let others = other.begin();
        all.cancel(CancelKey { secret: one.key.secret.wrapping_add(1), ..one.key });
        assert!(!query.is_cancelled(), "nor by what was sent before it began");
        all.cancel(one.key);
        assert!(query.is_cancelled() && !others.is_cancelled());
        one.end();
        let next = one.begin();
        assert!(!next.is_cancelled());
        drop((one, other));
        assert!(all.0.lock().is_empty());
    }
}
