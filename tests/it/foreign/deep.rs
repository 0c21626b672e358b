//! Tests of input by other programs that nests thousands of levels deep: an error of that file or
//! commit, and the process lives on.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde_json::json;
use tempfile::tempdir;
use tokio::runtime::Runtime;

use crate::support::client;
use crate::support::event::events;
use crate::support::foreign::{File, commit, live};
use crate::support::lake::Lake;
use crate::support::process::{Server, key, tokenlake};
use crate::support::store::write;
use crate::support::wide::nested;

#[test]
fn a_deep_schema_of_a_file_or_of_the_table_is_an_error_and_no_end() {
    let columns = |levels: usize| {
        let text =
            r#"{"type":"struct","fields":[{"name":"a","nullable":true,"metadata":{},"type":"#;
        format!("{}\"string\"{}", text.repeat(levels), "}]}".repeat(levels))
    };
    for name in ["file", "told-file", "table"] {
        let folder = tempdir().unwrap();
        let archive = folder.path();
        let key = key(archive, "acme");
        let store: Arc<dyn ObjectStore> =
            Arc::new(LocalFileSystem::new_with_prefix(archive).unwrap());
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            Lake::open(&store).await.sent(&events(0..3)).await;
        });
        let server = Server::start(archive);
        runtime.block_on(async {
            let date = live(&store).await.1.remove(0).date;
            let path = format!("event_date={date}/deep.parquet");
            let bytes = nested(3_000);
            let file = File { path, date, size: bytes.len() as u64, rows: 1 };
            write(&store, &file.place(), bytes).await;
            let mut add = file.add(true);
            if name == "told-file" {
                add["add"].as_object_mut().unwrap().remove("stats");
            }
            let metadata = json!({ "metaData": {
                "id": "x", "format": { "provider": "parquet", "options": {} },
                "schemaString": columns(3_000), "partitionColumns": ["event_date"],
                "configuration": {},
            }});
            commit(&store, &[if name == "table" { metadata } else { add }]).await;
        });
        let get = |path: &str| client::get(&server.url(path), &key).status;
        let asked =
            client::post(&server.url("/v1/sql"), &key, "text/plain", "SELECT * FROM events");
        eprintln!("{name}: {} {}", get("/metrics"), asked.status);
        for args in [
            ["verify"].as_slice(),
            &["sql", "-c", "SELECT * FROM events"],
            &["compact"],
            &["repair", "--dry-run"],
            &["repair"],
            &["verify"],
        ] {
            // Killed by a signal, it has no status.
            let done = tokenlake(archive, args);
            assert!(matches!(done.status, 0 | 1), "{name} {args:?}: {done:?}");
            assert!(!done.stderr.contains("panicked"), "{name} {args:?}: {done:?}");
        }
        assert_eq!(get("/metrics"), 200, "{name}: {}", server.stderr());
        let done = tokenlake(archive, &["verify"]);
        assert_eq!(done.status, 0, "{name}, repaired: {done:?}");
        assert!(done.stdout.contains("verified 3 events"), "{name}: {done:?}");
    }
}
