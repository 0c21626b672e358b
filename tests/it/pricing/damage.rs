//! Objects of prices that are damaged or gone: calls that need a price wait, and others come in.

use serde_json::{Value, json};

use super::calls::AT;
use super::priced::{Priced, files, post};

fn table() -> String {
    let rule =
        json!({ "id": "a", "model": "gpt-4o-mini", "rates": { "input": "7", "output": "0" } });
    json!({ "format": "tokenlake.prices", "version": 1, "table": "t", "rules": [rule] }).to_string()
}

fn call(id: &str, cost: &Value) -> Value {
    json!({
        "event_id": id, "ts": AT, "provider": "openai", "model": "gpt-4o-mini",
        "input_tokens": 1_000_000, "cost_usd": cost,
    })
}

#[test]
fn what_is_damaged_is_named_and_prices_nothing() {
    let acme = Priced::start(&[]);
    let prices = acme.archive.path().join("prices");
    for _ in 0..2 {
        assert_eq!(acme.run(&["price", "import", &acme.file("t.json", &table())]).status, 0);
    }
    let newest = |folder: &str| files(&prices.join(folder)).pop().unwrap();
    let version = newest("versions");
    let listed: Value = serde_json::from_slice(&std::fs::read(&version).unwrap()).unwrap();
    let object = listed["tables"][0]["object"].as_str().unwrap();
    let of_table = prices.join("tables").join(format!("{object}.json"));
    for (number, path) in (0..).zip([version, of_table]) {
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for (damage, bytes) in [("flipped", Some(flipped)), ("gone", None)] {
            match &bytes {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let name = path.strip_prefix(acme.archive.path()).unwrap().to_str().unwrap();
            let server = acme.replica(&[]);
            let id = |what: &str| format!("{number} {damage} {what}");
            let answer = post(&server, &acme.key, &[call(&id("bare"), &Value::Null)]);
            assert!(answer.status >= 500 && answer.text().contains(name), "{}", answer.text());
            let answer = post(&server, &acme.key, &[call(&id("sent"), &json!("1"))]);
            assert_eq!(answer.status, 200, "{}", answer.text());
            for command in [&["price", "list"][..], &["price", "export"], &["doctor", "--dry-run"]]
            {
                let done = acme.run(command);
                let said = format!("{}{}", done.stdout, done.stderr);
                assert!(done.status == 1 && said.contains(name), "{done:?}");
            }
            std::fs::write(&path, &whole).unwrap();
            let answer = post(&server, &acme.key, &[call(&id("bare"), &Value::Null)]);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(acme.cost(&id("bare")).0.as_deref(), Some("7"));
        }
    }
    // A note that is lost costs nothing.
    std::fs::remove_file(prices.join("newest.json")).unwrap();
    assert_eq!(acme.run(&["price", "list"]).status, 0);
}
