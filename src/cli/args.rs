//! The flags and commands. Every flag has an environment variable `TOKENLAKE_<FLAG>`; a flag wins.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, value_parser};

use super::backfill::BackfillArgs;
use super::generate::models::MODELS_MAX;
use super::jwt::JwtArgs;
use super::listen::ListenAddr;
use super::open::Create;
use super::parse::{parse_count, parse_org};
use super::repair::RepairArgs;
use super::sql::format::OutputFormat;
use super::tls::TlsArgs;
use super::units::{parse_bytes, parse_duration, parse_millionths};
use crate::access::Scope;
use crate::archive::{ArchiveLocation, GRACE_MAX, GRACE_MIN};
use crate::clock::Micros;
use crate::event::OrgId;
use crate::event::time::from_text;
use crate::maintain::{Retention, Sample};
use crate::worker::WorkerLimits;

/// With less memory, no query can be answered at all.
const SQL_MEMORY_MIN: u64 = 32 << 20;
const SQL_MEMORY_MAX: u64 = 64 << 40;
const SQL_TIMEOUT_MIN: Duration = Duration::from_millis(100);
const COMPACT_INTERVAL_MIN: Duration = Duration::from_secs(1);
const COMPACT_INTERVAL_MAX: Duration = Duration::from_secs(86_400);
const TARGET_SIZE_MIN: u64 = 1 << 20;
const TARGET_SIZE_MAX: u64 = 1 << 30;
const SQL_TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

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
    pub entry: Entry,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The ways to start the program.
#[derive(Debug, Subcommand)]
pub enum Entry {
    /// Answer the one question on stdin; a server starts this.
    #[command(hide = true)]
    SqlWorker(SqlWorkerArgs),
    /// A command for people.
    #[command(flatten)]
    Command(Command),
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
    /// Bring events from files into the archive, each once.
    Backfill(BackfillArgs),
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
    /// Query the tables events and usage_hourly in SQL. On a terminal without a query, a shell.
    Sql(SqlArgs),
    /// Fill an archive with synthetic events, for measurements.
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// Settings of the server.
#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// Address to listen on: an IP address or a name, and a port; port 0 takes a free one.
    #[arg(long, env = "TOKENLAKE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:9797")]
    pub listen: ListenAddr,

    /// Address for tokenlake's own metrics. Default: they are not served.
    #[arg(long, env = "TOKENLAKE_ADMIN_LISTEN", value_name = "ADDR")]
    pub admin_listen: Option<ListenAddr>,

    /// Whether to create the archive if there is none. With `never`, a volume that is not mounted
    /// is an error and does not become a new archive.
    #[arg(long, env = "TOKENLAKE_CREATE", value_name = "WHEN", default_value = "if-missing")]
    pub create: Create,

    /// The largest request body, also after decompression.
    #[arg(long, env = "TOKENLAKE_MAX_BODY", value_name = "SIZE", default_value = "32MiB", value_parser = parse_bytes)]
    pub max_body: u64,

    /// How many connections there may be. If one more comes, the one that has waited longest for a
    /// request is closed; if all have a request under way, the new one is refused.
    #[arg(long, env = "TOKENLAKE_MAX_CONNECTIONS", value_name = "N", default_value = "1024", value_parser = parse_count)]
    pub max_connections: usize,

    /// How many requests of each kind (events, scrapes, queries) an organisation may have under
    /// way. More are answered with 503.
    #[arg(long, env = "TOKENLAKE_MAX_REQUESTS_PER_ORG", value_name = "N", default_value = "256", value_parser = parse_count)]
    pub max_requests_per_org: usize,

    /// Memory for answers that clients have not read yet; one organisation may use half of it. More
    /// are answered with 503.
    #[arg(long, env = "TOKENLAKE_ANSWER_MEMORY", value_name = "SIZE", default_value = "192MiB", value_parser = parse_bytes)]
    pub answer_memory: u64,

    /// How many series (provider and model) an organisation may have. Beyond that, an event of a
    /// new series is stored with the model "other", and its own model becomes an attribute.
    #[arg(long, env = "TOKENLAKE_MAX_SERIES", value_name = "N", default_value = "10000", value_parser = parse_count)]
    pub max_series: usize,

    /// How old the data of a scrape may be. 0s shows every event acknowledged before the scrape.
    #[arg(long, env = "TOKENLAKE_MAX_STALENESS", value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub max_staleness: Duration,

    /// If storage is unreachable, serve the last good scrape up to this age instead of 503.
    #[arg(long, env = "TOKENLAKE_MAX_STALE_ON_ERROR", value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub max_stale_on_error: Duration,

    /// Memory for the data that scrapes are answered from. Less costs time, never results.
    #[arg(long, env = "TOKENLAKE_CACHE_MEMORY", value_name = "SIZE", default_value = "128MiB", value_parser = parse_bytes)]
    pub cache_memory: u64,

    /// Memory for known event ids; other ids are looked up in the data files. Less costs time,
    /// never results.
    #[arg(long, env = "TOKENLAKE_DEDUPE_MEMORY", value_name = "SIZE", default_value = "512MiB", value_parser = parse_bytes)]
    pub dedupe_memory: u64,

