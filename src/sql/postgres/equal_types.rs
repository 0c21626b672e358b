//! Casts by PostgreSQL's rules, and the types in which two values are compared.

use arrow::datatypes::DataType;
use datafusion::common::{ExprSchema, Result};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable as _, Operator, cast, lit};

use super::decimal::{DIGITS_MAX, Scale};
use super::kinds::{ValueKind, named};
use super::refusal::refused;
use super::types::timestamp;
use super::{call, list_text, maps, math, texts, time_operators};

/// Digits of the wide decimals for comparisons that need more than 38.
const WIDE_DIGITS: u8 = 76;

/// Both sides in types that compare as in PostgreSQL; `None` if they already do.
pub(super) fn comparable(
    left: &Expr,
    right: &Expr,
    schema: &dyn ExprSchema,
) -> Result<Option<(Expr, Expr)>> {
    match type_of(left, schema) {
        Ok(left_type) => comparable_to(left, &left_type, right, schema),
        Err(_) => Ok(None),
    }
}

/// The type of one side. A comparison's type is known without a walk through it.
fn type_of(expr: &Expr, schema: &dyn ExprSchema) -> Result<DataType> {
    match expr {
        Expr::BinaryExpr(binary) if binary.op.is_logic_operator() || is_comparison(binary.op) => {
            Ok(DataType::Boolean)
        }
        expr => expr.get_type(schema),
    }
}

/// True for operators that compare.
pub(super) fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// As [`comparable`], if the type of the left side is known.
pub(super) fn comparable_to(
    left: &Expr,
    left_type: &DataType,
    right: &Expr,
    schema: &dyn ExprSchema,
) -> Result<Option<(Expr, Expr)>> {
    let Ok(right_type) = type_of(right, schema) else { return Ok(None) };
    let kinds = (ValueKind::of(left, left_type), ValueKind::of(right, &right_type));
    if are_alike(kinds) {
        return Ok(None);
    }
    let (left, right) = (left.clone(), right.clone());
    let size = |expr| call(time_operators::span_size(), vec![expr]);
    Ok(match kinds {
        (ValueKind::Interval, ValueKind::Interval) => Some((size(left), size(right))),
        (ValueKind::Interval, ValueKind::Literal) => {
            Some((size(left), size(typed(right, &right_type, left_type)?)))
        }
        (ValueKind::Literal, ValueKind::Interval) => {
            Some((size(typed(left, left_type, &right_type)?), size(right)))
        }
        (_, ValueKind::Literal) => {
            let right = typed(right, &right_type, left_type)?;
            Some((left, right))
        }
        (ValueKind::Literal, _) => {
            let left = typed(left, left_type, &right_type)?;
            Some((left, right))
        }
        (ValueKind::Decimal, ValueKind::Float) => Some((cast(left, DataType::Float64), right)),
        (ValueKind::Float, ValueKind::Decimal) => Some((left, cast(right, DataType::Float64))),
        (ValueKind::Decimal, ValueKind::Decimal | ValueKind::Int)
        | (ValueKind::Int, ValueKind::Decimal) => {
            wide(left_type, &right_type).map(|kind| (cast(left, kind.clone()), cast(right, kind)))
        }
        (one, other) if one.is_number() && other.is_number() => None,
        _ => {
            let (left, right) = (named(left_type), named(&right_type));
            return Err(refused(&format!("{left} and {right} do not compare; cast one of them")));
        }
    })
}

/// True for kinds that DataFusion compares as PostgreSQL does.
fn are_alike(kinds: (ValueKind, ValueKind)) -> bool {
    match kinds {
        (ValueKind::Null | ValueKind::Other, _) | (_, ValueKind::Null | ValueKind::Other) => true,
        (ValueKind::Text | ValueKind::Literal, ValueKind::Text | ValueKind::Literal) => true,
        // Intervals are compared by size, decimals by their scales.
        (ValueKind::Interval, ValueKind::Interval) | (ValueKind::Decimal, ValueKind::Decimal) => {
            false
        }
        (one, other) => one == other || one.is_day() && other.is_day(),
    }
}

/// The wide type in which two decimals are compared, if 38 digits may not hold both.
fn wide(left: &DataType, right: &DataType) -> Option<DataType> {
    let (left, right) = (Scale::of(left)?, Scale::of(right)?);
    let places = left.places.max(right.places);
    let digits = left.whole().max(right.whole()) + places;
    let wide = DataType::Decimal256(WIDE_DIGITS, i8::try_from(places).ok()?);
    (digits > DIGITS_MAX).then_some(wide)
}

