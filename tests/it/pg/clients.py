"""Asks through drivers of Python. Arguments: the port. The key is in PGPASSWORD."""

import asyncio
import datetime
import decimal
import io
import os
import sys

import asyncpg
import psycopg
import psycopg2
import sqlalchemy

PORT, KEY = int(sys.argv[1]), os.environ["PGPASSWORD"]
TO = dict(host="127.0.0.1", port=PORT, user="ana", password=KEY)
FIRST = datetime.datetime(2026, 1, 15, 10, 0, tzinfo=datetime.timezone.utc)
ASK = "SELECT event_id, ts, event_date, input_tokens, cost_usd, attributes FROM events"


def check(row):
    event_id, ts, date, tokens, cost, attributes = row
    assert (event_id, ts, date) == ("101", FIRST, FIRST.date()), row
    assert (tokens, cost) == (10, decimal.Decimal("0.1")), row
    assert attributes in ({"n": "1"}, '{"n":"1"}'), row


def with_psycopg2():
    with psycopg2.connect(dbname="lake", **TO) as connection, connection.cursor() as cursor:
        cursor.execute(f"{ASK} WHERE model = %s AND input_tokens < %s ORDER BY ts", ("gpt-4o", 15))
        check(cursor.fetchone())
        cursor.execute("SELECT count(*) FROM events WHERE model = ANY(%s)", (["gpt-4o", "claude"],))
        assert cursor.fetchone() == (4,)
        # It writes values into the query, by what it was told of backslashes.
        cursor.execute(r"SELECT %s, %s = 'a\b', %s = ANY(%s)", ("a\\b'\"", "a\\b", "\\", ["\\"]))
        assert cursor.fetchone() == ("a\\b'\"", True, True)
        with connection.cursor("few") as few:
            few.itersize = 3
            few.execute("SELECT event_id FROM events WHERE input_tokens > %s ORDER BY ts", (5,))
            assert [row[0] for row in few] == ["101", "102", "103", "104"]
        copied = io.StringIO()
        cursor.copy_expert("COPY (SELECT event_id, input_tokens FROM events ORDER BY ts) TO STDOUT WITH CSV HEADER", copied)
        assert copied.getvalue().splitlines() == ["event_id,input_tokens", "101,10", "102,20", "103,30", "104,40"]
        try:
            cursor.execute("SELECT nothing FROM events")
        except psycopg2.errors.UndefinedColumn:
            connection.rollback()
        else:
            raise AssertionError("a column that is not there")


def with_psycopg():
    for binary in (False, True):
        with psycopg.connect(dbname="lake", **TO) as connection:
            cursor = connection.cursor(binary=binary)
            cursor.execute(f"{ASK} WHERE ts = %s AND cost_usd < %s", (FIRST, decimal.Decimal("0.15")))
            check(cursor.fetchone())
            cursor.execute("SELECT count(*) FROM events WHERE model = ANY(%s) AND input_tokens = ANY(%s)", (["gpt-4o"], [10, 20]))
            assert cursor.fetchone() == (2,)
            for _ in range(7):
                cursor.execute("SELECT %s::int + 1", (1,), prepare=True)
                assert cursor.fetchone() == (2,)
            cursor.execute("SELECT ARRAY[1, 2], ARRAY['a', NULL], interval '1 day 2 hours', true, 1.5::float8")
            row = cursor.fetchone()
            assert row == ([1, 2], ["a", None], datetime.timedelta(days=1, hours=2), True, 1.5), row
            with connection.cursor("few", binary=binary) as few:
                few.itersize = 3
                few.execute("SELECT event_id, input_tokens FROM events WHERE input_tokens > %s ORDER BY ts", (5,))
                assert [tuple(row) for row in few] == [("101", 10), ("102", 20), ("103", 30), ("104", 40)]
            how = "(FORMAT binary)" if binary else ""
            with cursor.copy(f"COPY (SELECT event_id, cost_usd, ts, input_tokens FROM events ORDER BY ts) TO STDOUT {how}") as copy:
                copy.set_types(["text", "numeric", "timestamptz", "int8"])
                rows = list(copy.rows())
            assert len(rows) == 4 and rows[0] == ("101", decimal.Decimal("0.1"), FIRST, 10), rows
            with connection.pipeline():
                results = [connection.execute("SELECT %s::text", (str(n),)) for n in range(5)]
            assert [result.fetchone()[0] for result in results] == ["0", "1", "2", "3", "4"]


