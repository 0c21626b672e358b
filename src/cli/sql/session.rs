//! The session that runs statements and writes results: each statement sees the newest version of
//! the table.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::format::{OutputFormat, ResultWriter};
use crate::archive::{Archive, ArchiveLocation, ArchiveMark, DataFile, Snapshot};
use crate::cli::open;
use crate::cli::print::unwritten;
use crate::new_file::NewFile;
use crate::sql::{
    Asker, Console, FilesRead, Nodes, QueryProgress, Spread, SqlError, split_statements,
};

/// The most rows of a table on a terminal.
const TERMINAL_ROWS_MAX: u64 = 200;

/// A query that takes longer gets a note that it is running.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the note is updated.
const TICK: Duration = Duration::from_millis(200);

/// Batches that are computed before they are written.
const BATCHES_AHEAD: usize = 2;

/// An archive to query, and the destination of results.
pub(super) struct Session {
    archive: Archive,
    console: Console,
    /// The nodes over which queries are spread, if there are any.
    nodes: Option<Nodes>,
    org: Option<String>,
    /// The format of results.
    pub format: OutputFormat,
    location: ArchiveLocation,
    out: Out,
    on_terminal: bool,
    /// Whether the reader of the results has gone.
    closed: bool,
}

/// The destination of results.
enum Out {
    Stdout(BufWriter<Stdout>),
    File(PathBuf, Box<NewFile>),
    Nowhere,
}

impl Out {
    /// The error, with the destination if that is what cannot be written.
    fn told(&self, error: anyhow::Error) -> anyhow::Error {
        match (error.downcast_ref(), self) {
            (Some(error), Self::File(file, _)) => cannot_write(file, error),
            (Some(error), _) => unwritten(error),
            (None, _) => error,
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(_, out) => out.write(bytes),
            Self::Nowhere => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(_, out) => out.flush(),
            Self::Nowhere => Ok(()),
        }
    }
}

impl Session {
    pub(super) fn new(
        archive: Archive,
        location: ArchiveLocation,
        org: Option<String>,
        format: OutputFormat,
    ) -> anyhow::Result<Self> {
        let console = Console::new(archive.store())?;
        let mut session = Self {
            archive,
            console,
            nodes: None,
            org,
            format,
            location,
            out: Out::Nowhere,
            on_terminal: false,
            closed: false,
        };
        session.write_to(None)?;
        Ok(session)
    }

    /// Spreads queries over nodes from now on, all of which must be there.
    pub(super) async fn spread_over(&mut self, nodes: Nodes) -> anyhow::Result<()> {
        self.console = Console::for_nodes(self.archive.store())?;
        let snapshot = self.archive.newest().await?;
        let mark = ArchiveMark::of(&*self.archive.store(), &snapshot).await?;
        self.console.hello(Spread { nodes: &nodes, mark }).await?;
        self.nodes = Some(nodes);
        Ok(())
    }

    /// Sends results to a file, or to stdout.
    pub(super) fn write_to(&mut self, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else {
            self.out = Out::Stdout(BufWriter::new(io::stdout()));
            self.on_terminal = io::stdout().is_terminal();
            return Ok(());
        };
        open::refuse_in_archive(&self.location, file, "--output")?;
        let made = NewFile::create(file).map_err(|error| cannot_write(file, &error))?;
        self.out = Out::File(file.to_owned(), Box::new(made));
        self.on_terminal = false;
        Ok(())
    }

    /// Renames a file of results to its final name, or flushes stdout: also after a query was
    /// cancelled.
    pub(super) fn keep(&mut self) -> anyhow::Result<()> {
        match &mut self.out {
            Out::File(file, made) => made.keep().map_err(|error| cannot_write(file, &error)),
            out => {
                // The reader of the output may have gone.
                let _ = out.flush();
                Ok(())
            }
        }
    }

