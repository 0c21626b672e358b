-- What a thousand priced calls of each model cost.
--
-- Table:   events
-- Columns: provider, model text in lower case
--          calls           count of calls with a price
--          cost_usd        dollars
--          per_1000_calls  dollars
SELECT
    lower(btrim(provider)) AS provider,
    lower(btrim(model)) AS model,
    count(*) AS calls,
    sum(cost_usd) AS cost_usd,
    CAST(1000 * avg(cost_usd) AS decimal(18, 6)) AS per_1000_calls
FROM events
WHERE event_type = 'api_call' AND cost_usd IS NOT NULL
GROUP BY 1, 2
ORDER BY per_1000_calls DESC, provider, model
