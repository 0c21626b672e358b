//! Plans rewrites from the sizes of a version's files; pure.
//!
//! The *tier* of a file depends on its rows; each tier is eight times the one below it. Files of a
//! date are merged, the small ones first, if the result is of a higher tier than each of them. So a
//! row is rewritten at most once for each tier, however often its date is written to, and no tier
//! keeps eight files. A date that is no longer expected to grow is merged further, if the result
//! has twice the rows of the largest input. A file of half the maximum size is left alone; on such
//! a date, also one of a quarter of the maximum rows.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::archive::DataFile;

/// Maximum rows of one file. While it is written, the summed columns of each row are held in
/// memory: some 130 bytes.
const ROWS_MAX: u64 = 1 << 19;
/// Maximum files of one rewrite: each takes some memory while it is read.
const INPUTS_MAX: usize = 256;
/// The factor from one tier to the next.
const TIER: u64 = 8;

/// The limits of a file.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum bytes of one file.
    pub bytes_max: u64,
    /// Dates from this one on are expected to grow.
    pub growing_from: NaiveDate,
}

impl Limits {
    fn grows(&self, date: NaiveDate) -> bool {
        date >= self.growing_from
    }

    fn full_rows(&self, date: NaiveDate) -> u64 {
        if self.grows(date) { ROWS_MAX / 2 } else { ROWS_MAX / 4 }
    }
}

/// Files of one date that become one.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The date.
    pub date: NaiveDate,
    /// The files.
    pub files: Vec<Arc<DataFile>>,
}

impl Rewrite {
    /// Their size in all.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Their events in all.
    pub fn rows(&self) -> u64 {
        self.files.iter().filter_map(|file| file.rows).sum()
    }
}

/// Plans the next rewrites of files that come sorted by date. Each file is in at most one of them;
/// there are none if nothing would be gained. Once they are made, there may be more to do.
pub fn plan<'a>(files: impl Iterator<Item = &'a Arc<DataFile>>, limits: &Limits) -> Vec<Rewrite> {
    // A file whose rows are not known cannot be rewritten: a lost row would not be noticed.
    let files: Vec<_> = files.filter(|file| file.rows.is_some()).collect();
    let dates = files.chunk_by(|a, b| a.date == b.date);
    let rewrites = dates.filter_map(|files| Some((files.first()?.date, files)));
    let rewrites = rewrites.flat_map(|(date, files)| {
        let sizes: Vec<_> = files.iter().map(|file| Size::of(file)).collect();
        groups(&sizes, date, limits).into_iter().map(move |group| Rewrite {
            date,
            files: group.into_iter().filter_map(|at| files.get(at)).copied().cloned().collect(),
        })
    });
    rewrites.collect()
}

/// How many rewrites it takes until there is nothing more to do, and how many files there are then.
pub fn outlook<'a>(
    files: impl Iterator<Item = &'a Arc<DataFile>>,
    limits: &Limits,
) -> (usize, usize) {
    let files: Vec<_> = files.collect();
    let (mut rewrites, mut left) = (0, 0);
    for files in files.chunk_by(|a, b| a.date == b.date) {
        let Some(date) = files.first().map(|file| file.date) else { continue };
        let known = files.iter().filter(|file| file.rows.is_some());
        let mut sizes: Vec<_> = known.map(|file| Size::of(file)).collect();
        left += files.len() - sizes.len();
        loop {
            let groups = groups(&sizes, date, limits);
            if groups.is_empty() {
                break;
            }
            rewrites += groups.len();
            sizes = merged(&sizes, &groups);
        }
        left += sizes.len();
    }
    (rewrites, left)
}

/// The size of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Size {
    rows: u64,
    bytes: u64,
}

impl Size {
    fn of(file: &DataFile) -> Self {
        Self { rows: file.rows.unwrap_or_default(), bytes: file.size_bytes }
    }

    fn and(self, other: Self) -> Self {
        let rows = self.rows.saturating_add(other.rows);
        Self { rows, bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn tier(self) -> u32 {
        self.rows.max(1).ilog(TIER)
    }

    /// Large enough to be left alone. Two files that are not full always fit into one.
    fn is_full(self, date: NaiveDate, limits: &Limits) -> bool {
        self.rows >= limits.full_rows(date) || self.bytes >= limits.bytes_max / 2
    }

    fn fits(self, limits: &Limits) -> bool {
        self.rows <= ROWS_MAX && self.bytes <= limits.bytes_max
    }
}

/// The files of one date that become one, by their place among `sizes`.
fn groups(sizes: &[Size], date: NaiveDate, limits: &Limits) -> Vec<Vec<usize>> {
    let small = sizes.iter().copied().enumerate().filter(|(_, size)| !size.is_full(date, limits));
    let mut small: Vec<_> = small.map(|(at, size)| (size, at)).collect();
    small.sort_unstable();
    let mut groups = Vec::new();
    let mut rest = small.as_slice();
    while !rest.is_empty() {
        let (fitting, others) = rest.split_at_checked(fitting(rest, limits)).unwrap_or((rest, &[]));
        let gaining = gaining(fitting, date, limits);
        if gaining >= 2 {
            groups.push(fitting.iter().take(gaining).map(|(_, at)| *at).collect());
        }
        rest = others;
    }
    groups
}

/// How many of the first files fit into one; at least 1.
fn fitting(files: &[(Size, usize)], limits: &Limits) -> usize {
    let mut sum = Size::default();
    let fits = files.iter().take(INPUTS_MAX).take_while(|(size, _)| {
        sum = sum.and(*size);
        sum.fits(limits)
    });
    fits.count().max(1)
}

/// How many of the first files are worth merging; 0 if none are.
fn gaining(files: &[(Size, usize)], date: NaiveDate, limits: &Limits) -> usize {
    let (mut sum, mut gaining) = (Size::default(), 0);
    for (count, (largest, _)) in (1..).zip(files) {
        sum = sum.and(*largest);
        let doubled = sum.rows / 2 >= largest.rows;
        let gains = if limits.grows(date) {
            sum.tier() > largest.tier() || doubled && sum.is_full(date, limits)
        } else {
            doubled
        };
        // Rows are known exactly, so the result is full and not rewritten again.
        if gains || sum.rows >= limits.full_rows(date) {
            gaining = count;
        }
    }
    gaining
}

/// The sizes once each group is one file.
fn merged(sizes: &[Size], groups: &[Vec<usize>]) -> Vec<Size> {
    let moved: std::collections::HashSet<_> = groups.iter().flatten().collect();
    let stay =
        sizes.iter().enumerate().filter(|(at, _)| !moved.contains(at)).map(|(_, size)| *size);
    let made = groups.iter().map(|group| {
        let files = group.iter().filter_map(|at| sizes.get(*at));
        files.fold(Size::default(), |sum, size| sum.and(*size))
    });
    stay.chain(made).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
