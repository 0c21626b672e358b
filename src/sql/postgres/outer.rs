//! Expressions outside of inner queries, which have columns and rows of their own.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, VisitMut, VisitorMut};

/// Changes each expression in `part` that is in no inner query, what it is made of before it.
pub(super) fn each_outer_expr<T: VisitMut>(part: &mut T, change: impl FnMut(&mut Expr)) {
    // It has no error to break off with.
    let _ = part.visit(&mut OuterExprs { change, depth: 0 });
}

struct OuterExprs<F> {
    change: F,
    depth: usize,
}

impl<F: FnMut(&mut Expr)> VisitorMut for OuterExprs<F> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0 {
            (self.change)(expr);
        }
        ControlFlow::Continue(())
    }
}
