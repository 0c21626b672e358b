//! Casts and comparisons by PostgreSQL's rules: an analyzer rule that runs before type coercion.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions::core::nullif;
use datafusion::logical_expr::expr::{InList, ScalarFunction, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Distinct, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder,
    lit,
};
use datafusion::optimizer::AnalyzerRule;

use super::correlated::{refuse_casts, refuse_wrong_joins};
use super::equal_types::{cast_of, comparable, comparable_to, is_comparison};
use super::instants::{case_chosen, chosen};
use super::kinds::{ValueKind, is_text};
use super::lists::of_list;
use super::memberships::{Place, three_valued};
use super::refusal::refused;
use super::sameness::{among, distinct};
use super::{arithmetic, call, list_text, nothing, texts, time_operators};

/// Functions that compare their arguments.
const COMPARING: [&str; 3] = ["greatest", "least", "nullif"];
/// Functions that show their arguments as text.
const SHOWING: [&str; 2] = ["concat", "concat_ws"];
/// Aggregates that use values as they are.
const TAKING: [&str; 4] = ["count", "array_agg", "first_value", "last_value"];

/// The analyzer rule.
#[derive(Debug)]
pub(super) struct Meaning;

impl AnalyzerRule for Meaning {
    fn name(&self) -> &'static str {
        "meaning_of_postgres"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut recursive = false;
        plan.apply_with_subqueries(|plan| {
            recursive |= matches!(plan, LogicalPlan::RecursiveQuery(_));
            Ok(TreeNodeRecursion::Continue)
        })?;
        // The types of a recursive query are settled earlier.
        let literals = if recursive { Literals::Stay } else { Literals::Small };
        plan.transform_up_with_subqueries(|plan| of_plan(plan, literals))
            .map(|changed| changed.data)
    }
}

/// How integer literals are treated: in PostgreSQL they have 32 bits, if they fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Literals {
    Small,
    Stay,
}

fn of_plan(plan: LogicalPlan, literals: Literals) -> Result<Transformed<LogicalPlan>> {
    let small = literals == Literals::Small && !matches!(plan, LogicalPlan::Limit(_));
    let schema = merge_schema(&plan.inputs());
    refuse_grouped_intervals(&plan, &schema)?;
    if let LogicalPlan::Subquery(lateral) = &plan {
        refuse_casts(lateral)?;
    }
    let names = NamePreserver::new(&plan);
    let sorts = matches!(plan, LogicalPlan::Sort(_));
    let place = Place::within(&plan);
    let changed = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let changed = expr.transform_up(|expr| {
            let expr = if small { small_literal(expr) } else { expr };
            of_expr(expr, &schema)
        })?;
        let changed = changed.transform_data(|expr| three_valued(expr, &schema, place))?;
        let changed =
            if sorts { changed.transform_data(|expr| sortable(expr, &schema))? } else { changed };
        Ok(changed.update_data(|expr| name.restore(expr)))
    })?;
    changed.map_data(|plan| match plan {
        LogicalPlan::Values(values) => LogicalPlanBuilder::values(values.values)?.build(),
        plan => plan.recompute_schema(),
    })
}

/// An integer that fits 32 bits becomes one of 32 bits. The argument of `count` stays, because
/// DataFusion recognises a count of rows by it.
fn small_literal(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => match i32::try_from(value) {
            Ok(value) => Expr::Literal(ScalarValue::Int32(Some(value)), metadata),
            Err(_) => Expr::Literal(ScalarValue::Int64(Some(value)), metadata),
        },
        Expr::AggregateFunction(mut of) if of.func.name() == "count" => {
            of.params.args = of.params.args.into_iter().map(wide_literal).collect();
            Expr::AggregateFunction(of)
        }
        Expr::WindowFunction(mut of) if of.fun.name() == "count" => {
            of.params.args = of.params.args.into_iter().map(wide_literal).collect();
            Expr::WindowFunction(of)
        }
        expr => expr,
    }
}

fn wide_literal(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int32(Some(value)), metadata) => {
            Expr::Literal(ScalarValue::Int64(Some(value.into())), metadata)
        }
        expr => expr,
    }
}

fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Interval(_)))
}

