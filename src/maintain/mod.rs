//! Maintenance of an archive: compaction, expiry, repair, verification and checks of the store.

pub mod compact;
mod doctor;
mod expire;
mod repair;
mod verify;

pub use self::doctor::{CheckReport, CheckResult, check_access, check_prices, check_writing};
pub use self::expire::{Expiry, Retention, RetentionError, expire};
pub use self::repair::{NO_FLOOR, Repair, RepairError, Repaired, Way};
pub use self::verify::{Report, Sample, verify};
