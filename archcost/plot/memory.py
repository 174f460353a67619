"""Memory over time: what is alive while each layer of a forward pass runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archcost.analysis import Analysis, ForwardMemory
from archcost.plot.figure import Axis, Figure, Line, Note, Panel, shortened
from archcost.plot.networks import inputs, listed, names, some, wide
from archcost.report.format import decimal_bytes
from archcost.report.palette import BLUE, ORANGE

MOST: Final = 6
"""Networks, each with a row of its own."""


_LIVENESS: Final = (
    "A tensor lives from the layer that makes it until its last reader has run (liveness); "
    "layers run one after the other. Weights and buffers are there throughout."
)


def memory_figure(
    analyses: Sequence[Analysis], *, inplace: bool = False, fold_norm: bool = False
) -> Figure:
    """Memory while each layer runs: of each network in one panel the weights and, on top of them,
    the live tensors, in another the live tensors alone, at a scale of their own.

    Args:
        analyses: of the networks, up to :data:`MOST`.
        inplace, fold_norm: how the forward pass runs; see
            :func:`archcost.analysis.memory.forward_memory`.

    Raises:
        PlotError: no network, too many, or one without layers.
    """
    some(analyses, MOST, "memory over time")
    called = names(analyses)
    memories = [a.forward_memory(inplace=inplace, fold_norm=fold_norm) for a in analyses]
    peaks = [memory.peak for memory in memories]
    # Beside one a hundred times as large a network would be a flat line.
    high = None if wide(peaks, 100) else 1.2 * max(peaks)
    panels: list[Panel] = []
    for name, analysis, memory in zip(called, analyses, memories, strict=True):
        title = "" if len(analyses) == 1 else f"{name}: "
        panels += [_whole(memory, title, high), _tensors(analysis, memory, title)]
    how = [_LIVENESS]
    if inplace:
        how.append("Operators that can work in place do.")
    if fold_norm:
        how.append("Normalisations are folded into the layers before them.")
    return Figure(
        "memory",
        f"Memory over one forward pass: {listed(called)}",
        tuple(panels),
        _alt(called, analyses, memories),
        inputs(analyses),
        tuple(how),
        columns=2,
    )


def _whole(memory: ForwardMemory, title: str, high: float | None) -> Panel:
    """Weights, and live tensors on top of them."""
    steps, weights = _steps(memory), float(memory.weights)
    whole = tuple(memory.weights + alive for alive in memory.timeline)
    top = memory.timeline.index(memory.activations)
    ends = (0.5, len(steps) + 0.5)
    return Panel(
        _axis(memory),
        Axis("Memory", "bytes", low=0, high=high),
        (
            Line("weights and buffers", ends, (weights,) * 2, BLUE, base=(0.0, 0.0)),
            Line("live tensors", steps, whole, ORANGE, stepped=True, base=(weights,) * len(steps)),
            Note(steps[top], whole[top], f"peak {decimal_bytes(memory.peak)}"),
        ),
        f"{title}weights ({decimal_bytes(memory.weights)}) and live tensors",
    )


def _tensors(analysis: Analysis, memory: ForwardMemory, title: str) -> Panel:
    """Live tensors alone, at their own scale, and at which layer they are most."""
    steps = _steps(memory)
    top = memory.timeline.index(memory.activations)
    hover = tuple(
        (f"{place}. {shortened(row.name)} ({row.op})", f"{decimal_bytes(alive)} of live tensors")
        for place, row, alive in zip(steps, analysis.layers, memory.timeline, strict=True)
    )
    return Panel(
        _axis(memory),
        Axis("Live tensors", "bytes", low=0),
        (
            Line(
                "live tensors",
                steps,
                tuple(map(float, memory.timeline)),
                ORANGE,
                stepped=True,
                base=(0.0,) * len(steps),
                hover=hover,
            ),
            Note(
                steps[top],
                memory.activations,
                f"{decimal_bytes(memory.activations)} at {shortened(memory.at, 28)}",
            ),
        ),
        f"{title}live tensors alone",
    )


def _steps(memory: ForwardMemory) -> tuple[int, ...]:
    return tuple(range(1, len(memory.timeline) + 1))


def _axis(memory: ForwardMemory) -> Axis:
    return Axis("Layer, in running order", "index", low=0.5, high=len(memory.timeline) + 0.5)


def _alt(
    called: Sequence[str], analyses: Sequence[Analysis], memories: Sequence[ForwardMemory]
) -> str:
    said = [
        f"{name} needs {decimal_bytes(memory.weights)} for weights and at most "
        f"{decimal_bytes(memory.activations)} for live tensors, reached at layer "
        f"{memory.timeline.index(memory.activations) + 1} of {len(analysis.layers)}, "
        f"{shortened(memory.at)}."
        for name, analysis, memory in zip(called, analyses, memories, strict=True)
    ]
    return f"Area chart of memory while each layer runs. {' '.join(said)}"
