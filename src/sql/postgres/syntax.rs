//! Rewrites parts of a query before it is planned, if DataFusion would give them another meaning
//! than PostgreSQL.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, CharacterLength, DataType, Expr, Interval, Query, Select,
    Statement as SqlStatement, TableFactor, TypedString, UnaryOperator, Value, ValueWithSpan,
    VisitMut, VisitorMut,
};
#[cfg(test)]
use datafusion::sql::sqlparser::ast::{SelectItem, SetExpr};

use super::any_of::{all_of, any_of, cast_to_list};
use super::balance::balance;
use super::calls::call;
use super::chain;
use super::clauses::{check_table, reword_query, reword_select};
use super::dialect::Postgres;
use super::escapes::reword_escape;
use super::labels::{distinguish_columns, label_inner_columns};
use super::literal_text::literal_text;
use super::numbers::plain_number;
use super::refusal::refused;
use super::regexes::{part_that_matches, reword_regex};
use super::row_values::reword_rows;
use super::same_names::distinguish_casts;
use super::shorthands::written_out;
use super::span::Span;
use super::synonyms::synonym;
use super::types::is_numeric;
use super::using::reword_using;
use super::windows;

/// Parses one statement as PostgreSQL does.
///
/// # Errors
/// Text that cannot be parsed, and syntax that would mean something else.
pub(in crate::sql) fn statement(text: &str, depth_max: usize) -> Result<Statement> {
    statement_with(text, depth_max, |_| Ok(()))
}

/// The same, with a change of the parsed statement before anything else looks at it.
///
/// # Errors
/// As [`statement`], and the error of the change.
pub(in crate::sql) fn statement_with(
    text: &str,
    depth_max: usize,
    change: impl FnOnce(&mut SqlStatement) -> Result<()>,
) -> Result<Statement> {
    let mut statement = one(text, depth_max)?;
    if let Some(inner) = inner(&mut statement) {
        label_inner_columns(inner);
        change(inner)?;
    }
    reword(&mut statement)?;
    Ok(statement)
}

/// The statement of SQL, also within `EXPLAIN`.
fn inner(statement: &mut Statement) -> Option<&mut SqlStatement> {
    match statement {
        Statement::Statement(statement) => Some(statement),
        Statement::Explain(explain) => inner(&mut explain.statement),
        _ => None,
    }
}

fn one(text: &str, depth_max: usize) -> Result<Statement> {
    chain::bounded(text)?;
    let parser = DFParserBuilder::new(text).with_dialect(&Postgres);
    let mut statements = parser.with_recursion_limit(depth_max).build()?.parse_statements()?;
    let statement = statements.pop_front();
    let Some(statement) = statement else {
        return Err(refused("there is no statement; write a SELECT"));
    };
    if !statements.is_empty() {
        return Err(refused("there are several statements; send them one by one"));
    }
    Ok(statement)
}

/// A statement as it is parsed.
#[cfg(test)]
pub(in crate::sql) fn parsed(text: &str, depth_max: usize) -> Result<SqlStatement> {
    match one(text, depth_max)? {
        Statement::Statement(statement) => Ok(*statement),
        other => Err(refused(&format!("{other} is no statement of SQL"))),
    }
}

/// An expression as it is parsed.
#[cfg(test)]
pub(in crate::sql) fn parsed_expr(text: &str, depth_max: usize) -> Result<Expr> {
    let SqlStatement::Query(query) = parsed(&format!("SELECT {text}"), depth_max)? else {
        return Err(refused("this is no query"));
    };
    match *query.body {
        SetExpr::Select(mut select) => match select.projection.pop() {
            Some(SelectItem::UnnamedExpr(expr)) => Ok(expr),
            _ => Err(refused("this is no expression")),
        },
        _ => Err(refused("this is no expression")),
    }
}

fn reword(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => reword_sql(statement),
        Statement::Explain(explain) => reword(&mut explain.statement),
        _ => Ok(()),
    }
}

