-- The cells of a dimension that files carry, with the name of the part of an organisation taken apart.
--
-- Table:      stored     the cells, whose org_id is the name of a part
-- Parameters: $between   text, what is between organisation and value in such a name
-- Columns:    as those of dimension_cells.sql
SELECT
    substr(org_id, 1, strpos(org_id, $between) - 1) AS org_id,
    substr(org_id, strpos(org_id, $between) + 1) AS value,
    provider,
    model,
    hour,
    requests,
    input_tokens,
    output_tokens,
    cached_input_tokens,
    cache_write_tokens,
    reasoning_tokens,
    cost_usd,
    unpriced,
    last_ts,
    corrected_cost_usd,
    credits_usd,
    priced_later,
    first_ingested
FROM stored
