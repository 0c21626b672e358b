//! Which calls a reprice is of.

use std::ops::Bound;

use arrow::array::MapArray;

use crate::archive::DataFile;
use crate::clock::{HOUR, Micros};
use crate::event::{OrgId, attribute_of};
use crate::pricing::CallNames;
use crate::rollup::OTHER;
use crate::sql::PartialRow;

/// How sums name what is unknown.
const UNKNOWN: &str = "unknown";

/// Which calls a reprice is of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepriceScope {
    /// Of this organisation; `None` for all.
    pub org_id: Option<OrgId>,
    /// From this instant on.
    pub from: Option<Micros>,
    /// Before this instant.
    pub to: Option<Micros>,
    /// Of this provider, in whichever case.
    pub provider: Option<String>,
    /// Of this model, in whichever case.
    pub model: Option<String>,
    /// Also those that a table has priced; not only those without a price.
    pub all: bool,
}

impl RepriceScope {
    /// The range of organisations.
    pub(super) fn orgs(&self) -> (Bound<&str>, Bound<&str>) {
        match self.org_id.as_ref().map(OrgId::as_str) {
            Some(org) => (Bound::Included(org), Bound::Included(org)),
            None => (Bound::Unbounded, Bound::Unbounded),
        }
    }

    /// Whether there may be rows of the organisation in a file.
    pub(super) fn may_be_of_org(&self, file: &DataFile) -> bool {
        self.org_id.as_ref().is_none_or(|org| file.may_hold_org(org.as_str()))
    }

    /// Whether there may be such calls in a file.
    pub(super) fn may_be_in(&self, file: &DataFile) -> bool {
        let (from, to) = (self.from.unwrap_or(Micros::MIN), self.to.unwrap_or(Micros::MAX));
        self.may_be_of_org(file) && file.may_hold_time(from, to.saturating_sub(1))
    }

    /// Whether such calls may be in a sum of some hour.
    pub(super) fn may_be_among(&self, cell: &PartialRow) -> bool {
        let calls = if self.all { cell.totals.requests } else { cell.totals.unpriced };
        let last = cell.hour.saturating_add(HOUR - 1);
        calls > 0
            && self.from.is_none_or(|from| last >= from)
            && self.to.is_none_or(|to| cell.hour < to)
            && self.is_of_series(cell)
    }

    /// Whether a sum may be of calls of these names.
    pub(super) fn is_of_series(&self, cell: &PartialRow) -> bool {
        let is_one = |asked: Option<&str>, name: Option<&str>| match (asked, name) {
            (None, _) => true,
            (Some(asked), None) => is_name(asked, UNKNOWN),
            // The name that was sent may be another.
            (Some(asked), Some(name)) => name == OTHER || is_name(asked, name),
        };
        is_one(self.provider.as_deref(), cell.provider.as_deref())
            && is_one(self.model.as_deref(), cell.model.as_deref())
    }

    /// Whether a call at this time is one.
    pub(super) fn is_at(&self, ts: Micros) -> bool {
        self.from.is_none_or(|from| ts >= from) && self.to.is_none_or(|to| ts < to)
    }

    /// Whether a call is one that is stored or was sent under these names.
    pub(super) fn is_named(&self, stored: CallNames<'_>, sent: CallNames<'_>) -> bool {
        let is_one = |asked: &Option<String>, names: [Option<&str>; 2]| {
            let Some(asked) = asked else { return true };
            names.into_iter().any(|name| is_name(asked, name.unwrap_or(UNKNOWN)))
        };
        is_one(&self.provider, [stored.provider, sent.provider])
            && is_one(&self.model, [stored.model, sent.model])
    }
}

fn is_name(asked: &str, name: &str) -> bool {
    asked.trim().to_lowercase() == name.trim().to_lowercase()
}

/// The names that a call was sent under. Those above the cap of series are stored as others, and have what
/// was sent in their attributes.
pub(super) fn sent_names<'a>(
    stored: CallNames<'a>,
    attributes: &'a MapArray,
    row: usize,
) -> CallNames<'a> {
    let sent = |name: Option<&'a str>, key: &str| match name {
        Some(OTHER) => attribute_of(attributes, row, key).or(name),
        name => name,
    };
    let CallNames { provider, model } = stored;
    if model != Some(OTHER) {
        return stored;
    }
    CallNames { provider: sent(provider, "provider"), model: sent(model, "model") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::SeriesTotals;

    fn names<'a>(provider: Option<&'a str>, model: Option<&'a str>) -> CallNames<'a> {
        CallNames { provider, model }
    }

    #[test]
    fn names_have_no_case_and_either_is_meant() {
        let scope = RepriceScope { model: Some("GPT-4o".to_owned()), ..RepriceScope::default() };
        let [stored, sent] = [Some(" gpt-4O "), Some("o3")].map(|model| names(None, model));
        assert!(scope.is_named(stored, sent) && scope.is_named(sent, stored));
        assert!(!scope.is_named(sent, sent) && !scope.is_named(sent, names(None, None)));
        let scope = RepriceScope { provider: Some("unknown".to_owned()), ..scope };
        assert!(scope.is_named(names(None, Some("gpt-4o")), sent));
        assert!(!scope.is_named(names(Some("x"), Some("gpt-4o")), names(Some("x"), None)));
    }

    #[test]
    fn a_sum_is_passed_over_only_if_no_call_of_it_is_meant() {
        let cell = |model: Option<&str>, requests, unpriced| PartialRow {
            model: model.map(Into::into),
            hour: HOUR,
            totals: SeriesTotals { requests, unpriced, ..SeriesTotals::default() },
            ..PartialRow::default()
        };
        let all = RepriceScope { all: true, ..RepriceScope::default() };
        let unpriced = RepriceScope::default();
        assert!(all.may_be_among(&cell(None, 1, 0)) && !unpriced.may_be_among(&cell(None, 1, 0)));
        assert!(unpriced.may_be_among(&cell(None, 1, 1)));
        let named = RepriceScope { model: Some("M".to_owned()), ..all.clone() };
        let is_among = |model: Option<&str>| named.may_be_among(&cell(model, 1, 0));
        assert!(is_among(Some("m")) && is_among(Some("other")));
        assert!(!is_among(Some("n")) && !is_among(None));
        for (from, to, expected) in [
            (Some(2 * HOUR - 1), None, true),
            (Some(2 * HOUR), None, false),
            (None, Some(HOUR + 1), true),
            (None, Some(HOUR), false),
        ] {
            let scope = RepriceScope { from, to, ..all.clone() };
            assert_eq!(scope.may_be_among(&cell(None, 1, 0)), expected, "{from:?} {to:?}");
        }
    }
}
