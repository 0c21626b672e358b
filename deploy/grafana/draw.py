#!/usr/bin/env python3
"""Draws the first part of the dashboard as an SVG, from the answers of a real Prometheus.

Usage: draw.py PROGRAM FILE.svg [HOURS]

A server of PROGRAM takes made-up events while its clock is moved through some hours (48). Its scrapes
become blocks of a Prometheus, the shipped rules are evaluated over them, and the queries of the shipped
dashboard are run. It needs prometheus and promtool, and only Python's standard library.
"""

import json
import math
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).resolve().parent
DASHBOARD = json.loads((HERE / "dashboards/tokenlake.json").read_text())
RULES = HERE.parent / "prometheus/rules"
# Seconds between two scrapes of the past.
STEP = 600
# Seconds of a block. promtool ends without a word at the first block in which no rule is due, so the rules
# begin with a whole block.
BLOCK = 7200
SHOWN_HOURS = 24
# Made-up organisations with their calls per step; models with prices in dollars per million tokens.
ORGS = {"acme": 24, "globex": 9}
MODELS = [
    ("openai", "gpt-4o", 2.5, 10, 5),
    ("openai", "gpt-4o-mini", 0.15, 0.6, 9),
    ("anthropic", "claude-sonnet-4", 3, 15, 4),
    ("anthropic", "claude-haiku-4", 0.8, 4, 6),
    ("google", "gemini-2.5-flash", 0.3, 2.5, 6),
]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def ask(url, key=None, body=None):
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, body, headers)
    return urllib.request.urlopen(request, timeout=30).read().decode()


def wait_for(url):
    for _ in range(300):
        try:
            return ask(url)
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} does not answer")


def calls(dice, org, at, number):
    """The events of one step: more by day than by night."""
    by_day = 1 + 0.6 * math.sin((at % 86400) / 86400 * 2 * math.pi - 2)
    for index in range(max(1, round(ORGS[org] * by_day * dice.uniform(0.7, 1.3)))):
        provider, model, price_in, price_out, _ = dice.choices(MODELS, [one[4] for one in MODELS])[0]
        tokens_in, tokens_out = dice.randint(2_000, 90_000), dice.randint(200, 6_000)
        # Integers of 10^-8 dollars: no float is near money.
        cost = tokens_in * round(price_in * 100) + tokens_out * round(price_out * 100)
        yield {
            "event_id": f"{number}-{index}", "ts": at - dice.randint(0, STEP - 1),
            "provider": provider, "model": model, "input_tokens": tokens_in,
            "output_tokens": tokens_out, "cost_usd": f"{cost // 10**8}.{cost % 10**8:08}",
        }


def set_clock(clock, wall, elapsed):
    """Replaces the file at once, so that no reader sees half of it."""
    new = clock.with_suffix(".new")
    new.write_text(f"{wall} {elapsed}")
    new.rename(clock)


def make_past(program, folder, hours):
    """The scrapes of this many hours, as OpenMetrics with times; and the time of the last one."""
    clock, port, now = folder / "clock", free_port(), int(time.time())
    environment = {**os.environ, "TOKENLAKE_TEST_CLOCK": str(clock), "TOKENLAKE_ARCHIVE": str(folder / "archive")}
    set_clock(clock, -hours * 3600, 0)
    server = subprocess.Popen([program, "serve", "--listen", f"127.0.0.1:{port}"], env=environment,
                              stderr=subprocess.DEVNULL)
    url, samples, dice = f"http://127.0.0.1:{port}", [], random.Random(7)
    try:
        wait_for(f"{url}/healthz")
        keys = {org: subprocess.run([program, "key", "create", "--org", org], env=environment, check=True,
                                    capture_output=True, text=True).stdout.strip() for org in ORGS}
        for number, at in enumerate(range(now - hours * 3600, now + 1, STEP)):
            set_clock(clock, at - int(time.time()), number * STEP)
            for org, key in keys.items():
                ask(f"{url}/v1/events", key, json.dumps(list(calls(dice, org, at, number))).encode())
                text = ask(f"{url}/metrics?collect[]=core&collect[]=tokens&collect[]=pricing", key)
                for line in text.splitlines():
                    if not line.startswith("#"):
                        series, value = line.rsplit(" ", 1)
                        series = series.replace("{", '{job="tokenlake-%s",' % org, 1)
                        samples.append(f"{series} {value} {at}")
    finally:
        server.kill()
        server.wait()
    (folder / "past.txt").write_text("\n".join(samples) + "\n# EOF\n")
    return at


