//! Tests of single rows: organisations, ids, and the file of rejected rows.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::tempdir;

use super::{counts, done, file, line, run, verified};
use crate::support::process::{Server, key, tokenlake};
use crate::support::scrape::scrape;

#[test]
fn rejected_rows_are_kept_with_their_place_and_reason() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let ndjson = format!("{}\n\nbroken\n{{\"event_id\":\"x\"}}\n{}", line(1, 0), line(2, 0));
    let csv = "event_id,ts,note\na,2025-01-01 00:00:00,\"two\nlines\"\nb,yesterday,\"x,y\"\nc,2025-01-01\n";
    let inputs = [
        file(folder.path(), "a.ndjson", ndjson),
        file(folder.path(), "b.csv", csv),
        file(folder.path(), "c.json", "[\n{\"ts\":1},\n7]"),
    ];
    let rejects = folder.path().join("rejects.ndjson");
    let args = [
        "--org",
        "acme",
        "--rejects",
        rejects.to_str().unwrap(),
        &inputs[0],
        &inputs[1],
        &inputs[2],
    ];
    assert_eq!(done(archive.path(), &args), counts(9, 3, 0, 6, 3));
    let text = std::fs::read_to_string(rejects).unwrap();
    let rejects: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [
        (0, 3, "not an object", "broken"),
        (0, 4, "ts: missing", "{\"event_id\":\"x\"}"),
        (1, 4, "ts: \"yesterday\"", "b,yesterday,\"x,y\""),
        (1, 5, "2 cells where the header has 3", "c,2025-01-01"),
        (2, 2, "ts: 1 is before 2015", "{\"ts\":1}"),
        (2, 3, "not an object", "7"),
    ];
    assert_eq!(rejects.len(), expected.len(), "{text}");
    for (reject, (file, line, error, row)) in rejects.iter().zip(expected) {
        assert_eq!(reject["file"], inputs[file], "{reject}");
        assert_eq!(reject["line"], line, "{reject}");
        assert!(reject["error"].as_str().unwrap().contains(error), "{reject}");
        assert_eq!(reject["row"], row, "{reject}");
        assert_eq!(reject.as_object().unwrap().len(), 4, "{reject}");
    }
}

#[test]
fn rows_belong_to_the_org_given_or_to_their_own() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let csv = "event_id,org_id,ts\n1,acme,2025-01-01 00:00:00\n2,globex,2025-01-01 00:00:00\n\
               3,,2025-01-01 00:00:00\n4,ACME,2025-01-01 00:00:00\n";
    let input = file(folder.path(), "a.csv", csv);
    assert_eq!(done(archive.path(), &["--org", "acme", &input]), counts(4, 2, 0, 2, 1));
    // A row without one, and a name that differs from another in case alone.
    assert_eq!(done(archive.path(), &["--org", "*", &input]), counts(4, 1, 1, 2, 1));
    let defaulted = ["--org", "*", "--default", "org_id=globex", &input];
    assert_eq!(done(archive.path(), &defaulted), counts(4, 1, 2, 1, 1));
    let clash = run(archive.path(), &["--org", "Acme", &input]);
    assert_eq!(clash.status, 1, "{clash:?}");
    assert!(clash.stderr.contains("differ only in case"), "{clash:?}");
    assert!(!clash.stderr.contains("run the same command again"), "{clash:?}");
    verified(archive.path(), 4);
}

/// Of names that differ in case alone, that of the first row stands, in every run.
#[test]
fn the_first_of_two_spellings_stands() {
    let folder = tempdir().unwrap();
    let orders: [&[&str]; 3] =
        [&["beta", "Beta"], &["Beta", "beta"], &["zeta", "BETA", "ZETA", "beta", "Beta"]];
    for (number, orgs) in orders.iter().enumerate() {
        let archive = tempdir().unwrap();
        // The first row has the latest date.
        let rows = orgs.iter().zip(0_i64..).map(|(org, row)| {
            let ts = 1_735_689_600 - row * 86_400;
            format!("{{\"event_id\":\"{row}\",\"org_id\":\"{org}\",\"ts\":{ts}}}\n")
        });
        let input = file(folder.path(), &format!("{number}.ndjson"), rows.collect::<String>());
        let first: BTreeSet<_> = orgs.iter().map(|org| org.to_lowercase()).collect();
        let (count, standing) = (orgs.len() as u64, first.len() as u64);
        let expected = counts(count, standing, 0, count - standing, 1);
        assert_eq!(done(archive.path(), &["--org", "*", &input]), expected, "{orgs:?}");
        let query = ["sql", "--format", "tsv", "-c", "select org_id from events order by ts desc"];
        let found = tokenlake(archive.path(), &query);
        let found: Vec<_> = found.stdout.lines().skip(1).map(str::to_owned).collect();
        assert_eq!(found, orgs[..first.len()], "{orgs:?}");
    }
}

