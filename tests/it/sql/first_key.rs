//! Tests of the first rows in an order by several keys, which scans look for by the first key alone.

use std::cmp::Ordering;
use std::fmt::Write as _;

use tempfile::tempdir;

use super::{answer, tokenlake};

const CALLS: u32 = 60_000;

/// A call's cost in cents, and its input tokens; both often tie, and some calls have no cost.
fn call(number: u32) -> (Option<u32>, u32) {
    let mixed = number.wrapping_mul(2_654_435_761) >> 7;
    let rare = if mixed.is_multiple_of(997) { mixed % 60 } else { 0 };
    let cost = (!mixed.is_multiple_of(11)).then_some(mixed % 40 + rare);
    (cost, mixed % 13)
}

#[test]
fn the_first_rows_are_those_of_the_whole_order() {
    let folder = tempdir().unwrap();
    let (archive, file) = (folder.path().join("archive"), folder.path().join("calls.ndjson"));
    let mut lines = String::new();
    for number in 0..CALLS {
        let (cost, tokens) = call(number);
        let cost = cost.map_or(String::new(), |cents| format!(r#","cost_usd":"0.{cents:02}""#));
        writeln!(
            lines,
            r#"{{"event_id":"e{number:05}","ts":"2026-03-{:02}T00:00:00Z","provider":"p","model":"m","input_tokens":{tokens}{cost}}}"#,
            number % 3 + 1
        )
        .unwrap();
    }
    std::fs::write(&file, lines).unwrap();
    let done = tokenlake(&archive, &["backfill", "--org", "acme", file.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{done:?}");

    for (falling, nulls_first) in [(true, true), (true, false), (false, true), (false, false)] {
        for limit in [1, 7, 300] {
            let mut rows: Vec<_> = (0..CALLS).map(|number| (number, call(number))).collect();
            rows.sort_by(|(a, (cost_a, tokens_a)), (b, (cost_b, tokens_b))| {
                let of_null = if nulls_first { Ordering::Less } else { Ordering::Greater };
                let costs = match (cost_a, cost_b) {
                    (Some(a), Some(b)) if falling => b.cmp(a),
                    (Some(a), Some(b)) => a.cmp(b),
                    (None, None) => Ordering::Equal,
                    (None, Some(_)) => of_null,
                    (Some(_), None) => of_null.reverse(),
                };
                costs.then(tokens_b.cmp(tokens_a)).then(a.cmp(b))
            });
            let expected = rows.iter().take(limit).map(|(number, _)| format!("e{number:05}"));
            let place = if nulls_first { "first" } else { "last" };
            let question = format!(
                "select event_id from events order by cost_usd {} nulls {place}, input_tokens desc, event_id limit {limit}",
                if falling { "desc" } else { "asc" }
            );
            let found = answer(&archive, &["-c", &question, "--format", "csv"]);
            let found: Vec<_> = found.lines().skip(1).map(str::to_owned).collect();
            assert_eq!(found, expected.collect::<Vec<_>>(), "{question}");
        }
    }
    // A filter of its own stays beside it, and a key that is no column is not told apart.
    let question = "select event_id, model from events where input_tokens > 11 order by cost_usd desc nulls last, event_id limit 2";
    let plan = answer(&archive, &["-c", &format!("explain analyze {question}")]);
    assert!(plan.contains("FirstKey [ cost_usd@"), "{plan}");
    let question = "select event_id from events order by cost_usd + 1 desc, event_id limit 2";
    let plan = answer(&archive, &["-c", &format!("explain {question}")]);
    assert!(!plan.contains("FirstKey"), "{plan}");
}
