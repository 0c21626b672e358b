//! Comparisons with the rows of a subquery: `IN`, `ANY` and `ALL`, with PostgreSQL's nulls.
//!
//! DataFusion makes joins of `IN`. These are right for `x IN (…)` where null counts as false, and for
//! `column NOT IN (…)` as a condition of its own. Anywhere else they take null for false, and a constant
//! has none of them. So there, `x IN (…)` becomes
//!
//! ```text
//! EXISTS (… = x) OR NULL AND (EXISTS (… IS NULL) OR x IS NULL AND EXISTS (…))
//! ```
//!
//! It is unknown only if nothing is equal, and something is null. In values, and where the whole query
//! has one answer, a row is there if a count of rows is not 0: a filter alone may say `EXISTS`.

use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema as _, Result, ScalarValue, Spans};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit,
};

use super::equal_types::{comparable, is_comparison};
use super::refusal::refused;

/// The name of a subquery's rows. Without it, a column of both sides would be compared with itself.
const ROWS: &str = "__rows_of_in";

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It decides which rows stay, so null counts as false.
    Condition,
    /// It is a value, or a part of one.
    Value,
}

impl Place {
    /// The place of a plan's expressions.
    pub(super) fn within(plan: &LogicalPlan) -> Self {
        match plan {
            LogicalPlan::Filter(_) => Self::Condition,
            LogicalPlan::Join(join) if join.on.is_empty() => Self::Condition,
            _ => Self::Value,
        }
    }
}

/// The expression with each comparison of this kind as PostgreSQL has it.
///
/// # Errors
/// If a comparison has no form that DataFusion plans rightly.
pub(super) fn three_valued(
    expr: Expr,
    schema: &DFSchema,
    place: Place,
) -> Result<Transformed<Expr>> {
    let has = expr.exists(|part| Ok(Membership::of(part).is_some()))?;
    Ok(match place {
        _ if !has => Transformed::no(expr),
        Place::Condition => Transformed::yes(condition(expr, schema, true)?),
        Place::Value => Transformed::yes(part(expr, schema, place)?),
    })
}

/// A condition, or one side of an `AND` or `OR` in it; `alone` if rows must pass it.
fn condition(expr: Expr, schema: &DFSchema, alone: bool) -> Result<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.is_logic_operator() => {
            let alone = alone && op == Operator::And;
            let left = condition(*left, schema, alone)?;
            let right = condition(*right, schema, alone)?;
            Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        }
        expr => match Membership::of(&expr) {
            Some(of) if of.is_join(schema, alone)? => Ok(expr),
            _ => part(expr, schema, Place::Condition),
        },
    }
}

/// An expression of which null is a value of its own.
fn part(expr: Expr, schema: &DFSchema, place: Place) -> Result<Expr> {
    let changed = expr.transform_down(|expr| {
        let Some(of) = Membership::of(&expr) else { return Ok(Transformed::no(expr)) };
        if place == Place::Condition && of.is_exact(schema)? {
            return Ok(Transformed::new(expr, false, TreeNodeRecursion::Jump));
        }
        Ok(Transformed::new(of.asked(schema, place)?, true, TreeNodeRecursion::Jump))
    });
    changed.map(|changed| changed.data)
}

/// Whether a value compares as asked with any row of a subquery.
struct Membership<'a> {
    left: &'a Expr,
    op: Operator,
    of: &'a Subquery,
    /// Whether the contrary is asked.
    negated: bool,
    /// Whether DataFusion has joins for it.
    is_in: bool,
}

