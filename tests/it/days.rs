//! Sums without hours that files carry, and the times at which series began: the same as of the rows,
//! whatever becomes of the files.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray as _;
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use proptest::prelude::*;
use tokenlake::archive::{ArchiveLocation, DataFile, TotalsStore};
use tokenlake::clock::{Clock as _, DAY, HOUR, Micros, SECOND};
use tokenlake::error::Kind;
use tokenlake::event::OrgId;
use tokenlake::rollup::{Asked, Partial, Rollup, Starts, UsageScope, UsageView};
use tokenlake::sql::{CarriedCells, CellKind, Console, Engine, PartialRow, sql_version, started};
use tokenlake::telemetry::Telemetry;

use crate::compact::{compact, vacuum};
use crate::support::event::{ACME, Event, NOON};
use crate::support::lake::{CACHE_BYTES_MAX, Lake, verified};
use crate::support::random::Random;
use crate::support::rewrite::{dates, rewrite};
use crate::support::store::memory;

/// When series began, by provider and model; `None` where that is not known.
type SeriesStarts = BTreeMap<(String, String), Option<Micros>>;

fn rollup(lake: &Lake) -> Rollup {
    let store = lake.app.archive().store();
    let totals = TotalsStore::new(store, lake.clock.clone(), sql_version()).unwrap();
    Rollup::new(Arc::new(lake.engine()), Some(totals), CACHE_BYTES_MAX, Telemetry::new())
}

/// The starts that `rollup` shows of an organisation.
async fn shown(rollup: &Rollup, lake: &Lake, org: &str) -> SeriesStarts {
    let asked = Asked {
        whole: Arc::new(UsageScope::org(&OrgId::parse(org).unwrap())),
        corrections: None,
        dimensions: Vec::new(),
        shows_own: false,
        starts: Starts::Wanted,
    };
    let (snapshot, now) = (lake.snapshot().await, lake.clock.now());
    let shown = rollup.show_asked(asked, &snapshot, now, |view| {
        let series = view
            .series
            .keys()
            .map(|key| ((key.0.to_string(), key.1.to_string()), view.created(key)));
        series.collect()
    });
    shown.await.unwrap()
}

/// Those that a process shows that has just started.
async fn cold(lake: &Lake, org: &str) -> SeriesStarts {
    shown(&rollup(lake), lake, org).await
}

/// Those that the rows tell.
async fn in_rows(lake: &Lake, org: &str) -> SeriesStarts {
    let console = Console::new(lake.app.archive().store()).unwrap();
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let query = format!(
        "SELECT lower(btrim(provider)) AS p, lower(btrim(model)) AS m, min(ingested_at) AS at \
         FROM events WHERE event_type = 'api_call' AND org_id = '{org}' GROUP BY 1, 2"
    );
    let answer = console.query(&files, None, &query).await.unwrap();
    let batches: Vec<_> = answer.batches.try_collect().await.unwrap();
    let mut starts = SeriesStarts::new();
    for rows in &batches {
        let texts = |name: &str| rows[name].as_string::<i32>().clone();
        let times = rows["at"].as_primitive::<TimestampMicrosecondType>();
        for ((p, m), at) in texts("p").iter().zip(&texts("m")).zip(times) {
            if let Some((p, m)) = p.zip(m).filter(|(p, m)| *p != "unknown" && *m != "unknown") {
                starts.insert((p.to_owned(), m.to_owned()), at);
            }
        }
    }
    starts
}

async fn cells_of(engine: &Engine, kind: &CellKind, file: &DataFile) -> Option<Vec<PartialRow>> {
    let carried = CarriedCells::of(kind, file)?;
    let all = (Bound::Unbounded, Bound::Unbounded);
    Some(engine.stored_partial(carried, all).await.unwrap())
}

