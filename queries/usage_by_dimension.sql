-- The usage of every organisation by the values of a dimension, by provider, model and hour: the table
-- usage_by_dimension, of one dimension.
--
-- Table:      cells        the rows of dimension_cells.sql of all data files
-- Parameters: $dimension   text, the name of the dimension
-- Columns:    org_id          text, as stored
--             dimension       text, the name of the dimension
--             value           text, trimmed and cut
--             provider, model text in lower case; null where absent, blank or "unknown"
--             hour            timestamp, UTC, the start of the hour of ts
--             requests        count of calls
--             input_tokens    decimal(38,0), LLM tokens
--             output_tokens   decimal(38,0), LLM tokens
--             cost_usd        decimal(38,12), dollars, with corrections; null while none is priced
--             cached_input_tokens .. reasoning_tokens  decimal(38,0), LLM tokens; null where no call has
--                             any, as in usage_hourly
--             unpriced        count of calls without a price
SELECT
    org_id,
    $dimension AS dimension,
    value,
    provider,
    model,
    hour,
    sum(requests) AS requests,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    CASE
        WHEN count(cost_usd) + count(corrected_cost_usd) + count(credits_usd) > 0
        THEN coalesce(sum(cost_usd), 0) + coalesce(sum(corrected_cost_usd), 0) - coalesce(sum(credits_usd), 0)
    END AS cost_usd,
    sum(cached_input_tokens) AS cached_input_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(unpriced) - sum(priced_later) AS unpriced
FROM cells
GROUP BY org_id, value, provider, model, hour
