//! The answer to a batch of events.

use serde::Serialize;

use super::limits::REJECTIONS_MAX;
use crate::event::Rejection;

/// The outcome of a request's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Events added.
    pub accepted: usize,
    /// Events that were in the table already.
    pub duplicates: usize,
    /// Events that are invalid, in order of index: at most [`REJECTIONS_MAX`] of them.
    pub rejected: Vec<Rejection>,
    /// How many more events are invalid.
    #[serde(skip_serializing_if = "is_zero")]
    pub rejected_more: usize,
}

impl Receipt {
    /// A receipt with rejections in any order, and `rejected_more` rejections without reasons.
    pub fn new(
        accepted: usize,
        duplicates: usize,
        mut rejected: Vec<Rejection>,
        rejected_more: usize,
    ) -> Self {
        rejected.sort_by_key(|rejection| rejection.index);
        let rejected_more = rejected_more + rejected.len().saturating_sub(REJECTIONS_MAX);
        rejected.truncate(REJECTIONS_MAX);
        Self { accepted, duplicates, rejected, rejected_more }
    }

    /// The same receipt with all rejections counted and none listed.
    #[must_use]
    pub fn without_reasons(self) -> Self {
        Self { rejected_more: self.rejected(), rejected: Vec::new(), ..self }
    }

    /// Whether there were events, and none is in the archive.
    pub(super) fn is_all_rejected(&self) -> bool {
        self.accepted + self.duplicates == 0 && self.rejected() > 0
    }

    /// The number of invalid events.
    pub fn rejected(&self) -> usize {
        self.rejected.len() + self.rejected_more
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rejections_are_listed_and_the_rest_is_counted() {
        let one = |index| Rejection { index, event_id: None, error: String::new() };
        let receipt = Receipt::new(1, 0, (0..REJECTIONS_MAX + 3).rev().map(one).collect(), 4);
        assert_eq!((receipt.rejected.len(), receipt.rejected_more), (REJECTIONS_MAX, 7));
        assert_eq!((receipt.rejected[0].index, receipt.rejected()), (0, REJECTIONS_MAX + 7));
        let bare = receipt.without_reasons();
        assert_eq!((bare.rejected.len(), bare.rejected()), (0, REJECTIONS_MAX + 7));
        let few = serde_json::to_string(&Receipt::new(1, 2, vec![], 0)).unwrap();
        assert_eq!(few, r#"{"accepted":1,"duplicates":2,"rejected":[]}"#);
    }
}
