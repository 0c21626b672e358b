-- The cells of corrections as partials have theirs: what they add to the cost of an hour.
--
-- Table:   stored   the rows of correction_cells.sql
-- Columns: as those of partial.sql
SELECT
    org_id,
    provider,
    model,
    hour,
    requests,
    input_tokens,
    output_tokens,
    cached_input_tokens,
    cache_write_tokens,
    reasoning_tokens,
    coalesce(corrected_cost_usd, 0) - coalesce(credits_usd, 0) AS cost_usd,
    unpriced - priced_later AS unpriced,
    last_ts
FROM stored
