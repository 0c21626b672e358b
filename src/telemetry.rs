//! The meters of this process, for its operator: counters, levels and timings.
//!
//! Nothing here is about an organisation's usage. This module uses no other module of the crate;
//! the others hold a [`Telemetry`] and report to it.

mod dimensions;
mod expiries;
mod metadata;
mod meters;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use self::dimensions::DimensionTelemetry;
pub use self::expiries::KeyExpiries;
pub use self::metadata::MetadataTelemetry;
pub use self::meters::{Count, Level, Timing};

use self::meters::DURATION_BOUNDS;

/// The `Content-Type` of [`Telemetry::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
    /// Counts an answered request. `endpoint` is the route's pattern and `method` a known one,
    /// never the client's text, so that clients cannot create series.
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

/// Declares a group of meters without labels, with its registration.
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
        refused: Count = "connections_refused", "Connections closed at once because all that are allowed were busy";
        dismissed: Count = "connections_dismissed", "Connections closed while they waited for a request, to make room for others";
        tls_failed: Count = "connections_tls_failed", "Connections whose TLS handshake failed";
        timed_out: Count = "connections_timed_out", "Connections closed because their client took too long";
    }
}

group! {
    /// Connections of PostgreSQL's protocol.
    PgTelemetry {
        open: Level = "pg_connections", "Connections of PostgreSQL's protocol whose client has shown a key";
        refused: Count = "pg_logins_refused", "Logins of PostgreSQL's protocol that were refused";
    }
}

group! {
    /// Requests and answers refused to leave room for others.
    OverloadTelemetry {
        turned_away: Count = "requests_turned_away", "Requests refused because their organisation had too many under way";
        without_memory: Count = "requests_without_memory", "Requests refused because there was no memory for their body";
        slow_bodies: Count = "request_bodies_slow", "Requests refused because their body arrived too slowly";
        reserved_bytes: Level = "request_reserved_bytes", "Memory reserved for request bodies and for their decoded form";
        answer_bytes: Level = "answer_reserved_bytes", "Memory reserved for answers that clients have not read yet";
        answers_without_memory: Count = "answers_without_memory", "Answers refused, or sent without reasons, because there was no memory for them";
    }
}

group! {
    /// The table's log and its contents.
    ArchiveTelemetry {
        refreshes: Timing = "refresh_duration_seconds", "Looks at the log for new commits";
        commits: Count = "commits", "Commits that this process added to the log";
        commit_durations: Timing = "commit_duration_seconds", "From collecting the batches of a commit until its outcome is known";
        commit_conflicts: Count = "commit_conflicts", "Versions lost to another writer";
        version: Level = "archive_version", "The newest version of the table that this process has seen";
        live_files: Level = "archive_live_files", "Data files of the newest version that this process has seen";
        checkpoints: Count = "checkpoints", "Checkpoints of the log written";
        checkpoint_failures: Count = "checkpoint_failures", "Checkpoints of the log that could not be written";
    }
}

group! {
    /// Events on their way in.
    IngestTelemetry {
        accepted: Count = "events_accepted", "Events committed";
        duplicates: Count = "events_duplicate", "Events left out because their organisation already has their id";
        rejected: Count = "events_rejected", "Events that are not valid";
        attributes_dropped: Count = "attributes_dropped", "Attributes over an event's limits, dropped";
        models_renamed: Count = "models_renamed", "Events stored with the model other because their organisation has reached its cap of series";
        values_renamed: Count = "dimension_values_renamed", "Events stored with the value other of a dimension because their organisation has reached its cap of values";
        in_flight_bytes: Level = "ingest_in_flight_bytes", "Decoded bytes of events waiting for their commit";
        dedupe_bytes: Level = "dedupe_bytes", "Memory that holds fingerprints of event ids";
        dedupe_file_reads: Count = "dedupe_file_reads", "Data files read to look for event ids";
    }
}

