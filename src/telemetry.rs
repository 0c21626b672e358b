//! tokenlake's own health, for its operator: counters and timings of this process.
//!
//! Nothing here is about an org's usage. This module knows no other of the crate; the others hold
//! a [`Telemetry`] and report to it.

mod expiries;
mod metadata;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use self::expiries::KeyExpiries;
pub use self::metadata::MetadataTelemetry;

/// The `Content-Type` of [`Telemetry::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds, from a look at a warm disk to the longest deadline.
const DURATION_BOUNDS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Counts things that happened.
#[derive(Clone, Debug, Default)]
pub struct Count(Counter);

impl Count {
    /// One more.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// `n` more.
    pub fn add(&self, n: usize) {
        self.0.inc_by(u64::try_from(n).unwrap_or(u64::MAX));
    }
}

/// A level that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Level(Gauge);

impl Level {
    /// The level is now `value`.
    pub fn set(&self, value: impl TryInto<i64>) {
        self.0.set(value.try_into().unwrap_or(i64::MAX));
    }

    /// The level rises by `amount`.
    pub fn add(&self, amount: usize) {
        self.0.inc_by(i64::try_from(amount).unwrap_or(i64::MAX));
    }

    /// The level falls by `amount`.
    pub fn sub(&self, amount: usize) {
        self.0.dec_by(i64::try_from(amount).unwrap_or(i64::MAX));
    }
}

/// How often something was done and how long it took, exposed in seconds.
#[derive(Clone, Debug)]
pub struct Timing(Histogram);

impl Default for Timing {
    fn default() -> Self {
        Self(Histogram::new(DURATION_BOUNDS))
    }
}

impl Timing {
    /// It was done once and took `elapsed`.
    pub fn observe(&self, elapsed: Duration) {
        self.0.observe(elapsed.as_secs_f64());
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: &'static str,
}

/// Answered HTTP requests.
#[derive(Clone, Debug)]
pub struct HttpTelemetry {
    requests: Family<RequestLabels, Counter>,
    durations: Family<EndpointLabels, Histogram, fn() -> Histogram>,
}

impl HttpTelemetry {
    /// A request was answered. `endpoint` is the route's pattern and `method` a known one, never the
    /// client's text, so that clients cannot make series.
    pub fn observe(
        &self,
        endpoint: &'static str,
        method: &'static str,
        status: u16,
        elapsed: Duration,
    ) {
        self.requests.get_or_create(&RequestLabels { endpoint, method, status }).inc();
        self.durations.get_or_create(&EndpointLabels { endpoint }).observe(elapsed.as_secs_f64());
    }

    fn register(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATION_BOUNDS);
        let (requests, durations) = (Family::default(), Family::new_with_constructor(histogram));
        registry.register("http_requests", "Answered HTTP requests", requests.clone());
        let help = "From a request's head to the end of its answer";
        registry.register("http_request_duration_seconds", help, durations.clone());
        Self { requests, durations }
    }
}