/// What a file carries without hours is what its rows give, and what its cells with hours add up to.
async fn assert_alike(lake: &Lake) {
    let engine = lake.engine();
    for file in lake.snapshot().await.files() {
        let made = engine.cells(&CellKind::Days, file).await.unwrap();
        let Some(days) = cells_of(&engine, &CellKind::Days, file).await else { continue };
        assert_eq!(Partial::new(days.clone()), Partial::new(made), "{}", file.path);
        let hours = cells_of(&engine, &CellKind::Core, file).await.unwrap();
        let without = |rows: Vec<PartialRow>| {
            let rows = rows.into_iter().map(|mut row| {
                row.totals.further = None;
                row
            });
            Partial::new(rows.collect())
        };
        assert_eq!(without(started(hours, Some(1))), without(days), "{}", file.path);
    }
}

/// Calls of two days, more of them than hours.
fn calls(from: usize) -> Vec<Event> {
    let call = |id: usize| {
        let ago = (id as Micros * 37 % 48) * HOUR + id as Micros * SECOND;
        Event::new(id).at(NOON - ago).model(["a", "B ", "unknown"][id % 3])
    };
    (from..from + 90).map(call).collect()
}

async fn files(lake: &Lake) -> Vec<Arc<DataFile>> {
    lake.snapshot().await.files().cloned().collect()
}

fn has_block(file: &DataFile) -> bool {
    file.stored_cells(&CellKind::Days.version()).is_some()
}

#[tokio::test]
async fn files_carry_sums_without_hours_where_these_are_fewer() {
    let lake = Lake::open(&memory()).await;
    lake.sent(&[Event::new("alone").at(NOON - 9 * DAY)]).await;
    for file in files(&lake).await {
        assert!(!has_block(&file) && file.ingested_at() == Some(NOON), "{}", file.path);
        assert!(CarriedCells::of(&CellKind::Days, &file).is_some());
    }
    lake.sent(&calls(0)).await;
    let many = files(&lake).await;
    assert_eq!(many.iter().filter(|file| has_block(file)).count(), 3);
    assert_alike(&lake).await;
    // What came at two instants, and has as many series as cells, has them all the same.
    lake.pass(SECOND);
    lake.sent(&[Event::new("beside").at(NOON - 9 * DAY).model("other")]).await;
    let date = many[0].date;
    compact(&lake).await;
    let merged: Vec<_> =
        files(&lake).await.into_iter().filter(|file| file.rows == Some(2)).collect();
    for file in merged {
        assert!(has_block(&file) && file.ingested_at().is_none(), "{date}");
    }
    assert_alike(&lake).await;
    verified(&lake.store).await;
}

#[tokio::test]
async fn series_begin_when_their_first_event_is_ingested_whatever_becomes_of_its_file() {
    let store = memory();
    let lake = Lake::open(&store).await;
    let warm = rollup(&lake);
    lake.sent(&calls(0)).await;
    lake.pass(20 * SECOND);
    // Events of earlier that came later.
    let old = |id: &str, model: &str| Event::new(id).at(NOON - 30 * DAY).model(model);
    lake.sent(&[old("x", "a"), old("y", "late"), old("z", "late").at(NOON - 31 * DAY)]).await;
    lake.pass(20 * SECOND);
    lake.sent(&calls(90)).await;
    lake.sent(&[Event::new("w").model("late"), Event::new("v").model("last")]).await;
    let expected = in_rows(&lake, ACME).await;
    let at = |model: &str, after: Micros| {
        ((String::from("openai"), model.to_owned()), Some(NOON + after * SECOND))
    };
    let known = [at("a", 0), at("b", 0), at("late", 20), at("last", 40)];
    assert_eq!(expected, SeriesStarts::from(known));
    assert_eq!(shown(&warm, &lake, ACME).await, expected);
    assert_eq!(cold(&lake, ACME).await, expected);

    compact(&lake).await;
    assert_eq!(in_rows(&lake, ACME).await, expected, "rows are moved as they are");
    vacuum(&lake).await;
    assert_eq!(shown(&warm, &lake, ACME).await, expected);
    assert_eq!(cold(&lake, ACME).await, expected);

    warm.snapshot_totals(&lake.snapshot().await, lake.clock.now()).await.unwrap();
    lake.expire(10).await.unwrap();
    assert_ne!(in_rows(&lake, ACME).await, expected, "some have expired");
    for round in 0..2 {
        lake.pass(20 * SECOND);
        lake.sent(&[Event::new(format!("again {round}")).model("late")]).await;
        assert_eq!(shown(&warm, &lake, ACME).await, expected);
        assert_eq!(cold(&lake, ACME).await, expected, "from the totals snapshot");
        let without = Rollup::new(Arc::new(lake.engine()), None, 0, Telemetry::new());
        assert_eq!(shown(&without, &lake, ACME).await, expected, "from ledger and files");
        lake.expire(10).await.unwrap();
    }
    verified(&store).await;
}

