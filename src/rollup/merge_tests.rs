//! Adding up in many passes and in one, with an older totals snapshot and without.

use std::collections::{BTreeMap, BTreeSet};

use super::super::shown_totals::{Base, Bases};
use super::*;
use crate::archive::{
    Archive, CellReader, CheckedObject, FollowSettings, TotalsStore, WriterSettings,
};
use crate::clock::{DAY, HOUR, ManualClock};
use crate::sql::{Engine, SeriesTotals, sql_version};
use crate::telemetry::Telemetry;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use proptest::prelude::*;

const NOW: Micros = 1_770_000_000 * 1_000_000;

fn row() -> impl Strategy<Value = PartialRow> {
    let name = || prop_oneof![Just(None), "[ab]".prop_map(|name| Some(name.into()))];
    let cost = prop_oneof![0..1_000_i128, Just(999_999_999_999_999_999_999_999)];
    ("[a-e]{1,2}", name(), name(), 0..60_i64, 1..5_u64, cost, 0..HOUR).prop_map(
        |(org_id, provider, model, hours_ago, requests, cost, offset)| {
            let hour = (NOW - hours_ago * HOUR).div_euclid(HOUR) * HOUR;
            let last_ts = hour + offset;
            let input_tokens = cost * 3;
            let unpriced = requests / 2;
            let none = SeriesTotals::default();
            let totals = SeriesTotals { requests, input_tokens, cost, unpriced, ..none };
            PartialRow { org_id: org_id.into(), provider, model, hour, totals, last_ts }
        },
    )
}

/// The rows of some files.
fn files() -> impl Strategy<Value = Vec<Vec<PartialRow>>> {
    prop::collection::vec(prop::collection::vec(row(), 1..40), 0..6)
}

/// An archive with files that are nothing but partials.
struct World {
    store: Arc<dyn ObjectStore>,
    partials: PartialCache,
    bases: Bases,
    archive: Archive,
}

impl World {
    async fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let clock = Arc::new(ManualClock::at(NOW));
        let engine = Arc::new(Engine::new(store.clone()).unwrap());
        let partials = PartialCache::new(0, engine, Telemetry::new());
        let totals = TotalsStore::new(store.clone(), clock.clone(), sql_version()).unwrap();
        let settings = WriterSettings::default();
        let (telemetry, follow) = (Telemetry::new(), FollowSettings::default());
        let archive = Archive::open(store.clone(), clock, telemetry, settings, follow).await;
        Self { store, partials, bases: Bases::new(totals), archive: archive.unwrap() }
    }

    async fn put(&self, name: &str, mut rows: Vec<PartialRow>) -> Arc<DataFile> {
        rows.sort_by(|a, b| a.org_id.cmp(&b.org_id));
        let mut writer = CellWriter::new(cell_schema(&CellKind::Core)).unwrap();
        writer.write(&cell_columns(&CellKind::Core, &rows).unwrap()).unwrap();
        let bytes = writer.finish().unwrap();
        let file = DataFile::partial_for_tests(name, &bytes, sql_version());
        let path = file.path_in_archive().into();
        self.store.put(&path, bytes.into()).await.unwrap();
        Arc::new(file)
    }

    async fn put_all(&self, files: &[Vec<PartialRow>]) -> Vec<Arc<DataFile>> {
        let puts = files
            .iter()
            .zip(0..)
            .map(|(rows, n)| async move { self.put(&format!("file-{n}"), rows.clone()).await });
        futures::future::join_all(puts).await
    }

    async fn merge(&self, base: Option<&Arc<Base>>, files: &[Arc<DataFile>], max: usize) -> Bytes {
        let hours_from = OrgUsage::hours_around(NOW);
        let inputs = MergeInputs {
            kind: CellKind::Core,
            base: base.map(|base| base.totals().cells().clone().into()),
            files: files.to_vec(),
            hours_from,
        };
        merge_within(&inputs, &self.partials, max).await.unwrap()
    }

    /// A totals snapshot of these cells.
    async fn base(&self, cells: Bytes) -> Arc<Base> {
        let (snapshot, from) = (self.archive.current(), OrgUsage::hours_around(NOW));
        self.bases.put(&snapshot, from, cells).await.unwrap().unwrap()
    }

    async fn read(&self, cells: Bytes) -> Vec<PartialRow> {
        let path = object_store::path::Path::from("cells");
        let object = CheckedObject::new(path.clone(), cells.len() as u64, None);
        self.store.put(&path, cells.into()).await.unwrap();
        let all = (Bound::Unbounded, Bound::Unbounded);
        partial_rows(&CellReader::read_all(self.store.clone(), object, all).await.unwrap()).unwrap()
    }
}

