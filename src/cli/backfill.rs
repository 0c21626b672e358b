//! The command `tokenlake backfill`.

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use super::parse::{parse_count, parse_org_rule};
use super::price_choice::PriceArgs;
use super::print::{print_note, print_result};
use super::units::{ByteSize, parse_size};
use super::{open, signals};
use crate::app::{App, AppSettings};
use crate::archive::{ArchiveLocation, WriterSettings};
use crate::backfill::{
    BackfillError, FieldPair, InputFormat, Inputs, Job, JobSettings, MEMORY_BYTES, Outcome,
    Progress, ROWS_SHARE, parse_delimiter,
};
use crate::event::OrgRule;
use crate::price_book::PriceTables;
use crate::rollup::{SERIES_MAX, VALUES_MAX};
use crate::telemetry::Telemetry;

/// The least memory for known ids. A job that looks for ids in files while servers commit would
/// lose one race after another.
const IDS_BYTES_MIN: usize = 32 << 20;
/// Time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Time between two updates of a progress bar.
const BAR_EVERY: Duration = Duration::from_millis(200);
const BAR: &str = "{bar:30} {bytes} of {total_bytes}, {msg}, {eta} left";

/// The inputs of a backfill, and how to read them.
#[derive(Debug, ClapArgs)]
pub struct BackfillArgs {
    /// Files, folders, patterns (quoted), file:///PATH, s3://BUCKET/KEY (also az:, gs:), a folder
    /// of a Delta table, or - for stdin: NDJSON, JSON, CSV, TSV or Parquet, also compressed with
    /// gzip or zstd; or, with --format, what another program keeps of its calls.
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<String>,

    /// The organisation of all events; a row that names another is rejected. '*' takes each row's
    /// own org_id.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org_rule)]
    pub org: OrgRule,

    /// The format of all inputs: ndjson, json, csv, tsv or parquet; or what another program keeps of
    /// its calls: litellm (its S3 logger), claude-code (transcripts), codex (rollouts), bedrock
    /// (invocation logs). Default: by the ending of each; for stdin, by its first line.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", value_parser = InputFormat::parse)]
    pub format: Option<InputFormat>,

    /// The delimiter between the cells of CSV, such as ';' or tab.
    #[arg(long, env = "TOKENLAKE_DELIMITER", value_name = "CHAR", value_parser = parse_delimiter)]
    pub delimiter: Option<u8>,

    /// Take a field from a column of another name, or from inside an object:
    /// input_tokens=usage.input. May be given several times.
    #[arg(long, env = "TOKENLAKE_MAP", value_name = "FIELD=COLUMN", value_parser = FieldPair::parse)]
    pub map: Vec<FieldPair>,

    /// The value of a field for rows that have none or null. May be given several times.
    #[arg(long, env = "TOKENLAKE_DEFAULT", value_name = "FIELD=VALUE", value_parser = FieldPair::parse_default)]
    pub default: Vec<FieldPair>,

    /// Only read and check; write nothing and look for no duplicates.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,

    /// Write rejected rows to this file, as NDJSON: file, line, error, row.
    #[arg(long, env = "TOKENLAKE_REJECTS", value_name = "FILE")]
    pub rejects: Option<PathBuf>,

    /// How many series (provider and model) an organisation may have, as in serve.
    #[arg(long, env = "TOKENLAKE_MAX_SERIES", value_name = "N", default_value_t = SERIES_MAX, value_parser = parse_count)]
    pub max_series: usize,

    /// How many values of a dimension an organisation may have, as in serve.
    #[arg(long, env = "TOKENLAKE_MAX_DIMENSION_VALUES", value_name = "N", default_value_t = VALUES_MAX, value_parser = parse_count)]
    pub max_dimension_values: usize,

    /// Prices.
    #[command(flatten)]
    pub prices: PriceArgs,

    /// Memory for waiting rows and known ids; the process takes some more. Less memory makes more
    /// and smaller files.
    #[arg(long, env = "TOKENLAKE_MEMORY", value_name = "SIZE", default_value_t = ByteSize(MEMORY_BYTES), value_parser = parse_size)]
    pub memory: ByteSize,
}

