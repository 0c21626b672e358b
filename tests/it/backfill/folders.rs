//! Tests of folders whose names are fields, folders that are tables, and hidden files in folders.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::formats::{gzip, parquet, rows};
use super::{counts, done, file, line, run, summary, verified};
use crate::support::process::{Server, key};
use crate::support::scrape::scrape;

/// Writes a Parquet file of some events.
fn part(folder: &Path, path: &str, ids: std::ops::Range<usize>) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    parquet(&path, &rows(ids));
}

/// Commits to the log of a Delta table.
fn commit(table: &Path, version: u64, actions: &[Value]) {
    let lines: Vec<_> = actions.iter().map(Value::to_string).collect();
    file(table, &format!("_delta_log/{version:020}.json"), lines.join("\n"));
}

/// A table of a schema that has the column `team` in the names of its folders.
fn describe(settings: &Value) -> [Value; 2] {
    let column = |name: &str, kind: &str| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
    let fields = [column("event_id", "string"), column("ts", "long"), column("team", "string")];
    let schema = json!({ "type": "struct", "fields": fields }).to_string();
    [
        json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }),
        json!({ "metaData": {
            "id": "t", "format": { "provider": "parquet", "options": {} }, "schemaString": schema,
            "partitionColumns": ["team"], "configuration": settings,
        } }),
    ]
}

fn add(path: &str, team: &str) -> Value {
    json!({ "add": {
        "path": path, "partitionValues": { "team": team }, "size": 700, "modificationTime": 0, "dataChange": true,
    } })
}

fn remove(path: &str) -> Value {
    json!({ "remove": { "path": path, "dataChange": true, "deletionTimestamp": 1 } })
}

/// A Delta table with four events that live, and as many that were deleted or moved.
fn table(folder: &Path) {
    part(folder, "old.parquet", 0..4);
    part(folder, "new.parquet", 0..2);
    part(folder, "team=a b/moved.parquet", 2..4);
    let first = [describe(&json!({})).to_vec(), vec![add("old.parquet", "x")]].concat();
    commit(folder, 0, &first);
    let second =
        [remove("old.parquet"), add("new.parquet", "x"), add("team=a%20b/moved.parquet", "y")];
    commit(folder, 1, &second);
}

#[test]
fn folders_are_fields_and_are_judged_as_columns_are() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let at = |org: &str, rest: &str| format!("org_id={org}/provider=openai/model=gpt%2F4/{rest}");
    let bare =
        |id: &str| json!({ "event_id": id, "ts": 1_735_689_600, "input_tokens": 3 }).to_string();
    file(folder.path(), &at("acme", "a.ndjson"), bare("n"));
    file(folder.path(), &at("acme", "a.json.gz"), gzip(format!("[{}]", bare("j")).as_bytes()));
    file(folder.path(), &at("acme", "b.csv"), "event_id,ts,input_tokens\nc,1735689600,3\n");
    file(folder.path(), &at("beta", "a.ndjson"), bare("b"));
    part(folder.path(), "org_id=acme/provider=__HIVE_DEFAULT_PARTITION__/a.parquet", 0..1);
    let all = folder.path().to_str().unwrap();
    let key = key(archive.path(), "acme");
    assert_eq!(done(archive.path(), &["--org", "acme", all]), counts(5, 4, 0, 1, 5));
    let series = scrape(&Server::start(archive.path()), &key);
    let of = |provider: &str, model: &str| {
        format!(r#"llm_requests_total{{provider="{provider}",model="{model}",org_id="acme"}}"#)
    };
    assert_eq!(series[&of("openai", "gpt/4")], "3");
    // Null is no provider, so that its model is in no series.
    assert_eq!(series.keys().filter(|name| name.starts_with("llm_requests_total")).count(), 1);
    // Each row is its folder's, whoever is asked for; also where the folder itself is given.
    assert_eq!(done(archive.path(), &["--org", "*", all]), counts(5, 1, 4, 0, 5));
    let beta = format!("{all}/org_id=beta");
    let refused = run(archive.path(), &["--org", "acme", &beta]);
    assert_eq!((refused.status, summary(&refused)), (1, counts(1, 0, 0, 1, 1)), "{refused:?}");
    assert!(refused.stderr.contains("beta"), "{refused:?}");
    verified(archive.path(), 5);
}

#[test]
fn a_folder_that_contradicts_its_rows_rejects_them_and_may_be_mapped() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let row = |id: &str, org: &str| {
        json!({ "event_id": id, "ts": 1_735_689_600, "org_id": org, "cost": "1" }).to_string()
    };
    let rows = format!("{}\n{}", row("1", "acme"), row("2", "beta"));
    file(folder.path(), "org_id=acme/engine=gpt-4/a.ndjson", rows);
    let all = folder.path().to_str().unwrap();
    let rejects = folder.path().join("rejects");
    let args = [
        "--org",
        "*",
        "--rejects",
        rejects.to_str().unwrap(),
        "--map",
        "model=engine",
        "--default",
        "provider=x",
        all,
    ];
    assert_eq!(done(archive.path(), &args), counts(2, 1, 0, 1, 1));
    let kept = std::fs::read_to_string(rejects).unwrap();
    assert!(kept.contains("org_id: its folder says acme"), "{kept}");
    let key = key(archive.path(), "acme");
    let series = scrape(&Server::start(archive.path()), &key);
    let labels = r#"{provider="x",model="gpt-4",org_id="acme"}"#;
    assert_eq!(series[&format!("llm_requests_total{labels}")], "1");
}