group! {
    /// The data that scrapes are answered from.
    RollupTelemetry {
        partial_cache_bytes: Level = "partial_cache_bytes", "Memory that holds partials of data files";
        partial_cache_hits: Count = "partial_cache_hits", "Partials found in memory";
        partial_cache_misses: Count = "partial_cache_misses", "Partials computed from their data file";
        partial_cache_evictions: Count = "partial_cache_evictions", "Partials dropped to stay within the budget";
        org_usage_entries: Level = "org_usage_entries", "Organisations whose merged usage is held in memory";
        totals_snapshots: Count = "totals_checkpoints", "Totals snapshots written";
        totals_snapshot_failures: Count = "totals_checkpoint_failures", "Totals snapshots that could not be written";
        scrapes_stale: Count = "scrapes_stale", "Scrapes answered with the last good answer while storage was unreachable";
    }
}

group! {
    /// Retention.
    ExpiryTelemetry {
        runs: Count = "expiries", "Times that the table was searched for events past the retention";
        events: Count = "events_expired", "Events that this process expired";
        failures: Count = "expiry_failures", "Times that events could not be expired";
    }
}

group! {
    /// Queries over HTTP.
    SqlTelemetry {
        queries: Count = "sql_queries", "SQL queries started";
        durations: Timing = "sql_query_duration_seconds", "From a SQL query's start to the end of its answer";
        running: Level = "sql_queries_running", "SQL queries under way";
        exceeded: Count = "sql_queries_exceeded", "SQL queries ended for exceeding their memory or time";
        cancelled: Count = "sql_queries_cancelled", "SQL queries whose client disconnected";
        turned_away: Count = "sql_queries_turned_away", "SQL queries refused because too many were under way";
        workers: Count = "sql_workers", "Processes started to answer SQL queries";
    }
}

group! {
    /// Upkeep of the table.
    MaintainTelemetry {
        rewrites: Count = "rewrites", "Commits that merged data files";
        rewritten_files: Count = "rewritten_files", "Data files that were merged into others";
        rewritten_bytes: Count = "rewritten_bytes", "Bytes of the data files that merges wrote";
        rewrites_given_up: Count = "rewrites_given_up", "Merges given up because another process committed first";
        rewrite_failures: Count = "rewrite_failures", "Merges that failed";
        vacuumed_files: Count = "vacuumed_files", "Data files deleted because no version names them";
    }
}

group! {
    /// Access control.
    AccessTelemetry {
        jwt_key_changes: Count = "jwt_key_changes", "Times that new keys of JWTs were read";
        jwt_key_failures: Count = "jwt_key_failures", "Times that the keys of JWTs could not be read";
    }
}

group! {
    /// Spend alerts.
    BudgetTelemetry {
        delivered: Count = "spend_alerts_delivered", "Messages about crossed thresholds that a webhook took";
        tries_failed: Count = "spend_alert_tries_failed", "Tries of such messages that failed and are repeated";
        given_up: Count = "spend_alerts_given_up", "Such messages that no try delivered for a day";
        gone: Count = "spend_alerts_gone", "Such messages whose webhook said that it is gone";
        failures: Count = "budget_failures", "Times that budgets could not be looked at";
    }
}

/// Every meter, grouped by the part of tokenlake that updates it.
#[derive(Debug)]
pub struct Meters {
    /// Answered HTTP requests.
    pub http: HttpTelemetry,
    /// Connections of clients.
    pub connections: ConnectionTelemetry,
    /// Connections of PostgreSQL's protocol.
    pub postgres: PgTelemetry,
    /// Requests and answers refused to leave room for others.
    pub overload: OverloadTelemetry,
    /// The table's log and its contents.
    pub archive: ArchiveTelemetry,
    /// Events on their way in.
    pub ingest: IngestTelemetry,
    /// Metadata of events that is not stored as sent.
    pub metadata: MetadataTelemetry,
    /// The data that scrapes are answered from.
    pub rollup: RollupTelemetry,
    /// Sums of dimensions that are made of older files.
    pub dimensions: DimensionTelemetry,
    /// Queries over HTTP.
    pub sql: SqlTelemetry,
    /// Upkeep of the table.
    pub maintain: MaintainTelemetry,
    /// Retention.
    pub expiry: ExpiryTelemetry,
    /// Access control.
    pub access: AccessTelemetry,
    /// Spend alerts.
    pub budgets: BudgetTelemetry,
    /// Expiry times of access keys.
    pub key_expiries: KeyExpiries,
    registry: Registry,
}

