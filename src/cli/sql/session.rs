//! Asking and writing: each statement sees the newest version of the table.

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

use super::format::Writer;
use super::split::split;
use crate::archive::{Archive, ArchiveLocation, DataFile, Snapshot};
use crate::cli::args::SqlFormat;
use crate::cli::open;
use crate::new_file::NewFile;
use crate::sql::{Console, FilesRead, QueryProgress, SqlError};

/// Rows of a table on a terminal.
const TERMINAL_ROWS_MAX: u64 = 200;

/// A query that takes longer is said to be under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the note is brought up to date.
const TICK: Duration = Duration::from_millis(200);

/// Batches that are computed before they are written.
const BATCHES_AHEAD: usize = 2;

/// An archive that questions are put to, and where the answers go.
pub(super) struct Session {
    archive: Archive,
    console: Console,
    org: Option<String>,
    /// The form of results.
    pub format: SqlFormat,
    location: ArchiveLocation,
    out: Out,
    on_terminal: bool,
    /// The reader of the results has gone.
    closed: bool,
}

/// Where results go.
enum Out {
    Stdout(BufWriter<Stdout>),
    File(PathBuf, Box<NewFile>),
    Nowhere,
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
        format: SqlFormat,
    ) -> anyhow::Result<Self> {
        let console = Console::new(archive.store())?;
        let mut session = Self {
            archive,
            console,
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

    /// Gives a file of results its name, and shows what was written: also that of a query that was
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

    /// What a query may name.
    pub(super) async fn names(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.console.names().await?)
    }

    /// True if nobody reads the results any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
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
                self.out = Out::Nowhere;
                Ok(())
            }
            done => done,
        }
    }

    /// Answers at the newest version; anew where its files were rewritten and removed by others
    /// before a row was written.
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
        let mut waiting = Waiting::start();
        let files: Vec<Arc<DataFile>> = snapshot.files().cloned().collect();
        let answer = self.console.query(&files, self.org.as_deref(), statement).await?;
        waiting.follow(answer.progress.clone());
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
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            if !*begun {
                waiting.end();
                writer.begin(&mut self.out)?;
                *begun = true;
            }
            writer.rows(&mut self.out, &batch)?;
        }
        // Rows that end because their task died are not all rows.
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

/// A note on stderr that a query is under way; on a terminal only.
struct Waiting {
    bar: ProgressBar,
    query: Arc<OnceLock<QueryProgress>>,
    /// Keeps the note, until it is told to end.
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Waiting {
    fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} running for {elapsed}{msg}") {
            bar.set_style(style);
        }
        let query = Arc::new(OnceLock::new());
        let (end, ended) = channel();
        let (shown, followed) = (bar.clone(), query.clone());
        // A thread of its own: a query may keep those of the runtime busy.
        let keeper = std::thread::spawn(move || keep(&shown, &followed, &ended));
        Self { bar, query, keeper: Some((end, keeper)) }
    }

    /// Tells from now on how far the query is.
    fn follow(&self, query: QueryProgress) {
        // It is set once: a statement has one query.
        let _ = self.query.set(query);
    }

    fn end(&mut self) {
        if let Some((end, keeper)) = self.keeper.take() {
            drop(end);
            // Whether it died is no matter to the query.
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

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end();
    }
}
