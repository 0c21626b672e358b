//! Calls whose cost by public list prices was summed by hand.

use super::super::{Pricer, builtin};
use super::*;

fn builtin_prices() -> Prices {
    Prices::new(vec![Arc::new(builtin().unwrap())])
}

const NOW: &str = "2026-11-20T12:00:00Z";

/// Input and output.
fn io(input: i64, output: i64) -> [(Kind, i64); 2] {
    [(Kind::Input, input), (Kind::Output, output)]
}

#[test]
fn the_table_holds_the_usual_models_and_says_when_it_was_taken() {
    let table = builtin().unwrap();
    assert!(table.rules().len() > 500, "{}", table.rules().len());
    assert!(table.taken().is_some_and(|taken| taken >= instant("2026-11-01").unwrap()));
    assert_eq!(Table::parse(table.to_json().as_bytes(), "x").unwrap().to_json(), table.to_json());
    // A rule's name fits the column that tells it.
    let longest = table.rules().iter().map(|rule| rule.id().len()).max().unwrap();
    assert!("price:#".len() + table.name().len() + longest <= 256);
}

#[test]
fn calls_cost_what_their_providers_list() {
    let prices = builtin_prices();
    let cached = |input, cached, output| {
        [(Kind::Input, input), (Kind::CachedInput, cached), (Kind::Output, output)]
    };
    let bedrock = |region| format!("{region}.anthropic.claude-sonnet-4-5-20250929-v1:0");
    let (us, global) = (bedrock("us"), bedrock("global"));
    let grok = "grok-4.3";
    let cases: [(&str, &str, &str, &[(Kind, i64)], &str); 18] = [
        ("openai", "gpt-4o-mini-2024-07-18", NOW, &cached(13, 4, 9), "0.00000705"),
        ("gcp.gemini", "gemini-2.5-pro", NOW, &io(200_000, 1_000), "0.26"),
        ("vertex_ai", "publishers/google/models/gemini-2.5-pro", NOW, &io(200_001, 1_000), "0.5150025"),
        ("openai", "o3", "2025-06-09T23:59:59Z", &io(1_000, 1_000), "0.05"),
        ("openai", "O3", "2025-06-10T00:00:00Z", &io(1_000, 1_000), "0.01"),
        ("openai", "gpt-5.5", NOW, &io(272_000, 1_000), "1.39"),
        ("openai", "gpt-5.5", NOW, &io(272_001, 1_000), "2.76501"),
        ("openai", "gpt-5.5", NOW, &cached(272_001, 272_000, 1_000), "0.31701"),
        ("aws.bedrock", &us, NOW, &io(1_000, 10), "0.003465"),
        ("bedrock", &global, NOW, &io(1_000, 10), "0.00315"),
        ("deepseek", "deepseek-reasoner", "2025-03-01T16:29:59Z", &io(1_000, 10), "0.0005719"),
        ("deepseek", "deepseek-reasoner", "2025-03-01T16:30:00Z", &io(1_000, 10), "0.0001405"),
        ("xai", grok, NOW, &io(199_999, 10), "0.25002375"),
        ("x_ai", grok, NOW, &io(200_000, 10), "0.50005"),
        ("openai", "text-embedding-3-small", NOW, &io(5, 0), "0.0000001"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", NOW, &io(1_000, 10), "0.000312"),
        ("openai", "my-finetune", NOW, &io(1, 1), &NoPrice::NoRule.to_string()),
        ("", "openai/gpt-5.5", NOW, &io(1_000, 10), "0.0053"),
    ];
    let mut pricer = Pricer::new(&prices);
    for (provider, model, at, counts, cost) in cases {
        let call = call(provider, model, at, counts);
        assert_eq!(dollars(prices.price(&call)), cost, "{model} {at} {counts:?}");
        assert_eq!(dollars(pricer.price(&call)), cost, "{model}, remembered by nobody");
        assert_eq!(dollars(pricer.price(&call)), cost, "{model}, remembered");
    }
}

#[test]
fn parts_of_input_and_output_have_their_own_rates() {
    let prices = builtin_prices();
    let sonnet = [
        (Kind::Input, 4_312),
        (Kind::CachedInput, 4_000),
        (Kind::CacheWrite, 300),
        (Kind::CacheWrite1h, 200),
        (Kind::Output, 57),
    ];
    let claude = call("anthropic", "claude-sonnet-4-5-20250929", NOW, &sonnet);
    assert_eq!(dollars(prices.price(&claude)), "0.003666");
    let gemini = [
        (Kind::Input, 900),
        (Kind::CachedInput, 600),
        (Kind::Output, 50),
        (Kind::Reasoning, 30),
    ];
    let gemini = call("gemini", "models/gemini-2.5-pro", NOW, &gemini);
    assert_eq!(dollars(prices.price(&gemini)), "0.00095");
    let audio = [
        (Kind::Input, 1_000),
        (Kind::InputAudio, 400),
        (Kind::Output, 100),
        (Kind::OutputAudio, 60),
    ];
    assert_eq!(dollars(prices.price(&call("openai", "gpt-realtime", NOW, &audio))), "0.01968");
    let impossible = [(Kind::Input, 10), (Kind::CachedInput, 11)];
    let impossible = prices.price(&call("openai", "none", NOW, &impossible));
    assert!(impossible.unwrap_err().is_impossible());
}

#[test]
fn a_tier_that_nobody_knows_has_no_price() {
    let prices = builtin_prices();
    let counts = [(Kind::Input, 5_000), (Kind::CachedInput, 4_200), (Kind::Output, 80)];
    let gpt = call("openai", "gpt-5.5", NOW, &counts);
    let tier = |tier| Context { service_tier: Some(tier), ..Context::default() };
    let batch = Context { processing: Some("batch"), ..Context::default() };
    let unknown = "the rule does not know this service_tier at this time";
    let cases = [
        (Context::default(), "0.0085"),
        (tier("default"), "0.0085"),
        (tier("auto"), "0.0085"),
        (tier("priority"), "0.02125"),
        (tier("Flex"), "0.00425"),
        (batch, "0.00425"),
        (Context { service_tier: Some("default"), ..batch }, "0.00425"),
        (tier("scale"), unknown),
        (Context { processing: Some("batch"), ..tier("flex") }, unknown),
    ];
    for (context, cost) in cases {
        let price = prices.price(&Call { context, ..gpt });
        assert_eq!(dollars(price), cost, "{context:?}");
    }
    // Before the tiers were known.
    let ts = instant("2026-10-11").unwrap();
    let price = prices.price(&Call { context: tier("flex"), ts, ..gpt });
    assert_eq!(dollars(price), unknown);
    let opus = [
        (Kind::Input, 1_000),
        (Kind::CachedInput, 200),
        (Kind::CacheWrite, 100),
        (Kind::Output, 10),
    ];
    let opus = call("anthropic", "claude-opus-5", NOW, &opus);
    assert_eq!(dollars(prices.price(&Call { context: batch, ..opus })), "0.0022375");
    assert_eq!(dollars(prices.price(&Call { context: tier("batch"), ..opus })), "0.0022375");
    let fast = Context { speed: Some("fast"), ..Context::default() };
    let opus = call("anthropic", "claude-opus-5", NOW, &[(Kind::Input, 1_000), (Kind::Output, 10)]);
    assert_eq!(dollars(prices.price(&Call { context: fast, ..opus })), "0.0105");
}

#[test]
fn who_sells_the_models_of_another_has_their_standard_price_alone() {
    let prices = builtin_prices();
    let azure = call("azure.ai.openai", "azure/gpt-5.5", NOW, &io(1_000, 10));
    let price = prices.price(&azure).unwrap();
    assert_eq!((price.cost, price.rule), (5_300_000_000, "openai/gpt-5.5"));
    assert_eq!(price.source().to_string(), format!("price:{}#openai/gpt-5.5", price.table));
    let context = Context { service_tier: Some("flex"), ..Context::default() };
    let flex = prices.price(&Call { context, ..azure });
    assert_eq!(flex, Err(NoPrice::Context(super::super::ContextKey::ServiceTier)));
    // What it sells itself has a rule of its own.
    let own = call("azure", "o1", NOW, &io(1_000, 10));
    assert_eq!(prices.price(&own).unwrap().rule, "azure/o1");
    let vertex = call("vertex_ai", "claude-sonnet-4-5@20250929", NOW, &io(1_000, 10));
    assert!(prices.price(&vertex).unwrap().rule.starts_with("google/"));
}
