"""Runs the queries of the bench in DuckDB and chDB over the same files.

stdin: JSON with "files" (paths), "pattern" (the same as a glob), "runs" and "questions", each with "name",
"sql", and tokenlake's answer as "rows". stdout: JSON, for each question and engine the median in
milliseconds and whether the rows are equal.
"""

import datetime
import decimal
import json
import statistics
import sys
import time

import chdb.session
import duckdb

asked = json.load(sys.stdin)


def plain(cell):
    """A cell as the same text, whatever an engine's type for it."""
    if cell is None:
        return None
    if isinstance(cell, datetime.datetime):
        if cell.tzinfo:
            cell = cell.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return cell.isoformat(sep=" ")
    if isinstance(cell, datetime.date):
        return cell.isoformat()
    text = str(cell)
    try:
        number = decimal.Decimal(text)
    except decimal.InvalidOperation:
        if len(text) >= 19 and text[4] == "-" and text[10] in "T ":
            text = text.replace("T", " ").removesuffix("Z").removesuffix("+00:00")
            whole, _, part = text.partition(".")
            part = part.rstrip("0")
            return whole + ("." + part.ljust(6, "0") if part else "")
        return text
    return format(number.quantize(decimal.Decimal(1)) if number == number.to_integral() else number.normalize(), "f")


def same(a, b):
    shown = lambda rows: sorted(repr([plain(cell) for cell in row]) for row in rows)
    a, b = shown(a), shown(b)
    if a != b:
        print("differ:", [pair for pair in zip(a, b) if pair[0] != pair[1]][:2], len(a), len(b), file=sys.stderr)
    return a == b


def measured(run):
    rows, times = run(), []
    for _ in range(asked["runs"]):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return rows, statistics.median(times)


def of_duckdb():
    connection = duckdb.connect()
    connection.execute("SET threads = 2; SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")
    files = f"read_parquet({asked['files']}, hive_partitioning = true)"
    return lambda sql: lambda: connection.execute(sql.replace("FROM events", f"FROM {files}")).fetchall()


def of_chdb():
    session = chdb.session.Session()
    session.query("SET max_threads = 2, session_timezone = 'UTC', date_time_output_format = 'iso'")
    files = f"file('{asked['pattern']}', Parquet)"

    def run(sql):
        answer = session.query(sql.replace("FROM events", f"FROM {files}"), "JSONCompactEachRow")
        return [json.loads(line, parse_float=str) for line in str(answer).splitlines()]

    return lambda sql: lambda: run(sql)


answers = {}
for engine, start in [("DuckDB", of_duckdb), ("chDB", of_chdb)]:
    ask = start()
    for question in asked["questions"]:
        sql = question.get(engine.lower(), question["sql"])
        rows, milliseconds = measured(ask(sql))
        found = {"ms": milliseconds, "same": same(rows, question["rows"])}
        answers.setdefault(question["name"], {})[engine] = found
print(json.dumps(answers))