/// Intervals that are equal in PostgreSQL (a day and 24 hours) are different groups in DataFusion.
fn refuse_grouped_intervals(plan: &LogicalPlan, schema: &DFSchema) -> Result<()> {
    let grouped = match plan {
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.iter().any(|expr| is_interval(expr, schema))
        }
        LogicalPlan::Distinct(Distinct::All(input)) => input
            .schema()
            .fields()
            .iter()
            .any(|field| matches!(field.data_type(), DataType::Interval(_))),
        LogicalPlan::Distinct(Distinct::On(on)) => {
            on.on_expr.iter().any(|expr| is_interval(expr, schema))
        }
        LogicalPlan::Join(join) => join.on.iter().any(|(left, _)| is_interval(left, schema)),
        _ => false,
    };
    if grouped { Err(of_intervals()) } else { Ok(()) }
}

fn of_intervals() -> datafusion::error::DataFusionError {
    refused(
        "intervals cannot be grouped, joined, added up or ranked here; use extract(epoch FROM interval)",
    )
}

fn sortable(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if is_interval(&expr, schema) {
        return Ok(Transformed::yes(call(time_operators::span_size(), vec![expr])));
    }
    Ok(Transformed::no(expr))
}

fn of_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    refuse_wrong_joins(&expr)?;
    let changed = match &expr {
        Expr::BinaryExpr(binary) if is_comparison(binary.op) => comparison(binary, schema)?,
        Expr::Between(between) => between_of(between, schema)?,
        Expr::InList(list) => in_list(list, schema)?,
        Expr::Case(case) => case_of(case, schema)?,
        Expr::Cast(of) => cast_of(of, schema)?,
        Expr::Negative(inner) => negative(inner, schema),
        Expr::ScalarSubquery(_) => Some(call(nothing::or_null(), vec![expr.clone()])),
        Expr::ScalarFunction(function) => function_of(function, schema)?,
        Expr::AggregateFunction(of) => {
            let taking = TAKING.contains(&of.func.name());
            if !taking && of.params.args.iter().any(|arg| is_interval(arg, schema)) {
                return Err(of_intervals());
            }
            of.params.distinct.then(|| distinct(of, schema))
        }
        Expr::WindowFunction(of) => {
            return refuse_ranked_intervals(of, schema).map(|()| Transformed::no(expr));
        }
        Expr::Like(like) => {
            let kind = like.expr.get_type(schema);
            if kind.as_ref().is_ok_and(|kind| !is_text(kind) && !kind.is_null()) {
                return Err(refused("LIKE compares texts; cast the value to text"));
            }
            None
        }
        _ => None,
    };
    Ok(match changed {
        Some(changed) => Transformed::yes(changed),
        None => Transformed::no(expr),
    })
}

fn refuse_ranked_intervals(of: &WindowFunction, schema: &DFSchema) -> Result<()> {
    let sorted = of.params.order_by.iter().map(|sort| &sort.expr);
    let ranked = sorted.chain(&of.params.partition_by).any(|expr| is_interval(expr, schema));
    if ranked { Err(of_intervals()) } else { Ok(()) }
}

fn comparison(binary: &BinaryExpr, schema: &DFSchema) -> Result<Option<Expr>> {
    let BinaryExpr { left, op, right } = binary;
    let Some((left, right)) = comparable(left, right, schema)? else { return Ok(None) };
    Ok(Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), *op, Box::new(right)))))
}

fn between_of(between: &Between, schema: &DFSchema) -> Result<Option<Expr>> {
    let Between { expr, negated, low, high } = between;
    let (from, to) = (comparable(expr, low, schema)?, comparable(expr, high, schema)?);
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let (from_expr, low) = from.unwrap_or_else(|| (*expr.clone(), *low.clone()));
    let (to_expr, high) = to.unwrap_or_else(|| (*expr.clone(), *high.clone()));
    if from_expr == **expr && to_expr == **expr {
        let between = Between::new(expr.clone(), *negated, Box::new(low), Box::new(high));
        return Ok(Some(Expr::Between(between)));
    }
    Ok(Some(match negated {
        false => from_expr.gt_eq(low).and(to_expr.lt_eq(high)),
        true => from_expr.lt(low).or(to_expr.gt(high)),
    }))
}

