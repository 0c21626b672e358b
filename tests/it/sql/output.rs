//! Tests of `tokenlake sql`: the sources of statements, and the formats of results.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use tempfile::tempdir;

use super::{answer, small, sql};
use crate::support::process::{program, run, tokenlake};

const ROWS: &str = "SELECT event_id, ts, model, output_tokens AS n, cached_input_tokens AS c, \
                    cost_usd, attributes, '' AS e FROM events WHERE event_date = '2026-01-15' \
                    ORDER BY ts";

#[test]
fn each_format_is_exact() {
    let archive = small();
    let of = |format| answer(archive.path(), &["-c", ROWS, "--format", format]);
    assert_eq!(
        of("csv"),
        "event_id,ts,model,n,c,cost_usd,attributes,e\n\
         a1,2026-01-15T10:00:00Z,gpt-4o,20,40,0.1,\"{\"\"team\"\":\"\"x\\\"\"y\"\"}\",\"\"\n\
         a2,2026-01-15T10:30:00.500Z,gpt-4o,2,,0.2,,\"\"\n\
         a3,2026-01-15T20:00:00.000001Z,\"mini, \"\"x\"\"\",0,,,,\"\"\n"
    );
    assert_eq!(
        of("csv").replace("mini, ", "mini- ").replace(',', "\t"),
        of("tsv").replace("mini, ", "mini- ")
    );
    let first = r#"{"event_id":"a1","ts":"2026-01-15T10:00:00Z","model":"gpt-4o","n":20,"c":40,"cost_usd":"0.1","attributes":{"team":"x\"y"},"e":""}"#;
    let last = r#"{"event_id":"a3","ts":"2026-01-15T20:00:00.000001Z","model":"mini, \"x\"","n":0,"c":null,"cost_usd":null,"attributes":null,"e":""}"#;
    let lines = of("ndjson");
    assert_eq!(lines.lines().count(), 3);
    assert_eq!((lines.lines().next(), lines.lines().last()), (Some(first), Some(last)));
    let array: serde_json::Value = serde_json::from_str(&of("json")).unwrap();
    let objects: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(array, serde_json::Value::from(objects));
    let floats = ["-c", "SELECT 0.1::real AS a, 0.1::float8 AS b", "--format", "ndjson"];
    assert_eq!(answer(archive.path(), &floats), "{\"a\":0.1,\"b\":0.1}\n");
    let endless = "SELECT 'NaN'::float8 AS a, '-Infinity'::float8 AS b, ARRAY['inf'::float8] AS c";
    assert_eq!(
        answer(archive.path(), &["-c", endless, "--format", "ndjson"]),
        "{\"a\":\"NaN\",\"b\":\"-Infinity\",\"c\":[\"Infinity\"]}\n"
    );
    let query = "SELECT org_id, sum(requests) AS requests, sum(cost_usd) AS cost_usd \
                 FROM usage_hourly GROUP BY 1 ORDER BY 1";
    insta::assert_snapshot!(answer(archive.path(), &["-c", query]), @r"
     org_id | requests |    cost_usd
    --------+----------+----------------
     acme   |        3 |            0.3
     globex |        1 | 0.000000000001
    (2 rows)
    ");
}

#[test]
fn a_result_without_rows_has_its_form_too() {
    let archive = small();
    let of = |format| {
        answer(archive.path(), &["-c", "SELECT org_id FROM events WHERE false", "--format", format])
    };
    let all = ["table", "csv", "tsv", "json", "ndjson"].map(of);
    assert_eq!(all, [" org_id\n--------\n(0 rows)\n", "org_id\n", "org_id\n", "[]\n", ""]);
}

#[test]
fn statements_come_from_arguments_a_file_or_stdin() {
    let archive = small();
    let path = archive.path();
    let csv = ["--format", "csv"];
    let both = "a\n1\nb\n;\n";
    let text = "SELECT 1 AS a; -- one; two\nSELECT ';' AS b";
    assert_eq!(answer(path, &[&["-c", text], &csv[..]].concat()), both);
    let apart = ["-c", "SELECT 1 AS a", "-c", "SELECT ';' AS b;"];
    assert_eq!(answer(path, &[&apart, &csv[..]].concat()), both);
    let file = path.join("query.sql");
    std::fs::write(&file, text).unwrap();
    assert_eq!(answer(path, &[&["-f", file.to_str().unwrap()], &csv[..]].concat()), both);
    let mut child = program()
        .arg("--archive")
        .arg(path)
        .args(["sql", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), both);
}

#[test]
fn results_go_to_a_file_in_the_form_of_its_ending() {
    let archive = small();
    let file = archive.path().join("out.ndjson");
    let stdout = answer(archive.path(), &["-c", "SELECT 1 AS a", "-o", file.to_str().unwrap()]);
    assert_eq!(
        (stdout.as_str(), std::fs::read_to_string(file).unwrap().as_str()),
        ("", "{\"a\":1}\n")
    );
}

#[test]
fn one_organisation_or_all() {
    let archive = small();
    let orgs = "SELECT DISTINCT org_id FROM usage_hourly ORDER BY 1";
    let of =
        |args: &[&str]| answer(archive.path(), &[&["-c", orgs, "--format", "csv"], args].concat());
    assert_eq!(of(&[]), "org_id\nacme\nglobex\n");
    assert_eq!(of(&["--org", "globex"]), "org_id\nglobex\n");
    assert_eq!(of(&["--org", "nobody"]), "org_id\n");
}

#[test]
fn days_begin_where_the_asker_lives() {
    let archive = small();
    let query = "SELECT date_trunc('day', ts AT TIME ZONE 'Asia/Kolkata') AS day, count(*) AS n \
                 FROM events WHERE org_id = 'acme' GROUP BY 1 ORDER BY 1";
    assert_eq!(
        answer(archive.path(), &["-c", query, "--format", "csv"]),
        "day,n\n2026-01-08T00:00:00,1\n2026-01-15T00:00:00,2\n2026-01-16T00:00:00,1\n"
    );
}

#[test]
fn what_fails_is_one_line_and_comes_after_what_went_well() {
    let archive = small();
    let text = "SELECT 1 AS a; SELECT nothing FROM events; SELECT 2";
    let done = sql(archive.path(), &["--format", "csv", "-c", text]);
    assert_eq!((done.status, done.stdout.as_str()), (1, "a\n1\n"), "{done:?}");
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    assert!(done.stderr.starts_with("error: ") && done.stderr.contains("nothing"), "{done:?}");
    for args in [vec!["--format", "xml"], vec!["-c", "x", "-f", "y"], vec!["--org", "a b"]] {
        let done = sql(archive.path(), &args);
        assert_eq!((done.status, done.stderr.lines().count()), (2, 1), "{done:?}");
    }
    let nowhere = tempdir().unwrap();
    let done = tokenlake(&nowhere.path().join("none"), &["sql", "-c", "SELECT 1"]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    assert!(done.stderr.contains("there is no archive"), "{done:?}");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let archive = small();
    let query = "SELECT value FROM generate_series(1, 100000000)";
    let mut command = program();
    command.arg("--archive").arg(archive.path());
    command.args(["sql", "--format", "csv", "-c", query]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "value");
    drop(lines);
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
    assert_eq!(run(program().args(["sql", "--help"])).status, 0);
}
