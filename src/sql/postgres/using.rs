//! `JOIN … USING (a)` as a join `ON` the columns of both sides.
//!
//! What is called `a` then is one column of both sides: the right one of a right join, and whichever is
//! there of a full join. DataFusion takes the left one, and nulls with it, and finds the name ambiguous in
//! conditions. So each place that asks for `a` gets the column that PostgreSQL means.

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName,
    OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor,
    TableWithJoins, WildcardAdditionalOptions,
};

use super::calls::call;
use super::merged::MergedColumns;
use super::names::folded;
use super::refusal::refused;

/// Rewords the joins of a query, outside of its inner queries, and what asks for their columns.
///
/// # Errors
/// A right or full join that cannot be reworded.
pub(super) fn reword_using(query: &mut Query) -> Result<()> {
    let Some(merged) = of_set(&mut query.body)? else { return Ok(()) };
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    let Some(OrderByKind::Expressions(order)) = query.order_by.as_mut().map(|by| &mut by.kind)
    else {
        return Ok(());
    };
    for by in order {
        // A name alone is that of the result, if the result has it.
        if !matches!(&by.expr, Expr::Identifier(name) if is_alias(&select.projection, name)) {
            merged.replace_in(&mut by.expr);
        }
    }
    Ok(())
}

/// The merged columns of a select; `None` for a set of several, and where there are none.
fn of_set(body: &mut SetExpr) -> Result<Option<MergedColumns>> {
    match body {
        SetExpr::Select(select) => of_select(select),
        SetExpr::SetOperation { left, right, .. } => {
            of_set(left)?;
            of_set(right)?;
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn of_select(select: &mut Select) -> Result<Option<MergedColumns>> {
    let joins = || select.from.iter().flat_map(|from| &from.joins);
    let uses = joins()
        .any(|join| matches!(constraint(&join.join_operator), Some((_, by)) if is_by_name(by)));
    if !uses {
        return Ok(None);
    }
    let outer = joins().any(|join| {
        let found = constraint(&join.join_operator);
        matches!(found, Some((KeptSide::Right | KeptSide::Both, by)) if is_by_name(by))
    });
    let mut from = select.from.clone();
    let sides: Option<Vec<JoinedTables>> = from.iter_mut().map(JoinedTables::of).collect();
    let plain = select.projection.iter().all(|item| !is_narrowed(item));
    let Some(sides) = sides.filter(|_| plain) else {
        // Of other joins, DataFusion's column is the right one.
        return if outer { Err(unknown()) } else { Ok(None) };
    };
    select.from = from;
    expand(&mut select.projection, &sides);
    let merged = MergedColumns(sides.into_iter().flat_map(|side| side.merged.0).collect());
    for item in &mut select.projection {
        merged.replace_in_item(item);
    }
    merged.replace_in(&mut select.distinct);
    merged.replace_in(&mut select.selection);
    merged.replace_in(&mut select.group_by);
    merged.replace_in(&mut select.having);
    merged.replace_in(&mut select.qualify);
    merged.replace_in(&mut select.named_window);
    Ok(Some(merged))
}

fn unknown() -> datafusion::error::DataFusionError {
    refused(
        "this right or full join is not supported with NATURAL, or USING here; write ON a.x = b.x, and \
         coalesce(a.x, b.x) for its column",
    )
}

/// Which side a merged column is taken from.
#[derive(Clone, Copy)]
enum KeptSide {
    Left,
    Right,
    Both,
}

fn constraint(join: &JoinOperator) -> Option<(KeptSide, &JoinConstraint)> {
    use JoinOperator as Op;
    Some(match join {
        Op::Join(by) | Op::Inner(by) | Op::Left(by) | Op::LeftOuter(by) => (KeptSide::Left, by),
        Op::Right(by) | Op::RightOuter(by) => (KeptSide::Right, by),
        Op::FullOuter(by) => (KeptSide::Both, by),
        _ => return None,
    })
}

fn is_by_name(by: &JoinConstraint) -> bool {
    matches!(by, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

/// Whether an item is `*` without some columns, or with others.
fn is_narrowed(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(but) if !but.to_string().is_empty())
}

/// Writes `*` out: merged columns come first.
fn expand(items: &mut Vec<SelectItem>, sides: &[JoinedTables]) {
    let all = |item| match item {
        SelectItem::Wildcard(_) => sides.iter().flat_map(JoinedTables::columns).collect(),
        item => vec![item],
    };
    *items = std::mem::take(items).into_iter().flat_map(all).collect();
}

fn is_alias(items: &[SelectItem], name: &Ident) -> bool {
    items.iter().any(|item| {
        matches!(item, SelectItem::ExprWithAlias { alias, .. } if folded(alias) == folded(name))
    })
}

/// The tables that are joined in one item of `FROM`.
struct JoinedTables {
    /// Their names, and their columns that are merged.
    tables: Vec<(Ident, Vec<Ident>)>,
    merged: MergedColumns,
}

impl JoinedTables {
    /// The tables, with each `USING` as `ON`; `None` if a join has columns whose tables are not known.
    fn of(from: &mut TableWithJoins) -> Option<Self> {
        let first = name_of(&from.relation)?;
        let mut side =
            Self { tables: vec![(first, Vec::new())], merged: MergedColumns(Vec::new()) };
        for join in &mut from.joins {
            let table = name_of(&join.relation)?;
            let (kept, by) = match constraint(&join.join_operator) {
                Some((kept, by)) => (kept, by.clone()),
                None => (KeptSide::Left, JoinConstraint::None),
            };
            let by = match by {
                JoinConstraint::Natural => return None,
                JoinConstraint::Using(names) => {
                    let on = side.merge(&table, kept, &names)?;
                    set_constraint(&mut join.join_operator, JoinConstraint::On(on));
                    continue;
                }
                by => by,
            };
            side.tables.push((table, Vec::new()));
            if let JoinConstraint::On(mut on) = by {
                side.merged.replace_in(&mut on);
                set_constraint(&mut join.join_operator, JoinConstraint::On(on));
            }
        }
        Some(side)
    }

    /// Joins a table by columns of one name; the condition.
    fn merge(&mut self, table: &Ident, kept: KeptSide, names: &[ObjectName]) -> Option<Expr> {
        let (mut made, mut merged, mut on) = (Vec::new(), Vec::new(), None);
        for name in names {
            let [part] = name.0.as_slice() else { return None };
            let name = part.as_ident()?;
            let left = self.column(name)?;
            let right = column(table, name);
            let value = match kept {
                KeptSide::Left => left.clone(),
                KeptSide::Right => right.clone(),
                KeptSide::Both => call("coalesce", vec![left.clone(), right.clone()]),
            };
            let equal = binary(left, BinaryOperator::Eq, right);
            on = Some(match on {
                None => equal,
                Some(before) => binary(before, BinaryOperator::And, equal),
            });
            merged.push((name.clone(), value));
            made.push(name.clone());
        }
        self.tables.push((table.clone(), made));
        self.merged
            .0
            .retain(|(old, _)| !names.iter().any(|name| name.to_string() == old.to_string()));
        merged.append(&mut self.merged.0);
        self.merged.0 = merged;
        on
    }

    /// A column of the tables so far, which is merged from now on; `None` if its table is not known.
    fn column(&mut self, name: &Ident) -> Option<Expr> {
        if let Some(value) = self.merged.value(name) {
            return Some(value.clone());
        }
        let [(table, merged)] = self.tables.as_mut_slice() else { return None };
        merged.push(name.clone());
        Some(column(table, name))
    }

    /// All columns, as items of a select list.
    fn columns(&self) -> Vec<SelectItem> {
        let name =
            |(name, _): &(Ident, Expr)| SelectItem::UnnamedExpr(Expr::Identifier(name.clone()));
        let tables = self.tables.iter().map(|(table, merged)| {
            let mut but = WildcardAdditionalOptions::default();
            if !merged.is_empty() {
                let merged = merged.iter().map(|name| ObjectName::from(name.clone()));
                but.opt_exclude = Some(ExcludeSelectItem::Multiple(merged.collect()));
            }
            let table = ObjectName::from(table.clone());
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), but)
        });
        self.merged.0.iter().map(name).chain(tables).collect()
    }
}

/// The name by which columns of a table are asked for.
fn name_of(table: &TableFactor) -> Option<Ident> {
    match table {
        TableFactor::Table { alias: None, args: None, name, .. } => {
            name.0.last()?.as_ident().cloned()
        }
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias.as_ref().map(|alias| alias.name.clone()),
        _ => None,
    }
}

fn set_constraint(join: &mut JoinOperator, new: JoinConstraint) {
    use JoinOperator as Op;
    match join {
        Op::Join(by)
        | Op::Inner(by)
        | Op::Left(by)
        | Op::LeftOuter(by)
        | Op::Right(by)
        | Op::RightOuter(by)
        | Op::FullOuter(by) => *by = new,
        _ => {}
    }
}

fn column(table: &Ident, name: &Ident) -> Expr {
    Expr::CompoundIdentifier(vec![table.clone(), name.clone()])
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn a_merged_column_is_that_of_the_side_that_has_it() {
        let of = |text: &str| match statement(text, 50) {
            Ok(statement) => statement.to_string(),
            Err(error) => error.to_string(),
        };
        for (asked, expected) in [
            (
                "x FROM a FULL JOIN b USING (x) WHERE x > 1 ORDER BY x, lower(x)",
                "coalesce(a.x, b.x) AS x FROM a FULL JOIN b ON a.x = b.x WHERE coalesce(a.x, b.x) > 1 ORDER BY x, lower(coalesce(a.x, b.x))",
            ),
            (
                "x, a.y FROM a RIGHT JOIN b USING (x) GROUP BY x",
                "b.x, a.y FROM a RIGHT JOIN b ON a.x = b.x GROUP BY b.x",
            ),
            (
                "* FROM a JOIN b USING (x, y) LEFT JOIN s.c USING (x)",
                "a.x, a.y, a.* EXCLUDE (x, y), b.* EXCLUDE (x, y), c.* EXCLUDE (x) FROM a JOIN b ON a.x = b.x AND a.y = b.y LEFT JOIN s.c ON a.x = c.x",
            ),
            (
                "(SELECT max(x) FROM c) FROM a JOIN b USING (x) JOIN d ON x = d.z",
                "(SELECT max(x) FROM c) FROM a JOIN b ON a.x = b.x JOIN d ON a.x = d.z",
            ),
            (
                "x FROM a JOIN b ON a.y = b.y JOIN c USING (x)",
                "x FROM a JOIN b ON a.y = b.y JOIN c USING(x)",
            ),
            ("* FROM a NATURAL JOIN b", "* FROM a NATURAL JOIN b"),
            (
                "DISTINCT ON (x) y FROM a JOIN b USING (x) WHERE x = 1 ORDER BY x, y",
                "DISTINCT ON (a.x) y FROM a JOIN b ON a.x = b.x WHERE a.x = 1 ORDER BY a.x, y",
            ),
        ] {
            assert_eq!(of(&format!("SELECT {asked}")), format!("SELECT {expected}"));
        }
        for asked in [
            "x FROM a NATURAL FULL JOIN b",
            "x FROM a JOIN b ON a.y = b.y RIGHT JOIN c USING (x)",
            "* EXCLUDE (y) FROM a FULL JOIN b USING (x)",
        ] {
            let told = of(&format!("SELECT {asked}"));
            assert!(told.contains("write ON a.x = b.x"), "{asked}: {told}");
        }
    }
}
