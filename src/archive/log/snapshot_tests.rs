//! Tests of which commits a snapshot follows, and which it refuses.

use super::*;
use deltalake_core::kernel::{Add, Remove};
use std::collections::HashMap;

fn add(name: &str, rows: u64, data_change: bool) -> Add {
    Add {
        path: format!("event_date=2026-01-02/{name}"),
        partition_values: HashMap::from([("event_date".into(), Some("2026-01-02".into()))]),
        size: 1,
        data_change,
        stats: Some(format!("{{\"numRecords\":{rows}}}")),
        ..Add::default()
    }
}

fn remove(name: &str, data_change: bool) -> Remove {
    Remove { path: format!("event_date=2026-01-02/{name}"), data_change, ..Remove::default() }
}

fn start() -> Snapshot {
    let entry = Entry { adds: vec![add("a", 2, true), add("b", 3, true)], ..Entry::default() };
    Snapshot::new(0, TableInfo::for_tests(), std::iter::empty(), None).next(&entry).unwrap()
}

#[test]
fn a_rewrite_keeps_the_rows_and_is_no_change_of_data() {
    let entry = Entry {
        adds: vec![add("c", 5, false)],
        removes: vec![remove("a", false), remove("b", false)],
        ..Entry::default()
    };
    let next = start().next(&entry).unwrap();
    let arrivals: Vec<_> = next.arrivals_since(1).unwrap().collect();
    assert_eq!(next.file_count(), 1);
    assert!(matches!(arrivals[..], [Arrival { data_change: false, .. }]));
}

#[test]
fn entries_that_change_what_was_counted_are_refused() {
    let refuse = |adds: Vec<Add>, removes: Vec<Remove>| {
        start().next(&Entry { adds, removes, ..Entry::default() }).unwrap_err().to_string()
    };
    assert!(
        refuse(vec![add("c", 4, false)], vec![remove("a", false)]).contains("different number")
    );
    assert!(refuse(vec![], vec![remove("a", true)]).contains("deletes the events"));
    assert!(refuse(vec![], vec![remove("x", false)]).contains("not in the table"));
    assert!(refuse(vec![add("a", 2, true)], vec![]).contains("second time"));
}

fn ledger(floor: &str) -> Option<LedgerName> {
    let date: NaiveDate = floor.parse().unwrap();
    let days = date.signed_duration_since("1970-01-01".parse().unwrap()).num_days();
    LedgerName::from_number(days << 32 | 7)
}

#[test]
fn what_a_ledger_holds_may_go() {
    let removes = vec![remove("a", true), remove("b", true)];
    let ledger = ledger("2026-01-03");
    let next = start().next(&Entry { removes, ledger, ..Entry::default() }).unwrap();
    assert_eq!((next.file_count(), next.ledger()), (0, ledger));
    assert_eq!(next.floor().unwrap().to_string(), "2026-01-03");
    // Earlier files are still arrivals: readers that lack them add them.
    assert_eq!(next.arrivals_since(0).unwrap().count(), 2);
    // The floor may stay, or rise without any file to remove.
    for floor in ["2026-01-03", "2026-01-09"] {
        let ledger = self::ledger(floor);
        let risen = next.next(&Entry { ledger, ..Entry::default() }).unwrap();
        assert_eq!(risen.ledger(), ledger);
    }
    let fallen = Entry { ledger: self::ledger("2026-01-02"), ..Entry::default() };
    assert!(next.next(&fallen).unwrap_err().to_string().contains("is before the current floor"));
    let late = Entry { adds: vec![add("c", 1, true)], ..Entry::default() };
    let error = next.next(&late).unwrap_err().to_string();
    assert!(error.contains("before the floor 2026-01-03"), "{error}");
}

#[test]
fn what_no_ledger_holds_may_not() {
    let refuse = |floor: &str, adds: Vec<Add>, removes: Vec<Remove>| {
        let entry = Entry { adds, removes, ledger: ledger(floor), ..Entry::default() };
        start().next(&entry).unwrap_err().to_string()
    };
    let both = || vec![remove("a", true), remove("b", true)];
    let later = "2026-01-03";
    assert!(refuse("2026-01-02", vec![], both()).contains("not before its floor"));
    assert!(refuse(later, vec![], vec![remove("a", true)]).contains("leaves"));
    assert!(refuse(later, vec![], vec![]).contains("leaves"));
    assert!(refuse(later, vec![add("c", 1, true)], both()).contains("adds"));
    assert!(refuse(later, vec![add("c", 5, false)], both()).contains("adds"));
    let moved = vec![remove("a", true), remove("b", false)];
    assert!(refuse(later, vec![], moved).contains("not before its floor"));
    assert!(refuse(later, vec![], vec![remove("x", true)]).contains("is not there"));
}

#[test]
fn one_who_is_too_far_behind_is_told() {
    let mut snapshot = start();
    for batch in 0..25 {
        let adds = (0..1_000).map(|i| add(&format!("{batch}-{i}"), 1, true)).collect();
        snapshot = snapshot.next(&Entry { adds, ..Entry::default() }).unwrap();
    }
    assert!(snapshot.arrivals_since(1).is_none());
    assert_eq!(snapshot.arrivals_since(25).unwrap().count(), 1_000);
}
