//! Black-box and store-level tests, in one binary so that Arrow and Parquet are linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "in a test, a failure is a finding"
)]
#![allow(
    clippy::print_stderr,
    reason = "a test that cannot run here says so, where the harness shows it"
)]

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod admission;
mod archives;
mod attacks;
mod backfill;
mod books;
mod budget_receivers;
mod budgets;
mod checkpoints;
mod cli;
mod clock_steps;
mod commit;
mod compact;
mod contract;
mod corrections;
mod counting;
mod crash;
mod damage;
mod days;
mod dedupe_memory;
mod deploy;
mod dimensions;
mod disk;
mod duplicates;
mod expiry;
mod following;
mod foreign;
mod fuzz;
mod http;
mod key_records;
mod laws;
mod lost_archive;
mod nodes;
mod older_log;
mod overload;
mod page;
mod pg;
mod pricing;
mod producers;
mod prometheus;
mod queries;
mod repair;
mod reprice;
mod s3;
mod scrape_protobuf;
mod scrape_text;
mod series_cap;
mod sim;
mod sql;
mod stopped;
mod store_check;
mod stores;
mod structure;
mod support;
mod totals;
mod trace;
mod two_servers;
mod usage;
mod window;