/// Sums by organisation and series: requests, cost, LLM tokens, unpriced requests.
type Sums = BTreeMap<[Arc<str>; 3], [i128; 4]>;

fn series<'a>(rows: impl Iterator<Item = &'a PartialRow>) -> Sums {
    let mut sums = Sums::new();
    for row in rows {
        let (Some(provider), Some(model)) = (&row.provider, &row.model) else { continue };
        let key = [row.org_id.clone(), provider.clone(), model.clone()];
        let SeriesTotals { requests, cost, input_tokens, unpriced, .. } = row.totals;
        let of = [i128::from(requests), cost, input_tokens, i128::from(unpriced)];
        let sum = sums.entry(key).or_default();
        sum.iter_mut().zip(of).for_each(|(sum, of)| *sum += of);
    }
    sums
}

/// The cost of the window's hours, and the latest event, by organisation.
fn hours<'a>(
    rows: impl Iterator<Item = &'a PartialRow>,
    counts: impl Fn(&PartialRow) -> bool,
) -> BTreeMap<String, (BTreeMap<Micros, i128>, Micros)> {
    let mut orgs: BTreeMap<String, (BTreeMap<Micros, i128>, Micros)> = BTreeMap::new();
    for row in rows {
        let (hours, last) = orgs.entry(row.org_id.to_string()).or_default();
        *last = row.last_ts.max(*last);
        if row.hour > NOW - 2 * DAY && counts(row) {
            *hours.entry(row.hour).or_default() += row.totals.cost;
        }
    }
    orgs
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn many_passes_and_an_older_checkpoint_give_the_same_bytes(
        rows in files(), cut in 0..6_usize, bytes_max in prop_oneof![0..3_000_usize, Just(0)],
    ) {
        run(async {
            let world = World::new().await;
            let files = world.put_all(&rows).await;
            let all = world.merge(None, &files, BYTES_MAX).await;
            assert_eq!(world.merge(None, &files, bytes_max).await, all);
            let (older, newer) = files.split_at(cut.min(files.len()));
            let base = world.base(world.merge(None, older, bytes_max).await).await;
            for max in [BYTES_MAX, bytes_max] {
                assert_eq!(world.merge(Some(&base), newer, max).await, all);
            }
        });
    }

    #[test]
    fn what_comes_out_is_what_went_in(rows in files(), bytes_max in 0..9_000_usize) {
        run(async {
            let world = World::new().await;
            let files = world.put_all(&rows).await;
            let merged = world.read(world.merge(None, &files, bytes_max).await).await;
            let sent = || rows.iter().flatten();
            assert_eq!(series(merged.iter()), series(sent()));
            let of_hours = |row: &PartialRow| row.provider.is_none();
            assert_eq!(hours(merged.iter(), of_hours), hours(sent(), |_| true));
            assert!(merged.is_sorted_by(|a, b| a.org_id <= b.org_id));
            let orgs = |rows: &mut dyn Iterator<Item = &PartialRow>| -> BTreeSet<String> {
                rows.map(|row| row.org_id.to_string()).collect()
            };
            assert_eq!(orgs(&mut merged.iter()), orgs(&mut sent()));
        });
    }
}

#[tokio::test]
async fn a_checkpoint_that_was_given_up_is_taken_no_more_until_it_is_made_anew() {
    let world = World::new().await;
    let cells = world.merge(None, &[], usize::MAX).await;
    let base = world.base(cells.clone()).await;
    let snapshot = world.archive.current();
    assert!(world.bases.look(&snapshot).await.is_some());
    world.bases.give_up(&base);
    assert!(world.bases.look(&snapshot).await.is_none());
    world.base(cells).await;
    assert!(world.bases.look(&snapshot).await.is_some());
}
