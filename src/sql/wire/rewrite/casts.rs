//! Casts to types of PostgreSQL that DataFusion has not: names of relations and types, and names that
//! are texts.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, DataType, ExactNumberInfo, Expr, Function, Ident, ObjectName,
    TimezoneInfo, Value, ValueWithSpan,
};

use super::super::super::catalog::{Relations, is_catalog_table, is_procedure_column};
use super::super::super::postgres::parsed_call;
use super::super::literal::{cast, list, null, number, quoted};
use super::super::oids::{WireType, oid};
use super::parts::lower;

/// The functions of a relation that is not known before a query runs.
const RELATION_NAME: &str = "pg_relation_name";
const RELATION_NUMBER: &str = "pg_relation_number";
/// Numbers that a relation can be cast to.
const NUMBERS: [&str; 5] = ["oid", "bigint", "int8", "integer", "int4"];
/// PostgreSQL's numbers of the tables that clients name to say what a comment or a dependency is of.
const CATALOGS: [(&str, i64); 8] = [
    ("pg_attrdef", 2_604),
    ("pg_attribute", 1_249),
    ("pg_class", 1_259),
    ("pg_constraint", 2_606),
    ("pg_database", 1_262),
    ("pg_namespace", 2_615),
    ("pg_proc", 1_255),
    ("pg_type", 1_247),
];

/// What a cast to a type of the catalog comes to; `None` for another cast.
///
/// # Errors
/// A relation, a type or a schema that is not there, in words.
pub(super) fn reworded(
    expr: &Expr,
    to: &DataType,
    relations: &Relations,
) -> Result<Option<Expr>, String> {
    if let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = to {
        if let Some(text) = text_of(expr) {
            return listed(text, item).map(Some);
        }
        let item = plain(&name_of(item));
        return Ok(item.map(|item| {
            let item = ArrayElemTypeDef::SquareBracket(Box::new(item), None);
            cast(expr.clone(), DataType::Array(item))
        }));
    }
    if let (DataType::Bytea, Some(text)) = (to, text_of(expr)) {
        return Ok(text.strip_prefix("\\x").map(bytes));
    }
    let name = name_of(to);
    Ok(match name.as_str() {
        "regclass" => match text_of(expr) {
            Some(text) => Some(number(relation(text, relations)?)),
            None => Some(parsed_call(RELATION_NAME, vec![expr.clone()])),
        },
        name if NUMBERS.contains(&name) && relation_number(expr).is_some() => relation_number(expr),
        "regtype" => match text_of(expr) {
            Some(text) => Some(number(type_number(text)?)),
            None => Some(parsed_call("format_type", vec![expr.clone(), null()])),
        },
        "regnamespace" => match text_of(expr) {
            Some(text) => Some(number(schema(text, relations)?)),
            None => Some(parsed_call("pg_schema_name", vec![expr.clone()])),
        },
        name => plain(name).map(|plain| cast(expr.clone(), plain)),
    })
}

/// The list that a text such as `{a,b}` says.
///
/// # Errors
/// A text that says none.
fn listed(text: &str, item: &DataType) -> Result<Expr, String> {
    let oid = WireType::named(&name_of(item)).unwrap_or(oid::UNKNOWN);
    let list = list(text, oid)?;
    // The items of an empty list have no type of their own.
    let item = plain(&name_of(item)).unwrap_or_else(|| item.clone());
    Ok(cast(list, DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item), None))))
}

/// The bytes that hexadecimal digits say.
fn bytes(digits: &str) -> Expr {
    parsed_call("decode", vec![quoted(digits), quoted("hex")])
}

/// The number of a relation whose name an expression shows, as in `x::regclass::oid`.
fn relation_number(expr: &Expr) -> Option<Expr> {
    let Expr::Function(function) = expr else { return None };
    (function.name.to_string() == RELATION_NAME).then(|| {
        let name = ObjectName::from(vec![Ident::new(RELATION_NUMBER)]);
        Expr::Function(Function { name, ..function.clone() })
    })
}