/// The process's meters: a handle that is cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Meters>);

impl Telemetry {
    /// Meters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("tokenlake");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running binary", build);
        let key_expiries = KeyExpiries::default();
        registry.register_collector(Box::new(key_expiries.clone()));
        Self(Arc::new(Meters {
            http: HttpTelemetry::register(&mut registry),
            connections: ConnectionTelemetry::register(&mut registry),
            postgres: PgTelemetry::register(&mut registry),
            overload: OverloadTelemetry::register(&mut registry),
            archive: ArchiveTelemetry::register(&mut registry),
            ingest: IngestTelemetry::register(&mut registry),
            metadata: MetadataTelemetry::register(&mut registry),
            rollup: RollupTelemetry::register(&mut registry),
            dimensions: DimensionTelemetry::register(&mut registry),
            sql: SqlTelemetry::register(&mut registry),
            maintain: MaintainTelemetry::register(&mut registry),
            expiry: ExpiryTelemetry::register(&mut registry),
            access: AccessTelemetry::register(&mut registry),
            budgets: BudgetTelemetry::register(&mut registry),
            key_expiries,
            registry,
        }))
    }

    /// All meters as OpenMetrics text, whose media type is [`CONTENT_TYPE`]. A family with labels
    /// appears once it has a sample.
    ///
    /// # Errors
    /// None occurs; the encoder's signature allows one.
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
        telemetry.dimensions.left("team", 1);
        telemetry.dimensions.made("team");
        let text = telemetry.encode().unwrap();
        let families: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE tokenlake_")).collect();
        let expected = "build info, http_requests counter, http_request_duration_seconds histogram, \
            connections gauge, connections_refused counter, connections_dismissed counter, \
            connections_tls_failed counter, connections_timed_out counter, \
            pg_connections gauge, pg_logins_refused counter, requests_turned_away counter, \
            requests_without_memory counter, request_bodies_slow counter, \
            request_reserved_bytes gauge, answer_reserved_bytes gauge, \
            answers_without_memory counter, refresh_duration_seconds histogram, commits counter, \
            commit_duration_seconds histogram, \
            commit_conflicts counter, archive_version gauge, archive_live_files gauge, \
            checkpoints counter, checkpoint_failures counter, events_accepted counter, \
            events_duplicate counter, events_rejected counter, attributes_dropped counter, \
            models_renamed counter, dimension_values_renamed counter, \
            ingest_in_flight_bytes gauge, dedupe_bytes gauge, dedupe_file_reads counter, \
            metadata_mended counter, \
            partial_cache_bytes gauge, partial_cache_hits counter, partial_cache_misses counter, \
            partial_cache_evictions counter, org_usage_entries gauge, totals_checkpoints counter, \
            totals_checkpoint_failures counter, scrapes_stale counter, \
            dimension_files_made counter, dimension_files_left gauge, \
            start_time_files_made counter, start_time_files_left gauge, sql_queries counter, \
            sql_query_duration_seconds histogram, sql_queries_running gauge, \
            sql_queries_exceeded counter, sql_queries_cancelled counter, \
            sql_queries_turned_away counter, sql_workers counter, rewrites counter, \
            rewritten_files counter, rewritten_bytes counter, rewrites_given_up counter, \
            rewrite_failures counter, vacuumed_files counter, expiries counter, \
            events_expired counter, expiry_failures counter, jwt_key_changes counter, \
            jwt_key_failures counter, spend_alerts_delivered counter, \
            spend_alert_tries_failed counter, spend_alerts_given_up counter, \
            spend_alerts_gone counter, budget_failures counter, access_key_expiry_timestamp_seconds gauge";
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
