-- What one data file adds to every organisation's usage, by provider, model and hour.
--
-- Table:   events          the rows of one data file
-- Columns: org_id          text, as stored; rows are sorted by it
--          provider, model text in lower case; null where absent, blank or "unknown"
--          hour            timestamp, UTC, the start of the hour of ts
--          requests        count of events
--          input_tokens .. reasoning_tokens  decimal(38,0), LLM tokens; null where no event has any
--          cost_usd        decimal(38,12), dollars; null while no event is priced
--          unpriced        count of events without a price
--          last_ts         timestamp, UTC, microseconds
--
-- Sums are taken as decimals because a sum of int64 wraps around. Rows are grouped by names as they
-- are sent, so that only the few results need lower case; and hours are cut by arithmetic, which
-- date_trunc does by the calendar of a zone, row by row.
SELECT
    org_id,
    nullif(nullif(lower(btrim(provider)), ''), 'unknown') AS provider,
    nullif(nullif(lower(btrim(model)), ''), 'unknown') AS model,
    hour,
    sum(requests) AS requests,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cached_input_tokens) AS cached_input_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(unpriced) AS unpriced,
    max(last_ts) AS last_ts
FROM (
    SELECT
        org_id,
        provider,
        model,
        arrow_cast(date_bin(INTERVAL '1 hour', ts), 'Timestamp(Microsecond, Some("UTC"))') AS hour,
        count(*) AS requests,
        sum(CAST(input_tokens AS decimal(38, 0))) AS input_tokens,
        sum(CAST(output_tokens AS decimal(38, 0))) AS output_tokens,
        sum(CAST(cached_input_tokens AS decimal(38, 0))) AS cached_input_tokens,
        sum(CAST(cache_write_tokens AS decimal(38, 0))) AS cache_write_tokens,
        sum(CAST(reasoning_tokens AS decimal(38, 0))) AS reasoning_tokens,
        sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd,
        count(*) - count(cost_usd) AS unpriced,
        max(ts) AS last_ts
    FROM events
    WHERE event_type = 'api_call'
    GROUP BY 1, 2, 3, 4
) AS spelled
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
