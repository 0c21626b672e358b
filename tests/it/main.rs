//! Black-box and store-level tests, in one binary so that Arrow and Parquet link once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic with the place is the message"
)]

mod laws;
mod queries;
mod scrape_text;
mod stores;
mod structure;
mod support;
mod window;
