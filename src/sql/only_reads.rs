//! Which statements only read; all others are refused before they are planned.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement as SqlStatement, Visit, Visitor};

/// The word of what a statement does besides reading; `None` if it only reads.
pub(super) fn writing_word(statement: &Statement, text: &str) -> Option<String> {
    if !only_reads(statement) {
        return Some(text.split_whitespace().next().unwrap_or_default().to_uppercase());
    }
    match statement {
        Statement::Explain(explain) => writing_word(&explain.statement, text),
        Statement::Statement(statement) => match statement.visit(&mut WritingBody) {
            ControlFlow::Continue(()) => None,
            ControlFlow::Break(word) => Some(word.to_owned()),
        },
        _ => None,
    }
}

fn only_reads(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => only_reads(&explain.statement),
        Statement::Statement(statement) => sql_only_reads(statement),
        _ => false,
    }
}

fn sql_only_reads(statement: &SqlStatement) -> bool {
    match statement {
        SqlStatement::Explain { statement, .. } => sql_only_reads(statement),
        SqlStatement::Query(_)
        | SqlStatement::ExplainTable { .. }
        | SqlStatement::ShowTables { .. }
        | SqlStatement::ShowColumns { .. }
        | SqlStatement::ShowFunctions { .. }
        | SqlStatement::ShowVariable { .. } => true,
        _ => false,
    }
}

/// Finds a query that writes, as in `WITH a AS (SELECT 1) INSERT INTO …`.
struct WritingBody;

impl Visitor for WritingBody {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
        match query.body.as_ref() {
            SetExpr::Insert(_) => ControlFlow::Break("INSERT"),
            SetExpr::Update(_) => ControlFlow::Break("UPDATE"),
            SetExpr::Delete(_) => ControlFlow::Break("DELETE"),
            SetExpr::Merge(_) => ControlFlow::Break("MERGE"),
            _ => ControlFlow::Continue(()),
        }
    }
}
