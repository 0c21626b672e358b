//! Cells of dimensions and of corrections for tables: those that files carry, and those that are made of
//! the rows of the others.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::{DataFrame, SessionContext};

use super::cell_kind::CellKind;
use super::engine::{params_of, query_of};
use super::partial_row::BETWEEN;
use super::query::{CORRECTION_CELLS, STORED_CORRECTIONS, STORED_PARTS, USAGE_BY_DIMENSION};
use super::session::session_over;

/// The columns of `partial.sql` that `usage_hourly.sql` uses.
pub(super) const SUMMED: [&str; 12] = [
    "org_id",
    "provider",
    "model",
    "hour",
    "requests",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "unpriced",
];

/// `stored_parts.sql` over the table `stored` of a session.
pub(super) async fn stored_parts(context: &SessionContext) -> Result<DataFrame> {
    let between = ScalarValue::from(BETWEEN.to_string());
    context.sql(STORED_PARTS.text).await?.with_param_values(vec![("between", between)])
}

/// `dimension_cells.sql` over the table `events` of a session.
pub(super) async fn made_parts(context: &SessionContext, kind: &CellKind) -> Result<DataFrame> {
    context.sql(query_of(kind).text).await?.with_param_values(params_of(kind))
}

/// `usage_by_dimension.sql` over the table `cells` of a session.
pub(super) async fn usage_by_dimension(context: &SessionContext, name: &str) -> Result<DataFrame> {
    let name = ScalarValue::from(name);
    context.sql(USAGE_BY_DIMENSION.text).await?.with_param_values(vec![("dimension", name)])
}

/// `stored_corrections.sql` over the table `stored` of a session.
pub(super) async fn stored_corrections(context: &SessionContext) -> Result<DataFrame> {
    context.sql(STORED_CORRECTIONS.text).await
}

/// The same of corrections that are made of the rows of the table `events` of a session.
pub(super) async fn made_corrections(
    context: &SessionContext,
    state: &SessionState,
) -> Result<DataFrame> {
    let made = context.sql(CORRECTION_CELLS.text).await?.into_view();
    stored_corrections(&session_over(state, [("stored", made)])?).await
}

/// All of several frames of the same columns.
pub(super) fn together(frames: Vec<DataFrame>) -> Result<Option<DataFrame>> {
    let mut frames = frames.into_iter();
    let Some(first) = frames.next() else { return Ok(None) };
    frames.try_fold(first, DataFrame::union).map(Some)
}

/// A dimension without events, for its columns.
pub(super) fn no_dimension() -> CellKind {
    let (name, attribute, id) = (Arc::from(""), Arc::from(""), Arc::from(""));
    CellKind::of(&Arc::new(crate::event::Dimension { name, attribute, id }))
}
