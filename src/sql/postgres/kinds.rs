//! The kinds of values that operators distinguish, and PostgreSQL's names of types.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Null,
    Text,
    /// A literal text in the query: its type is that of the other operand.
    Literal,
    Bool,
    Int,
    Decimal,
    Float,
    Date,
    Time,
    Timestamp,
    Interval,
    Other,
}

impl ValueKind {
    /// The kind of an expression with this type.
    pub(super) fn of(expr: &Expr, kind: &DataType) -> Self {
        match kind {
            DataType::Null => Self::Null,
            kind if is_text(kind) && is_literal(expr) => Self::Literal,
            kind if is_text(kind) => Self::Text,
            DataType::Boolean => Self::Bool,
            kind if kind.is_integer() => Self::Int,
            kind if kind.is_decimal() => Self::Decimal,
            kind if kind.is_floating() => Self::Float,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(..) => Self::Timestamp,
            DataType::Interval(_) => Self::Interval,
            _ => Self::Other,
        }
    }

    /// True for numbers.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Decimal | Self::Float)
    }

    /// True for dates and timestamps.
    pub(super) fn is_day(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp)
    }
}

/// True for texts.
pub(super) fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(_) | ScalarValue::Utf8View(_) | ScalarValue::LargeUtf8(_),
            _,
        ) => true,
        Expr::Alias(alias) => is_literal(&alias.expr),
        _ => false,
    }
}

/// PostgreSQL's name of a type.
pub(super) fn named(kind: &DataType) -> String {
    match kind {
        DataType::Null => "null".to_owned(),
        kind if is_text(kind) => "text".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int64 | DataType::UInt64 => "bigint".to_owned(),
        kind if kind.is_integer() => "integer".to_owned(),
        kind if kind.is_decimal() => "numeric".to_owned(),
        kind if kind.is_floating() => "double precision".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Interval(_) => "interval".to_owned(),
        DataType::List(item) | DataType::LargeList(item) => {
            format!("{}[]", named(item.data_type()))
        }
        DataType::Map(..) => "map".to_owned(),
        DataType::Struct(_) => "row".to_owned(),
        kind => kind.to_string().to_lowercase(),
    }
}
