//! Calls that are written out by others: `format`, `make_interval`, and aggregates of distinct values,
//! which PostgreSQL has in their order.

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Interval, OrderByExpr,
    OrderByOptions, TimezoneInfo, TypedString, Value, ValueWithSpan,
};

use super::calls::{args_of, call};
use super::names::folded;
use super::refusal::refused;

/// The arguments of `make_interval`, in their order, and the interval that each counts.
const UNITS: [(&str, &str); 7] = [
    ("years", "1 year"),
    ("months", "1 month"),
    ("weeks", "1 week"),
    ("days", "1 day"),
    ("hours", "1 hour"),
    ("mins", "1 minute"),
    ("secs", "1 second"),
];

/// What a call is written out as; `None` for others.
///
/// # Errors
/// A format that is not known before the query runs, or that asks for more than there is.
pub(super) fn written_out(function: &Function) -> Result<Option<Expr>> {
    Ok(match function.name.to_string().to_lowercase().as_str() {
        "format" => formatted(function)?,
        "make_interval" => interval(function),
        "array_agg" | "string_agg" => in_order(function),
        "generate_series" => series(function),
        _ => None,
    })
}

/// `string_agg(DISTINCT a, ',' ORDER BY a)` for `string_agg(DISTINCT a, ',')`: PostgreSQL sorts values to
/// tell them apart, and so has them in order.
fn in_order(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let is_distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let has_clauses = !list.clauses.is_empty() || !function.within_group.is_empty();
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(first)) = list.args.first()? else {
        return None;
    };
    if !is_distinct || has_clauses || function.over.is_some() {
        return None;
    }
    let options = OrderByOptions { asc: None, nulls_first: None };
    let by = OrderByExpr { expr: first.clone(), options, with_fill: None };
    let mut sorted = function.clone();
    if let FunctionArguments::List(list) = &mut sorted.args {
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![by]));
    }
    Some(Expr::Function(sorted))
}

/// `2 * INTERVAL '1 day' + …` for `make_interval(days => 2, …)`.
fn interval(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let parts = list.args.iter().zip(UNITS).map(|(arg, (_, in_order))| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(times)) => Some((times.clone(), in_order)),
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(times), .. }
        | FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg: FunctionArgExpr::Expr(times),
            ..
        } => {
            let name = folded(name);
            let (_, unit) = UNITS.iter().find(|(known, _)| *known == name)?;
            Some((times.clone(), *unit))
        }
        _ => None,
    });
    let parts: Vec<_> = parts.collect::<Option<_>>()?;
    let parts = parts.into_iter().map(|(times, unit)| {
        let times = Expr::Nested(Box::new(times));
        binary(times, BinaryOperator::Multiply, one(unit))
    });
    let plus = |left, right| binary(left, BinaryOperator::Plus, right);
    let sum = parts.reduce(plus).filter(|_| list.args.len() <= UNITS.len())?;
    Some(Expr::Nested(Box::new(sum)))
}

fn one(unit: &str) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(text(unit)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

/// A series of times: its step may be a text, and days in it are times.
fn series(function: &Function) -> Option<Expr> {
    let mut args = args_of(function)?;
    let [first, last, step] = args.as_mut_slice() else { return None };
    let of_text =
        matches!(step, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. }));
    let of_days = [&*first, &*last].into_iter().any(is_day);
    if !of_text && !of_days {
        return None;
    }
    let time = DataType::Timestamp(None, TimezoneInfo::Tz);
    for end in [first, last].into_iter().filter(|end| is_day(end)) {
        *end = cast(end.clone(), time.clone());
    }
    if of_text {
        *step = cast(step.clone(), DataType::Interval { fields: None, precision: None });
    }
    Some(call("generate_series", args))
}

fn is_day(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Cast { data_type: DataType::Date, .. }
            | Expr::TypedString(TypedString { data_type: DataType::Date, .. })
    )
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    let (kind, expr) = (CastKind::DoubleColon, Box::new(expr));
    Expr::Cast { kind, expr, data_type, array: false, format: None }
}

/// `concat('a ', b)` for `format('a %s', b)`.
fn formatted(function: &Function) -> Result<Option<Expr>> {
    let Some(args) = args_of(function) else { return Ok(None) };
    let mut args = args.into_iter();
    let Some(Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(pattern), .. })) =
        args.next()
    else {
        return Err(refused("the format of format() is a text in the query here; use concat"));
    };
    let (mut parts, mut plain) = (Vec::new(), String::new());
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let kind = match char {
            '%' => chars.next(),
            char => {
                plain.push(char);
                continue;
            }
        };
        let quote = match kind {
            Some('%') => {
                plain.push('%');
                continue;
            }
            Some('s') => None,
            Some('I') => Some("quote_ident"),
            Some('L') => Some("quote_nullable"),
            _ => {
                return Err(refused(
                    "format() has %s, %I, %L and %% here; pad texts by lpad and rpad",
                ));
            }
        };
        let Some(arg) = args.next() else {
            return Err(refused("format() has fewer values than its format asks for"));
        };
        parts.push(text(&std::mem::take(&mut plain)));
        parts.push(match quote {
            None => arg,
            Some(quote) => call(quote, vec![call("concat", vec![arg])]),
        });
    }
    parts.push(text(&plain));
    Ok(Some(call("concat", parts)))
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn calls_are_written_out() {
        let of = |text: &str| match statement(&format!("SELECT {text}"), 50) {
            Ok(statement) => statement.to_string(),
            Err(error) => error.to_string(),
        };
        for (asked, expected) in [
            ("format('a %s%%', b, c)", "concat('a ', b, '%')"),
            ("format('%I', b)", "concat('', quote_ident(concat(b)), '')"),
            ("string_agg(DISTINCT a, ',')", "string_agg(DISTINCT a, ',' ORDER BY a)"),
            ("array_agg(DISTINCT a ORDER BY b)", "array_agg(DISTINCT a ORDER BY b)"),
            ("array_agg(a)", "array_agg(a)"),
            ("generate_series(1, 5, 2)", "unnest(generate_series(1, 5, 2))"),
            (
                "max(generate_series(a::date, b, c))",
                "max(generate_series(a::DATE::TIMESTAMPTZ, b, c))",
            ),
        ] {
            assert_eq!(of(asked), format!("SELECT {expected}"), "{asked}");
        }
        let interval = of("make_interval(days => a, mins => 2)");
        assert!(interval.starts_with("SELECT ((a) * INTERVAL '"), "{interval}");
        assert!(interval.contains(" + (2) * INTERVAL '"), "{interval}");
        for asked in ["format(a)", "format('%s')", "format('%10s', a)"] {
            assert!(of(asked).contains("format()"), "{asked}: {}", of(asked));
        }
    }
}
