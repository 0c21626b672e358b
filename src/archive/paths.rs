//! The paths of all objects in the archive: how they are made, and how they are parsed.

pub mod prices;
pub(super) mod reports;

use chrono::NaiveDate;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::archive::ledger_name::LedgerName;

/// The Delta table's folder, relative to the archive.
pub const TABLE: &str = "events";
/// The folder of the table's log, relative to the table, by the Delta protocol.
pub const LOG: &str = "_delta_log";
/// The partition column: the UTC date of `ts`.
pub const PARTITION: &str = "event_date";
/// The folder of the totals snapshots, relative to the archive.
pub const TOTALS: &str = "checkpoints";
/// The folder of the ledgers, relative to the archive.
pub const LEDGERS: &str = "ledger";
/// The folder of the objects that `doctor` writes to test the store, relative to the archive.
pub const CHECKS: &str = "doctor";
/// The folder of the access keys' records, relative to the archive.
pub const ACCESS_KEYS: &str = "access/keys";
/// The folder of the vouchers for access keys' records without a seal, relative to the archive.
pub const VOUCHERS: &str = "access/vouched";
/// The folder of the records of when keys were last used, relative to the archive.
pub const USES: &str = "access/used";
/// The folder of the organisations' names, relative to the archive.
pub const ORGS: &str = "access/orgs";
/// The folder of the budgets' definitions, relative to the archive.
pub const BUDGETS: &str = "budgets/set";
/// The folder of the thresholds that were crossed, relative to the archive.
pub const CROSSINGS: &str = "budgets/crossed";
/// The folder of the crossings whose message is not delivered yet, relative to the archive.
pub const OPEN_CROSSINGS: &str = "budgets/open";
/// The folder of the records about other programs' data files, relative to the archive.
pub const FIRST_SIGHTS: &str = "foreign";

/// The note of the newest commit, relative to the archive. Its name sorts first, so programs that
/// copy in order of names copy it before the log. Such a copy never has a note that is ahead of its
/// log.
pub const HEAD_NOTE: &str = "_head.json";

/// The note of the newest commit.
pub(super) fn head_note() -> Path {
    Path::from(HEAD_NOTE)
}

/// True for the path of a record, an object that may be overwritten.
pub(super) fn is_record(path: &Path) -> bool {
    [HEAD_NOTE, prices::NEWEST].contains(&path.as_ref())
        || [ACCESS_KEYS, VOUCHERS, USES, ORGS, BUDGETS, CROSSINGS, OPEN_CROSSINGS]
            .iter()
            .any(|folder| path.as_ref().starts_with(folder))
        || reports::newest_of(path).is_some()
}

/// True for the path of rows or cells: no other process puts a different object there, for their
/// names are random, or those of checkpoints, which say the same whoever makes them.
pub(super) fn is_of_one_writer(path: &Path) -> bool {
    path.extension() == Some("parquet")
}

/// The path of a new data file of `date`, relative to the table.
pub fn data_file(date: NaiveDate, id: Uuid) -> String {
    format!("{PARTITION}={date}/{id}.parquet")
}

/// True for the path of a data file of any program, relative to the archive.
pub fn is_data_file(path: &Path) -> bool {
    let parts: Vec<_> = path.as_ref().split('/').collect();
    let [TABLE, date, name] = parts.as_slice() else { return false };
    is_date(date) && name.ends_with(".parquet")
}

/// True for a folder of the data files of one date, relative to the archive.
pub fn is_date_folder(path: &Path) -> bool {
    path.as_ref().strip_prefix(TABLE).and_then(|path| path.strip_prefix('/')).is_some_and(is_date)
}

fn is_date(folder: &str) -> bool {
    let date = folder.strip_prefix(PARTITION).and_then(|date| date.strip_prefix('='));
    date.and_then(parse_date).is_some()
}

/// The path of a data file relative to the archive, from one relative to the table.
pub fn in_archive(table_path: &str) -> String {
    format!("{TABLE}/{table_path}")
}

/// The path of a data file relative to the table, from one relative to the archive.
pub fn in_table(path: &str) -> Option<&str> {
    let path = path.strip_prefix(TABLE)?.strip_prefix('/')?;
    (!path.starts_with(LOG)).then_some(path)
}

/// The path of a log entry relative to the archive: 20 digits of the version, by the Delta
/// protocol.
pub fn log_entry(version: u64) -> String {
    in_archive(&log_entry_in_table(version))
}

/// The path of a log entry relative to the table.
pub fn log_entry_in_table(version: u64) -> String {
    format!("{LOG}/{version:020}.json")
}

/// The path of a checkpoint of the log relative to the archive: one object, by the Delta protocol.
pub fn log_checkpoint(version: u64) -> String {
    in_archive(&log_checkpoint_in_table(version))
}

/// The path of a checkpoint of the log relative to the table.
pub fn log_checkpoint_in_table(version: u64) -> String {
    format!("{LOG}/{version:020}.checkpoint.parquet")
}

