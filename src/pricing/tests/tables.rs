//! Which tables are taken, and what is said of those that are not.

use proptest::prelude::*;

use super::super::TableError;
use super::*;

fn parse(rules: &str) -> Result<Table, TableError> {
    Table::parse(table_json(rules).as_bytes(), "t")
}

fn error(rules: &str) -> String {
    parse(rules).unwrap_err().to_string()
}

/// Rules with a part of what is said of them.
fn each_is_refused(cases: &[(&str, &str)]) {
    for (rules, wanted) in cases {
        let error = error(rules);
        assert!(error.contains(wanted), "{rules}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_table_with_something_wrong_is_refused_with_its_rule_and_field() {
    let cases = [
        ("", "it has no rule"),
        (r#"{"id":"a","model":"m"}"#, r#"rule "a": rates: has neither rates nor units"#),
        (r#"{"id":"a","rates":{"input":"1"}}"#, r#"rule "a": names no model"#),
        (r#"{"id":"","model":"m","rates":{"input":"1"}}"#, r#"rule "": id: is no name"#),
        (r#"{"id":"a","model":" m","rates":{"input":"1"}}"#, r#"rule "a": model: is no name"#),
        (r#"{"id":"a","model":"m","rates":{"input":"-1"}}"#, r#"rule "a": input: -1 is negative"#),
        (
            r#"{"id":"a","model":"m","rates":{"input":-0.5}}"#,
            r#"rule "a": input: -0.5 is negative"#,
        ),
        (r#"{"id":"a","model":"m","rates":{"input":"1e-13"}}"#, "has more than 12 decimal places"),
        (r#"{"id":"a","model":"m","rates":{"inputs":"1"}}"#, r#"rates: "inputs" is no kind"#),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1","input":"2"}}"#,
            r#""input" is there twice"#,
        ),
        (r#"{"id":"a","model":"m","rates":{"input":true}}"#, "true is no decimal number"),
        (r#"{"id":"a","model":"m","rate":{"input":"1"}}"#, "unknown field `rate`"),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"from":"2025-13-01"}"#,
            r#"from: "2025-13-01" is no date"#,
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"from":"2025-01-01","until":"2025-01-01"}"#,
            "until: is not after from",
        ),
    ];
    each_is_refused(&cases);
}

#[test]
fn what_is_wrong_with_tiers_units_and_variants_is_told() {
    let cases = [
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"tiers":[{"over":1,"from":2,"rates":{}}]}"#,
            "either over or from",
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"tiers":[{"over":1,"rates":{"output":"1"}}]}"#,
            "output has a rate in a tier and none below",
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"units":{"miles":{"usd":"1","per":1}}}"#,
            r#"units: "miles" is none"#,
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"units":{"pages":{"usd":"1","per":7}}}"#,
            "pages: per is 1, 60",
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"variants":[{"rates":{"input":"1"}}]}"#,
            "variant 1: says neither when nor at which times",
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"variants":[{"when":{"tier":"x"}}]}"#,
            r#"variant 1: when: "tier" is no context"#,
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"variants":[{"when":{"speed":"standard"}}]}"#,
            r#"speed: "standard" is the standard price"#,
        ),
        (
            r#"{"id":"a","model":"m","rates":{"input":"1"},"variants":[{"weekdays":["monday"]}]}"#,
            "weekdays: are mon",
        ),
    ];
    each_is_refused(&cases);
}

