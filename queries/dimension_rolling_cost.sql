-- The cost of each part of an organisation whose events have the same value of one attribute, inside a
-- window, from the raw rows: what the gauges of a dimension must equal.
--
-- Table:      events     all rows of the archive
-- Parameters: $attribute text, the key of the attribute
--             $after_ts  timestamp, UTC: the window begins just after it
--             $until_ts  timestamp, UTC: the last instant of the window
-- Columns:    org_id     text, as stored
--             value      text, trimmed and cut
--             cost_usd   decimal(38,12), dollars, of calls and corrections; null while none is priced
SELECT
    org_id,
    value,
    sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd
FROM (
    SELECT
        org_id,
        cost_usd,
        dimension_value(attributes, $attribute) AS value
    FROM events
    WHERE event_type IN ('api_call', 'cost_correction')
      AND ts > $after_ts
      AND ts <= $until_ts
) AS told
WHERE value IS NOT NULL
GROUP BY org_id, value
ORDER BY org_id, value
