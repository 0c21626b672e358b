-- What the calls and corrections in some data files cost, by provider, model and what priced them.
--
-- Table:      events       the rows of data files
-- Parameters: $org_id      text, the organisation; empty for all
--             $attribute   text, the key of the attribute of a dimension; empty for none
--             $closed_ts   timestamp, when the books of the rows were closed
-- Columns:    org_id       text, as stored
--             value        text, of the attribute, trimmed and cut; null without it
--             provider, model  text in lower case; null where absent, blank or "unknown"
--             cost_source  text, what priced them; null where nothing did, or from before the column
--             charge       0: calls; 1: corrections that came before $closed_ts; 2: later ones
--             requests     count of calls
--             input_tokens .. reasoning_tokens  decimal(38,0), LLM tokens of calls
--             cost_usd     decimal(38,12), dollars; null where none is priced
--             unpriced     count of calls without a price, less those that a correction gave their first one
SELECT
    org_id,
    value,
    nullif(nullif(lower(btrim(provider)), ''), 'unknown') AS provider,
    nullif(nullif(lower(btrim(model)), ''), 'unknown') AS model,
    cost_source,
    charge,
    sum(requests) AS requests,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cached_input_tokens) AS cached_input_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(unpriced) AS unpriced
FROM (
    SELECT
        org_id,
        value,
        provider,
        model,
        cost_source,
        charge,
        sum(called) AS requests,
        sum(CAST(input_tokens AS decimal(38, 0))) AS input_tokens,
        sum(CAST(output_tokens AS decimal(38, 0))) AS output_tokens,
        sum(CAST(cached_input_tokens AS decimal(38, 0))) AS cached_input_tokens,
        sum(CAST(cache_write_tokens AS decimal(38, 0))) AS cache_write_tokens,
        sum(CAST(reasoning_tokens AS decimal(38, 0))) AS reasoning_tokens,
        sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd,
        sum(CASE WHEN called = 1 AND cost_usd IS NULL THEN 1 WHEN prices = 'true' THEN -1 ELSE 0 END) AS unpriced
    FROM (
        SELECT
            *,
            CASE WHEN event_type = 'api_call' THEN 1 ELSE 0 END AS called,
            CASE
                WHEN event_type = 'api_call' THEN 0
                WHEN ingested_at < $closed_ts THEN 1
                ELSE 2
            END AS charge,
            dimension_value(attributes, $attribute) AS value,
            CASE WHEN event_type = 'cost_correction' THEN dimension_value(attributes, 'was_unpriced') END AS prices
        FROM events
        WHERE event_type IN ('api_call', 'cost_correction') AND ($org_id = '' OR org_id = $org_id)
    ) AS told
    GROUP BY 1, 2, 3, 4, 5, 6
) AS spelled
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 3, 4, 5, 6
