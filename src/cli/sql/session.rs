//! Asking and writing: each statement sees the newest version of the table.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::TERMINAL_ROWS_MAX;
use super::format::Writer;
use super::split::split;
use crate::archive::{Archive, DataFile};
use crate::cli::args::SqlFormat;
use crate::sql::Console;

/// A query that takes longer is said to be under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// Batches that are computed before they are written.
const BATCHES_AHEAD: usize = 2;

/// An archive that questions are put to, and where the answers go.
pub(super) struct Session {
    archive: Archive,
    console: Console,
    org: Option<String>,
    /// The form of results.
    pub format: SqlFormat,
    out: Box<dyn Write + Send>,
    on_terminal: bool,
    /// The reader of the results has gone.
    closed: bool,
}

impl Session {
    pub(super) fn new(
        archive: Archive,
        org: Option<String>,
        format: SqlFormat,
    ) -> anyhow::Result<Self> {
        let console = Console::new(archive.store())?;
        let mut session = Self {
            archive,
            console,
            org,
            format,
            out: Box::new(io::sink()),
            on_terminal: false,
            closed: false,
        };
        session.write_to(None)?;
        Ok(session)
    }

    /// Sends results to a file, or to stdout.
    pub(super) fn write_to(&mut self, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else {
            self.out = Box::new(BufWriter::new(io::stdout()));
            self.on_terminal = io::stdout().is_terminal();
            return Ok(());
        };
        let opened = File::create(file).map_err(|error| {
            anyhow::anyhow!("cannot write {}: {error}; choose another --output", file.display())
        })?;
        self.out = Box::new(BufWriter::new(opened));
        self.on_terminal = false;
        Ok(())
    }

    /// What a query may name.
    pub(super) async fn names(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.console.names().await?)
    }

    /// True if nobody reads the results any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Shows what a query that was cancelled has written.
    pub(super) fn flush(&mut self) {
        // Whether it can be shown is told by the next query.
        let _ = self.out.flush();
    }

    /// Answers the statements of a text, the last with or without its `;`, up to the first that
    /// fails.
    pub(super) async fn run_all(&mut self, text: &str) -> anyhow::Result<()> {
        let split = split(text);
        let rest = Some(split.rest).filter(|rest| !rest.is_empty());
        for statement in split.whole.into_iter().chain(rest) {
            self.run(statement).await?;
            if self.closed {
                break;
            }
        }
        Ok(())
    }

    /// Answers one statement. Dropped, it ends at once.
    pub(super) async fn run(&mut self, statement: &str) -> anyhow::Result<()> {
        match self.answer(statement).await {
            // Whoever reads has seen enough.
            Err(error) if is_closed(&error) => {
                self.closed = true;
                self.out = Box::new(io::sink());
                Ok(())
            }
            done => done,
        }
    }

    async fn answer(&mut self, statement: &str) -> anyhow::Result<()> {
        let waiting = Waiting::start();
        let files: Vec<Arc<DataFile>> = self.archive.newest().await?.files().cloned().collect();
        let answer = self.console.query(&files, self.org.as_deref(), statement).await?;
        let rows_max = self.on_terminal.then_some(TERMINAL_ROWS_MAX);
        let mut writer = Writer::new(self.format, answer.schema.clone(), rows_max);
        // In a task of its own, so that this one is free to be dropped while rows are computed.
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let mut computed = answer.batches;
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            while let Some(batch) = computed.next().await {
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        }));
        let mut begun = false;
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            if !begun {
                waiting.end();
                writer.begin(&mut self.out)?;
                begun = true;
            }
            writer.rows(&mut self.out, &batch)?;
        }
        // Rows that end because their task died are not all rows.
        task.await.map_err(|error| anyhow::anyhow!("the query died: {error}; please report it"))?;
        waiting.end();
        if !begun {
            writer.begin(&mut self.out)?;
        }
        Ok(writer.end(&mut self.out)?)
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A note on stderr that a query is under way; on a terminal only.
struct Waiting {
    bar: ProgressBar,
    task: tokio::task::JoinHandle<()>,
}

impl Waiting {
    fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} running for {elapsed}") {
            bar.set_style(style);
        }
        let (shown, began) = (bar.clone(), Instant::now());
        let task = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE.saturating_sub(began.elapsed())).await;
            shown.enable_steady_tick(Duration::from_millis(200));
        });
        Self { bar, task }
    }

    fn end(&self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end();
    }
}
