-- What was spent on each day and model.
--
-- Table:   usage_hourly
-- Columns: day             UTC; for days of another place: date_trunc('day', hour AT TIME ZONE 'Asia/Kolkata')
--          provider, model text in lower case; null if unknown
--          requests        count of calls
--          cost_usd        dollars; null while no call is priced
SELECT
    CAST(hour AS date) AS day,
    provider,
    model,
    sum(requests) AS requests,
    sum(cost_usd) AS cost_usd
FROM usage_hourly
GROUP BY 1, 2, 3
ORDER BY day DESC, cost_usd DESC NULLS LAST, provider, model
