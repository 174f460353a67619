"""Whole processes ``archcost report`` and ``archcost estimate``, beside the start of the libraries
that they need."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
from timing import Finished, Series, environment, milliseconds, ratio, run, script, show, versions

import archcost
from archcost.hardware.estimate import estimate
from archcost.hardware.files import find
from archcost.report.format import seconds

LIBRARIES = "import click, rich.console, rich.table, yaml"
ROUNDS = 20
TIME_BAR, MEMORY_BAR = 1.5, 80
DEVICE = "rtx-3090"
COMMANDS = {"report": (), "estimate": ("--device", DEVICE)}
"""What is timed of a model, and with which options."""

CLI = "archcost.cli" if find_spec("archcost.cli") else "cli"  # not installed: its folder's name


@pytest.fixture(scope="module")
def children(tmp_path_factory):
    return environment(tmp_path_factory.mktemp("bytecode"))


def commands(command, model):
    """The ways to start the program: as a module, and by the installed script."""
    words = [command, model, *COMMANDS[command]]
    ways = {f"python -m {CLI}": [sys.executable, "-m", CLI, *words]}
    if installed := script("archcost"):
        ways["archcost (installed)"] = [installed, *words]
    return ways


def check(finished: Finished, command: str, model: str) -> None:
    """What was timed says what it should: the network's parameters, or its time."""
    graph = archcost.load(model)
    if command == "report":
        expected = str(archcost.analyze(graph).totals.params)
    else:
        expected = f"Latency {seconds(estimate(graph, find(DEVICE)).seconds)} "
    output = " ".join(finished.output.replace(",", "").split())
    assert expected in output, finished.output


@pytest.mark.parametrize("command", COMMANDS)
def test_cold_start(children, command):
    model = "simplenet"
    ours = commands(command, model)
    ways = {"libraries": [sys.executable, "-c", LIBRARIES], **ours}
    ways["python -c pass"] = [sys.executable, "-c", "pass"]
    taken = {name: Series() for name in ways}
    for name, words in ways.items():
        finished = run(words, children)
        if name in ours:
            check(finished, command, model)
    for _ in range(ROUNDS):
        for name, words in ways.items():
            taken[name].append(run(words, children).seconds)
    rows = [
        (
            f"{name} {command} {model}" if name in ours else name,
            milliseconds(series.best),
            milliseconds(series.median),
            ratio(series, taken["libraries"]),
            f"<= {TIME_BAR}" if name in ours else "",
        )
        for name, series in taken.items()
    ]
    show(
        f"Cold start of {command}: a whole process, output to a pipe",
        ("process", "best", "median", "ratio to libraries: best (median)", "bar"),
        rows,
        f'libraries: `python -c "{LIBRARIES}"`',
        f"{ROUNDS} rounds; {versions('click', 'rich', 'PyYAML')}",
    )


def test_resident_memory(children):
    model, rows = "vgg16", []
    for command in COMMANDS:
        for name, words in commands(command, model).items():
            sizes = []
            for _ in range(5):
                finished = run(words, children)
                check(finished, command, model)
                sizes.append(finished.resident / 1e6)
            size = f"{max(sizes):.1f} MB"
            rows.append((f"{name} {command} {model}", size, f"<= {MEMORY_BAR} MB"))
    bare = run([sys.executable, "-c", LIBRARIES], children)
    rows.append(("libraries", f"{bare.resident / 1e6:.1f} MB", ""))
    show("Largest resident set of a whole process", ("process", "resident", "bar"), rows)
