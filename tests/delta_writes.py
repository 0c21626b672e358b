"""Writes to a table of events as programs that know nothing of tokenlake do: deltalake in the types that it is
given, and Polars. Each way appends three events of the organisation acme, whose ids begin with its name.

Usage: delta_writes.py TABLE WAY..."""

import datetime as dt
import decimal
import sys

import polars
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

WHEN = dt.datetime(2026, 1, 15, 12, tzinfo=dt.timezone.utc)
ROWS = 3
# What a table's writer cannot do without.
NEEDED = 10


def columns(way):
    def alike(value):
        return [value] * ROWS

    none = pa.array(alike(None), pa.int64())
    return {
        "event_id": [f"{way}-{row}" for row in range(ROWS)],
        "org_id": alike("acme"),
        "event_type": alike("api_call"),
        "ts": alike(WHEN),
        "provider": alike("openai"),
        "model": alike("gpt-4o"),
        "input_tokens": alike(5),
        "output_tokens": alike(1),
        "cost_usd": alike(decimal.Decimal("0.5")),
        "event_date": alike(WHEN.date()),
        "cached_input_tokens": none,
        "cache_write_tokens": none,
        "reasoning_tokens": none,
        "source": pa.array(alike(None), pa.string()),
        "ingested_at": alike(WHEN),
        "attributes": pa.array([[("team", "core")], None, []], pa.map_(pa.string(), pa.string())),
        "cost_source": pa.array(alike(None), pa.string()),
    }


def cast(data, kind, change):
    return pa.table({name: change(pa.array(column)) if isinstance(column[0], kind) else column
                     for name, column in data.items()})


def append(table, way):
    data = columns(way)
    some = dict(list(data.items())[:NEEDED])
    merge = {"schema_mode": "merge"}
    if way == "arrow":
        write_deltalake(table, pa.table(data), mode="append")
    elif way == "large":
        write_deltalake(table, cast(data, str, lambda texts: texts.cast(pa.large_string())), mode="append")
    elif way == "views":
        write_deltalake(table, cast(data, str, lambda texts: texts.cast(pa.string_view())), mode="append")
    elif way == "dictionaries":
        write_deltalake(table, cast(data, str, lambda texts: texts.dictionary_encode()), mode="append")
    elif way == "integers":
        write_deltalake(table, cast(data, int, lambda counts: counts.cast(pa.int32())), mode="append")
    elif way == "nanoseconds":
        data["ts"] = pa.array(data["ts"], pa.timestamp("ns", "UTC"))
        write_deltalake(table, pa.table(data), mode="append")
    elif way == "some":
        write_deltalake(table, pa.table(some), mode="append", **merge)
    elif way == "more":
        write_deltalake(table, pa.table(some | {"more": list(range(ROWS))}), mode="append", **merge)
    elif way == "polars":
        some["cost_usd"] = pa.array(some["cost_usd"], pa.decimal128(18, 12))
        polars.from_arrow(pa.table(some)).write_delta(table, mode="append", delta_write_options=merge)
    elif way == "negative":
        data["input_tokens"] = [5, -1_000_000, 5]
        write_deltalake(table, pa.table(data), mode="append")
    elif way == "doubled":
        data["event_id"] = ["arrow-0", "new-1", "new-2"]
        write_deltalake(table, pa.table(data), mode="append")
    elif way == "optimize":
        DeltaTable(table).optimize.compact()
    elif way == "z-order":
        DeltaTable(table).optimize.z_order(["model"])
    elif way == "checkpoint":
        DeltaTable(table).create_checkpoint()
    else:
        sys.exit(f"there is no way {way}")


for way in sys.argv[2:]:
    append(sys.argv[1], way)
