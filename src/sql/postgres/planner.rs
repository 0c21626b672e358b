//! Which function an operator is, by the types that it stands between.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ExprSchema};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable as _, Operator, ScalarUDF, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::equal_types::comparable;
use super::kinds::{Kind, named};
use super::time_operators as time;
use super::{arithmetic, bits, call, date_functions, refused, texts};

/// Plans operators and `extract`.
#[derive(Debug)]
pub(super) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        Ok(match planned(&expr, schema)? {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(expr),
        })
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call(date_functions::date_part(), args)))
    }
}

fn planned(expr: &RawBinaryExpr, schema: &dyn ExprSchema) -> Result<Option<Expr>> {
    use BinaryOperator as Op;
    let RawBinaryExpr { op, left, right } = expr;
    if let Some(op) = comparison(op) {
        return compared(op, left, right, schema);
    }
    let arithmetic = matches!(
        op,
        Op::Plus
            | Op::Minus
            | Op::Multiply
            | Op::Divide
            | Op::Modulo
            | Op::PGExp
            | Op::PGBitwiseShiftLeft
            | Op::PGBitwiseShiftRight
    );
    if !arithmetic && *op != Op::StringConcat {
        return Ok(None);
    }
    let types = (left.get_type(schema), right.get_type(schema));
    let (Ok(left_type), Ok(right_type)) = types else { return Ok(None) };
    let left = Side::of(left, left_type);
    let right = Side::of(right, right_type);
    if *op == Op::StringConcat {
        return Ok(joined(left, right));
    }
    // Null stays null, whatever the type.
    if left.kind == Kind::Null || right.kind == Kind::Null {
        return Ok(None);
    }
    let (left, right) = (left.like(&right)?, right.like(&left)?);
    let literal = matches!(left.expr, Expr::Literal(..));
    let function = match (left.kind, op, right.kind) {
        (one, op, other) if one.is_number() && other.is_number() => number(op, one, other, literal),
        (one, Op::Plus, other) => sum(one, other),
        (one, Op::Minus, other) => difference(one, other),
        (Kind::Interval, Op::Multiply, other) if other.is_number() => Some(time::span_times()),
        (one, Op::Multiply, Kind::Interval) if one.is_number() => Some(time::times_span()),
        (Kind::Interval, Op::Divide, other) if other.is_number() => Some(time::span_divided()),
        _ => None,
    };
    let Some(function) = function else { return Err(unknown(op, &left, &right)) };
    Ok(Some(call(function, vec![left.expr, right.expr])))
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

/// A comparison of intervals, which DataFusion does not plan with a text; `meaning.rs` sees to the
/// others, once the plan is whole.
fn compared(
    op: Operator,
    left: &Expr,
    right: &Expr,
    schema: &dyn ExprSchema,
) -> Result<Option<Expr>> {
    let interval = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Interval(_)));
    let Some((one, other)) = comparable(left, right, schema)? else { return Ok(None) };
    if !interval(left) && !interval(right) {
        return Ok(None);
    }
    Ok(Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(one), op, Box::new(other)))))
}

fn number(op: &BinaryOperator, left: Kind, right: Kind, literal: bool) -> Option<ScalarUDF> {
    let ints = left == Kind::Int && right == Kind::Int;
    Some(match op {
        BinaryOperator::Plus => arithmetic::plus(),
        BinaryOperator::Minus => arithmetic::minus(),
        BinaryOperator::Multiply => arithmetic::times(),
        BinaryOperator::Divide => arithmetic::divided(),
        BinaryOperator::Modulo if left != Kind::Float && right != Kind::Float => {
            arithmetic::modulo()
        }
        BinaryOperator::PGExp => arithmetic::raised(),
        BinaryOperator::PGBitwiseShiftLeft if ints => bits::left(literal),
        BinaryOperator::PGBitwiseShiftRight if ints => bits::right(literal),
        _ => return None,
    })
}

fn sum(left: Kind, right: Kind) -> Option<ScalarUDF> {
    Some(match (left, right) {
        (one, Kind::Interval) if one.is_day() => time::later(),
        (Kind::Interval, other) if other.is_day() => time::later_by(),
        (Kind::Date, Kind::Int) => time::days_later(),
        (Kind::Int, Kind::Date) => time::days_later_by(),
        (Kind::Date, Kind::Time) => time::date_and_time(),
        (Kind::Time, Kind::Interval) => time::time_later(),
        (Kind::Interval, Kind::Interval) => time::span_plus(),
        _ => return None,
    })
}

fn difference(left: Kind, right: Kind) -> Option<ScalarUDF> {
    Some(match (left, right) {
        (one, Kind::Interval) if one.is_day() => time::earlier(),
        (Kind::Date, Kind::Int) => time::days_earlier(),
        (Kind::Date, Kind::Date) => time::days_between(),
        (one, other) if one.is_day() && other.is_day() => time::between(),
        (Kind::Time, Kind::Interval) => time::time_earlier(),
        (Kind::Time, Kind::Time) => time::time_between(),
        (Kind::Interval, Kind::Interval) => time::span_minus(),
        _ => return None,
    })
}

fn unknown(op: &BinaryOperator, left: &Side, right: &Side) -> DataFusionError {
    let (left, right) = (named(&left.of), named(&right.of));
    refused(&format!("there is no {left} {op} {right}; cast one of them"))
}

/// Texts put together; what is no text is shown as PostgreSQL shows it.
fn joined(left: Side, right: Side) -> Option<Expr> {
    let text = |side: &Side| matches!(side.kind, Kind::Text | Kind::Literal);
    if text(&left) == text(&right) {
        return None;
    }
    let shown = |side: Side| match side.kind {
        Kind::Float | Kind::Timestamp | Kind::Interval | Kind::Time => {
            call(texts::text(), vec![side.expr])
        }
        Kind::Bool | Kind::Int | Kind::Decimal | Kind::Date => cast(side.expr, DataType::Utf8),
        _ => side.expr,
    };
    let (left, right) = (Box::new(shown(left)), Box::new(shown(right)));
    Some(Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }))
}

/// What stands on one side of an operator.
#[derive(Clone)]
struct Side {
    expr: Expr,
    of: DataType,
    kind: Kind,
}

impl Side {
    fn of(expr: &Expr, of: DataType) -> Self {
        Self { kind: Kind::of(expr, &of), expr: expr.clone(), of }
    }

    /// A text of the query as what it meets, which is a number or an interval.
    fn like(&self, other: &Self) -> Result<Self> {
        if self.kind != Kind::Literal {
            return Ok(self.clone());
        }
        let expr = self.expr.clone();
        let (expr, of) = match other.kind {
            Kind::Int => (cast(expr, DataType::Int64), DataType::Int64),
            Kind::Float => (cast(expr, DataType::Float64), DataType::Float64),
            Kind::Decimal => {
                let expr = call(texts::numeric(), vec![expr]);
                let of = expr.get_type(&DFSchema::empty())?;
                (expr, of)
            }
            Kind::Interval => (call(texts::interval_of(), vec![expr]), super::columns::INTERVAL),
            _ => return Ok(self.clone()),
        };
        Ok(Self { kind: other.kind, expr, of })
    }
}
