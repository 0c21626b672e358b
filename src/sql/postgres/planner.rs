//! Chooses the function of an operator by the types of its operands.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ExprSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::core::greatest;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable as _, GetFieldAccess, Operator, ScalarUDF, cast, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::equal_types::comparable;
use super::kinds::{ValueKind, is_text, named};
use super::long::{applied, type_of};
use super::maps::{is_of_maps, of_map};
use super::refusal::refused;
use super::time_operators as time;
use super::{arithmetic, bits, call, date_functions, powers, texts};

/// Plans operators and `extract`.
#[derive(Debug)]
pub(super) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        planned_operator(expr, schema)
    }

    fn plan_field_access(
        &self,
        mut access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        if let GetFieldAccess::ListIndex { key } = &mut access.field_access
            && !matches!(key.as_ref(), Expr::Literal(ScalarValue::Int64(Some(1..)), _))
            && matches!(type_of(&access.expr, schema), Ok(DataType::List(_)))
        {
            // Nothing is at 0, and so at no place before it: DataFusion would count from the end.
            let places = vec![key.as_ref().clone(), lit(0_i64)];
            **key = call(greatest().as_ref().clone(), places);
        }
        Ok(PlannerResult::Original(access))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call(date_functions::date_part(), args)))
    }
}

/// The function for an operator; `Original` if DataFusion's operator has the same meaning.
pub(super) fn planned_operator(
    expr: RawBinaryExpr,
    schema: &dyn ExprSchema,
) -> Result<PlannerResult<RawBinaryExpr>> {
    let RawBinaryExpr { op, left, right } = &expr;
    if let Some(op) = comparison(op) {
        return Ok(match compared(op, left, right, schema)? {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(expr),
        });
    }
    if is_of_maps(op)
        && let Ok(of) = type_of(left, schema)
        && let Some(planned) = of_map(op, (left, &of), right)?
    {
        return Ok(PlannerResult::Planned(planned));
    }
    let joins = *op == BinaryOperator::StringConcat;
    if !joins && !is_arithmetic(op) {
        return Ok(PlannerResult::Original(expr));
    }
    let Ok(right_type) = type_of(right, schema) else { return Ok(PlannerResult::Original(expr)) };
    // Texts or lists with a text appended stay, whichever they are.
    if joins && is_text(&right_type) && is_joined(left) {
        return Ok(PlannerResult::Original(expr));
    }
    let Ok(left_type) = type_of(left, schema) else { return Ok(PlannerResult::Original(expr)) };
    let kinds = (ValueKind::of(left, &left_type), ValueKind::of(right, &right_type));
    let stays = match joins {
        true => are_texts_or_neither(kinds),
        // Null stays null, whatever the type.
        false => kinds.0 == ValueKind::Null || kinds.1 == ValueKind::Null,
    };
    if stays {
        return Ok(PlannerResult::Original(expr));
    }
    let RawBinaryExpr { op, left, right } = expr;
    let left = Side { expr: left, of: left_type, kind: kinds.0 };
    let right = Side { expr: right, of: right_type, kind: kinds.1 };
    if joins {
        return Ok(PlannerResult::Planned(joined(left, right)));
    }
    // What is added to a timestamp is an interval.
    let added = |kind| match (&op, kind) {
        (BinaryOperator::Plus, ValueKind::Timestamp) => ValueKind::Interval,
        _ => kind,
    };
    let (left, right) = (left.like(added(kinds.1))?, right.like(added(kinds.0))?);
    arithmetic(&op, left, right).map(PlannerResult::Planned)
}

fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        op,
        Op::Plus
            | Op::Minus
            | Op::Multiply
            | Op::Divide
            | Op::Modulo
            | Op::PGExp
            | Op::PGBitwiseShiftLeft
            | Op::PGBitwiseShiftRight
    )
}

fn arithmetic(op: &BinaryOperator, left: Side, right: Side) -> Result<Expr> {
    use BinaryOperator as Op;
    let literal = matches!(left.expr, Expr::Literal(..));
    let function = match (left.kind, op, right.kind) {
        (one, op, other) if one.is_number() && other.is_number() => number(op, one, other, literal),
        (one, Op::Plus, other) => sum(one, other),
        (one, Op::Minus, other) => difference(one, other),
        (ValueKind::Interval, Op::Multiply, other) if other.is_number() => Some(time::span_times()),
        (one, Op::Multiply, ValueKind::Interval) if one.is_number() => Some(time::times_span()),
        (ValueKind::Interval, Op::Divide, other) if other.is_number() => Some(time::span_divided()),
        _ => None,
    };
    let Some(function) = function else { return Err(unknown(op, &left, &right)) };
    // The type of a power depends on its exponent, which a chain does not tell.
    if *op == Op::PGExp && left.kind == ValueKind::Decimal && powers::is_whole(&right.expr) {
        return Ok(call(function, vec![powers::base(left.expr), right.expr]));
    }
    applied(&function, (left.expr, left.of), (right.expr, right.of))
}

fn comparison(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}

