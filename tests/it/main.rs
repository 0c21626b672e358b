//! Black-box and store-level tests, in one binary so that Arrow and Parquet link once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on should stop"
)]

mod checkpoints;
mod commit;
mod counting;
mod crash;
mod damage;
mod dedupe_memory;
mod duplicates;
mod following;
mod foreign;
mod stores;
mod support;
