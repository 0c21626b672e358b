//! Queries by PostgreSQL's protocol: with parameters and catalogs, over the tables and behind the wall of
//! every other query.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};

use super::explained::{explained, explains};
use super::named_tables::NamedTables;
use super::{Console, QueryAnswer, TABLES};
use crate::archive::DataFile;
use crate::sql::asker::Asker;
use crate::sql::catalog::{Relations, SessionNames, catalog_functions, register};
use crate::sql::postgres::{column_names, refused, statement_with};
use crate::sql::wire::{
    ParameterTypes, WireParameter, WireQuestion, is_always_empty, rewrite, set_parameters,
    shown_schema,
};
use crate::sql::{SqlError, views};

/// The answer to a query by the protocol.
pub struct WireAnswer {
    /// The numbers of its parameters' types.
    pub parameters: Vec<u32>,
    /// The names of its columns.
    pub names: Vec<String>,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows; none if it is only described.
    pub batches: BoxStream<'static, Result<RecordBatch, SqlError>>,
}

impl Console {
    /// Starts to answer, or describes, one statement.
    ///
    /// # Errors
    /// As [`Console::query`].
    pub async fn wire_answer(
        &self,
        files: &[Arc<DataFile>],
        asker: &Asker,
        text: &str,
        question: &WireQuestion,
    ) -> Result<WireAnswer, SqlError> {
        let named = NamedTables::of(text);
        let session = self.session(files, asker, &named).await;
        let context = session.map_err(|error| SqlError::of_asked(&error))?;
        let asked = self.wire_context(&context, &named, question).await?;
        let answered = self.wire_planned(&asked, asker, text, question).await;
        answered.map_err(|error| match asker.bound {
            Some(_) => error.without_reports(),
            None => error,
        })
    }

    async fn wire_planned(
        &self,
        asked: &WireContext,
        asker: &Asker,
        text: &str,
        question: &WireQuestion,
    ) -> Result<WireAnswer, SqlError> {
        let walled = asker.org_id.is_some();
        if !question.describes {
            let parsed = asked.parsed(text, question, &question.parameters)?;
            return self.wire_rows(asked, walled, parsed, text).await;
        }
        let parameters = self.parameter_types(asked, text, question).await?;
        let nulls = parameters.iter().map(|oid| WireParameter { oid: *oid, text: None });
        let parsed = asked.parsed(text, question, &nulls.collect::<Vec<_>>())?;
        let described = self.wire_rows(asked, walled, parsed, text).await?;
        Ok(WireAnswer { parameters, batches: stream::empty().boxed(), ..described })
    }

    /// The types of parameters: those that a client declares, and what the query tells of the others.
    async fn parameter_types(
        &self,
        asked: &WireContext,
        text: &str,
        question: &WireQuestion,
    ) -> Result<Vec<u32>, SqlError> {
        let mut types = ParameterTypes::default();
        let open = statement_with(text, asked.depth_max, |statement| {
            types = ParameterTypes::of(statement, &question.parameters);
            rewrite(statement, question, &asked.relations).map_err(|wrong| refused(&wrong))
        });
        let open = open.map_err(|error| SqlError::of_asked(&error))?;
        // What cannot be planned without values tells nothing more.
        if let Ok(plan) = asked.context.state().statement_to_plan(open).await {
            types.add(&plan);
        }
        Ok(types.numbers())
    }

    async fn wire_rows(
        &self,
        asked: &WireContext,
        walled: bool,
        parsed: Parsed,
        text: &str,
    ) -> Result<WireAnswer, SqlError> {
        if let (true, Some(names)) = (parsed.is_empty, &parsed.names) {
            return Ok(without_rows(names));
        }
        let explains = explains(&parsed.statement);
        let frame = self.planned(&asked.context, walled, parsed.statement, text).await?;
        let (plan, tasks) = super::plan_of(frame).await?;
        let rows = super::rows_of(plan, tasks, shown_schema, SqlError::of_asked)?;
        let rows = if explains { explained(rows) } else { rows };
        let QueryAnswer { schema, batches, .. } = rows;
        let fields = schema.fields();
        let own = || fields.iter().map(|field| field.name().clone()).collect();
        let names = parsed.names.filter(|names| names.len() == fields.len());
        let names = names.unwrap_or_else(own);
        Ok(WireAnswer { parameters: Vec::new(), names, schema, batches })
    }

    /// The session with what a client of the protocol has beside the tables.
    async fn wire_context(
        &self,
        context: &SessionContext,
        named: &NamedTables,
        question: &WireQuestion,
    ) -> Result<WireContext, SqlError> {
        let wrong = |error| SqlError::of_asked(&error);
        let state = with_functions(context.state());
        let depth_max = state.config_options().sql_parser.recursion_limit.get();
        let context = SessionContext::new_with_state(state);
        let mut relations = Relations::default();
        // Most queries need none of it.
        if named.of_catalogs {
            let mut tables = Vec::new();
            for name in TABLES {
                if let Ok(table) = context.table(name).await {
                    let schema: SchemaRef = Arc::new(table.schema().as_arrow().clone());
                    tables.push((name.to_owned(), views::without_views(&schema)));
                }
            }
            relations = Relations::of(tables);
            let names = SessionNames { user: &question.user, database: &question.database };
            register(&context, &relations, names).map_err(wrong)?;
        }
        Ok(WireContext { context, relations, depth_max })
    }
}

/// What a statement is planned with.
struct WireContext {
    context: SessionContext,
    relations: Relations,
    depth_max: usize,
}

/// A statement that can be planned.
struct Parsed {
    statement: Statement,
    names: Option<Vec<String>>,
    /// It asks only tables that are empty for ever.
    is_empty: bool,
}

impl WireContext {
    fn parsed(
        &self,
        text: &str,
        question: &WireQuestion,
        parameters: &[WireParameter],
    ) -> Result<Parsed, SqlError> {
        let (mut names, mut is_empty) = (None, false);
        let change = |statement: &mut SqlStatement| {
            names = column_names(statement);
            is_empty = is_always_empty(statement);
            set_parameters(statement, parameters).map_err(|wrong| refused(&wrong))?;
            rewrite(statement, question, &self.relations).map_err(|wrong| refused(&wrong))
        };
        let statement = statement_with(text, self.depth_max, change);
        let statement = statement.map_err(|error| SqlError::of_asked(&error))?;
        // A plan has none of the columns that are explained.
        let names = names.filter(|_| !explains(&statement));
        Ok(Parsed { statement, names, is_empty })
    }
}

fn with_functions(state: SessionState) -> SessionState {
    let mut functions: Vec<_> = state.scalar_functions().values().cloned().collect();
    functions.extend(catalog_functions().into_iter().map(Arc::new));
    SessionStateBuilder::new_from_existing(state).with_scalar_functions(functions).build()
}

/// An answer with columns of text and no row.
fn without_rows(names: &[String]) -> WireAnswer {
    let fields = names.iter().map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batches = stream::empty().boxed();
    WireAnswer { parameters: Vec::new(), names: names.to_vec(), schema, batches }
}
