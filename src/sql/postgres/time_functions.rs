//! `to_date`, `to_timestamp`, `now`: times out of texts and numbers.

use std::sync::Arc;

use arrow::array::{Array as _, Date32Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::calendar;
use super::columns::{NativeValue, cell, column, texts};
use super::decimal;
use super::function::{Given, PlannedTypes, function};
use super::refusal::refused;
use super::span::SECOND;
use super::types::{UTC, timestamp};
use super::{patterns, read};

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
}

/// `to_timestamp(seconds)`, `to_timestamp(text, format)`; a text without a format is ISO 8601.
pub(super) fn to_timestamp() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let takes = match given.types {
            [kind] if is_text(kind) => vec![DataType::Utf8],
            [DataType::Timestamp(_, zone)] => vec![timestamp(zone.is_some())],
            [DataType::Date32] => vec![timestamp(true)],
            [kind] if kind.is_floating() => vec![DataType::Float64],
            [kind] if kind.is_integer() || kind.is_null() => vec![DataType::Int64],
            [DataType::Decimal128(digits, places)] => vec![DataType::Decimal128(*digits, *places)],
            [text, format] if is_text(text) && is_text(format) => vec![DataType::Utf8; 2],
            _ => {
                return Err(refused(
                    "to_timestamp takes seconds since 1970, or a text and a format",
                ));
            }
        };
        Ok(PlannedTypes { takes, gives: timestamp(true) })
    };
    function("to_timestamp", plan, |args, of| {
        let values = column(args, 0)?;
        let formats = args.get(1).map(texts).transpose()?;
        let written = if is_text(values.data_type()) { Some(texts(values)?) } else { None };
        let made = (0..values.len()).map(|row| {
            if values.is_null(row) || formats.as_ref().is_some_and(|formats| formats.is_null(row)) {
                return Ok(None);
            }
            match (&written, &formats) {
                (Some(text), Some(format)) => {
                    patterns::read(text.value(row), format.value(row)).map(calendar::micros)
                }
                (Some(text), None) => read::instant(text.value(row)),
                _ => of_seconds(cell(values, row).as_ref()),
            }
            .map(Some)
        });
        let made = made.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(TimestampMicrosecondArray::from(made).with_data_type(of.clone())))
    })
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    reason = "the bounds are looked at"
)]
fn of_seconds(seconds: Option<&NativeValue>) -> Result<i64> {
    let out_of_range = || refused("a timestamp is out of range");
    match seconds {
        Some(NativeValue::Int(seconds)) => seconds.checked_mul(SECOND).ok_or_else(out_of_range),
        Some(NativeValue::Decimal(value, places)) => {
            let places = u8::try_from(*places).map_err(|_| out_of_range())?;
            let micros = decimal::in_places(*value, places, 6)?;
            i64::try_from(micros).map_err(|_| out_of_range())
        }
        Some(NativeValue::Float(seconds)) if seconds.abs() < 9e12 => {
            Ok((seconds * 1e6).round_ties_even() as i64)
        }
        Some(NativeValue::Timestamp { micros, .. }) => Ok(*micros),
        _ => Err(out_of_range()),
    }
}

/// `to_date(text, format)`; a text without a format is ISO 8601.
pub(super) fn to_date() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let takes = match given.types {
            [text] if is_text(text) => vec![DataType::Utf8],
            [text, format] if is_text(text) && is_text(format) => vec![DataType::Utf8; 2],
            _ => {
                return Err(refused(
                    "to_date takes a text and a format; cast timestamps: ts::date",
                ));
            }
        };
        Ok(PlannedTypes { takes, gives: DataType::Date32 })
    };
    function("to_date", plan, |args, _| {
        let written = texts(column(args, 0)?)?;
        let formats = args.get(1).map(texts).transpose()?;
        let made = written.iter().enumerate().map(|(row, text)| {
            let Some(text) = text else { return Ok(None) };
            match &formats {
                None => read::date(text).map(Some),
                Some(formats) if formats.is_null(row) => Ok(None),
                Some(formats) => {
                    let at = patterns::read(text, formats.value(row))?;
                    Ok(Some(calendar::days(at.date())))
                }
            }
        });
        Ok(Arc::new(made.collect::<Result<Date32Array>>()?))
    })
}

/// `now()`, in microseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Now {
    signature: Signature,
    aliases: [String; 2],
}

/// See [`Now`].
pub(super) fn now() -> ScalarUDF {
    let aliases = ["current_timestamp".to_owned(), "transaction_timestamp".to_owned()];
    Now { signature: Signature::nullary(Volatility::Stable), aliases }.into()
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &'static str {
        "now"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(timestamp(true))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(refused("now() has no value before the query begins"))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(now) = info.query_execution_start_time() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let now = ScalarValue::TimestampMicrosecond(Some(now.timestamp_micros()), Some(UTC.into()));
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(now, None)))
    }
}
