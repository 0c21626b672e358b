//! The flags of `serve`, which `demo` takes too.

use std::time::Duration;

use clap::{Args as ClapArgs, value_parser};

use super::jwt::JwtArgs;
use super::listen::{LISTEN, ListenAddr};
use super::open::Create;
use super::parse::{parse_count, parse_retention};
use super::pg_args::PgArgs;
use super::price_choice::PriceArgs;
use super::tls::TlsArgs;
use super::units::{parse_bytes, parse_duration};
use crate::budget::AllowedTarget;
use crate::maintain::Retention;
use crate::rollup::{SERIES_MAX, VALUES_MAX};

const COMMIT_INTERVAL_MAX: Duration = Duration::from_secs(5);
const COMPACT_INTERVAL_MIN: Duration = Duration::from_secs(1);
const COMPACT_INTERVAL_MAX: Duration = Duration::from_secs(86_400);
/// With less memory, no query can be answered at all.
const SQL_MEMORY_MIN: u64 = 32 << 20;
const SQL_MEMORY_MAX: u64 = 64 << 40;
const SQL_TIMEOUT_MIN: Duration = Duration::from_millis(100);
const SQL_TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

/// Settings of the server.
#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// Address to listen on: an IP address or a name, and a port; port 0 takes a free one.
    #[arg(long, env = "TOKENLAKE_LISTEN", value_name = "ADDR", default_value = LISTEN)]
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

    /// How many requests of each kind (events, scrapes, queries, usage) an organisation may have under
    /// way. More are answered with 503.
    #[arg(long, env = "TOKENLAKE_MAX_REQUESTS_PER_ORG", value_name = "N", default_value = "256", value_parser = parse_count)]
    pub max_requests_per_org: usize,

    /// Memory for answers that clients have not read yet; one organisation may use half of it. More
    /// are answered with 503.
    #[arg(long, env = "TOKENLAKE_ANSWER_MEMORY", value_name = "SIZE", default_value = "192MiB", value_parser = parse_bytes)]
    pub answer_memory: u64,

    /// How many series (provider and model) an organisation may have. Beyond that, an event of a
    /// new series is stored with the model "other", and its own model becomes an attribute.
    #[arg(long, env = "TOKENLAKE_MAX_SERIES", value_name = "N", default_value_t = SERIES_MAX, value_parser = parse_count)]
    pub max_series: usize,

    /// How many values of a dimension an organisation may have. Beyond that, an event of a new value
    /// is stored with the value "other", and its own value becomes another attribute.
    #[arg(long, env = "TOKENLAKE_MAX_DIMENSION_VALUES", value_name = "N", default_value_t = VALUES_MAX, value_parser = parse_count)]
    pub max_dimension_values: usize,

    /// Prices.
    #[command(flatten)]
    pub prices: PriceArgs,

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

    /// A host that spend alerts may be sent to, with its port unless that is 443 of https or 80 of
    /// http; may be given several times. A private or loopback address is reached only if it, or a
    /// name of it, is given. Default: none.
    #[arg(
        long,
        env = "TOKENLAKE_WEBHOOK_ALLOW",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    pub webhook_allow: Vec<AllowedTarget>,

    /// PostgreSQL's protocol.
    #[command(flatten)]
    pub pg: PgArgs,

    /// JWTs in addition to access keys.
    #[command(flatten)]
    pub jwt: JwtArgs,

    /// TLS.
    #[command(flatten)]
    pub tls: TlsArgs,
}

fn parse_commit_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval <= COMMIT_INTERVAL_MAX { Ok(interval) } else { Err("more than 5s".to_owned()) }
}

fn parse_compact_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    let fits =
        interval.is_zero() || (COMPACT_INTERVAL_MIN..=COMPACT_INTERVAL_MAX).contains(&interval);
    if fits { Ok(interval) } else { Err("neither 0s nor from 1s to 1d".to_owned()) }
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
