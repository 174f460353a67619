"""All figures, and which of them belong together on a page."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.analysis import Analysis
from archcost.hardware.estimate import Estimate
from archcost.plot import kinds, layers, memory
from archcost.plot.figure import Figure
from archcost.plot.kinds import kinds_figure, totals_figure
from archcost.plot.latency import latency_figure
from archcost.plot.layers import cumulative_figure, depth_figure
from archcost.plot.memory import memory_figure
from archcost.plot.roofline import device_roof, intensity_figure
from archcost.plot.scatter import Rated, accuracy_figure, costs_figure
from archcost.plot.time import time_figure

__all__ = [
    "Rated",
    "accuracy_figure",
    "comparison_figures",
    "costs_figure",
    "cumulative_figure",
    "depth_figure",
    "intensity_figure",
    "kinds_figure",
    "latency_figure",
    "memory_figure",
    "model_figures",
    "time_figure",
    "totals_figure",
]

FEW: int = 3
"""Networks from which on a cloud of points says something."""


def model_figures(analysis: Analysis, estimate: Estimate | None = None) -> tuple[Figure, ...]:
    """The figures of one network; with an ``estimate`` of a pass also where its time goes.

    Raises:
        PlotError: it has no layers.
    """
    figures = [depth_figure([analysis]), cumulative_figure([analysis]), kinds_figure([analysis])]
    if any(row.flops and row.traffic_bytes for row in analysis.layers):
        figures.append(_intensity(analysis, estimate))
    figures.append(memory_figure([analysis]))
    if estimate is not None and estimate.seconds:
        figures.append(time_figure(estimate))
    return tuple(figures)


def _intensity(analysis: Analysis, estimate: Estimate | None) -> Figure:
    """On the roof of the estimate's device, where there is one."""
    device = estimate.device if estimate is not None else None
    if device is None or analysis.graph.dtype not in device.peak:
        return intensity_figure([analysis])
    roof = device_roof([analysis], device)
    return intensity_figure([analysis], **roof._asdict(), device=device.name)


def comparison_figures(analyses: Sequence[Analysis]) -> tuple[Figure, ...]:
    """The figures of several networks that are not too many for them.

    Networks without layers are left out, and where not all operators' work is known a network is
    not in the figure of costs.
    """
    analyses = [analysis for analysis in analyses if analysis.layers]
    number = len(analyses)
    figures = []
    if 0 < number <= kinds.MOST:
        figures.append(totals_figure(analyses))
    if sum(not analysis.totals.unknown for analysis in analyses) >= FEW:
        figures.append(costs_figure(analyses, size="activations"))
    if 0 < number <= layers.MOST:
        figures += [depth_figure(analyses), cumulative_figure(analyses)]
    if 0 < number <= kinds.MOST:
        figures.append(kinds_figure(analyses))
    if 0 < number <= memory.MOST:
        figures.append(memory_figure(analyses))
    return tuple(figures)
