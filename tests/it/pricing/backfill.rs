//! A backfill prices as a server does, and tells which rows contradict themselves.

use serde_json::{Value, json};

use super::calls::{AT, known};
use super::priced::Priced;

fn summary(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

#[test]
fn history_without_costs_gets_the_prices_of_its_time() {
    let acme = Priced::start(&[]);
    let calls = known();
    let lines = (0..).zip(&calls).map(|(n, (call, _))| {
        let mut call = call.clone();
        call["event_id"] = format!("c{n}").into();
        format!("{call}\n")
    });
    let input = acme.file("calls.ndjson", &lines.collect::<String>());
    let dry = acme.run(&["backfill", "--org", "acme", "--dry-run", &input]);
    assert_eq!(summary(&dry.stdout)["accepted"], calls.len(), "{dry:?}");
    let done = acme.run(&["backfill", "--org", "acme", &input]);
    assert_eq!(summary(&done.stdout)["accepted"], calls.len(), "{done:?}");
    for (n, (call, cost)) in calls.iter().enumerate() {
        let (found, source) = acme.cost(&format!("c{n}"));
        assert_eq!((found.as_deref(), source.is_some()), (*cost, cost.is_some()), "{call}");
    }
    // What is in has its price, whatever a later run would give it.
    let again = acme.run(&["backfill", "--org", "acme", "--prices", "none", &input]);
    assert_eq!(summary(&again.stdout)["duplicates"], calls.len(), "{again:?}");
}

#[test]
fn rows_that_contradict_themselves_are_kept_with_their_line() {
    let acme = Priced::start(&[]);
    let row = |id: &str, written: i64| {
        json!({
            "event_id": id, "ts": AT, "provider": "anthropic", "model": "claude-opus-5",
            "input_tokens": 10, "cached_input_tokens": 6, "cache_write_tokens": written,
        })
    };
    let bad = row("bad", 5).to_string();
    let input = acme.file("in.ndjson", &format!("{}\n{bad}\n{}\n", row("a", 4), row("b", 0)));
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.ndjson");
    let rejects = rejects.to_str().unwrap();
    for dry in [&["--dry-run"][..], &[]] {
        let args = [&["backfill", "--org", "acme", "--rejects", rejects], dry, &[&input]].concat();
        let done = acme.run(&args);
        assert_eq!(done.status, 0, "{done:?}");
        let counts =
            json!({ "read": 3, "accepted": 2, "duplicates": 0, "rejected": 1, "files": 1 });
        assert_eq!(summary(&done.stdout), counts);
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(rejects).unwrap()).unwrap();
        assert_eq!((&kept["line"], &kept["row"]), (&json!(2), &json!(bad)));
        assert!(kept["error"].as_str().unwrap().starts_with("cache_write_tokens: 5 "), "{kept}");
    }
}

#[test]
fn a_table_of_the_archive_prices_history_and_none_leaves_it_bare() {
    let acme = Priced::start(&[]);
    let row = |id: &str| {
        json!({ "event_id": id, "ts": AT, "model": "acme-1", "input_tokens": 1_000_000 })
            .to_string()
    };
    let rule =
        json!({ "id": "own", "patterns": ["acme-*"], "rates": { "input": "2", "output": "4" } });
    let table =
        json!({ "format": "tokenlake.prices", "version": 1, "table": "t", "rules": [rule] });
    let table = acme.file("t.json", &table.to_string());
    assert_eq!(acme.run(&["price", "import", &table]).status, 0);
    for (choice, cost) in [("none", None), ("archive", Some("2")), ("builtin", Some("2"))] {
        let input = acme.file(&format!("{choice}.ndjson"), &row(choice));
        let done = acme.run(&["backfill", "--org", "acme", "--prices", choice, &input]);
        assert_eq!(done.status, 0, "{done:?}");
        assert_eq!(acme.cost(choice).0.as_deref(), cost, "{choice}");
    }
}
