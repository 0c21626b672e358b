-- The cost of every organisation inside a window, from the raw rows: what the gauge must equal.
--
-- Table:      events    all rows of the archive
-- Parameters: $after_ts timestamp, UTC: the window begins just after it
--             $until_ts timestamp, UTC: the last instant of the window
-- Columns:    org_id    text, as stored
--             cost_usd  decimal(38,12), dollars, of calls and corrections; null while none is priced
SELECT
    org_id,
    sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd
FROM events
WHERE event_type IN ('api_call', 'cost_correction')
  AND ts > $after_ts
  AND ts <= $until_ts
GROUP BY org_id
ORDER BY org_id
