//! `log`: to base 10, or to a given one. A logarithm that is whole is so to the last digit.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array};
use arrow::compute::kernels::arity::{try_binary, try_unary};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::arithmetic::out_of_range;
use super::columns::{column, two};
use super::decimal::divided_by_zero;
use super::function::{Given, PlannedTypes, function};
use super::refusal::refused;

/// `log(x)`, `log(base, x)`.
pub(super) fn log() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let numbers = given.types.iter().all(|kind| kind.is_numeric() || kind.is_null());
        if !numbers || !(1..=2).contains(&given.count()) {
            return Err(refused("log takes a number; cast texts"));
        }
        Ok(PlannedTypes { takes: vec![DataType::Float64; given.count()], gives: DataType::Float64 })
    };
    function("log", plan, |args, _| {
        let wrong = |error: datafusion::error::DataFusionError| {
            ArrowError::from_external_error(error.into())
        };
        let made: Float64Array = if args.len() == 1 {
            let of = column(args, 0)?.as_primitive::<Float64Type>();
            try_unary(of, |of| logarithm(10.0, of).map_err(wrong))?
        } else {
            let (base, of) = two(args)?;
            let (base, of) = (base.as_primitive::<Float64Type>(), of.as_primitive::<Float64Type>());
            try_binary(base, of, |base, of| logarithm(base, of).map_err(wrong))?
        };
        Ok(Arc::new(made) as ArrayRef)
    })
}

#[expect(clippy::float_arithmetic, clippy::float_cmp, reason = "it is a function of floats")]
fn logarithm(base: f64, of: f64) -> Result<f64> {
    if base <= 0.0 || of <= 0.0 {
        return Err(out_of_range());
    }
    if base == 1.0 {
        return Err(divided_by_zero());
    }
    let made = if base == 10.0 { of.log10() } else { of.ln() / base.ln() };
    let whole = made.round();
    Ok(if base.powf(whole) == of { whole } else { made })
}

#[cfg(test)]
mod tests {
    use super::logarithm;

    #[test]
    fn whole_logarithms_are_whole() {
        for (base, of, expected) in [
            (10.0, 1000.0, 3.0),
            (10.0, 0.001, -3.0),
            (10.0, 1.0, 0.0),
            (2.0, 64.0, 6.0),
            (3.0, 243.0, 5.0),
            (0.5, 8.0, -3.0),
        ] {
            assert_eq!(logarithm(base, of).unwrap().to_string(), f64::to_string(&expected));
        }
        assert!(logarithm(10.0, 0.0).is_err() && logarithm(10.0, -1.0).is_err());
        assert!(logarithm(1.0, 5.0).is_err() && logarithm(-2.0, 5.0).is_err());
    }
}
