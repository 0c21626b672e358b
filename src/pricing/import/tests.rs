//! Tests of what is read from tables of others, and of what is told of the rest.

use std::sync::Arc;

use super::*;
use crate::event::money::format_decimal;
use crate::pricing::period::instant;
use crate::pricing::{BilledUnit, Counts, ModelCall, PriceContext, Prices, Quantity, TokenKind};

fn imported(json: &str) -> (Prices, Vec<String>) {
    let import = import(json.as_bytes(), "imported").unwrap();
    let json = import.table.to_json();
    let again = super::import(json.as_bytes(), "x").unwrap();
    assert_eq!((again.form, again.table.to_json()), (Form::Tokenlake, json));
    let notes = import.notes.iter().map(Note::to_string).collect();
    (Prices::new(vec![Arc::new(import.table)]), notes)
}

/// The cost of a million input and a million output tokens in dollars, or the reason.
fn cost(
    prices: &Prices,
    provider: &str,
    model: &str,
    at: &str,
    context: PriceContext<'_>,
) -> String {
    let million = 1_000_000;
    cost_of(
        prices,
        (provider, model, at),
        &[(TokenKind::Input, million), (TokenKind::Output, million)],
        context,
    )
}

fn cost_of(
    prices: &Prices,
    (provider, model, at): (&str, &str, &str),
    counts: &[(TokenKind, i64)],
    context: PriceContext<'_>,
) -> String {
    let counts =
        counts.iter().fold(Counts::default(), |all, (kind, count)| all.with(*kind, *count));
    let (provider, model) = (Some(provider), Some(model));
    let ts = instant(at).unwrap();
    let call = ModelCall { org: "acme", provider, model, ts, counts, quantities: &[], context };
    match prices.price(&call) {
        Ok(price) => format_decimal(price.cost).to_string(),
        Err(reason) => reason.to_string(),
    }
}

const NOW: &str = "2026-11-20";

#[test]
fn genai_prices_are_read_with_names_dates_hours_tiers_and_contexts() {
    let (prices, notes) = imported(
        r#"[{"id":"deepseek","name":"DeepSeek","api_pattern":"x","models":[
          {"id":"chat","match":{"or":[{"equals":"chat"},{"starts_with":"chat-v"},{"regex":"^chat-\\d{4}$"}]},
           "prices":[{"prices":{"input_mtok":1,"output_mtok":2}},
             {"constraint":{"start_date":"2026-03-01"},"prices":{"input_mtok":3,"output_mtok":4}},
             {"constraint":{"start_time":"16:30:00Z","end_time":"00:30:00Z"},"prices":{"input_mtok":0.5,"output_mtok":0.25}}]},
          {"id":"pro","match":{"and":[{"starts_with":"pro"},{"regex":"^(?!.*-tts$)"}]},
           "prices":{"input_mtok":{"base":1.25,"tiers":[{"start":200000,"price":2.5}]},"output_mtok":10,"web_searches_kcount":35},
           "price_variants":[
             {"when":{"service_tier":"default"},"prices":{}},
             {"when":{"service_tier":"flex"},"prices":{"output_mtok":5},"constraint":{"start_date":"2026-10-12"}},
             {"when":{"processing":"batch"},"prices":{"input_mtok":0.5},"constraint":{"start_date":"2026-10-14"}},
             {"when":{"processing":"batch"},"prices":{"input_mtok":9,"output_mtok":6},"constraint":{"start_date":"2026-11-01"}}]}]},
         {"id":"azure","fallback_model_providers":["deepseek"],"models":[]}]"#,
    );
    assert_eq!(notes, [""; 0]);
    let at = |at| cost(&prices, "deepseek", "chat", at, PriceContext::default());
    assert_eq!(at("2026-02-28T12:00:00Z"), "3");
    assert_eq!(at("2026-03-01T12:00:00Z"), "7");
    assert_eq!(at("2026-03-01T00:29:59Z"), "0.75");
    assert_eq!(at("2020-03-01T16:30:00Z"), "0.75");
    let model =
        |model| cost(&prices, "deepseek", model, "2026-02-01T12:00:00Z", PriceContext::default());
    assert_eq!([model("chat-v3"), model("chat-0324")], ["3", "3"]);
    assert!(model("chat-03245").starts_with("no rule") && model("pro-tts").starts_with("no rule"));
    let small = [(TokenKind::Input, 200_000), (TokenKind::Output, 1_000)];
    let pro = |context, at| cost_of(&prices, ("azure", "pro-1", at), &small, context);
    assert_eq!(pro(PriceContext::default(), NOW), "0.26");
    let pro = |context, at| cost_of(&prices, ("deepseek", "pro-1", at), &small, context);
    let flex = PriceContext { service_tier: Some("flex"), ..PriceContext::default() };
    assert_eq!(pro(flex, "2026-10-12"), "0.255");
    assert!(pro(flex, "2026-10-11").contains("service_tier"));
    let batch = PriceContext { processing: Some("batch"), ..PriceContext::default() };
    assert_eq!(pro(batch, "2026-10-14"), "0.11");
    // Of two in force, the first has the input's rate, and the second alone has the output's.
    assert_eq!(pro(batch, "2026-11-01"), "0.106");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let json =
        r#"[{"id":"a","models":[{"id":"m","match":{"equals":"m"},"prices":{"input_mtok":1}}]}]"#;
    let import = import(format!("\u{feff}{json}").as_bytes(), "x").unwrap();
    assert_eq!(import.table.rules().len(), 1);
}

