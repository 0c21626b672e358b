//! Connections without a request under way, and the order in which they are dismissed.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::waiting_line::WaitingLine;

/// The activity of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    waiting: Arc<WaitingLine>,
    dismissed: CancellationToken,
    state: Mutex<PulseState>,
}

#[derive(Debug)]
struct PulseState {
    under_way: usize,
    begun: u64,
    /// When the last request under way ended.
    since: Instant,
    ticket: u64,
    /// Answers with parts that were handed over and not yet written.
    untaken: Vec<Untaken>,
}

/// An answer with parts that were handed over and not yet written.
#[derive(Debug)]
struct Untaken {
    request: u64,
    parts: usize,
    since: Instant,
}

/// The state of a connection that waits for a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    /// How many requests came before.
    pub(super) begun: u64,
    /// When it began to wait.
    pub(super) since: Instant,
}

impl Pulse {
    /// A new connection, which waits.
    pub(super) fn new(waiting: Arc<WaitingLine>) -> Arc<Self> {
        let dismissed = CancellationToken::new();
        let ticket = waiting.join(dismissed.clone());
        let since = Instant::now();
        let state = PulseState { under_way: 0, begun: 0, since, ticket, untaken: Vec::new() };
        Arc::new(Self { waiting, dismissed, state: Mutex::new(state) })
    }

    /// Begins a request, which is under way until the result is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        let mut state = self.state.lock();
        state.under_way += 1;
        state.begun += 1;
        if state.under_way == 1 {
            self.waiting.leave(state.ticket);
        }
        let is_alone = state.under_way == 1;
        UnderWay { pulse: self.clone(), request: state.begun, is_alone, _place: None }
    }

    /// The state while it waits; `None` while a request is under way.
    pub(super) fn wait(&self) -> Option<Wait> {
        let state = self.state.lock();
        (state.under_way == 0).then_some(Wait { begun: state.begun, since: state.since })
    }

    /// Since when the slowest answer has had parts handed over and not written; `None` if no answer
    /// has any.
    pub(super) fn untaken_since(&self) -> Option<Instant> {
        self.state.lock().untaken.iter().map(|answer| answer.since).min()
    }

    /// Whether no request is under way.
    pub(super) fn is_waiting(&self) -> bool {
        self.wait().is_some()
    }

    /// Completes once another connection needs this one's place.
    pub(super) fn dismissed(&self) -> WaitForCancellationFuture<'_> {
        self.dismissed.cancelled()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.waiting.leave(self.state.lock().ticket);
    }
}

/// A request that is under way, until its answer is written.
#[derive(Debug)]
pub(super) struct UnderWay {
    pulse: Arc<Pulse>,
    request: u64,
    /// Whether the connection had no other request under way when this one began.
    is_alone: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl UnderWay {
    /// Takes a place of `more`, unless this is the connection's only request. The error is the same
    /// request without a place, if there is none left.
    pub(super) fn with_place(mut self, more: &Arc<Semaphore>) -> Result<Self, Self> {
        if self.is_alone {
            return Ok(self);
        }
        match more.clone().try_acquire_owned() {
            Ok(place) => {
                self._place = Some(place);
                Ok(self)
            }
            Err(_) => Err(self),
        }
    }

    /// Counts a part of the answer that is handed over to be written.
    pub(super) fn hand_over(&self) {
        let untaken = &mut self.pulse.state.lock().untaken;
        match untaken.iter_mut().find(|answer| answer.request == self.request) {
            Some(answer) => answer.parts += 1,
            None => {
                let since = Instant::now();
                untaken.push(Untaken { request: self.request, parts: 1, since });
            }
        }
    }

    /// Counts a part of the answer that was written or dropped with its connection.
    pub(super) fn taken(&self) {
        let untaken = &mut self.pulse.state.lock().untaken;
        let Some(at) = untaken.iter().position(|answer| answer.request == self.request) else {
            return;
        };
        match untaken.get_mut(at) {
            Some(answer) if answer.parts > 1 => answer.parts -= 1,
            _ => drop(untaken.swap_remove(at)),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Pulse { waiting, dismissed, state } = &*self.pulse;
        let mut state = state.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.since = Instant::now();
            state.ticket = waiting.join(dismissed.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_longest_goes_first_and_who_works_does_not_go() {
        let waiting = Arc::<WaitingLine>::default();
        let connections = [(); 3].map(|()| Pulse::new(waiting.clone()));
        let dismissed = || connections.each_ref().map(|pulse| pulse.dismissed.is_cancelled());
        let work = connections[0].begin();
        assert!(waiting.dismiss_first());
        assert_eq!(dismissed(), [false, true, false]);
        // It waits again, now after the third.
        drop(work);
        assert!(waiting.dismiss_first());
        assert_eq!(dismissed(), [false, true, true]);
        assert!(waiting.dismiss_first());
        assert_eq!(dismissed(), [true, true, true]);
        assert!(!waiting.dismiss_first());
    }

    #[test]
    fn one_request_of_a_connection_needs_no_place_and_others_do() {
        let more = Arc::new(Semaphore::new(1));
        let connections = [(); 2].map(|()| Pulse::new(Arc::default()));
        let begin = |at: usize| connections[at].begin().with_place(&more);
        let first = begin(0).unwrap();
        let second = begin(0).unwrap();
        let refused = begin(0).unwrap_err();
        let other = begin(1).unwrap();
        assert_eq!(more.available_permits(), 0);
        drop((refused, first));
        begin(0).unwrap_err();
        drop(second);
        assert_eq!(more.available_permits(), 1);
        drop(begin(0).unwrap());
        drop(other);
    }

    #[test]
    fn one_that_ended_is_not_dismissed() {
        let waiting = Arc::<WaitingLine>::default();
        drop(Pulse::new(waiting.clone()));
        assert!(!waiting.dismiss_first());
    }
}
