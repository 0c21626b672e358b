//! Values of parameters as expressions, as if the client had written them into its query.

use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType, ExactNumberInfo, Expr, TimezoneInfo, Value,
};

use super::super::postgres::list_items;
use super::oids::{WireType, oid};
use super::question::WireParameter;

/// The expression of a parameter. What has no type is a text whose type the query decides, as it
/// decides that of `'text'`.
///
/// # Errors
/// A list that cannot be read.
pub(super) fn of_parameter(parameter: &WireParameter) -> Result<Expr, String> {
    let WireParameter { oid, text } = parameter;
    let Some(text) = text else { return Ok(typed(null(), *oid)) };
    if let Some(item) = WireType::of_items(*oid) {
        return list(text, item.oid);
    }
    Ok(typed(quoted(text), *oid))
}

/// The list of texts such as `{a,"b c",NULL}`.
///
/// # Errors
/// Other texts.
pub(super) fn list(text: &str, item: u32) -> Result<Expr, String> {
    let items = list_items(text).ok_or_else(|| {
        format!("malformed array literal: {text:?}; write it as {{a,b}}, with one dimension")
    })?;
    let item = |value: Option<String>| match value {
        Some(value) => typed(quoted(&value), item),
        None => typed(null(), item),
    };
    Ok(Expr::Array(Array { elem: items.into_iter().map(item).collect(), named: true }))
}

pub(super) fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

pub(super) fn quoted(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

pub(super) fn number(value: impl Into<i128>) -> Expr {
    Expr::Value(Value::Number(value.into().to_string(), false).into())
}

pub(super) fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

fn typed(expr: Expr, oid: u32) -> Expr {
    match sql_type(oid) {
        Some(data_type) => cast(expr, data_type),
        None => expr,
    }
}

/// The type of a number as it is written in SQL; none for texts, which stay as they are.
pub(super) fn sql_type(oid: u32) -> Option<DataType> {
    Some(match oid {
        oid::BOOL => DataType::Boolean,
        oid::INT2 => DataType::SmallInt(None),
        oid::INT4 => DataType::Integer(None),
        oid::INT8 | oid::OID => DataType::BigInt(None),
        oid::FLOAT4 => DataType::Real,
        oid::FLOAT8 => DataType::DoublePrecision,
        oid::NUMERIC => DataType::Numeric(ExactNumberInfo::None),
        oid::DATE => DataType::Date,
        oid::TIME => DataType::Time(None, TimezoneInfo::None),
        oid::TIMESTAMP => DataType::Timestamp(None, TimezoneInfo::None),
        oid::TIMESTAMPTZ => DataType::Timestamp(None, TimezoneInfo::Tz),
        oid::INTERVAL => DataType::Interval { fields: None, precision: None },
        oid::BYTEA => DataType::Bytea,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => DataType::Text,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_type_that_was_declared() {
        let of = |oid, text: Option<&str>| {
            let parameter = WireParameter { oid, text: text.map(str::to_owned) };
            of_parameter(&parameter).map(|expr| expr.to_string())
        };
        assert_eq!(of(0, Some("it's")).unwrap(), "'it''s'");
        assert_eq!(of(oid::INT8, Some("-5")).unwrap(), "'-5'::BIGINT");
        assert_eq!(of(oid::TIMESTAMPTZ, None).unwrap(), "NULL::TIMESTAMPTZ");
        assert_eq!(of(1016, Some("{1,NULL}")).unwrap(), "ARRAY['1'::BIGINT, NULL::BIGINT]");
        assert!(of(1016, Some("1")).is_err());
    }
}
