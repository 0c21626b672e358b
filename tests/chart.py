"""Checks and renders the Helm chart with Helm's own library.

Usage: chart.py CHART VALUES FOLDER    (VALUES is JSON; each object goes to a file of FOLDER)
"""

import json
import pathlib
import sys

import helm_python


def main():
    chart, values, folder = sys.argv[1], json.loads(sys.argv[2]), pathlib.Path(sys.argv[3])
    found = helm_python.lint(chart, values, quiet=True)
    # 1 is advice, such as a picture for a shop of charts.
    wrong = found["errors"] + [message for message in found["messages"] if message["severity"] > 1]
    if wrong:
        return f"lint: {wrong}"
    with helm_python.Chart.load(chart) as loaded:
        try:
            loaded.validate_schema(values)
            rendered = loaded.render(values, name="tokenlake", namespace="tokenlake")
        except helm_python.HelmError as error:
            return str(error)
    for name, text in rendered.items():
        if text.strip():
            (folder / name.rsplit("/")[-1]).write_text(text, encoding="utf-8")
    return None


sys.exit(main())
