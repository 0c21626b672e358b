-- How much of the input came from the provider's cache, by model.
--
-- Table:   events          calls that say how much was cached
-- Columns: provider, model text in lower case
--          calls           count of calls
--          input_tokens    LLM tokens
--          cached_tokens   LLM tokens, of input_tokens
--          cached_percent  of input_tokens
SELECT
    lower(btrim(provider)) AS provider,
    lower(btrim(model)) AS model,
    count(*) AS calls,
    sum(CAST(input_tokens AS decimal(38, 0))) AS input_tokens,
    sum(CAST(cached_input_tokens AS decimal(38, 0))) AS cached_tokens,
    CAST(
        100 * CAST(sum(CAST(cached_input_tokens AS decimal(38, 0))) AS decimal(24, 4))
        / nullif(CAST(sum(CAST(input_tokens AS decimal(38, 0))) AS decimal(24, 0)), 0)
        AS decimal(5, 1)
    ) AS cached_percent
FROM events
WHERE event_type = 'api_call' AND cached_input_tokens IS NOT NULL
GROUP BY 1, 2
ORDER BY cached_tokens DESC, provider, model
