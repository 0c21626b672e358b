-- The corrections of one organisation in part of a data file, for an hour that the rolling
-- window cuts.
--
-- Table:      events    the rows of one data file
-- Parameters: $org_id   text
--             $from_ts  timestamp, UTC: the first instant taken
--             $to_ts    timestamp, UTC: the first instant no longer taken
-- Columns:    ts        timestamp, UTC, microseconds, ascending, each once
--             cost_usd  decimal(38,12), dollars
SELECT
    ts,
    sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd
FROM events
WHERE event_type = 'cost_correction'
  AND org_id = $org_id
  AND ts >= $from_ts
  AND ts < $to_ts
  AND cost_usd IS NOT NULL
GROUP BY ts
ORDER BY ts