/// Starts of many rows that no writer took down: scrapes go without, until they are read in the background.
#[tokio::test]
async fn starts_of_older_files_are_read_in_the_background_and_nobody_waits() {
    let lake = Lake::open(&memory()).await;
    for batch in 0..2 {
        let events =
            (0..33_000).map(|id| Event::new(format!("{batch}-{id}")).model(["a", "b"][id % 2]));
        lake.sent(&events.collect::<Vec<_>>()).await;
        lake.pass(SECOND);
    }
    for date in dates(&lake).await {
        rewrite(&lake, date, 2).await;
    }
    let (rollup, snapshot, now) =
        (Arc::new(rollup(&lake)), lake.snapshot().await, lake.clock.now());
    let asked = |starts| Asked {
        whole: Arc::new(UsageScope::org(&OrgId::parse(ACME).unwrap())),
        corrections: None,
        dimensions: Vec::new(),
        shows_own: false,
        starts,
    };
    let series = |starts| {
        let rollup = rollup.clone();
        let (asked, snapshot) = (asked(starts), snapshot.clone());
        async move {
            let count = |view: &UsageView<'_>| (view.series.len(), view.starts.is_some());
            rollup.show_asked(asked, &snapshot, now, count).await
        }
    };
    // The core is added up before, so that the background has no time to be done.
    assert_eq!(series(Starts::Unasked).await.unwrap(), (2, false));
    let keeper = {
        let (rollup, clock) = (rollup.clone(), lake.clock.clone());
        let versions = lake.app.archive().versions();
        async move { rollup.keep_totals_snapshots(versions, clock, 1_000_000).await }
    };
    let keeper = tokio::spawn(keeper);
    tokio::task::yield_now().await;
    let error = series(Starts::Wanted).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("start times are being added up"), "{error}");
    assert_eq!(series(Starts::IfKnown).await.unwrap(), (2, false));
    let began = Instant::now();
    while series(Starts::Wanted).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(120));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(series(Starts::IfKnown).await.unwrap(), (2, true));
    assert_eq!(shown(&rollup, &lake, ACME).await, in_rows(&lake, ACME).await);
    keeper.abort();
}