    /// The names that a query may use.
    pub(super) async fn names(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.console.names().await?)
    }

    /// Whether the reader of the results has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Runs the statements of a text, up to the first that fails; the last may lack its `;`.
    pub(super) async fn run_all(&mut self, text: &str) -> anyhow::Result<()> {
        let split = split_statements(text);
        let rest = Some(split.rest).filter(|rest| !rest.is_empty());
        for statement in split.whole.into_iter().chain(rest) {
            self.run(statement).await?;
            if self.closed {
                break;
            }
        }
        Ok(())
    }

    /// Runs one statement. If the future is dropped, it ends at once.
    pub(super) async fn run(&mut self, statement: &str) -> anyhow::Result<()> {
        match self.answer(statement).await {
            // The reader has seen enough.
            Err(error) if is_closed(&error) => {
                self.closed = true;
                self.out = Out::Nowhere;
                Ok(())
            }
            done => done.map_err(|error| self.out.told(error)),
        }
    }

    /// Runs a statement at the newest version. Starts again if its files were rewritten and removed
    /// by another process before a row was written.
    async fn answer(&mut self, statement: &str) -> anyhow::Result<()> {
        let mut snapshot = self.archive.newest().await?;
        loop {
            let mut begun = false;
            let error = match self.answer_at(&snapshot, statement, &mut begun).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let of_file = error.downcast_ref::<SqlError>().filter(|_| !begun);
            let newer = match of_file {
                Some(of_file) => self.archive.newer(&snapshot, of_file).await?,
                None => None,
            };
            snapshot = newer.ok_or(error)?;
        }
    }

    async fn answer_at(
        &mut self,
        snapshot: &Snapshot,
        statement: &str,
        begun: &mut bool,
    ) -> anyhow::Result<()> {
        let mut waiting = WaitingNote::start();
        let files: Vec<Arc<DataFile>> = snapshot.files().cloned().collect();
        let asker = Asker {
            org_id: self.org.as_deref().map(Arc::from),
            bound: None,
            dimensions: (*snapshot.table().dimensions).clone(),
        };
        let spread = match &self.nodes {
            Some(nodes) => {
                let mark = ArchiveMark::of(&*self.archive.store(), snapshot).await?;
                Some(Spread { nodes, mark })
            }
            None => None,
        };
        let answer = self.console.answer_spread(&files, &asker, spread, statement).await?;
        waiting.follow(answer.progress.clone());
        let rows_max = self.on_terminal.then_some(TERMINAL_ROWS_MAX);
        let mut writer = ResultWriter::new(self.format, answer.schema.clone(), rows_max);
        // In its own task, so that this future can be dropped while rows are computed.
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let mut computed = answer.batches;
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            while let Some(batch) = computed.next().await {
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        }));
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            if !*begun {
                waiting.end();
                writer.begin(&mut self.out)?;
                *begun = true;
            }
            writer.rows(&mut self.out, &batch)?;
        }
        // If the task died, the rows are incomplete.
        task.await.map_err(|error| anyhow::anyhow!("the query died: {error}; please report it"))?;
        waiting.end();
        if !*begun {
            writer.begin(&mut self.out)?;
        }
        Ok(writer.end(&mut self.out)?)
    }
}

fn cannot_write(file: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("cannot write {}: {error}; choose another --output", file.display())
}

fn is_closed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn read_of(FilesRead { done, all }: FilesRead) -> String {
    if all == 0 { String::new() } else { format!(", {done} of {all} files read") }
}

/// A note on stderr that a query is running; on a terminal only.
struct WaitingNote {
    bar: ProgressBar,
    query: Arc<OnceLock<QueryProgress>>,
    /// The thread that updates the note, until its sender is dropped.
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl WaitingNote {
    fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} running for {elapsed}{msg}") {
            bar.set_style(style);
        }
        let query = Arc::new(OnceLock::new());
        let (end, ended) = channel();
        let (shown, followed) = (bar.clone(), query.clone());
        // A dedicated thread, because a query may keep those of the runtime busy.
        let keeper = std::thread::spawn(move || keep(&shown, &followed, &ended));
        Self { bar, query, keeper: Some((end, keeper)) }
    }

    /// Shows the progress of the query from now on.
    fn follow(&self, query: QueryProgress) {
        // Set once, because a statement has one query.
        let _ = self.query.set(query);
    }

    fn end(&mut self) {
        if let Some((end, keeper)) = self.keeper.take() {
            drop(end);
            // The query does not depend on this thread.
            let _ = keeper.join();
        }
        self.bar.finish_and_clear();
    }
}

fn keep(bar: &ProgressBar, query: &OnceLock<QueryProgress>, ended: &Receiver<()>) {
    let mut pause = PATIENCE;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        if let Some(query) = query.get() {
            bar.set_message(read_of(query.files()));
        }
        bar.tick();
        pause = TICK;
    }
}

impl Drop for WaitingNote {
    fn drop(&mut self) {
        self.end();
    }
}