#[test]
fn a_table_of_another_form_or_version_is_refused() {
    let parse = |json: &str| Table::parse(json.as_bytes(), "t").unwrap_err();
    let version = parse(r#"{"format":"tokenlake.prices","version":2,"rules":[]}"#);
    assert_eq!(version, TableError::Version(2));
    assert!(matches!(parse(r#"{"format":"x","version":1,"rules":[]}"#), TableError::Json(_)));
    assert!(matches!(parse("[]"), TableError::Json(_)));
    let rule = r#"{"id":"a","model":"m","rates":{"input":"1"}}"#;
    let named = |name: &str| {
        format!(r#"{{"format":"tokenlake.prices","version":1,"table":{name},"rules":[{rule}]}}"#)
    };
    for name in [r##""a#b""##, r#""""#, r#""a b""#] {
        assert!(matches!(parse(&named(name)), TableError::Name(_)), "{name}");
    }
    let table = Table::parse(named(r#""mine""#).as_bytes(), "t").unwrap();
    assert_eq!(table.name(), "mine");
    let yours = table.described("yours", Some(7), vec!["there".to_owned()]).unwrap();
    assert_eq!((yours.name(), yours.taken(), yours.sources().len()), ("yours", Some(7), 1));
}

#[test]
fn of_two_rules_for_one_name_at_one_time_neither_would_be_first() {
    let rule = |id: &str, rest: &str| format!(r#"{{"id":"{id}","rates":{{"input":"1"}},{rest}}}"#);
    let two = |one: &str, other: &str| parse(&[rule("a", one), rule("b", other)].join(","));
    let overlaps = [
        (r#""model":"m""#, r#""model":"M""#),
        (r#""provider":"xai","model":"m""#, r#""provider":"x_ai","model":"m""#),
        (r#""prefixes":["m"],"until":"2025-01-02""#, r#""prefixes":["m"],"from":"2025-01-01""#),
        (r#""patterns":["m*"]"#, r#""patterns":["x","m*"]"#),
    ];
    for (one, other) in overlaps {
        assert!(matches!(two(one, other), Err(TableError::Overlap { .. })), "{one} {other}");
    }
    let apart = [
        (r#""model":"m""#, r#""aliases":["m"]"#),
        (r#""model":"m""#, r#""org":"acme","model":"m""#),
        (r#""provider":"gemini","model":"m""#, r#""provider":"vertex_ai","model":"m""#),
        (r#""model":"m","until":"2025-01-01""#, r#""model":"m","from":"2025-01-01""#),
        (r#""prefixes":["m"]"#, r#""prefixes":["m1"]"#),
    ];
    for (one, other) in apart {
        assert!(two(one, other).is_ok(), "{one} {other}");
    }
    let same = parse(&[rule("a", r#""model":"m""#), rule("a", r#""model":"n""#)].join(","));
    assert!(same.unwrap_err().to_string().contains("another rule has it"));
    // A name that is there twice is of one rule.
    assert!(parse(&rule("a", r#""aliases":["m","m"]"#)).is_ok());
}

/// A rule of every field.
fn any_rule() -> impl Strategy<Value = String> {
    let rate = prop_oneof![
        Just("0".to_owned()),
        "[1-9][0-9]{0,4}",
        "0\\.[0-9]{0,11}[1-9]",
        "[1-9]\\.[0-9]{0,5}[1-9]"
    ];
    let hour = (0_u32..24, 0_u32..60).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    let days =
        prop::sample::subsequence(vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"], 1..7);
    let parts =
        (prop::array::uniform6(rate), hour, days, 1_i64..1_000_000, "[a-z]{1,5}", 0..90_u32);
    parts.prop_map(|([a, b, c, d, e, f], hour, days, over, name, seconds)| {
        let days = days.iter().map(|day| format!("{day:?}")).collect::<Vec<_>>().join(",");
        let next = over + 7;
        format!(
            r#"{{"id":"{name}","org":"Acme","provider":"{name}","model":"{name}","aliases":["{name}-x"],"prefixes":["ft:{name}"],"suffixes":["-{name}"],"patterns":["*{name}*#"],"except":["*tts"],"from":"2025-06-10","until":"2026-01-01T00:{:02}:{:02}Z","rates":{{"input":"{a}","cached_input":"{b}","output":"{c}"}},"tiers":[{{"over":{over},"rates":{{"input":"{d}"}}}},{{"from":{next},"rates":{{"input":"{e}","output":"{f}"}}}}],"units":{{"audio_seconds":{{"usd":"{a}","per":3600}}}},"variants":[{{"when":{{"service_tier":"flex","processing":"batch"}},"from":"2025-07-01","rates":{{"input":"{b}"}},"tiers":[{{"over":9,"rates":{{"input":"{c}"}}}}]}},{{"until":"2025-12-01","hours":{{"from":"{hour}","until":"24:00"}},"weekdays":[{days}],"units":{{"pages":{{"usd":"{d}","per":1}}}}}}]}}"#,
            seconds / 60,
            seconds % 60,
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_table_survives_its_json(rule in any_rule()) {
        let table = parse(&rule).unwrap();
        let json = table.to_json();
        let again = Table::parse(json.as_bytes(), "other").unwrap();
        prop_assert_eq!(again.rules(), table.rules());
        prop_assert_eq!((again.name(), again.taken()), (table.name(), table.taken()));
        prop_assert_eq!(again.to_json(), json);
    }

    #[test]
    fn any_bytes_are_answered(junk in "[ -~]{0,60}", cut in 0_usize..400) {
        let _ = parse(&junk);
        let whole = table_json(r#"{"id":"a","model":"m","rates":{"input":"1"},"tiers":[{"over":1,"rates":{"input":"1"}}]}"#);
        let cut = whole.get(..cut.min(whole.len() - 1)).unwrap_or_default();
        prop_assert!(Table::parse(cut.as_bytes(), "t").is_err());
    }
}

#[test]
fn the_documented_table_is_one() {
    let page = include_str!("../../../docs/prices.md");
    let block = page.lines().skip_while(|line| *line != "    {");
    let block: Vec<_> = block.take_while(|line| line.starts_with("    ")).collect();
    let table = Table::parse(block.join("\n").as_bytes(), "t").unwrap();
    assert_eq!((table.name(), table.rules().len()), ("contract-2026", 2));
    let prices = Prices::new(vec![Arc::new(table)]);
    let counts = [(TokenKind::Input, 200_001), (TokenKind::Output, 1_000)];
    let price = prices.price(&call("azure", "gpt-x-2026-01", "2026-01-02", &counts));
    assert_eq!(dollars(price), "0.5150025");
    for kind in TokenKind::ALL {
        assert!(page.contains(&format!("`{}`", kind.name())), "{} is not told of", kind.name());
    }
    for unit in crate::pricing::BilledUnit::ALL {
        assert!(page.contains(&format!("`{}`", unit.name())), "{} is not told of", unit.name());
    }
}
