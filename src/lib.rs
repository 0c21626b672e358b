//! tokenlake: exact, scoped, instant LLM usage metrics, from Parquet in object storage.
//!
//! ```text
//! producers ──HTTP──▶ ingest ─▶ archive ─▶ rollup ─▶ exposition ─▶ Prometheus
//!                     decode    dedupe     partial    text
//!                     validate  Parquet    merge      (pure)
//!                     (pure)    commit     LRU
//! ```
//!
//! An event enters once, is written once, and is aggregated once: when its file is. Modules know
//! each other downward only, in the order below; a test holds that.
//!
//! | layer | modules |
//! |---|---|
//! | the program | `main`, [`cli`], [`http`], [`app`] |
//! | its parts | [`maintain`], [`backfill`], [`exposition`], [`rollup`], [`worker`], [`sql`], [`ingest`], [`access`] |
//! | its ground | [`archive`], [`event`], [`error`], [`clock`], [`telemetry`], [`byte_lru`], [`small_file`], [`new_file`], [`printable`] |

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_arithmetic,
        reason = "tests make their input out of what a generator gives"
    )
)]

pub mod access;
pub mod app;
pub mod archive;
pub mod backfill;
pub mod byte_lru;
pub mod cli;
pub mod clock;
pub mod error;
pub mod event;
pub mod exposition;
pub mod http;
pub mod ingest;
pub mod maintain;
pub mod new_file;
pub mod printable;
pub mod rollup;
pub mod small_file;
pub mod sql;
pub mod telemetry;
pub mod worker;

// Shared with the black-box tests.
#[cfg(test)]
#[path = "../tests/it/support/mutation.rs"]
#[allow(clippy::print_stderr, reason = "it says which input a failure needs")]
mod mutation;
