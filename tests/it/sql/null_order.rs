//! Tests of where nulls come: first in a falling order, and last where a filter lets none pass.

use super::{answer, small};

#[test]
fn nulls_that_no_filter_leaves_are_looked_for_last() {
    let archive = small();
    for (filter, events, place) in [
        // One call has no cost.
        ("true", "a3|a4", "DESC NULLS FIRST"),
        ("cost_usd > 0.15", "a4|a2", "DESC NULLS LAST"),
        ("0.3 > cost_usd and event_type = 'api_call'", "a2|a1", "DESC NULLS LAST"),
        ("cost_usd is not null", "a4|a2", "DESC NULLS LAST"),
        ("cost_usd between 0.1 and 0.2", "a2|a1", "DESC NULLS LAST"),
        ("cost_usd > 0.15 or input_tokens = 1", "a3|a4", "DESC NULLS FIRST"),
        ("cost_usd is distinct from 9", "a3|a2", "DESC NULLS FIRST"),
        ("input_tokens > 0", "a3|a4", "DESC NULLS FIRST"),
    ] {
        let question = format!(
            "select event_id from (select event_id, cost_usd, event_type, input_tokens from events) e \
             where {filter} order by cost_usd desc, event_id limit 2"
        );
        let found = answer(archive.path(), &["-c", &question, "--format", "csv"]);
        assert_eq!(found.lines().skip(1).collect::<Vec<_>>().join("|"), events, "{filter}");
        let plan = answer(archive.path(), &["-c", &format!("explain {question}")]);
        assert!(plan.contains(&format!("cost_usd {place}, ")), "{filter}: {plan}");
    }
}
