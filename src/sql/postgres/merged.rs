//! The columns that a join merges, and what asks for them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, VisitMut, VisitorMut};

use super::names::folded;

/// Merged columns, and what each is of the tables.
pub(super) struct MergedColumns(pub Vec<(Ident, Expr)>);

impl MergedColumns {
    pub(super) fn value(&self, name: &Ident) -> Option<&Expr> {
        let wanted = folded(name);
        self.0.iter().find(|(known, _)| folded(known) == wanted).map(|(_, value)| value)
    }

    pub(super) fn replace_in_item(&self, item: &mut SelectItem) {
        let SelectItem::UnnamedExpr(Expr::Identifier(name)) = &*item else {
            self.replace_in(item);
            return;
        };
        match self.value(name) {
            // It has a name of its own, which is the same.
            Some(value @ Expr::CompoundIdentifier(_)) => {
                *item = SelectItem::UnnamedExpr(value.clone());
            }
            Some(value) => {
                *item = SelectItem::ExprWithAlias { expr: value.clone(), alias: name.clone() };
            }
            None => {}
        }
    }

    pub(super) fn replace_in<T: VisitMut>(&self, part: &mut T) {
        // It has no error to break off with.
        let _ = part.visit(&mut PutMerged { merged: self, depth: 0 });
    }
}

/// Replaces names outside of inner queries, which have columns of their own.
struct PutMerged<'a> {
    merged: &'a MergedColumns,
    depth: usize,
}

impl VisitorMut for PutMerged<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = &*expr
            && self.depth == 0
            && let Some(value) = self.merged.value(name)
        {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}
