//! The name of a ledger: one number in the log, which contains the floor date.

use chrono::NaiveDate;

/// The application of the `txn` action that names the ledger.
pub(super) const LEDGER_APP: &str = "tokenlake.ledger";
/// Bits of the number below the floor date.
const ID_BITS: u32 = 32;
/// Days from chrono's first to 1970-01-01.
const EPOCH_DAYS: i32 = 719_163;

/// Names a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerName {
    pub(super) floor: NaiveDate,
    pub(super) id: u32,
}

impl LedgerName {
    /// The name of the ledger up to `floor` whose mark has the checksum `id`.
    pub(super) fn new(floor: NaiveDate, id: u32) -> Self {
        Self { floor, id }
    }

    /// The first date that has not expired: events of earlier dates are in the ledger, and new
    /// events of those dates are rejected.
    pub fn floor(self) -> NaiveDate {
        self.floor
    }

    /// The hexadecimal digits in its objects' names.
    pub fn id(self) -> String {
        format!("{:08x}", self.id)
    }

    /// The number in the `txn` action; it rises with the floor. `None` before 1970.
    pub(super) fn number(self) -> Option<i64> {
        use chrono::Datelike as _;
        let days = self.floor.num_days_from_ce() - EPOCH_DAYS;
        (days >= 0).then_some((i64::from(days) << ID_BITS) | i64::from(self.id))
    }

    /// Parses the number of a `txn` action.
    pub(super) fn from_number(number: i64) -> Option<Self> {
        let days = i32::try_from(u64::try_from(number).ok()? >> ID_BITS).ok()?;
        let floor = NaiveDate::from_num_days_from_ce_opt(EPOCH_DAYS.checked_add(days)?)?;
        let id = u32::try_from(number & i64::from(u32::MAX)).ok()?;
        Some(Self { floor, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_survives_its_number(days in 0..40_000_i32, id in any::<u32>()) {
            let floor = NaiveDate::from_num_days_from_ce_opt(EPOCH_DAYS + days).unwrap();
            let name = LedgerName { floor, id };
            prop_assert_eq!(LedgerName::from_number(name.number().unwrap()), Some(name));
            let later = LedgerName { floor: floor.succ_opt().unwrap(), id: 0 };
            prop_assert!(name.number() < later.number());
        }

        #[test]
        fn any_number_is_a_name_or_none(number in any::<i64>()) {
            let name = LedgerName::from_number(number);
            prop_assert!(name.is_none_or(|name| name.number() == Some(number)));
        }
    }
}
