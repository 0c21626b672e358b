//! Shared code of the tests.

pub mod alertmanager;
pub mod archive;
pub mod authority;
pub mod client;
pub mod clock;
pub mod delta_parts;
pub mod environment;
pub mod event;
pub mod events;
pub mod exact;
pub mod fleet;
pub mod foreign;
pub mod foreign_files;
pub mod issuer;
pub mod lake;
pub mod listening;
pub mod metric_families;
#[path = "../../src/mutation_tests.rs"]
pub mod mutation;
#[allow(dead_code, reason = "tests beside the decoder use the rest")]
#[path = "../../src/ingest/otlp/tests/messages.rs"]
pub mod otlp;
pub mod pg;
pub mod poll;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod random;
pub mod readers;
pub mod resident;
pub mod rewrite;
pub mod s3;
pub mod scrape;
pub mod store;
pub mod table;
pub mod tools;
pub mod totals;
pub mod trace;
pub mod webhook;
pub mod wide;

pub use self::poll::poll;