    /// The shortest time between two commits. Default: 0s on a disk, 1s on object storage, where
    /// each commit costs money. At most 5s, because clients that send events wait for the commit.
    #[arg(long, env = "TOKENLAKE_COMMIT_INTERVAL", value_name = "TIME", value_parser = parse_commit_interval)]
    pub commit_interval: Option<Duration>,

    /// How often small data files are merged and old ones deleted, approximately, since replicas
    /// take turns; 0s for never.
    #[arg(long, env = "TOKENLAKE_COMPACT_INTERVAL", value_name = "TIME", default_value = "60s", value_parser = parse_compact_interval)]
    pub compact_interval: Duration,

    /// Expire events older than this, such as 400d (at least 2d), once an hour. Their totals stay
    /// in the counters. Default: never.
    #[arg(long, env = "TOKENLAKE_EXPIRE_OLDER_THAN", value_name = "TIME", value_parser = parse_retention)]
    pub expire_older_than: Option<Retention>,

    /// Memory that a query of POST /v1/sql may use; a query that needs more is ended.
    #[arg(long, env = "TOKENLAKE_SQL_MEMORY", value_name = "SIZE", default_value = "512MiB", value_parser = parse_sql_memory)]
    pub sql_memory: u64,

    /// How long such a query may take, including the reading of its answer.
    #[arg(long, env = "TOKENLAKE_SQL_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = parse_sql_timeout)]
    pub sql_timeout: Duration,

    /// How many such queries run at a time; more wait a little and are then refused.
    #[arg(long, env = "TOKENLAKE_SQL_CONCURRENCY", value_name = "N", default_value = "4", value_parser = value_parser!(u16).range(1..=1_024))]
    pub sql_concurrency: u16,

    /// JWTs in addition to access keys.
    #[command(flatten)]
    pub jwt: JwtArgs,

    /// TLS.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// Settings of compaction.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct CompactArgs {
    /// Show what would be done, and change nothing.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,

    /// The size that files are merged up to. This takes two or three times as much memory.
    #[arg(long, env = "TOKENLAKE_TARGET_SIZE", value_name = "SIZE", default_value = "128MiB", value_parser = parse_target_size)]
    pub target_size: u64,

    /// How long a file that the table no longer names is kept for readers of an older version; from
    /// 1h to 2d.
    #[arg(long, env = "TOKENLAKE_GRACE", value_name = "TIME", default_value = "24h", value_parser = parse_grace)]
    pub grace: Duration,
}

/// Settings of expiry.
#[derive(Debug, ClapArgs)]
pub struct ExpireArgs {
    /// Expire events older than this, such as 400d; at least 2d. Whole UTC dates expire, once all
    /// of their events are older. Events before the floor date are rejected from then on.
    #[arg(long, env = "TOKENLAKE_OLDER_THAN", value_name = "TIME", value_parser = parse_retention)]
    pub older_than: Retention,

    /// Show what would expire, and change nothing.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,
}

/// Settings of verification.
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// Read only a share of the files, such as 10% or 0.1, chosen anew each time. Scrapes are not
    /// compared then, because that takes all files.
    #[arg(long, env = "TOKENLAKE_SAMPLE", value_name = "SHARE", value_parser = parse_sample)]
    pub sample: Option<Sample>,
}

/// Settings of the checks.
#[derive(Debug, ClapArgs)]
pub struct DoctorArgs {
    /// Only read; write nothing, not even for a moment.
    #[arg(long, env = "TOKENLAKE_DRY_RUN")]
    pub dry_run: bool,
}

/// The server to ask.
#[derive(Debug, Clone, ClapArgs)]
pub struct HealthcheckArgs {
    /// The server's address; it must not use TLS.
    #[arg(long, env = "TOKENLAKE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:9797")]
    pub listen: ListenAddr,

    /// The server's address for its own metrics, which never uses TLS. If given, it is asked
    /// instead.
    #[arg(long, env = "TOKENLAKE_ADMIN_LISTEN", value_name = "ADDR")]
    pub admin_listen: Option<ListenAddr>,
}

/// Queries, and the form of their results.
#[derive(Debug, ClapArgs)]
pub struct SqlArgs {
    /// Statements to run, separated by `;`. May be given more than once.
    #[arg(short = 'c', long, env = "TOKENLAKE_COMMAND", value_name = "QUERY")]
    pub command: Vec<String>,

    /// A file of statements, not a pipe; `-` is stdin, which is also read if it is not a terminal.
    #[arg(
        short = 'f',
        long,
        env = "TOKENLAKE_FILE",
        value_name = "FILE",
        conflicts_with = "command"
    )]
    pub file: Option<PathBuf>,

    /// The format of results. Default: by the ending of --output, otherwise table.
    #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT")]
    pub format: Option<OutputFormat>,

    /// A file for results instead of stdout. An existing file is replaced once the results are
    /// complete.
    #[arg(short = 'o', long, env = "TOKENLAKE_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Show the rows of this organisation only.
    #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
    pub org: Option<OrgId>,
}