/// The path of the note of the last checkpoint of the log relative to the table.
pub fn log_note_in_table() -> String {
    format!("{LOG}/_last_checkpoint")
}

/// The record of the access key with this hash (lower-case hex).
pub fn access_key(hash_hex: &str) -> Path {
    Path::from(format!("{ACCESS_KEYS}/{hash_hex}.json"))
}

/// The hash (lower-case hex) in the path of an access key's record, or of the one of its use.
pub fn access_key_hash(path: &Path) -> Option<&str> {
    let (folder, name) = path.as_ref().rsplit_once('/')?;
    [ACCESS_KEYS, USES].contains(&folder).then(|| name.strip_suffix(".json")).flatten()
}

/// The record of when the access key with this hash was last used.
pub fn key_use(hash_hex: &str) -> Path {
    Path::from(format!("{USES}/{hash_hex}.json"))
}

/// The voucher for the record of the access key with this hash.
pub fn key_voucher(hash_hex: &str) -> Path {
    Path::from(format!("{VOUCHERS}/{hash_hex}.json"))
}

/// The record that says that every access key without a seal has a voucher.
pub fn vouched_for() -> Path {
    Path::from(format!("{VOUCHERS}/all.json"))
}

/// The record that claims an organisation's name, by its lower-case form.
pub fn org(lowercase: &str) -> Path {
    // A suffix keeps the legal names "." and ".." from being taken as folders.
    Path::from(ORGS).join(format!("{lowercase}.json"))
}

/// The lower-case name in the path of such a record.
pub fn org_name(path: &Path) -> Option<&str> {
    path.as_ref().strip_prefix(ORGS)?.strip_prefix('/')?.strip_suffix(".json")
}

/// The folder of the editions of an organisation's budgets, by the lower-case form of its name.
pub fn budgets_of(lowercase: &str) -> Path {
    Path::from(BUDGETS).join(format!("org={lowercase}"))
}

/// An edition of a budget.
pub fn budget_edition(lowercase: &str, name: &str, edition: u64) -> Path {
    budgets_of(lowercase).join(format!("budget={name}")).join(format!("{edition:010}.json"))
}

/// The organisation, in lower case, the name and the edition in the path of an edition of a budget.
pub fn budget_of(path: &Path) -> Option<(&str, &str, u64)> {
    let path = path.as_ref().strip_prefix(BUDGETS)?.strip_prefix('/')?;
    let mut parts = path.split('/');
    let org = parts.next()?.strip_prefix("org=")?;
    let name = parts.next()?.strip_prefix("budget=")?;
    let edition = parts.next()?.strip_suffix(".json")?.parse().ok()?;
    parts.next().is_none().then_some((org, name, edition))
}

/// The folder of what was crossed of a revision of a budget, within that of all or of the open ones.
pub fn crossings_of(folder: &str, lowercase: &str, name: &str, revision: u64) -> Path {
    let budget = Path::from(folder).join(format!("org={lowercase}")).join(format!("budget={name}"));
    budget.join(format!("{revision:010}"))
}

/// The record about a data file of another program, by the file's path relative to the table.
pub fn first_sight(table_path: &str) -> Path {
    let name = hex::encode(Sha256::digest(table_path));
    Path::from(format!("{FIRST_SIGHTS}/{name}.json"))
}

/// The folder of the totals snapshots of a table that SQL of one version made.
pub fn totals_folder(table_id: &str, sql_version: &str) -> Path {
    Path::from(TOTALS).join(format!("{table_id}-{sql_version}"))
}

/// A new totals snapshot at a version.
pub fn totals(folder: &Path, version: u64, id: Uuid) -> Path {
    folder.clone().join(format!("{version:020}-{id}.parquet"))
}

/// The mark of the totals snapshot at a version.
pub fn totals_mark(folder: &Path, version: u64) -> Path {
    folder.clone().join(format!("{version:020}.json"))
}

