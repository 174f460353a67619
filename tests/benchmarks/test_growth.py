"""Deep chains from a spec: time and memory must grow no faster than the network."""

from __future__ import annotations

import json
import sys

import pytest
from timing import Ratio, Series, environment, milliseconds, number, ratio, run, show, versions

ROUNDS = 5
SIZES = (1_000, 10_000, 100_000)
CHAIN_BAR, RESNET_BAR = 2.0, 0.1

ALIKE = """
name: alike
input: [1, 32, 32]
parameters: {pairs: 1}
layers:
  - repeat:
      times: $pairs
      layers:
        - conv: {out: 1, kernel: 3, padding: 1}
        - relu
"""
# No layer does what the one before it does: widths in turn, two kernels.
VARIED = """
name: varied
input: [1, 32, 32]
parameters: {pairs: 1}
layers:
  - repeat:
      index: i
      times: $pairs
      layers:
        - conv: {out: "1 + $i % 101", kernel: "1 + 2 * ($i % 2)", padding: $i % 2}
        - relu
"""

# Measured in a process of its own, so that nobody's garbage but its own is in the way.
CHILD = """
import json, sys, time
import archcost

def analyse(graph):
    result = archcost.analyze(graph)
    for row in result.layers:
        row.params, row.macs, row.flops, row.activations, row.receptive_field
    return result.totals

model, settings = sys.argv[1], json.loads(sys.argv[2])
analyse(archcost.load(model, settings={"pairs": 2} if settings else None))
begin = time.perf_counter()
graph = archcost.load(model, settings=settings)
loaded = time.perf_counter()
totals = analyse(graph)
end = time.perf_counter()
print(json.dumps([loaded - begin, end - loaded, len(graph), totals.params, totals.macs]))
"""


@pytest.fixture
def measure(tmp_path):
    children = environment(tmp_path / "bytecode")

    def measured(model, settings):
        command = [sys.executable, "-c", CHILD, str(model), json.dumps(settings)]
        finished = run(command, children)
        return (*json.loads(finished.output), finished.resident)

    return measured


def costs(kind, pairs):
    """Parameters and MACs of a chain, worked out by hand."""
    params = macs = 0
    channels = 1
    for i in range(1, pairs + 1):
        out, kernel = (1, 3) if kind == "alike" else (1 + i % 101, 1 + 2 * (i % 2))
        params += out * (kernel**2 * channels + 1)
        macs += out * kernel**2 * channels * 32 * 32
        channels = out
    return params, macs


def test_growth(measure, tmp_path):
    runs = {}
    for kind, text in (("alike", ALIKE), ("varied", VARIED)):
        path = tmp_path / f"{kind}.yaml"
        path.write_text(text)
        for size in SIZES:
            runs[kind, size] = path, {"pairs": size // 2}
    runs["resnet1202", None] = "resnet1202", None
    loading, analysing, total, resident = ({key: Series() for key in runs} for _ in range(4))
    layers = {}
    for _ in range(ROUNDS):
        for key, (model, settings) in runs.items():
            load, analyse, layers[key], params, macs, size = measure(model, settings)
            if settings:
                assert layers[key] == key[1]
                assert (params, macs) == costs(key[0], settings["pairs"])
            loading[key].append(load)
            analysing[key].append(analyse)
            total[key].append(load + analyse)
            resident[key].append(size / 1e6)
    rows = []
    for kind, size in runs:
        key, growth = (kind, size), ""
        if size:
            first = ratio(total[key], total[kind, SIZES[0]])
            growth = Ratio(*(value * SIZES[0] / size for value in first))
        bar = CHAIN_BAR if size == SIZES[-1] else None if size else RESNET_BAR
        rows.append(
            (
                kind,
                f"{layers[key]:,}",
                milliseconds(loading[key].best),
                milliseconds(analysing[key].best),
                f"{milliseconds(total[key].best)} ({milliseconds(total[key].median)})",
                f"{number(total[key].best / layers[key] * 1e6)} us",
                growth,
                f"{max(resident[key]):.0f} MB",
                f"<= {milliseconds(bar)}" if bar else "",
            )
        )
    show(
        "Growth: load + analyse, each in a process of its own",
        (
            "network",
            "layers",
            "load",
            "analyse",
            "together: best (median)",
            "a layer",
            f"a layer, to {SIZES[0]:,}: best (median)",
            "resident",
            "bar",
        ),
        rows,
        f"{ROUNDS} rounds; {versions()}",
    )
