//! Regular expressions of PostgreSQL as those of Rust: a point is any character, an end of a line too, and
//! in a replacement only a backslash has a meaning.

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Subscript, Value, ValueWithSpan,
};

use super::calls::call;
use super::refusal::refused;
use super::regex_text::{PatternUse, rust_pattern};

/// What makes a point stand for the end of a line as well.
const ANY: &str = "(?s)";
/// Functions with a pattern as the second argument, the place of their flags, and what they ask for.
const FUNCTIONS: [(&str, usize, PatternUse); 5] = [
    ("regexp_replace", 3, PatternUse::Extent),
    ("regexp_like", 2, PatternUse::Found),
    ("regexp_match", 2, PatternUse::Groups),
    ("regexp_count", 3, PatternUse::Extent),
    ("regexp_instr", 5, PatternUse::Extent),
];
/// Flags by which a point is no end of a line in PostgreSQL either.
const BY_LINES: [char; 4] = ['n', 'm', 'p', 'w'];
/// A group that no pattern has, which stands for nothing.
const NO_GROUP: &str = "${tokenlake_none}";

/// Rewords the pattern and the replacement of an operator or a function.
///
/// # Errors
/// A replacement that is not known before the query runs, and a pattern that would match something else.
pub(super) fn reword_regex(expr: &mut Expr) -> Result<()> {
    use BinaryOperator as Op;
    match expr {
        Expr::BinaryOp {
            op: Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch,
            right,
            ..
        } => reword_pattern(right, PatternUse::Found, false)?,
        Expr::Function(function) => reword_function(function)?,
        _ => {}
    }
    Ok(())
}

fn reword_function(function: &mut Function) -> Result<()> {
    let name = function.name.to_string().to_lowercase();
    let Some((_, flags, asked)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Ok(());
    };
    let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
    let flags = list.args.get(*flags).map(|flags| argument(flags).and_then(text_of));
    let by_lines = match flags {
        None => false,
        Some(Some(flags)) => flags.contains(BY_LINES),
        // What is not known is left as it is.
        Some(None) => true,
    };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern))) = list.args.get_mut(1) {
        reword_pattern(pattern, *asked, by_lines)?;
    }
    if name == "regexp_replace"
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(replacement))) = list.args.get_mut(2)
    {
        reword_replacement(replacement)?;
    }
    Ok(())
}

fn argument(arg: &FunctionArg) -> Option<&Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg),
        _ => None,
    }
}

fn reword_pattern(pattern: &mut Expr, asked: PatternUse, by_lines: bool) -> Result<()> {
    match text_of(pattern) {
        Some(text) => {
            let any = if text.contains('.') && !by_lines { ANY } else { "" };
            let made = format!("{any}{}", rust_pattern(text, asked)?);
            if made != text {
                *pattern = literal(made);
            }
        }
        None if by_lines || is_null(pattern) => {}
        None => {
            let left = Box::new(literal(ANY.to_owned()));
            let right = Box::new(Expr::Nested(Box::new(pattern.clone())));
            let op = BinaryOperator::StringConcat;
            *pattern = Expr::Nested(Box::new(Expr::BinaryOp { left, op, right }));
        }
    }
    Ok(())
}

fn reword_replacement(replacement: &mut Expr) -> Result<()> {
    match text_of(replacement) {
        Some(text) => *replacement = literal(replaced(text)),
        None if is_null(replacement) => {}
        None => {
            return Err(refused(
                "the replacement of regexp_replace is a text in the query here; use replace() for others",
            ));
        }
    }
    Ok(())
}

/// A replacement in Rust's words: `${1}` for `\1`, `${0}` for `\&`, and `$$` for `$`.
fn replaced(text: &str) -> String {
    let mut made = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('$', _) => made.push_str("$$"),
            ('\\', Some(group @ '1'..='9')) => {
                made.push_str(&format!("${{{group}}}"));
                chars.next();
            }
            ('\\', Some('&')) => {
                made.push_str("${0}");
                chars.next();
            }
            ('\\', next) => {
                if next == Some(&'\\') {
                    chars.next();
                }
                made.push('\\');
                // DataFusion would take it for a group with the digit that follows.
                if chars.peek().is_some_and(char::is_ascii_digit) {
                    made.push_str(NO_GROUP);
                }
            }
            (char, _) => made.push(char),
        }
    }
    made
}

/// `(regexp_match(a, 'b'))[1]` for `substring(a FROM 'b')`; `None` where a number says from where.
pub(super) fn part_that_matches(of: &Expr, from: &Expr) -> Option<Expr> {
    text_of(from)?;
    let groups = call("regexp_match", vec![of.clone(), from.clone()]);
    let index = Expr::Value(Value::Number("1".to_owned(), false).into());
    Some(Expr::CompoundFieldAccess {
        root: Box::new(Expr::Nested(Box::new(groups))),
        access_chain: vec![AccessExpr::Subscript(Subscript::Index { index })],
    })
}

fn literal(text: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).into())
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Value(ValueWithSpan { value, .. }) => *value == Value::Null,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_null(inner),
        _ => false,
    }
}

/// The text of a literal, however it is written.
fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value, .. }) => match value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            Value::DollarQuotedString(text) => Some(&text.value),
            _ => None,
        },
        Expr::Nested(inner) => text_of(inner),
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } => {
            let is_text = matches!(data_type.to_string().as_str(), "TEXT" | "VARCHAR");
            is_text.then(|| text_of(expr)).flatten()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;
    use super::*;

    #[test]
    fn points_are_ends_of_lines_too() {
        let of = |text: &str| match statement(&format!("SELECT {text}"), 50) {
            Ok(statement) => statement.to_string(),
            Err(error) => error.to_string(),
        };
        for (asked, expected) in [
            ("a ~ 'b.c'", "a ~ '(?s)b.c'"),
            ("a !~* '^b$'", "a !~* '^b$'"),
            ("a ~ b", "a ~ ('(?s)' || (b))"),
            ("a ~ NULL", "a ~ NULL"),
            ("regexp_like(a, 'b.', 'i')", "regexp_like(a, '(?s)b.', 'i')"),
            ("regexp_like(a, 'b.', 'n')", "regexp_like(a, 'b.', 'n')"),
            ("regexp_replace(a, '.', '$1')", "regexp_replace(a, '(?s).', '$$1')"),
            ("regexp_replace(a, '.\\d', 'b', 'n')", "regexp_replace(a, '.[0-9]', 'b', 'n')"),
            ("substring(a FROM 'b.')", "(regexp_match(a, '(?s)b.'))[1]"),
            ("substring(a FROM 2)", "SUBSTRING(a FROM 2)"),
        ] {
            assert_eq!(of(asked), format!("SELECT {expected}"));
        }
        assert!(of("regexp_replace(a, 'b', c)").contains("use replace()"));
    }

    #[test]
    fn only_backslashes_have_a_meaning_in_replacements() {
        for (written, rust) in [
            ("$1$$", "$$1$$$$"),
            (r"\1\12\&", "${1}${1}2${0}"),
            (r"\\a\q\", r"\a\q\"),
            (r"\\1", r"\${tokenlake_none}1"),
        ] {
            assert_eq!(replaced(written), rust, "{written}");
        }
    }
}
