//! The handling of SIGINT and SIGTERM, for every command and at any time.
//!
//! A dedicated thread waits for them, whatever blocks the other threads: a query, a store that does
//! not answer, a pipe without a writer. By default the process then ends at once, as if it were
//! killed; its writes to an archive tolerate that. A command that wants to end by itself is
//! notified of the first signal; the second ends the process.

use std::process::ExitCode;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::oneshot;

use crate::new_file;

/// How long a job may take to end by itself.
const WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    /// The exit status of a process that it ended, as in shells.
    fn status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// The reaction to the next signal.
enum OnSignal {
    /// The process ends.
    End,
    /// The process ends with success: a server that is stopped before it serves has stopped.
    EndWell,
    /// The command is notified and ends by itself, within the time if there is one.
    Tell(oneshot::Sender<()>, Option<Duration>),
    /// An interrupt ends the query, and the process goes on.
    Cancel(oneshot::Sender<()>),
}

struct SignalState {
    plan: OnSignal,
    /// The signal that the command was notified of.
    told: Option<Signal>,
}

static STATE: Mutex<SignalState> = Mutex::new(SignalState { plan: OnSignal::End, told: None });

/// Starts to catch signals.
///
/// # Errors
/// If the system refuses.
pub(super) fn catch() -> anyhow::Result<()> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let caught = runtime.and_then(|runtime| {
            let caught = runtime.block_on(async {
                Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
            });
            caught.map(|caught| (runtime, caught))
        });
        match caught {
            Ok((runtime, (interrupt, terminate))) => {
                // The caller waits for this.
                let _ = ready.send(Ok(()));
                runtime.block_on(wait(interrupt, terminate));
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    })?;
    let caught = is_ready.recv().unwrap_or_else(|gone| Err(std::io::Error::other(gone)));
    caught.map_err(|error| anyhow::anyhow!("cannot catch signals: {error}"))
}

/// From now on, until another plan is set, a signal ends the process with success.
pub(super) fn end_well() {
    STATE.lock().plan = OnSignal::EndWell;
}

/// Completes at the first signal from now on; the command then ends by itself, however long that
/// takes.
pub(super) fn told() -> impl Future<Output = ()> {
    tell(None)
}

/// The same for a job, which is killed if it has not ended after two seconds.
pub(super) fn job_told() -> impl Future<Output = ()> {
    tell(Some(WITHIN))
}

fn tell(within: Option<Duration>) -> impl Future<Output = ()> {
    plan(move |told| OnSignal::Tell(told, within))
}

/// Completes at the first SIGINT from now on, for a query; the process goes on.
pub(super) fn query_interrupted() -> impl Future<Output = ()> {
    plan(OnSignal::Cancel)
}

fn plan(plan: impl FnOnce(oneshot::Sender<()>) -> OnSignal) -> impl Future<Output = ()> {
    let (sender, told) = oneshot::channel();
    STATE.lock().plan = plan(sender);
    async move {
        if told.await.is_err() {
            // Another plan has replaced this one.
            std::future::pending::<()>().await;
        }
    }
}

/// The exit status of a command that was notified of a signal and ended by itself.
pub(super) fn exit_code() -> ExitCode {
    STATE.lock().told.map_or(ExitCode::FAILURE, |signal| ExitCode::from(signal.status()))
}

async fn wait(mut interrupt: Signals, mut terminate: Signals) {
    loop {
        let signal = tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        };
        let plan = std::mem::replace(&mut STATE.lock().plan, OnSignal::End);
        match plan {
            OnSignal::EndWell => end(0),
            OnSignal::Tell(told, within) => {
                STATE.lock().told = Some(signal);
                if told.send(()).is_err() {
                    end(signal.status());
                }
                if let Some(within) = within {
                    tokio::spawn(end_after(within, signal));
                }
            }
            OnSignal::Cancel(cancelled) if signal == Signal::Interrupt => {
                if cancelled.send(()).is_err() {
                    end(signal.status());
                }
            }
            OnSignal::End | OnSignal::Cancel(_) => end(signal.status()),
        }
    }
}

async fn end_after(within: Duration, signal: Signal) {
    tokio::time::sleep(within).await;
    // Without a message: the process may be blocked on stderr itself.
    end(signal.status());
}

/// Ends the process, and removes files that are not whole.
fn end(status: u8) -> ! {
    new_file::remove_unfinished();
    std::process::exit(status.into())
}
