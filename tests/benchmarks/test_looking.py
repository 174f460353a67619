"""Looking: whole processes that compare, draw and write, and a page that opens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import chromium
import pytest
from timing import (
    Series,
    environment,
    milliseconds,
    number,
    ratio,
    run,
    script,
    show,
    versions,
)

import archcost
from archcost.diagram import diagram

ROUNDS = 5
PAGE = "resnet152"
LIBRARIES = "import click, rich.console, rich.table, yaml"
SVG, HTML = "diagram.svg", "page.html"
DRAW = f"diagram {PAGE} --level layer"
WRITE = f"report {PAGE} -o {HTML}"


def commands(folder: Path) -> dict[str, tuple[list[str], float | None]]:
    """The command lines, which write to ``folder``, and the bar of each in seconds."""
    program = [script("archcost")] if script("archcost") else [sys.executable, "-m", "archcost.cli"]
    svg = ["-o", str(folder / SVG)]
    return {
        "compare --all": ([*program, "compare", "--all", "--format", "json"], 3.0),
        f"{DRAW} -o {SVG}": ([*program, *DRAW.split(), *svg], 2.0),
        f"{DRAW} --unfold all -o {SVG}": ([*program, *DRAW.split(), "--unfold", "all", *svg], None),
        WRITE: ([*program, "report", PAGE, "-o", str(folder / HTML)], 2.0),
    }


def check(name: str, output: str, folder: Path) -> None:
    """What was timed is what was asked for."""
    if name.startswith("compare"):
        compared = json.loads(output)
        rows = compared if isinstance(compared, list) else compared["networks"]
        assert {row["name"] for row in rows} >= set(archcost.zoo_names())
    if name.startswith("diagram"):
        unfold = "--unfold" in name
        drawn = diagram(archcost.analyze(archcost.load(PAGE)), level="layer", unfold=unfold)
        assert (folder / SVG).read_text().count('class="node"') == len(drawn.boxes)
        assert len(drawn.boxes) > (152 if unfold else 15)  # repeated blocks are drawn once
    if name.startswith("report"):
        params = archcost.analyze(archcost.load(PAGE)).totals.params
        assert f"{params:,}" in (folder / HTML).read_text()


def test_commands(tmp_path):
    children = environment(tmp_path / "bytecode")
    libraries = [sys.executable, "-c", LIBRARIES]
    ways = {"libraries": (libraries, None), **commands(tmp_path)}
    taken = {name: Series() for name in ways}
    sizes = {}
    for turn in range(ROUNDS + 1):
        for name, (command, _) in ways.items():
            finished = run(command, children)
            check(name, finished.output, tmp_path)
            if turn:  # the first writes the bytecode
                taken[name].append(finished.seconds)
                sizes[name] = finished.resident
    show(
        "Looking: a whole process, from its start to the end of its output",
        ("command", "best", "median", "ratio to libraries: best (median)", "resident", "bar"),
        [
            (
                name,
                milliseconds(series.best),
                milliseconds(series.median),
                ratio(series, taken["libraries"]),
                f"{number(sizes[name] / 1e6)} MB",
                f"< {milliseconds(ways[name][1])}" if ways[name][1] else "",
            )
            for name, series in taken.items()
        ],
        f'libraries: `python -c "{LIBRARIES}"`; the page has '
        f"{number((tmp_path / HTML).stat().st_size / 1e6)} MB (bar: < 6 MB)",
        f"{ROUNDS} rounds; {versions('matplotlib', 'plotly', 'pygraphviz', 'Jinja2')}",
    )


# Milliseconds since the page was asked for.
TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const paints = performance.getEntriesByType("paint");
  const paint = paints.find((entry) => entry.name === "first-contentful-paint");
  return {load: page.loadEventEnd, interactive: page.domInteractive, paint: paint?.startTime};
}"""


def test_opening(tmp_path):
    """Each time in a window of its own, which keeps nothing of the one before."""
    path = chromium.find()
    if path is None:
        pytest.skip(chromium.MISSING)
    from playwright.sync_api import sync_playwright

    children = environment(tmp_path / "bytecode")
    (command, _) = commands(tmp_path)[WRITE]
    run(command, children)
    empty = tmp_path / "empty.html"
    empty.write_text("<!doctype html><title>Empty</title><p>A line")
    pages = {"a page of one line": empty, f"the page of {PAGE}": tmp_path / HTML}
    taken = {name: {} for name in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        for turn in range(ROUNDS + 1):
            for name, file in pages.items():
                with browser.new_context() as context:
                    page = context.new_page()
                    page.goto(file.as_uri(), wait_until="load")
                    page.wait_for_function(f"({TIMES})().paint && ({TIMES})().load")
                    times = page.evaluate(TIMES)
                if turn:
                    for what, value in times.items():
                        taken[name].setdefault(what, Series()).append(value / 1000)
        version = browser.version
        browser.close()
    line, full = taken.values()
    show(
        "A page opens in Chromium, headless",
        (
            "page",
            "first contentful paint",
            "interactive",
            "load",
            "load, to that of one line",
            "bar",
        ),
        [
            (
                name,
                *(
                    f"{milliseconds(times[what].best)} ({milliseconds(times[what].median)})"
                    for what in ("paint", "interactive", "load")
                ),
                ratio(times["load"], line["load"]),
                "< 1,000 ms" if times is full else "",
            )
            for name, times in taken.items()
        ],
        f"best (median) of {ROUNDS} rounds; Chromium {version}",
    )
