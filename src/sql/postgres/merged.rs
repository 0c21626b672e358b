//! The columns that a join merges, and what asks for them.

use datafusion::sql::sqlparser::ast::{Expr, Ident, SelectItem, VisitMut};

use super::names::folded;
use super::outer::each_outer_expr;

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
        each_outer_expr(part, |expr| {
            if let Expr::Identifier(name) = &*expr
                && let Some(value) = self.value(name)
            {
                *expr = value.clone();
            }
        });
    }
}
