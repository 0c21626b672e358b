//! The bounds on a command's memory, added up from its settings. `docs/memory.md` shows them for
//! the defaults, and a test compares the limits in `deploy/` with them.

use std::fmt;

use clap::Parser as _;

use super::args::{Args, Command, EntryPoint};
use super::compact::CompactArgs;
use super::serve_args::ServeArgs;
use super::settings::ADMIN_CONNECTIONS_MAX;
use super::sql_node::SqlNodeArgs;
use crate::access::KNOWN_KEYS_MAX;
use crate::admission::CLAIMED_MAX;
use crate::app::BUDGET_ANSWERS_BYTES_MAX;
use crate::archive::{JUDGED_BYTES_MAX, WriterSettings};
use crate::exposition::SERIES_BYTES_MAX;
use crate::http::{
    CLEAR_HTTP2_SHARE, CONNECTION_BYTES, DECODERS_MAX, LAST_GOOD_BYTES_MAX, REQUEST_BYTES,
    REQUESTS_BYTES_MAX, TLS_BYTES,
};
use crate::maintain::compact;
use crate::node::{NODE_CONNECTION_BYTES, NODE_CONNECTIONS_MAX};
use crate::pg;
use crate::price_book::TABLES_BYTES_MAX;
use crate::rollup::{
    DATE_SUMS_MAX, FULL_SUMS_MAX, NAMES_BYTES_MAX, SHOWN_SERIES_MAX, TOTALS_BYTES_MAX,
    VALUES_BYTES_MAX,
};
use crate::sql::NODE_CACHE_SHARE;
use crate::worker::PROGRAM_BYTES;

const MIB: u64 = 1 << 20;
/// Code and data of the program, its threads and its runtime.
const PROGRAM: u64 = 128 * MIB;
/// The same for a process that answers one query; it shares its code with the server.
const WORKER: u64 = 96 * MIB;
/// The most that writing a checkpoint of the log takes, measured by
/// `tests/it/checkpoints/memory.rs`.
const LOG_CHECKPOINT: u64 = 300 * MIB;
/// Memory for merging data files, besides the merged file, which is held twice: as it is written
/// and as it is put.
const MERGING: u64 = 116 * MIB;
/// A file whose rows are compared with its sums.
const CHECKED_FILE: u64 = 256 * MIB;
/// Memory of a `backfill` or `reprice` job besides its setting.
const JOB: u64 = 300 * MIB;
/// Live and recent files of a table that is compacted.
const FILES: u64 = 30_000;
/// Memory for a file's log entry. A file of up to 4,096 events takes more, because its entry has
/// their ids.
const FILE: u64 = 2 << 10;
/// Budgets of all organisations.
const BUDGETS: u64 = 10_000;
/// Memory for a budget: its edition, its periods, and what was crossed in them.
const BUDGET: u64 = 4 << 10;
/// A known access key.
const KEY: u64 = 512;
/// The hash of an organisation's name that is claimed, and its place in a table that grows.
const CLAIM: u64 = 32;
/// One series of an organisation whose cells are being merged.
const SERIES: u64 = 1 << 10;
/// Series per allowed series: the series `other` of providers may be as many again.
const WITH_OTHERS: u64 = 2;
/// Copies of a body while it is decoded: its text, or the text that it was compressed from, and
/// growing columns.
const GROWING: u64 = 2;
/// Memory of tables of prices for a byte of their JSON: rules and their index take up to four, and both the
/// old ones and the new ones are held for a moment.
const PRICED: u64 = 8;
/// Copies of rows while they are committed: sorted, and encoded.
const COMMITTED: u64 = 2;
/// The fraction (1/n) of all memory that the allocator keeps after it was freed.
const SLACK: u64 = 8;

/// One bound on memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The use of the memory.
    pub what: &'static str,
    /// The setting that changes it; empty if none does.
    pub setting: &'static str,
    /// The most bytes that it takes.
    pub bytes: u64,
    /// Whether it belongs to processes other than the first.
    pub is_apart: bool,
}

/// All bounds of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds(pub Vec<Bound>);

impl Bounds {
    /// The bounds of a command line, given without the program's name.
    ///
    /// # Errors
    /// If the command line is wrong, or the command has no bound.
    pub fn of_line(words: &[&str]) -> Result<Self, String> {
        let args = Args::try_parse_from([&["tokenlake"], words].concat());
        match args.map_err(|error| error.to_string())?.entry {
            EntryPoint::Command(command) => Self::of(&command),
            EntryPoint::SqlWorker(_) => None,
        }
        .ok_or_else(|| "the memory of this command depends on its query".to_owned())
    }

