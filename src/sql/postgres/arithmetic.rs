//! `+ - * / %` of numbers: integers do not wrap, decimals do not lose digits, floats stay finite.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Decimal128Array};
use arrow::compute::kernels::arity::try_binary;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;

use super::columns::{column, map, two};
use super::decimal::{self, Scale};
use super::function::{Given, PlannedTypes, function, operator};
use super::refusal::refused;

/// The names in plans of the operators through which sums pass.
pub(in crate::sql) const PLUS: &str = "plus";
/// See [`PLUS`].
pub(in crate::sql) const MINUS: &str = "minus";

pub(super) fn plus() -> ScalarUDF {
    operator(PLUS, "+", |given| types(given, Scale::sum), |args, of| run(args, of, Sign::Plus))
}

pub(super) fn minus() -> ScalarUDF {
    operator(MINUS, "-", |given| types(given, Scale::sum), |args, of| run(args, of, Sign::Minus))
}

pub(super) fn times() -> ScalarUDF {
    operator(
        "times",
        "*",
        |given| types(given, Scale::product),
        |args, of| run(args, of, Sign::Times),
    )
}

pub(super) fn divided() -> ScalarUDF {
    let plan = |given: &Given<'_>| types(given, Scale::quotient);
    operator("divided", "/", plan, |args, of| run(args, of, Sign::Divided))
}

pub(super) fn modulo() -> ScalarUDF {
    operator("modulo", "%", |given| types(given, Scale::rest), |args, of| run(args, of, Sign::Rest))
}

/// `mod(a, b)`.
pub(super) fn mod_function() -> ScalarUDF {
    function("mod", |given| types(given, Scale::rest), |args, of| run(args, of, Sign::Rest))
}

/// `-a` of an integer.
pub(super) fn negative() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let small = given.types.first().is_some_and(is_small);
        let kind = if small { DataType::Int32 } else { DataType::Int64 };
        Ok(PlannedTypes { takes: vec![kind.clone()], gives: kind })
    };
    function("negative", plan, |args, of| {
        let value = column(args, 0)?;
        if *of == DataType::Int32 {
            return map::<Int32Type, Int32Type>(value, of, |value| {
                value.checked_neg().ok_or_else(integer_out_of_range)
            });
        }
        map::<Int64Type, Int64Type>(value, of, |value| {
            value.checked_neg().ok_or_else(integer_out_of_range)
        })
    })
}

/// True for integers of up to 32 bits.
pub(super) fn is_small(kind: &DataType) -> bool {
    matches!(kind, DataType::Int8 | DataType::Int16 | DataType::Int32)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
    Times,
    Divided,
    Rest,
}

fn types(given: &Given<'_>, scale: fn(Scale, Scale) -> Scale) -> Result<PlannedTypes> {
    let [left, right] = given.types else { return Err(refused("it takes two numbers")) };
    if left.is_floating() || right.is_floating() {
        let both = left == right && *left == DataType::Float32;
        let kind = if both { DataType::Float32 } else { DataType::Float64 };
        return Ok(PlannedTypes { takes: vec![kind.clone(), kind.clone()], gives: kind });
    }
    if left.is_integer() && right.is_integer() {
        let small = is_small(left) && is_small(right);
        let kind = if small { DataType::Int32 } else { DataType::Int64 };
        return Ok(PlannedTypes { takes: vec![kind.clone(), kind.clone()], gives: kind });
    }
    let (one, other) = Scale::of(left).zip(Scale::of(right)).ok_or_else(decimal::too_long)?;
    Ok(PlannedTypes { takes: vec![one.kind(), other.kind()], gives: scale(one, other).kind() })
}

fn run(args: &[ArrayRef], of: &DataType, sign: Sign) -> Result<ArrayRef> {
    let (left, right) = two(args)?;
    if let Some(of) = Scale::of(of).filter(|_| matches!(of, DataType::Decimal128(..))) {
        return decimals(left, right, of, sign);
    }
    let made = match sign {
        Sign::Plus => numeric::add(left, right),
        Sign::Minus => numeric::sub(left, right),
        Sign::Times => numeric::mul(left, right),
        Sign::Divided => numeric::div(left, right),
        Sign::Rest => numeric::rem(left, right),
    }
    .map_err(in_words)?;
    match of {
        DataType::Float64 => finite(&made, &[left, right], sign == Sign::Divided),
        _ => Ok(made),
    }
}

fn in_words(error: ArrowError) -> DataFusionError {
    match error {
        ArrowError::DivideByZero => decimal::divided_by_zero(),
        ArrowError::ArithmeticOverflow(_) => integer_out_of_range(),
        error => error.into(),
    }
}

/// The error for an integer that is too large.
pub(super) fn integer_out_of_range() -> DataFusionError {
    refused("an integer is out of range; cast one to numeric: CAST(a AS numeric) * 1000")
}

fn decimals(left: &ArrayRef, right: &ArrayRef, of: Scale, sign: Sign) -> Result<ArrayRef> {
    let places = |array: &ArrayRef| {
        Scale::of(array.data_type()).map(|scale| scale.places).ok_or_else(decimal::too_long)
    };
    let (left_places, right_places) = (places(left)?, places(right)?);
    let (left, right) =
        (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
    let aligned = |left, right| -> Result<(i128, i128)> {
        Ok((
            decimal::in_places(left, left_places, of.places)?,
            decimal::in_places(right, right_places, of.places)?,
        ))
    };
    let one = |left: i128, right: i128| -> Result<i128> {
        match sign {
            Sign::Plus | Sign::Minus => {
                let (left, right) = aligned(left, right)?;
                let sum = if sign == Sign::Plus {
                    left.checked_add(right)
                } else {
                    left.checked_sub(right)
                };
                sum.ok_or_else(decimal::too_long).and_then(decimal::fitting)
            }
            Sign::Times => decimal::product(left, right, left_places + right_places, of),
            Sign::Divided => decimal::quotient((left, left_places), (right, right_places), of),
            Sign::Rest => {
                let (left, right) = aligned(left, right)?;
                left.checked_rem(right).ok_or_else(decimal::divided_by_zero)
            }
        }
    };
    let one = |left, right| {
        one(left, right).map_err(|error| ArrowError::from_external_error(error.into()))
    };
    let made: Decimal128Array = try_binary(left, right, one)?;
    Ok(Arc::new(made.with_data_type(of.kind())))
}

/// The floats, unless one is not finite although its operands are.
pub(super) fn finite(made: &ArrayRef, from: &[&ArrayRef], divides: bool) -> Result<ArrayRef> {
    let floats = made.as_primitive::<Float64Type>();
    let value = |array: &ArrayRef, row| {
        array.is_valid(row).then(|| array.as_primitive::<Float64Type>().value(row))
    };
    for (row, float) in floats.iter().enumerate() {
        let Some(float) = float else { continue };
        let mut given = from.iter().filter_map(|array| value(array, row));
        if !float.is_finite() && given.clone().all(f64::is_finite) {
            let zero = divides && given.next_back().is_some_and(|divisor| divisor.abs() == 0.0);
            return Err(if zero { decimal::divided_by_zero() } else { out_of_range() });
        }
    }
    Ok(made.clone())
}

/// The error for a float that is not finite.
pub(super) fn out_of_range() -> DataFusionError {
    refused("a float is out of range, or the function is not defined there")
}
