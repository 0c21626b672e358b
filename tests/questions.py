"""Makes random questions about dates, times, zones, intervals, decimals and integers, and asks them of
PostgreSQL (a server of its own, in a temporary folder, on a Unix socket) and of DuckDB.

Usage: questions.py SEED COUNT EVENTS.ndjson POSTGRES_BIN    (questions and answers as NDJSON)
"""

import json
import os
import pwd
import random
import shutil
import subprocess
import sys
import tempfile

import duckdb

COLUMNS = {
    "event_id": "text", "org_id": "text", "event_type": "text", "ts": "timestamptz", "provider": "text",
    "model": "text", "input_tokens": "bigint", "output_tokens": "bigint", "cached_input_tokens": "bigint",
    "cost_usd": "numeric(18,12)", "event_date": "date",
}
NULL = "\\N-null"
ZONES = ["Asia/Kolkata", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC", "Pacific/Auckland", "America/St_Johns"]
UNITS = ["minute", "hour", "day", "week", "month", "quarter", "year"]
PARTS = ["epoch", "second", "minute", "hour", "day", "dow", "isodow", "doy", "week", "month", "quarter", "year", "isoyear", "milliseconds", "microseconds", "decade", "century"]
FORMATS = ["YYYY-MM-DD", "YYYY-MM-DD HH24:MI:SS", "DD.MM.YYYY", "HH12:MI AM", "Mon DD, YYYY", "Dy", "IYYY-IW", "DDD", "Q", "FMDD/FMMM/YY", "YYYYMMDD", "HH24", "MS", "US", "D", "ID", "FMMonth", "\"day\" DD"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def one_of(self, items):
        return self.random.choice(items)

    # Each makes an expression of a type, `depth` operators deep, over columns of events or of none.

    def integer(self, depth, table):
        if depth <= 0 or self.random.random() < 0.2:
            if table and self.random.random() < 0.6:
                return self.pick("input_tokens", "output_tokens", "cached_input_tokens")
            return self.pick("0", "1", "2", "3", "7", "-5", "10", "60", "1000", "-1000000", "2147483647::bigint", "9223372036854775807", "(-9223372036854775807)", "1000000000000")
        depth -= 1
        part = self.random.randrange(13)
        left = lambda: self.integer(depth, table)
        if part < 5:
            return f"({left()} {self.pick('+', '-', '*', '/', '%')} {left()})"
        return [
            lambda: f"(- {left()})",
            lambda: f"abs({left()})",
            lambda: f"({self.date(depth, table)} - {self.date(depth, table)})",
            lambda: f"cast({self.decimal(depth, table)} as bigint)",
            lambda: f"cast({self.float(depth, table)} as bigint)",
            lambda: f"coalesce({left()}, {left()})",
            lambda: f"case when {self.boolean(depth, table)} then {left()} else {left()} end",
            lambda: f"{self.pick('greatest', 'least')}({left()}, {left()})",
        ][part - 5]()

    def decimal(self, depth, table):
        if depth <= 0 or self.random.random() < 0.2:
            if table and self.random.random() < 0.6:
                return "cost_usd"
            return self.pick("0.5", "1.5", "2.5", "-0.125", "1e3", "1.25e-3", "123456.789", "0.000000000001", "-99.995", "3::numeric", "10.0", "'0.1'::numeric", "7.0::numeric(10,3)")
        depth -= 1
        part = self.random.randrange(15)
        side = lambda: self.pick(self.decimal, self.decimal, self.integer)(depth, table)
        if part < 6:
            return f"({self.decimal(depth, table)} {self.pick('+', '-', '*', '/', '%')} {side()})"
        return [
            lambda: f"round({self.decimal(depth, table)}, {self.pick('0', '1', '2', '4', '-1')})",
            lambda: f"round({self.decimal(depth, table)})",
            lambda: f"trunc({self.decimal(depth, table)}, {self.pick('0', '2', '3')})",
            lambda: f"{self.pick('ceil', 'floor', 'abs', 'sign')}({self.decimal(depth, table)})",
            lambda: f"(- {self.decimal(depth, table)})",
            lambda: f"cast({self.decimal(depth, table)} as {self.pick('numeric(20,4)', 'decimal(30,2)', 'numeric')})",
            lambda: f"extract({self.one_of(PARTS)} from {self.pick(self.timestamp, self.timestamptz)(depth, table)})",
            lambda: f"extract({self.pick('epoch', 'day', 'hour', 'minute', 'second', 'month', 'year')} from {self.interval(depth, table)})",
            lambda: f"coalesce({self.decimal(depth, table)}, {side()})",
        ][part - 6]()

    def float(self, depth, table):
        if depth <= 0:
            return self.pick("0.1::float8", "2.5::float8", "-1.5::double precision", "'1e10'::float8", "3::float", "0.285::float8")
        depth -= 1
        return self.pick(
            lambda: f"({self.float(depth, table)} {self.pick('+', '-', '*', '/')} {self.float(depth, table)})",
            lambda: f"cast({self.decimal(depth, table)} as double precision)",
            lambda: f"{self.pick('sqrt', 'ln', 'exp', 'floor', 'ceil', 'abs', 'round')}({self.float(depth, table)})",
            lambda: f"power({self.float(depth, table)}, {self.pick('2', '0.5', '3')})",
            lambda: f"({self.integer(depth, table)}::float8 / 3)",
        )()

    def date(self, depth, table):
        if depth <= 0 or self.random.random() < 0.3:
            if table and self.random.random() < 0.6:
                return self.pick("event_date", "ts::date")
            return f"date '{self.day()}'"
        depth -= 1
        return self.pick(
            lambda: f"({self.date(depth, table)} {self.pick('+', '-')} {self.pick('1', '30', '365', '7')})",
            lambda: f"cast({self.timestamp(depth, table)} as date)",
            lambda: f"({self.timestamptz(depth, table)} at time zone '{self.one_of(ZONES)}')::date",
            lambda: f"cast('{self.day()} {self.clock()}{self.pick('', '+05:30', '-08', 'Z')}' as date)",
        )()

    def day(self):
        return self.pick("2026-11-01", "2026-02-28", "2024-02-29", "2026-03-29", "2026-10-25", "2026-12-31", "1969-07-20", "2026-01-31", "2000-01-01", "2026-03-08")

    def clock(self):
        return self.pick("00:00:00", "02:30:00", "12:00", "23:59:59.999999", "05:30:00.5", "01:59:59")

    def timestamp(self, depth, table):
        if depth <= 0 or self.random.random() < 0.2:
            if table and self.random.random() < 0.6:
                return self.pick("ts::timestamp", f"(ts at time zone '{self.one_of(ZONES)}')")
            return f"timestamp '{self.day()} {self.clock()}{self.pick('', '', '+02', 'Z')}'"
        depth -= 1
        return [
            lambda: f"({self.timestamp(depth, table)} {self.pick('+', '-')} {self.interval(depth, table)})",
            lambda: f"({self.date(depth, table)} {self.pick('+', '-')} {self.interval(depth, table)})",
            lambda: f"({self.timestamptz(depth, table)} at time zone '{self.one_of(ZONES)}')",
            lambda: f"date_trunc('{self.one_of(UNITS)}', {self.timestamp(depth, table)})",
            lambda: f"({self.timestamptz(depth, table)} at time zone '{self.one_of(ZONES)}')::timestamp",
            lambda: f"date_bin(interval '{self.pick('15 minutes', '1 hour', '1 day', '6 hours', '7 days')}', {self.timestamp(depth, table)}, timestamp '2001-01-01')",
            lambda: f"cast({self.date(depth, table)} as timestamp)",
            lambda: f"{self.pick('greatest', 'least')}({self.timestamp(depth, table)}, {self.timestamp(depth, table)})",
        ][self.random.randrange(8)]()

    def timestamptz(self, depth, table):
        if depth <= 0 or self.random.random() < 0.2:
            if table and self.random.random() < 0.7:
                return "ts"
            return f"timestamptz '{self.day()} {self.clock()}{self.pick('', '+02', 'Z', '-08:00', '+05:30')}'"
        depth -= 1
        return [
            lambda: f"({self.timestamptz(depth, table)} {self.pick('+', '-')} {self.interval(depth, table)})",
            lambda: f"({self.timestamp(depth, table)} at time zone '{self.one_of(ZONES)}')",
            lambda: f"date_trunc('{self.one_of(UNITS)}', {self.timestamptz(depth, table)})",
            lambda: f"date_trunc('{self.one_of(UNITS)}', {self.timestamptz(depth, table)}, '{self.one_of(ZONES)}')",
            lambda: f"cast({self.timestamp(depth, table)} as timestamptz)",
            lambda: f"to_timestamp({self.pick('0', '1793491200', '1793491200.5', '-1.25')})",
            lambda: f"date_bin(interval '{self.pick('15 minutes', '1 hour', '1 day', '3 hours')}', {self.timestamptz(depth, table)}, timestamptz '2001-01-01 00:00:00+00')",
        ][self.random.randrange(7)]()

    def interval(self, depth, table):
        if depth <= 0 or self.random.random() < 0.4:
            return "interval '" + self.pick(
                "1 day", "5 hours 30 minutes", "1 month", "29 days", "24 hours", "1 year 2 mons", "-3 days", "90 minutes", "1.5 days",
                "00:00:00.5", "1 week", "-1 month 2 days", "36:00:00", "1 day 02:03:04", "0.5 months", "P1DT2H", "2 days ago",
            ) + "'"
        depth -= 1
        return self.pick(
            lambda: f"({self.interval(depth, table)} {self.pick('+', '-')} {self.interval(depth, table)})",
            lambda: f"({self.interval(depth, table)} * {self.pick('2', '3', '0.5', '-1', '1.5')})",
            lambda: f"({self.interval(depth, table)} / {self.pick('2', '3', '4')})",
            lambda: f"(- {self.interval(depth, table)})",
            lambda: f"({self.timestamp(depth, table)} - {self.timestamp(depth, table)})",
            lambda: f"({self.timestamptz(depth, table)} - {self.timestamptz(depth, table)})",
            lambda: f"age({self.timestamp(depth, table)}, {self.timestamp(depth, table)})",
        )()

    def boolean(self, depth, table):
        if depth <= 0:
            return self.pick("true", "false") if not table else self.pick("input_tokens > 5", "cost_usd is null", "provider = 'openai'")
        depth -= 1
        kind = self.pick(self.integer, self.decimal, self.date, self.timestamp, self.timestamptz, self.interval, self.interval)
        sign = self.pick("=", "<>", "<", "<=", ">", ">=", "is distinct from")
        texts = {self.integer: "'7'", self.decimal: "'0.5'", self.date: "'2026-11-01'", self.timestamp: "'2026-11-01 10:00:00'", self.timestamptz: "'2026-11-01T10:00:00+02'", self.interval: "'1 day'"}
        other = texts[kind] if self.random.random() < 0.3 else kind(depth, table)
        return self.pick(
            lambda: f"{kind(depth, table)} {sign} {other}",
            lambda: f"{kind(depth, table)} between {kind(depth, table)} and {other}",
            lambda: f"{kind(depth, table)} in ({kind(depth, table)}, {other})",
            lambda: f"{self.integer(depth, table)} {sign} {self.decimal(depth, table)}",
            lambda: f"({self.boolean(depth, table)} {self.pick('and', 'or')} not ({self.boolean(depth, table)}))",
            lambda: f"{self.date(depth, table)} {sign} {self.timestamp(depth, table)}",
            lambda: f"{self.timestamp(depth, table)} {sign} {self.timestamptz(depth, table)}",
        )()

    def number_format(self):
        digits = lambda most: "".join(self.pick("9", "9", "0") for _ in range(self.random.randrange(most)))
        whole = digits(8)
        if len(whole) > 3 and self.random.random() < 0.5:
            whole = whole[:-3] + self.pick(",", "G") + whole[-3:]
        after = self.pick("", "." + digits(5), "D" + digits(4))
        before, behind = self.pick(("", ""), ("", ""), ("S", ""), ("", "S"), ("", "MI"), ("PL", ""), ("SG", ""), ("", "PR"), ("MI", ""), ("", " %"))
        return self.pick("", "FM") + before + whole + after + behind

    def text(self, depth, table):
        depth -= 1
        return self.pick(
            lambda: f"'<' || to_char({self.pick(self.decimal, self.integer, self.float)(depth, table)}, '{self.number_format()}') || '>'",
            lambda: f"quote_literal({self.text(depth, table)})" if depth > 0 else "quote_nullable(null)",
            lambda: f"to_char({self.pick(self.timestamp, self.timestamptz)(depth, table)}, '{self.one_of(FORMATS)}')",
            lambda: f"cast({self.pick(self.timestamp, self.timestamptz, self.interval, self.date, self.integer, self.boolean)(depth, table)} as text)",
            lambda: f"'x' || {self.pick(self.timestamp, self.interval, self.integer, self.date)(depth, table)}",
            lambda: f"concat('a', {self.pick(self.integer, self.timestamptz, self.date)(depth, table)}, null, 'b')",
        )()

    def any(self, depth, table):
        return self.pick(
            self.integer, self.decimal, self.decimal, self.date, self.timestamp, self.timestamptz, self.interval, self.boolean,
            self.text, self.float,
        )(depth, table)

    def aggregate(self):
        number = lambda: self.pick(self.integer, self.decimal)(1, True)
        return self.pick(
            lambda: f"sum({number()})", lambda: f"sum({number()})", lambda: f"avg({number()})", lambda: f"sum(distinct {number()})", lambda: f"count({number()})",
            lambda: f"min({self.any_sortable(1)})", lambda: f"max({self.any_sortable(1)})", lambda: f"sum({number()}) filter (where {self.boolean(1, True)})",
            lambda: f"percentile_cont({self.pick('0.5', '0.9', '0.333333333')}) within group (order by {number()}{self.pick('', ' desc')})",
            lambda: f"{self.pick('stddev', 'stddev_pop', 'variance', 'var_pop')}({self.pick('input_tokens', 'cost_usd', 'output_tokens')})",
            lambda: f"sum({number()}) / count(*)", lambda: f"round(avg({number()}), 3)", lambda: f"sum(input_tokens) * {self.pick('10000000', '2', '1.5')}",
            lambda: self.pick("count(distinct model)", "max(ts) - min(ts)", "avg(cost_usd) * sum(output_tokens)"),
        )()

    def any_sortable(self, depth):
        return self.pick(self.integer, self.decimal, self.date, self.timestamp, self.timestamptz)(depth, True)

    def question(self):
        shape = self.random.randrange(10)
        if shape < 3:
            return f"select {self.any(3, False)} as v"
        if shape < 6:
            return f"select event_id, {self.any(2, True)} as v from events where {self.boolean(1, True)} order by event_id"
        if shape == 6:
            return f"select {self.aggregate()} as v, {self.aggregate()} as w from events"
        if shape == 7:
            group = self.pick(self.date, self.timestamp, self.timestamptz, self.boolean)(2, True)
            return f"select {group} as g, {self.aggregate()} as v from events group by 1 order by 1"
        if shape == 8:
            key = self.pick(self.any_sortable, lambda depth: self.interval(depth, True))(2)
            return f"select event_id from events order by {key} {self.pick('', 'asc', 'desc', 'desc nulls last')}, event_id"
        over = self.pick("order by ts, event_id", "partition by model order by ts, event_id", "order by event_id rows between 2 preceding and current row", "")
        aggregate = self.pick("sum", "avg", "min", "max", "count")
        return f"select event_id, {aggregate}({self.pick(self.integer, self.decimal)(1, True)}) over ({over}) as v from events order by event_id"


class Postgres:
    """A server of a temporary folder."""

    def __init__(self, binaries):
        self.binaries = binaries
        self.folder = tempfile.mkdtemp(prefix="questions-", dir="/tmp")
        self.data = os.path.join(self.folder, "data")
        self.as_user = []
        if os.getuid() == 0:
            names = [name for name in ("postgres", "nobody") if name in {user.pw_name for user in pwd.getpwall()}]
            user = pwd.getpwnam(names[0])
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": self.folder}
        init = [self.tool("initdb"), "-D", self.data, "-A", "trust", "-U", "asker", "--locale=C", "-E", "UTF8", "--no-sync"]
        subprocess.run([*self.as_user, *init], check=True, **quiet)
        serve = [self.tool("postgres"), "-D", self.data, "-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "statement_timeout=10s", "-c", "shared_buffers=8MB", "-c", "max_connections=5"]
        self.server = subprocess.Popen([*self.as_user, *serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        for _ in range(200):
            ready = subprocess.run([self.tool("pg_isready"), "-q", "-h", self.folder, "-U", "asker"], check=False)
            if ready.returncode == 0:
                return
            subprocess.run(["sleep", "0.1"], check=True)
        raise RuntimeError("PostgreSQL does not start")

    def tool(self, name):
        return os.path.join(self.binaries, name)

    def run(self, script):
        command = [self.tool("psql"), "-X", "-q", "-A", "-t", "-h", self.folder, "-U", "asker", "-d", "postgres", "-F", "\x1f", "-R", "\x1e", "-P", f"null={NULL}", "-v", "VERBOSITY=terse"]
        if not os.path.exists(command[0]):
            command[0] = "psql"
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        return done.stdout, done.stderr

    def answers(self, questions):
        """The rows of each question, or why there are none."""
        script = ["set timezone = 'UTC';", "set intervalstyle = 'postgres';", "set datestyle = 'ISO';"]
        for question in questions:
            script += [f"{question};", "\\echo <<end>>:ERROR :LAST_ERROR_MESSAGE"]
        parts = self.run("\n".join(script) + "\n")[0].split("<<end>>")
        answers = []
        for at in range(len(questions)):
            rows = parts[at] if at == 0 else parts[at].split("\n", 1)[1]
            failed, why = parts[at + 1].split("\n", 1)[0].split(" ", 1)
            if failed == "true":
                answers.append({"error": why})
            else:
                rows = rows.removesuffix("\n")
                rows = [row.split("\x1f") for row in rows.split("\x1e")] if rows else []
                answers.append({"rows": [[None if cell == NULL else cell for cell in row] for row in rows]})
        return answers

    def end(self):
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def rows_of(events):
    for event in events:
        yield [event.get(name) for name in COLUMNS]


def fill(events):
    def literal(value):
        return "null" if value is None else "'" + str(value).replace("'", "''") + "'"

    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows_of(events))
    return f"create table events ({columns})", f"insert into events values {values}"


def by_duckdb(events, questions):
    database = duckdb.connect()
    database.execute("set timezone = 'UTC'")
    for statement in fill(events):
        database.execute(statement)
    for question in questions:
        try:
            rows = database.execute(f"select * from ({question})").fetchall()
            yield {"rows": [[None if cell is None else str(cell) for cell in row] for row in rows]}
        except Exception as error:
            yield {"error": str(error).split("\n", 1)[0]}


def main():
    seed, count, path, binaries = sys.argv[1:5]
    maker = Maker(int(seed))
    questions = [maker.question() for _ in range(int(count))]
    with open(path, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    postgres = Postgres(binaries)
    try:
        postgres.run("set timezone = 'UTC';\n" + ";\n".join(fill(events)) + ";\n")
        answers = postgres.answers(questions)
    finally:
        postgres.end()
    for question, answer, other in zip(questions, answers, by_duckdb(events, questions)):
        print(json.dumps({"question": question, "postgres": answer, "duckdb": other}))


if __name__ == "__main__":
    main()
