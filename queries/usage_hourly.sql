-- The usage of every organisation, by provider, model and hour: the table usage_hourly.
--
-- Table:   partials        the rows of partial.sql of all data files
-- Columns: org_id          text, as stored
--          provider, model text in lower case; null if absent, blank or "unknown"
--          hour            timestamp, UTC, the start of the hour of ts
--          requests        count of events
--          input_tokens    decimal(38,0), LLM tokens
--          output_tokens   decimal(38,0), LLM tokens
--          cost_usd        decimal(38,12), dollars; null while no event is priced
--          cached_input_tokens, cache_write_tokens  decimal(38,0), of input_tokens; null where no
--                          event has any
--          reasoning_tokens  decimal(38,0), of output_tokens; null where no event has any
--          unpriced        count of events without a cost
SELECT
    org_id,
    provider,
    model,
    hour,
    sum(requests) AS requests,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost_usd) AS cost_usd,
    sum(cached_input_tokens) AS cached_input_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(unpriced) AS unpriced
FROM partials
GROUP BY org_id, provider, model, hour
