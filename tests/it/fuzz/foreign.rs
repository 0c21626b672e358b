//! Fuzz tests of files that other programs append: any content is read or refused, and other files
//! are not affected.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use tokenlake::error::Kind;
use tokio::runtime::Runtime;

use crate::foreign::int96;
use crate::support::event::{ACME, Event, NOON, events};
use crate::support::foreign::{File, commit};
use crate::support::foreign_files::{SHAPES, TODAY, parquet, rows};
use crate::support::lake::{Lake, verify};
use crate::support::mutation::each_of;
use crate::support::store::write;
use tokenlake::clock::DAY;

#[test]
fn a_file_of_another_program() {
    let (store, runtime) = (InMemory::new(), Runtime::new().unwrap());
    let shared: Arc<dyn ObjectStore> = Arc::new(store.clone());
    runtime.block_on(async { Lake::open(&shared).await.sent(&events(0..5)).await });
    let theirs = events(["x", "y", "z"]);
    let shapes = ["as ours", "dictionaries of text", "longer decimals", "maps with other parts"];
    let shapes = SHAPES.iter().filter(|(name, _)| shapes.contains(name));
    let files = shapes.map(|(_, shape)| parquet(&shape(&rows(ACME, &theirs))));
    let files = files.chain([int96::parquet(ACME, &theirs)]).collect();
    each_of("foreign-file", files, 12, |bytes| {
        let fork: Arc<dyn ObjectStore> = Arc::new(store.fork());
        runtime.block_on(async {
            let path = format!("event_date={TODAY}/theirs.parquet");
            let file = File { path, date: TODAY.into(), size: bytes.len() as u64, rows: 3 };
            write(&fork, &file.place(), bytes.to_vec()).await;
            commit(&fork, &[file.add(true)]).await;
            let app = Lake::open(&fork).await;
            let checked = |error: tokenlake::app::AppError| {
                assert!(matches!(error.kind(), Kind::Corrupt | Kind::Unavailable), "{error}");
            };
            app.try_scrape(ACME).await.map_or_else(checked, drop);
            app.send(ACME, &events(["x", "new"])).await.map_or_else(checked, drop);
            let elsewhere = Event::new("elsewhere").at(NOON - 5 * DAY);
            assert_eq!(app.sent(&[elsewhere]).await, (1, 0), "the process lives on");
            verify(&fork).await;
        });
    });
}