fn in_list(of: &InList, schema: &DFSchema) -> Result<Option<Expr>> {
    let InList { expr, list, negated } = of;
    let Ok(kind) = expr.get_type(schema) else { return Ok(None) };
    let items = list.iter().map(|item| comparable_to(expr, &kind, item, schema));
    let items = items.collect::<Result<Vec<_>>>()?;
    if items.iter().all(Option::is_none) {
        return Ok(kind.is_floating().then(|| among(of.clone(), schema)));
    }
    let items = items.into_iter().zip(list);
    let items =
        items.map(|(changed, item)| changed.unwrap_or_else(|| (*expr.clone(), item.clone())));
    let items: Vec<_> = items.collect();
    if items.iter().all(|(left, _)| left == expr.as_ref()) {
        let list = items.into_iter().map(|(_, item)| item).collect();
        return Ok(Some(among(InList::new(expr.clone(), list, *negated), schema)));
    }
    let found = any(items.into_iter().map(|(left, right)| left.eq(right)).collect());
    Ok(Some(if *negated { Expr::Not(Box::new(found)) } else { found }))
}

/// Whether one of the expressions is true, as a tree of the least depth.
fn any(mut exprs: Vec<Expr>) -> Expr {
    let half = exprs.split_off(exprs.len() / 2);
    match (exprs.is_empty(), half) {
        (true, half) => half.into_iter().next().unwrap_or_else(|| lit(false)),
        (false, half) => any(exprs).or(any(half)),
    }
}

fn case_of(case: &Case, schema: &DFSchema) -> Result<Option<Expr>> {
    let mut changed = case.clone();
    case_chosen(&mut changed, schema);
    let Some(base) = &case.expr else {
        return Ok((changed != *case).then_some(Expr::Case(changed)));
    };
    let Ok(kind) = base.get_type(schema) else { return Ok(None) };
    for (when, _) in &mut changed.when_then_expr {
        if let Some((left, right)) = comparable_to(base, &kind, when, schema)? {
            if left != **base {
                return Err(refused(
                    "CASE compares these types only in conditions: CASE WHEN a = b THEN …",
                ));
            }
            **when = right;
        }
    }
    Ok(Some(Expr::Case(changed)))
}

fn negative(inner: &Expr, schema: &DFSchema) -> Option<Expr> {
    let kind = inner.get_type(schema).ok()?;
    match ValueKind::of(inner, &kind) {
        ValueKind::Int => Some(call(arithmetic::negative(), vec![inner.clone()])),
        ValueKind::Interval => Some(call(time_operators::span_negative(), vec![inner.clone()])),
        _ => None,
    }
}

fn function_of(function: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    let name = function.func.name();
    if COMPARING.contains(&name) && function.args.iter().any(|arg| is_interval(arg, schema)) {
        return Err(of_intervals());
    }
    if let Some(chosen) = chosen(function, schema) {
        return Ok(Some(Expr::ScalarFunction(chosen)));
    }
    if name == "array_length" {
        // An empty list has no dimensions.
        let args = vec![Expr::ScalarFunction(function.clone()), lit(0_u64)];
        return Ok(Some(call(nullif().as_ref().clone(), args)));
    }
    if !SHOWING.contains(&name) {
        return of_list(function, schema);
    }
    let shown = |arg: &Expr| {
        let kind = arg.get_type(schema).map(|kind| ValueKind::of(arg, &kind));
        match kind {
            Ok(ValueKind::Float | ValueKind::Timestamp | ValueKind::Interval | ValueKind::Time) => {
                call(texts::text(), vec![arg.clone()])
            }
            Ok(ValueKind::Bool) => letter(arg),
            Ok(ValueKind::Other) if matches!(arg.get_type(schema), Ok(DataType::List(_))) => {
                call(list_text::list_text(), vec![arg.clone()])
            }
            _ => arg.clone(),
        }
    };
    let args: Vec<_> = function.args.iter().map(shown).collect();
    let func = function.func.clone();
    Ok((args != function.args).then(|| Expr::ScalarFunction(ScalarFunction { func, args })))
}

/// `t` or `f`, which is how PostgreSQL shows what is true or false outside of a cast.
fn letter(arg: &Expr) -> Expr {
    let letters = [(arg.clone(), lit("t")), (Expr::Not(Box::new(arg.clone())), lit("f"))];
    let letters = letters.map(|(when, then)| (Box::new(when), Box::new(then)));
    Expr::Case(Case::new(None, letters.to_vec(), None))
}
