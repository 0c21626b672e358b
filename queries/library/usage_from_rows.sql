-- The table usage_hourly from rows, in the SQL that every engine speaks: what other programs that read
-- the table ask to get tokenlake's numbers (docs/engines.md). Their session has to be in UTC.
--
-- Table:   events
-- Columns: org_id          text, as stored
--          provider, model text in lower case; null if absent, blank or "unknown"
--          hour            timestamp, UTC, the start of the hour of ts
--          requests        count of calls; corrections are none
--          input_tokens    LLM tokens
--          output_tokens   LLM tokens
--          cost_usd        dollars, with corrections; null while no call is priced
SELECT
    org_id,
    nullif(nullif(lower(trim(provider)), ''), 'unknown') AS provider,
    nullif(nullif(lower(trim(model)), ''), 'unknown') AS model,
    date_trunc('hour', ts) AS hour,
    sum(CASE WHEN event_type = 'api_call' THEN 1 ELSE 0 END) AS requests,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost_usd) AS cost_usd
FROM events
WHERE event_type IN ('api_call', 'cost_correction')
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