#[test]
fn a_price_of_some_hours_takes_the_place_of_the_whole_price() {
    let (prices, notes) = imported(
        r#"[{"id":"deepseek","models":[{"id":"chat","match":{"equals":"chat"},
           "prices":[{"prices":{"input_mtok":1,"cache_read_mtok":0.1,"output_mtok":2}},
             {"constraint":{"start_time":"16:30:00Z","end_time":"00:30:00Z"},"prices":{"input_mtok":0.5,"output_mtok":1}}]}]}]"#,
    );
    assert_eq!(notes, [""; 0]);
    let cached = [(TokenKind::Input, 1_000_000), (TokenKind::CachedInput, 1_000_000)];
    let at = |at| cost_of(&prices, ("deepseek", "chat", at), &cached, PriceContext::default());
    assert_eq!([at("2026-11-20T12:00:00Z"), at("2026-11-20T17:00:00Z")], ["0.1", "0.5"]);
}

#[test]
fn what_genai_prices_says_and_a_rule_cannot_is_told() {
    let (prices, notes) = imported(
        r#"[{"id":"p","models":[
          {"id":"a","match":{"or":[{"equals":"a"},{"regex":"a+"}]},"prices":{"input_mtok":1,"output_citation_mtok":3,"audio_hours":1}},
          {"id":"b","match":{"or":[{"equals":"a"},{"equals":"b"}]},"prices":{}},
          {"id":"c","match":{"equals":"b"},"prices":{"input_mtok":1}},
          {"id":"d","match":{"equals":"d"},"prices":{"input_mtok":0.0000000000014},
           "price_variants":[{"when":{"route":"eu"},"prices":{"input_mtok":1}}]}]}]"#,
    );
    assert_eq!(
        notes,
        [
            "an earlier model has some of its names: p/b, p/c",
            "has no rates, which is read as free of charge: p/b",
            "input_mtok is rounded to 12 places: p/d",
            "no name is left that a rule could have: p/c",
            "no rule says of names: {\"regex\":\"a+\"}: p/a",
            "output_citation_mtok is no price of a rule: p/a",
            "the context route=eu is none that calls tell: p/d",
        ]
    );
    assert_eq!(cost(&prices, "p", "b", NOW, PriceContext::default()), "0");
}

