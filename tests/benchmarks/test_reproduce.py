"""``archcost reproduce``, a whole process over all tables; and all conventions of one network."""

from __future__ import annotations

import json
import sys

from timing import Series, environment, interleaved, milliseconds, number, run, show, versions

import archcost
from archcost.conventions import CONVENTIONS, convention
from archcost.published.tables import tables

ROUNDS = 5
BAR = 10.0

# The verdicts end some runs with status 1, which is an answer and no failure here.
CHILD = """
import sys
from archcost.cli.main import main
sys.argv[1:] = ["reproduce", "--format", "json"]
try:
    main()
except SystemExit as done:
    assert done.code in (0, 1, None)
"""


def test_reproduce(tmp_path):
    command = [sys.executable, "-c", CHILD]
    first, later = Series(), Series()
    for number_ in range(ROUNDS):
        children = environment(tmp_path / f"bytecode{number_}")
        for series in (first, later):
            finished = run(command, children)
            assert len(json.loads(finished.output)) == sum(len(t.cells) for t in tables())
            series.append(finished.seconds)
    show(
        "archcost reproduce: a whole process, every cell of every table",
        ("cells", "first run, no bytecode", "later runs", "resident", "bar"),
        [
            (
                sum(len(table.cells) for table in tables()),
                f"{milliseconds(first.best)} ({milliseconds(first.median)})",
                f"{milliseconds(later.best)} ({milliseconds(later.median)})",
                f"{number(finished.resident / 1e6)} MB",
                f"< {milliseconds(BAR)}",
            )
        ],
        f"best (median) of {ROUNDS} rounds; {versions()}",
    )


def test_conventions():
    graph = archcost.load("resnet152")

    def counts(name):
        return lambda: convention(name).count(graph)

    actions = {"analyse": lambda: archcost.analyze(graph).totals}
    taken = interleaved(actions | {name: counts(name) for name in CONVENTIONS}, ROUNDS)
    show(
        "ResNet-152, in memory: each convention",
        ("convention", "best", "median"),
        [(name, milliseconds(s.best), milliseconds(s.median)) for name, s in taken.items()],
        f"{ROUNDS} rounds; {versions()}",
    )
