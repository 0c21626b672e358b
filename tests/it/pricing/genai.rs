//! The built-in table is what its script makes, and prices calls as genai-prices does.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokenlake::event::money::parse_decimal;
use tokenlake::event::time::from_text;
use tokenlake::pricing::{
    Counts, ModelCall, NoPrice, PriceContext, Prices, Table, TokenKind, builtin, import,
};

use super::{output_of, python_with};

/// The package that the table was made from, and the day on which that appeared.
const PACKAGE: &str = "genai-prices 0.2.3 (PyPI, MIT): https://github.com/pydantic/genai-prices";
const TAKEN: &str = "2026-11-10";

/// Providers of the table.
const PROVIDERS: [&str; 11] = [
    "openai",
    "anthropic",
    "google",
    "mistral",
    "deepseek",
    "x-ai",
    "aws",
    "azure",
    "groq",
    "together",
    "cohere",
];

fn made(json: &[u8]) -> Table {
    let import = import(json, "builtin").unwrap();
    for note in &import.notes {
        eprintln!("{note}");
    }
    let taken = from_text(&format!("{TAKEN}T00:00:00Z")).unwrap();
    let name = format!("builtin-{TAKEN}");
    import.table.described(&name, Some(taken), vec![PACKAGE.to_owned()]).unwrap()
}

/// `TOKENLAKE_TEST_WRITE=1` writes the table anew.
#[test]
fn the_built_in_table_is_what_its_script_makes() {
    let Some(python) = python_with("genai_prices") else { return };
    let table = made(&output_of(&python, "data/prices/make.py", &[]));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/prices/builtin.json");
    if std::env::var_os("TOKENLAKE_TEST_WRITE").is_some() {
        std::fs::write(&path, table.to_json()).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap();
    let made = table.to_json();
    let differing = known.lines().zip(made.lines()).find(|(known, made)| known != made);
    assert!(known == made, "{differing:?}");
}

#[test]
fn random_calls_cost_what_genai_prices_says() {
    let Some(python) = python_with("genai_prices") else { return };
    let args: Vec<_> = ["20261110", "6000"].into_iter().chain(PROVIDERS).collect();
    let calls = output_of(&python, "tests/it/pricing/genai_calls.py", &args);
    let prices = Prices::new(vec![Arc::new(builtin().unwrap())]);
    let (mut wrong, mut equal) = (Vec::new(), 0);
    for line in String::from_utf8(calls).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        // Each call is billed for ten seconds at least, which no table can say.
        if case["model"].as_str().unwrap().starts_with("whisper-large-v3") {
            continue;
        }
        match disagreement(&prices, &case) {
            None => equal += usize::from(case["why"].is_null()),
            Some(found) => wrong.push(format!("{found}, but {line}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong, {equal} equal:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
    assert!(equal > 3_000, "{equal}");
}

/// What tokenlake says, if that is not what it should.
fn disagreement(prices: &Prices, case: &Value) -> Option<String> {
    let mut counts = Counts::default();
    for (kind, tokens) in case["tokens"].as_object().unwrap() {
        counts = counts.with(TokenKind::named(kind).unwrap(), tokens.as_i64().unwrap());
    }
    let context = |key: &str| case["context"][key].as_str();
    let call = ModelCall {
        org: "acme",
        provider: case["provider"].as_str(),
        model: case["model"].as_str(),
        ts: from_text(case["at"].as_str().unwrap()).unwrap(),
        counts,
        quantities: &[],
        context: PriceContext {
            service_tier: context("service_tier"),
            speed: context("speed"),
            processing: context("processing"),
            region: None,
        },
    };
    let price = prices.price(&call);
    let as_wanted = match (case["why"].as_str(), &price) {
        (None, Ok(price)) => Ok(price.cost) == parse_decimal(case["cost"].as_str().unwrap()),
        (Some("context"), Err(NoPrice::Context(_))) => true,
        (Some("rate"), Err(NoPrice::NoRate(_) | NoPrice::Unmeasured(_))) => true,
        (Some("none"), _) => true,
        _ => false,
    };
    (!as_wanted).then(|| format!("{price:?}"))
}
