//! The command `tokenlake reprice`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use serde_json::json;

use super::key::ListFormat;
use super::parse::{parse_at, parse_org};
use super::price_choice::PriceChoice;
use super::print::{print_note, print_result};
use super::units::{ByteSize, parse_size};
use super::{open, signals};
use crate::app::{App, AppSettings};
use crate::archive::{Archive, ArchiveLocation, WriterSettings};
use crate::clock::Micros;
use crate::event::OrgId;
use crate::event::money::format_decimal;
use crate::price_book::{InForce, PriceTables};
use crate::printable::{counted, printable};
use crate::reprice::{RepriceOutcome, RepriceScope, Repricing, reprice};
use crate::sql::Engine;
use crate::telemetry::Telemetry;

/// Memory by default.
const MEMORY_BYTES: u64 = 512 << 20;
/// The least memory: with less, nearly each call would be a part and a commit of its own.
const MEMORY_BYTES_MIN: usize = 1 << 20;
/// The least memory for known ids.
const IDS_BYTES_MIN: usize = 32 << 20;

/// Which calls are priced anew.
#[derive(Debug, ClapArgs)]
pub struct RepriceArgs {
    /// The organisation. Default: all.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: Option<OrgId>,

    /// The first instant: a date, which is its midnight in UTC, or a time. Default: the first event.
    #[arg(long, env = "TOKENLAKE_FROM", value_name = "TIME", value_parser = parse_at)]
    pub from: Option<Micros>,

    /// The first instant that is left out. Default: none is.
    #[arg(long, env = "TOKENLAKE_TO", value_name = "TIME", value_parser = parse_at)]
    pub to: Option<Micros>,

    /// The provider, as events name it, in whichever case. Default: all.
    #[arg(long, env = "TOKENLAKE_PROVIDER", value_name = "NAME")]
    pub provider: Option<String>,

    /// The model, as events name it, in whichever case. Default: all.
    #[arg(long, env = "TOKENLAKE_MODEL", value_name = "NAME")]
    pub model: Option<String>,

    /// Also calls whose cost a table has told. Without it, only those that have no price yet. What was
    /// reported stays in any case.
    #[arg(long, env = "TOKENLAKE_ALL")]
    pub all: bool,

    /// Show by organisation and model what would change, and write nothing.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,

    /// Which tables tell the prices: those that were imported, with the built-in list prices under them;
    /// none; or imported ones alone.
    #[arg(long, env = "TOKENLAKE_PRICES", value_name = "TABLES", default_value = "builtin")]
    pub prices: PriceChoice,

    /// Memory for earlier corrections, corrections that wait and known ids; the process takes some more.
    /// Less memory takes more time.
    #[arg(long, env = "TOKENLAKE_MEMORY", value_name = "SIZE", default_value_t = ByteSize(MEMORY_BYTES), value_parser = parse_size)]
    pub memory: ByteSize,

    /// The format of what is shown.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
    pub format: ListFormat,
}

/// Prices calls anew, and writes the differences as corrections.
pub(super) async fn run(location: &ArchiveLocation, args: RepriceArgs) -> anyhow::Result<ExitCode> {
    if let (Some(from), Some(to)) = (args.from, args.to) {
        anyhow::ensure!(from <= to, "--from is after --to");
    }
    let outcome = if args.dry_run {
        // An archive that is opened for reading writes nothing, not even notes of its own.
        let archive = open::existing(location).await?;
        Box::pin(work(&archive, &args)).await?
    } else {
        let app = app(location, &args).await?;
        let outcome = Box::pin(work(app.archive(), &args)).await;
        app.close().await;
        outcome?
    };
    finish(&args, outcome)
}

/// As a backfill has it: files are written with their sums.
async fn app(location: &ArchiveLocation, args: &RepriceArgs) -> anyhow::Result<App> {
    let store = open::existing_archive(location).await?;
    let writer = WriterSettings {
        dedupe_bytes_max: (memory(args) / 4).max(IDS_BYTES_MIN),
        // One commit at a time waits here, however large.
        queue_bytes_max: usize::MAX,
        ..WriterSettings::default()
    };
    let totals_work_max = Some(open::TOTALS_WORK_MAX);
    let settings = AppSettings { writer, totals_work_max, is_job: true, ..AppSettings::default() };
    Ok(App::open(store, open::clock(), Telemetry::new(), settings).await?)
}

