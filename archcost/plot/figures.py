"""All figures, and which of them belong together on a page."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.analysis import Analysis
from archcost.plot import kinds, layers, memory
from archcost.plot.figure import Figure
from archcost.plot.kinds import kinds_figure, totals_figure
from archcost.plot.layers import cumulative_figure, depth_figure
from archcost.plot.memory import memory_figure
from archcost.plot.roofline import intensity_figure
from archcost.plot.scatter import Rated, accuracy_figure, costs_figure

__all__ = [
    "Rated",
    "accuracy_figure",
    "comparison_figures",
    "costs_figure",
    "cumulative_figure",
    "depth_figure",
    "intensity_figure",
    "kinds_figure",
    "memory_figure",
    "model_figures",
    "totals_figure",
]

FEW: int = 3
"""Networks from which on a cloud of points says something."""


def model_figures(analysis: Analysis) -> tuple[Figure, ...]:
    """The figures of one network.

    Raises:
        PlotError: it has no layers.
    """
    figures = [depth_figure([analysis]), cumulative_figure([analysis]), kinds_figure([analysis])]
    if any(row.flops and row.traffic_bytes for row in analysis.layers):
        figures.append(intensity_figure([analysis]))
    return (*figures, memory_figure([analysis]))


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
