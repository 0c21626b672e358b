//! The worker's side of a query: one question, one answer.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::ObjectStore;
use tokio::sync::oneshot;

use super::frame::{self, FrameKind, RowsWriter};
use super::limits::{self, WorkerLimits};
use super::{AnswerForm, Question, WorkerError};
use crate::archive::ArchiveLocation;
use crate::sql::{Console, FormWriter, QueryBounds, RowMessages, SqlError};

/// Threads that compute, and concurrent partitions of a plan.
const THREADS: usize = 2;
/// Threads that read files.
const READERS: usize = 4;
const STACK_BYTES: usize = 4 << 20;

/// The message of the first panic.
static PANIC: OnceLock<String> = OnceLock::new();

/// Answers the question on stdin and returns the exit code.
pub fn answer_one(location: &ArchiveLocation, limits: WorkerLimits) -> ExitCode {
    if limits::set(limits).is_err() {
        return ExitCode::FAILURE;
    }
    std::panic::set_hook(Box::new(|panic| {
        let _ = PANIC.set(panic.to_string());
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(READERS)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let answered = runtime.block_on(run(location, limits));
    // Threads that are still computing end with the process.
    runtime.shutdown_background();
    answered.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// An error is one of the pipes: the server is gone.
async fn run(location: &ArchiveLocation, limits: WorkerLimits) -> io::Result<()> {
    // All that does not need the question is done before it arrives.
    let prepared = prepare(location, limits).await;
    let question = question()?;
    let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut rows = RowsWriter::new(out.try_clone()?);
    let question = question.await.map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let answered = match prepared_at_last(prepared, location, limits).await {
        Ok(console) => answer(&console, &question, &mut rows).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(()) => rows.end(),
        Err(error) => {
            let error = PANIC.get().map_or(error, |words| of_panic(words));
            frame::write(&mut &out, FrameKind::Error, &serde_json::to_vec(&error)?)
        }
    }
}

async fn prepare(location: &ArchiveLocation, limits: WorkerLimits) -> Result<Console, WorkerError> {
    let store: Arc<dyn ObjectStore> =
        location.open().map_err(|error| WorkerError::Unavailable(error.to_string()))?;
    // The rest is for memory that no operator counts.
    let memory_bytes = usize::try_from(limits.memory_bytes / 4 * 3).unwrap_or(usize::MAX);
    let console = Console::within(store, QueryBounds { memory_bytes, partitions: THREADS });
    let console = console.map_err(|error| WorkerError::of(&error))?;
    // The first plan of a process takes longer than later ones.
    let first = console.query(&[], Some("nobody"), "SELECT count(*) FROM usage_hourly").await;
    first.map_err(|error| WorkerError::of(&error))?;
    Ok(console)
}

/// A worker may have been started long before its question, while the archive was away. What
/// failed then is tried again.
async fn prepared_at_last(
    prepared: Result<Console, WorkerError>,
    location: &ArchiveLocation,
    limits: WorkerLimits,
) -> Result<Console, WorkerError> {
    match prepared {
        Ok(console) => Ok(console),
        Err(_) => Box::pin(prepare(location, limits)).await,
    }
}

/// Reads the question in a thread, which then ends the process once the server is gone.
fn question() -> io::Result<oneshot::Receiver<Question>> {
    let (sender, receiver) = oneshot::channel();
    let watch = move || {
        let mut stdin = io::stdin().lock();
        let question = match frame::read(&mut stdin) {
            Ok((FrameKind::Question, bytes)) => serde_json::from_slice(&bytes).ok(),
            _ => None,
        };
        if let Some(question) = question {
            // A failed send means that the process is already ending.
            let _ = sender.send(question);
            let _ = stdin.read(&mut [0]);
        }
        std::process::exit(1);
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(watch)?;
    Ok(receiver)
}

async fn answer(
    console: &Console,
    question: &Question,
    out: &mut RowsWriter<File>,
) -> Result<(), WorkerError> {
    let failed = |error| WorkerError::of(&error);
    let files = question.files()?;
    let Question { asker, query, .. } = question;
    match &question.form {
        AnswerForm::Rows(format) => {
            let answer = console.answer(&files, asker, query).await.map_err(failed)?;
            let writer = FormWriter::new(*format, answer.schema);
            write_answer(AnswerWriter::Rows(writer), answer.batches, out).await
        }
        AnswerForm::Wire(wire) => {
            let answer = console.wire_answer(&files, asker, query, wire).await.map_err(failed)?;
            let messages = RowMessages::new(answer.schema, answer.names, &wire.binary);
            let messages = messages.map_err(WorkerError::Asked)?;
            let writer = AnswerWriter::Wire(messages, answer.parameters);
            write_answer(writer, answer.batches, out).await
        }
    }
}

/// Writes an answer's rows in its form.
enum AnswerWriter {
    Rows(FormWriter),
    Wire(RowMessages, Vec<u32>),
}

impl AnswerWriter {
    fn begin(&mut self, out: &mut RowsWriter<File>) -> io::Result<()> {
        match self {
            Self::Rows(writer) => writer.begin(out),
            Self::Wire(messages, parameters) => messages.describe(out, std::mem::take(parameters)),
        }
    }

    fn rows(&mut self, out: &mut RowsWriter<File>, batch: &RecordBatch) -> io::Result<()> {
        match self {
            Self::Rows(writer) => writer.rows(out, batch),
            Self::Wire(messages, _) => messages.rows(out, batch),
        }
    }

    fn end(self, out: &mut RowsWriter<File>) -> io::Result<()> {
        match self {
            Self::Rows(writer) => writer.end(out),
            Self::Wire(..) => Ok(()),
        }
    }
}

async fn write_answer(
    mut writer: AnswerWriter,
    mut batches: BoxStream<'static, Result<RecordBatch, SqlError>>,
    out: &mut RowsWriter<File>,
) -> Result<(), WorkerError> {
    let torn = |error: io::Error| WorkerError::Broken(error.to_string());
    let mut begun = false;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|error| WorkerError::of(&error))?;
        if batch.num_rows() == 0 {
            continue;
        }
        // A query that fails before its first rows has only an error as its answer.
        if !begun {
            writer.begin(out).map_err(torn)?;
            begun = true;
        }
        writer.rows(out, &batch).map_err(torn)?;
        out.flush().map_err(torn)?;
    }
    if !begun {
        writer.begin(out).map_err(torn)?;
    }
    writer.end(out).map_err(torn)
}

/// Converts a panic. Some functions panic if a value is too large to allocate.
fn of_panic(words: &str) -> WorkerError {
    if ["overflow", "capacity", "alloc"].iter().any(|word| words.contains(word)) {
        return WorkerError::Exceeded("the query makes a value that is too large".to_owned());
    }
    WorkerError::Broken(words.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;
    use crate::clock::SystemClock;
    use crate::telemetry::Telemetry;

    #[tokio::test]
    async fn an_archive_that_is_away_is_not_made_and_is_found_once_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("archive");
        let location = ArchiveLocation::parse(place.to_str().unwrap()).unwrap();
        let limits = WorkerLimits { memory_bytes: 256 << 20, cpu_seconds: 60 };
        let away = prepare(&location, limits).await;
        assert!(matches!(away, Err(WorkerError::Unavailable(_))), "{away:?}");
        assert!(!place.exists());
        let (store, clock) = (location.create().unwrap(), Arc::new(SystemClock));
        Archive::open(store, clock, Telemetry::new(), Default::default(), Default::default())
            .await
            .unwrap();
        prepared_at_last(away, &location, limits).await.unwrap();
    }
}