/// The version in the path of a mark.
pub fn totals_mark_version(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// The version in the path of a totals snapshot or its mark.
pub fn totals_version(path: &Path) -> Option<u64> {
    path.filename()?.get(..20)?.parse().ok()
}

/// The cells of a ledger.
pub fn ledger(name: LedgerName) -> Path {
    Path::from(LEDGERS).join(format!("{}-{}.parquet", name.floor(), name.id()))
}

/// A ledger's cells of a dimension, by the version of their sums.
pub fn ledger_cells(name: LedgerName, version: &str) -> Path {
    Path::from(LEDGERS).join(format!("{}-{}-{version}.parquet", name.floor(), name.id()))
}

/// The mark that vouches for a ledger's cells.
pub fn ledger_mark(name: LedgerName) -> Path {
    Path::from(LEDGERS).join(format!("{}-{}.json", name.floor(), name.id()))
}

/// The floor date and digits that identify a ledger, from the path of its cells or its mark.
pub fn ledger_of(path: &Path) -> Option<&str> {
    let name = path.as_ref().strip_prefix(LEDGERS)?.strip_prefix('/')?;
    let stem = name.strip_suffix(".parquet").or_else(|| name.strip_suffix(".json"))?;
    let (date, rest) = stem.split_at_checked("2026-01-01".len())?;
    // Of a dimension's cells the version comes after it.
    let id = rest.get(..9)?;
    let version = rest.get(9..).filter(|version| !version.is_empty());
    if version.is_some_and(|version| !is_version(version) || name.ends_with(".json")) {
        return None;
    }
    let stem = stem.get(..date.len() + id.len())?;
    let is_id = |id: &str| id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (parse_date(date).is_some() && id.strip_prefix('-').is_some_and(is_id)).then_some(stem)
}

fn is_version(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A folder for objects that exist only during a check.
pub fn check_folder(id: Uuid) -> Path {
    Path::from(CHECKS).join(id.to_string())
}

/// The date that a data file's path names, if it names one.
pub fn date_in(path: &str) -> Option<NaiveDate> {
    let values = path.split('/').filter_map(|part| part.strip_prefix(PARTITION)?.strip_prefix('='));
    values.filter_map(parse_date).next()
}

/// Parses the value of the partition column.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_date_survives_its_path(days in 16_436i32..40_000) {
            let date = NaiveDate::from_num_days_from_ce_opt(719_163 + days).unwrap();
            let path = data_file(date, Uuid::nil());
            let value = path.split('/').next().unwrap().strip_prefix("event_date=").unwrap();
            prop_assert_eq!(parse_date(value), Some(date));
        }

        #[test]
        fn a_version_survives_the_paths_of_its_totals(version in any::<u64>()) {
            let folder = totals_folder("table", "sql");
            let (mark, object) = (totals_mark(&folder, version), totals(&folder, version, Uuid::nil()));
            prop_assert_eq!(totals_mark_version(&mark), Some(version));
            prop_assert_eq!(totals_mark_version(&object), None);
            prop_assert_eq!((totals_version(&mark), totals_version(&object)), (Some(version), Some(version)));
        }

        #[test]
        fn a_hash_survives_its_path(hash in "[0-9a-f]{64}") {
            let path = access_key(&hash);
            prop_assert_eq!(access_key_hash(&path), Some(hash.as_str()));
        }
    }

    #[test]
    fn only_data_files_pass_for_such() {
        let date = NaiveDate::from_ymd_opt(2026, 1, 2).unwrap();
        let path = in_archive(&data_file(date, Uuid::nil()));
        assert!(is_data_file(&Path::from(path.as_str())), "{path}");
        let folder = path.rsplit_once('/').unwrap().0;
        assert!(is_date_folder(&Path::from(folder)) && !is_data_file(&Path::from(folder)));
        assert!(!is_date_folder(&Path::from("events/_delta_log")));
        for other in [
            "events/_delta_log/00000000000000000001.checkpoint.parquet",
            "events/event_date=2026-01-02/x.json",
            "events/event_date=x/x.parquet",
            "events/x.parquet",
            "checkpoints/event_date=2026-01-02/x.parquet",
            "events/event_date=2026-01-02/_hidden/x.parquet",
        ] {
            assert!(!is_data_file(&Path::from(other)), "{other}");
        }
    }

    #[test]
    fn only_objects_of_ledgers_pass_for_such() {
        let name = LedgerName::from_number(20_000 << 32 | 0xab).unwrap();
        let further = ledger_cells(name, "0123456789abcdef");
        for path in [ledger(name), ledger_mark(name), further] {
            assert_eq!(ledger_of(&path), Some("2024-10-04-000000ab"), "{path}");
        }
        for other in [
            "ledger/2024-10-04-000000ab",
            "ledger/2024-10-04-000000ab.txt",
            "ledger/2024-10-04-0000ab.json",
            "ledger/2024-10-04-000000ab-0123.parquet",
            "ledger/2024-10-04-000000ab-0123456789abcdef.json",
            "ledger/2024-13-04-000000ab.json",
            "ledger/notes.json",
            "events/2024-10-04-000000ab.json",
        ] {
            assert_eq!(ledger_of(&Path::from(other)), None, "{other}");
        }
    }

    #[test]
    fn a_budget_survives_the_path_of_its_edition() {
        for (org, name) in [("acme", "all"), ("..", "2026:q1"), ("a.b_c-d", "x.json")] {
            let path = budget_edition(org, name, 12);
            assert_eq!(budget_of(&path), Some((org, name, 12)), "{path}");
            assert!(path.as_ref().starts_with(budgets_of(org).as_ref()) && is_record(&path));
        }
        for other in
            ["budgets/set/org=a/budget=b/x.json", "budgets/set/org=a/1.json", "budgets/set"]
        {
            assert_eq!(budget_of(&Path::from(other)), None, "{other}");
        }
    }

    #[test]
    fn names_of_dots_stay_names() {
        assert_eq!(org("..").as_ref(), "access/orgs/...json");
    }
}
