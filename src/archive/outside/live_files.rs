//! The live files of a foreign Delta table, as its log names them now. `backfill` reads them.

use std::panic::AssertUnwindSafe;
use std::path::Path as FilePath;
use std::sync::Arc;

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::{Add, EagerSnapshot};
use deltalake_core::logstore::{StorageConfig, default_logstore};
use futures::{FutureExt as _, TryStreamExt as _, future};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use parquet::arrow::async_reader::AsyncFileReader as _;
use parquet::errors::ParquetError;
use serde_json::Value;
use url::Url;

use crate::archive::error::ArchiveError;
use crate::archive::error::is_of_store;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};
use crate::archive::paths::LOG;

/// The table features that do not change the meaning of files, or whose use is checked here.
const FEATURES: [&str; 9] = [
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "typeWidening",
    "typeWidening-preview",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "appendOnly",
    "invariants",
];
/// The address that the library gets for the table. Its path is the root of `store`. Its scheme is
/// our own, so that the library does not look for a folder on this machine. A host of this form
/// means a directory bucket, whose listings have no order, as those of folders have none.
const LOCATION: &str = "tokenlake://table--x-s3/";
/// Checkpoints that are checked at the same time.
const CHECKS: usize = 16;
/// Characters that are kept of an error of the library, which can be very long.
const REASON_CHARS: usize = 200;
/// The newest known protocol for readers. It names whatever is new as a feature.
const READER_MAX: u64 = 3;

/// A file that a table names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// Its path below the table.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The partition columns, whose values all its rows share and the file does not contain; `None`
    /// is null.
    pub columns: Vec<(String, Option<String>)>,
}

/// The live files of the table in this folder, sorted by path.
///
/// # Errors
/// Corrupt or Unsupported if the log cannot be read or is not understood; Unavailable.
pub async fn live_files_in(folder: &FilePath) -> Result<Vec<LiveFile>, ArchiveError> {
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| ArchiveError::unavailable(format!("opening {}", name(folder)), error))?;
    live_files(Arc::new(store), &name(folder)).await
}

fn name(folder: &FilePath) -> String {
    folder.display().to_string()
}

