//! Tables that are imported: in force on each server within five seconds, and nothing priced moves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokenlake::archive::Records;
use tokenlake::clock::SystemClock;
use tokenlake::event::OrgId;
use tokenlake::price_book::{self, PriceTables};

use super::calls::AT;
use super::priced::{Priced, post};
use crate::stores::{Fault, FaultyStore, Op, Verb};
use crate::support::event::NOON;
use crate::support::process::{Server, tokenlake};
use crate::support::store::memory;

/// An import is in force everywhere within this time.
const IN_FORCE: Duration = Duration::from_secs(5);

fn table(name: &str, input: &str) -> String {
    let rule = json!({
        "id": "mini", "provider": "openai", "model": "gpt-4o-mini",
        "rates": { "input": input, "output": "0" },
    });
    let table =
        json!({ "format": "tokenlake.prices", "version": 1, "table": name, "rules": [rule] });
    table.to_string()
}

fn mini(id: &str) -> Value {
    json!({
        "event_id": id, "ts": AT, "provider": "openai", "model": "gpt-4o-mini",
        "input_tokens": 1_000_000, "output_tokens": 0,
    })
}

/// What a call costs that a server gets now, and who says so.
fn priced_by(acme: &Priced, server: &Server, id: &str) -> (Option<String>, Option<String>) {
    let answer = post(server, &acme.key, &[mini(id)]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    acme.cost(id)
}

#[test]
fn an_import_is_in_force_on_each_server_and_moves_nothing() {
    let acme = Priced::start(&[]);
    let other = acme.replica(&["--prices", "archive"]);
    assert_eq!(priced_by(&acme, &acme.server, "before").0.as_deref(), Some("0.15"));
    assert_eq!(priced_by(&acme, &other, "bare"), (None, None));
    let import = |name: &str, input: &str, more: &[&str]| {
        let file = acme.file(&format!("{name}.json"), &table(name, input));
        let done = acme.run(&[&["price", "import"][..], more, &[file.as_str()]].concat());
        assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{done:?}");
        std::thread::sleep(IN_FORCE);
        done.stdout
    };
    // Each takes the place of the one before; that of an organisation is before both.
    let own = &["--org", "acme"][..];
    for (name, input, more, said) in [
        ("ours", "3", &[][..], "imported ours as version 1: 1 rule"),
        ("ours-2", "4", &[][..], "imported ours-2 as version 2: 1 rule"),
        ("own", "5", own, "imported own for acme as version 3: 1 rule"),
    ] {
        let told = import(name, input, more);
        assert!(told.starts_with(said), "{told}");
        let wanted = (Some(input.to_owned()), Some(format!("price:{name}#mini")));
        for (number, server) in [&acme.server, &other].into_iter().enumerate() {
            assert_eq!(priced_by(&acme, server, &format!("{name} {number}")), wanted, "{number}");
        }
    }
    assert_eq!(acme.cost("ours 0").0.as_deref(), Some("3"));
    assert_eq!(acme.cost("before").0.as_deref(), Some("0.15"));
    assert_eq!(acme.cost("bare"), (None, None));

    let quote = |org: &str| {
        let model = ["--provider", "openai", "--model", "gpt-4o-mini", "--input-tokens", "1000000"];
        let args = [&["price", "quote", "--org", org, "--format", "json"], &model[..]].concat();
        serde_json::from_str::<Value>(&acme.run(&args).stdout).unwrap()["cost_usd"].clone()
    };
    assert_eq!((quote("acme"), quote("globex")), (json!("5"), json!("4")));
    let listed = acme.run(&["price", "list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["table"].clone()).collect();
    assert_eq!(names, ["own", "ours-2", "builtin-2026-11-10"]);
    assert_eq!((&listed[0]["org"], &listed[1]["version"]), (&json!("acme"), &json!(2)));
}

#[test]
fn what_is_exported_is_imported_as_the_same_table() {
    let acme = Priced::start(&[]);
    let litellm = json!({
        "sample_spec": { "max_tokens": "" },
        "gpt-x": {
            "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.25e-06,
            "output_cost_per_token": 1e-05, "input_cost_per_token_above_200k_tokens": 2.5e-06,
        },
        "odd": { "litellm_provider": "openai", "mode": "chat", "tiered_pricing": [] },
    });
    let done = acme.run(&["price", "import", &acme.file("litellm.json", &litellm.to_string())]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.starts_with("imported litellm-1 as version 1: 1 rule"), "{done:?}");
    assert!(done.stderr.contains("not in the table: ") && done.stderr.contains("odd"), "{done:?}");
    let exported = acme.run(&["price", "export"]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&exported).unwrap()["table"], "litellm-1");
    let again = acme.run(&["price", "import", &acme.file("again.json", &exported)]);
    assert_eq!(again.status, 0, "{again:?}");
    assert_eq!(acme.run(&["price", "export"]).stdout, exported);
    let answer = acme.post(&[json!({
        "event_id": "x", "ts": AT, "provider": "openai", "model": "gpt-x", "input_tokens": 200_001,
        "output_tokens": 1,
    })]);
    assert_eq!(answer.status, 200);
    assert_eq!(acme.cost("x").0.as_deref(), Some("0.5000125"));
    assert_eq!(acme.cost("x").1.as_deref(), Some("price:litellm-1#gpt-x"));
}

#[test]
fn a_file_that_is_no_table_is_refused_and_changes_nothing() {
    let acme = Priced::start(&[]);
    let with = |rule: &Value| {
        json!({ "format": "tokenlake.prices", "version": 1, "rules": [rule] }).to_string()
    };
    let rule = |more: &Value| {
        let mut rule = json!({ "id": "a", "model": "m", "rates": { "input": "1" } });
        for (name, value) in more.as_object().unwrap() {
            rule[name] = value.clone();
        }
        rule
    };
    let priced = |cost: f64| json!({ "m": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": cost } });
    for (name, text) in [
        ("empty", String::new()),
        ("no JSON", "prices".to_owned()),
        ("no rule", r#"{"format":"tokenlake.prices","version":1,"rules":[]}"#.to_owned()),
        ("below 0", with(&rule(&json!({ "rates": { "input": "-1" } })))),
        ("an unknown field", with(&rule(&json!({ "discount": "1" })))),
        ("newer", r#"{"format":"tokenlake.prices","version":2,"rules":[]}"#.to_owned()),
        ("LiteLLM's below 0", priced(-1e-6).to_string()),
        ("another's", r#"{"a":1}"#.to_owned()),
    ] {
        let done = acme.run(&["price", "import", &acme.file("wrong.json", &text)]);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{name}: {done:?}");
        assert_eq!(done.stderr.trim_end().lines().count(), 1, "{name}: {done:?}");
        assert!(done.stderr.contains("cannot import "), "{name}: {done:?}");
    }
    let other = with(&rule(&json!({ "org": "globex" })));
    let done = acme.run(&["price", "import", "--org", "acme", &acme.file("o.json", &other)]);
    assert_eq!(done.status, 1, "{done:?}");
    assert_eq!(acme.run(&["price", "import", "/nowhere.json"]).status, 1);
    assert!(!acme.archive.path().join("prices").exists());
    assert_eq!(acme.run(&["price", "export", "--org", "acme"]).status, 1);
}

/// What an error advises who has no copy of a damaged catalogue.
#[test]
fn tables_that_are_deleted_and_imported_anew_are_in_force_on_a_server_that_knew_the_old_ones() {
    let acme = Priced::start(&[]);
    let import = |name: &str, input: &str| {
        let file = acme.file(&format!("{name}.json"), &table(name, input));
        assert_eq!(acme.run(&["price", "import", &file]).status, 0);
    };
    for (name, input) in [("old", "2"), ("older", "3")] {
        import(name, input);
    }
    std::thread::sleep(IN_FORCE);
    assert_eq!(priced_by(&acme, &acme.server, "before").0.as_deref(), Some("3"));
    for (number, versions) in [1, 2].into_iter().enumerate() {
        std::fs::remove_dir_all(acme.archive.path().join("prices")).unwrap();
        // Versions begin again, below the one that the server knows, and then at the same.
        (0..versions).for_each(|_| import("new", "5"));
        std::thread::sleep(IN_FORCE);
        let wanted = (Some("5".to_owned()), Some("price:new#mini".to_owned()));
        assert_eq!(priced_by(&acme, &acme.server, &format!("after {number}")), wanted);
        std::fs::remove_dir_all(acme.archive.path().join("prices")).unwrap();
        (0..2).for_each(|_| import("old", "2"));
        std::thread::sleep(IN_FORCE);
        let before = priced_by(&acme, &acme.server, &format!("between {number}"));
        assert_eq!(before.0.as_deref(), Some("2"));
    }
}

/// A server that starts reads the tables of all organisations before it prices the first call.
#[tokio::test(start_paused = true)]
async fn tables_of_many_organisations_are_read_at_once() {
    const TABLES: u32 = 200;
    let inner = memory();
    for number in 0..TABLES {
        let org = OrgId::parse(&format!("org-{number}")).unwrap();
        let json = table(&format!("t{number}"), "1");
        let records = Records::new(inner.clone());
        price_book::import(&records, json.as_bytes(), Some(&org), NOON).await.unwrap();
    }
    let is_table = |op: &Op| op.verb == Verb::Get && op.path.as_ref().starts_with("prices/tables");
    let slow = FaultyStore::new(inner, move |op| {
        is_table(op).then_some(Fault::Delay(Duration::from_secs(1)))
    });
    let book = PriceTables::Archive.book(Records::new(slow), Arc::new(SystemClock)).unwrap();
    let start = tokio::time::Instant::now();
    let in_force = book.unwrap().current().await.unwrap();
    assert_eq!(in_force.prices().tables().len(), TABLES as usize);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_table_for_an_organisation_under_another_spelling_is_refused() {
    let acme = Priced::start(&[]);
    let file = acme.file("t.json", &table("t", "1"));
    let done = acme.run(&["price", "import", "--org", "ACME", &file]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    assert!(done.stderr.contains("acme") && done.stderr.lines().count() == 1, "{done:?}");
    assert!(!acme.archive.path().join("prices").exists());
    // An archive that is misspelt is not made.
    let nowhere = acme.archive.path().join("nowhere");
    let done = tokenlake(&nowhere, &["price", "import", &file]);
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.stderr.contains("there is no archive") && !nowhere.exists(), "{done:?}");
}

#[test]
fn doctor_tells_how_old_prices_are() {
    let acme = Priced::start(&[]);
    let line = |acme: &Priced| {
        let done = acme.run(&["doctor", "--dry-run"]);
        let line = done.stdout.lines().find(|line| line.contains("prices: ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{done:?}"))
    };
    assert_eq!(line(&acme), "ok prices: builtin-2026-11-10 was taken 15 days ago");
    let old = table("old", "1").replace("\"version\"", "\"taken\":\"2026-08-01\",\"version\"");
    assert_eq!(acme.run(&["price", "import", &acme.file("old.json", &old)]).status, 0);
    let line = line(&acme);
    assert!(line.starts_with("ok prices: old was taken 116 days ago; warning: "), "{line}");
}
