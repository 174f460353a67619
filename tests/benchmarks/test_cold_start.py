"""A whole process ``archcost report``, beside the start of the libraries that it needs."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
from timing import Finished, Series, environment, milliseconds, ratio, run, script, show, versions

import archcost

LIBRARIES = "import click, rich.console, rich.table, yaml"
ROUNDS = 20
TIME_BAR, MEMORY_BAR = 1.5, 80

CLI = "archcost.cli" if find_spec("archcost.cli") else "cli"  # not installed: its folder's name


@pytest.fixture(scope="module")
def children(tmp_path_factory):
    return environment(tmp_path_factory.mktemp("bytecode"))


def commands(model):
    """The ways to start the program: as a module, and by the installed script."""
    ways = {f"python -m {CLI}": [sys.executable, "-m", CLI, "report", model]}
    if installed := script("archcost"):
        ways["archcost (installed)"] = [installed, "report", model]
    return ways


def check(finished: Finished, model: str) -> None:
    """The report that was timed is the report: it has the network's parameters."""
    params = archcost.analyze(archcost.load(model)).totals.params
    assert str(params) in finished.output.replace(",", ""), finished.output


def test_cold_start(children):
    model = "simplenet"
    ways = {"libraries": [sys.executable, "-c", LIBRARIES], **commands(model)}
    ways["python -c pass"] = [sys.executable, "-c", "pass"]
    taken = {name: Series() for name in ways}
    for name, command in ways.items():
        finished = run(command, children)
        if name in commands(model):
            check(finished, model)
    for _ in range(ROUNDS):
        for name, command in ways.items():
            taken[name].append(run(command, children).seconds)
    rows = [
        (
            f"{name} report {model}" if name in commands(model) else name,
            milliseconds(series.best),
            milliseconds(series.median),
            ratio(series, taken["libraries"]),
            f"<= {TIME_BAR}" if name in commands(model) else "",
        )
        for name, series in taken.items()
    ]
    show(
        "Cold start: a whole process, output to a pipe",
        ("process", "best", "median", "ratio to libraries: best (median)", "bar"),
        rows,
        f'libraries: `python -c "{LIBRARIES}"`',
        f"{ROUNDS} rounds; {versions('click', 'rich', 'PyYAML')}",
    )


def test_resident_memory(children):
    model, rows = "vgg16", []
    for name, command in commands(model).items():
        sizes = []
        for _ in range(5):
            finished = run(command, children)
            check(finished, model)
            sizes.append(finished.resident / 1e6)
        rows.append((f"{name} report {model}", f"{max(sizes):.1f} MB", f"<= {MEMORY_BAR} MB"))
    bare = run([sys.executable, "-c", LIBRARIES], children)
    rows.append(("libraries", f"{bare.resident / 1e6:.1f} MB", ""))
    show("Largest resident set of a whole process", ("process", "resident", "bar"), rows)
