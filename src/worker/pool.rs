//! Starts workers, and limits how many may run.

use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::BufReader;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::frame::ROWS_BYTES_MAX;
use super::reply::{self, Reply, Worker};
use super::settings::{Turn, WorkerSettings};
use super::{Question, WorkerError};
use crate::event::OrgId;
use crate::per_org::OrgShares;
use crate::telemetry::Telemetry;

/// How long a query waits for other queries to finish, if its client can ask again.
pub const TURN_WAIT: Duration = Duration::from_secs(2);
/// How long a spare worker waits for a question before it is stopped.
const SPARE_WAIT: Duration = Duration::from_secs(600);
/// Processors that a query can keep busy at once.
const PROCESSORS: u64 = 2;

/// Runs queries in workers.
#[derive(Debug)]
pub struct Workers {
    settings: WorkerSettings,
    telemetry: Telemetry,
    turns: Arc<Semaphore>,
    /// For each organisation, one turn fewer than all, so that none can use all of them.
    org_turns: OrgShares,
    /// A worker that was started ahead of its question, with its number.
    spare: Arc<Mutex<Option<(u64, Worker)>>>,
}

impl Workers {
    /// Starts no process yet: many servers never get a query.
    pub fn new(settings: WorkerSettings, telemetry: Telemetry) -> Self {
        let turns = Arc::new(Semaphore::new(settings.running_max));
        let org_turns = OrgShares::new(settings.running_max.saturating_sub(1));
        Self { settings, telemetry, turns, org_turns, spare: Arc::default() }
    }

    /// Waits until a query of an organisation may run, in the order in which its queries came.
    ///
    /// # Errors
    /// Busy.
    pub async fn turn(&self, org_id: &OrgId, patience: Duration) -> Result<Turn, WorkerError> {
        let org_turns = self.org_turns.of(org_id);
        let turn = async {
            let of_org = org_turns.acquire_owned().await;
            let of_all = self.turns.clone().acquire_owned().await;
            of_org.and_then(|of_org| Ok(Turn { _of_org: of_org, _of_all: of_all? }))
        };
        if let Ok(Ok(turn)) = tokio::time::timeout(patience, turn).await {
            return Ok(turn);
        }
        self.telemetry.sql.turned_away.inc();
        Err(WorkerError::Busy)
    }

    /// Has a worker answer a question. Returns once the first rows have arrived. Dropping the
    /// future stops the worker.
    ///
    /// # Errors
    /// The reason why there is no answer.
    pub async fn ask(&self, turn: Turn, question: &Question) -> Result<Reply, WorkerError> {
        let spare = self.spare.lock().take();
        let alive = spare.and_then(|(_, mut worker)| match worker.child.try_wait() {
            Ok(None) => Some(worker),
            _ => None,
        });
        let worker = match alive {
            Some(worker) => worker,
            None => self.start()?,
        };
        let answer = reply::begin(worker, question, &self.settings, self.telemetry.clone(), turn);
        self.keep_a_spare();
        answer.await
    }

    /// Starts a worker for the next query, if none is ready.
    fn keep_a_spare(&self) {
        let mut spare = self.spare.lock();
        if spare.is_some() {
            return;
        }
        match self.start() {
            Ok(worker) => {
                let number = self.telemetry.sql.workers.get();
                *spare = Some((number, worker));
                tokio::spawn(let_go(Arc::downgrade(&self.spare), number));
            }
            Err(error) => tracing::warn!(%error, "cannot start a spare worker"),
        }
    }

    fn start(&self) -> Result<Worker, WorkerError> {
        self.telemetry.sql.workers.inc();
        let settings = &self.settings;
        let cpu_seconds = (settings.timeout.as_secs() + 1) * PROCESSORS + 1;
        let mut command = Command::new(&settings.program);
        command
            .arg0("tokenlake")
            .arg("--archive")
            .arg(&settings.archive)
            .arg("sql-worker")
            .arg(settings.memory_bytes.to_string())
            .arg(cpu_seconds.to_string())
            // Allocators reserve address space ahead: the program's 1 GiB at a time, the system's
            // 64 MiB for each thread.
            .env("MIMALLOC_ARENA_RESERVE", "32MiB")
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for the server, which finishes the requests under way.
            .process_group(0)
            .kill_on_drop(true);
        let failed = |words: String| WorkerError::Broken(format!("no worker can start: {words}"));
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => {
                let stdout = BufReader::with_capacity(ROWS_BYTES_MAX, stdout);
                Ok(Worker { child, stdin, stdout })
            }
            _ => Err(failed("it has no pipes".to_owned())),
        }
    }
}

/// Stops a spare worker that stayed idle too long.
async fn let_go(spare: Weak<Mutex<Option<(u64, Worker)>>>, number: u64) {
    tokio::time::sleep(SPARE_WAIT).await;
    if let Some(spare) = spare.upgrade() {
        let mut spare = spare.lock();
        if spare.as_ref().is_some_and(|(at, _)| *at == number) {
            *spare = None;
        }
    }
}
