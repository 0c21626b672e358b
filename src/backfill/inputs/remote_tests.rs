//! Tests of the search in a bucket.

use crate::archive::Objects;

use super::*;

const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"t","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"m\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":["m"],"configuration":{}}}
{"add":{"path":"m=a%2520b/live.parquet","partitionValues":{"m":"a b"},"size":7,"modificationTime":0,"dataChange":true}}"#;

async fn bucket() -> Objects {
    let objects = Objects::in_memory();
    for (key, text) in [
        ("lake/t/_delta_log/00000000000000000000.json", PROTOCOL),
        ("lake/t/m=a%20b/live.parquet", "PAR1..."),
        ("lake/t/gone.parquet", "PAR1..."),
        ("lake/i/metadata/v1.metadata.json", "{}"),
        ("lake/i/data/a.parquet", "PAR1..."),
        ("lake/h/.hoodie/hoodie.properties", ""),
        ("lake/h/a.parquet", "PAR1..."),
        ("lake/org_id=acme/a.ndjson", "{}"),
        ("lake/_x/b.ndjson", "{}"),
    ] {
        objects.put(key, text).await;
    }
    objects
}

/// The names found, and the errors for unusable inputs.
async fn found(given: &str) -> (Vec<String>, Vec<String>) {
    let objects = bucket().await;
    let url = format!("s3://b/{given}");
    let wild = url.contains(WILD);
    let key = if wild { fixed(&url) } else { &url }.trim_start_matches("s3://b/");
    let key = key.trim_end_matches('/').to_owned();
    let listed = objects.list(&key).await.unwrap();
    let pattern = wild.then(|| glob::Pattern::new(&url).unwrap());
    let root = "s3://b/".to_owned();
    let search =
        Bucket { objects, root, key, url: &url, pattern, format: None }.search(listed).await;
    let names = search.found.iter().map(|found| {
        let fields: Vec<_> =
            found.folders.iter().map(|(_, value)| value.as_deref().unwrap_or("-")).collect();
        format!("{} {}", found.name.trim_start_matches("s3://b/lake/"), fields.join(","))
    });
    (names.collect(), search.failed.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn tables_are_read_by_their_logs_or_refused_and_folders_are_fields() {
    let live = "t/m=a%20b/live.parquet a b".to_owned();
    let (names, failed) = found("lake").await;
    assert_eq!(names, ["org_id=acme/a.ndjson acme".to_owned(), live.clone()]);
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].contains("s3://b/lake/h") && failed[0].contains("Hudi"), "{failed:?}");
    assert!(failed[1].contains("s3://b/lake/i") && failed[1].contains("Iceberg"), "{failed:?}");
    for given in ["lake/t", "lake/t/m=a%20b", "lake/t/m=a%20b/live.parquet", "lake/t/*/*.parquet"] {
        assert_eq!(found(given).await, (vec![live.clone()], vec![]), "{given}");
    }
    let (names, failed) = found("lake/t/gone.parquet").await;
    assert!(names.is_empty() && failed.len() == 1 && failed[0].contains("no longer"), "{failed:?}");
    assert_eq!(found("lake/t/*.parquet").await, (vec![], vec![]));
    for (given, word) in [
        ("lake/i/data", "Iceberg"),
        ("lake/i/data/*.parquet", "Iceberg"),
        ("lake/i/data/a.parquet", "Iceberg"),
        ("lake/h/a.parquet", "Hudi"),
        ("lake/h", "Hudi"),
    ] {
        let (names, failed) = found(given).await;
        assert!(
            names.is_empty() && failed.len() == 1 && failed[0].contains(word),
            "{given}: {failed:?}"
        );
    }
}

/// As on a disk: what a pattern matches may be a folder.
#[tokio::test]
async fn a_pattern_matches_folders_too() {
    let acme = vec!["org_id=acme/a.ndjson acme".to_owned()];
    for given in ["lake/org*", "lake/o*/", "lake/org_id=[a]cme", "lake/**/a.nd*"] {
        assert_eq!(found(given).await, (acme.clone(), vec![]), "{given}");
    }
    for given in ["lake/org_id=acme/*.ndjson/", "lake/org", "lake/[o]rg"] {
        assert_eq!(found(given).await, (vec![], vec![]), "{given}");
    }
    let (names, failed) = found("l*").await;
    assert_eq!((names.len(), failed.len()), (2, 2), "{names:?} {failed:?}");
    assert_eq!((names, failed), found("lake").await);
}

#[tokio::test]
async fn what_is_hidden_is_found_only_if_it_is_named() {
    for (given, count) in
        [("lake/*/*.ndjson", 1), ("lake/_x", 1), ("lake/_*/*", 1), ("lake/_x/b.ndjson", 1)]
    {
        let (names, failed) = found(given).await;
        assert_eq!((names.len(), failed.len()), (count, 0), "{given}: {names:?}");
    }
}
