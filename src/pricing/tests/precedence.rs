//! Which rule decides.

use proptest::prelude::*;

use super::super::{BilledUnit, Pricer, Quantity};
use super::*;

const NOW: &str = "2026-01-02";

/// A rule whose rate tells it: so many dollars for a million input tokens.
fn rule(id: &str, rate: u32, rest: &str) -> String {
    format!(r#"{{"id":"{id}","rates":{{"input":"{rate}"}},{rest}}}"#)
}

/// The name of the rule that decides; `-` if none does.
fn decides(prices: &Prices, provider: &str, model: &str) -> String {
    let call = call(provider, model, NOW, &[(TokenKind::Input, 1)]);
    let price = prices.price(&call);
    assert_eq!(Pricer::new(prices).price(&call), price);
    price.map_or("-".to_owned(), |price| price.rule.to_owned())
}

#[test]
fn exact_is_before_alias_before_the_longest_affix_before_patterns() {
    let rules = [
        rule("pattern", 1, r#""provider":"openai","patterns":["*4o*"]"#),
        rule("short", 1, r#""provider":"openai","prefixes":["gpt-"]"#),
        rule("long", 1, r#""provider":"openai","prefixes":["gpt-4o"],"except":["*-tts"]"#),
        rule("suffix", 1, r#""provider":"openai","suffixes":["-4o-preview"]"#),
        rule("alias", 1, r#""provider":"openai","model":"x","aliases":["gpt-4o","GPT-4o-2024"]"#),
        rule("exact", 1, r#""provider":"openai","model":"gpt-4o""#),
    ];
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let mut reversed = rules.clone();
    reversed.reverse();
    for rules in [rules, reversed] {
        let prices = prices(&[&rules]);
        let cases = [
            ("gpt-4o", "exact"),
            ("GPT-4O", "exact"),
            ("openai/gpt-4o", "exact"),
            ("gpt-4o-2024", "alias"),
            ("gpt-4o-mini", "long"),
            // Its end is longer than its beginning.
            ("gpt-4o-4o-preview", "suffix"),
            ("gpt-4o-tts", "short"),
            ("gpt-5", "short"),
            ("chat4o-x", "pattern"),
            ("o1", "-"),
        ];
        for (model, id) in cases {
            assert_eq!(decides(&prices, "openai", model), id, "{model}");
        }
        assert_eq!(decides(&prices, "groq", "gpt-4o"), "-");
    }
}

#[test]
fn a_tuned_model_is_never_its_base_model() {
    let rules = [
        rule("base", 1, r#""model":"gpt-4o","prefixes":["gpt-4o","davinci"],"suffixes":["4o"]"#),
        rule("contains", 1, r#""patterns":["*gpt-4o*"]"#),
    ];
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let base = prices(&[&rules]);
    let tuned =
        ["ft:gpt-4o", "ft:gpt-4o:acme", "gpt-4o.ft-1", "davinci:ft-acme", "openai/ft:gpt-4o"];
    for model in tuned {
        assert_eq!(decides(&base, "openai", model), "-", "{model}");
    }
    let own = rule("own", 1, r#""prefixes":["ft:gpt-4o:"],"aliases":["davinci:ft-acme"]"#);
    let all = rule("all", 1, r#""patterns":["*"]"#);
    let own = prices(&[&[&own, &all], &rules]);
    let found: Vec<_> = tuned.iter().map(|model| decides(&own, "openai", model)).collect();
    assert_eq!(found, ["all", "own", "all", "own", "all"]);
}

#[test]
fn an_organisation_s_rules_are_before_tables_in_order() {
    let first = rule("first", 1, r#""provider":"openai","patterns":["*"]"#);
    let exact = rule("exact", 1, r#""provider":"openai","model":"gpt-4o""#);
    let acme = rule("acme", 1, r#""org":"acme","prefixes":["gpt"]"#);
    let other = rule("other", 1, r#""org":"other","model":"gpt-4o""#);
    assert_eq!(decides(&prices(&[&[&first], &[&exact]]), "openai", "gpt-4o"), "first");
    assert_eq!(decides(&prices(&[&[&first], &[&exact, &acme]]), "openai", "gpt-4o"), "acme");
    assert_eq!(decides(&prices(&[&[&other], &[&exact]]), "openai", "gpt-4o"), "exact");
    assert_eq!(decides(&prices(&[]), "openai", "gpt-4o"), "-");
}

#[test]
fn a_rule_of_the_door_is_before_one_of_the_provider_before_one_of_anybody() {
    let rules = [
        rule("any", 1, r#""model":"gemini""#),
        rule("vertex", 1, r#""provider":"vertex_ai","model":"gemini""#),
        rule("gemini", 1, r#""provider":"gemini","model":"gemini""#),
    ];
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let prices = prices(&[&rules]);
    let cases =
        [("gcp.gemini", "gemini"), ("gcp.vertex_ai", "vertex"), ("google", "vertex"), ("x", "any")];
    for (provider, id) in cases {
        assert_eq!(decides(&prices, provider, "gemini"), id, "{provider}");
    }
    assert_eq!(decides(&prices, "", "gemini"), "any");
}

#[test]
fn a_rule_that_is_not_in_force_is_passed_over_and_one_that_is_decides() {
    let old = rule("old", 1, r#""model":"m","until":"2025-06-10""#);
    let new = rule("new", 1, r#""model":"m","from":"2026-02-01T10:00:00+01:00""#);
    let always = rule("always", 1, r#""prefixes":["m"]"#);
    let prices = prices(&[&[&old, &new, &always]]);
    let at = |at: &str| {
        let call = call("p", "m", at, &[(TokenKind::Input, 1)]);
        prices.price(&call).unwrap().rule.to_owned()
    };
    assert_eq!(at("2025-06-09T23:59:59.999999Z"), "old");
    assert_eq!(at("2025-06-10"), "always");
    assert_eq!(at("2026-02-01T08:59:59Z"), "always");
    assert_eq!(at("2026-02-01T09:00:00Z"), "new");
    assert_eq!(prices.rules("acme", None, "m").len(), 3);
    // What it does not know is not asked of another.
    let output = call("p", "m", NOW, &[(TokenKind::Output, 1)]);
    assert_eq!(prices.price(&output), Err(NoPrice::NoRate(TokenKind::Output)));
}

#[test]
fn variants_are_chosen_by_region_time_and_day() {
    let rule = r#"{"id":"r","model":"m","rates":{"input":"10","output":"20"},"variants":[
        {"when":{"region":"eu"},"rates":{"input":"11"}},
        {"when":{"region":"us","processing":"batch"},"rates":{"input":"5"}},
        {"weekdays":["sat","sun"],"rates":{"input":"7"}},
        {"hours":{"from":"22:00","until":"06:00"},"from":"2026-01-01","rates":{"input":"8"}},
        {"when":{"service_tier":"on_demand"}}]}"#;
    let prices = prices(&[&[rule]]);
    let both = [(TokenKind::Input, 1_000_000), (TokenKind::Output, 1_000_000)];
    let cost =
        |at, context| dollars(prices.price(&ModelCall { context, ..call("p", "m", at, &both) }));
    let plain = PriceContext::default();
    // A Friday.
    assert_eq!(cost("2026-01-02T12:00:00Z", plain), "30");
    assert_eq!(cost("2026-01-02T22:00:00Z", plain), "28");
    assert_eq!(cost("2026-01-02T05:59:59Z", plain), "28");
    assert_eq!(cost("2026-01-02T06:00:00Z", plain), "30");
    assert_eq!(cost("2025-12-30T23:00:00Z", plain), "30");
    // The first that applies.
    assert_eq!(cost("2026-01-03T23:00:00Z", plain), "27");
    let region = |region| PriceContext { region: Some(region), ..plain };
    assert_eq!(cost("2026-01-02T12:00:00Z", region("EU")), "31");
    let unknown = "the rule does not know this region at this time";
    assert_eq!(cost("2026-01-02T12:00:00Z", region("us")), unknown);
    let batch = PriceContext { processing: Some("batch"), ..region("us") };
    assert_eq!(cost("2026-01-02T12:00:00Z", batch), "25");
    let on_demand = PriceContext { service_tier: Some("ON_DEMAND"), ..plain };
    assert_eq!(cost("2026-01-02T12:00:00Z", on_demand), "30");
    // A rule that tells no regions apart is not asked for them.
    let plain_rule = super::prices(&[&[r#"{"id":"r","model":"m","rates":{"input":"10"}}"#]]);
    let call = call("p", "m", NOW, &[(TokenKind::Input, 1)]);
    assert!(plain_rule.price(&ModelCall { context: region("us"), ..call }).is_ok());
}

#[test]
fn units_need_a_price_of_the_rule() {
    let rule = r#"{"id":"r","model":"m","rates":{"input":"10"},"units":{"web_searches":{"usd":"10","per":1000}}}"#;
    let prices = prices(&[&[rule]]);
    let quantities = [(BilledUnit::WebSearches, Quantity::whole(2))];
    let call = call("p", "m", NOW, &[(TokenKind::Input, 1_000)]);
    assert_eq!(dollars(prices.price(&ModelCall { quantities: &quantities, ..call })), "0.03");
    let quantities = [(BilledUnit::CodeExecutions, Quantity::whole(2))];
    let price = prices.price(&ModelCall { quantities: &quantities, ..call });
    assert_eq!(price, Err(NoPrice::NoUnitRate(BilledUnit::CodeExecutions)));
}

#[test]
fn what_is_remembered_of_one_call_is_not_taken_for_another() {
    let rules = [
        rule("one", 1, r#""provider":"a","model":"b/c""#),
        rule("two", 2, r#""provider":"a/b","model":"c""#),
        rule("acme", 3, r#""org":"acme","provider":"a","model":"x""#),
    ];
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let prices = prices(&[&rules]);
    let mut pricer = Pricer::new(&prices);
    for _ in 0..2 {
        for (org, provider, model, found) in [
            ("acme", "a", "b/c", "one"),
            ("acme", "a/b", "c", "two"),
            ("acme", "a", "x", "acme"),
            ("o", "a", "x", "-"),
        ] {
            let call = ModelCall { org, ..call(provider, model, NOW, &[(TokenKind::Input, 1)]) };
            let rule = pricer.price(&call).map_or("-", |price| price.rule);
            assert_eq!(rule, found, "{org} {provider} {model}");
        }
    }
    let names: Vec<_> = (0..10_000).map(|at| format!("m{at}")).collect();
    for name in &names {
        assert!(pricer.price(&call("a", name, NOW, &[])).is_err());
    }
    assert_eq!(pricer.price(&call("a", "b/c", NOW, &[])).unwrap().rule, "one");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_rules_that_do_not_fit_alike_does_not_matter(
        names in prop::collection::btree_set("[ab]{1,4}", 1..6), model in "[ab]{1,5}",
        seed in prop::collection::vec(any::<u16>(), 18),
    ) {
        let rules = names.iter().flat_map(|name| {
            [("exact", "model"), ("alias", "aliases"), ("prefix", "prefixes")].map(|(how, field)| {
                let list = if field == "model" { format!("{name:?}") } else { format!("[{name:?}]") };
                rule(&format!("{how} {name}"), 1, &format!(r#""{field}":{list}"#))
            })
        });
        let rules: Vec<_> = rules.collect();
        let texts: Vec<_> = rules.iter().map(String::as_str).collect();
        let mut shuffled: Vec<_> = texts.iter().zip(seed).collect();
        shuffled.sort_by_key(|(_, place)| *place);
        let shuffled: Vec<_> = shuffled.into_iter().map(|(rule, _)| *rule).collect();
        let found = decides(&prices(&[&texts]), "p", &model);
        prop_assert_eq!(&decides(&prices(&[&shuffled]), "p", &model), &found);
        let longest = names.iter().filter(|name| model.starts_with(name.as_str())).max_by_key(|name| name.len());
        let wanted = match longest {
            _ if names.contains(&model) => format!("exact {model}"),
            Some(prefix) => format!("prefix {prefix}"),
            None => "-".to_owned(),
        };
        prop_assert_eq!(found, wanted);
    }
}
