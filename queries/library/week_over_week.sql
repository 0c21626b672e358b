-- What each model cost in the last 7 days of the archive, and in the 7 days before.
--
-- Table:   usage_hourly
-- Columns: provider, model text in lower case; null if unknown
--          requests        count of calls in the last 7 days
--          cost_usd        dollars in the last 7 days
--          cost_before     dollars in the 7 days before
--          change          dollars
WITH newest AS (
    SELECT max(hour) AS hour FROM usage_hourly
),
weeks AS (
    SELECT usage_hourly.*, usage_hourly.hour > newest.hour - INTERVAL '7 days' AS is_last
    FROM usage_hourly CROSS JOIN newest
    WHERE usage_hourly.hour > newest.hour - INTERVAL '14 days'
)
SELECT
    provider,
    model,
    coalesce(sum(requests) FILTER (WHERE is_last), 0) AS requests,
    coalesce(sum(cost_usd) FILTER (WHERE is_last), 0) AS cost_usd,
    coalesce(sum(cost_usd) FILTER (WHERE NOT is_last), 0) AS cost_before,
    coalesce(sum(cost_usd) FILTER (WHERE is_last), 0)
        - coalesce(sum(cost_usd) FILTER (WHERE NOT is_last), 0) AS change
FROM weeks
GROUP BY provider, model
ORDER BY cost_usd DESC, provider, model
