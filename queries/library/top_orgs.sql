-- The 20 organisations that spent most in the last 30 days of the archive.
--
-- Table:   usage_hourly
-- Columns: org_id          text
--          requests        count of calls
--          tokens          LLM tokens, input and output
--          cost_usd        dollars
--          share           of all organisations' cost, in percent
WITH newest AS (
    SELECT max(hour) AS hour FROM usage_hourly
),
spent AS (
    SELECT
        org_id,
        sum(requests) AS requests,
        sum(input_tokens) + sum(output_tokens) AS tokens,
        sum(cost_usd) AS cost_usd
    FROM usage_hourly
    WHERE hour > (SELECT hour FROM newest) - INTERVAL '30 days'
    GROUP BY org_id
)
SELECT
    org_id,
    requests,
    tokens,
    cost_usd,
    CAST(
        100 * CAST(cost_usd AS decimal(24, 12))
        / nullif(CAST(sum(cost_usd) OVER () AS decimal(24, 12)), 0)
        AS decimal(5, 1)
    ) AS share
FROM spent
ORDER BY cost_usd DESC NULLS LAST, org_id
LIMIT 20
