//! The operators of PostgreSQL's `jsonb` on a map of texts, which is what `attributes` is, and its text.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray, StructArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Cast, Expr, ScalarUDF, and, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use serde_json::{Map, Value};

use super::columns::{column, texts};
use super::function::{Given, PlannedTypes, call, function};
use super::refusal::refused;

/// Whether an operator is one of those on `jsonb`.
pub(super) fn is_of_maps(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(op, Op::LongArrow | Op::Arrow | Op::AtArrow | Op::HashLongArrow | Op::HashArrow)
}

/// `->>` and `#>>` are the value of a key, and `@>` tells whether there are those of an object. `None` if the
/// left side is no map, or the right side no text that is known.
///
/// # Errors
/// `->` and `#>`, which would be JSON and are texts here; more than one key; and what is no object.
pub(super) fn of_map(
    op: &BinaryOperator,
    (left, of): (&Expr, &DataType),
    right: &Expr,
) -> Result<Option<Expr>> {
    use BinaryOperator as Op;
    if !matches!(of, DataType::Map(..)) {
        return Ok(None);
    }
    let right = match op {
        Op::HashLongArrow | Op::HashArrow => only_key(right)?,
        _ => known_text(right),
    };
    let Some(text) = right else { return Ok(None) };
    Ok(Some(match op {
        Op::LongArrow | Op::HashLongArrow => value(left, text.as_deref()),
        Op::AtArrow => contains(left, text.as_deref())?,
        Op::HashArrow => {
            return Err(refused("values of attributes are texts; write #>> instead of #>"));
        }
        _ => return Err(refused("values of attributes are texts; write ->> instead of ->")),
    }))
}

/// The value of a key; null for a key that is null.
fn value(map: &Expr, key: Option<&str>) -> Expr {
    match key {
        Some(key) => call(get_field().as_ref().clone(), vec![map.clone(), lit(key)]),
        None => Expr::Literal(ScalarValue::Utf8(None), None),
    }
}

fn contains(map: &Expr, object: Option<&str>) -> Result<Expr> {
    let Some(object) = object else {
        return Ok(Expr::Literal(ScalarValue::Boolean(None), None));
    };
    let object: Map<String, Value> = serde_json::from_str(object)
        .map_err(|_| refused(r#"what follows @> is an object of JSON, as in '{"team":"a"}'"#))?;
    let equal = object.iter().map(|(key, wanted)| {
        let wanted = ScalarValue::from(text_of(wanted));
        value(map, Some(key)).eq(Expr::Literal(wanted, None))
    });
    let all = equal.reduce(and).unwrap_or_else(|| map.clone().is_not_null());
    // A key that is not there is no match.
    Ok(all.is_true())
}

/// The text that a literal says, whatever it is cast to, as in `'{}'::jsonb`; the inner one is `None` for
/// null.
fn known_text(expr: &Expr) -> Option<Option<String>> {
    match expr {
        Expr::Cast(Cast { expr, .. }) => known_text(expr),
        Expr::Literal(ScalarValue::Null, _) => Some(None),
        Expr::Literal(text, _) => text.try_as_str().map(|text| text.map(str::to_owned)),
        _ => None,
    }
}

/// The only key of a path, which is a list of texts; `None` for what is not known.
///
/// # Errors
/// A path of no or of several keys.
fn only_key(path: &Expr) -> Result<Option<Option<String>>> {
    let several =
        || refused("values of attributes are texts, in which there are no keys; give #>> one key");
    match path {
        Expr::Cast(Cast { expr, .. }) => only_key(expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "make_array" => {
            match args.as_slice() {
                [key] => Ok(known_text(key)),
                _ => Err(several()),
            }
        }
        path => match known_text(path) {
            Some(Some(text)) => {
                let key = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
                let key = key.filter(|key| !key.is_empty() && !key.contains([',', '"', '\\']));
                key.map(|key| Some(Some(key.to_owned()))).ok_or_else(several)
            }
            known => Ok(known),
        },
    }
}

/// `attributes::text`: the object in JSON, as it is shown.
pub(super) fn map_text() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let takes = given.types.to_vec();
        Ok(PlannedTypes { takes, gives: DataType::Utf8 })
    };
    function("map_text", plan, |args, _| {
        let maps = column(args, 0)?;
        let Some(maps) = maps.as_map_opt() else {
            return Err(refused("map_text takes a map; cast attributes to text"));
        };
        let shown = (0..maps.len())
            .map(|row| (!maps.is_null(row)).then(|| object(&maps.value(row))).transpose());
        Ok(Arc::new(shown.collect::<Result<StringArray>>()?))
    })
}

fn object(entries: &StructArray) -> Result<String> {
    let columns: &[ArrayRef] = entries.columns();
    let (keys, values) = (texts(column(columns, 0)?)?, texts(column(columns, 1)?)?);
    let mut out = "{".to_owned();
    for (at, (key, value)) in keys.iter().zip(values.iter()).enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let (key, value) = (Value::from(key), Value::from(value));
        let _ = write!(out, "{comma}{key}:{value}");
    }
    out.push('}');
    Ok(out)
}

/// A value as attributes keep it: texts as they are, all others as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
