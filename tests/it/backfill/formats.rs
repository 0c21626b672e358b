//! Tests of each format and compression, of folders and patterns, and of unreadable inputs.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, MapBuilder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use tempfile::tempdir;

use super::{counts, done, file, line, run, summary, verified};
use crate::support::process::{Server, key};
use crate::support::scrape::scrape;

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(super) fn csv(rows: std::ops::Range<usize>) -> String {
    let rows = rows.map(|id| format!("e{id},{},openai,\"gpt-4o\",1,,\n", 1_735_689_600 + id));
    format!(
        "event_id,ts,provider,model,input_tokens,output_tokens,cost_usd\n{}",
        rows.collect::<String>()
    )
}

#[test]
fn each_format_and_compression_is_read() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let lines = |range: std::ops::Range<usize>| range.map(|id| line(id, 0)).collect::<Vec<_>>();
    let ndjson = lines(0..10).join("\r\n\n");
    let inputs = [
        ("a.ndjson", ndjson.clone().into_bytes()),
        ("b.jsonl.gz", gzip(lines(10..20).join("\n").as_bytes())),
        ("c.ndjson.zst", zstd::encode_all(lines(20..30).join("\n").as_bytes(), 1).unwrap()),
        ("d.json", format!("[{}]", lines(30..40).join(",\n")).into_bytes()),
        ("e.json.gz", gzip(format!("{{\"events\":[{}]}}", lines(40..50).join(",")).as_bytes())),
        ("f.json", lines(50..60).join("\n").into_bytes()),
        ("g.csv", format!("\u{feff}{}", csv(60..70)).into_bytes()),
        ("h/i.csv.zst", zstd::encode_all(csv(70..80).as_bytes(), 1).unwrap()),
        // Two members, as `cat a.gz b.gz` makes them.
        (
            "h/j.ndjson.gz",
            [gzip(format!("{}\n", line(80, 0)).as_bytes()), gzip(line(81, 0).as_bytes())].concat(),
        ),
        ("h/README", b"not a format".to_vec()),
        ("_done/k.csv", b"hidden".to_vec()),
    ];
    for (name, bytes) in &inputs {
        file(folder.path(), name, bytes);
    }
    let all = folder.path().to_str().unwrap();
    assert_eq!(done(archive.path(), &["--org", "acme", all]), counts(82, 82, 0, 0, 9));
    // The same files by a pattern, and one of them twice.
    let (pattern, one) = (format!("{all}/*.csv"), format!("{all}/g.csv"));
    let again = done(archive.path(), &["--org", "acme", &pattern, &one]);
    assert_eq!(again, counts(10, 0, 10, 0, 1));
    // A format that the ending does not tell.
    let other = file(folder.path(), "x.log", &ndjson);
    assert_eq!(run(archive.path(), &["--org", "acme", &other]).status, 1);
    let told = done(archive.path(), &["--org", "acme", "--format", "ndjson", &other]);
    assert_eq!(told, counts(10, 0, 10, 0, 1));
    verified(archive.path(), 82);
}