fn memory(args: &RepriceArgs) -> usize {
    usize::try_from(args.memory.0).unwrap_or(usize::MAX).max(MEMORY_BYTES_MIN)
}

async fn work(archive: &Archive, args: &RepriceArgs) -> anyhow::Result<RepriceOutcome> {
    let clock = open::clock();
    let book = PriceTables::from(args.prices).book(archive.records().clone(), clock.clone())?;
    let in_force = match book {
        Some(book) => book.current().await?,
        None => Arc::<InForce>::default(),
    };
    let engine = Engine::new(archive.store())?;
    let scope = RepriceScope {
        org_id: args.org.clone(),
        from: args.from,
        to: args.to,
        provider: args.provider.clone(),
        model: args.model.clone(),
        all: args.all,
    };
    let repricing = Repricing {
        archive,
        engine: &engine,
        prices: in_force.prices(),
        clock: &*clock,
        scope,
        dry_run: args.dry_run,
        memory_bytes: memory(args),
    };
    Ok(reprice(&repricing, signals::job_told(), |line| print_note(&line)).await)
}

fn finish(args: &RepriceArgs, outcome: RepriceOutcome) -> anyhow::Result<ExitCode> {
    match args.format {
        ListFormat::Table => print_table(&outcome),
        ListFormat::Json => print_result(&as_json(&outcome).to_string()),
    }
    notes(args, &outcome).iter().for_each(|line| print_note(line));
    if let Some(error) = outcome.error {
        return Err(error.into());
    }
    if outcome.stopped {
        print_note(
            "stopped; run the same command again to go on: what is corrected is not corrected twice",
        );
        return Ok(signals::exit_code());
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(outcome: &RepriceOutcome) {
    print_result(&format!(
        "{:<24}  {:<40}  {:>10}  {:>20}",
        "ORG", "MODEL", "EVENTS", "DIFFERENCE"
    ));
    for (org, model, change) in outcome.changes.iter() {
        let (model, difference) = (printable(model.unwrap_or("-")), format_decimal(change.units));
        let difference = difference.to_string();
        print_result(&format!("{org:<24}  {model:<40}  {:>10}  {difference:>20}", change.events));
    }
}

fn as_json(outcome: &RepriceOutcome) -> serde_json::Value {
    let changes = outcome.changes.iter().map(|(org, model, change)| {
        let difference = format_decimal(change.units).to_string();
        json!({ "org_id": org, "model": model, "events": change.events, "difference_usd": difference })
    });
    let left = outcome.left;
    json!({
        "changes": changes.collect::<Vec<_>>(),
        "written": outcome.written,
        "written_by_others": outcome.already,
        "left_without_price": left.without_price,
        "left_too_large": left.too_large,
        "left_expired": left.expired,
    })
}

/// What people are told besides.
fn notes(args: &RepriceArgs, outcome: &RepriceOutcome) -> Vec<String> {
    let mut notes = Vec::new();
    let corrections = |count| counted(count, "correction");
    notes.push(match args.dry_run {
        true => {
            let written = corrections(outcome.changes.total().events);
            format!("{written} would be written; nothing was")
        }
        false => {
            let were = if outcome.written == 1 { "was" } else { "were" };
            format!("{} {were} written", corrections(outcome.written))
        }
    });
    if outcome.already > 0 {
        let others = corrections(outcome.already);
        notes
            .push(format!("written by others at the same time: {others}; run it again to be sure"));
    }
    let mut left = |count: u64, what: &str| {
        if count > 0 {
            notes.push(format!("left as before: {}{what}", counted(count, "call")));
        }
    };
    left(outcome.left.without_price, " for which these tables have no price");
    left(outcome.left.too_large, " whose cost would change by a million dollars or more");
    let floor = outcome.floor.map(|floor| format!(" before {floor}")).unwrap_or_default();
    left(outcome.left.expired, &format!("{floor}, as expired"));
    if outcome.attributes_dropped > 0 {
        let dropped = counted(outcome.attributes_dropped, "attribute");
        notes.push(format!("without room in corrections: {dropped}, which the events have"));
    }
    notes
}
