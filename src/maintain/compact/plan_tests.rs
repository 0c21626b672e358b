use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
}

/// Dates from the 10th on grow.
fn limits() -> Limits {
    Limits { bytes_max: 128 * MIB, growing_from: date(10) }
}

fn rows(rows: u64) -> Size {
    Size { rows, bytes: 6_000 + rows * 60 }
}

/// Plans until there is nothing more to do; returns the rows that were rewritten.
fn settle(sizes: &mut Vec<Size>, date: NaiveDate, limits: &Limits) -> u64 {
    let mut rewritten = 0;
    for _ in 0..64 {
        let groups = groups(sizes, date, limits);
        if groups.is_empty() {
            return rewritten;
        }
        rewritten += groups.iter().flatten().map(|at| sizes[*at].rows).sum::<u64>();
        *sizes = merged(sizes, &groups);
    }
    panic!("there is always more to do");
}

fn any_size() -> impl Strategy<Value = Size> {
    let rows = prop_oneof![1_u64..20, 1_u64..5_000, 1_u64..2_000_000];
    let bytes_a_row = prop_oneof![1_u64..200, 1_u64..20_000];
    (rows, bytes_a_row).prop_map(|(rows, bytes)| Size { rows, bytes: 5_000 + rows * bytes })
}

proptest! {
    #[test]
    fn a_file_is_in_one_rewrite_at_most_and_what_comes_of_it_fits(
        sizes in prop::collection::vec(any_size(), 0..600),
        day in 1_u32..20,
    ) {
        let limits = limits();
        let groups = groups(&sizes, date(day), &limits);
        let mut seen = BTreeSet::new();
        for group in &groups {
            prop_assert!((2..=INPUTS_MAX).contains(&group.len()));
            prop_assert!(group.iter().all(|at| seen.insert(*at)), "a file is rewritten twice");
            let sum = group.iter().fold(Size::default(), |sum, at| sum.and(sizes[*at]));
            prop_assert!(sum.fits(&limits));
            prop_assert!(group.iter().all(|at| !sizes[*at].is_full(date(day), &limits)));
        }
    }

    #[test]
    fn there_is_an_end_and_few_small_files_are_left(
        sizes in prop::collection::vec(any_size(), 0..600),
        day in 1_u32..20,
    ) {
        let (limits, mut left) = (limits(), sizes.clone());
        settle(&mut left, date(day), &limits);
        let rows = |sizes: &[Size]| sizes.iter().map(|size| size.rows).sum::<u64>();
        prop_assert_eq!(rows(&left), rows(&sizes));
        // Files that are limited by bytes are bounded by how many fit, not by tiers.
        let small = left.iter().filter(|size| !size.is_full(date(day), &limits) && size.bytes < MIB);
        prop_assert!(small.count() <= 7 * 7);
    }
}

#[test]
fn nothing_is_planned_where_nothing_is_gained() {
    let limits = limits();
    for (day, sizes) in [
        (10, vec![]),
        (10, vec![rows(1)]),
        (10, vec![rows(1); 7]),
        (10, vec![rows(10), rows(100), rows(1_000)]),
        (9, vec![rows(10), rows(100), rows(1_000)]),
        (10, vec![rows(ROWS_MAX / 2); 10]),
        (9, vec![rows(ROWS_MAX / 4); 10]),
        (9, vec![Size { rows: 10, bytes: 64 * MIB }; 10]),
    ] {
        assert_eq!(groups(&sizes, date(day), &limits), [[0; 0]; 0], "{sizes:?}");
    }
}

#[test]
fn the_small_ones_become_one_and_large_ones_stay() {
    let sizes = [rows(1_000), rows(1), rows(3), rows(2), rows(2), rows(900_000)];
    assert_eq!(groups(&sizes, date(10), &limits()), [[1, 3, 4, 2]]);
    assert_eq!(groups(&[rows(5), rows(4)], date(9), &limits()), [[0; 0]; 0]);
    assert_eq!(groups(&[rows(5), rows(5)], date(9), &limits()), [[0, 1]]);
}

/// The day of one commit a second, seen once a minute.
#[test]
fn a_date_that_is_written_to_every_second_ends_with_few_files() {
    for rows_a_commit in [1, 40] {
        let (limits, mut sizes, mut rewritten) = (limits(), Vec::new(), 0);
        for second in 1..=86_400 {
            sizes.push(rows(rows_a_commit));
            if second % 60 == 0 {
                rewritten += settle(&mut sizes, date(10), &limits);
                assert!(sizes.len() <= 64, "{} files after {second} s", sizes.len());
            }
        }
        let all = 86_400 * rows_a_commit;
        assert!(rewritten <= 8 * all, "each row was written {} times", rewritten / all);
        settle(&mut sizes, date(9), &limits);
        assert!(sizes.len() <= 20, "{} files in the end", sizes.len());
    }
}

#[test]
fn a_day_of_tiny_files_is_merged_at_once() {
    let mut sizes = vec![rows(1); 86_400];
    let rewritten = settle(&mut sizes, date(10), &limits());
    assert!(sizes.len() <= 8, "{}", sizes.len());
    assert!(rewritten <= 4 * 86_400, "{rewritten}");
}
