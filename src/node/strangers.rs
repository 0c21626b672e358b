//! Connections over which nobody has shown the nodes' secret yet. They have some seconds for it, and give
//! way to new ones if there is no room, so that strangers cannot keep coordinators out.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a connection may take until the secret is shown.
pub(super) const SECRET_WAIT: Duration = Duration::from_secs(10);

/// The strangers of a node, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<StrangerLine>);

#[derive(Debug, Default)]
struct StrangerLine {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

impl Strangers {
    /// A connection that has just come.
    pub(super) fn come(self: &Arc<Self>) -> Stranger {
        let (leaves, known) = (CancellationToken::new(), CancellationToken::new());
        let mut line = self.0.lock();
        let number = line.next;
        line.next += 1;
        line.waiting.insert(number, leaves.clone());
        Stranger { all: self.clone(), number, leaves, known }
    }

    /// Makes the one that has waited longest leave; false if there is none.
    pub(super) fn dismiss(&self) -> bool {
        let first = self.0.lock().waiting.pop_first();
        first.inspect(|(_, leaves)| leaves.cancel()).is_some()
    }
}

/// A connection, and whether it is still that of a stranger.
#[derive(Debug)]
pub(super) struct Stranger {
    all: Arc<Strangers>,
    number: u64,
    leaves: CancellationToken,
    known: CancellationToken,
}

impl Stranger {
    /// The secret was shown: it may stay.
    pub(super) fn becomes_known(&self) {
        self.known.cancel();
        self.all.0.lock().waiting.remove(&self.number);
    }

    /// Returns once it has to leave: never, if the secret was shown.
    pub(super) async fn leaves(&self) {
        let late = async {
            if timeout(SECRET_WAIT, self.known.cancelled()).await.is_ok() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = late => {}
            () = self.leaves.cancelled() => {}
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.all.0.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_show_the_secret_leaves_and_the_first_one_first() {
        let all = Arc::new(Strangers::default());
        let (first, second, third) = (all.come(), all.come(), all.come());
        first.becomes_known();
        assert!(all.dismiss());
        second.leaves().await;
        assert!(timeout(SECRET_WAIT / 2, third.leaves()).await.is_err());
        timeout(SECRET_WAIT * 2, third.leaves()).await.unwrap();
        assert!(timeout(SECRET_WAIT * 9, first.leaves()).await.is_err());
        drop(third);
        assert!(!all.dismiss(), "nobody is left that would have to leave");
    }
}
