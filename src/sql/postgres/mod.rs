//! PostgreSQL's semantics for users' queries: each result is PostgreSQL's, or a clear error.
//!
//! DataFusion plans and runs queries, but some of its semantics differ: integers wrap, a date minus
//! some hours is a date, text formats are those of C. So queries are parsed in PostgreSQL's dialect
//! (`dialect.rs`, `syntax.rs`). Operators are planned by the types of their operands
//! (`planner.rs`). Casts and comparisons are rewritten before type coercion (`meaning.rs`).
//! Functions with PostgreSQL's names behave as PostgreSQL's. None of this applies to
//! `queries/*.sql`.

mod aggregates;
mod alternatives;
mod any_of;
mod arithmetic;
mod balance;
mod bits;
mod by_name;
mod calendar;
mod calls;
mod chain;
mod clauses;
mod columns;
mod correlated;
mod date_functions;
mod decimal;
mod dialect;
mod equal_types;
mod escapes;
mod function;
mod instants;
mod kinds;
mod labels;
mod list_read;
mod list_text;
mod lists;
mod literal_text;
mod logarithms;
mod long;
mod maps;
mod math;
mod meaning;
mod memberships;
mod merged;
mod names;
mod nothing;
mod null_order;
mod number_patterns;
mod numbers;
mod outer;
mod patterns;
mod percentile;
mod percentile_disc;
mod percentile_groups;
mod percentile_place;
mod percentile_state;
mod percentile_values;
mod planner;
mod powers;
mod quoting;
mod read;
mod refusal;
mod regex_text;
mod regexes;
mod row_values;
mod running_sums;
mod same_names;
mod sameness;
mod series;
mod shorthands;
mod sort_keys;
mod span;
mod span_text;
mod synonyms;
mod syntax;
mod texts;
mod time_functions;
mod time_operators;
mod to_char;
mod types;
mod using;
mod windows;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

pub(super) use self::aggregates::mean;
pub(super) use self::arithmetic::{MINUS, PLUS};
pub(super) use self::by_name::{of_words, words_of};
pub(super) use self::calls::call as parsed_call;
pub(super) use self::function::{Given, PlannedTypes, function};
pub(super) use self::list_read::list_items;
pub(super) use self::names::column_names;
pub(super) use self::refusal::{Refused, refused};
#[cfg(test)]
pub(super) use self::syntax::{parsed, parsed_expr};
pub(super) use self::syntax::{statement, statement_with};
pub(super) use self::texts::without_zeros;

use self::function::call;

/// An interval as PostgreSQL shows it.
pub(super) fn interval_text(value: arrow::datatypes::IntervalMonthDayNano) -> String {
    span::Span::of(value).to_string()
}

/// The session with PostgreSQL's types, operators and functions added.
pub(super) fn like_postgres(state: SessionState) -> SessionState {
    let scalars = replaced(state.scalar_functions().values(), scalars(&state), ScalarUDF::name);
    let aggregates =
        replaced(state.aggregate_functions().values(), aggregates(&state), AggregateUDF::name);
    let mut planners = state.expr_planners().to_vec();
    planners.insert(0, Arc::new(planner::Operators));
    let mut rules = state.analyzer().rules.clone();
    let coercion = rules.iter().position(|rule| rule.name() == "type_coercion");
    rules.insert(coercion.unwrap_or(rules.len()), Arc::new(meaning::Meaning));
    let mut optimizers = state.optimizers().to_vec();
    optimizers.push(Arc::new(sort_keys::SortKeys));
    optimizers.push(Arc::new(null_order::NullOrder));
    let series = series::around(state.table_functions());
    SessionStateBuilder::new_from_existing(state)
        .with_table_functions(series)
        .with_scalar_functions(scalars)
        .with_aggregate_functions(aggregates)
        .with_expr_planners(planners)
        .with_type_planner(Arc::new(types::PostgresTypes))
        .with_analyzer_rules(rules)
        .with_optimizer_rules(optimizers)
        .build()
}

/// The known functions, with ours in place of those with the same names.
fn replaced<'a, F: 'a>(
    known: impl Iterator<Item = &'a Arc<F>>,
    own: Vec<F>,
    name: fn(&F) -> &str,
) -> Vec<Arc<F>> {
    let names: HashSet<String> = own.iter().map(|own| name(own).to_owned()).collect();
    let kept = known.filter(|function| !names.contains(name(function))).cloned();
    kept.collect::<Vec<_>>().into_iter().chain(own.into_iter().map(Arc::new)).collect()
}

fn scalars(state: &SessionState) -> Vec<ScalarUDF> {
    let finite = math::OF_FLOATS.iter().filter_map(|name| {
        state.scalar_functions().get(*name).map(|inner| math::finite(inner.clone()))
    });
    let own = [
        arithmetic::mod_function(),
        powers::power().with_aliases(["pow"]),
        math::round(),
        math::trunc(),
        math::ceil().with_aliases(["ceiling"]),
        math::floor(),
        math::abs(),
        math::sign(),
        logarithms::log(),
        texts::numeric(),
        texts::version(),
        bits::to_hex(),
        quoting::quote_literal(),
        quoting::quote_nullable(),
        quoting::quote_ident(),
        time_operators::timezone(),
        date_functions::date_part(),
        date_functions::date_trunc(),
        date_functions::date_bin(),
        date_functions::age(),
        to_char::to_char(),
        time_functions::to_timestamp(),
        time_functions::to_date(),
        time_functions::now(),
    ];
    own.into_iter().chain(finite).collect()
}

fn aggregates(state: &SessionState) -> Vec<AggregateUDF> {
    let variance = state.aggregate_functions().get("var");
    let variance = variance.map(|own| own.as_ref().clone().with_aliases(["variance"]));
    let own = [
        aggregates::sum(),
        aggregates::avg().with_aliases(["mean"]),
        percentile::percentile_cont(),
        percentile_disc::percentile_disc(),
        percentile::median(),
    ];
    own.into_iter().chain(variance).collect()
}