/// A literal text of the query as a value of another type.
fn typed(text: Expr, of: &DataType, to: &DataType) -> Result<Expr> {
    if to.is_decimal() {
        return Ok(call(texts::numeric(), vec![text]));
    }
    Ok(cast_to(&text, of, to)?.unwrap_or_else(|| cast(text, to.clone())))
}

/// The cast by PostgreSQL's rules; `None` if DataFusion's is the same.
pub(super) fn cast_of(of: &Cast, schema: &dyn ExprSchema) -> Result<Option<Expr>> {
    let Ok(from) = of.expr.get_type(schema) else { return Ok(None) };
    cast_to(&of.expr, &from, of.field.data_type())
}

/// The cast by PostgreSQL's rules; `None` if DataFusion's is the same.
fn cast_to(expr: &Expr, from: &DataType, to: &DataType) -> Result<Option<Expr>> {
    let (source, target) = (ValueKind::of(expr, from), ValueKind::of(&lit(0_i64), to));
    check_cast((source, from), (target, to))?;
    let expr = || expr.clone();
    Ok(Some(match (source, target) {
        (ValueKind::Float | ValueKind::Decimal, ValueKind::Int) => {
            cast(call(math::round(), vec![expr()]), to.clone())
        }
        (ValueKind::Text | ValueKind::Literal, ValueKind::Date) => {
            call(texts::date_of(), vec![expr()])
        }
        (ValueKind::Text | ValueKind::Literal, ValueKind::Timestamp) => {
            let with_zone = *to != timestamp(false);
            let read = if with_zone { texts::instant_of() } else { texts::local_of() };
            call(read, vec![expr()])
        }
        (ValueKind::Text | ValueKind::Literal, ValueKind::Interval) => {
            call(texts::interval_of(), vec![expr()])
        }
        (ValueKind::Text | ValueKind::Literal | ValueKind::Float, ValueKind::Decimal) => {
            let DataType::Decimal128(digits, places) = to else { return Ok(None) };
            if *places < 0 {
                return Ok(None);
            }
            let parts = [lit(i64::from(*digits)), lit(i64::from(*places))];
            call(texts::decimal_of(), std::iter::once(expr()).chain(parts).collect())
        }
        (
            ValueKind::Timestamp | ValueKind::Interval | ValueKind::Float | ValueKind::Time,
            ValueKind::Text,
        ) => cast(call(texts::text(), vec![expr()]), to.clone()),
        (ValueKind::Other, ValueKind::Text) if matches!(from, DataType::List(_)) => {
            cast(call(list_text::list_text(), vec![expr()]), to.clone())
        }
        (ValueKind::Other, ValueKind::Text) if matches!(from, DataType::Map(..)) => {
            cast(call(maps::map_text(), vec![expr()]), to.clone())
        }
        _ => return Ok(None),
    }))
}

/// # Errors
/// PostgreSQL has no such cast.
fn check_cast(
    (source, from): (ValueKind, &DataType),
    (target, to): (ValueKind, &DataType),
) -> Result<()> {
    // DataFusion would make a list of one item.
    if matches!(to, DataType::List(_)) && source != ValueKind::Null && !from.is_nested() {
        return Err(refused(
            "only a text in the query is read as a list, as in '{a,b}'::text[]; use string_to_array",
        ));
    }
    let is_time = |kind| {
        use ValueKind::{Date, Interval, Time, Timestamp};
        matches!(kind, Date | Timestamp | Time | Interval)
    };
    let has_no_time = |kind: ValueKind| kind.is_number() || kind == ValueKind::Bool;
    let has_no_truth = |kind| matches!(kind, ValueKind::Decimal | ValueKind::Float);
    let has_none = match (source, target) {
        (ValueKind::Bool, other) | (other, ValueKind::Bool) if has_no_truth(other) => true,
        (one, other) => is_time(one) && has_no_time(other) || has_no_time(one) && is_time(other),
    };
    if !has_none {
        return Ok(());
    }
    Err(refused(&format!(
        "{} has no cast to {}; use extract or to_timestamp",
        named(from),
        named(to)
    )))
}
