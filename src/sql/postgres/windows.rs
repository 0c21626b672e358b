//! Windows by name. DataFusion passes over the name in `OVER (w ORDER BY a)`, and knows none in `ORDER BY`,
//! so each is written out where it is used, by PostgreSQL's rules.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, OrderBy, Query, Select, SetExpr, VisitMut,
    VisitorMut, WindowSpec, WindowType,
};

use super::names::folded;
use super::refusal::refused;

/// Writes out the windows that the order of a query names.
///
/// # Errors
/// As [`write_out`].
pub(super) fn write_out_in_order(query: &mut Query) -> Result<()> {
    let Some(order) = &mut query.order_by else { return Ok(()) };
    let windows = match query.body.as_ref() {
        SetExpr::Select(select) => Windows::of(&select.named_window)?,
        _ => Windows::default(),
    };
    windows.write_out::<OrderBy>(order)
}

/// Writes out the windows that a select names.
///
/// # Errors
/// A window that is not there, is there twice, or says again what another one says.
pub(super) fn write_out(select: &mut Select) -> Result<()> {
    let windows = Windows::of(&select.named_window)?;
    // What is written out is no longer needed, and the planner would read it again.
    select.named_window.clear();
    windows.write_out(&mut select.projection)?;
    windows.write_out(&mut select.qualify)
}

/// The windows of a select, by name.
#[derive(Default)]
struct Windows(Vec<(String, WindowSpec)>);

impl Windows {
    fn of(named: &[NamedWindowDefinition]) -> Result<Self> {
        let mut windows = Self::default();
        for NamedWindowDefinition(name, window) in named {
            if windows.find(name).is_ok() {
                return Err(refused(&format!(
                    "window {name} is defined twice; rename one of them"
                )));
            }
            // A window may name those before it only.
            let window = match window {
                NamedWindowExpr::NamedWindow(other) => windows.find(other)?.clone(),
                NamedWindowExpr::WindowSpec(spec) => windows.whole(spec)?,
            };
            windows.0.push((folded(name), window));
        }
        Ok(windows)
    }

    fn find(&self, name: &Ident) -> Result<&WindowSpec> {
        let wanted = folded(name);
        let found = self.0.iter().find(|(known, _)| *known == wanted);
        let found = found.map(|(_, window)| window);
        found.ok_or_else(|| refused(&format!("there is no window {name}; define it in WINDOW")))
    }

    /// A window with what the one that it names says.
    fn whole(&self, spec: &WindowSpec) -> Result<WindowSpec> {
        let Some(name) = &spec.window_name else { return Ok(spec.clone()) };
        let named = self.find(name)?;
        let again = if !spec.partition_by.is_empty() {
            Some("PARTITION BY")
        } else if !spec.order_by.is_empty() && !named.order_by.is_empty() {
            Some("ORDER BY")
        } else {
            None
        };
        if let Some(again) = again {
            return Err(refused(&format!(
                "window {name} cannot have another {again}; write the whole window out"
            )));
        }
        if named.window_frame.is_some() {
            return Err(refused(&format!(
                "window {name} has a frame, so that it cannot be refined; write OVER {name}, or the \
                 whole window"
            )));
        }
        let order_by = if spec.order_by.is_empty() { &named.order_by } else { &spec.order_by };
        Ok(WindowSpec {
            window_name: None,
            partition_by: named.partition_by.clone(),
            order_by: order_by.clone(),
            window_frame: spec.window_frame.clone(),
        })
    }

    fn write_out<T: VisitMut>(&self, part: &mut T) -> Result<()> {
        match part.visit(&mut WriteOut { windows: self, depth: 0 }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

/// Writes windows out outside of inner queries, which have windows of their own.
struct WriteOut<'a> {
    windows: &'a Windows,
    depth: usize,
}

impl VisitorMut for WriteOut<'_> {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<DataFusionError> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<DataFusionError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let whole = match &function.over {
            _ if self.depth > 0 => return ControlFlow::Continue(()),
            None => return ControlFlow::Continue(()),
            Some(WindowType::NamedWindow(name)) => self.windows.find(name).cloned(),
            Some(WindowType::WindowSpec(spec)) => self.windows.whole(spec),
        };
        match whole {
            Ok(whole) => {
                function.over = Some(WindowType::WindowSpec(whole));
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn windows_are_written_out_or_refused() {
        let of = |text: &str| match statement(text, 50) {
            Ok(statement) => statement.to_string(),
            Err(error) => error.to_string(),
        };
        for (asked, expected) in [
            (
                "count(*) OVER W FROM t WINDOW w AS (ORDER BY a)",
                "count(*) OVER (ORDER BY a) FROM t",
            ),
            ("sum(b) OVER (w) FROM t WINDOW w AS (ORDER BY a)", "sum(b) OVER (ORDER BY a) FROM t"),
            (
                "1 + sum(b) OVER (w ORDER BY c ROWS 1 PRECEDING) FROM t WINDOW w AS (PARTITION BY a)",
                "1 + sum(b) OVER (PARTITION BY a ORDER BY c ROWS 1 PRECEDING) FROM t",
            ),
            (
                "sum(b) OVER v FROM t WINDOW w AS (PARTITION BY a), v AS (w ORDER BY c)",
                "sum(b) OVER (PARTITION BY a ORDER BY c) FROM t",
            ),
            (
                "a FROM t WINDOW w AS (ORDER BY b) ORDER BY rank() OVER w",
                "a FROM t ORDER BY rank() OVER (ORDER BY b)",
            ),
            (
                "(SELECT sum(b) OVER w FROM s WINDOW w AS (ORDER BY c)), sum(b) OVER w FROM t WINDOW w AS (ORDER BY a)",
                "(SELECT sum(b) OVER (ORDER BY c) FROM s), sum(b) OVER (ORDER BY a) FROM t",
            ),
        ] {
            assert_eq!(of(&format!("SELECT {asked}")), format!("SELECT {expected}"));
        }
        for (asked, words) in [
            ("sum(b) OVER (w PARTITION BY c) FROM t WINDOW w AS (ORDER BY a)", "PARTITION BY"),
            ("sum(b) OVER (w ORDER BY c) FROM t WINDOW w AS (ORDER BY a)", "another ORDER BY"),
            ("sum(b) OVER (w) FROM t WINDOW w AS (ORDER BY a ROWS 1 PRECEDING)", "has a frame"),
            ("sum(b) OVER (v) FROM t WINDOW w AS (ORDER BY a)", "no window v"),
            ("sum(b) OVER v FROM t WINDOW v AS (w), w AS (ORDER BY a)", "no window w"),
            ("1 FROM t WINDOW w AS (ORDER BY a), W AS (ORDER BY b)", "defined twice"),
            ("(SELECT sum(b) OVER w FROM s) FROM t WINDOW w AS (ORDER BY a)", "no window w"),
        ] {
            assert!(of(&format!("SELECT {asked}")).contains(words), "{asked}: {}", of(asked));
        }
    }
}