/// A comparison with intervals, which DataFusion cannot plan with a text. `meaning.rs` handles
/// other comparisons once the plan is complete.
fn compared(
    op: Operator,
    left: &Expr,
    right: &Expr,
    schema: &dyn ExprSchema,
) -> Result<Option<Expr>> {
    let interval = |expr: &Expr| matches!(type_of(expr, schema), Ok(DataType::Interval(_)));
    let Some((one, other)) = comparable(left, right, schema)? else { return Ok(None) };
    if !interval(left) && !interval(right) {
        return Ok(None);
    }
    Ok(Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(one), op, Box::new(other)))))
}

fn number(
    op: &BinaryOperator,
    left: ValueKind,
    right: ValueKind,
    literal: bool,
) -> Option<ScalarUDF> {
    let ints = left == ValueKind::Int && right == ValueKind::Int;
    Some(match op {
        BinaryOperator::Plus => arithmetic::plus(),
        BinaryOperator::Minus => arithmetic::minus(),
        BinaryOperator::Multiply => arithmetic::times(),
        BinaryOperator::Divide => arithmetic::divided(),
        BinaryOperator::Modulo if left != ValueKind::Float && right != ValueKind::Float => {
            arithmetic::modulo()
        }
        BinaryOperator::PGExp => powers::raised(),
        BinaryOperator::PGBitwiseShiftLeft if ints => bits::left(literal),
        BinaryOperator::PGBitwiseShiftRight if ints => bits::right(literal),
        _ => return None,
    })
}

fn sum(left: ValueKind, right: ValueKind) -> Option<ScalarUDF> {
    Some(match (left, right) {
        (one, ValueKind::Interval) if one.is_day() => time::later(),
        (ValueKind::Interval, other) if other.is_day() => time::later_by(),
        (ValueKind::Date, ValueKind::Int) => time::days_later(),
        (ValueKind::Int, ValueKind::Date) => time::days_later_by(),
        (ValueKind::Date, ValueKind::Time) => time::date_and_time(),
        (ValueKind::Time, ValueKind::Interval) => time::time_later(),
        (ValueKind::Interval, ValueKind::Interval) => time::span_plus(),
        _ => return None,
    })
}

fn difference(left: ValueKind, right: ValueKind) -> Option<ScalarUDF> {
    Some(match (left, right) {
        (one, ValueKind::Interval) if one.is_day() => time::earlier(),
        (ValueKind::Date, ValueKind::Int) => time::days_earlier(),
        (ValueKind::Date, ValueKind::Date) => time::days_between(),
        (one, other) if one.is_day() && other.is_day() => time::between(),
        (ValueKind::Time, ValueKind::Interval) => time::time_earlier(),
        (ValueKind::Time, ValueKind::Time) => time::time_between(),
        (ValueKind::Interval, ValueKind::Interval) => time::span_minus(),
        _ => return None,
    })
}

fn unknown(op: &BinaryOperator, left: &Side, right: &Side) -> DataFusionError {
    let (left, right) = (named(&left.of), named(&right.of));
    refused(&format!("there is no {left} {op} {right}; cast one of them"))
}

/// True for the result of `||`.
fn is_joined(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }))
}

fn are_texts_or_neither((left, right): (ValueKind, ValueKind)) -> bool {
    let text = |kind| matches!(kind, ValueKind::Text | ValueKind::Literal);
    text(left) == text(right)
}

/// Joined texts. Values of other types are shown as PostgreSQL shows them.
fn joined(left: Side, right: Side) -> Expr {
    let shown = |side: Side| match side.kind {
        ValueKind::Float | ValueKind::Timestamp | ValueKind::Interval | ValueKind::Time => {
            call(texts::text(), vec![side.expr])
        }
        ValueKind::Bool | ValueKind::Int | ValueKind::Decimal | ValueKind::Date => {
            cast(side.expr, DataType::Utf8)
        }
        _ => side.expr,
    };
    let (left, right) = (Box::new(shown(left)), Box::new(shown(right)));
    Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right })
}

/// One operand of an operator.
struct Side {
    expr: Expr,
    of: DataType,
    kind: ValueKind,
}

impl Side {
    /// Converts a literal text to the type of the other operand, a number or an interval.
    fn like(self, other: ValueKind) -> Result<Self> {
        if self.kind != ValueKind::Literal {
            return Ok(self);
        }
        let expr = self.expr;
        let (expr, of) = match other {
            ValueKind::Int => (cast(expr, DataType::Int64), DataType::Int64),
            ValueKind::Float => (cast(expr, DataType::Float64), DataType::Float64),
            ValueKind::Decimal => {
                let expr = call(texts::numeric(), vec![expr]);
                let of = expr.get_type(&DFSchema::empty())?;
                (expr, of)
            }
            ValueKind::Interval => {
                (call(texts::interval_of(), vec![expr]), super::columns::INTERVAL)
            }
            _ => return Ok(Self { expr, ..self }),
        };
        Ok(Self { kind: other, expr, of })
    }
}