#[test]
fn derived_ids_are_the_same_wherever_the_file_lies() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let row = "{\"ts\":\"2025-01-01T00:00:00\",\"model\":\"m\"}\n";
    // Equal rows are events of their own, in one file and in two.
    let first = file(folder.path(), "x/a.ndjson", row.repeat(3));
    file(folder.path(), "x/b/a.ndjson", row.repeat(3));
    let x = folder.path().join("x");
    let all = ["--org", "acme", x.to_str().unwrap()];
    assert_eq!(done(archive.path(), &all), counts(6, 6, 0, 0, 2));
    assert_eq!(done(archive.path(), &all), counts(6, 0, 6, 0, 2));
    assert_eq!(done(archive.path(), &["--org", "acme", &first]), counts(3, 0, 3, 0, 1));
    let packed = zstd::encode_all(row.repeat(3).as_bytes(), 1).unwrap();
    let moved = file(folder.path(), "y/a.ndjson.zst", packed);
    assert_eq!(done(archive.path(), &["--org", "acme", &moved]), counts(3, 0, 3, 0, 1));
    // A mapped id is none that is derived where a row lacks it.
    let row = "{\"call\":null,\"ts\":\"2025-01-01T00:00:00\"}\n{\"call\":\"c\",\"ts\":1735689600}";
    let some = file(folder.path(), "z.ndjson", row);
    let mapped = ["--org", "acme", "--map", "event_id=call", &some];
    assert_eq!(done(archive.path(), &mapped), counts(2, 1, 0, 1, 1));
}

#[test]
fn the_sample_comes_in_as_the_documents_say() {
    let archive = tempdir().unwrap();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample.ndjson");
    assert_eq!(done(archive.path(), &["--org", "acme", sample]), counts(40, 40, 0, 0, 1));
    assert_eq!(done(archive.path(), &["--org", "acme", sample]), counts(40, 0, 40, 0, 1));
    let key = key(archive.path(), "acme");
    assert!(scrape(&Server::start(archive.path()), &key).len() > 10);
}

#[test]
fn an_operator_may_bring_corrections_in() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let row = |id: &str, cost: &str, more: &str| {
        format!(
            r#"{{"event_id":"{id}","ts":"2025-01-01T00:00:00Z","event_type":"cost_correction","cost_usd":{cost}{more}}}"#
        )
    };
    let good = r#","attributes":{"corrects":"e1"}"#;
    let rows = [
        row("a", "-1.5", good),
        row("b", "2", r#","corrects":"e1""#),
        row("c", "-1.5", ""),
        row("d", "null", good),
        row("e", "1", r#","corrects":"e1","input_tokens":7"#),
    ];
    let ndjson = file(folder.path(), "a.ndjson", rows.join("\n"));
    let csv = "event_id,ts,event_type,cost_usd,corrects\nf,1735689600,cost_correction,-3,e1\n";
    let csv = file(folder.path(), "b.csv", csv);
    let args = ["--org", "acme", &ndjson, &csv];
    assert_eq!(done(archive.path(), &args), counts(6, 3, 0, 3, 2));
    assert_eq!(done(archive.path(), &args), counts(6, 0, 3, 3, 2));
    let query = "SELECT sum(cost_usd) AS cost, count(cost_source) AS told FROM events";
    let found = tokenlake(archive.path(), &["sql", "--format", "csv", "-c", query]);
    assert_eq!(found.stdout, "cost,told\n-2.5,3\n");
    verified(archive.path(), 3);
}
