//! SIGINT and SIGTERM, for every command and at any time.
//!
//! A thread of its own waits for them, whatever keeps the others: a query, a store that does not
//! answer, a pipe that nobody writes to. Where nothing else was asked for, the process ends at once, as if it
//! were killed: what it writes to an archive bears that. A command that wants to end by itself is
//! told of the first signal; the second ends the process.

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
    /// The exit status of what it ended, as shells tell it.
    fn status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// What is done about the next signal.
enum Plan {
    /// The process ends.
    End,
    /// So it does, and successfully: a server that is asked to stop before it serves has stopped.
    EndWell,
    /// The command is told, and ends by itself, within a time.
    Tell(oneshot::Sender<()>, Option<Duration>),
    /// At an interrupt a query ends, and the process goes on.
    Cancel(oneshot::Sender<()>),
}

struct State {
    plan: Plan,
    /// The signal that the command was told of.
    told: Option<Signal>,
}

static STATE: Mutex<State> = Mutex::new(State { plan: Plan::End, told: None });

/// Catches signals from here on.
///
/// # Errors
/// If the system does not let it.
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
                // Who asked for it waits.
                let _ = ready.send(Ok(()));
                runtime.block_on(wait(interrupt, terminate));
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    })?;
    let caught = is_ready.recv().unwrap_or_else(|gone| Err(std::io::Error::other(gone)));
    caught.map_err(|error| anyhow::anyhow!("cannot catch signals: {error}"))
}

/// Until something else is asked for, a signal is no failure.
pub(super) fn end_well() {
    STATE.lock().plan = Plan::EndWell;
}

/// Is done at the first signal from here on; the command then ends by itself, however long that takes.
pub(super) fn told() -> impl Future<Output = ()> {
    tell(None)
}

/// The same for a job, which may be killed: it is, if it has not ended after two seconds.
pub(super) fn job_told() -> impl Future<Output = ()> {
    tell(Some(WITHIN))
}

fn tell(within: Option<Duration>) -> impl Future<Output = ()> {
    plan(move |told| Plan::Tell(told, within))
}

/// Is done at the first SIGINT from here on, for a query; the process goes on.
pub(super) fn query_interrupted() -> impl Future<Output = ()> {
    plan(Plan::Cancel)
}

fn plan(plan: impl FnOnce(oneshot::Sender<()>) -> Plan) -> impl Future<Output = ()> {
    let (sender, told) = oneshot::channel();
    STATE.lock().plan = plan(sender);
    async move {
        if told.await.is_err() {
            // Something else was planned.
            std::future::pending::<()>().await;
        }
    }
}

/// The exit status of a command that was told of a signal, and ended by itself.
pub(super) fn exit_code() -> ExitCode {
    STATE.lock().told.map_or(ExitCode::FAILURE, |signal| ExitCode::from(signal.status()))
}

async fn wait(mut interrupt: Signals, mut terminate: Signals) {
    loop {
        let signal = tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        };
        let plan = std::mem::replace(&mut STATE.lock().plan, Plan::End);
        match plan {
            Plan::EndWell => end(0),
            Plan::Tell(told, within) => {
                STATE.lock().told = Some(signal);
                if told.send(()).is_err() {
                    end(signal.status());
                }
                if let Some(within) = within {
                    tokio::spawn(end_after(within, signal));
                }
            }
            Plan::Cancel(cancelled) if signal == Signal::Interrupt => {
                if cancelled.send(()).is_err() {
                    end(signal.status());
                }
            }
            Plan::End | Plan::Cancel(_) => end(signal.status()),
        }
    }
}

async fn end_after(within: Duration, signal: Signal) {
    tokio::time::sleep(within).await;
    // Without a word: who reads stderr may be what it hangs on.
    end(signal.status());
}

/// Ends the process, and leaves no file that is not whole.
fn end(status: u8) -> ! {
    new_file::remove_unfinished();
    std::process::exit(status.into())
}
