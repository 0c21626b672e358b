-- The cost of each part of an organisation whose events have the same value of one attribute, in part
-- of a data file, for an hour that the rolling window cuts: of calls, and of corrections.
--
-- Table:      events      the rows of one data file
-- Parameters: $org_id     text
--             $attribute  text, the key of the attribute
--             $from_ts    timestamp, UTC: the first instant taken
--             $to_ts      timestamp, UTC: the first instant no longer taken
-- Columns:    value       text, trimmed and cut
--             ts          timestamp, UTC, microseconds, ascending, each once for a value
--             cost_usd    decimal(38,12), dollars
SELECT
    value,
    ts,
    sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd
FROM (
    SELECT
        ts,
        cost_usd,
        dimension_value(attributes, $attribute) AS value
    FROM events
    WHERE event_type IN ('api_call', 'cost_correction')
      AND org_id = $org_id
      AND ts >= $from_ts
      AND ts < $to_ts
      AND cost_usd IS NOT NULL
) AS told
WHERE value IS NOT NULL
GROUP BY value, ts
ORDER BY value, ts
