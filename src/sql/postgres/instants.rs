//! Dates among times with a zone: their common type has one, in which DataFusion leaves it out.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Case, Expr, ExprSchemable as _, cast};

use super::types::timestamp;

/// Functions whose result is one of their arguments.
const CHOOSING: [&str; 4] = ["coalesce", "greatest", "least", "nvl"];

/// The call with its dates as times with a zone, if others of its arguments are such.
pub(super) fn chosen(function: &ScalarFunction, schema: &DFSchema) -> Option<ScalarFunction> {
    let chooses = CHOOSING.contains(&function.func.name());
    if !chooses || !mixes(&mut function.args.iter(), schema) {
        return None;
    }
    let args = function.args.iter().map(|arg| instant(arg, schema)).collect();
    Some(ScalarFunction { func: function.func.clone(), args })
}

/// The case with its dates as times with a zone, if others of its values are such.
pub(super) fn case_chosen(case: &mut Case, schema: &DFSchema) {
    let values = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
    if !mixes(&mut values.map(|value| &**value), schema) {
        return;
    }
    let values = case.when_then_expr.iter_mut().map(|(_, then)| then).chain(&mut case.else_expr);
    for value in values {
        **value = instant(value, schema);
    }
}

fn mixes(values: &mut dyn Iterator<Item = &Expr>, schema: &DFSchema) -> bool {
    let (mut days, mut instants) = (false, false);
    for kind in values.filter_map(|value| kind(value, schema).ok()) {
        days |= kind == DataType::Date32;
        instants |= matches!(kind, DataType::Timestamp(_, Some(_)));
    }
    days && instants
}

fn kind(value: &Expr, schema: &DFSchema) -> Result<DataType> {
    value.get_type(schema)
}

fn instant(value: &Expr, schema: &DFSchema) -> Expr {
    match kind(value, schema) {
        Ok(DataType::Date32) => cast(value.clone(), timestamp(true)),
        _ => value.clone(),
    }
}
