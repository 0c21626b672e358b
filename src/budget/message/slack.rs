//! Slack's blocks, for an incoming webhook.

use serde_json::{Value, json};

use super::parts::{Cause, in_period, summary, utc};
use crate::budget::crossing::Crossing;

/// Characters of a header.
const HEADER_CHARS_MAX: usize = 150;
/// Characters of a section's text; the query is cut so that it fits.
const SQL_CHARS_MAX: usize = 2_900;

pub(super) fn body(cause: Cause, crossing: &Crossing) -> Value {
    let Crossing { org_id, budget, threshold, amount, spent, version, .. } = crossing;
    let test = if cause == Cause::Test { "Test: " } else { "" };
    let title = format!("{test}{threshold} % of the budget {budget} spent");
    let field = |name: &str, value: &str| json!({ "type": "mrkdwn", "text": format!("*{name}*\n{}", escaped(value)) });
    let fields = [
        field("Organisation", org_id),
        field("Budget", budget.as_str()),
        field("Spent", &format!("{spent} USD")),
        field("Amount", &format!("{amount} USD")),
        field("Threshold", &format!("{threshold} %")),
        field("Period", &in_period(crossing)),
    ];
    let sql = escaped(&cut(&crossing.sql.replace("```", "` ` `"), SQL_CHARS_MAX / 2));
    let when = format!("Seen {} at version {version}", utc(crossing.crossed_at_us));
    json!({
        "text": escaped(&summary(cause, crossing)),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": cut(&title, HEADER_CHARS_MAX) } },
            { "type": "section", "fields": fields },
            { "type": "section", "text": { "type": "mrkdwn", "text": format!("```{sql}```") } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": when }] },
        ],
    })
}

/// Text in which Slack finds no mention and no link.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::crossing::tests::crossing;

    #[test]
    fn blocks_keep_slacks_limits_and_mention_nobody() {
        let mut crossing = crossing();
        crossing.sql = format!("SELECT '<!channel>&' ```{}", "x".repeat(5_000));
        let body = body(Cause::Crossed, &crossing);
        let text = body.to_string();
        assert!(!text.contains("<!") && text.contains("&lt;!channel&gt;&amp;"), "{text}");
        assert_eq!(
            body["text"],
            "acme spent 80 % of the budget all: 81 of 100 USD in the month from 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z"
        );
        let blocks = body["blocks"].as_array().unwrap();
        let types: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["header", "section", "section", "context"]);
        assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
        let fields = blocks[1]["fields"].as_array().unwrap();
        assert!(fields.len() <= 10);
        assert!(fields.iter().all(|field| field["text"].as_str().unwrap().len() <= 2_000));
        let sql = blocks[2]["text"]["text"].as_str().unwrap();
        assert!(sql.chars().count() <= 3_000 && sql.matches("```").count() == 2, "{sql}");
    }
}