fn reword_sql(statement: &mut SqlStatement) -> Result<()> {
    if let SqlStatement::Query(query) = statement {
        distinguish_columns(&mut query.body);
    }
    match statement.visit(&mut Reword) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Reword;

impl VisitorMut for Reword {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        distinguish_casts(query);
        let reworded = reword_query(query).and_then(|()| reword_using(query));
        broken_off(reworded.and_then(|()| windows::write_out_in_order(query)))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        broken_off(reword_select(select).and_then(|()| windows::write_out(select)))
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<DataFusionError> {
        broken_off(check_table(table))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        if let Err(error) = chain::bounded_wraps(expr) {
            return ControlFlow::Break(error);
        }
        balance(expr);
        reword_escape(expr);
        if let Err(error) = reword_regex(expr) {
            return ControlFlow::Break(error);
        }
        broken_off(reworded(expr).and_then(|new| {
            if let Some(new) = new {
                *expr = new;
            }
            reword_rows(expr)
        }))
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<DataFusionError> {
        if let Value::HexStringLiteral(digits) = &value.value {
            return ControlFlow::Break(refused(&format!(
                "x'{digits}' is a string of bits, which is not supported; write bytes as decode('{digits}', 'hex')"
            )));
        }
        if let Value::Number(number, _) = &mut value.value {
            match plain_number(number) {
                Ok(Some(plain)) => *number = plain,
                Ok(None) => {}
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

fn broken_off(done: Result<()>) -> ControlFlow<DataFusionError> {
    match done {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

/// The replacement of an expression; `None` if it can stay as it is.
fn reworded(expr: &Expr) -> Result<Option<Expr>> {
    Ok(match expr {
        Expr::Interval(interval) => Some(Expr::Interval(canonical(interval, false)?)),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Interval(interval) => Some(Expr::Interval(canonical(interval, true)?)),
            // A sign binds more tightly than a power.
            Expr::BinaryOp { left, op: BinaryOperator::PGExp, right } => {
                let left = Expr::UnaryOp { op: UnaryOperator::Minus, expr: left.clone() };
                let (left, right) = (Box::new(left), right.clone());
                Some(Expr::BinaryOp { left, op: BinaryOperator::PGExp, right })
            }
            _ => None,
        },
        // The parser reads everything that follows as the right side.
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            let not = matches!(expr, Expr::IsNotDistinctFrom(..));
            distinct(left, right, not)
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            Some(call("timezone", vec![*time_zone.clone(), *timestamp.clone()]))
        }
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } => {
            cast(expr, data_type)?
        }
        Expr::TypedString(TypedString { data_type, value, .. }) if is_numeric(data_type) => {
            Some(call("numeric", vec![Expr::Value(value.clone())]))
        }
        Expr::AnyOp { left, compare_op, right, .. } => any_of(left, compare_op, right)?,
        Expr::AllOp { left, compare_op, right } => all_of(left, compare_op, right)?,
        Expr::Substring {
            expr,
            substring_from: Some(from),
            substring_for: None,
            shorthand: false,
            ..
        } => part_that_matches(expr, from),
        Expr::Function(function) => match written_out(function)? {
            None => synonym(function),
            written => written,
        },
        Expr::SimilarTo { .. } => {
            return Err(refused(
                "SIMILAR TO is not supported; use LIKE, or ~ with a regular expression",
            ));
        }
        _ => None,
    })
}

/// `(a IS DISTINCT FROM b) AND c`, if it was parsed as `a IS DISTINCT FROM (b AND c)`.
fn distinct(left: &Expr, right: &Expr, not: bool) -> Option<Expr> {
    let Expr::BinaryOp { left: first, op, right: last } = right else { return None };
    if !matches!(op, BinaryOperator::And | BinaryOperator::Or) {
        return None;
    }
    let (this, first) = (Box::new(left.clone()), first.clone());
    let whole =
        if not { Expr::IsNotDistinctFrom(this, first) } else { Expr::IsDistinctFrom(this, first) };
    let inner = match &whole {
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            distinct(left, right, not)
        }
        _ => None,
    };
    let left = Box::new(inner.unwrap_or(whole));
    Some(Expr::BinaryOp { left, op: op.clone(), right: last.clone() })
}

fn cast(expr: &Expr, to: &DataType) -> Result<Option<Expr>> {
    if is_numeric(to) {
        return Ok(Some(call("numeric", vec![expr.clone()])));
    }
    if let (DataType::Interval { fields: None, precision: None }, Some(text)) =
        (to, literal_text(expr))
    {
        return Ok(Some(Expr::Interval(written(Span::parse(text, None)?))));
    }
    if let (DataType::Bytea, Some(digits)) =
        (to, literal_text(expr).and_then(|it| it.strip_prefix("\\x")))
    {
        let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
        return Ok(Some(call("decode", vec![text(digits), text("hex")])));
    }
    if let Some(list) = cast_to_list(expr, to)? {
        return Ok(Some(list));
    }
    cut(expr, to)
}

/// A text of at most some characters, which a cast to it cuts.
fn cut(expr: &Expr, to: &DataType) -> Result<Option<Expr>> {
    use DataType::{CharVarying, CharacterVarying, Varchar};
    let (Varchar(Some(length)) | CharVarying(Some(length)) | CharacterVarying(Some(length))) = to
    else {
        return Ok(None);
    };
    let CharacterLength::IntegerLength { length: length @ 1.., unit: None } = length else {
        return Err(refused("the length of varchar is a number of at least 1; write text for any"));
    };
    let text = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr.clone()),
        data_type: DataType::Text,
        array: false,
        format: None,
    };
    Ok(Some(call("left", vec![text, Expr::Value(Value::Number(length.to_string(), false).into())])))
}

/// The interval in units that every parser reads in the same way.
fn canonical(interval: &Interval, negative: bool) -> Result<Interval> {
    if interval.last_field.is_some()
        || interval.leading_precision.is_some()
        || interval.fractional_seconds_precision.is_some()
    {
        return Err(refused(
            "write an interval as INTERVAL '1 day 02:03:04' or as INTERVAL '5' DAY",
        ));
    }
    let unit = interval.leading_field.as_ref().map(ToString::to_string);
    let text = match interval.value.as_ref() {
        Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. }) => Some(number.as_str()),
        value => literal_text(value),
    };
    let Some(text) = text else {
        return Err(refused(
            "an interval is a text: INTERVAL '1 day'; multiply it for more: 3 * INTERVAL '1 day'",
        ));
    };
    let span = Span::parse(text, unit.as_deref())?;
    Ok(written(if negative { span.negated()? } else { span }))
}

fn written(span: Span) -> Interval {
    let text = span.for_arrow();
    Interval {
        value: Box::new(Expr::Value(Value::SingleQuotedString(text).into())),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }
}
