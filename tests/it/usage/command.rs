//! `tokenlake usage`: the rows of the endpoint, in the formats of `tokenlake sql`.

use serde_json::Value;

use super::endpoint::Acme;
use crate::support::client;
use crate::support::process::{Done, tokenlake};

const ASKED: [&str; 10] = [
    "--from",
    "2025-11-01",
    "--to",
    "2025-11-03",
    "--step",
    "day",
    "--timezone",
    "America/New_York",
    "--group-by",
    "team,model",
];

#[test]
fn the_command_prints_the_rows_of_the_endpoint() {
    let acme = Acme::start();
    let ask = |more: &[&str]| {
        let done = tokenlake(
            acme.archive.path(),
            &[&["usage", "--org", "acme"], &ASKED[..], more].concat(),
        );
        assert_eq!(done.status, 0, "{done:?}");
        done.stdout
    };
    let query =
        "from=2025-11-01&to=2025-11-03&step=day&timezone=America/New_York&group_by=team,model";
    let told = client::get(&acme.server.url(&format!("/v1/usage?{query}")), &acme.key).json();
    let rows: Value = serde_json::from_str(&ask(&["--format", "json"])).unwrap();
    assert_eq!(rows, told["rows"]);
    let lines = ask(&["--format", "ndjson"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::from(lines), rows);
    let csv = client::get(&acme.server.url(&format!("/v1/usage?{query}&format=csv")), &acme.key);
    assert_eq!(ask(&["--format", "csv"]), csv.text());
    insta::assert_snapshot!(ask(&[]), @r#"
               start           | team |    model    | requests | input_tokens | output_tokens | cached_input_tokens | cache_write_tokens | reasoning_tokens |    cost_usd    | unpriced_requests
    ---------------------------+------+-------------+----------+--------------+---------------+---------------------+--------------------+------------------+----------------+-------------------
     2025-11-01T00:00:00-04:00 | core | gpt-4o      |        1 |           11 |             1 |                   1 |                  0 |                0 |            0.5 |                 0
     2025-11-01T00:00:00-04:00 | ops  | gpt-4o      |        1 |           12 |             1 |                   2 |                  0 |                0 |           0.25 |                 0
     2025-11-02T00:00:00-04:00 | core | gpt-4o      |        1 |           14 |             1 |                   4 |                  0 |                0 |              0 |                 1
     2025-11-02T00:00:00-04:00 |      | claude, "4" |        1 |           13 |             1 |                   3 |                  0 |                0 |          1.125 |                 0
     2025-11-02T00:00:00-04:00 |      |             |        1 |           15 |             1 |                   5 |                  0 |                0 | 0.000000000001 |                 0
    (5 rows)
    "#);
}

#[test]
fn wrong_usage_is_told_in_one_line() {
    let acme = Acme::start();
    let ask =
        |args: &[&str]| -> Done { tokenlake(acme.archive.path(), &[&["usage"], args].concat()) };
    for (args, status) in [
        (&["--org", "acme", "--step", "year"][..], 2),
        (&["--org", "acme", "--timezone", "Berlin"], 2),
        (&["--org", "acme", "--from", "soon"], 2),
        (&["--org", "acme", "--format", "xml"], 2),
        (&[], 2),
        (&["--org", "acme", "--group-by", "user"], 1),
        (&["--org", "acme", "--from", "2025-02-01", "--to", "2025-01-01"], 1),
    ] {
        let done = ask(args);
        assert_eq!((done.status, done.stdout.as_str()), (status, ""), "{args:?}: {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    }
    assert_eq!(ask(&["--org", "nobody", "--format", "json"]).stdout, "[]\n");
}
