//! Parameters of a query: `$1` and so on are replaced by values before the query is planned, so that a
//! value is never read as SQL and means what a literal in its place means.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, LimitClause, Offset, Query, Select, Statement, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use super::literal::{list, number as number_literal, of_parameter};
use super::oids::{WireType, oid};
use super::places::{told, told_of_select};
use super::question::WireParameter;

/// PostgreSQL's bound on parameters.
const PARAMETERS_MAX: usize = 65_535;

/// Replaces parameters by their values.
///
/// # Errors
/// A parameter that has no value, a value that has no parameter, or a list that cannot be read.
pub(in crate::sql) fn set_parameters(
    statement: &mut Statement,
    parameters: &[WireParameter],
) -> Result<(), String> {
    let mut set = SetParameters { parameters, count: 0 };
    if let ControlFlow::Break(wrong) = statement.visit(&mut set) {
        return Err(wrong);
    }
    // A client may declare the type of one that the query does not name.
    let declared = parameters.iter().rposition(|parameter| parameter.oid != 0);
    let count = set.count.max(declared.map_or(0, |place| place + 1));
    if parameters.len() > count {
        let given = parameters.len();
        return Err(format!("{given} values are bound to {count} parameters; bind one to each"));
    }
    Ok(())
}

/// The place of `$1`: 0.
pub(super) fn place(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => {
            let place: usize = name.strip_prefix('$')?.parse().ok()?;
            place.checked_sub(1).filter(|place| *place < PARAMETERS_MAX)
        }
        Expr::Nested(inner) => place(inner),
        _ => None,
    }
}

struct SetParameters<'a> {
    parameters: &'a [WireParameter],
    /// The number of the last parameter that the query names.
    count: usize,
}

impl SetParameters<'_> {
    fn value(&mut self, place: usize) -> Result<&WireParameter, String> {
        self.count = self.count.max(place + 1);
        let missing = || format!("there is no parameter ${}; bind a value to it", place + 1);
        self.parameters.get(place).ok_or_else(missing)
    }

    /// The number of rows that a parameter gives.
    fn set_rows(&mut self, expr: &mut Expr) -> Result<(), String> {
        let Some(place) = place(expr) else { return Ok(()) };
        let text = self.value(place)?.text.as_deref().unwrap_or("0");
        let wrong = |_| format!("the number of rows {text:?} is no integer; bind one");
        *expr = number_literal(text.trim().parse::<u64>().map_err(wrong)?);
        Ok(())
    }

    fn set(&mut self, expr: &mut Expr) -> Result<(), String> {
        if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = expr
            && let Some(place) = place(right)
        {
            let value = self.value(place)?;
            if let (None, Some(text)) = (WireType::of_items(value.oid), &value.text) {
                **right = list(text, 0)?;
            }
        }
        if let Some(place) = place(expr) {
            *expr = of_parameter(self.value(place)?)?;
        }
        Ok(())
    }

    /// Gives a value whose type the client leaves open the type that its place tells. A text is one as it is.
    fn set_typed(&mut self, expr: &mut Expr, told: u32) {
        let Some(place) = place(expr) else { return };
        let open = self.parameters.get(place).filter(|value| value.oid == 0 && told != oid::TEXT);
        let Some(text) = open.map(|open| open.text.clone()) else { return };
        self.count = self.count.max(place + 1);
        if let Ok(typed) = of_parameter(&WireParameter { oid: told, text }) {
            *expr = typed;
        }
    }
}

impl VisitorMut for SetParameters<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        done(rows_of(query).into_iter().try_for_each(|rows| self.set_rows(rows)))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        told_of_select(select, &mut |expr, oid| self.set_typed(expr, oid));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        told(expr, &mut |expr, oid| self.set_typed(expr, oid));
        done(self.set(expr))
    }
}

fn done<E>(result: Result<(), E>) -> ControlFlow<E> {
    result.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

/// The expressions of `LIMIT` and `OFFSET`.
pub(super) fn rows_of(query: &mut Query) -> Vec<&mut Expr> {
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, offset, .. }) => {
            let offset = offset.as_mut().map(|Offset { value, .. }| value);
            limit.iter_mut().chain(offset).collect()
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => vec![offset, limit],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::postgres::parsed;
    use super::*;

    fn of(text: &str) -> Statement {
        parsed(text, 50).unwrap()
    }

    fn value(oid: u32, text: &str) -> WireParameter {
        WireParameter { oid, text: Some(text.to_owned()) }
    }

    #[test]
    fn values_take_the_places_of_parameters() {
        let mut statement = of("SELECT $1, a = ANY($2), $1 FROM t WHERE b > $3 LIMIT $4");
        let values = [value(0, "'; DROP"), value(0, "{x,y}"), value(oid::INT8, "7"), value(0, "5")];
        set_parameters(&mut statement, &values).unwrap();
        assert_eq!(
            statement.to_string(),
            "SELECT '''; DROP', a = ANY(ARRAY['x', 'y']), '''; DROP' FROM t WHERE b > '7'::BIGINT LIMIT 5"
        );
        let missing = set_parameters(&mut of("SELECT $2"), &values[..1]).unwrap_err();
        assert!(missing.starts_with("there is no parameter $2"), "{missing}");
        assert!(set_parameters(&mut of("SELECT 1 LIMIT $1"), &[value(0, "x")]).is_err());
        let more = set_parameters(&mut of("SELECT $1"), &[value(0, "x"), value(0, "y")]);
        assert_eq!(more.unwrap_err(), "2 values are bound to 1 parameters; bind one to each");
        let declared = [value(0, "x"), value(oid::TEXT, "y")];
        assert!(set_parameters(&mut of("SELECT $1"), &declared).is_ok());
    }
}
