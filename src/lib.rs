//! tokenlake: exact, scoped, instant LLM usage metrics, from Parquet in object storage.
//!
//! ```text
//! producers ──HTTP──▶ ingest ─▶ archive ─▶ rollup ─▶ exposition ─▶ Prometheus
//!                     decode    dedupe     partial    text
//!                     validate  Parquet    merge      (pure)
//!                     (pure)    commit     LRU
//! ```
//!
//! An event enters once, is written once, and is aggregated once: when its file is written.
//!
//! A module uses only modules of the groups before its own, in the order in which `lib.rs` declares
//! them: first the foundation, then the parts, then the program. A test reads that order and
//! enforces it.

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_arithmetic,
        reason = "tests make their input from generated numbers"
    )
)]

// Each group uses those above it, and a module uses no other module of its group.
pub mod byte_lru;
pub mod clock;
pub mod error;
pub mod media;
pub mod new_file;
pub mod printable;
pub mod processors;
pub mod small_file;
pub mod telemetry;
pub mod waiting_line;

pub mod event;
pub mod tls;

pub mod archive;
pub mod ingest;
pub mod per_org;
pub mod pricing;

pub mod access;
pub mod price_book;
pub mod reports;
pub mod sql;

pub mod rollup;
pub mod worker;

pub mod admission;
pub mod books;
pub mod exposition;
pub mod maintain;
pub mod reprice;
pub mod usage;

pub mod budget;

pub mod app;
pub mod backfill;

pub mod http;
pub mod pg;

pub mod node;

pub mod cli;

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "it says which input a failure needs")]
mod mutation_tests;
