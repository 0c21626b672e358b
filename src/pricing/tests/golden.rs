//! Calls whose cost by public list prices was summed by hand.

use super::super::{Pricer, builtin};
use super::*;

fn builtin_prices() -> Prices {
    Prices::new(vec![Arc::new(builtin().unwrap())])
}

const NOW: &str = "2026-11-20T12:00:00Z";

/// Input and output.
fn io(input: i64, output: i64) -> [(TokenKind, i64); 2] {
    [(TokenKind::Input, input), (TokenKind::Output, output)]
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

/// Provider, model, time, tokens, and dollars or the reason.
type Case<'c> = (&'c str, &'c str, &'c str, &'c [(TokenKind, i64)], &'c str);

#[test]
fn calls_cost_what_their_providers_list() {
    let prices = builtin_prices();
    let cached = |input, cached, output| {
        [(TokenKind::Input, input), (TokenKind::CachedInput, cached), (TokenKind::Output, output)]
    };
    let bedrock = |region| format!("{region}.anthropic.claude-sonnet-4-5-20250929-v1:0");
    let (us, global) = (bedrock("us"), bedrock("global"));
    let grok = "grok-4.3";
    let cases: [Case<'_>; 20] = [
        // What ends as another model's name once its own end is taken off is not that model.
        ("aws.bedrock", "amazon.titan-embed-text-v2:0", NOW, &io(1_000_000, 0), "0.02"),
        ("bedrock", "amazon.titan-embed-text-v1", NOW, &io(1_000_000, 0), "0.1"),
        ("openai", "gpt-4o-mini-2024-07-18", NOW, &cached(13, 4, 9), "0.00000705"),
        ("gcp.gemini", "gemini-2.5-pro", NOW, &io(200_000, 1_000), "0.26"),
        (
            "vertex_ai",
            "publishers/google/models/gemini-2.5-pro",
            NOW,
            &io(200_001, 1_000),
            "0.5150025",
        ),
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
fn each_provider_s_prices_are_there() {
    let prices = builtin_prices();
    // 10,000 tokens in and 1,000 out, by the rates for a million that the provider lists.
    let cases = [
        ("openai", "gpt-4o", "0.035"),                       // 2.50, 10
        ("anthropic", "claude-haiku-4-5-20251001", "0.015"), // 1, 5
        ("gemini", "gemini-2.0-flash", "0.0014"),            // 0.10, 0.40
        ("vertex_ai", "claude-haiku-4-5@20251001", "0.015"), // 1, 5
        ("mistral_ai", "codestral-2508", "0.0039"),          // 0.30, 0.90
        ("deepseek", "deepseek-chat", "0.0038"),             // 0.27, 1.10 by day
        ("xai", "grok-3-mini", "0.0035"),                    // 0.30, 0.50
        ("bedrock", "amazon.nova-pro-v1:0", "0.0112"),       // 0.80, 3.20
        ("bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "0.0165"), // 1.10, 5.50
        ("azure_ai", "azure_ai/phi-4", "0.00175"),           // 0.125, 0.50
        ("groq", "groq/llama-3.3-70b-versatile", "0.00669"), // 0.59, 0.79
        ("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "0.00968"), // 0.88, 0.88
        ("cohere_chat", "command-r-plus", "0.035"),          // 2.50, 10
    ];
    for (provider, model, cost) in cases {
        let call = call(provider, model, NOW, &io(10_000, 1_000));
        assert_eq!(dollars(prices.price(&call)), cost, "{provider} {model}");
    }
}

#[test]
fn parts_of_input_and_output_have_their_own_rates() {
    let prices = builtin_prices();
    let sonnet = [
        (TokenKind::Input, 4_312),
        (TokenKind::CachedInput, 4_000),
        (TokenKind::CacheWrite, 300),
        (TokenKind::CacheWrite1h, 200),
        (TokenKind::Output, 57),
    ];
    let claude = call("anthropic", "claude-sonnet-4-5-20250929", NOW, &sonnet);
    assert_eq!(dollars(prices.price(&claude)), "0.003666");
    let gemini = [
        (TokenKind::Input, 900),
        (TokenKind::CachedInput, 600),
        (TokenKind::Output, 50),
        (TokenKind::Reasoning, 30),
    ];
    let gemini = call("gemini", "models/gemini-2.5-pro", NOW, &gemini);
    assert_eq!(dollars(prices.price(&gemini)), "0.00095");
    let audio = [
        (TokenKind::Input, 1_000),
        (TokenKind::InputAudio, 400),
        (TokenKind::Output, 100),
        (TokenKind::OutputAudio, 60),
    ];
    assert_eq!(dollars(prices.price(&call("openai", "gpt-realtime", NOW, &audio))), "0.01968");
    let impossible = [(TokenKind::Input, 10), (TokenKind::CachedInput, 11)];
    let impossible = prices.price(&call("openai", "none", NOW, &impossible));
    assert!(impossible.unwrap_err().is_impossible());
}

#[test]
fn a_tier_that_nobody_knows_has_no_price() {
    let prices = builtin_prices();
    let counts =
        [(TokenKind::Input, 5_000), (TokenKind::CachedInput, 4_200), (TokenKind::Output, 80)];
    let gpt = call("openai", "gpt-5.5", NOW, &counts);
    let tier = |tier| PriceContext { service_tier: Some(tier), ..PriceContext::default() };
    let batch = PriceContext { processing: Some("batch"), ..PriceContext::default() };
    let unknown = "the rule does not know this service_tier at this time";
    let cases = [
        (PriceContext::default(), "0.0085"),
        (tier("default"), "0.0085"),
        (tier("auto"), "0.0085"),
        (tier("priority"), "0.02125"),
        (tier("Flex"), "0.00425"),
        (batch, "0.00425"),
        (PriceContext { service_tier: Some("default"), ..batch }, "0.00425"),
        (tier("scale"), unknown),
        (PriceContext { processing: Some("batch"), ..tier("flex") }, unknown),
    ];
    for (context, cost) in cases {
        let price = prices.price(&ModelCall { context, ..gpt });
        assert_eq!(dollars(price), cost, "{context:?}");
    }
    // Before the tiers were known.
    let ts = instant("2026-10-11").unwrap();
    let price = prices.price(&ModelCall { context: tier("flex"), ts, ..gpt });
    assert_eq!(dollars(price), unknown);
    let opus = [
        (TokenKind::Input, 1_000),
        (TokenKind::CachedInput, 200),
        (TokenKind::CacheWrite, 100),
        (TokenKind::Output, 10),
    ];
    let opus = call("anthropic", "claude-opus-5", NOW, &opus);
    assert_eq!(dollars(prices.price(&ModelCall { context: batch, ..opus })), "0.0022375");
    assert_eq!(dollars(prices.price(&ModelCall { context: tier("batch"), ..opus })), "0.0022375");
    let fast = PriceContext { speed: Some("fast"), ..PriceContext::default() };
    let opus = call(
        "anthropic",
        "claude-opus-5",
        NOW,
        &[(TokenKind::Input, 1_000), (TokenKind::Output, 10)],
    );
    assert_eq!(dollars(prices.price(&ModelCall { context: fast, ..opus })), "0.0105");
}

#[test]
fn who_sells_the_models_of_another_has_their_standard_price_alone() {
    let prices = builtin_prices();
    let azure = call("azure.ai.openai", "azure/gpt-5.5", NOW, &io(1_000, 10));
    let price = prices.price(&azure).unwrap();
    assert_eq!((price.cost, price.rule), (5_300_000_000, "openai/gpt-5.5"));
    assert_eq!(price.source, format!("price:{}#openai/gpt-5.5", price.table));
    let context = PriceContext { service_tier: Some("flex"), ..PriceContext::default() };
    let flex = prices.price(&ModelCall { context, ..azure });
    assert_eq!(flex, Err(NoPrice::Context(super::super::ContextKey::ServiceTier)));
    // What it sells itself has a rule of its own.
    let own = call("azure", "o1", NOW, &io(1_000, 10));
    assert_eq!(prices.price(&own).unwrap().rule, "azure/o1");
    let vertex = call("vertex_ai", "claude-sonnet-4-5@20250929", NOW, &io(1_000, 10));
    assert!(prices.price(&vertex).unwrap().rule.starts_with("google/"));
}