/// Nearly each event is a cell of its own: then its file is read, not what is summed of it.
#[tokio::test]
async fn sums_are_read_only_where_they_are_fewer_than_rows() {
    let lake = Lake::open(&memory()).await;
    let events = |day: i64, models: usize| {
        let event = move |id: usize| {
            let at = NOON - day * DAY - (id as Micros % 12) * HOUR - id as Micros * 7_919;
            let event = Event::new(format!("{day}-{id}")).at(at);
            // Numbers that no encoding makes small.
            let mut random = Random(id as u64);
            let [input_tokens, output_tokens] = [(); 2].map(|()| random.below(1_000_000_000));
            let event = Event { input_tokens, output_tokens, ..event };
            let cost = format!("0.{:012}", random.below(1_000_000_000_000));
            event.cost(&cost).model(&format!("model-{}", id / 12 % models))
        };
        (0..12_000).map(event).collect::<Vec<_>>()
    };
    lake.sent(&events(1, 20)).await;
    lake.sent(&events(5, 12_000)).await;
    let console = Console::new(lake.store.clone()).unwrap();
    let snapshot = lake.snapshot().await;
    for (files, query, is_summed) in [
        (1, "SELECT model, count(*) FROM events GROUP BY 1", true),
        (1, "SELECT date_trunc('hour', ts), count(*) FROM events GROUP BY 1", true),
        (5, "SELECT date_trunc('hour', ts), count(*) FROM events GROUP BY 1", false),
    ] {
        let date = tokenlake::archive::date_of(NOON - files * DAY).unwrap();
        let files: Vec<_> = snapshot.files_of(date).cloned().collect();
        let answer = console.query(&files, None, &format!("EXPLAIN {query}")).await.unwrap();
        let rows: Vec<_> = answer.batches.try_collect().await.unwrap();
        assert_eq!(format!("{rows:?}").contains("PartialsExec"), is_summed, "{query}");
    }
}

/// An archive of a program that took down no starts.
#[tokio::test]
async fn archives_of_older_programs_tell_the_starts_of_what_has_not_expired() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives/1");
    let copy = tempfile::tempdir().unwrap();
    crate::archives::copy_folder(&folder.join("archive"), copy.path());
    let location = ArchiveLocation::parse(copy.path().to_str().unwrap()).unwrap();
    let store: Arc<dyn ObjectStore> = location.open().unwrap();
    let lake = Lake::open(&store).await;
    let keys = std::fs::read(folder.join("keys.json")).unwrap();
    let keys: BTreeMap<String, String> = serde_json::from_slice(&keys).unwrap();
    let (mut known, mut unknown) = (0, 0);
    for org in keys.keys() {
        let rows = in_rows(&lake, org).await;
        for (series, start) in cold(&lake, org).await {
            match start {
                Some(start) => {
                    assert_eq!(rows.get(&series), Some(&Some(start)), "{org} {series:?}");
                    known += 1;
                }
                // It began with what has expired.
                None => unknown += 1,
            }
        }
    }
    assert!(known + unknown > 0, "{known} and {unknown}");
    // What comes now has a start, and what was unknown stays so.
    let org = keys.keys().next().unwrap();
    let before = cold(&lake, org).await;
    lake.send(org, &[Event::new("new").model("of today")]).await.unwrap();
    let mut expected = before;
    expected.insert(("openai".into(), "of today".into()), Some(NOON));
    assert_eq!(cold(&lake, org).await, expected);
}

fn event() -> impl Strategy<Value = Event> {
    let times = prop_oneof![(0..3 * DAY).prop_map(|ago| NOON - ago), Just(NOON / DAY * DAY)];
    let models = prop::sample::select(vec!["a", "A ", "b", "unknown", ""]);
    let costs = prop::sample::select(vec![None, Some("0.1"), Some("999999.999999999999")]);
    (times, models, costs).prop_map(|(ts, model, cost)| {
        let event = Event::new("").at(ts).model(model);
        Event { cost: cost.map(str::to_owned), ..event }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn sums_without_hours_are_those_of_hours_and_of_rows(
        sent in prop::collection::vec((0..2_usize, prop::collection::vec(event(), 1..60)), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lake = Lake::open(&memory()).await;
            let (orgs, mut id) = ([ACME, "Zeta"], 0);
            for (org, events) in sent {
                let numbered = events.into_iter().map(|event| {
                    id += 1;
                    Event { id: id.to_string(), ..event }
                });
                lake.send(orgs[org], &numbered.collect::<Vec<_>>()).await.unwrap();
                lake.pass(1);
            }
            for _ in 0..2 {
                assert_alike(&lake).await;
                for org in orgs {
                    assert_eq!(cold(&lake, org).await, in_rows(&lake, org).await);
                }
                compact(&lake).await;
            }
            verified(&lake.store).await;
        });
    }
}
