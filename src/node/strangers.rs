//! Connections over which nobody has shown the nodes' secret yet. They have some seconds for it, and give
//! way to new ones if there is no room, so that strangers cannot keep coordinators out.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::waiting_line::WaitingLine;

/// How long a connection may take until the secret is shown.
pub(super) const SECRET_WAIT: Duration = Duration::from_secs(10);

/// A connection that has just come, and whether it is still that of a stranger.
#[derive(Debug)]
pub(super) struct Stranger {
    line: Arc<WaitingLine>,
    ticket: u64,
    leaves: CancellationToken,
    known: CancellationToken,
}

impl Stranger {
    /// A connection that has just come, at the end of the line.
    pub(super) fn come(line: &Arc<WaitingLine>) -> Self {
        let (leaves, known) = (CancellationToken::new(), CancellationToken::new());
        let ticket = line.join(leaves.clone());
        Self { line: line.clone(), ticket, leaves, known }
    }

    /// The secret was shown: it may stay.
    pub(super) fn becomes_known(&self) {
        self.known.cancel();
        self.line.leave(self.ticket);
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
        self.line.leave(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_show_the_secret_leaves_and_the_first_one_first() {
        let all = Arc::<WaitingLine>::default();
        let [first, second, third] = [(); 3].map(|()| Stranger::come(&all));
        first.becomes_known();
        assert!(all.dismiss_first());
        second.leaves().await;
        assert!(timeout(SECRET_WAIT / 2, third.leaves()).await.is_err());
        timeout(SECRET_WAIT * 2, third.leaves()).await.unwrap();
        assert!(timeout(SECRET_WAIT * 9, first.leaves()).await.is_err());
        drop(third);
        assert!(!all.dismiss_first(), "nobody is left that would have to leave");
    }
}
