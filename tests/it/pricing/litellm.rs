//! LiteLLM's table prices calls as LiteLLM does.

use std::sync::Arc;

use serde_json::Value;
use tokenlake::event::money::parse_decimal;
use tokenlake::event::time::from_text;
use tokenlake::pricing::{Counts, Form, ModelCall, PriceContext, Prices, TokenKind, import};

use super::{output_of, python_with};

/// A float of LiteLLM is off by no more than one part in this.
const PRECISION: i128 = 10_000_000_000;

#[test]
fn random_calls_cost_what_litellm_says() {
    let Some(python) = python_with("litellm") else { return };
    let written = output_of(&python, "tests/it/pricing/litellm_calls.py", &["20261110", "500"]);
    let written = String::from_utf8(written).unwrap();
    let mut lines = written.lines();
    let import = import(&std::fs::read(lines.next().unwrap()).unwrap(), "litellm").unwrap();
    assert_eq!(import.form, Form::Litellm);
    let prices = Prices::new(vec![Arc::new(import.table)]);
    let (mut wrong, mut equal) = (Vec::new(), 0);
    for line in lines {
        let case: Value = serde_json::from_str(line).unwrap();
        match disagreement(&prices, &case) {
            None => equal += 1,
            Some(found) => wrong.push(format!("{found}, but {line}")),
        }
    }
    let shown = wrong[..wrong.len().min(40)].join("\n");
    assert!(wrong.is_empty(), "{} wrong, {equal} equal:\n{shown}", wrong.len());
    assert!(equal > 490, "{equal}");
}

/// What tokenlake says, if it is not near.
fn disagreement(prices: &Prices, case: &Value) -> Option<String> {
    let mut counts = Counts::default();
    for (kind, tokens) in case["tokens"].as_object().unwrap() {
        counts = counts.with(TokenKind::named(kind).unwrap(), tokens.as_i64().unwrap());
    }
    let call = ModelCall {
        org: "acme",
        provider: case["provider"].as_str(),
        model: case["model"].as_str(),
        ts: from_text("2026-11-20T00:00:00Z").unwrap(),
        counts,
        quantities: &[],
        context: PriceContext { service_tier: case["tier"].as_str(), ..PriceContext::default() },
    };
    let price = prices.price(&call);
    let wanted = parse_decimal(case["cost"].as_str().unwrap()).unwrap();
    let near = price.is_ok_and(|price| (price.cost - wanted).abs() <= wanted / PRECISION + 1);
    (!near).then(|| format!("{price:?}"))
}
