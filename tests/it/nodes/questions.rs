//! The questions that one process and several answer alike.

use crate::sql::from_partials::{ANSWERED, NOT_ANSWERED};

/// Questions that need rows, and so go to nodes.
pub const OF_ROWS: [&str; 14] = [
    "SELECT * FROM events",
    "SELECT event_id, input_tokens FROM events WHERE input_tokens > 40 ORDER BY event_id",
    "SELECT source, count(*), sum(cost_usd), avg(cost_usd), max(cost_usd) FROM events GROUP BY source",
    "SELECT attributes['team'] AS team, sum(input_tokens) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT model, percentile_cont(0.5) WITHIN GROUP (ORDER BY input_tokens) FROM events GROUP BY model",
    "SELECT event_id, cost_usd FROM events ORDER BY cost_usd DESC, event_id LIMIT 7",
    "SELECT DISTINCT source, date_trunc('minute', ts) AS minute FROM events",
    "SELECT count(DISTINCT event_id), sum(DISTINCT input_tokens) FROM events",
    "SELECT a.event_id, b.cost_usd FROM events a JOIN events b ON a.event_id = b.event_id
     WHERE a.input_tokens > 60",
    "SELECT org_id, event_id, row_number() OVER (PARTITION BY org_id ORDER BY cost_usd, event_id) AS n
     FROM events",
    "SELECT event_id, to_char(ts AT TIME ZONE 'Europe/Berlin', 'YYYY-MM-DD HH24:MI'),
            cost_usd * 3 / 7, round(cost_usd, 2), ts + INTERVAL '90 minutes' FROM events",
    "SELECT org_id, min(ts), max(ts) - min(ts) FROM events WHERE source <> 's1' GROUP BY org_id",
    "SELECT source, output_tokens, count(*) FROM events WHERE source = 's2'
     GROUP BY GROUPING SETS ((source, output_tokens), (source), ()) ORDER BY 1, 2",
    "SELECT source, s, count(*) FROM events LEFT JOIN (SELECT event_id AS e, source AS s FROM events
     WHERE source = 's2') x ON e = event_id GROUP BY source, s ORDER BY s, source",
];

/// Questions of other forms, wherever they run.
pub const OF_OTHER_FORMS: [&str; 23] = [
    "SELECT count(*) FROM events",
    "SELECT 1 + 1",
    "SELECT * FROM usage_hourly",
    "SELECT model, sum(cost_usd) FROM usage_hourly GROUP BY model",
    "SELECT * FROM usage_by_dimension",
    "SELECT * FROM provider_reports",
    "SELECT * FROM events WHERE event_id = '1203'",
    "SELECT * FROM events WHERE event_date = '2026-02-03' AND org_id = 'beta'",
    "SELECT * FROM events WHERE ts < '2020-01-01T00:00:00Z'",
    "SELECT event_id FROM events WHERE cost_usd = (SELECT max(cost_usd) FROM events)",
    "SELECT event_id FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.org_id = 'acme' AND o.source = e.source AND o.model = 'm')",
    "SELECT event_id FROM events WHERE org_id NOT IN (SELECT org_id FROM events WHERE input_tokens > 66 AND model = 'm')",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, (SELECT count(*) FROM events) FROM n",
    "SELECT event_id FROM events UNION ALL SELECT model FROM events UNION ALL SELECT 'x'",
    "SELECT model FROM events EXCEPT SELECT model FROM events WHERE source = 's1'",
    "SELECT event_date, sum(count(*)) OVER (ORDER BY event_date) FROM events WHERE source = 's2' GROUP BY event_date",
    "SELECT h.hour, h.requests, count(e.event_id) FROM usage_hourly h LEFT JOIN events e ON date_trunc('hour', e.ts) = h.hour AND e.org_id = h.org_id GROUP BY h.hour, h.requests",
    "SELECT generate_series, count(e.event_id) FROM generate_series(1, 5) LEFT JOIN events e ON e.output_tokens = generate_series GROUP BY 1",
    "SELECT 1 / (input_tokens - input_tokens) FROM events",
    "SELECT nothing FROM events",
    "SELECT CAST(source AS bigint) FROM events",
    "SELECT array_agg(model ORDER BY event_id) FROM events WHERE source = 's0' AND output_tokens = 3",
    "SELECT DISTINCT ON (source) source AS s, source, event_id FROM events ORDER BY 1, source, source DESC, event_id",
];

/// The question whose answer is an approximation, which depends on how rows are gathered.
pub const APPROXIMATE: &str = "SELECT approx_percentile_cont(output_tokens, 0.5) FROM events";

/// All that have one right answer.
pub fn all() -> impl Iterator<Item = &'static str> {
    let others = ANSWERED.into_iter().chain(NOT_ANSWERED);
    let all = OF_ROWS.into_iter().chain(OF_OTHER_FORMS).chain(others);
    all.filter(|question| *question != APPROXIMATE)
}