class Prometheus:
    """A Prometheus on the folder's blocks, restarted after each change of them."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
             "--storage.tsdb.retention.time=90d", f"--web.listen-address=127.0.0.1:{self.port}",
             "--query.lookback-delta=15m"], stderr=subprocess.DEVNULL)
        wait_for(f"{self.url}/-/ready")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def query(self, expr, end, start=None):
        """Pairs of labels and points; one point each without a start."""
        expr = expr.replace("$__rate_interval", f"{4 * STEP}s").replace("$__range", f"{SHOWN_HOURS}h")
        expr = expr.replace("$org", ".*")
        fields = {"query": expr, "time": end}
        kind = "query"
        if start is not None:
            kind, fields = "query_range", {"query": expr, "start": start, "end": end, "step": STEP}
        answer = json.loads(ask(f"{self.url}/api/v1/{kind}?{urllib.parse.urlencode(fields)}"))
        found = []
        for one in answer["data"]["result"]:
            # A rule that uses another one has no data until that one has.
            points = [(float(at), float(value)) for at, value in one.get("values", [one.get("value")]) if value != "NaN"]
            if points:
                found.append((one["metric"], points))
        return found


def promtool(*words):
    subprocess.run(["promtool", *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def evaluate_rules(prometheus, start, end):
    """Blocks of the series that the shipped rules would have recorded; a rule that uses another needs a further pass."""
    for passed in ("budgets", "usage", "usage", "usage"):
        with prometheus:
            promtool("tsdb", "create-blocks-from", "rules", f"--url={prometheus.url}",
                     f"--start={start - start % BLOCK}",
                     f"--end={end}", f"--eval-interval={STEP}s", f"--output-dir={prometheus.folder}/data",
                     RULES / f"{passed}.yml")


# The drawing: pixels for one grid unit of the dashboard.
UNIT_X, UNIT_Y, PAD = 48, 24, 6
COLORS = ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d", "#ffb357", "#ca95e5"]


def shown(value, unit):
    if unit == "percentunit":
        return f"{value * 100:.0f} %"
    digits = 0 if abs(value) >= 100 else 2
    return ("-" if value < 0 else "") + ("$" if unit == "currencyUSD" else "") + f"{abs(value):,.{digits}f}"


def label(text, x, y, size=12, color="#ccccdc", anchor="start", weight="normal"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(text)}</text>')


def named(legend, labels):
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)


def draw_stats(series, unit, x, y, w, h):
    """Values side by side; a gauge shows each above a bar."""
    parts, each = [], w / max(1, len(series))
    for index, (name, points) in enumerate(series):
        middle, value = x + each * (index + 0.5), points[-1][1]
        over = unit == "percentunit" and value > 1
        parts.append(label(shown(value, unit), middle, y + h * 0.55, 26, "#f2495c" if over else "#73bf69", "middle", "600"))
        parts.append(label(name, middle, y + h * 0.55 + 20, 12, "#9fa7b3", "middle"))
        if unit == "percentunit":
            wide = each - 40
            for share, color in ((1, "#2c3235"), (min(1, value), "#f2495c" if over else "#73bf69")):
                parts.append(f'<rect x="{middle - wide / 2:.0f}" y="{y + h * 0.55 + 30:.0f}" width="{wide * share:.0f}" '
                             f'height="6" fill="{color}"/>')
    return parts


def draw_bars(series, unit, x, y, w, h):
    parts, series = [], sorted(series, key=lambda one: -one[1][-1][1])
    most, tall = max((points[-1][1] for _, points in series), default=1) or 1, h / max(1, len(series))
    for index, (name, points) in enumerate(series):
        top, value = y + tall * index, points[-1][1]
        parts.append(label(name, x, top + tall * 0.5 + 4, 12))
        parts.append(f'<rect x="{x + 190:.0f}" y="{top + tall * 0.2:.0f}" width="{max(1, (w - 260) * value / most):.0f}" '
                     f'height="{tall * 0.6:.0f}" fill="{COLORS[index % len(COLORS)]}" fill-opacity="0.75"/>')
        parts.append(label(shown(value, unit), x + w, top + tall * 0.5 + 4, 13, anchor="end"))
    return parts


def draw_lines(series, unit, x, y, w, h, start, end):
    parts, chart, left = [], h - 26, x + 52
    most = max((value for _, points in series for _, value in points), default=1) or 1
    exponent = 10 ** math.floor(math.log10(most / 4))
    tick = next(exponent * step for step in (1, 2, 2.5, 5, 10) if most / (exponent * step) <= 5)
    across, up = lambda at: left + (at - start) / (end - start) * (x + w - left), lambda value: y + chart * (1 - value / (most * 1.05))
    for number in range(int(most / tick) + 1):
        parts.append(f'<path d="M{left:.0f} {up(number * tick):.0f}H{x + w:.0f}" stroke="#2c3235"/>')
        parts.append(label(shown(number * tick, unit), left - 6, up(number * tick) + 4, 10, "#9fa7b3", "end"))
    for hours in range(0, SHOWN_HOURS, 6):
        parts.append(label(f"-{SHOWN_HOURS - hours} h", across(end - (SHOWN_HOURS - hours) * 3600), y + chart + 12, 10, "#9fa7b3"))
    at = left
    for index, (name, points) in enumerate(series):
        color = COLORS[index % len(COLORS)]
        path = "L".join(f"{across(when):.1f} {up(value):.1f}" for when, value in points)
        dashed = ' stroke-dasharray="6 4"' if name.startswith("budget") else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.5"{dashed}/>')
        parts.append(f'<rect x="{at:.0f}" y="{y + h - 6:.0f}" width="10" height="3" fill="{color}"/>')
        parts.append(label(name, at + 14, y + h, 11, "#9fa7b3"))
        at += 22 + 5.8 * len(name)
    return parts


def draw_panel(panel, prometheus, end):
    place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"].get("unit")
    x, y = place["x"] * UNIT_X + PAD, place["y"] * UNIT_Y + PAD
    w, h = place["w"] * UNIT_X - 2 * PAD, place["h"] * UNIT_Y - 2 * PAD
    start = end - SHOWN_HOURS * 3600
    series = []
    for target in panel["targets"]:
        found = prometheus.query(target["expr"], end, None if target.get("instant") else start)
        series += [(named(target["legendFormat"], labels), points) for labels, points in found]
    parts = [f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill="#181b1f" stroke="#2c3235"/>',
             label(panel["title"], x + 10, y + 19, 12, weight="500")]
    inner = (x + 12, y + 32, w - 24, h - 44)
    if panel["type"] == "timeseries":
        parts += draw_lines(series, unit, *inner, start, end)
    else:
        parts += (draw_bars if panel["type"] == "bargauge" else draw_stats)(series, unit, *inner)
    return parts


def draw(prometheus, end):
    rows = [panel["gridPos"]["y"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    panels = [panel for panel in DASHBOARD["panels"] if panel["gridPos"]["y"] < rows[1] and panel["type"] != "row"]
    wide, tall = 24 * UNIT_X, (rows[1] - 1) * UNIT_Y
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {UNIT_Y} {wide} {tall}" '
             'font-family="Inter, Helvetica, Arial, sans-serif">',
             f'<rect y="{UNIT_Y}" width="{wide}" height="{tall}" fill="#111217"/>']
    for panel in panels:
        parts += draw_panel(panel, prometheus, end)
    return "\n".join(parts) + "\n</svg>\n"


def main():
    program, out = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
    hours = int(sys.argv[3]) if len(sys.argv) > 3 else 2 * SHOWN_HOURS + 2
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        end = make_past(program, folder, hours)
        promtool("tsdb", "create-blocks-from", "openmetrics", folder / "past.txt", folder / "data")
        prometheus = Prometheus(folder)
        evaluate_rules(prometheus, end - min(hours, SHOWN_HOURS + 6) * 3600, end)
        with prometheus:
            out.write_text(draw(prometheus, end))


if __name__ == "__main__":
    main()
