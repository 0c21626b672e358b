//! Aggregates that presummed rows can answer: counts become sums of weights; sums stay as they are.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Case, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator, and, cast, col, lit};

use super::constant::{Needs, is_time};
use crate::event::money;
use crate::sql::postgres::{MINUS, PLUS, mean};
use crate::sql::presummed::{PRICED, REQUESTS};

/// Counts of LLM tokens that every event has.
const COUNTED: [&str; 2] = ["input_tokens", "output_tokens"];
/// Columns that an event may lack.
const MAY_LACK: [&str; 4] =
    ["cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd"];
/// Columns of `events` without nulls.
const NEVER_NULL: [&str; 7] =
    ["event_id", "org_id", "event_type", "ts", "input_tokens", "output_tokens", "event_date"];
const COST: &str = "cost_usd";
/// The type of a cost.
const MONEY: DataType = DataType::Decimal128(money::DIGITS, money::PLACES);
/// The type in which integers are added up.
const WHOLE: DataType = DataType::Decimal128(38, 0);

/// Makes one requested column from the sums, given by position.
pub(super) type Outer = Box<dyn FnOnce(&dyn Fn(usize) -> Expr) -> Result<Expr>>;

/// The sums over presummed rows, and how to make the requested columns from them.
#[derive(Default)]
pub(super) struct SumPlan {
    pub inner: Vec<Expr>,
    pub outer: Vec<Outer>,
}

impl SumPlan {
    /// Adds an aggregate of the type `wanted`; `None` if presummed rows cannot answer it.
    pub(super) fn add(&mut self, asked: &Expr, wanted: &DataType, needs: &mut Needs) -> Option<()> {
        let Expr::AggregateFunction(aggregate) = asked else { return None };
        let params = &aggregate.params;
        let filter = params.filter.as_deref();
        let plain = params.order_by.is_empty() && params.null_treatment.is_none();
        if !plain || !filter.is_none_or(|filter| needs.is_constant(filter)) {
            return None;
        }
        let [arg] = params.args.as_slice() else { return None };
        let name = aggregate.func.name();
        if params.distinct {
            let same = ["count", "min", "max"].contains(&name) && needs.is_constant(arg);
            return same.then(|| self.same(asked.clone()));
        }
        match name {
            "count" => {
                let count = self.count(arg, filter, needs)?;
                self.outer.push(Box::new(move |at| Ok(count_of(at(count)))));
            }
            "sum" if is_linear(arg, needs) => self.same(of_decimals(aggregate)?),
            "min" if needs.is_constant(arg) => self.same(asked.clone()),
            "max" if is_time(arg) || needs.is_constant(arg) => self.same(asked.clone()),
            "avg" => self.average(arg, filter, wanted, needs)?,
            _ => return None,
        }
        Some(())
    }

    /// Adds an aggregate that has the same result over presummed rows as over rows.
    fn same(&mut self, asked: Expr) {
        let place = self.place(asked);
        self.outer.push(Box::new(move |at| Ok(at(place))));
    }

    fn place(&mut self, inner: Expr) -> usize {
        self.inner.iter().position(|known| *known == inner).unwrap_or_else(|| {
            self.inner.push(inner);
            self.inner.len() - 1
        })
    }

    fn sum(&mut self, of: Expr, filter: Option<&Expr>) -> usize {
        let filter = filter.cloned().map(Box::new);
        let sum = AggregateFunction::new_udf(sum_udaf(), vec![of], false, filter, vec![], None);
        self.place(Expr::AggregateFunction(sum))
    }

    /// The position of the count of rows in which `arg` is not null.
    fn count(&mut self, arg: &Expr, filter: Option<&Expr>, needs: &mut Needs) -> Option<usize> {
        match arg {
            Expr::Literal(value, _) if !value.is_null() => Some(self.sum(col(REQUESTS), filter)),
            Expr::Column(column) if column.name == COST => Some(self.sum(col(PRICED), filter)),
            Expr::Column(column) if NEVER_NULL.contains(&column.name.as_str()) => {
                Some(self.sum(col(REQUESTS), filter))
            }
            arg if needs.is_constant(arg) => {
                let there = arg.clone().is_not_null();
                let there = filter.cloned().into_iter().fold(there, and);
                Some(self.sum(col(REQUESTS), Some(&there)))
            }
            _ => None,
        }
    }

    /// A sum divided by a count, computed as `avg` does.
    fn average(
        &mut self,
        arg: &Expr,
        filter: Option<&Expr>,
        wanted: &DataType,
        needs: &mut Needs,
    ) -> Option<()> {
        let (of, added) = match arg {
            Expr::Column(column) if column.name == COST => (MONEY, arg.clone()),
            arg if is_count(arg) => (WHOLE, cast(arg.clone(), WHOLE)),
            _ => return None,
        };
        let (mean, kind) = mean(&of).filter(|(_, kind)| kind == wanted)?;
        let count = self.count(arg, filter, needs)?;
        let sum = self.sum(added, filter);
        self.outer.push(Box::new(move |at| Ok(cast(mean.call(vec![at(sum), at(count)]), kind))));
        Some(())
    }
}

