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

pub(super) static DIMENSION_CELLS: Query = query!("dimension_cells");

pub(super) static DAY_CELLS: Query = query!("day_cells");

pub(super) static DIMENSION_EDGE_ROWS: Query = query!("dimension_edge_rows");

pub(super) static DIMENSION_ROLLING_COST: Query = query!("dimension_rolling_cost");

pub(super) static CORRECTION_CELLS: Query = query!("correction_cells");

pub(super) static CORRECTION_EDGE_ROWS: Query = query!("correction_edge_rows");

pub(super) static STORED_CORRECTIONS: Query = query!("stored_corrections");

pub(super) static CHARGE_CELLS: Query = query!("charge_cells");

pub(super) static EDGE_ROWS: Query = query!("edge_rows");

pub(super) static TOTALS: Query = query!("totals");

pub(super) static FILE_CHECK: Query = query!("file_check");

pub(super) static USAGE_HOURLY: Query = query!("usage_hourly");

pub(super) static STORED_PARTS: Query = query!("stored_parts");

pub(super) static USAGE_BY_DIMENSION: Query = query!("usage_by_dimension");

pub(super) static ROLLING_COST: Query = query!("rolling_cost");

/// Hexadecimal digits of a version.
const VERSION_DIGITS: usize = 16;

/// Stored sums are used only if their version equals this hash of the query without comments.
static SQL_VERSION: LazyLock<Arc<str>> = LazyLock::new(|| version_of(&code_of(&PARTIAL, MEANING)));

static DIMENSION_CODE: LazyLock<String> =
    LazyLock::new(|| code_of(&DIMENSION_CELLS, DIMENSION_MEANING));

static CORRECTION_VERSION: LazyLock<Arc<str>> =
    LazyLock::new(|| version_of(&code_of(&CORRECTION_CELLS, DIMENSION_MEANING)));

static DAY_VERSION: LazyLock<Arc<str>> =
    LazyLock::new(|| version_of(&code_of(&DAY_CELLS, MEANING)));

/// A query without comments, in one line.
fn code_of(query: &Query, meaning: &str) -> String {
    let code = query.text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let code: Vec<_> = code.flat_map(str::split_whitespace).chain([meaning]).collect();
    code.join(" ")
}

fn version_of(text: &str) -> Arc<str> {
    let hash: [u8; 32] = Sha256::digest(text).into();
    let mut digits = hex::encode(hash);
    digits.truncate(VERSION_DIGITS);
    digits.into()
}

/// To be changed if the same query comes to mean something else, such as by another `lower` or
/// another meaning of the cells of a totals snapshot.
const MEANING: &str = "1";
/// As [`MEANING`], of the cells of dimensions and of corrections.
const DIMENSION_MEANING: &str = "1";

/// The version of `partial.sql`.
pub fn sql_version() -> Arc<str> {
    SQL_VERSION.clone()
}

/// The version of `day_cells.sql`.
pub(super) fn day_version() -> Arc<str> {
    DAY_VERSION.clone()
}

/// The version of `correction_cells.sql`.
pub(super) fn correction_version() -> Arc<str> {
    CORRECTION_VERSION.clone()
}

/// The version of `dimension_cells.sql` for an attribute.
pub(super) fn dimension_version(attribute: &str) -> Arc<str> {
    version_of(&format!("{}\n{attribute}", *DIMENSION_CODE))
}

/// The version of sums over cells of `version`, by the declaration of their dimension.
pub(super) fn redeclared_version(version: &str, declaration: &str) -> Arc<str> {
    version_of(&format!("{version}\n{declaration}"))
}
