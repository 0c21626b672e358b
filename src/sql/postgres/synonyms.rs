//! Functions of PostgreSQL that are another name of what is there.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArguments, Ident, ObjectName, TimezoneInfo,
};

use super::calls::{args_of, call};

/// The call of another function, or the cast, that a function stands for; `None` for others.
pub(super) fn synonym(function: &Function) -> Option<Expr> {
    match function.name.to_string().to_lowercase().as_str() {
        "date" => {
            let only: [Expr; 1] = args_of(function)?.try_into().ok()?;
            let [only] = only;
            Some(cast(only, DataType::Date))
        }
        "localtimestamp" if matches!(function.args, FunctionArguments::None) => {
            Some(cast(call("now", Vec::new()), DataType::Timestamp(None, TimezoneInfo::None)))
        }
        "every" => Some(renamed(function, "bool_and")),
        // DataFusion's functions of these names change the first one alone.
        _ => None,
    }
}

fn renamed(function: &Function, name: &str) -> Expr {
    let name = ObjectName::from(vec![Ident::new(name)]);
    Expr::Function(Function { name, ..function.clone() })
}

fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: to,
        array: false,
        format: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn synonyms_are_what_they_stand_for() {
        let of = |text: &str| statement(&format!("SELECT {text}"), 50).unwrap().to_string();
        for (asked, expected) in [
            ("date(a)", "CAST(a AS DATE)"),
            ("localtimestamp", "CAST(now() AS TIMESTAMP)"),
            ("every(a > 1) FILTER (WHERE b)", "bool_and(a > 1) FILTER (WHERE b)"),
        ] {
            assert_eq!(of(asked), format!("SELECT {expected}"));
        }
    }
}
