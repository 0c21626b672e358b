//! Fuzz tests of files for a backfill.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::tempdir;
use tokenlake::backfill::{InputFormat, Inputs, Job, JobSettings};
use tokenlake::error::Kind;
use tokenlake::event::{OrgId, OrgRule};
use tokio::runtime::Runtime;

use crate::support::event::{ACME, NOON};
use crate::support::mutation::each_of;

/// Reads a file as a dry run does: each row is an event or is refused.
fn files(target: &str, format: InputFormat, inputs: Vec<Vec<u8>>, mutations: usize) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("input");
    let runtime = Runtime::new().unwrap();
    each_of(target, inputs, mutations, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let org_rule = OrgRule::Only(OrgId::parse(ACME).unwrap());
        let settings = JobSettings {
            held_bytes_max: 4 << 20,
            spill_folder: folder.path().to_owned(),
            ..JobSettings::new(org_rule, NOON)
        };
        let outcome = runtime.block_on(async {
            let input = path.to_str().unwrap().to_owned();
            let inputs = Inputs::find(&[input], Some(format)).await.unwrap();
            let job = Job::new(None, inputs, settings, Arc::default()).await.unwrap();
            job.run(std::future::pending()).await
        });
        let summary = outcome.summary;
        assert_eq!(summary.read, summary.accepted + summary.rejected, "{summary:?}");
        assert_eq!(outcome.unread.first.is_empty(), summary.files == 1, "{:?}", outcome.unread);
        // The file is to blame, or all of its rows are.
        let rejected = summary.read > 0 && summary.rejected == summary.read;
        assert_eq!(outcome.error.is_some(), rejected, "{:?}", outcome.error);
        let errors = outcome.unread.first.iter().chain(&outcome.error);
        errors.for_each(|error| assert_eq!(error.kind(), Kind::Invalid, "{error}"));
    });
}

fn parquet_file(compression: Compression) -> Vec<u8> {
    let text = |values: [&str; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let rows = RecordBatch::try_from_iter([
        ("event_id", text(["a", "b", ""])),
        ("ts", text(["2026-01-15T10:00:00Z", "1768471200", "never"])),
        ("model", text(["m", "m", "n"])),
        ("input_tokens", Arc::new(Int64Array::from(vec![Some(1), None, Some(-1)])) as ArrayRef),
        ("cost_usd", text(["0.1", "1e-3", "x"])),
    ]);
    let rows = rows.unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn csv() {
    files("csv", InputFormat::Csv, Vec::new(), 60);
}

#[test]
fn json() {
    files("backfill-json", InputFormat::Json, Vec::new(), 60);
}

#[test]
fn parquet() {
    let inputs = [Compression::UNCOMPRESSED, Compression::SNAPPY].map(parquet_file).to_vec();
    files("parquet", InputFormat::Parquet, inputs, 400);
}
