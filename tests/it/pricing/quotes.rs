//! `tokenlake price quote` and `show`: what the built-in table says, without an archive.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::calls::known;
use crate::support::process::{Done, tokenlake};

/// The flags of a call.
fn flags(call: &Value) -> Vec<String> {
    let mut flags = Vec::new();
    for (name, value) in call.as_object().unwrap() {
        if name == "attributes" {
            flags.extend(self::flags(value));
            continue;
        }
        let name = if name == "ts" { "at" } else { name };
        flags.push(format!("--{}", name.replace('_', "-")));
        flags.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    flags
}

fn price(args: &[&str]) -> Done {
    let nowhere = tempdir().unwrap();
    let archive = nowhere.path().join("archive");
    let done = tokenlake(&archive, &[&["price"], args].concat());
    assert!(!archive.exists(), "a question makes no archive");
    done
}

#[test]
fn a_quote_is_what_a_call_would_get() {
    for (call, cost) in known() {
        let flags = flags(&call);
        let mut args = vec!["quote", "--format", "json"];
        args.extend(flags.iter().map(String::as_str));
        let done = price(&args);
        assert_eq!(done.status, 0, "{done:?}");
        let quote: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(quote["cost_usd"].as_str(), cost, "{call} {quote}");
        assert_eq!(quote["reason"].is_string(), cost.is_none(), "{quote}");
        for name in ["table", "rule"] {
            assert_eq!(quote[name].is_string(), cost.is_some(), "{quote}");
        }
    }
}

#[test]
fn a_quote_tells_people_cost_table_and_rule_or_the_reason() {
    let mini = ["quote", "--provider", "openai", "--model", "gpt-4o-mini", "--input-tokens", "10"];
    let done = price(&[&mini[..], &["--cached-input-tokens", "4"]].concat());
    assert_eq!(done.status, 0, "{done:?}");
    let lines = "cost_usd  0.0000012\ntable     builtin-2026-11-10\nrule      openai/gpt-4o-mini\n";
    assert_eq!(done.stdout, lines);
    let unknown = price(&[&mini[..], &["--service-tier", "scale"]].concat());
    assert_eq!((unknown.status, unknown.stdout.lines().count()), (0, 1), "{unknown:?}");
    assert!(unknown.stdout.starts_with("reason    the rule does not know this service_tier"));
    let none = price(&[&mini[..], &["--prices", "none", "--format", "json"]].concat());
    let none: Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!(
        (&none["cost_usd"], &none["table"], &none["rule"]),
        (&json!(null), &json!(null), &json!(null))
    );
    let searched = price(&[&mini[..], &["--billed", "social_searches=2"]].concat());
    assert!(searched.stdout.starts_with("reason    the rule has no price for social_searches"));
    let impossible = price(&[&mini[..], &["--cached-input-tokens", "11"]].concat());
    assert_eq!((impossible.status, impossible.stdout.as_str()), (1, ""), "{impossible:?}");
    assert!(impossible.stderr.contains("cached_input_tokens: 11"), "{impossible:?}");
    for wrong in [["--input-tokens", "-1"], ["--at", "soon"], ["--billed", "tokens=1"]] {
        assert_eq!(price(&[&mini[..], &wrong].concat()).status, 2, "{wrong:?}");
    }
}

#[test]
fn the_rule_of_a_time_is_shown_and_the_built_in_table_exported() {
    let show = |at: &str| {
        price(&["show", "--provider", "openai", "--model", "o3", "--at", at, "--format", "json"])
    };
    let rates = |at: &str| {
        let shown: Value = serde_json::from_str(&show(at).stdout).unwrap();
        shown["rule"]["rates"]["input"].clone()
    };
    assert_eq!((rates("2025-06-09"), rates("2025-06-10")), (json!("10"), json!("2")));
    let unknown = price(&["show", "--model", "my-finetune"]);
    assert_eq!((unknown.status, unknown.stdout.as_str()), (1, ""), "{unknown:?}");
    let exported: Value = serde_json::from_str(&price(&["export"]).stdout).unwrap();
    assert_eq!(exported["table"], "builtin-2026-11-10");
    let none = price(&["export", "--prices", "archive"]);
    assert_eq!((none.status, none.stdout.as_str()), (1, ""), "{none:?}");
    let listed = price(&["list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed[0]["table"], "builtin-2026-11-10");
    assert_eq!(listed.as_array().unwrap().len(), 1);
}
