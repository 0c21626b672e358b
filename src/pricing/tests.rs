//! Tests of tables as a whole: which rule prices a call, and at what.

mod golden;
mod precedence;
mod tables;

use std::sync::Arc;

use super::period::instant;
use super::{Counts, ModelCall, NoPrice, Price, PriceContext, Prices, Table, TokenKind};
use crate::event::money::format_decimal;

/// A call of the organisation `acme`.
fn call<'c>(
    provider: &'c str,
    model: &'c str,
    at: &str,
    counts: &[(TokenKind, i64)],
) -> ModelCall<'c> {
    let counts =
        counts.iter().fold(Counts::default(), |all, (kind, count)| all.with(*kind, *count));
    ModelCall {
        org: "acme",
        provider: Some(provider).filter(|provider| !provider.is_empty()),
        model: Some(model),
        ts: instant(at).unwrap(),
        counts,
        quantities: &[],
        context: PriceContext::default(),
    }
}

/// Prices of tables that have these rules, of which each is a line of JSON.
fn prices(tables: &[&[&str]]) -> Prices {
    let table = |(at, rules): (usize, &&[&str])| {
        let json = table_json(&rules.join(","));
        Arc::new(Table::parse(json.as_bytes(), &format!("t{at}")).unwrap())
    };
    Prices::new(tables.iter().enumerate().map(table).collect())
}

fn table_json(rules: &str) -> String {
    format!(r#"{{"format":"tokenlake.prices","version":1,"rules":[{rules}]}}"#)
}

/// The cost in dollars, or the reason.
fn dollars(price: Result<Price<'_>, NoPrice>) -> String {
    match price {
        Ok(price) => format_decimal(price.cost).to_string(),
        Err(reason) => reason.to_string(),
    }
}