impl<'a> Membership<'a> {
    fn of(expr: &'a Expr) -> Option<Self> {
        match expr {
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => Some(Self {
                left: expr,
                op: Operator::Eq,
                of: subquery,
                negated: *negated,
                is_in: true,
            }),
            Expr::Not(inner) if matches!(**inner, Expr::InSubquery(_)) => {
                Self::of(inner).map(|of| Self { negated: !of.negated, ..of })
            }
            // What holds of all rows is what no row contradicts.
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let negated = *quantifier == SetQuantifier::All;
                let op = if negated { op.negate()? } else { *op };
                let known = is_comparison(op);
                known.then_some(Self { left: expr, op, of: subquery, negated, is_in: false })
            }
            _ => None,
        }
    }

    /// True if DataFusion's join is right where null counts as false.
    fn is_join(&self, schema: &DFSchema, alone: bool) -> Result<bool> {
        let plain = self.is_in && self.is_alike(schema)?;
        // The join that knows of nulls has one key, and no further condition.
        let of_column = alone && self.left.any_column_refs() && !self.is_correlated();
        Ok(plain && (!self.negated || of_column || !self.may_be_null(schema)?))
    }

    /// True if DataFusion's join is right wherever a filter has it.
    fn is_exact(&self, schema: &DFSchema) -> Result<bool> {
        Ok(self.is_in && !self.may_be_null(schema)? && self.is_alike(schema)?)
    }

    fn may_be_null(&self, schema: &DFSchema) -> Result<bool> {
        Ok(self.left.nullable(schema)? || self.is_row_nullable())
    }

    fn is_row_nullable(&self) -> bool {
        self.of.subquery.schema().fields().first().is_none_or(|field| field.is_nullable())
    }

    fn is_correlated(&self) -> bool {
        !self.of.outer_ref_columns.is_empty()
    }

    /// The rows, under a name of their own.
    fn rows(&self) -> Result<LogicalPlan> {
        LogicalPlanBuilder::from(self.of.subquery.as_ref().clone()).alias(ROWS)?.build()
    }

    /// True if DataFusion compares both sides as PostgreSQL does.
    fn is_alike(&self, schema: &DFSchema) -> Result<bool> {
        let rows = self.rows()?;
        let sides = comparable(&outer(self.left, schema)?, &column(&rows)?, rows.schema().as_ref());
        sides.map(|sides| sides.is_none())
    }

    /// The comparison without DataFusion's join.
    fn asked(&self, schema: &DFSchema, place: Place) -> Result<Expr> {
        self.refuse_what_moves_wrongly()?;
        let rows = self.rows()?;
        let row = column(&rows)?;
        let left = outer(self.left, schema)?;
        let sides = comparable(&left, &row, rows.schema().as_ref())?;
        let (one, other) = sides.unwrap_or_else(|| (left, row.clone()));
        let equal = Expr::BinaryExpr(BinaryExpr::new(Box::new(one), self.op, Box::new(other)));
        let found = is_there(&rows, Some(equal), place)?;
        let mut unknown = Vec::new();
        if self.is_row_nullable() {
            unknown.push(is_there(&rows, Some(row.is_null()), place)?);
        }
        if self.left.nullable(schema)? {
            let any = is_there(&rows, None, place)?;
            unknown.push(self.left.clone().is_null().and(any));
        }
        let null = || Expr::Literal(ScalarValue::Boolean(None), None);
        let found = match unknown.into_iter().reduce(Expr::or) {
            Some(unknown) => found.or(null().and(unknown)),
            None => found,
        };
        Ok(if self.negated { Expr::Not(Box::new(found)) } else { found })
    }

    /// A value moves into the subquery. DataFusion moves what a subquery asks of a row out of it, but
    /// not past the name that the rows have here.
    fn refuse_what_moves_wrongly(&self) -> Result<()> {
        let is_deep = self.left.exists(|part| {
            Ok(match part {
                Expr::OuterReferenceColumn(..) => true,
                Expr::ScalarSubquery(of) => !of.outer_ref_columns.is_empty(),
                part => Membership::of(part).is_some() || matches!(part, Expr::Exists(_)),
            })
        })?;
        if is_deep || self.is_correlated() {
            return Err(refused(
                "this comparison with the rows of a subquery is not supported here; use EXISTS, or a join",
            ));
        }
        Ok(())
    }
}

/// The only column of some rows.
fn column(rows: &LogicalPlan) -> Result<Expr> {
    let mut columns = rows.schema().iter();
    match (columns.next(), columns.next()) {
        (Some(field), None) => Ok(Expr::Column(Column::from(field))),
        _ => Err(refused("a subquery that is compared with a value has one column")),
    }
}

/// The value as the subquery sees it.
fn outer(value: &Expr, schema: &DFSchema) -> Result<Expr> {
    let seen = value.clone().transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = schema.field_from_column(&column)?.clone();
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        expr => Ok(Transformed::no(expr)),
    });
    seen.map(|seen| seen.data)
}

/// Whether any of the rows fits.
fn is_there(rows: &LogicalPlan, fits: Option<Expr>, place: Place) -> Result<Expr> {
    let fitting = LogicalPlanBuilder::from(rows.clone());
    let fitting = match fits {
        Some(fits) => fitting.filter(fits)?,
        None => fitting,
    };
    let plan = fitting.clone().build()?;
    let outer_ref_columns = plan.all_out_ref_exprs();
    if place == Place::Condition && !outer_ref_columns.is_empty() {
        let subquery = subquery(plan, outer_ref_columns);
        return Ok(Expr::Exists(Exists { subquery, negated: false }));
    }
    let counted = fitting.aggregate(Vec::<Expr>::new(), [count(lit(1_i64))])?.build()?;
    let subquery = subquery(counted, outer_ref_columns);
    Ok(Expr::ScalarSubquery(subquery).gt(lit(0_i64)))
}

fn subquery(plan: LogicalPlan, outer_ref_columns: Vec<Expr>) -> Subquery {
    Subquery { subquery: plan.into(), outer_ref_columns, spans: Spans::new() }
}