async def with_asyncpg():
    connection = await asyncpg.connect(database="lake", **TO)
    check(tuple(await connection.fetchrow(f"{ASK} WHERE model = $1 AND ts <= $2 ORDER BY ts", "gpt-4o", FIRST)))
    count = "SELECT count(*) FROM events WHERE model = ANY($1) AND input_tokens > $2 AND cost_usd < $3"
    assert await connection.fetchval(count, ["gpt-4o", "claude"], 10, decimal.Decimal("0.35")) == 2
    assert await connection.fetchval("SELECT count(*) FROM events WHERE event_date = $1", FIRST.date()) == 3
    since = "SELECT count(*) FROM events WHERE ts >= $1 AND ts < $1 + interval '14 hours'"
    assert await connection.fetchval(since, FIRST) == 3
    assert await connection.fetchval(since.replace("$1 +", "interval '28 hours' + $2 -"), FIRST, FIRST) == 3
    assert await connection.fetchval("SELECT count(*) FROM events WHERE input_tokens = ANY($1::bigint[])", [10, 20]) == 2
    async with connection.transaction():
        seen = [row["event_id"] async for row in connection.cursor("SELECT event_id FROM events ORDER BY ts", prefetch=2)]
    assert seen == ["101", "102", "103", "104"], seen
    copied = io.BytesIO()
    told = await connection.copy_from_query("SELECT event_id FROM events WHERE input_tokens > 20 ORDER BY ts", output=copied)
    assert (told, copied.getvalue()) == ("COPY 2", b"103\n104\n"), copied.getvalue()
    assert await connection.copy_from_table("events", columns=["model"], output=io.BytesIO(), format="csv") == "COPY 4"
    try:
        await connection.fetch("SELECT 1 / 0")
    except asyncpg.DivisionByZeroError:
        pass
    else:
        raise AssertionError("a division by zero")
    await connection.close()
    pool = await asyncpg.create_pool(database="lake", min_size=3, max_size=3, **TO)
    counts = await asyncio.gather(*(pool.fetchval("SELECT count(*) FROM events") for _ in range(10)))
    assert counts == [4] * 10
    await pool.close()


def with_sqlalchemy():
    for driver in ("psycopg2", "psycopg"):
        url = sqlalchemy.URL.create(f"postgresql+{driver}", "ana", KEY, "127.0.0.1", PORT, "lake")
        engine = sqlalchemy.create_engine(url)
        inspector = sqlalchemy.inspect(engine)
        assert sorted(inspector.get_table_names()) == ["events", "provider_reports", "usage_by_dimension", "usage_hourly"]
        assert inspector.get_schema_names() and inspector.get_view_names() == []
        columns = {column["name"]: column for column in inspector.get_columns("events")}
        assert str(columns["cost_usd"]["type"]) == "NUMERIC(18, 12)" and columns["ts"]["type"].timezone
        assert not columns["event_id"]["nullable"]
        assert inspector.get_pk_constraint("events")["constrained_columns"] == []
        assert inspector.get_foreign_keys("events") == [] and inspector.get_indexes("events") == []
        events = sqlalchemy.Table("events", sqlalchemy.MetaData(), autoload_with=engine)
        total = sqlalchemy.select(events.c.model, sqlalchemy.func.sum(events.c.cost_usd))
        total = total.where(events.c.input_tokens > 5).group_by(events.c.model).order_by(events.c.model)
        with engine.connect() as connection:
            assert list(connection.execute(total)) == [("claude", decimal.Decimal("0.7")), ("gpt-4o", decimal.Decimal("0.3"))]
            chosen = sqlalchemy.select(events.c.event_id).where(events.c.model.in_(["claude"])).limit(1).offset(1)
            assert connection.execute(chosen.order_by(events.c.ts)).scalar() == "104"


with_psycopg2()
with_psycopg()
asyncio.run(with_asyncpg())
with_sqlalchemy()
print("all is well")
