//! Bytes per event of a data file, by column, next to those of DuckDB's zstd Parquet of the same
//! rows in the same order.
//!
//! `cargo bench --bench layout`. If no Python with `duckdb` is found (`TOKENLAKE_BENCH_PYTHON`
//! names one), only ours are shown.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use support::program::{data_files, duckdb, folder, generate};

/// Events of a small commit, of a larger one, of the largest, and of four of the largest.
const SIZES: [u64; 4] = [1_000, 10_000, 256 * 1_024, 1_000_000];
/// All events are of one date.
const DATE: [&str; 4] = ["--days", "1", "--until", "2026-01-16T00:00:00Z"];

/// Writes all rows of some files again; the first argument is the target.
const REWRITE: &str = "
import duckdb, sys
target, version, *files = sys.argv[1:]
duckdb.connect().execute(f\"\"\"
    COPY (SELECT * FROM read_parquet({files}, hive_partitioning = false) ORDER BY org_id, ts)
    TO '{target}' (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION {version})\"\"\")
";

/// Bytes of some files by their use.
#[derive(Default)]
struct Sizes {
    rows: i64,
    columns: BTreeMap<String, i64>,
    bloom: i64,
    index: i64,
    footer: i64,
    all: i64,
}

impl Sizes {
    fn of(files: &[PathBuf]) -> Self {
        let mut sizes = Self::default();
        for file in files {
            let bytes = std::fs::read(file).unwrap();
            sizes.all += i64::try_from(bytes.len()).unwrap();
            // The footer's length is in the four bytes before the last four.
            let length = bytes.last_chunk::<8>().unwrap().first_chunk::<4>().unwrap();
            sizes.footer += i64::from(u32::from_le_bytes(*length)) + 8;
            let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
            for group in reader.metadata().row_groups() {
                sizes.rows += group.num_rows();
                for column in group.columns() {
                    let name = column.column_path().parts().join(".");
                    *sizes.columns.entry(name).or_default() += column.compressed_size();
                    let parts = [column.column_index_length(), column.offset_index_length()];
                    sizes.index += parts.into_iter().flatten().map(i64::from).sum::<i64>();
                    sizes.bloom += i64::from(column.bloom_filter_length().unwrap_or_default());
                }
            }
        }
        sizes
    }

    /// Shows the columns, and the rest at the end.
    fn lines(&self) -> Vec<(String, f64)> {
        let an_event = |bytes: i64| bytes as f64 / self.rows as f64;
        let columns: i64 = self.columns.values().sum();
        let mut lines: Vec<_> =
            self.columns.iter().map(|(name, bytes)| (name.clone(), an_event(*bytes))).collect();
        lines.push(("all columns".into(), an_event(columns)));
        lines.push(("index of pages".into(), an_event(self.index)));
        lines.push(("Bloom filter".into(), an_event(self.bloom)));
        lines.push(("footer".into(), an_event(self.footer)));
        let rest = self.all - columns - self.index - self.bloom - self.footer;
        lines.push(("sums".into(), an_event(rest)));
        lines.push(("all but filter and sums".into(), an_event(self.all - self.bloom - rest)));
        lines
    }
}

fn main() {
    for events in SIZES {
        let archive = tempfile::tempdir_in(folder()).unwrap();
        generate(archive.path(), &[&["--events", &events.to_string()][..], &DATE].concat());
        let files = data_files(archive.path());
        let mut shown = vec![("tokenlake", Sizes::of(&files))];
        for (name, version) in [("DuckDB", "v1"), ("DuckDB v2", "v2")] {
            let target = archive.path().join(version);
            let paths = files.iter().map(|path| path.to_str().unwrap());
            let args: Vec<_> =
                [target.to_str().unwrap(), version].into_iter().chain(paths).collect();
            if duckdb(REWRITE, &args).is_some() {
                shown.push((name, Sizes::of(std::slice::from_ref(&target))));
            }
        }
        show(events, &shown);
    }
}

fn show(events: u64, sizes: &[(&str, Sizes)]) {
    print!("\n{:<32}", format!("{events} events, bytes an event"));
    sizes.iter().for_each(|(name, _)| print!(" {name:>10}"));
    let columns: Vec<_> = sizes.iter().map(|(_, sizes)| sizes.lines()).collect();
    for (at, (name, _)) in columns[0].iter().enumerate() {
        print!("\n{name:<32}");
        columns.iter().for_each(|lines| print!(" {:>10.3}", lines[at].1));
    }
    println!();
}
