//! Our own JSON.

use serde_json::{Value, json};

use super::parts::{Cause, details, utc};
use crate::budget::crossing::Crossing;

pub(super) fn body(cause: Cause, crossing: &Crossing) -> Value {
    let kind = match cause {
        Cause::Crossed => "budget.threshold",
        Cause::Test => "budget.test",
    };
    json!({ "type": kind, "timestamp": utc(crossing.crossed_at_us), "data": details(crossing) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::crossing::tests::crossing;

    #[test]
    fn the_body_has_what_a_program_needs() {
        let expected = json!({
            "type": "budget.threshold",
            "timestamp": "2026-11-15T00:00:00Z",
            "data": {
                "org_id": "acme", "budget": "all", "period": "month",
                "start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z",
                "amount": "100", "threshold": 80, "spent": "81", "version": 17, "sql": "SELECT 1",
            },
        });
        assert_eq!(body(Cause::Crossed, &crossing()), expected);
        assert_eq!(body(Cause::Test, &crossing())["type"], "budget.test");
    }
}