pub(super) fn parquet(path: &Path, batch: &RecordBatch) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// Some events without a provider.
pub(super) fn rows(ids: std::ops::Range<usize>) -> RecordBatch {
    let names = ids.clone().map(|id| format!("e{id}")).collect::<Vec<_>>();
    let columns: [(&str, ArrayRef); 3] = [
        ("event_id", Arc::new(StringArray::from(names))),
        ("ts", Arc::new(Int64Array::from(vec![1_735_689_600; ids.len()]))),
        ("model", Arc::new(StringArray::from(vec!["gpt-4o"; ids.len()]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn batch() -> RecordBatch {
    let at = 1_735_689_600_000_000_i64;
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for team in ["ops", "dev", "qa"] {
        map.keys().append_value("team");
        map.values().append_value(team);
        map.append(true).unwrap();
    }
    let cost = Decimal128Array::from(vec![Some(1), None, Some(2_500_000_000_000)]);
    let columns: [(&str, ArrayRef); 9] = [
        ("id", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        (
            "naive",
            Arc::new(TimestampNanosecondArray::from(vec![
                at * 1_000 + 999,
                at * 1_000,
                at * 1_000,
            ])),
        ),
        ("zoned", Arc::new(TimestampMicrosecondArray::from(vec![at; 3]).with_timezone("+05:30"))),
        ("provider", Arc::new(StringArray::from(vec![Some("OpenAI"), None, Some("openai")]))),
        ("model", Arc::new(StringArray::from(vec!["gpt-4o"; 3]))),
        ("input_tokens", Arc::new(Int32Array::from(vec![1, 2, 3]))),
        ("output_tokens", Arc::new(Float64Array::from(vec![10.0, 20.0, 30.0]))),
        ("cost_usd", Arc::new(cost.with_precision_and_scale(18, 12).unwrap())),
        ("stream", Arc::new(BooleanArray::from(vec![true, false, true]))),
    ];
    let columns = columns.into_iter().chain([("attributes", Arc::new(map.finish()) as ArrayRef)]);
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn parquet_is_read_with_its_types() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let path = folder.path().join("a.parquet");
    parquet(&path, &batch());
    let input = path.to_str().unwrap();
    let by = |ts| {
        [
            "--org",
            "acme",
            "--map",
            "event_id=id",
            "--map",
            ts,
            "--default",
            "provider=openai",
            input,
        ]
    };
    assert_eq!(done(archive.path(), &by("ts=naive")), counts(3, 3, 0, 0, 1));
    // The same instants, so the same dates, on which the ids are found.
    assert_eq!(done(archive.path(), &by("ts=zoned")), counts(3, 0, 3, 0, 1));
    let key = key(archive.path(), "acme");
    let series = scrape(&Server::start(archive.path()), &key);
    let labels = r#"{provider="openai",model="gpt-4o",org_id="acme"}"#;
    assert_eq!(series[&format!("llm_tokens_total{labels}")], "66");
    // The one without a cost has the list price, 0.000205.
    assert_eq!(series[&format!("llm_cost_usd_total{labels}")], "2.500205000001");
    // A column that is not there, in Parquet and CSV.
    let csv = file(folder.path(), "b.csv", csv(0..1));
    for input in [input, &csv] {
        let done = run(archive.path(), &["--org", "acme", "--map", "ts=when", input]);
        assert_eq!(done.status, 1, "{done:?}");
        assert!(done.stderr.contains("no column \"when\" for ts"), "{done:?}");
    }
}

#[test]
fn what_the_archive_itself_wrote_can_be_brought_in() {
    let (archive, other, folder) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let input = file(
        folder.path(),
        "a.ndjson",
        (0..50).map(|id| line(id, id % 3) + "\n").collect::<String>(),
    );
    done(archive.path(), &["--org", "acme", &input]);
    let pattern = format!("{}/events/event_date=*/*.parquet", archive.path().display());
    assert_eq!(done(other.path(), &["--org", "*", &pattern]), counts(50, 50, 0, 0, 3));
    assert_eq!(done(other.path(), &["--org", "acme", &input]), counts(50, 0, 50, 0, 1));
    verified(other.path(), 50);
}

#[test]
fn an_input_that_cannot_be_read_is_named_and_what_came_before_stays() {
    let folder = tempdir().unwrap();
    let good = file(folder.path(), "a.ndjson", line(1, 0));
    let cut = gzip((0..5_000).map(|id| line(id, 0) + "\n").collect::<String>().as_bytes());
    let cases = [
        file(folder.path(), "cut.ndjson.gz", &cut[..cut.len() / 2]),
        file(folder.path(), "cut.csv", format!("{}\"{}", csv(7..9), "x".repeat(17 << 20))),
        file(folder.path(), "no.parquet", "this is no Parquet file"),
        file(folder.path(), "cut.json", format!("[{},", line(7, 0))),
        file(folder.path(), "no.csv.zst", b"\x28\xb5\x2f\xfd this is no zstd"),
    ];
    for bad in cases {
        let archive = tempdir().unwrap();
        let done = run(archive.path(), &["--org", "acme", &good, &bad]);
        assert_eq!(done.status, 1, "{done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
        assert!(done.stderr.starts_with("error: ") && done.stderr.contains(&bad), "{done:?}");
        let summary = summary(&done);
        assert_eq!(summary["files"], 1, "{summary}");
        let accepted = usize::try_from(summary["accepted"].as_u64().unwrap()).unwrap();
        // Rows of the file itself that came before the flaw.
        let more = usize::from(bad.contains("cut."));
        assert!(accepted > more, "{summary}");
        verified(archive.path(), accepted);
    }
    for missing in ["nowhere.ndjson", "nowhere/*.csv", "s3://"] {
        let done = run(folder.path(), &["--org", "acme", missing]);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
        assert!(done.stderr.lines().count() == 1 && done.stderr.contains(missing), "{done:?}");
    }
}
