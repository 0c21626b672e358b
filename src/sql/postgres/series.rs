//! `generate_series` over timestamps: ours have microseconds, DataFusion's function needs
//! nanoseconds.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::{TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Cast, Expr};

use super::read;
use super::refusal::refused;
use super::span::Span;

/// The functions that return a series as rows.
const SERIES: [&str; 2] = ["generate_series", "range"];

/// The session's table functions, with ours around those that return series.
pub(super) fn around(
    known: &HashMap<String, Arc<TableFunction>>,
) -> HashMap<String, Arc<TableFunction>> {
    let ours = known.iter().map(|(name, function)| {
        let function = match SERIES.contains(&name.as_str()) {
            true => Arc::new(TableFunction::new(name.clone(), Arc::new(Series(function.clone())))),
            false => function.clone(),
        };
        (name.clone(), function)
    });
    ours.collect()
}

#[derive(Debug)]
struct Series(Arc<TableFunction>);

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let exprs = typed(args.exprs())?;
        let exprs = exprs.iter().map(in_nanos).collect::<Result<Vec<_>>>()?;
        self.0.create_table_provider_with_args(TableFunctionArgs::new(&exprs, args.session()))
    }
}

/// The arguments, with texts beside a time read as PostgreSQL reads them: ends as times, the step as a
/// span.
fn typed(exprs: &[Expr]) -> Result<Vec<Expr>> {
    let Some(kind) = exprs.iter().take(2).find_map(time_type) else { return Ok(exprs.to_vec()) };
    let read = exprs.iter().enumerate().map(|(place, expr)| {
        let Expr::Literal(value, _) = expr else { return Ok(expr.clone()) };
        let Some(Some(text)) = value.try_as_str() else { return Ok(expr.clone()) };
        let value = match (place, &kind) {
            (0 | 1, DataType::Date32) => ScalarValue::Date32(Some(read::date(text)?)),
            (0 | 1, DataType::Timestamp(_, Some(zone))) => {
                ScalarValue::TimestampMicrosecond(Some(read::instant(text)?), Some(zone.clone()))
            }
            (0 | 1, _) => ScalarValue::TimestampMicrosecond(Some(read::local(text)?), None),
            _ => ScalarValue::IntervalMonthDayNano(Some(Span::parse(text, None)?.value()?)),
        };
        Ok(Expr::Literal(value, None))
    });
    read.collect()
}

/// The type of an argument that is a time.
fn time_type(expr: &Expr) -> Option<DataType> {
    let kind = match expr {
        Expr::Literal(value, _) => value.data_type(),
        Expr::Cast(Cast { field, .. }) => field.data_type().clone(),
        _ => return None,
    };
    matches!(kind, DataType::Date32 | DataType::Timestamp(..)).then_some(kind)
}

/// A timestamp converted to nanoseconds; everything else unchanged.
fn in_nanos(expr: &Expr) -> Result<Expr> {
    let (micros, zone) = match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), zone), _) => (*micros, zone),
        Expr::Cast(Cast { expr: inner, field }) => {
            let DataType::Timestamp(_, zone) = field.data_type() else { return Ok(expr.clone()) };
            let Expr::Literal(text, _) = inner.as_ref() else { return Ok(expr.clone()) };
            let Some(Some(text)) = text.try_as_str() else { return Ok(expr.clone()) };
            let micros = if zone.is_some() { read::instant(text)? } else { read::local(text)? };
            (micros, zone)
        }
        _ => return Ok(expr.clone()),
    };
    let nanos = micros.checked_mul(1_000).ok_or_else(|| refused("a timestamp is out of range"))?;
    Ok(Expr::Literal(ScalarValue::TimestampNanosecond(Some(nanos), zone.clone()), None))
}
