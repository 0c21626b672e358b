-- What the corrections in one data file add to every organisation's usage, by provider, model and hour.
--
-- Table:   events          the rows of one data file
-- Columns: as those of dimension_cells.sql, without value; what is of calls is 0
SELECT
    org_id,
    nullif(nullif(lower(btrim(provider)), ''), 'unknown') AS provider,
    nullif(nullif(lower(btrim(model)), ''), 'unknown') AS model,
    hour,
    sum(of_calls) AS requests,
    CAST(sum(of_calls) AS decimal(38, 0)) AS input_tokens,
    CAST(sum(of_calls) AS decimal(38, 0)) AS output_tokens,
    CAST(sum(of_calls) AS decimal(38, 0)) AS cached_input_tokens,
    CAST(sum(of_calls) AS decimal(38, 0)) AS cache_write_tokens,
    CAST(sum(of_calls) AS decimal(38, 0)) AS reasoning_tokens,
    CAST(NULL AS decimal(38, 12)) AS cost_usd,
    sum(of_calls) AS unpriced,
    max(last_ts) AS last_ts,
    sum(corrected_cost_usd) AS corrected_cost_usd,
    sum(credits_usd) AS credits_usd,
    sum(priced_later) AS priced_later,
    min(first_ingested) AS first_ingested
FROM (
    SELECT
        org_id,
        provider,
        model,
        arrow_cast(date_bin(INTERVAL '1 hour', ts), 'Timestamp(Microsecond, Some("UTC"))') AS hour,
        CAST(0 AS bigint) AS of_calls,
        max(ts) AS last_ts,
        sum(CASE WHEN cost_usd > 0 THEN CAST(cost_usd AS decimal(38, 12)) END) AS corrected_cost_usd,
        sum(CASE WHEN cost_usd < 0 THEN -CAST(cost_usd AS decimal(38, 12)) END) AS credits_usd,
        sum(CASE WHEN dimension_value(attributes, 'was_unpriced') = 'true' THEN 1 ELSE 0 END) AS priced_later,
        min(ingested_at) AS first_ingested
    FROM events
    WHERE event_type = 'cost_correction'
    GROUP BY 1, 2, 3, 4
) AS spelled
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