#[test]
fn a_delta_table_is_read_by_its_log() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let lake = folder.path().join("lake");
    table(&lake.join("calls"));
    file(&lake, "other/a.ndjson", line(100, 0));
    let [all, one] = [&lake, &lake.join("calls")].map(|path| path.to_str().unwrap().to_owned());
    assert_eq!(done(archive.path(), &["--org", "acme", &one]), counts(4, 4, 0, 0, 2));
    // The same table below a folder, by a pattern, in part, and file by file.
    assert_eq!(done(archive.path(), &["--org", "acme", &all]), counts(5, 1, 4, 0, 3));
    let pattern = format!("{one}/*.parquet");
    assert_eq!(done(archive.path(), &["--org", "acme", &pattern]), counts(2, 0, 2, 0, 1));
    let inner = format!("{one}/team=a b");
    assert_eq!(done(archive.path(), &["--org", "acme", &inner]), counts(2, 0, 2, 0, 1));
    let live = format!("{one}/new.parquet");
    assert_eq!(done(archive.path(), &["--org", "acme", &live]), counts(2, 0, 2, 0, 1));
    // Its files are Parquet, whatever the others are said to be.
    let told = ["--org", "acme", "--format", "ndjson", &one];
    assert_eq!(done(archive.path(), &told), counts(4, 0, 4, 0, 2));
    let gone = format!("{one}/old.parquet");
    let refused = run(archive.path(), &["--org", "acme", &gone]);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""), "{refused:?}");
    assert!(refused.stderr.contains("no longer holds it"), "{refused:?}");
    // What the log says of a column counts, not the name of the folder.
    let teams = ["--org", "acme", "--dry-run", "--map", "org_id=team", &one];
    let rejected = run(archive.path(), &teams);
    assert!(rejected.stderr.contains("x is not acme"), "{rejected:?}");
    verified(archive.path(), 5);
}

#[test]
fn tables_that_cannot_be_read_whole_are_refused_by_name_and_end_no_other() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let lake = folder.path();
    part(lake, "iceberg/data/a.parquet", 0..3);
    file(lake, "iceberg/metadata/00000-a.metadata.json", "{}");
    part(lake, "hudi/2026/a.parquet", 0..3);
    file(lake, "hudi/.hoodie/hoodie.properties", "");
    part(lake, "mapped/a.parquet", 0..3);
    let mapped = json!({ "delta.columnMapping.mode": "name" });
    commit(
        &lake.join("mapped"),
        0,
        &[describe(&mapped).to_vec(), vec![add("a.parquet", "x")]].concat(),
    );
    file(lake, "loose/a.ndjson", line(9, 0));
    let all = run(archive.path(), &["--org", "acme", lake.to_str().unwrap()]);
    assert_eq!((all.status, summary(&all)), (1, counts(1, 1, 0, 0, 1)), "{all:?}");
    for (name, word) in [("iceberg", "Iceberg"), ("hudi", "Hudi"), ("mapped", "columnMapping")] {
        let path = lake.join(name).display().to_string();
        assert!(all.stderr.contains(&path) && all.stderr.contains(word), "{name}: {all:?}");
    }
    for given in [
        "iceberg",
        "iceberg/data",
        "iceberg/data/*.parquet",
        "iceberg/data/a.parquet",
        "hudi",
        "hudi/2026",
        "*/2026/*",
        "mapped",
        "mapped/a.parquet",
        "iceberg/metadata",
    ] {
        let given = lake.join(given).display().to_string();
        let done = run(archive.path(), &["--org", "acme", &given]);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{given}: {done:?}");
        assert!(done.stderr.contains("table"), "{given}: {done:?}");
    }
    verified(archive.path(), 1);
}

#[test]
fn what_is_hidden_is_read_only_if_it_is_named() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    for (id, name) in
        ["a.ndjson", ".b.ndjson", "_c.ndjson", "_d/e.ndjson", ".f/g.ndjson", "h/i.ndjson"]
            .iter()
            .enumerate()
    {
        file(folder.path(), name, line(id, 0));
    }
    let at = |path: &str| folder.path().join(path).display().to_string();
    for (given, files) in [
        (".", 2),
        ("*", 2),
        ("*.ndjson", 1),
        ("**/*.ndjson", 2),
        ("_*", 2),
        ("_d/*.ndjson", 1),
        ("_d", 1),
        (".b.ndjson", 1),
        (".f/g.ndjson", 1),
    ] {
        let done = done(archive.path(), &["--org", "acme", &at(given)]);
        assert_eq!(done["files"], files, "{given}: {done}");
    }
    std::fs::create_dir(folder.path().join("h/empty")).unwrap();
    let ran = run(archive.path(), &["--org", "acme", &at("h/empty")]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("holds no file that is read"), "{ran:?}");
}
