-- Every series of every organisation, from the raw rows: what the counters must equal.
--
-- Table:   events          all rows of the archive
-- Columns: org_id          text, as stored
--          provider, model text in lower case
--          requests        count of events
--          total_tokens    decimal(38,0), LLM tokens, input and output
--          cost_usd        decimal(38,12), dollars; null while no event is priced
SELECT
    org_id,
    lower(btrim(provider)) AS provider,
    lower(btrim(model)) AS model,
    count(*) AS requests,
    sum(CAST(input_tokens AS decimal(38, 0)) + CAST(output_tokens AS decimal(38, 0))) AS total_tokens,
    sum(CAST(cost_usd AS decimal(38, 12))) AS cost_usd
FROM events
WHERE event_type = 'api_call'
  AND lower(btrim(provider)) NOT IN ('', 'unknown')
  AND lower(btrim(model)) NOT IN ('', 'unknown')
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
