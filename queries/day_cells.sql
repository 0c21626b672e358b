-- What one data file adds to every organisation's usage, by provider and model, without hours.
--
-- Table:   events          the rows of one data file, which has one date
-- Columns: as those of partial.sql, where
--          hour            timestamp, UTC, the start of the date
--          first_ingested  timestamp, UTC, microseconds, of the first of the events
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
    max(last_ts) AS last_ts,
    min(first_ingested) AS first_ingested
FROM (
    SELECT
        org_id,
        provider,
        model,
        arrow_cast(date_bin(INTERVAL '1 day', ts), 'Timestamp(Microsecond, Some("UTC"))') AS hour,
        count(*) AS requests,
        sum(CAST(input_tokens AS decimal(38, 0))) AS input_tokens,
        sum(CAST(output_tokens AS decimal(38, 0))) AS output_tokens,
        sum(CAST(cached_input_tokens AS decimal(38, 0))) AS cached_input_tokens,
        sum(CAST(cache_write_tokens AS decimal(38, 0))) AS cache_write_tokens,
        sum(CAST(reasoning_tokens AS decimal(38, 0))) AS reasoning_tokens,
        sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd,
        count(*) - count(cost_usd) AS unpriced,
        max(ts) AS last_ts,
        min(ingested_at) AS first_ingested
    FROM events
    WHERE event_type = 'api_call'
    GROUP BY 1, 2, 3, 4
) AS spelled
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