/// Declares a group of meters that have no labels, and how it is registered.
macro_rules! group {
    ($(#[$doc:meta])* $group:ident { $($field:ident: $kind:ident = $name:literal, $help:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $group {
            $(#[doc = concat!($help, ".")] pub $field: $kind,)+
        }

        impl $group {
            fn register(registry: &mut Registry) -> Self {
                let group = Self::default();
                $(registry.register($name, $help, group.$field.0.clone());)+
                group
            }
        }
    };
}

group! {
    /// Connections of clients.
    ConnectionTelemetry {
        open: Level = "connections", "Connections of clients that are open";
        refused: Count = "connections_refused", "Connections closed at once because all that there may be were busy";
        dismissed: Count = "connections_dismissed", "Connections closed while they waited for a request, to make room";
        tls_failed: Count = "connections_tls_failed", "Connections whose TLS handshake failed";
        timed_out: Count = "connections_timed_out", "Connections closed because their client took too long";
    }
}

group! {
    /// What is refused so that there is some left for others.
    OverloadTelemetry {
        turned_away: Count = "requests_turned_away", "Requests refused because too many of their organisation were under way";
        without_memory: Count = "requests_without_memory", "Requests refused because there was no memory for their body";
        slow_bodies: Count = "request_bodies_slow", "Requests refused because their body came too slowly";
        reserved_bytes: Level = "request_reserved_bytes", "Memory reserved for bodies and for what they grow to";
        answer_bytes: Level = "answer_reserved_bytes", "Memory reserved for answers that clients have not taken yet";
        answers_without_memory: Count = "answers_without_memory", "Answers refused, or told without reasons, because there was no memory for them";
    }
}

group! {
    /// The table's log and what stands in it.
    ArchiveTelemetry {
        refreshes: Timing = "refresh_duration_seconds", "Looks at the log for new commits";
        commits: Count = "commits", "Commits of this process that stand in the log";
        commit_durations: Timing = "commit_duration_seconds", "From gathering the batches of a commit to a known outcome";
        commit_conflicts: Count = "commit_conflicts", "Versions lost to another writer";
        version: Level = "archive_version", "The newest version of the table that this process has seen";
        live_files: Level = "archive_live_files", "Data files of that version";
        checkpoints: Count = "checkpoints", "Checkpoints written";
        checkpoint_failures: Count = "checkpoint_failures", "Checkpoints that could not be written";
    }
}

group! {
    /// Events on their way in.
    IngestTelemetry {
        accepted: Count = "events_accepted", "Events committed";
        duplicates: Count = "events_duplicate", "Events left out because their id stands already";
        rejected: Count = "events_rejected", "Events that are not valid";
        attributes_dropped: Count = "attributes_dropped", "Attributes over an event's limits, dropped";
        models_renamed: Count = "models_renamed", "Events stored with the model other, because their organisation has all series that it may";
        in_flight_bytes: Level = "ingest_in_flight_bytes", "Decoded bytes of events that wait for their commit";
        dedupe_bytes: Level = "dedupe_bytes", "Memory that holds hashes of event ids";
        dedupe_file_reads: Count = "dedupe_file_reads", "Data files read to look for event ids";
    }
}

group! {
    /// What scrapes are answered from.
    RollupTelemetry {
        partial_cache_bytes: Level = "partial_cache_bytes", "Memory that holds partials of data files";
        partial_cache_hits: Count = "partial_cache_hits", "Partials found in memory";
        partial_cache_misses: Count = "partial_cache_misses", "Partials made from their data file";
        partial_cache_evictions: Count = "partial_cache_evictions", "Partials dropped to stay within the budget";
        org_usage_entries: Level = "org_usage_entries", "Orgs whose merged usage is held in memory";
        checkpoints: Count = "totals_checkpoints", "Checkpoints of totals written";
        checkpoint_failures: Count = "totals_checkpoint_failures", "Checkpoints of totals that could not be written";
        scrapes_stale: Count = "scrapes_stale", "Scrapes answered as before while storage was away";
    }
}

group! {
    /// Retention.
    ExpiryTelemetry {
        runs: Count = "expiries", "Times that events were looked for that are past the retention";
        events: Count = "events_expired", "Events that this process took out of the table";
        failures: Count = "expiry_failures", "Times that expired events could not be taken out";
    }
}

group! {
    /// Queries over HTTP.
    SqlTelemetry {
        queries: Count = "sql_queries", "SQL queries that were begun";
        durations: Timing = "sql_query_duration_seconds", "From a SQL query's start to the end of its answer";
        running: Level = "sql_queries_running", "SQL queries under way";
        exceeded: Count = "sql_queries_exceeded", "SQL queries that were ended for their memory or time";
        cancelled: Count = "sql_queries_cancelled", "SQL queries whose client left";
        turned_away: Count = "sql_queries_turned_away", "SQL queries refused because too many were under way";
        workers: Count = "sql_workers", "Processes started to answer SQL queries";
    }
}

group! {
    /// Looking after the table.
    MaintainTelemetry {
        rewrites: Count = "rewrites", "Commits that merged data files";
        rewritten_files: Count = "rewritten_files", "Data files that were merged into others";
        rewritten_bytes: Count = "rewritten_bytes", "Bytes of the data files that came of it";
        rewrites_given_up: Count = "rewrites_given_up", "Merges given up because another was first";
        rewrite_failures: Count = "rewrite_failures", "Merges that failed";
        vacuumed_files: Count = "vacuumed_files", "Data files deleted that no version names";
    }
}

group! {
    /// Who may do what.
    AccessTelemetry {
        jwt_key_changes: Count = "jwt_key_changes", "Times that new keys of JWTs were read";
        jwt_key_failures: Count = "jwt_key_failures", "Times that the keys of JWTs could not be read";
    }
}

/// Every meter, by the part of tokenlake that moves it.
#[derive(Debug)]
pub struct Meters {
    /// Answered HTTP requests.
    pub http: HttpTelemetry,
    /// Connections of clients.
    pub connections: ConnectionTelemetry,
    /// What is refused so that there is some left for others.
    pub overload: OverloadTelemetry,
    /// The table's log and what stands in it.
    pub archive: ArchiveTelemetry,
    /// Events on their way in.
    pub ingest: IngestTelemetry,
    /// What their metadata had to be made of.
    pub metadata: MetadataTelemetry,
    /// What scrapes are answered from.
    pub rollup: RollupTelemetry,
    /// Queries over HTTP.
    pub sql: SqlTelemetry,
    /// Looking after the table.
    pub maintain: MaintainTelemetry,
    /// Retention.
    pub expiry: ExpiryTelemetry,
    /// Who may do what.
    pub access: AccessTelemetry,
    /// When access keys expire.
    pub key_expiries: KeyExpiries,
    registry: Registry,
}

/// The process's meters: a handle that is cheap to clone, all clones sharing one state.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Meters>);

impl Telemetry {
    /// Meters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("tokenlake");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The binary that runs", build);
        let key_expiries = KeyExpiries::default();
        registry.register_collector(Box::new(key_expiries.clone()));
        Self(Arc::new(Meters {
            http: HttpTelemetry::register(&mut registry),
            connections: ConnectionTelemetry::register(&mut registry),
            overload: OverloadTelemetry::register(&mut registry),
            archive: ArchiveTelemetry::register(&mut registry),
            ingest: IngestTelemetry::register(&mut registry),
            metadata: MetadataTelemetry::register(&mut registry),
            rollup: RollupTelemetry::register(&mut registry),
            sql: SqlTelemetry::register(&mut registry),
            maintain: MaintainTelemetry::register(&mut registry),
            expiry: ExpiryTelemetry::register(&mut registry),
            access: AccessTelemetry::register(&mut registry),
            key_expiries,
            registry,
        }))
    }

    /// All meters as OpenMetrics text; its media type is [`CONTENT_TYPE`]. Families with labels appear
    /// with their first sample.
    ///
    /// # Errors
    /// None is known; the encoder's signature allows one.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Telemetry {
    type Target = Meters;

    fn deref(&self) -> &Meters {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_exposed() {
        let telemetry = Telemetry::new();
        telemetry.http.observe("other", "GET", 404, Duration::ZERO);
        telemetry.metadata.mended("cut", 1);
        let text = telemetry.encode().unwrap();
        let families: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE tokenlake_")).collect();
        let expected = "build info, http_requests counter, http_request_duration_seconds histogram, \
            connections gauge, connections_refused counter, connections_dismissed counter, \
            connections_tls_failed counter, connections_timed_out counter, requests_turned_away counter, \
            requests_without_memory counter, request_bodies_slow counter, \
            request_reserved_bytes gauge, answer_reserved_bytes gauge, answers_without_memory counter, refresh_duration_seconds histogram, commits counter, commit_duration_seconds histogram, \
            commit_conflicts counter, archive_version gauge, archive_live_files gauge, \
            checkpoints counter, checkpoint_failures counter, events_accepted counter, \
            events_duplicate counter, events_rejected counter, attributes_dropped counter, \
            models_renamed counter, ingest_in_flight_bytes gauge, dedupe_bytes gauge, dedupe_file_reads counter, \
            metadata_mended counter, \
            partial_cache_bytes gauge, partial_cache_hits counter, partial_cache_misses counter, \
            partial_cache_evictions counter, org_usage_entries gauge, totals_checkpoints counter, \
            totals_checkpoint_failures counter, scrapes_stale counter, sql_queries counter, \
            sql_query_duration_seconds histogram, sql_queries_running gauge, \
            sql_queries_exceeded counter, sql_queries_cancelled counter, \
            sql_queries_turned_away counter, sql_workers counter, rewrites counter, \
            rewritten_files counter, rewritten_bytes counter, rewrites_given_up counter, \
            rewrite_failures counter, vacuumed_files counter, expiries counter, \
            events_expired counter, expiry_failures counter, jwt_key_changes counter, \
            jwt_key_failures counter, access_key_expiry_timestamp_seconds gauge";
        assert_eq!(families.join(", "), expected);
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn clones_share_their_meters() {
        let telemetry = Telemetry::new();
        let clone = telemetry.clone();
        clone.http.observe("/metrics", "GET", 200, Duration::from_micros(1_500));
        clone.archive.refreshes.observe(Duration::from_secs(20));
        clone.archive.version.set(7_u64);
        clone.ingest.accepted.add(3);
        clone.ingest.in_flight_bytes.add(10);
        clone.ingest.in_flight_bytes.sub(4);
        clone.rollup.partial_cache_hits.inc();
        clone.rollup.partial_cache_bytes.set(u64::MAX);
        clone.key_expiries.set(vec![("1f2e".to_owned(), 1_790_000_000)]);
        let text = telemetry.encode().unwrap();
        for line in [
            r#"tokenlake_http_requests_total{endpoint="/metrics",method="GET",status="200"} 1"#,
            r#"tokenlake_http_request_duration_seconds_bucket{le="0.0025",endpoint="/metrics"} 1"#,
            "tokenlake_refresh_duration_seconds_count 1",
            "tokenlake_archive_version 7",
            "tokenlake_events_accepted_total 3",
            "tokenlake_ingest_in_flight_bytes 6",
            "tokenlake_partial_cache_hits_total 1",
            "tokenlake_partial_cache_bytes 9223372036854775807",
            r#"tokenlake_access_key_expiry_timestamp_seconds{key="1f2e"} 1790000000"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
