//! `LIKE … ESCAPE '/'` with the backslash instead, which is the only escape that DataFusion has.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Value, ValueWithSpan,
};

/// Rewrites a pattern that is made of literals; any other stays, and is refused by the planner.
pub(super) fn reword_escape(expr: &mut Expr) {
    let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = expr
    else {
        return;
    };
    let Some(Value::SingleQuotedString(escape)) = escape_char.as_ref().map(|escape| &escape.value)
    else {
        return;
    };
    let mut escapes = escape.chars();
    let (escape, None) = (escapes.next(), escapes.next()) else { return };
    if escape == Some('\\') {
        return;
    }
    let Some(text) = literal_text(pattern) else { return };
    let Some(text) = with_backslashes(&text, escape) else { return };
    **pattern = Expr::Value(Value::SingleQuotedString(text).into());
    *escape_char = None;
}

/// The text of a literal, or of several that are joined.
fn literal_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => {
            Some(text.clone())
        }
        Expr::Nested(inner) => literal_text(inner),
        Expr::Cast { kind: CastKind::DoubleColon | CastKind::Cast, expr, data_type, .. } => {
            let is_text = matches!(data_type, DataType::Text | DataType::Varchar(None));
            is_text.then(|| literal_text(expr)).flatten()
        }
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            Some(literal_text(left)? + &literal_text(right)?)
        }
        _ => None,
    }
}

/// A pattern with another escape; with none a backslash is a character as others are. `None` if it ends
/// with its escape.
fn with_backslashes(pattern: &str, escape: Option<char>) -> Option<String> {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let (char, is_literal) = match Some(char) == escape {
            true => (chars.next()?, true),
            false => (char, char == '\\'),
        };
        if is_literal && matches!(char, '%' | '_' | '\\') {
            text.push('\\');
        }
        text.push(char);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_the_same_with_backslashes() {
        for (pattern, escape, expected) in [
            ("pg/_%", Some('/'), Some(r"pg\_%")),
            ("a//b", Some('/'), Some("a/b")),
            ("a/x", Some('/'), Some("ax")),
            (r"a\%", Some('/'), Some(r"a\\%")),
            (r"a\_", None, Some(r"a\\_")),
            ("a%%", Some('%'), Some(r"a\%")),
            ("a/", Some('/'), None),
        ] {
            assert_eq!(with_backslashes(pattern, escape).as_deref(), expected, "{pattern}");
        }
    }
}
