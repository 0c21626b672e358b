//! `EXPLAIN` as PostgreSQL's clients read it: one column, `QUERY PLAN`, with a row for each line.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt as _;

use super::QueryAnswer;
use crate::sql::SqlError;

/// The name of the column.
const PLAN: &str = "QUERY PLAN";

/// Whether a statement asks for a plan.
pub(super) fn explains(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(_) => true,
        Statement::Statement(statement) => matches!(**statement, SqlStatement::Explain { .. }),
        _ => false,
    }
}

/// The lines of plans, each of which follows its kind.
pub(super) fn explained(answer: QueryAnswer) -> QueryAnswer {
    let schema = Arc::new(Schema::new(vec![Field::new(PLAN, DataType::Utf8, true)]));
    let shown = schema.clone();
    let batches = answer.batches.map(move |batch| {
        let lines = lines(&batch?);
        let lines = lines.and_then(|lines| RecordBatch::try_new(shown.clone(), vec![lines]));
        lines.map_err(|error| SqlError::of_asked(&DataFusionError::from(error)))
    });
    QueryAnswer { schema, batches: batches.boxed(), ..answer }
}

fn lines(batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
    let texts = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let mut lines = Vec::new();
    for row in 0..batch.num_rows() {
        for (place, column) in texts.iter().enumerate() {
            let indent = if place == 0 { "" } else { "  " };
            let text = column.as_string::<i32>().value(row);
            lines.extend(text.lines().map(|line| format!("{indent}{line}")));
        }
    }
    Ok(Arc::new(StringArray::from(lines)))
}
