"""Reads an archive's table by programs that know nothing of tokenlake, and compares what they find
with what `tokenlake sql` found: each row, and sums by organisation and date.

Usage: readers.py TABLE ROWS.ndjson SUMS.ndjson    (S3 settings from AWS_* variables)
"""

import datetime
import decimal
import json
import os
import sys

import deltalake
import duckdb
import polars
import pyarrow

TEXTS = ["org_id", "event_id", "event_type", "provider", "model", "source", "cost_source"]
NUMBERS = ["input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens"]
COLUMNS = [*TEXTS, *NUMBERS, "ts", "ingested_at", "event_date", "cost_usd", "attributes"]
SUMS = """SELECT org_id, event_date, count(*) AS events, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd, max(ts) AS ts
    FROM events GROUP BY org_id, event_date"""
NAMES = ["org_id", "event_date", "events", "input_tokens", "output_tokens", "cost_usd", "ts"]


def plain(name, value):
    """A value in one form, whichever program it comes from."""
    if value is None:
        return None
    if name in ("ts", "ingested_at"):
        time = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
        return time.astimezone(datetime.timezone.utc).isoformat()
    if name == "event_date":
        return str(value)
    if name == "cost_usd":
        assert not isinstance(value, float), value
        return str(decimal.Decimal(value).normalize())
    if name == "attributes":
        pairs = value.items() if isinstance(value, dict) else value
        pairs = [(p["key"], p["value"]) if isinstance(p, dict) else tuple(p) for p in pairs]
        return sorted(pairs)
    return int(value) if name in NUMBERS or name == "events" else value


def lines(rows, names):
    return sorted(json.dumps([plain(name, row[name]) for name in names]) for row in rows)


def read_file(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def by_deltalake(table, rows):
    query = deltalake.QueryBuilder().register("events", table)
    text = f"SELECT {', '.join(COLUMNS)} FROM events" if rows else SUMS
    return pyarrow.table(query.execute(text).read_all()).to_pylist()


def by_duckdb(table, rows):
    events = table.to_pyarrow_dataset()  # found by DuckDB by its name
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", events)
        text = f"SELECT {', '.join(COLUMNS)} FROM events" if rows else SUMS
        result = connection.execute(text).to_arrow_table()
        return result.to_pylist()


def by_polars(table, rows):
    events = polars.scan_delta(table)
    if rows:
        return events.select(COLUMNS).collect().to_arrow().to_pylist()
    sums = events.group_by("org_id", "event_date").agg(
        polars.len().alias("events"), polars.sum("input_tokens", "output_tokens", "cost_usd"), polars.max("ts"))
    return sums.collect().to_arrow().to_pylist()


def by_pyarrow(table, rows):
    events = table.to_pyarrow_dataset()
    if rows:
        return events.to_table(COLUMNS).to_pylist()
    sums = events.to_table().group_by(["org_id", "event_date"]).aggregate(
        [([], "count_all"), ("input_tokens", "sum"), ("output_tokens", "sum"), ("cost_usd", "sum"), ("ts", "max")])
    return sums.rename_columns({"count_all": "events", "input_tokens_sum": "input_tokens",
                                "output_tokens_sum": "output_tokens", "cost_usd_sum": "cost_usd",
                                "ts_max": "ts"}).to_pylist()


def compare(reader, what, expected, found):
    if expected == found:
        return 0
    missing = [line for line in expected if line not in set(found)][:3]
    more = [line for line in found if line not in set(expected)][:3]
    print(f"{reader}: {len(found)} {what} in place of {len(expected)}; not found {missing}, found {more}")
    return 1


def main():
    place, rows, sums = sys.argv[1:]
    options = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    table = deltalake.DeltaTable(place, storage_options=options)
    rows, sums = lines(read_file(rows), COLUMNS), lines(read_file(sums), NAMES)
    wrong = 0
    for read in (by_deltalake, by_duckdb, by_polars, by_pyarrow):
        name = read.__name__.removeprefix("by_")
        wrong += compare(name, "rows", rows, lines(read(table, True), COLUMNS))
        wrong += compare(name, "sums", sums, lines(read(table, False), NAMES))
        print(f"{name}: {len(rows)} rows")
    return 1 if wrong else 0


status = main()
sys.stdout.flush()
# The threads of four libraries do not always end well together, and what counts has been said.
os._exit(status)