    fn of(command: &Command) -> Option<Self> {
        match command {
            Command::Serve(args) | Command::Demo(args) => Some(Self::of_serve(args)),
            Command::Backfill(args) => Some(Self(vec![
                bound(
                    "waiting rows, known ids, and everything made from them",
                    "--memory",
                    args.memory.0,
                ),
                bound("the program, and the input being read", "", JOB),
            ])),
            Command::Reprice(args) => Some(Self(vec![
                bound(
                    "earlier corrections, corrections that wait, and known ids",
                    "--memory",
                    args.memory.0,
                ),
                bound("the program, and the rows being read", "", JOB),
            ])),
            Command::Compact(args) => Some(Self::of_compact(args)),
            Command::Expire(_) => Some(Self(vec![
                bound("the program", "", PROGRAM),
                bound("sums of files, and totals being made", "", 2 * bytes(TOTALS_BYTES_MAX)),
                bound("a checkpoint of the log", "", LOG_CHECKPOINT),
            ])),
            Command::SqlNode(args) => Some(Self::of_node(args)),
            Command::Verify(_) | Command::Repair(_) => Some(Self(vec![
                bound("the program", "", PROGRAM),
                bound("sums of files, and totals", "", 4 * bytes(TOTALS_BYTES_MAX)),
                bound("the file being read", "", CHECKED_FILE),
                bound("a checkpoint of the log", "", LOG_CHECKPOINT),
            ])),
            _ => None,
        }
    }

    fn of_node(args: &SqlNodeArgs) -> Self {
        let caches = 2 * args.memory.0 / bytes(NODE_CACHE_SHARE);
        let connections = bytes(NODE_CONNECTIONS_MAX).saturating_mul(NODE_CONNECTION_BYTES);
        Self(vec![
            bound("the program: code, threads, runtime", "", PROGRAM),
            bound("rows that queries hold", "--memory", args.memory.0),
            bound("footers and presummed rows that later queries need", "--memory", caches),
            bound("connections", "", connections),
            bound("files being read", "", CHECKED_FILE),
        ])
    }

    /// The bounds of a server.
    pub(super) fn of_serve(args: &ServeArgs) -> Self {
        let mut bounds = vec![bound("the program: code, threads, runtime", "", PROGRAM)];
        bounds.extend(kept(args));
        bounds.extend(under_way(args));
        bounds.extend(in_the_background(args));
        let all: u64 = bounds.iter().fold(0, |sum, bound| sum.saturating_add(bound.bytes));
        bounds.push(bound("what the allocator keeps for the next time", "", all / SLACK));
        let query = args.sql_memory.saturating_add(PROGRAM_BYTES + WORKER);
        let queries = query.saturating_mul(args.sql_concurrency.into());
        for (what, setting, bytes) in [
            ("queries, each in a process", "--sql-concurrency × --sql-memory", queries),
            ("a process that waits for the next query", "", WORKER),
        ] {
            bounds.push(Bound { is_apart: true, ..bound(what, setting, bytes) });
        }
        Self(bounds)
    }

    fn of_compact(args: &CompactArgs) -> Self {
        Self(vec![
            bound("the program", "", PROGRAM),
            bound(
                "a file being merged, and its inputs",
                "--target-size",
                merging(args.target_size.0),
            ),
            bound("a checkpoint of the log", "", LOG_CHECKPOINT),
        ])
    }

    /// The sum of all bounds.
    pub fn bytes(&self) -> u64 {
        self.0.iter().fold(0, |sum, bound| sum.saturating_add(bound.bytes))
    }

    /// The sum of the first process's bounds.
    pub fn own_bytes(&self) -> u64 {
        let own = self.0.iter().filter(|bound| !bound.is_apart);
        own.fold(0, |sum, bound| sum.saturating_add(bound.bytes))
    }
}

/// Writes the bounds as a Markdown table.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | setting | MiB |\n|---|---|---:|")?;
        for Bound { what, setting, bytes, .. } in &self.0 {
            let setting = match *setting {
                "" => String::new(),
                setting => format!("`{setting}`"),
            };
            writeln!(f, "| {what} | {setting} | {} |", bytes.div_ceil(MIB))?;
        }
        writeln!(f, "| **all** | | **{}** |", self.bytes().div_ceil(MIB))
    }
}

/// Memory that is kept from one request to the next.
fn kept(args: &ServeArgs) -> Vec<Bound> {
    let last_good = if args.max_stale_on_error.is_zero() { 0 } else { bytes(LAST_GOOD_BYTES_MAX) };
    let keys = bytes(KNOWN_KEYS_MAX.get()) * KEY + bytes(CLAIMED_MAX) * CLAIM;
    vec![
        bound("ids of events that are stored", "--dedupe-memory", args.dedupe_memory),
        bound(
            "sums of files and organisations, rendered scrapes",
            "--cache-memory",
            args.cache_memory,
        ),
        bound("last whole answers", "--max-stale-on-error", last_good),
        bound(
            "names of organisations' series, values of their dimensions",
            "",
            bytes(NAMES_BYTES_MAX + VALUES_BYTES_MAX),
        ),
        bound("65,536 access keys, and 400,000 names of organisations", "", keys),
        bound("tables of prices", "", bytes_of_tables()),
        bound(
            "10,000 budgets, and answers about them",
            "",
            BUDGETS * BUDGET + bytes(BUDGET_ANSWERS_BYTES_MAX),
        ),
        bound("findings about files of other programs", "", bytes(JUDGED_BYTES_MAX)),
        bound("what the log says of data files, for 30,000 of them", "", FILES * FILE),
    ]
}

