//! Tests of damage to files that another program wrote: once a server has counted such a file, its
//! damage is an error that names it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use tokenlake::app::AppSettings;
use tokenlake::clock::{Clock as _, HOUR, SystemClock};

use super::three_files;
use crate::compact::{compact, vacuum};
use crate::support::event::{ACME, events};
use crate::support::foreign::{live, rewrite};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{paths, read, write};
use crate::support::totals::delete;

/// Bits that are flipped in a file.
const FLIPS: usize = 60;

async fn records(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    paths(store, "foreign").await
}

/// What a process that starts shows, or its error.
async fn shown(store: &Arc<dyn ObjectStore>) -> Result<String, String> {
    let app = Lake::try_open(store, settings()).await.map_err(|error| error.to_string())?;
    app.try_scrape(ACME).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_flipped_bit_in_a_file_that_was_counted_is_an_error_that_names_it() {
    let store = three_files().await;
    rewrite(&store).await;
    let right = Lake::open(&store).await.scrape(ACME).await;
    for file in live(&store).await.1 {
        let (place, whole) = (file.place(), read(&store, &file.place()).await);
        for at in (0..FLIPS).map(|at| at * whole.len() / FLIPS) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            write(&store, &place, flipped).await;
            let error = shown(&store).await.expect_err(&format!("{place}, byte {at}"));
            assert!(error.contains(&place), "{place}, byte {at}: {error}");
        }
        write(&store, &place, whole).await;
    }
    assert_eq!(shown(&store).await, Ok(right));
}

#[tokio::test]
async fn files_whose_rows_were_only_moved_are_noted_though_nobody_counts_them() {
    let store = three_files().await;
    let settings = AppSettings { totals_work_max: Some(u64::MAX), ..settings() };
    let app = Lake::try_open(&store, settings).await.unwrap();
    let right = app.scrape(ACME).await;
    rewrite(&store).await;
    assert_eq!(app.scrape(ACME).await, right);
    let count = live(&store).await.1.len();
    let began = Instant::now();
    while records(&store).await.len() < count {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", records(&store).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_noted_keeps_no_other_from_it() {
    let store = three_files().await;
    rewrite(&store).await;
    let app = Lake::open(&store).await;
    let (snapshot, judge) = (app.snapshot().await, app.engine().noting());
    let (first, files) = (live(&store).await.1.remove(0), live(&store).await.1);
    let whole = read(&store, &first.place()).await;
    delete(&store, &first.place()).await;
    let mut noted = HashSet::new();
    let error = judge.judge().note_all(&snapshot, &mut noted).await.unwrap_err().to_string();
    assert!(error.contains(&first.place()), "{error}");
    assert_eq!((noted.len(), records(&store).await.len()), (files.len() - 1, files.len() - 1));
    write(&store, &first.place(), whole).await;
    judge.judge().note_all(&snapshot, &mut noted).await.unwrap();
    assert_eq!((noted.len(), records(&store).await.len()), (files.len(), files.len()));
}

#[tokio::test]
async fn what_is_noted_of_a_file_goes_with_it() {
    let store = three_files().await;
    rewrite(&store).await;
    let count = live(&store).await.1.len();
    assert!(verified(&store).await > 0);
    assert_eq!(records(&store).await, [""; 0], "a check writes nothing");
    let app = Lake::open(&store).await;
    app.scrape(ACME).await;
    assert_eq!(records(&store).await.len(), count);
    // The store goes by the machine's clock.
    app.clock.set(SystemClock.now() + HOUR / 2);
    assert_eq!(vacuum(&app).await, count, "the files that were live before");
    assert_eq!(records(&store).await.len(), count, "the files are live");
    for id in 100..109 {
        app.sent(&events([id])).await;
    }
    assert!(compact(&app).await > 0);
    vacuum(&app).await;
    let left = live(&store).await.1.iter().filter(|file| file.path.contains("/other-")).count();
    assert!(left < count, "some were compacted");
    assert_eq!(records(&store).await.len(), left);
    assert_eq!(verified(&store).await, 27);
}

#[tokio::test]
async fn a_record_that_is_damaged_is_an_error_that_names_it() {
    let store = three_files().await;
    rewrite(&store).await;
    let right = Lake::open(&store).await.scrape(ACME).await;
    let all = records(&store).await;
    let mut bytes = read(&store, &all[0]).await;
    let whole = bytes.clone();
    bytes[20] ^= 1;
    write(&store, &all[0], bytes).await;
    let error = shown(&store).await.unwrap_err();
    assert!(error.contains(&all[0]), "{error}");
    let other = read(&store, &all[1]).await;
    write(&store, &all[0], other).await;
    let error = shown(&store).await.unwrap_err();
    assert!(error.contains(&all[0]), "{error}");
    write(&store, &all[0], whole).await;
    assert_eq!(shown(&store).await, Ok(right));
}
