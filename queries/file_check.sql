-- Facts about the rows of a data file, which the log's bounds must contain.
--
-- Table:   events          the rows of one data file
-- Columns: events          count of rows
--          misplaced       count of rows whose UTC date is not the file's
--          first_ts, last_ts    timestamp, UTC, microseconds; null without rows
--          first_org, last_org  text; null without rows
SELECT
    count(*) AS events,
    count(*) FILTER (WHERE CAST(ts AS date) <> event_date) AS misplaced,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    min(org_id) AS first_org,
    max(org_id) AS last_org
FROM events
