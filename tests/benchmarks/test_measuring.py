"""What measuring costs besides the passes that are measured, and what the module's loop costs."""

from __future__ import annotations

from statistics import median

import pytest
from timing import interleaved, milliseconds, number, show, versions

import archcost
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.measure.passes import Settings, measure
from archcost.measure.timing import MIN_RUN_TIME

torch = pytest.importorskip("torch")

NETWORKS = ("lenet5", "simplenet", "squeezenet-1.1", "mobilenet-v1", "resnet50")
OVERHEAD_BAR = 1.10
ROUNDS = 3
STEPS = 200


def test_measuring_against_the_passes():
    rows = []
    for name in NETWORKS:
        graph = archcost.load(name)
        for batch in (1, 8):
            found = [measure(graph, Settings(batch=batch)) for _ in range(ROUNDS)]
            ratios = [one.measuring_seconds / one.passes_seconds for one in found]
            rows.append(
                (
                    name,
                    batch,
                    milliseconds(median(one.seconds for one in found)),
                    milliseconds(median(one.passes_seconds for one in found)),
                    f"{number(min(ratios))} ({number(median(ratios))})",
                    milliseconds(median(one.build_seconds for one in found)),
                )
            )
    show(
        "Measuring: everything from the first pass on, beside the passes; building apart",
        ("network", "batch", "a pass", "all passes", "ratio: best (median)", "building"),
        rows,
        f"bar <= {OVERHEAD_BAR}",
        f"{ROUNDS} rounds of {MIN_RUN_TIME:g} s; {versions('torch')}",
    )


def test_the_loop_over_the_steps():
    """A chain of modules that do nothing, called by the graph's module and by a bare loop."""
    builder = GraphBuilder("chain")
    value = builder.input("x", TensorType((1, 4)))
    for place in range(STEPS):
        (value,) = builder.add(make("dropout"), [value], f"dropout{place}")
    module = archcost.to_torch(builder.build({"y": value})).eval()
    x, parts = torch.randn(1, 4), [step.module for step in module.steps]

    def bare():
        y = x
        for part in parts:
            y = part(y)
        return y

    with torch.inference_mode():
        taken = interleaved(
            {"module": lambda: module(x), "bare": bare}, 20, {"module": 20, "bare": 20}
        )
    loop = (taken["module"].best - taken["bare"].best) / STEPS
    rows = []
    for name in NETWORKS:
        graph = archcost.load(name)
        found = measure(graph, Settings())
        rows.append(
            (
                name,
                len(graph),
                milliseconds(found.seconds),
                f"{100 * loop * len(graph) / found.seconds:.2f} %",
            )
        )
    show(
        "The Python loop over a graph's steps, at batch 1",
        ("network", "steps", "a pass", "share of the loop"),
        rows,
        f"a step: {number(1e6 * loop)} us beside a call of its module, "
        f"{number(1e6 * taken['bare'].best / STEPS)} us",
        versions("torch"),
    )
