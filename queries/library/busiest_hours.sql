-- The 20 hours with most calls.
--
-- Table:   usage_hourly
-- Columns: hour            timestamp, UTC
--          requests        count of calls
--          orgs            count of organisations
--          tokens          LLM tokens, input and output
--          cost_usd        dollars
SELECT
    hour,
    sum(requests) AS requests,
    count(DISTINCT org_id) AS orgs,
    sum(input_tokens) + sum(output_tokens) AS tokens,
    sum(cost_usd) AS cost_usd
FROM usage_hourly
GROUP BY hour
ORDER BY requests DESC, hour
LIMIT 20
