//! Tests of reading cells by ranges of organisations.

use super::*;
use crate::archive::parquet::checksums::Checksums;
use arrow::array::{Int64Array, StringArray, UInt64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Int64Type, Schema};
use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use proptest::prelude::*;

fn schema() -> SchemaRef {
    let fields = [("org_id", DataType::Utf8), ("requests", DataType::Int64)];
    Arc::new(Schema::new(fields.map(|(name, of)| Field::new(name, of, false)).to_vec()))
}

/// A row: its organisation, and its number.
type Row = (String, i64);

fn columns(rows: &[Row]) -> RecordBatch {
    let orgs: StringArray = rows.iter().map(|(org, _)| Some(org)).collect();
    let numbers: Int64Array = rows.iter().map(|(_, number)| *number).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(orgs), Arc::new(numbers)]).unwrap()
}

fn rows(cells: &[RecordBatch]) -> Vec<Row> {
    let all = concat_batches(&schema(), cells).unwrap();
    let (orgs, numbers) = (all.column(0).as_string::<i32>(), all.column(1));
    let numbers = numbers.as_primitive::<Int64Type>().values().iter();
    orgs.iter().map(|org| org.unwrap().to_owned()).zip(numbers.copied()).collect()
}

/// Rows of these organisations, this many of each, written `batch_rows` at a time.
fn written(counts: &[(String, usize)], batch_rows: usize) -> (Vec<Row>, Bytes) {
    let names = counts.iter().flat_map(|(org, count)| std::iter::repeat_n(org.clone(), *count));
    let rows: Vec<_> = names.zip(0..).collect();
    let mut writer = CellWriter::new(schema()).unwrap();
    rows.chunks(batch_rows).for_each(|rows| writer.write(&columns(rows)).unwrap());
    (rows, writer.finish().unwrap())
}

/// The cells inside a larger object, whose checksums are known.
fn stored(cells: &[u8], before: usize, after: usize) -> (Arc<dyn ObjectStore>, CheckedObject) {
    let bytes = [vec![7; before], cells.to_vec(), vec![9; after]].concat();
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (path, checksums) = (Path::from("cells"), Checksums::of(&bytes));
    let whole = CheckedObject::new(path.clone(), bytes.len() as u64, Some(checksums));
    block_on(store.put(&path, bytes.into())).unwrap();
    let part = before as u64..(before + cells.len()) as u64;
    (store, whole.part(part).unwrap())
}

/// Names, some of which share a beginning longer than the bounds of a page.
fn org() -> impl Strategy<Value = String> {
    let long = "[ab]{0,2}".prop_map(|end| format!("{}{end}", "a".repeat(100)));
    prop_oneof!["[a-cA-Z.:~]{1,3}", long]
}

fn counts() -> impl Strategy<Value = Vec<(String, usize)>> {
    let count = prop_oneof![4 => 1..20_usize, 1 => 1_000..6_000_usize];
    prop::collection::btree_map(org(), count, 1..12).prop_map(|orgs| orgs.into_iter().collect())
}

/// A bound at one of the organisations, or anywhere.
fn bound() -> impl Strategy<Value = (usize, Option<String>, usize)> {
    (0..3_usize, prop::option::of(org()), any::<usize>())
}

fn pick(
    (kind, name, nth): (usize, Option<String>, usize),
    orgs: &[(String, usize)],
) -> Bound<String> {
    let name = name.unwrap_or_else(|| orgs[nth % orgs.len()].0.clone());
    [Bound::Unbounded, Bound::Included(name.clone()), Bound::Excluded(name)][kind].clone()
}

fn is_within(org: &str, (from, to): &OwnedBounds) -> bool {
    let after = match from {
        Bound::Unbounded => true,
        Bound::Included(from) => org >= from.as_str(),
        Bound::Excluded(from) => org > from.as_str(),
    };
    let before = match to {
        Bound::Unbounded => true,
        Bound::Included(to) => org <= to.as_str(),
        Bound::Excluded(to) => org < to.as_str(),
    };
    after && before
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_range_gives_the_rows_of_its_organisations(
        orgs in counts(),
        bounds in prop::collection::vec((bound(), bound()), 1..6),
        batch_rows in 1_000..9_000_usize,
        around in (0..400_000_usize, 0..1_000_usize),
    ) {
        let (all, bytes) = written(&orgs, batch_rows);
        let (store, object) = stored(&bytes, around.0, around.1);
        let reader = block_on(CellReader::open(store.clone(), object.clone())).unwrap();
        for (from, to) in bounds {
            let bounds = (pick(from, &orgs), pick(to, &orgs));
            let range = || (bounds.0.as_ref().map(String::as_str), bounds.1.as_ref().map(String::as_str));
            let expected: Vec<_> =
                all.iter().filter(|(org, _)| is_within(org, &bounds)).cloned().collect();
            let read = block_on(CellReader::read_all(store.clone(), object.clone(), range()));
            prop_assert_eq!(&rows(&read.unwrap()), &expected);
            let read = block_on(reader.of_orgs(range()).unwrap().try_collect::<Vec<_>>());
            prop_assert_eq!(&rows(&read.unwrap()), &expected);
        }
    }
}

#[test]
fn an_organisation_is_read_from_its_groups_alone() {
    let orgs: Vec<_> = (10..30).map(|org| (format!("org-{org}"), GROUP_ROWS / 2)).collect();
    let (all, bytes) = written(&orgs, 3_000);
    let (store, object) = stored(&bytes, 0, 0);
    let reader = block_on(CellReader::open(store, object)).unwrap();
    let groups = reader.metadata.metadata().row_groups();
    assert_eq!(groups.len(), all.len() / GROUP_ROWS);
    for (at, (org, _)) in orgs.iter().enumerate() {
        let one = (Bound::Included(org.as_str()), Bound::Included(org.as_str()));
        let chosen: Vec<_> = (0..groups.len()).filter(|at| may_hold(&groups[*at], &one)).collect();
        assert_eq!(chosen, [at / 2], "{org}");
    }
}

#[test]
fn what_holds_no_organisations_is_damage() {
    let fields = vec![Field::new("requests", DataType::UInt64, false)];
    let other = Arc::new(Schema::new(fields));
    let column = Arc::new(UInt64Array::from_iter_values(0..5));
    let mut writer = CellWriter::new(other.clone()).unwrap();
    writer.write(&RecordBatch::try_new(other, vec![column]).unwrap()).unwrap();
    let all = (Bound::Unbounded, Bound::Unbounded);
    for bytes in [writer.finish().unwrap(), Bytes::from_static(b"PAR1 and not much more")] {
        let (store, object) = stored(&bytes, 5, 5);
        let error = block_on(CellReader::read_all(store, object, all)).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Corrupt);
        assert!(error.to_string().contains("cells"), "{error}");
    }
}
