//! The server's side of one query: passes the answer on, and stops the worker when its time is up
//! or its client has disconnected.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::frame::{self, FrameKind, ROWS_BYTES_MAX};
use super::{Question, Turn, WorkerError, WorkerSettings};
use crate::telemetry::Telemetry;

/// Parts of an answer that wait for the client.
const PARTS_AHEAD: usize = 2;
/// How long a worker that has sent everything may take to end.
const EXIT_WAIT: Duration = Duration::from_secs(1);
/// The signal that the system sends after too much processor time.
const SIGXCPU: i32 = 24;

/// A process that waits for its question. It is killed when dropped.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: BufReader<ChildStdout>,
}

/// A part of a query's answer.
#[derive(Debug)]
enum Part {
    Rows(Bytes),
    End,
}

type PartResult = Result<Part, WorkerError>;

/// An answer that has begun. It is either completed or broken off.
#[derive(Debug)]
pub struct Reply {
    first: Option<Bytes>,
    rest: mpsc::Receiver<PartResult>,
    /// Why it was broken off while the client did not read.
    failure: Arc<OnceLock<WorkerError>>,
    ended: bool,
}

impl Reply {
    /// The bytes of the answer. If the last item is an error, the answer is incomplete.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, WorkerError>> + Send + 'static {
        futures::stream::unfold(self, |mut reply| async move {
            if let Some(first) = reply.first.take() {
                return Some((Ok(first), reply));
            }
            if reply.ended {
                return None;
            }
            let part = reply.rest.recv().await;
            let part =
                part.unwrap_or_else(|| Err(reply.failure.get().cloned().unwrap_or_else(died)));
            reply.ended = !matches!(part, Ok(Part::Rows(_)));
            match part {
                Ok(Part::Rows(rows)) => Some((Ok(rows), reply)),
                Ok(Part::End) => None,
                Err(error) => {
                    tracing::warn!(%error, "an answer broke off");
                    Some((Err(error), reply))
                }
            }
        })
    }
}

/// Has `worker` answer. Returns once the first rows or the end have arrived.
pub(super) async fn begin(
    worker: Worker,
    question: &Question,
    settings: &WorkerSettings,
    telemetry: Telemetry,
    turn: Turn,
) -> Result<Reply, WorkerError> {
    let question =
        serde_json::to_vec(question).map_err(|error| WorkerError::Broken(error.to_string()))?;
    let (sender, mut rest) = mpsc::channel(PARTS_AHEAD);
    let failure = Arc::default();
    let pump = Pump {
        worker,
        settings: settings.clone(),
        telemetry,
        sender,
        failure: Arc::clone(&failure),
    };
    tokio::spawn(async move {
        pump.run(&question).await;
        drop(turn);
    });
    match rest.recv().await.unwrap_or_else(|| Err(died()))? {
        Part::Rows(rows) => Ok(Reply { first: Some(rows), rest, failure, ended: false }),
        Part::End => Ok(Reply { first: None, rest, failure, ended: true }),
    }
}

fn died() -> WorkerError {
    WorkerError::Broken("the task of the query died".to_owned())
}

struct Pump {
    worker: Worker,
    settings: WorkerSettings,
    telemetry: Telemetry,
    sender: mpsc::Sender<PartResult>,
    failure: Arc<OnceLock<WorkerError>>,
}

/// How a query ended.
enum Ended {
    /// Everything was passed on.
    Whole,
    /// The query failed with this error.
    Failed(WorkerError),
    /// The client has disconnected.
    Left,
}

impl Pump {
    async fn run(mut self, question: &[u8]) {
        let telemetry = self.telemetry.clone();
        let (start, meters) = (Instant::now(), &telemetry.sql);
        meters.queries.inc();
        meters.running.add(1);
        let deadline = start + self.settings.timeout;
        let listener = self.sender.clone();
        let ended = tokio::select! {
            ended = timeout_at(deadline, self.answer(question)) => {
                ended.unwrap_or_else(|_| Ended::Failed(self.too_long()))
            }
            () = listener.closed() => Ended::Left,
        };
        // The result of any work still going on is not needed.
        let _ = self.worker.child.start_kill();
        match ended {
            Ended::Whole => {}
            Ended::Left => meters.cancelled.inc(),
            Ended::Failed(error) => {
                if matches!(error, WorkerError::Exceeded(_)) {
                    meters.exceeded.inc();
                }
                // A client that reads nothing finds it behind what waits for it.
                let _ = self.failure.set(error.clone());
                let _ = self.sender.try_send(Err(error));
            }
        }
        meters.running.sub(1);
        meters.durations.observe(start.elapsed());
        // So that no zombie process remains.
        let _ = self.worker.child.wait().await;
    }

    async fn answer(&mut self, question: &[u8]) -> Ended {
        let sent = async {
            let stdin = &mut self.worker.stdin;
            stdin.write_all(&frame::head(FrameKind::Question, question.len())?).await?;
            stdin.write_all(question).await?;
            stdin.flush().await
        };
        if sent.await.is_err() {
            return Ended::Failed(self.why_it_died().await);
        }
        loop {
            let part = match frame::receive(&mut self.worker.stdout).await {
                Ok((FrameKind::Rows, rows)) if rows.len() <= ROWS_BYTES_MAX => Part::Rows(rows),
                Ok((FrameKind::End, _)) => Part::End,
                Ok((FrameKind::Error, error)) => return Ended::Failed(told(&error)),
                Ok(_) => return Ended::Failed(told(&[])),
                Err(_) => return Ended::Failed(self.why_it_died().await),
            };
            let end = matches!(part, Part::End);
            if self.sender.send(Ok(part)).await.is_err() {
                return Ended::Left;
            }
            if end {
                return Ended::Whole;
            }
        }
    }

    /// Why a worker ended before its answer was complete.
    async fn why_it_died(&mut self) -> WorkerError {
        let ended = tokio::time::timeout(EXIT_WAIT, self.worker.child.wait()).await;
        let Ok(Ok(status)) = ended else {
            return WorkerError::Broken("a worker closed its pipes".to_owned());
        };
        tracing::warn!(%status, "a query ended its worker");
        match status.signal() {
            Some(SIGXCPU) => self.too_long(),
            Some(_) => self.too_large(),
            None => WorkerError::Broken(format!("a worker ended with {}", code(status))),
        }
    }

    fn too_long(&self) -> WorkerError {
        WorkerError::Exceeded(format!(
            "the query and the reading of its answer took longer than {:?} (--sql-timeout); ask \
             for less, such as fewer dates",
            self.settings.timeout
        ))
    }

    fn too_large(&self) -> WorkerError {
        WorkerError::Exceeded(format!(
            "the query needs more than {} MiB of memory (--sql-memory) or nests too deeply; ask for \
             fewer rows or groups, or smaller values",
            self.settings.memory_bytes >> 20
        ))
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_default()
}

/// The error that a worker sent.
fn told(error: &[u8]) -> WorkerError {
    serde_json::from_slice(error)
        .unwrap_or_else(|_| WorkerError::Broken("a worker sent an unreadable error".to_owned()))
}