/// Memory that requests take while they are under way.
fn under_way(args: &ServeArgs) -> Vec<Bound> {
    let series = bytes(args.max_series).saturating_mul(WITH_OTHERS);
    let shown = series.max(bytes(SHOWN_SERIES_MAX));
    let of_telemetry = args.admin_listen.as_ref().map_or(0, |_| ADMIN_CONNECTIONS_MAX);
    let connections = bytes(args.max_connections.saturating_add(of_telemetry));
    let share = if args.tls.tls_cert.is_some() { 1 } else { bytes(CLEAR_HTTP2_SHARE) };
    let http2 = connections.div_ceil(share).saturating_mul(TLS_BYTES + REQUEST_BYTES);
    let connections = connections.saturating_mul(CONNECTION_BYTES).saturating_add(http2);
    let pg = args.pg.pg_listen.as_ref().map_or(0, |_| {
        let sessions = bytes(args.pg.pg_max_connections).saturating_mul(pg::CONNECTION_BYTES);
        sessions.saturating_add(pg::LOGINS_BYTES)
    });
    let decoding = args.max_body.saturating_mul(GROWING * bytes(DECODERS_MAX));
    let queue = bytes(WriterSettings::default().queue_bytes_max);
    let summed = series.saturating_mul(SERIES * bytes(FULL_SUMS_MAX + DATE_SUMS_MAX));
    vec![
        bound("connections", "--max-connections", connections),
        bound("connections of PostgreSQL's protocol", "--pg-max-connections", pg),
        bound("bodies that are read, and wait for their commit", "", bytes(REQUESTS_BYTES_MAX)),
        bound("their decoded form, until its commit", "", bytes(REQUESTS_BYTES_MAX)),
        bound("bodies that are decoded, five at a time", "--max-body", decoding),
        bound("rows that are committed", "", queue.saturating_mul(COMMITTED)),
        bound("sums of four organisations and eight dates being merged", "--max-series", summed),
        bound(
            "scrapes that are rendered",
            "--max-series",
            shown.saturating_mul(bytes(SERIES_BYTES_MAX)),
        ),
        bound("answers that clients have not read yet", "--answer-memory", args.answer_memory),
    ]
}

fn in_the_background(args: &ServeArgs) -> Vec<Bound> {
    let merged = if args.compact_interval.is_zero() {
        0
    } else {
        merging(compact::CompactSettings::TARGET_BYTES)
    };
    vec![
        bound("data files that are merged", "--compact-interval", merged),
        bound("a checkpoint of the log", "", LOG_CHECKPOINT),
        bound("a totals snapshot", "", 2 * bytes(TOTALS_BYTES_MAX)),
    ]
}

/// Tables that are in force, and those that take their place.
fn bytes_of_tables() -> u64 {
    TABLES_BYTES_MAX.saturating_mul(PRICED)
}

fn merging(target_bytes: u64) -> u64 {
    MERGING.saturating_add(target_bytes.saturating_mul(2))
}

fn bound(what: &'static str, setting: &'static str, bytes: u64) -> Bound {
    Bound { what, setting, bytes, is_apart: false }
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Bounds {
        Bounds::of_line(words).unwrap()
    }

    #[test]
    fn each_setting_that_is_named_moves_its_bound_alone() {
        let default = of(&["serve"]);
        for (flag, value) in [
            ("--dedupe-memory", "1GiB"),
            ("--cache-memory", "1GiB"),
            ("--max-stale-on-error", "5m"),
            ("--max-connections", "4096"),
            ("--max-body", "64MiB"),
            ("--answer-memory", "1GiB"),
            ("--compact-interval", "0s"),
            ("--sql-memory", "1GiB"),
            ("--sql-concurrency", "8"),
        ] {
            let moved = of(&["serve", flag, value]);
            assert_ne!(moved.bytes(), default.bytes(), "{flag}");
            for (before, after) in default.0.iter().zip(&moved.0) {
                let is_named = before.setting.contains(flag) || before.what.contains("allocator");
                assert!(is_named || before == after, "{flag} {after:?}");
            }
        }
        for bound in &default.0 {
            let flags = bound.setting.split(" × ").filter(|flag| !flag.is_empty());
            assert!(flags.into_iter().all(|flag| flag.starts_with("--")), "{bound:?}");
        }
    }

    #[test]
    fn settings_out_of_all_measure_do_not_overflow() {
        let most = "16777215TiB";
        let bounds =
            of(&["serve", "--max-body", most, "--dedupe-memory", most, "--max-series", "1000000"]);
        assert_eq!(bounds.bytes(), u64::MAX);
        assert!(Bounds::of_line(&["sql", "-c", "SELECT 1"]).is_err());
    }
}
