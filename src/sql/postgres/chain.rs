//! A limit on chains of operators, such as `1 + 1 + 1 …`.
//!
//! The parser limits the nesting of a query, but it reads a chain in a loop. The tree is as deep
//! all the same, and code that walks it needs stack and time for each level.

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::dialect::Postgres;
use super::refusal::refused;

/// Consecutive operators on one level of parentheses.
const OPERATORS_MAX: usize = 10_000;
/// Consecutive casts, time zones and subscripts.
const WRAPS_MAX: usize = 100;

/// Checks that no chain in a query is too long to be planned.
///
/// # Errors
/// A chain that is too long. Errors of the tokenizer are left to the parser.
pub(super) fn bounded(text: &str) -> Result<()> {
    let Ok(tokens) = Tokenizer::new(&Postgres, text).tokenize() else { return Ok(()) };
    let mut levels = vec![0_usize];
    for token in tokens {
        match token {
            Token::LParen | Token::LBracket => levels.push(0),
            Token::RParen | Token::RBracket => {
                levels.pop();
            }
            token if links(&token) => {
                let Some(level) = levels.last_mut() else { continue };
                *level += 1;
                if *level > OPERATORS_MAX {
                    let message = "more than 10,000 operators in a row; shorten the query";
                    return Err(refused(message));
                }
            }
            Token::Comma | Token::SemiColon => {
                if let Some(level) = levels.last_mut() {
                    *level = 0;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that casts of casts and time zones of time zones are not too many: each is a function
/// around all the others.
///
/// # Errors
/// If they are too many.
pub(super) fn bounded_wraps(expr: &Expr) -> Result<()> {
    let (mut inner, mut wraps) = (expr, 0);
    loop {
        inner = match inner {
            Expr::Cast { expr, .. } | Expr::AtTimeZone { timestamp: expr, .. } => expr,
            Expr::CompoundFieldAccess { root, access_chain } => {
                wraps += access_chain.len().saturating_sub(1);
                root
            }
            Expr::Nested(expr) => {
                inner = expr;
                continue;
            }
            _ => return Ok(()),
        };
        wraps += 1;
        if wraps > WRAPS_MAX {
            return Err(refused("more than 100 casts in a row; shorten the query"));
        }
    }
}

/// True if the token makes a chain longer.
fn links(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::IS
                | Keyword::AT
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::JOIN
        ),
        Token::Number(..)
        | Token::Whitespace(_)
        | Token::SingleQuotedString(_)
        | Token::EOF
        | Token::Period
        | Token::Comma
        | Token::SemiColon => false,
        other => other.to_string().bytes().all(|byte| byte.is_ascii_punctuation()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_chain_that_is_too_long_is_refused() {
        let long = OPERATORS_MAX + 1;
        for link in ["1 + ", "true OR ", "1 = ", "SELECT 1 UNION ALL ", "x::int * "] {
            let error = bounded(&format!("SELECT {}1", link.repeat(long))).unwrap_err().to_string();
            assert!(error.contains("10,000"), "{link}: {error}");
            bounded(&format!("SELECT {}1", link.repeat(100))).unwrap();
        }
        // Neither lists nor calls are chains.
        bounded(&format!("SELECT {}1", "1 + 1, ".repeat(long))).unwrap();
        bounded(&format!("SELECT {}1", "(1 + 1), ".repeat(long))).unwrap();
        bounded("SELECT ')' || ((").unwrap();
    }

    #[test]
    fn only_casts_that_are_too_many_are_refused() {
        for wrap in ["::text", " AT TIME ZONE 'UTC'", "[1]", "::int[]"] {
            let read = |count: usize| {
                let text = format!("SELECT a{} || b::int", wrap.repeat(count));
                super::super::syntax::statement(&text, 50)
            };
            read(WRAPS_MAX).unwrap();
            let error = read(WRAPS_MAX + 2).unwrap_err().to_string();
            assert!(error.contains("more than 100 casts"), "{wrap}: {error}");
        }
    }
}
