//! Functions of lists that have PostgreSQL's names and another meaning in DataFusion.

use datafusion::common::{DFSchema, Result};
use datafusion::functions_nested::array_compact::array_compact_udf;
use datafusion::functions_nested::remove::array_remove_all_udf;
use datafusion::functions_nested::replace::array_replace_all_udf;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable as _, when};

/// The call that does what PostgreSQL does: `array_remove` and `array_replace` are of all items, and
/// `array_remove(list, null)` removes nulls. `None` if DataFusion's call does so.
pub(super) fn of_list(function: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    let ScalarFunction { func, args } = function;
    match (func.name(), args.as_slice()) {
        ("array_remove", [list, item]) => {
            let removed = array_remove_all_udf().call(args.clone());
            if !item.nullable(schema)? {
                return Ok(Some(removed));
            }
            let without_nulls = array_compact_udf().call(vec![list.clone()]);
            when(item.clone().is_null(), without_nulls).otherwise(removed).map(Some)
        }
        ("array_replace", [_, _, _]) => Ok(Some(array_replace_all_udf().call(args.clone()))),
        _ => Ok(None),
    }
}
