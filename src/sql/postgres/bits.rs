//! `<<`, `>>` and `to_hex`.

use std::sync::Arc;

use arrow::array::{AsArray as _, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::columns::{column, map_two};
use super::function::{Given, PlannedTypes, function, operator};
use super::refusal::refused;

/// Places that an int64 may be shifted by, and a literal (an int4 in PostgreSQL).
const PLACES_MAX: u32 = 63;
const LITERAL_PLACES_MAX: u32 = 31;

fn plan(_: &Given<'_>) -> Result<PlannedTypes> {
    Ok(PlannedTypes { takes: vec![DataType::Int64; 2], gives: DataType::Int64 })
}

/// `a << places`; a literal has 32 bits.
pub(super) fn left(of_literal: bool) -> ScalarUDF {
    if of_literal {
        return operator("shift_left_32", "<<", plan, |args, of| {
            map_two::<Int64Type, Int64Type, Int64Type>(args, of, |value, places| {
                let shifted = shift_left(value, count(places, LITERAL_PLACES_MAX)?)?;
                i32::try_from(shifted).map(i64::from).map_err(|_| out_of_range())
            })
        });
    }
    operator("shift_left", "<<", plan, |args, of| {
        map_two::<Int64Type, Int64Type, Int64Type>(args, of, |value, places| {
            shift_left(value, count(places, PLACES_MAX)?)
        })
    })
}

/// `a >> places`.
pub(super) fn right(of_literal: bool) -> ScalarUDF {
    if of_literal {
        return operator("shift_right_32", ">>", plan, |args, of| {
            map_two::<Int64Type, Int64Type, Int64Type>(args, of, |value, places| {
                Ok(value >> count(places, LITERAL_PLACES_MAX)?)
            })
        });
    }
    operator("shift_right", ">>", plan, |args, of| {
        map_two::<Int64Type, Int64Type, Int64Type>(args, of, |value, places| {
            Ok(value >> count(places, PLACES_MAX)?)
        })
    })
}

/// `to_hex(a)`: a number below 0 has the digits of its 32 or 64 bits.
pub(super) fn to_hex() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let of = match given.types {
            [DataType::Int8 | DataType::Int16 | DataType::Int32] => DataType::Int32,
            [kind] if kind.is_integer() || kind.is_null() => DataType::Int64,
            _ => return Err(refused("to_hex takes one integer; round or cast the value")),
        };
        Ok(PlannedTypes { takes: vec![of], gives: DataType::Utf8 })
    };
    function("to_hex", plan, |args, _| {
        let values = column(args, 0)?;
        let digits: StringArray = match values.as_primitive_opt::<Int32Type>() {
            Some(values) => of_bits(values.iter(), |value| format!("{:x}", value.cast_unsigned())),
            None => of_bits(values.as_primitive::<Int64Type>().iter(), |value| {
                format!("{:x}", value.cast_unsigned())
            }),
        };
        Ok(Arc::new(digits))
    })
}

fn of_bits<T>(values: impl Iterator<Item = Option<T>>, digits: fn(T) -> String) -> StringArray {
    values.map(|value| value.map(digits)).collect()
}

fn out_of_range() -> datafusion::error::DataFusionError {
    refused("a shift is out of range; shift a bigint by 0 to 63 places: CAST(1 AS bigint) << 40")
}

fn count(places: i64, most: u32) -> Result<u32> {
    u32::try_from(places).ok().filter(|places| *places <= most).ok_or_else(out_of_range)
}

fn shift_left(value: i64, places: u32) -> Result<i64> {
    let shifted = i128::from(value).checked_shl(places).ok_or_else(out_of_range)?;
    i64::try_from(shifted).map_err(|_| out_of_range())
}