#[test]
fn litellm_s_floats_are_their_shortest_decimals() {
    let (prices, notes) = imported(
        r#"{"sample_spec":{"litellm_provider":"one of","input_cost_per_token":0.0},
          "gpt-x":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":1.25e-06,"output_cost_per_token":1e-05,
            "input_cost_per_token_above_272k_tokens":2.5e-06,"cache_read_input_token_cost":1.0000000000000001e-07,
            "input_cost_per_token_flex":6.25e-07,"input_cost_per_token_above_272k_tokens_flex":1.25e-06,
            "output_cost_per_token_batches":5e-06,"input_cost_per_token_priority":0.000002,
            "cache_creation_input_token_cost_above_1hr":4e-06,"output_cost_per_video_per_second":0.0,"max_tokens":5},
          "gemini/gemini-x":{"litellm_provider":"gemini","input_cost_per_token":1e-06,"output_cost_per_token":1e-06},
          "gemini-x":{"litellm_provider":"vertex_ai-language-models","input_cost_per_token":2e-06,"output_cost_per_token":2e-06},
          "ft:gpt-x":{"litellm_provider":"openai","input_cost_per_token":3e-06,"output_cost_per_token":3e-06}}"#,
    );
    assert_eq!(notes, ["cache_read_input_token_cost is rounded to 12 places: gpt-x"]);
    let plain = PriceContext::default();
    assert_eq!(cost(&prices, "openai", "gpt-x", NOW, plain), "12.5");
    let tier = |tier| PriceContext { service_tier: Some(tier), ..plain };
    let batch = PriceContext { processing: Some("batch"), ..plain };
    let counts = [(TokenKind::Input, 1_000), (TokenKind::Output, 1_000)];
    let small = |context| cost_of(&prices, ("openai", "gpt-x", NOW), &counts, context);
    assert_eq!([small(plain), small(tier("flex"))], ["0.01125", "0.010625"]);
    assert_eq!([small(tier("priority")), small(batch)], ["0.012", "0.00625"]);
    let large = [(TokenKind::Input, 272_001)];
    let large = |context| cost_of(&prices, ("openai", "gpt-x", NOW), &large, context);
    assert_eq!([large(plain), large(tier("flex"))], ["0.6800025", "0.34000125"]);
    // A service tier without a rate for so much input has the standard one; a batch has its own.
    assert_eq!([large(tier("priority")), large(batch)], ["0.6800025", "0.6800025"]);
    let parts = [
        (TokenKind::Input, 30),
        (TokenKind::CachedInput, 10),
        (TokenKind::CacheWrite, 20),
        (TokenKind::CacheWrite1h, 10),
    ];
    // 10 read, 10 written for an hour, 10 for five minutes at the price of input.
    assert_eq!(cost_of(&prices, ("openai", "gpt-x", NOW), &parts, plain), "0.0000535");
    assert_eq!(cost(&prices, "gcp.gemini", "gemini-x", NOW, plain), "2");
    assert_eq!(cost(&prices, "vertex_ai", "gemini-x", NOW, plain), "4");
    assert_eq!(cost(&prices, "openai", "ft:gpt-x:acme::1", NOW, plain), "6");
}

#[test]
fn a_tier_of_litellm_begins_where_its_provider_has_it() {
    let (prices, _) = imported(
        r#"{"xai/grok-x":{"litellm_provider":"xai","input_cost_per_token":1e-06,"output_cost_per_token":1e-06,
            "input_cost_per_token_above_200k_tokens":2e-06},
          "gpt-x":{"litellm_provider":"openai","input_cost_per_token":1e-06,"output_cost_per_token":1e-06,
            "input_cost_per_token_above_200k_tokens":2e-06}}"#,
    );
    for (provider, model, input, expected) in [
        ("xai", "grok-x", 199_999, "0.199999"),
        ("xai", "grok-x", 200_000, "0.4"),
        ("openai", "gpt-x", 200_000, "0.2"),
        ("openai", "gpt-x", 200_001, "0.400002"),
    ] {
        let counts = [(TokenKind::Input, input)];
        let found = cost_of(&prices, (provider, model, NOW), &counts, PriceContext::default());
        assert_eq!(found, expected, "{model} {input}");
    }
}

