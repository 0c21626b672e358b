"""Asks ten questions of an archive, each by a new process of tokenlake and a new connection of DuckDB over the
same files, with equal answers.

argv: the program, the archive, how often. stdout: a line for each question: milliseconds of both, their ratio, and
the most memory that the process took in MiB; then the geometric mean of the ratios.
"""

import decimal
import json
import math
import os
import statistics
import subprocess
import sys
import time

import duckdb

program, archive, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
files = f"read_parquet('{archive}/events/event_date=*/*.parquet', hive_partitioning = true)"


def cell(sql):
    return duckdb.connect().execute(sql.replace("FROM events", f"FROM {files}")).fetchall()[0][0]


org = cell("SELECT org_id FROM events GROUP BY 1 ORDER BY count(*) DESC LIMIT 1 OFFSET 3")
model = cell("SELECT model FROM events GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
last = cell("SELECT max(event_date) FROM events")
QUESTIONS = {
    "totals": "SELECT count(*) AS n, sum(input_tokens) AS i, sum(cost_usd) AS c FROM events",
    "by model": "SELECT provider, model, count(*) AS n, sum(cost_usd) AS c FROM events GROUP BY 1, 2",
    "top organisations": "SELECT org_id, sum(cost_usd) AS c FROM events GROUP BY 1 ORDER BY c DESC, org_id LIMIT 10",
    "by day": "SELECT event_date, count(*) AS n, sum(cost_usd) AS c FROM events GROUP BY 1",
    "one organisation's models": f"SELECT model, count(*) AS n, sum(cost_usd) AS c FROM events WHERE org_id = '{org}' GROUP BY 1",
    "one organisation's hours": f"SELECT date_trunc('hour', ts) AS h, count(*) AS n, sum(cost_usd) AS c FROM events WHERE org_id = '{org}' GROUP BY 1",
    "distincts": "SELECT count(DISTINCT model) AS m, count(DISTINCT org_id) AS o FROM events",
    "dearest calls": "SELECT event_id, org_id, model, cost_usd FROM events ORDER BY cost_usd DESC NULLS LAST, event_id LIMIT 10",
    "filters": f"SELECT org_id, count(*) AS n, sum(output_tokens) AS o FROM events WHERE model = '{model}' AND event_date > CAST('{last}' AS date) - 20 GROUP BY 1",
    "running sums": "SELECT d, sum(c) OVER (ORDER BY d) AS running FROM (SELECT event_date AS d, sum(cost_usd) AS c FROM events GROUP BY 1) AS days ORDER BY d",
}


def plain(cell):
    if cell is None:
        return None
    text = str(cell).replace("T", " ").replace("+00:00", "").removesuffix("Z").removesuffix("+00")
    try:
        return format(decimal.Decimal(text).normalize(), "f")
    except decimal.InvalidOperation:
        return text


def ours(sql):
    start = time.perf_counter()
    child = subprocess.Popen(
        [program, "--archive", archive, "sql", "--format", "json", "-c", sql], stdout=subprocess.PIPE
    )
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - start
    assert child.returncode == 0, sql
    return took, usage.ru_maxrss / 1024, [list(row.values()) for row in json.loads(out, parse_float=str)]


def theirs(sql):
    start = time.perf_counter()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    rows = connection.execute(sql.replace("FROM events", f"FROM {files}")).fetchall()
    return time.perf_counter() - start, rows


ratios, most = [], 0
print(f"{'milliseconds':<28} {'tokenlake':>9} {'DuckDB':>9} {'ratio':>6} {'MiB':>5}")
for name, sql in QUESTIONS.items():
    answers = [ours(sql) for _ in range(runs)]
    others = [theirs(sql) for _ in range(runs)]
    shown = lambda rows: sorted(repr([plain(cell) for cell in row]) for row in rows)
    if shown(answers[0][2]) != shown(others[0][1]):
        pairs = zip(shown(answers[0][2]), shown(others[0][1]))
        print(f"{name}: another answer: {[pair for pair in pairs if pair[0] != pair[1]][:2]}", file=sys.stderr)
    mine = statistics.median(took for took, _, _ in answers) * 1000
    other = statistics.median(took for took, _ in others) * 1000
    memory = max(memory for _, memory, _ in answers)
    ratios.append(mine / other)
    most = max(most, memory)
    print(f"{name:<28} {mine:>9.0f} {other:>9.0f} {mine / other:>6.2f} {memory:>5.0f}", flush=True)
mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
print(f"geometric mean of the ratios: {mean:.2f}, the largest {max(ratios):.2f}, at most {most:.0f} MiB")
