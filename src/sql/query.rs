//! The query files, and the version of the one whose results are stored.

use std::sync::{Arc, LazyLock};

use sha2::{Digest as _, Sha256};

/// A query file.
#[derive(Debug)]
pub(super) struct Query {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! query {
    ($name:literal) => {
        Query { name: $name, text: include_str!(concat!("../../queries/", $name, ".sql")) }
    };
}

pub(super) static PARTIAL: Query = query!("partial");

pub(super) static EDGE_ROWS: Query = query!("edge_rows");

pub(super) static TOTALS: Query = query!("totals");

pub(super) static FILE_CHECK: Query = query!("file_check");

pub(super) static USAGE_HOURLY: Query = query!("usage_hourly");

pub(super) static ROLLING_COST: Query = query!("rolling_cost");

/// Hexadecimal digits of a version.
const VERSION_DIGITS: usize = 16;

/// Stored sums are used only if their version equals this hash of the query without comments.
static SQL_VERSION: LazyLock<Arc<str>> = LazyLock::new(|| {
    let code = PARTIAL.text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let code: Vec<_> = code.flat_map(str::split_whitespace).chain([MEANING]).collect();
    let hash: [u8; 32] = Sha256::digest(code.join(" ")).into();
    let mut digits = hex::encode(hash);
    digits.truncate(VERSION_DIGITS);
    digits.into()
});

/// To be changed if the same query comes to mean something else, such as by another `lower` or
/// another meaning of the cells of a totals snapshot.
const MEANING: &str = "1";

/// The version of `partial.sql`.
pub fn sql_version() -> Arc<str> {
    SQL_VERSION.clone()
}