/// Reads all inputs into the archive; exit status 1 if one could not be read.
pub(super) async fn run(
    location: &ArchiveLocation,
    args: BackfillArgs,
) -> anyhow::Result<ExitCode> {
    for (flag, pairs) in [("--map", &args.map), ("--default", &args.default)] {
        let mut seen = HashSet::new();
        if let Some(twice) = pairs.iter().map(FieldPair::field).find(|field| !seen.insert(*field)) {
            anyhow::bail!("{flag} names {twice} twice; give one {flag} {twice}=…");
        }
    }
    let inputs = Inputs::find(&args.inputs, args.format).await?;
    if let Some(note) = inputs.note() {
        print_note(&note);
    }
    let memory = usize::try_from(args.memory.0).unwrap_or(usize::MAX);
    let app = if args.dry_run { None } else { Some(app(location, memory, &args).await?) };
    let prices = match &app {
        Some(app) => app.admission().prices().await?,
        // Which rows are rejected does not depend on what the archive has.
        None => PriceTables::from(&args.prices).builtin()?,
    };
    if let Some(rejects) = &args.rejects {
        open::refuse_in_archive(location, rejects, "--rejects")?;
    }
    let progress = Arc::new(Progress::default());
    let settings = JobSettings {
        maps: args.map,
        defaults: args.default,
        delimiter: args.delimiter,
        rejects: args.rejects,
        held_bytes_max: memory / ROWS_SHARE,
        prices,
        ..JobSettings::new(args.org, open::clock().now())
    };
    let shown = show(progress.clone(), inputs.bytes());
    let job =
        Job::new(app.as_ref().map(App::admission).cloned(), inputs, settings, progress).await?;
    if job.done_before() > 0 {
        let rows = job.done_before();
        print_note(&format!(
            "going on after row {rows}: an earlier run brought in the rows before"
        ));
    }
    let outcome = job.run(signals::job_told()).await;
    drop(shown);
    if let Some(app) = &app {
        close(app, &outcome).await;
    }
    finish(outcome)
}

/// Ends with a totals snapshot, so that the first scrapes after much history are fast too.
async fn close(app: &App, outcome: &Outcome) {
    if outcome.summary.accepted > 0 && !outcome.stopped {
        // A missing snapshot costs time, never a number.
        if let Err(error) = app.snapshot_totals().await {
            tracing::warn!(%error, "no totals snapshot made; the first scrapes take longer");
        }
    }
    app.close().await;
}

fn finish(mut outcome: Outcome) -> anyhow::Result<ExitCode> {
    print_result(&serde_json::to_string(&outcome.summary)?);
    if outcome.left_out > 0 {
        let count = outcome.left_out;
        print_note(&format!("{count} values of attributes are not text and were left out"));
    }
    let unread = &mut outcome.unread;
    let alone = outcome.error.is_none() && !outcome.stopped && unread.count == 1;
    if let Some(why) = unread.first.pop_if(|_| alone) {
        return Err(why.into());
    }
    unread.first.iter().for_each(|why| print_note(&why.to_string()));
    if let Some(error) = outcome.error {
        return Err(error.into());
    }
    if outcome.unread.count > 0 && !outcome.stopped {
        return Err(BackfillError::Inputs(outcome.unread.count).into());
    }
    if outcome.stopped {
        print_note(
            "stopped; run the same command again to go on: rows that are in are not added twice",
        );
        return Ok(signals::exit_code());
    }
    Ok(ExitCode::SUCCESS)
}

/// Files are written with their partials, as by a server, and totals snapshots are made on the way,
/// so that little is left to add up at the end.
async fn app(
    location: &ArchiveLocation,
    memory: usize,
    args: &BackfillArgs,
) -> anyhow::Result<App> {
    let writer = WriterSettings {
        dedupe_bytes_max: (memory / 4).max(IDS_BYTES_MIN),
        // One commit at a time waits here, however large.
        queue_bytes_max: usize::MAX,
        ..WriterSettings::default()
    };
    let settings = AppSettings {
        writer,
        series_max: Some(args.max_series),
        dimension_values_max: args.max_dimension_values,
        prices: (&args.prices).into(),
        totals_work_max: Some(open::TOTALS_WORK_MAX),
        is_job: true,
        ..AppSettings::default()
    };
    Ok(App::open(open::store(location)?, open::clock(), Telemetry::new(), settings).await?)
}

/// Shows the job's progress until the handle is dropped.
fn show(progress: Arc<Progress>, bytes: u64) -> AbortOnDropHandle<()> {
    let bar = std::io::stderr().is_terminal().then(|| {
        let style =
            ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(bytes).with_style(style)
    });
    AbortOnDropHandle::new(tokio::spawn(async move {
        let began = Instant::now();
        // The bar clears itself when this task ends.
        let bar = bar.map(Cleared);
        loop {
            tokio::time::sleep(if bar.is_some() { BAR_EVERY } else { LINE_EVERY }).await;
            let rows = progress.rows();
            let rate = u128::from(rows) * 1_000 / began.elapsed().as_millis().max(1);
            let done = format!("{rows} rows, {rate} a second");
            match &bar {
                Some(Cleared(bar)) => {
                    bar.set_message(done);
                    bar.set_position(progress.bytes().min(bytes));
                }
                None => print_note(&format!("{} of {bytes} bytes, {done}", progress.bytes())),
            }
        }
    }))
}

/// A progress bar that is cleared when it is dropped.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
