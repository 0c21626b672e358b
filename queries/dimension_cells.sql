-- What one data file adds to the usage of each part of an organisation whose events have the same value
-- of one attribute, by provider, model and hour. Events without it are in none.
--
-- Table:      events       the rows of one data file
-- Parameters: $attribute   text, the key of the attribute
-- Columns:    org_id       text, as stored; rows are sorted by it, and by value
--             value        text, trimmed and cut
--             provider .. last_ts  as in partial.sql, of calls alone, but for last_ts
--             corrected_cost_usd   decimal(38,12), dollars: corrections above 0; null without any
--             credits_usd          decimal(38,12), dollars: corrections below 0, as amounts above it
--             priced_later         count of calls that a correction gave their first price
--             first_ingested       timestamp, UTC, microseconds, of the first of the events
--
-- A correction has the type cost_correction, and no tokens.
SELECT
    org_id,
    value,
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
    sum(corrected_cost_usd) AS corrected_cost_usd,
    sum(credits_usd) AS credits_usd,
    sum(priced_later) AS priced_later,
    min(first_ingested) AS first_ingested
FROM (
    SELECT
        org_id,
        value,
        provider,
        model,
        arrow_cast(date_bin(INTERVAL '1 hour', ts), 'Timestamp(Microsecond, Some("UTC"))') AS hour,
        sum(called) AS requests,
        sum(CAST(input_tokens AS decimal(38, 0))) AS input_tokens,
        sum(CAST(output_tokens AS decimal(38, 0))) AS output_tokens,
        sum(CAST(cached_input_tokens AS decimal(38, 0))) AS cached_input_tokens,
        sum(CAST(cache_write_tokens AS decimal(38, 0))) AS cache_write_tokens,
        sum(CAST(reasoning_tokens AS decimal(38, 0))) AS reasoning_tokens,
        sum(CASE WHEN called = 1 THEN CAST(cost_usd AS decimal(38, 12)) END) AS cost_usd,
        sum(CASE WHEN called = 1 AND cost_usd IS NULL THEN 1 ELSE 0 END) AS unpriced,
        max(ts) AS last_ts,
        sum(CASE WHEN called = 0 AND cost_usd > 0 THEN CAST(cost_usd AS decimal(38, 12)) END) AS corrected_cost_usd,
        sum(CASE WHEN called = 0 AND cost_usd < 0 THEN -CAST(cost_usd AS decimal(38, 12)) END) AS credits_usd,
        sum(CASE WHEN called = 0 AND prices = 'true' THEN 1 ELSE 0 END) AS priced_later,
        min(ingested_at) AS first_ingested
    FROM (
        SELECT
            *,
            CASE WHEN event_type = 'api_call' THEN 1 ELSE 0 END AS called,
            dimension_value(attributes, $attribute) AS value,
            CASE WHEN event_type = 'cost_correction' THEN dimension_value(attributes, 'was_unpriced') END AS prices
        FROM events
        WHERE event_type IN ('api_call', 'cost_correction')
    ) AS told
    WHERE value IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
) AS spelled
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
