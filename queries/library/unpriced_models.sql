-- Models with calls that have no price, which the costs of their organisations leave out.
--
-- Table:   events
-- Columns: provider, model text in lower case; null if absent
--          orgs            count of organisations
--          unpriced        count of calls without a price
--          calls           count of calls
--          last_seen       timestamp, UTC, of the latest call without a price
SELECT
    lower(btrim(provider)) AS provider,
    lower(btrim(model)) AS model,
    count(DISTINCT org_id) FILTER (WHERE cost_usd IS NULL) AS orgs,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced,
    count(*) AS calls,
    max(ts) FILTER (WHERE cost_usd IS NULL) AS last_seen
FROM events
WHERE event_type = 'api_call'
GROUP BY 1, 2
HAVING count(*) > count(cost_usd)
ORDER BY unpriced DESC, provider, model
