//! A subquery as a value: null if it has no rows.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::columns::column;
use super::function::{Given, PlannedTypes, function};
use super::refusal::refused;

/// The value, which may be null. DataFusion takes a subquery's value for as seldom null as its column,
/// although there may be no row, and so it does not ask whether the value is null.
pub(super) fn or_null() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let [kind] = given.types else { return Err(refused("it takes one value")) };
        Ok(PlannedTypes { takes: vec![kind.clone()], gives: kind.clone() })
    };
    function("or_null", plan, |args, _| -> Result<ArrayRef> { column(args, 0).cloned() })
}
