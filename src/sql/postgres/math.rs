//! `round`, `trunc`, `ceil`, `floor`, `abs`, `sign` of decimals and floats, and functions of floats
//! that fail if the result is not defined.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::arithmetic::{integer_out_of_range, is_small, out_of_range};
use super::columns::{column, map};
use super::decimal::{self, DIGITS_MAX, Scale};
use super::function::{Given, PlannedTypes, function};
use super::refusal::refused;

#[derive(Debug, Clone, Copy)]
enum To {
    Nearest,
    Zero,
    Up,
    Down,
}

/// `round(x)`, `round(x, places)`: decimals half away from zero, floats half to even.
pub(super) fn round() -> ScalarUDF {
    function("round", rounded_types, |args, of| cut(args, of, To::Nearest))
}

/// `trunc(x)`, `trunc(x, places)`.
pub(super) fn trunc() -> ScalarUDF {
    function("trunc", rounded_types, |args, of| cut(args, of, To::Zero))
}

/// `ceil(x)`.
pub(super) fn ceil() -> ScalarUDF {
    function("ceil", one_rounded, |args, of| cut(args, of, To::Up))
}

/// `floor(x)`.
pub(super) fn floor() -> ScalarUDF {
    function("floor", one_rounded, |args, of| cut(args, of, To::Down))
}

fn one_rounded(given: &Given<'_>) -> Result<PlannedTypes> {
    if given.types.len() == 1 { rounded_types(given) } else { Err(refused("it takes one number")) }
}

fn rounded_types(given: &Given<'_>) -> Result<PlannedTypes> {
    let Some(kind) = given.types.first() else { return Err(refused("it takes a number")) };
    let with_places = given.types.len() == 2;
    // A literal number must stay a literal, because the type of the result depends on its value.
    let places_type = given.types.get(1).map(|kind| match kind {
        DataType::Int32 => DataType::Int32,
        _ => DataType::Int64,
    });
    let float = kind.is_floating() || kind.is_null() || (kind.is_integer() && !with_places);
    let Some(scale) = Scale::of(kind).filter(|_| !float) else {
        if !float {
            return Err(refused("it takes a number; cast texts"));
        }
        let mut takes = vec![DataType::Float64];
        takes.extend(places_type.clone());
        return Ok(PlannedTypes { takes, gives: DataType::Float64 });
    };
    let mut takes = vec![scale.kind()];
    takes.extend(places_type.clone());
    let places = match given.integer(1) {
        _ if !with_places => 0,
        Some(places) => u8::try_from(places.clamp(0, i64::from(scale.places))).unwrap_or(0),
        None => scale.places,
    };
    // Rounding may carry into one more digit.
    let digits = scale.whole().saturating_add(places).saturating_add(1).min(DIGITS_MAX);
    Ok(PlannedTypes { takes, gives: Scale { digits, places }.kind() })
}

fn cut(args: &[ArrayRef], of: &DataType, to: To) -> Result<ArrayRef> {
    let values = column(args, 0)?;
    let places = args.get(1).map(|places| cast(places, &DataType::Int64)).transpose()?;
    let places = places.as_ref().map(|places| places.as_primitive::<Int64Type>());
    if *of == DataType::Float64 {
        return cut_floats(values, places, to);
    }
    let (Some(from), Some(of_scale)) = (Scale::of(values.data_type()), Scale::of(of)) else {
        return Err(refused("it takes a number"));
    };
    let values = values.as_primitive::<Decimal128Type>().iter().enumerate();
    let made = values.map(|(row, value)| {
        let places = match places {
            Some(places) if places.is_null(row) => return Ok(None),
            Some(places) => places.value(row),
            None => 0,
        };
        value.map(|value| cut_decimal(value, from, places, of_scale, to)).transpose()
    });
    let made = made.collect::<Result<arrow::array::Decimal128Array>>()?;
    Ok(Arc::new(made.with_data_type(of.clone())))
}

fn cut_decimal(value: i128, from: Scale, places: i64, of: Scale, to: To) -> Result<i128> {
    let away = i64::from(from.places) - places;
    if away <= 0 {
        return decimal::in_places(value, from.places, of.places);
    }
    let Some(unit) = u8::try_from(away).ok().filter(|away| *away <= DIGITS_MAX) else {
        return Ok(0);
    };
    let unit = decimal::power_of_ten(unit)?;
    let (whole, rest) = (value / unit, value % unit);
    let whole = match to {
        To::Zero => whole,
        To::Up => whole + i128::from(rest > 0),
        To::Down => whole - i128::from(rest < 0),
        To::Nearest if rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs() => {
            whole + value.signum()
        }
        To::Nearest => whole,
    };
    let kept = whole.checked_mul(unit).ok_or_else(decimal::too_long)?;
    decimal::in_places(kept, from.places, of.places)
}

