"""What figures show of networks: their names, their costs, and in which order of magnitude."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import floor, isfinite, log10
from typing import Final, NamedTuple

from archcost.analysis import Analysis, LayerCost, Totals
from archcost.ir import ArchcostError, shape_text
from archcost.plot.figure import DASHES, MARKERS, MOST_NAME, Axis, Dash, Kind, Marker, shortened
from archcost.report.format import (
    count,
    decimal_bytes,
    exact,
    seconds,
    share,
    unknown_operators,
)

FEW: Final = 3
"""Networks that a figure speaks of one by one."""


class PlotError(ArchcostError, ValueError):
    """A figure was asked for that cannot be drawn."""


class Quantity(NamedTuple):
    """A cost that figures show: of a layer, and of a whole network."""

    label: str
    kind: Kind
    of_layer: Callable[[LayerCost], int]
    of_network: Callable[[Totals], int]

    def written(self, value: float) -> str:
        return written(value, self.kind)

    def axis(self, values: Iterable[float] = (), *, log: bool | None = None) -> Axis:
        """An axis of it: where ``values`` differ by orders of magnitude it is logarithmic, else it
        begins at 0."""
        log = wide(values) if log is None else log
        return Axis(self.label, self.kind, log, low=None if log else 0)


QUANTITIES: Final[dict[str, Quantity]] = {
    "params": Quantity("Parameters", "count", lambda row: row.params, lambda t: t.params),
    "macs": Quantity("MACs", "count", lambda row: row.macs, lambda t: t.macs),
    "flops": Quantity("FLOPs", "count", lambda row: row.flops, lambda t: t.flops),
    "activations": Quantity(
        "Activations", "count", lambda row: row.activations, lambda t: t.activations
    ),
    "traffic": Quantity(
        "Memory traffic", "bytes", lambda row: row.traffic_bytes, lambda t: t.traffic_bytes
    ),
}
PEAK_MEMORY: Final = Quantity(
    "Peak memory", "bytes", lambda row: 0, lambda totals: totals.peak_memory_bytes
)
"""It has no layers' share: it is that of one moment."""


def written(value: float, kind: Kind) -> str:
    """A number as an axis of that kind has it, with three or more digits."""
    if kind == "count":
        return count(round(value))
    if kind == "bytes":
        return decimal_bytes(round(value))
    if kind == "seconds":
        return seconds(value)
    if kind == "share":
        return share(value)
    if kind == "percent":
        return f"{value:.4g} %"
    return exact(round(value)) if kind == "index" else f"{value:,.4g}"


def times(value: float) -> str:
    """``25 x``: two digits, more before the point."""
    return f"{value:,.0f} x" if value >= 10 else f"{value:.2g} x"


def wide(values: Iterable[float], factor: float = 30) -> bool:
    """Whether positive values differ so much that only their ratios can be seen."""
    positive = [value for value in values if value > 0 and isfinite(value)]
    return bool(positive) and max(positive) > factor * min(positive)


def noun(quantity: Quantity) -> str:
    """The quantity as it stands within a sentence."""
    label = quantity.label
    return label if label[1].isupper() else label.lower()


def examples(largest: float) -> tuple[float, ...]:
    """Three round values that tell the scale of sizes up to ``largest``."""
    found = []
    for value in (largest / 25, largest / 5, largest):
        power = 10.0 ** floor(log10(value))
        # Half a step, where rounding took the logarithm up to a whole number.
        steps = (step * power for step in (0.5, 1, 2, 5))
        found.append(max(step for step in steps if step <= value))
    return tuple(found)


def names(analyses: Sequence[Analysis]) -> list[str]:
    """What the networks are called: their titles; where two are alike, the names; where those
    are, with numbers."""
    called = [shortened(str(a.graph.metadata.get("title") or a.graph.name)) for a in analyses]
    called = [
        shortened(analysis.graph.name) if called.count(name) > 1 else name
        for name, analysis in zip(called, analyses, strict=True)
    ]
    return [
        f"{shortened(name, MOST_NAME - 6)} ({place})" if called.count(name) > 1 else name
        for place, name in enumerate(called, 1)
    ]


def listed(called: Sequence[str]) -> str:
    """The networks' names in a title; their number where they are many."""
    return ", ".join(called) if len(called) <= FEW else f"{len(called)} networks"


def inputs(analyses: Sequence[Analysis]) -> str:
    """Which inputs the numbers are for, in a few words."""
    shapes = [
        " and ".join(shape_text(value.shape) for value in analysis.graph.inputs) or "no input"
        for analysis in analyses
    ]
    if len(set(shapes)) == 1:
        return f"Input {shapes[0]}"
    if len(analyses) <= FEW:
        pairs = zip(names(analyses), shapes, strict=True)
        return f"Inputs: {', '.join(f'{name} {shape}' for name, shape in pairs)}"
    return "Each network at its own input"


def left_out(analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Notes about what is in no layer's numbers."""
    notes = []
    for name, analysis in zip(names(analyses), analyses, strict=True):
        if unknown := unknown_operators(analysis.totals.unknown):
            operators = shortened(", ".join(unknown), 200)
            notes.append(f"{name}: not counted, as their work is not known: {operators}.")
    return tuple(notes)


def manner(fused: bool) -> str:
    """How a pass is estimated, in words."""
    follow = "normalisations and element-wise operators as part of what they follow"
    return follow if fused else "each operator by itself"


def some(analyses: Sequence[Analysis], most: int, figure: str) -> None:
    """Check that there are networks, not too many, and that each has layers.

    Raises:
        PlotError: it is not so.
    """
    if not analyses:
        raise PlotError(f"a figure of {figure} needs a network")
    if len(analyses) > most:
        raise PlotError(
            f"{len(analyses)} networks are too many for a figure of {figure}: it shows up to {most}"
        )
    for analysis in analyses:
        if not analysis.graph.nodes:
            raise PlotError(f"{shortened(analysis.graph.name, 100)} has no layers to show")


def dash(place: int) -> Dash:
    """The dashes of the line at this place."""
    return DASHES[place % len(DASHES)]


def marker(place: int) -> Marker:
    """The marker of the group at this place."""
    return MARKERS[place % len(MARKERS)]