/// Limits of a query's own process.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct SqlWorkerArgs {
    /// Bytes in addition to those of the program itself.
    pub memory_bytes: u64,

    /// Seconds of processor time.
    pub cpu_seconds: u64,
}

impl From<SqlWorkerArgs> for WorkerLimits {
    fn from(args: SqlWorkerArgs) -> Self {
        Self { memory_bytes: args.memory_bytes, cpu_seconds: args.cpu_seconds }
    }
}

/// Settings of synthetic events. The same settings make the same events.
#[derive(Debug, ClapArgs)]
pub struct GenerateArgs {
    /// How many events.
    #[arg(long, env = "TOKENLAKE_EVENTS", value_name = "N", default_value = "1000000")]
    pub events: u64,

    /// How many organisations, org-0000 and so on; the first sends most.
    #[arg(long, env = "TOKENLAKE_ORGS", value_name = "N", default_value = "1000", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub orgs: u32,

    /// How many models; each organisation uses some of them.
    #[arg(long, env = "TOKENLAKE_MODELS", value_name = "N", default_value = "15", value_parser = parse_models)]
    pub models: usize,

    /// The number of days over which the events are spread.
    #[arg(long, env = "TOKENLAKE_DAYS", value_name = "N", default_value = "90", value_parser = value_parser!(u32).range(1..=3_650))]
    pub days: u32,

    /// The time before which all events happen, in RFC 3339. Default: now, so that a later run
    /// makes later events.
    #[arg(long, env = "TOKENLAKE_UNTIL", value_name = "TIME", value_parser = from_text)]
    pub until: Option<Micros>,

    /// The seed of all random choices.
    #[arg(long, env = "TOKENLAKE_SEED", value_name = "N", default_value = "1")]
    pub seed: u64,
}

/// Commands for access keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a key and print it, alone, on stdout. It is shown only this once.
    Create {
        /// The organisation that the key belongs to.
        #[arg(long, env = "TOKENLAKE_ORG", value_parser = parse_org)]
        org: OrgId,
        /// Scopes of the key: metrics:read, events:write, sql:read. Default: all.
        #[arg(long, env = "TOKENLAKE_SCOPE", value_delimiter = ',')]
        scope: Vec<Scope>,
        /// How long the key is valid, such as 90d. Default: until it is revoked.
        #[arg(long, env = "TOKENLAKE_EXPIRES", value_name = "TIME", value_parser = parse_duration)]
        expires: Option<Duration>,
        /// A name for people.
        #[arg(long, env = "TOKENLAKE_NAME")]
        name: Option<String>,
    },
    /// List keys: their ids, organisations, scopes and state; never secrets.
    List {
        /// The format of the list.
        #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Revoke a key, everywhere within 5 seconds.
    Revoke {
        /// The key's id, from the first column of the list.
        id: String,
    },
}

/// The format of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A table for people.
    Table,
    /// A JSON array.
    Json,
}

fn parse_sample(text: &str) -> Result<Sample, String> {
    let share = parse_millionths(text)?;
    Sample::of_millionths(share).ok_or_else(|| "not above 0 and up to 100%".to_owned())
}

fn parse_retention(text: &str) -> Result<Retention, String> {
    Retention::new(parse_duration(text)?).map_err(|error| error.to_string())
}

fn parse_commit_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval <= Duration::from_secs(5) { Ok(interval) } else { Err("more than 5s".to_owned()) }
}

fn parse_compact_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    let fits =
        interval.is_zero() || (COMPACT_INTERVAL_MIN..=COMPACT_INTERVAL_MAX).contains(&interval);
    if fits { Ok(interval) } else { Err("neither 0s nor from 1s to 1d".to_owned()) }
}

fn parse_target_size(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    let fits = (TARGET_SIZE_MIN..=TARGET_SIZE_MAX).contains(&bytes);
    if fits { Ok(bytes) } else { Err("not from 1MiB to 1GiB".to_owned()) }
}

fn parse_grace(text: &str) -> Result<Duration, String> {
    let grace = parse_duration(text)?;
    if (GRACE_MIN..=GRACE_MAX).contains(&grace) {
        Ok(grace)
    } else {
        Err("not from 1h to 2d".to_owned())
    }
}

fn parse_sql_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    let fits = (SQL_MEMORY_MIN..=SQL_MEMORY_MAX).contains(&bytes);
    if fits { Ok(bytes) } else { Err("not from 32MiB to 64TiB".to_owned()) }
}

fn parse_sql_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text)?;
    let fits = (SQL_TIMEOUT_MIN..=SQL_TIMEOUT_MAX).contains(&timeout);
    if fits { Ok(timeout) } else { Err("not from 100ms to 1d".to_owned()) }
}

fn parse_models(text: &str) -> Result<usize, String> {
    let models = text.parse().ok().filter(|models| (1..=MODELS_MAX).contains(models));
    models.ok_or_else(|| format!("not a number from 1 to {MODELS_MAX}"))
}