#[expect(clippy::float_arithmetic, reason = "a float is rounded to places by its digits")]
fn cut_floats(
    values: &ArrayRef,
    places: Option<&arrow::array::Int64Array>,
    to: To,
) -> Result<ArrayRef> {
    let floats = values.as_primitive::<Float64Type>().iter().enumerate();
    let made = floats.map(|(row, value)| {
        let Some(value) = value else { return Ok(None) };
        let Some(places) = places else {
            return Ok(Some(match to {
                To::Nearest => value.round_ties_even(),
                To::Zero => value.trunc(),
                To::Up => value.ceil(),
                To::Down => value.floor(),
            }));
        };
        if places.is_null(row) {
            return Ok(None);
        }
        if !value.is_finite() || value.abs() >= 1e15 {
            return Ok(Some(value));
        }
        let from = Scale { digits: DIGITS_MAX, places: 20 };
        let exact = decimal::parsed(&format!("{value:.14e}"), from)?;
        let cut = cut_decimal(exact, from, places.value(row), from, to)?;
        let text = format!("{cut}e-20");
        Ok(Some(text.parse::<f64>().unwrap_or(value) + 0.0))
    });
    Ok(Arc::new(made.collect::<Result<arrow::array::Float64Array>>()?))
}

fn same(given: &Given<'_>) -> Result<PlannedTypes> {
    let [kind] = given.types else { return Err(refused("it takes one number")) };
    let kind = match kind {
        DataType::Float32 | DataType::Float64 | DataType::Null => DataType::Float64,
        kind if is_small(kind) => DataType::Int32,
        kind if kind.is_integer() => DataType::Int64,
        kind => Scale::of(kind).ok_or_else(|| refused("it takes a number; cast texts"))?.kind(),
    };
    Ok(PlannedTypes { takes: vec![kind.clone()], gives: kind })
}

/// `abs(x)`.
pub(super) fn abs() -> ScalarUDF {
    function("abs", same, |args, of| {
        let values = column(args, 0)?;
        match of {
            DataType::Int32 => map::<Int32Type, Int32Type>(values, of, |value| {
                value.checked_abs().ok_or_else(integer_out_of_range)
            }),
            DataType::Int64 => map::<Int64Type, Int64Type>(values, of, |value| {
                value.checked_abs().ok_or_else(integer_out_of_range)
            }),
            DataType::Float64 => {
                map::<Float64Type, Float64Type>(values, of, |value| Ok(value.abs()))
            }
            _ => map::<Decimal128Type, Decimal128Type>(values, of, |value| Ok(value.abs())),
        }
    })
}

/// `sign(x)`.
pub(super) fn sign() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let takes = same(given)?.takes;
        let float = !matches!(takes.first(), Some(DataType::Decimal128(..)));
        let gives = if float { DataType::Float64 } else { DataType::Decimal128(1, 0) };
        Ok(PlannedTypes { takes: if float { vec![DataType::Float64] } else { takes }, gives })
    };
    function("sign", plan, |args, of| {
        let values = column(args, 0)?;
        if *of == DataType::Float64 {
            let sign =
                |value: f64| if value == 0.0 || value.is_nan() { value } else { value.signum() };
            return map::<Float64Type, Float64Type>(values, of, |value| Ok(sign(value)));
        }
        map::<Decimal128Type, Decimal128Type>(values, of, |value| Ok(value.signum()))
    })
}

/// Functions of floats that are not defined everywhere.
pub(super) const OF_FLOATS: [&str; 21] = [
    "sqrt", "cbrt", "exp", "ln", "log10", "log2", "sin", "cos", "tan", "asin", "acos", "atan",
    "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "radians", "degrees",
];

/// A function of floats that fails if its result would be NaN or infinite.
#[derive(Debug)]
struct Finite {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl PartialEq for Finite {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Finite {}

impl Hash for Finite {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.name().hash(state);
    }
}

/// See [`Finite`].
pub(super) fn finite(inner: Arc<ScalarUDF>) -> ScalarUDF {
    Finite { inner, signature: Signature::user_defined(Volatility::Immutable) }.into()
}

impl ScalarUDFImpl for Finite {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let number = |kind: &DataType| kind.is_numeric() || kind.is_null();
        let most = if self.name() == "atan2" { 2 } else { 1 };
        if types.is_empty() || types.len() > most || !types.iter().all(number) {
            return Err(refused(&format!("{} takes a number; cast texts", self.name())));
        }
        Ok(vec![DataType::Float64; types.len()])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn evaluate_bounds(&self, _: &[&Interval]) -> Result<Interval> {
        Interval::make_unbounded(&DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = args.args.clone();
        let made = self.inner.inner().invoke_with_args(args)?;
        let is_odd = |value: &ColumnarValue| match value {
            ColumnarValue::Scalar(ScalarValue::Float64(Some(value))) => !value.is_finite(),
            ColumnarValue::Array(values) => values
                .as_primitive_opt::<Float64Type>()
                .is_some_and(|values| values.iter().flatten().any(|value| !value.is_finite())),
            _ => false,
        };
        if is_odd(&made) && !given.iter().any(is_odd) {
            return Err(out_of_range());
        }
        Ok(made)
    }
}