/// A comparison with `x::regclass`, which is one of numbers, or with a column of functions, which is one of
/// their names.
///
/// # Errors
/// A relation that is not there, in words.
pub(super) fn compared(
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    relations: &Relations,
) -> Result<Option<Expr>, String> {
    let is_comparison = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
    if is_comparison && [left, right].into_iter().any(is_procedure) {
        let (left, right) = (Box::new(procedure(left)), Box::new(procedure(right)));
        return Ok(Some(Expr::BinaryOp { left, op: op.clone(), right }));
    }
    let numbers = [relation_number(left), relation_number(right)];
    if !is_comparison || numbers.iter().all(Option::is_none) {
        return Ok(None);
    }
    let [left_number, right_number] = numbers;
    let side = |known: Option<Expr>, side: &Expr| match (known, text_of(side)) {
        (Some(known), _) => Ok(Box::new(known)),
        (None, Some(text)) => relation(text, relations).map(|text| Box::new(number(text))),
        (None, None) => Ok(Box::new(side.clone())),
    };
    let (left, right) = (side(left_number, left)?, side(right_number, right)?);
    Ok(Some(Expr::BinaryOp { left, op: op.clone(), right }))
}

/// Whether an expression names a column of functions.
fn is_procedure(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        Expr::Nested(inner) => return is_procedure(inner),
        _ => None,
    };
    name.is_some_and(|name| is_procedure_column(&lower(name)))
}

/// The name of a function, without its schema. A number is that of none here, and becomes the text that no
/// function is named by.
fn procedure(expr: &Expr) -> Expr {
    match text_of(expr) {
        Some(name) => quoted(name.strip_prefix("pg_catalog.").unwrap_or(name)),
        None if is_procedure(expr) => expr.clone(),
        None => cast(expr.clone(), DataType::Text),
    }
}

/// The type in lower case, without quotes and schemas.
fn name_of(to: &DataType) -> String {
    let name = to.to_string().replace('"', "").to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    name.strip_prefix("information_schema.").unwrap_or(name).to_owned()
}

/// The type of DataFusion for a name that it does not know. One with a length or a precision stays what it
/// is, and is planned or refused as such.
fn plain(name: &str) -> Option<DataType> {
    Some(match name {
        "oid" | "xid" | "cid" | "int8" | "cardinal_number" => DataType::BigInt(None),
        "int4" => DataType::Integer(None),
        "int2" => DataType::SmallInt(None),
        "bool" => DataType::Boolean,
        "float8" => DataType::DoublePrecision,
        "numeric" => DataType::Numeric(ExactNumberInfo::None),
        "timestamptz" => DataType::Timestamp(None, TimezoneInfo::Tz),
        "name" | "char" | "bpchar" | "cstring" | "regproc" | "regprocedure" | "regoper"
        | "regrole" | "regcollation" | "regconfig" | "sql_identifier" | "character_data"
        | "yes_or_no" | "varchar" | "character varying" | "text" | "unknown" | "json" | "jsonb"
        | "uuid" | "aclitem" | "pg_node_tree" | "tid" => DataType::Text,
        _ => return None,
    })
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        Expr::Nested(inner) => text_of(inner),
        // A text says what it is.
        Expr::Cast { expr, data_type: DataType::Text, .. } => text_of(expr),
        _ => None,
    }
}

/// The number of a relation, by its name or by the number itself.
fn relation(text: &str, relations: &Relations) -> Result<i64, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let plain = text.replace('"', "");
    let bare = plain.strip_prefix("pg_catalog.").unwrap_or(&plain);
    if let Some((_, number)) = CATALOGS.iter().find(|(name, _)| *name == bare) {
        return Ok(*number);
    }
    if is_catalog_table(bare) {
        return Ok(0);
    }
    relations.number(&plain).ok_or_else(|| format!("relation {plain:?} does not exist; see \\d"))
}

/// The number of a type, by its name or by the number itself.
fn type_number(text: &str) -> Result<u32, String> {
    let known = text.parse().ok().or_else(|| WireType::named(text));
    known.ok_or_else(|| format!("type {text:?} does not exist; see the table pg_type"))
}

fn schema(text: &str, relations: &Relations) -> Result<i64, String> {
    let known = text.parse().ok().or_else(|| relations.schema(&text.replace('"', "")));
    known.ok_or_else(|| format!("schema {text:?} does not exist; see \\dn"))
}

/// The number that a function like `to_regclass` finds by a name; null for what there is not.
pub(super) fn found(function: &str, name: &str, relations: &Relations) -> Expr {
    let number_of = match function {
        "to_regclass" => relation(name, relations).ok(),
        "to_regtype" => type_number(name).ok().map(i64::from),
        _ => schema(name, relations).ok(),
    };
    number_of.map_or_else(null, number)
}
