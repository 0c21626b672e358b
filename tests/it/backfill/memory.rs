//! Tests of inputs that are small, but large once they are read: each stays within the allowed
//! memory, or is refused by name.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, ListBuilder, StringArray};
use tempfile::tempdir;

use super::{counts, file, line, summary};
use crate::support::process::{Done, program};
use crate::support::resident::run_watched;
use crate::support::wide::{events_with, nested, parquet, repeated};

/// What a job may have for rows here, and what it may take beside that.
const MEMORY: &str = "64MiB";
const PEAK_KIB_MAX: u64 = (64 + 300) << 10;

/// Runs a job, which keeps to its memory.
#[track_caller]
fn bounded(archive: &Path, input: &str) -> Done {
    let mut command = program();
    command.arg("--archive").arg(archive);
    command.args(["backfill", "--org", "acme", "--memory", MEMORY, input]);
    let (done, peak) = run_watched(&mut command);
    eprintln!("{input}: at most {peak} KiB");
    assert!(peak < PEAK_KIB_MAX, "{input}: {peak} KiB; {done:?}");
    done
}

#[test]
fn rows_of_parquet_are_read_by_their_bytes() {
    let folder = tempdir().unwrap();
    let late = |row: usize| row >= 2_000;
    for (name, bytes, dictionaries, long) in [
        ("all", 40_000, true, (|_| true) as fn(usize) -> bool),
        ("late", 40_000, true, late),
        ("late-each", 40_000, false, late),
        ("huge", 2_000_000, true, |row| row % 100 == 99),
    ] {
        let rows = events_with("prompt", repeated(bytes, 4_000, long));
        let input = file(folder.path(), &format!("{name}.parquet"), parquet(&rows, dictionaries));
        let archive = tempdir().unwrap();
        let done = bounded(archive.path(), &input);
        assert_eq!((done.status, summary(&done)), (0, counts(4_000, 4_000, 0, 0, 1)), "{name}");
    }
}

#[test]
fn what_no_memory_has_room_for_is_refused_in_one_line() {
    let folder = tempdir().unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(300 << 20)]));
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.values().append_slice(&vec![1; 20_000_000]);
    lists.append(true);
    for (name, bytes, word) in [
        ("text", parquet(&events_with("prompt", text), false), "smaller pages"),
        ("list", parquet(&events_with("l", Arc::new(lists.finish())), true), "in a row"),
        ("nested", nested(3_000), "nested more than 128 levels"),
        ("less-nested", nested(100), "nested"),
    ] {
        let input = file(folder.path(), &format!("{name}.parquet"), bytes);
        let archive = tempdir().unwrap();
        let done = bounded(archive.path(), &input);
        assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{name}: {done:?}");
        assert!(done.stderr.contains(&input) && done.stderr.contains(word), "{name}: {done:?}");
    }
}

#[test]
fn many_rows_of_a_few_bytes_take_no_more() {
    let folder = tempdir().unwrap();
    const ROWS: usize = 700_000;
    let lines = format!("{}\n{}", line(1, 0), "{}\n".repeat(ROWS));
    for name in ["a.ndjson", "a.json"] {
        let archive = tempdir().unwrap();
        let done = bounded(archive.path(), &file(folder.path(), name, &lines));
        let all = ROWS as u64 + 1;
        assert_eq!((done.status, summary(&done)), (0, counts(all, 1, 0, all - 1, 1)), "{name}");
    }
}

#[test]
fn json_that_nests_deeply_is_text_of_an_attribute_or_refused() {
    let folder = tempdir().unwrap();
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let row = line(1, 0).replacen('{', &format!("{{\"x\":{deep},"), 1);
    for name in ["a.ndjson", "a.json"] {
        let archive = tempdir().unwrap();
        let done = bounded(archive.path(), &file(folder.path(), name, row.clone() + "\n"));
        assert_eq!((done.status, summary(&done)), (0, counts(1, 1, 0, 0, 1)), "{done:?}");
    }
}
