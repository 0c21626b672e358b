//! `^` and `power`: floats, and decimals for a decimal to the power of a whole number in the query.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Decimal128Array, Float64Array};
use arrow::compute;
use arrow::compute::kernels::arity::try_binary;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, i256};
use arrow::error::ArrowError;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ScalarUDF, cast};

use super::arithmetic::finite;
use super::columns::two;
use super::decimal::{self, Scale};
use super::function::{Given, PlannedTypes, function, operator};

/// The name in plans of the operator.
const RAISED: &str = "raised";
/// The significant digits, and the places, that PostgreSQL computes at least.
const DIGITS_MIN: i64 = 16;
/// Exponents of more have no decimal that is worth the name.
const EXPONENT_MAX: i64 = 38;

/// `a ^ b`.
pub(super) fn raised() -> ScalarUDF {
    operator(RAISED, "^", types, raise)
}

/// `power(a, b)`.
pub(super) fn power() -> ScalarUDF {
    function("power", types, raise)
}

/// True for an exponent on which the type of the result depends.
pub(super) fn is_whole(exponent: &Expr) -> bool {
    matches!(exponent, Expr::Literal(value, _) if value.data_type().is_integer())
}

/// The base of a power. That of a power of a power is a float: the type of a decimal would be found by
/// a walk through all of them.
pub(super) fn base(of: Expr) -> Expr {
    match of {
        Expr::ScalarFunction(power) if power.func.name() == RAISED => {
            cast(Expr::ScalarFunction(power), DataType::Float64)
        }
        of => of,
    }
}

fn types(given: &Given<'_>) -> Result<PlannedTypes> {
    let floats = || PlannedTypes { takes: vec![DataType::Float64; 2], gives: DataType::Float64 };
    let [base, exponent] = given.types else { return Ok(floats()) };
    let Some(scale) = Scale::of(base).filter(|_| base.is_decimal() && exponent.is_integer()) else {
        return Ok(floats());
    };
    // A literal number must stay a literal, because the type of the result depends on its value.
    let small = *exponent == DataType::Int32;
    let exponent = if small { DataType::Int32 } else { DataType::Int64 };
    let gives = match given.integer(1) {
        Some(times @ 0..=EXPONENT_MAX) => {
            (1..times).fold(scale, |all, _| all.product(scale)).kind()
        }
        _ => DataType::Float64,
    };
    Ok(PlannedTypes { takes: vec![scale.kind(), exponent], gives })
}

fn raise(args: &[ArrayRef], of: &DataType) -> Result<ArrayRef> {
    let (base, exponent) = two(args)?;
    let Some(from) = Scale::of(base.data_type()).filter(|_| base.data_type().is_decimal()) else {
        return raise_floats(base, exponent);
    };
    let exponent = compute::cast(exponent, &DataType::Int64)?;
    let base = base.as_primitive::<Decimal128Type>();
    let exponent = exponent.as_primitive::<Int64Type>();
    let Some(of) = Scale::of(of) else {
        let power = |base, times| Ok(raise_to_float((base, from.places), times));
        let made: Float64Array = try_binary(base, exponent, power)?;
        return finite(&(Arc::new(made) as ArrayRef), &[], false);
    };
    let power = |base: i128, times: i64| {
        raise_decimal((base, from.places), times, of)
            .map_err(|error| ArrowError::from_external_error(error.into()))
    };
    let made: Decimal128Array = try_binary(base, exponent, power)?;
    Ok(Arc::new(made.with_data_type(of.kind())))
}

fn raise_floats(base: &ArrayRef, exponent: &ArrayRef) -> Result<ArrayRef> {
    let power = |base: f64, exponent: f64| Ok::<_, ArrowError>(base.powf(exponent));
    let made: Float64Array = try_binary(
        base.as_primitive::<Float64Type>(),
        exponent.as_primitive::<Float64Type>(),
        power,
    )?;
    finite(&(Arc::new(made) as ArrayRef), &[base, exponent], false)
}

/// The product of so many equal factors; `None` if it is too long.
fn product(factor: i128, times: i64) -> Option<i256> {
    let factor = i256::from_i128(factor);
    (0..times).try_fold(i256::ONE, |all, _| all.checked_mul(factor))
}

/// A decimal of so many places to a power that only its row knows: the float next to it.
#[expect(clippy::cast_precision_loss, reason = "a float is asked for")]
fn raise_to_float((base, places): (i128, u8), times: i64) -> f64 {
    let exact = (0..=EXPONENT_MAX).contains(&times).then(|| product(base, times)).flatten();
    let power = exact.map(|all| format!("{all}e-{}", i64::from(places) * times));
    if let Some(Ok(power)) = power.map(|power| power.parse()) {
        return power;
    }
    let base = format!("{base}e-{places}").parse().unwrap_or(f64::NAN);
    f64::powf(base, times as f64)
}

/// A decimal of so many places to a power, rounded to the digits that PostgreSQL computes.
fn raise_decimal((base, places): (i128, u8), times: i64, of: Scale) -> Result<i128> {
    let all = product(base, times).ok_or_else(decimal::too_long)?;
    let total = i64::from(places) * times;
    let asked = DIGITS_MIN - weight(base, places, times).min(0);
    let asked = asked.max(places.into()).min(total);
    let kept = asked.min(of.places.into());
    let small = |places: i64| u8::try_from(places).map_err(|_| decimal::too_long());
    let unit = decimal::long_power_of_ten(small(total - kept)?)?;
    let is_whole = kept == asked || all.checked_rem(unit) == Some(i256::ZERO);
    let value = decimal::exact_enough(decimal::rounded(all, unit)?, is_whole)?;
    decimal::in_places(value, small(kept)?, of.places)
}

/// About how many digits a power has before the point; fewer than none for a small one.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "PostgreSQL finds the number of places in floats; the power itself is exact"
)]
fn weight(base: i128, places: u8, times: i64) -> i64 {
    if base == 0 {
        return 0;
    }
    let digits = (base.unsigned_abs() as f64).log10() - f64::from(places);
    (digits * times as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::{Scale, raise_decimal};

    #[test]
    fn powers_have_as_many_places_as_in_postgresql() {
        let of = Scale { digits: 38, places: 26 };
        let unit = |places: u32| 10_i128.pow(places);
        for (base, times, value) in [
            ((11, 1), 2, 121 * unit(24)),
            ((11, 1), 0, unit(26)),
            ((-5, 1), 3, -125 * unit(23)),
            ((0, 2), 5, 0),
            // 1.262155156750190521, of which 16 places are computed; of a small power there are more.
            ((1_123_456_789, 9), 2, 12_621_551_567_501_905 * unit(10)),
            ((1, 12), 2, 100),
        ] {
            assert_eq!(raise_decimal(base, times, of).unwrap(), value, "{base:?} ^ {times}");
        }
        assert!(raise_decimal((unit(20), 0), 2, of).is_err());
        assert!(raise_decimal((1, 12), 30, of).is_err());
    }
}
