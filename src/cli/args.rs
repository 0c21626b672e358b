//! The commands, and the flags that all of them take. Every flag has an environment variable
//! `TOKENLAKE_<FLAG>`; a flag wins. A command's own flags are in the command's file.

use clap::{Parser, Subcommand};

use super::backfill::BackfillArgs;
use super::budget::BudgetCommand;
use super::compact::CompactArgs;
use super::completions::CompletionsArgs;
use super::dimension::DimensionCommand;
use super::doctor::DoctorArgs;
use super::expire::ExpireArgs;
use super::export::ExportCommand;
use super::generate::GenerateArgs;
use super::healthcheck::HealthcheckArgs;
use super::key::KeyCommand;
use super::logging::LogFormat;
use super::man::ManArgs;
use super::price::PriceCommand;
use super::reconcile::ReconcileArgs;
use super::repair::RepairArgs;
use super::report::ReportCommand;
use super::reprice::RepriceArgs;
use super::serve_args::ServeArgs;
use super::sql::SqlArgs;
use super::sql_node::SqlNodeArgs;
use super::sql_worker::SqlWorkerArgs;
use super::usage::UsageArgs;
use super::verify::VerifyArgs;
use crate::archive::ArchiveLocation;

/// Exact, scoped, instant LLM usage metrics for Prometheus, from Parquet in object storage.
#[derive(Debug, Parser)]
#[command(name = "tokenlake", version, about, max_term_width = 100)]
pub struct Args {
    /// The archive: a path, file:///…, s3://bucket/prefix, az://container/prefix or
    /// gs://bucket/prefix (settings from AWS_*, AZURE_* or GOOGLE_* variables).
    #[arg(
        long,
        global = true,
        env = "TOKENLAKE_ARCHIVE",
        value_name = "URL",
        default_value = "./data/archive",
        value_parser = ArchiveLocation::parse
    )]
    pub archive: ArchiveLocation,

    /// The format of logs, which go to stderr. RUST_LOG chooses what is logged.
    #[arg(
        long,
        global = true,
        env = "TOKENLAKE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,

    /// The command to run.
    #[command(subcommand)]
    pub entry: EntryPoint,
}

/// The ways to start the program.
#[derive(Debug, Subcommand)]
pub enum EntryPoint {
    /// Answer the one question on stdin; a server starts this.
    #[command(hide = true)]
    SqlWorker(SqlWorkerArgs),
    /// A command for people.
    #[command(flatten)]
    Command(Command),
}

impl EntryPoint {
    /// Whether it answers questions and goes on for a short time with each.
    pub(super) fn is_short(&self) -> bool {
        let questions = |command: &Command| {
            matches!(command, Command::Sql(_) | Command::SqlNode(_) | Command::Usage(_))
        };
        match self {
            Self::SqlWorker(_) => true,
            Self::Command(command) => questions(command),
        }
    }
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take events and answer scrapes.
    Serve(Box<ServeArgs>),
    /// Make a small archive if there is none, print an access key and a curl line, and serve.
    Demo(Box<ServeArgs>),
    /// Make, list and revoke access keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Declare, list and remove what usage is told apart by, besides providers and models.
    #[command(subcommand)]
    Dimension(DimensionCommand),
    /// Set, list, test and remove budgets, whose webhook is told when a share of them is spent.
    #[command(subcommand)]
    Budget(BudgetCommand),
    /// Import, show and export the prices of calls that come without a cost.
    Price(PriceCommand),
    /// Import what providers report of usage and costs, to compare it with events.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Compare the events of a month with what providers report of it, by day, provider and model; exit
    /// 1 if they differ by more than is tolerated.
    Reconcile(ReconcileArgs),
    /// Export the charges of a month in a form of finance.
    #[command(subcommand)]
    Export(ExportCommand),
    /// Bring events from files into the archive, each once.
    Backfill(BackfillArgs),
    /// Give calls the prices that tables have now: those without a price, or all that tables have priced.
    /// The difference is written as corrections, each once; no event changes.
    Reprice(Box<RepriceArgs>),
    /// Merge small data files into few, and delete those that the table no longer names.
    Compact(CompactArgs),
    /// Expire events older than a retention: they leave the archive, and the counters keep their
    /// totals.
    Expire(ExpireArgs),
    /// Undo what another program did to the table if tokenlake cannot vouch for it, or accept it
    /// without letting a counter fall.
    Repair(RepairArgs),
    /// Recompute everything from the raw rows and compare; exit 1 on any difference.
    Verify(VerifyArgs),
    /// Check that an archive can work: credentials, clock, conditional put, a write and a scrape.
    Doctor(DoctorArgs),
    /// Ask a running server whether it is alive, for containers without curl; exit 1 if not.
    Healthcheck(HealthcheckArgs),
    /// Query the tables events, usage_hourly, usage_by_dimension and provider_reports in SQL. On a
    /// terminal without a query, a shell.
    Sql(SqlArgs),
    /// Run shares of the queries of other processes, which name this one in `sql --nodes`.
    SqlNode(SqlNodeArgs),
    /// Show what an organisation used, by time, provider, model and dimension.
    Usage(UsageArgs),
    /// Print the script by which a shell completes commands and flags.
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands.
    Man(ManArgs),
    /// Fill an archive with synthetic events, for measurements.
    #[command(hide = true)]
    Generate(GenerateArgs),
}