fn is_count(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if COUNTED.contains(&column.name.as_str()))
}

/// The sum with its integer `+` and `-` done in decimals. A value of an event fits an integer, but
/// a cell's sum may not.
fn of_decimals(sum: &AggregateFunction) -> Option<Expr> {
    let mut sum = sum.clone();
    for arg in &mut sum.params.args {
        let money = arg.column_refs().iter().any(|column| column.name == COST);
        let changed = arg.clone().transform_up(|expr| match expr {
            Expr::ScalarFunction(mut of) if !money && is_plus_or_minus(&of) => {
                of.args = of.args.into_iter().map(|arg| cast(arg, WHOLE)).collect();
                Ok(Transformed::yes(Expr::ScalarFunction(of)))
            }
            expr => Ok(Transformed::no(expr)),
        });
        *arg = changed.ok()?.data;
    }
    Some(Expr::AggregateFunction(sum))
}

fn is_plus_or_minus(function: &ScalarFunction) -> bool {
    [PLUS, MINUS].contains(&function.func.name())
}

/// Over no rows, a sum is null, but a count is 0.
fn count_of(sum: Expr) -> Expr {
    coalesce(vec![sum, lit(0_i64)])
}

/// True if the sum of `expr` over the rows of a cell equals `expr` of the cell's sums.
fn is_linear(expr: &Expr, needs: &mut Needs) -> bool {
    match expr {
        Expr::Column(column) => MAY_LACK.contains(&column.name.as_str()) || is_count(expr),
        Expr::Cast(Cast { expr, field }) => {
            holds(field.data_type(), expr) && is_linear(expr, needs)
        }
        Expr::Case(case) => if_known(case).is_some() || is_choice(case, needs),
        _ => is_linear_and_there(expr),
    }
}

/// As [`is_linear`], for expressions that are never null.
fn is_linear_and_there(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) => {
            is_linear_and_there(left) && is_linear_and_there(right)
        }
        Expr::Cast(Cast { expr, field }) => {
            holds(field.data_type(), expr) && is_linear_and_there(expr)
        }
        Expr::Case(case) => if_known(case).is_some(),
        Expr::ScalarFunction(function) if is_plus_or_minus(function) => {
            function.args.iter().all(is_linear_and_there)
        }
        Expr::ScalarFunction(function) if function.func.name() == "coalesce" => {
            match function.args.as_slice() {
                [known, zero] => may_lack(known) && is_zero(zero),
                _ => false,
            }
        }
        expr => is_count(expr),
    }
}

/// A column that an event may lack, in a type that can hold its sums.
fn may_lack(expr: &Expr) -> bool {
    match expr {
        Expr::Column(column) => MAY_LACK.contains(&column.name.as_str()),
        Expr::Cast(Cast { expr, field }) => holds(field.data_type(), expr) && may_lack(expr),
        _ => false,
    }
}

/// `coalesce(column, 0)`, as the optimizer writes it.
fn if_known(case: &Case) -> Option<()> {
    let Case { expr: None, when_then_expr, else_expr: Some(zero) } = case else { return None };
    let [(when, then)] = when_then_expr.as_slice() else { return None };
    let Expr::IsNotNull(known) = when.as_ref() else { return None };
    (may_lack(known) && known == then && is_zero(zero)).then_some(())
}

/// A choice by conditions that are constant in a cell.
fn is_choice(case: &Case, needs: &mut Needs) -> bool {
    let base = case.expr.as_deref();
    let thens = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    let mut thens = thens.chain(case.else_expr.as_deref());
    let mut whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref()).chain(base);
    whens.all(|when| needs.is_constant(when))
        && thens.all(|then| is_zero(then) || is_null(then) || is_linear(then, needs))
}

fn is_zero(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(
            ScalarValue::Int64(Some(0))
            | ScalarValue::Int32(Some(0))
            | ScalarValue::Decimal128(Some(0), ..),
            _,
        ) => true,
        Expr::Cast(Cast { expr, .. }) => is_zero(expr),
        _ => false,
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(Cast { expr, .. }) => is_null(expr),
        _ => false,
    }
}

/// True for types that can hold any sum of a cell (19 digits, or 6 before and 12 after the point)
/// with every place. Rounding row by row would not give the rounded sum.
fn holds(kind: &DataType, of: &Expr) -> bool {
    let columns = of.column_refs();
    let is_cost = |column: &&Column| column.name == COST;
    let places = if columns.iter().any(is_cost) { 12 } else { 0 };
    let whole = if !columns.is_empty() && columns.iter().all(is_cost) { 6 } else { 19 };
    match kind {
        DataType::Int64 => places == 0,
        DataType::Decimal128(digits, scale) => {
            let before = i16::from(*digits) - i16::from(*scale);
            before >= whole && *scale >= places
        }
        _ => false,
    }
}
