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
        let exprs = args.exprs().iter().map(in_nanos).collect::<Result<Vec<_>>>()?;
        self.0.create_table_provider_with_args(TableFunctionArgs::new(&exprs, args.session()))
    }
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