/// The live files of the table whose root is `store`, sorted by path. Messages call it `name`.
///
/// # Errors
/// Unsupported if rows of files are deleted by deletion vectors, columns have other names in files,
/// a file is outside the table, or the table has an unknown feature; Corrupt if the log is damaged;
/// Unavailable.
pub(in crate::archive) async fn live_files(
    store: Arc<dyn ObjectStore>,
    name: &str,
) -> Result<Vec<LiveFile>, ArchiveError> {
    let failed = |error: DeltaTableError| {
        if is_of_store(&error) {
            return ArchiveError::unavailable(format!("reading the log of {name}"), error);
        }
        let reason: String = error.to_string().chars().take(REASON_CHARS).collect();
        ArchiveError::corrupt(format!("{name}/_delta_log"), reason)
    };
    let location =
        Url::parse(LOCATION).map_err(|error| ArchiveError::internal("naming a table", error))?;
    let log = default_logstore(store.clone(), store.clone(), &location, &StorageConfig::default());
    check_checkpoints(&store, name).await?;
    let table = EagerSnapshot::try_new(log.as_ref(), None).await.map_err(failed)?;
    let describe = |value: Result<Value, serde_json::Error>| {
        value.map_err(|error| ArchiveError::internal("reading a table's description", error))
    };
    check_table(
        name,
        &describe(serde_json::to_value(table.protocol()))?,
        &describe(serde_json::to_value(table.metadata()))?,
    )?;
    let mut files = Vec::new();
    let mut views = table.file_views(log.as_ref(), None);
    while let Some(view) = views.try_next().await.map_err(failed)? {
        #[allow(deprecated, reason = "only the action has all fields of a file")]
        files.push(live_file(name, view.add_action())?);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Makes sure that the library can parse the checkpoints of a log.
async fn check_checkpoints(store: &Arc<dyn ObjectStore>, name: &str) -> Result<(), ArchiveError> {
    let unlisted = |error| ArchiveError::unavailable(format!("listing the log of {name}"), error);
    let objects = store.list(Some(&Path::from(LOG))).map_err(unlisted);
    let checkpoints =
        objects.try_filter(|object| future::ready(object.location.extension() == Some("parquet")));
    checkpoints
        .try_for_each_concurrent(CHECKS, |object| async move {
            let path = format!("{name}/{}", object.location);
            let object = CheckedObject::new(object.location, object.size, None);
            let mut reader = CheckedReader::new(store.clone(), object);
            let found = AssertUnwindSafe(reader.get_metadata(None)).catch_unwind().await;
            match found {
                // The library may not need a checkpoint that is damaged in another way.
                Ok(Err(ParquetError::NYI(reason))) => Err(ArchiveError::corrupt(path, reason)),
                _ => Ok(()),
            }
        })
        .await
}

fn unsupported(name: &str, reason: String) -> ArchiveError {
    ArchiveError::Unsupported { path: name.to_owned(), reason }
}

/// Makes sure that the table's files alone say what its rows are.
fn check_table(name: &str, protocol: &Value, metadata: &Value) -> Result<(), ArchiveError> {
    let reader = protocol.get("minReaderVersion").and_then(Value::as_u64).unwrap_or(u64::MAX);
    if reader > READER_MAX {
        return Err(unsupported(name, format!("its Delta protocol {reader} is not supported")));
    }
    let features = protocol.get("readerFeatures").and_then(Value::as_array);
    let features = features.into_iter().flatten().filter_map(Value::as_str);
    if let Some(unknown) = features.into_iter().find(|feature| !FEATURES.contains(feature)) {
        return Err(unsupported(
            name,
            format!("it uses the Delta feature {unknown}, which is not supported; export it first"),
        ));
    }
    let settings = metadata.get("configuration");
    let mapping = settings.and_then(|map| map.get("delta.columnMapping.mode")?.as_str());
    match mapping {
        None | Some("none") => Ok(()),
        Some(mode) => Err(unsupported(
            name,
            format!(
                "its columns have other names in its files (delta.columnMapping.mode is {mode}); export it first"
            ),
        )),
    }
}

fn live_file(name: &str, add: Add) -> Result<LiveFile, ArchiveError> {
    if add.deletion_vector.is_some() {
        let reason = format!(
            "rows of {} are deleted by a deletion vector, which is not applied; rewrite the table first (REORG TABLE … APPLY (PURGE))",
            add.path
        );
        return Err(unsupported(name, reason));
    }
    let inside = !add.path.contains("://")
        && !add.path.starts_with('/')
        && add.path.split('/').all(|part| part != "..");
    if !inside {
        let reason =
            format!("{} is outside of it; backfill the table that it belongs to", add.path);
        return Err(unsupported(name, reason));
    }
    let bytes = u64::try_from(add.size).map_err(|_| {
        ArchiveError::corrupt(format!("{name}/{}", add.path), "its size is negative")
    })?;
    let mut columns: Vec<_> = add.partition_values.into_iter().collect();
    columns.sort_unstable();
    Ok(LiveFile { path: add.path, bytes, columns })
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"event_id","type":"string","nullable":true,"metadata":{}},{"name":"org id","type":"string","nullable":true,"metadata":{}}]}"#;

    async fn of(entries: &[Vec<Value>]) -> Result<Vec<LiveFile>, ArchiveError> {
        let store = Arc::new(InMemory::new());
        for (version, actions) in entries.iter().enumerate() {
            let lines: Vec<_> = actions.iter().map(Value::to_string).collect();
            let path = format!("_delta_log/{version:020}.json");
            store.put(&path.into(), lines.join("\n").into()).await.unwrap();
        }
        live_files(store, "the/table").await
    }

    fn table(protocol: &Value, settings: &Value) -> Vec<Value> {
        vec![
            json!({ "protocol": protocol }),
            json!({ "metaData": {
                "id": "a", "format": { "provider": "parquet", "options": {} },
                "schemaString": SCHEMA, "partitionColumns": ["org id"], "configuration": settings,
            } }),
        ]
    }

    fn plain() -> Vec<Value> {
        table(&json!({ "minReaderVersion": 1, "minWriterVersion": 2 }), &json!({}))
    }

    fn add(path: &str, org: &Value) -> Value {
        json!({ "add": {
            "path": path, "partitionValues": { "org id": org }, "size": 7,
            "modificationTime": 0, "dataChange": true,
        } })
    }

    #[tokio::test]
    async fn what_was_removed_is_no_file_and_paths_are_those_of_the_store() {
        let first = [plain(), vec![add("a.parquet", &json!("x")), add("b.parquet", &json!("x"))]];
        let second = vec![
            json!({ "remove": { "path": "a.parquet", "dataChange": true, "deletionTimestamp": 1 } }),
            // On the disk its folder is `org id=a%2Fb`.
            add("org%20id=a%252Fb/c.parquet", &json!("a/b")),
            add("d.parquet", &Value::Null),
        ];
        let files = of(&[first.concat(), second]).await.unwrap();
        let file = |path: &str, org: Option<&str>| LiveFile {
            path: path.to_owned(),
            bytes: 7,
            columns: vec![("org id".to_owned(), org.map(str::to_owned))],
        };
        let expected = [
            file("b.parquet", Some("x")),
            file("d.parquet", None),
            file("org id=a%2Fb/c.parquet", Some("a/b")),
        ];
        assert_eq!(files, expected);
    }

    #[tokio::test]
    async fn a_table_whose_files_do_not_say_all_is_refused_by_name() {
        let features = |feature: &str| json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [feature], "writerFeatures": [feature] });
        let mapped = json!({ "delta.columnMapping.mode": "name" });
        let mut deleted = add("a.parquet", &Value::Null);
        deleted["add"]["deletionVector"] = json!({
            "storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4, "sizeInBytes": 40, "cardinality": 6,
        });
        let outside = add("s3://other/a.parquet", &Value::Null);
        let cases = [
            (
                "columnMapping",
                table(&json!({ "minReaderVersion": 2, "minWriterVersion": 5 }), &mapped),
            ),
            (
                "deletion vector",
                [table(&features("deletionVectors"), &json!({})), vec![deleted]].concat(),
            ),
            ("outside", [plain(), vec![outside]].concat()),
        ];
        for (word, entry) in cases {
            let error = of(&[entry]).await.unwrap_err().to_string();
            assert!(error.contains("the/table") && error.contains(word), "{error}");
        }
        assert!(of(&[]).await.is_err());
    }
}