#[test]
fn what_litellm_says_and_a_rule_cannot_is_told() {
    let (_, notes) = imported(
        r#"{"a":{"litellm_provider":"p","input_cost_per_token":1e-06,"output_cost_per_token_ultrafast":1e-06,
            "provider_specific_entry":{"fast":2.0},"output_cost_per_image_above_5k_tokens":1,"search_context_cost_per_query":{"x":0.0}},
          "b":{"litellm_provider":"p","tiered_pricing":[],"input_cost_per_token":1e-06},
          "c":{"input_cost_per_token":1e-06},
          "p/A":{"litellm_provider":"p","input_cost_per_token":1e-06},
          "d":{"litellm_provider":"p","max_tokens":1},
          "e":{"litellm_provider":"p","input_cost_per_token":1e-06,"output_cost_per_token_above_200k_tokens":1e-06}}"#,
    );
    assert_eq!(
        notes,
        [
            "another model of the provider has this name: p/A",
            "has no provider: c",
            "has no rates: d",
            "output has a rate in a tier and none below: e",
            "output_cost_per_image_above_5k_tokens is no price of a rule: a",
            "output_cost_per_token_ultrafast is no price of a rule: a",
            "provider_specific_entry is no price of a rule: a",
            "tiered_pricing is no price of a rule, so that the model has none: b",
        ]
    );
}

#[test]
fn a_file_without_a_rule_or_with_a_wrong_price_is_refused() {
    let error = |json: &str| import(json.as_bytes(), "t").unwrap_err().to_string();
    for empty in ["[]", "{}", r#"[{"id":"p","models":[]}]"#, r#"{"a":{"litellm_provider":"p"}}"#] {
        assert_eq!(error(empty), "it has no rule", "{empty}");
    }
    let genai = |price: &str| {
        error(&format!(
            r#"[{{"id":"p","models":[{{"id":"m","match":{{"equals":"m"}},"prices":{{"input_mtok":{price}}}}}]}}]"#
        ))
    };
    assert_eq!(genai("-1"), "p/m: input_mtok: -1 is negative");
    assert!(genai(r#"{"base":1,"tiers":[{"start":1,"price":-2}]}"#).ends_with("-2 is negative"));
    assert!(genai(r#"{"base":1,"steps":[]}"#).contains("unknown field `steps`"));
    let litellm = r#"{"a":{"litellm_provider":"p","input_cost_per_token":-1e-06}}"#;
    assert_eq!(error(litellm), "a: input_cost_per_token: -1e-06 is negative");
    for other in [r#"{"a":1}"#, r#"{"models":[]}"#, "5", "", "not", "[1]", r#"{"a":{"b":1}}"#] {
        assert!(error(other).starts_with("it is no table of prices: "), "{other}");
    }
}

#[test]
fn litellm_s_units_are_priced_by_what_the_model_does() {
    let (prices, notes) = imported(
        r#"{"speech":{"litellm_provider":"p","mode":"audio_transcription","input_cost_per_second":0.0001},
          "rerank":{"litellm_provider":"p","mode":"rerank","input_cost_per_query":0.002,"input_cost_per_token":0.0},
          "tts":{"litellm_provider":"p","mode":"audio_speech","input_cost_per_character":1.5e-05},
          "film":{"litellm_provider":"p","mode":"video_generation","input_cost_per_second":0.1,"output_cost_per_token":1e-06}}"#,
    );
    assert_eq!(notes, ["input_cost_per_second is no price of a rule: film"]);
    let cost = |model, unit, quantity| {
        let quantities = [(unit, Quantity::parse(quantity).unwrap())];
        let (provider, model) = (Some("p"), Some(model));
        let (counts, context) = (Counts::default(), PriceContext::default());
        let ts = instant(NOW).unwrap();
        let call = ModelCall {
            org: "acme",
            provider,
            model,
            ts,
            counts,
            quantities: &quantities,
            context,
        };
        format_decimal(prices.price(&call).unwrap().cost).to_string()
    };
    assert_eq!(cost("speech", BilledUnit::AudioSeconds, "12.5"), "0.00125");
    assert_eq!(cost("rerank", BilledUnit::RerankSearches, "3"), "0.006");
    assert_eq!(cost("tts", BilledUnit::Characters, "1000"), "0.015");
}
