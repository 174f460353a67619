"""Arithmetic intensity of the layers, and a device's roofline over it.

Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model for
Multicore Architectures", Communications of the ACM 52(4): a layer of so many FLOPs for each byte of
memory traffic runs at no more than min(peak, intensity x bandwidth) FLOP/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from archcost.analysis import Analysis, LayerCost
from archcost.hardware.device import Device, DeviceError
from archcost.plot.figure import Axis, Figure, Line, Mark, Note, Panel, Points, Sizes, shortened
from archcost.plot.networks import (
    PlotError,
    examples,
    inputs,
    left_out,
    listed,
    marker,
    names,
    some,
)
from archcost.report.format import count, decimal_bytes, exact, share
from archcost.report.palette import LAYER_KINDS, OTHER, LayerKind, layer_kind

MOST: Final = 6
"""Networks, each with a panel of its own."""
LABELLED: Final = 5
"""Layers whose names are drawn, those with the most FLOPs, or that take longest."""
_INTENSITY: Final = "Arithmetic intensity (FLOPs for each byte of memory traffic)"


class Roof(NamedTuple):
    """A device: the most FLOP/s that it computes, and bytes/s that its memory moves."""

    peak_flops: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The intensity from which on computing takes longer than moving."""
        return self.peak_flops / self.bandwidth

    def attainable(self, intensity: float) -> float:
        """FLOP/s that a layer of this intensity can reach."""
        return min(self.peak_flops, intensity * self.bandwidth)

    def seconds(self, row: LayerCost) -> float:
        """The least time that a layer can take: that of the slower of computing and moving."""
        return max(row.flops / self.peak_flops, row.traffic_bytes / self.bandwidth)


def device_roof(analyses: Sequence[Analysis], device: Device) -> Roof:
    """The roof of a device in the dtype that all networks have.

    Raises:
        PlotError: they have several.
        DeviceError: the device has no units for it.
    """
    dtypes = list(dict.fromkeys(analysis.graph.dtype for analysis in analyses))
    if len(dtypes) != 1:
        raise PlotError(f"a roof is that of one dtype, not of {', '.join(dtypes)}")
    peak = device.peak.get(dtypes[0])
    if peak is None:
        raise DeviceError(
            f"{device.name} has no peak for {dtypes[0]}; there are: {', '.join(device.peak)}"
        )
    return Roof(peak, device.bandwidth)


def intensity_figure(
    analyses: Sequence[Analysis],
    *,
    peak_flops: float | None = None,
    bandwidth: float | None = None,
    device: str = "",
) -> Figure:
    """The layers' arithmetic intensity, a panel a network.

    Without a device a layer's FLOPs are drawn against it, with one the FLOP/s that it can reach,
    and its area is the least time that it takes.

    Args:
        analyses: of the networks, up to :data:`MOST`.
        peak_flops: FLOP/s that a device computes; 1 MAC is 2 FLOPs.
        bandwidth: bytes/s that its memory moves.
        device: what it is called.

    Raises:
        PlotError: no network, too many, or one without layers, or without one that computes;
            only one of the device's numbers, or one that is not positive.
    """
    some(analyses, MOST, "arithmetic intensity")
    roof = _roof(peak_flops, bandwidth)
    called = names(analyses)
    computing = [[row for row in a.layers if row.flops and row.traffic_bytes] for a in analyses]
    for name, rows in zip(called, computing, strict=True):
        if not rows:
            raise PlotError(f"{name} has no layer that computes anything known")
    every = [row.arithmetic_intensity for rows in computing for row in rows]
    x = Axis(_INTENSITY, "number", log=True, low=min(every) / 2, high=_reach(every, roof))
    panels = tuple(
        _panel(analysis, rows, x, roof, name, alone=len(called) == 1)
        for name, analysis, rows in zip(called, analyses, computing, strict=True)
    )
    in_dtype = f", {listed(list(dict.fromkeys(a.graph.dtype for a in analyses)))}" if roof else ""
    return Figure(
        "intensity",
        f"{'Roofline' if roof else 'Arithmetic intensity'}: {listed(called)}"
        f"{f' on {shortened(device)}' if device else ''}",
        panels,
        _alt(called, analyses, computing, roof),
        f"{inputs(analyses)}{in_dtype}",
        (*_notes(roof, called, analyses, computing), *left_out(analyses)),
        columns=1 if len(panels) == 1 else 2,
        share_x=True,
        share_y=True,
    )


def _roof(peak: float | None, bandwidth: float | None) -> Roof | None:
    if peak is None and bandwidth is None:
        return None
    if peak is None or bandwidth is None:
        raise PlotError("a roof needs both the device's peak FLOP/s and its memory's bandwidth")
    if not 0 < peak < float("inf") or not 0 < bandwidth < float("inf"):
        raise PlotError("the device's peak FLOP/s and its memory's bandwidth are positive numbers")
    return Roof(peak, bandwidth)


def _reach(every: Sequence[float], roof: Roof | None) -> float:
    """The right end of the axis: beyond the ridge, where there is one."""
    return 2 * max(*every, roof.ridge if roof else 0)


def _panel(
    analysis: Analysis,
    rows: Sequence[LayerCost],
    x: Axis,
    roof: Roof | None,
    name: str,
    *,
    alone: bool,
) -> Panel:
    weigh = roof.seconds if roof else (lambda row: float(row.flops))
    whole = sum(weigh(row) for row in analysis.layers)
    largest = sorted(rows, key=weigh, reverse=True)[:LABELLED]
    marks: list[Mark] = [] if roof is None else [_line(x, roof)]
    for place, kind in enumerate(LAYER_KINDS):
        own = [row for row in rows if layer_kind(row.node.op) is kind]
        if own:
            marks.append(_points(own, kind, place, roof, whole, largest))
    if roof:
        text = f"ridge: {roof.ridge:.3g} FLOP/byte"
        marks.append(Note(roof.ridge, roof.peak_flops, text, "muted", side="above"))
    title = "" if alone else name
    if roof:
        bound = sum(roof.seconds(row) for row in analysis.layers if _moves(row, roof))
        said = f"{share(bound / whole)} of the least time bound by memory"
        title = said if alone else f"{name}: {said}"
    return Panel(
        x,
        Axis("Attainable FLOP/s" if roof else "FLOPs of the layer", "count", log=True),
        tuple(marks),
        title,
        _sizes(roof, rows, whole) if roof else None,
    )


def _sizes(roof: Roof, rows: Sequence[LayerCost], whole: float) -> Sizes:
    largest = max(map(roof.seconds, rows)) / whole
    return Sizes("of the least time", largest, examples(largest), "share")


def _moves(row: LayerCost, roof: Roof) -> bool:
    """Whether moving takes a layer longer than computing."""
    return row.traffic_bytes / roof.bandwidth > row.flops / roof.peak_flops


def _line(x: Axis, roof: Roof) -> Line:
    assert x.low is not None
    assert x.high is not None
    ends = (x.low, roof.ridge, x.high)
    heights = tuple(map(roof.attainable, ends))
    label = f"roof: {count(round(roof.peak_flops))}FLOP/s, {decimal_bytes(round(roof.bandwidth))}/s"
    return Line(label, ends, heights, "text")


def _points(
    rows: Sequence[LayerCost],
    kind: LayerKind,
    place: int,
    roof: Roof | None,
    whole: float,
    largest: Sequence[LayerCost],
) -> Points:
    intensities = tuple(row.arithmetic_intensity for row in rows)
    part = [roof.seconds(row) / whole for row in rows] if roof else []
    return Points(
        kind.label,
        intensities,
        tuple(map(roof.attainable, intensities)) if roof else tuple(row.flops for row in rows),
        "muted" if kind.hue is None else kind.hue,
        "circle" if roof else marker(place),
        filled=kind is not OTHER,
        labels=tuple(shortened(row.name, 24) for row in rows),
        drawn=tuple(rows.index(row) for row in largest if row in rows),
        sizes=tuple(part),
        hover=tuple(
            (
                f"{shortened(row.name)} ({row.op})",
                f"{count(row.flops)} FLOPs, {decimal_bytes(row.traffic_bytes)} of traffic",
                f"{row.arithmetic_intensity:.3g} FLOP/byte",
                *([f"{share(part[index])} of the least time"] if roof else []),
            )
            for index, row in enumerate(rows)
        ),
    )


def _notes(
    roof: Roof | None,
    called: Sequence[str],
    analyses: Sequence[Analysis],
    computing: Sequence[Sequence[LayerCost]],
) -> tuple[str, ...]:
    notes = [
        "Traffic: each layer by itself reads its inputs and parameters and writes its outputs once."
    ]
    for name, analysis, rows in zip(called, analyses, computing, strict=True):
        moving = [row for row in analysis.layers if row.traffic_bytes and not row.flops]
        if moving:
            bytes_ = sum(row.traffic_bytes for row in moving)
            part = share(bytes_ / analysis.totals.traffic_bytes)
            notes.append(
                f"{name}: {exact(len(moving))} layers besides the {exact(len(rows))} shown only "
                f"move data, {part} of the traffic."
            )
    if roof:
        notes.append(
            "Least time: all of it computing at the peak or moving at full bandwidth, "
            "which no program reaches."
        )
    else:
        notes.append("No roof: archcost was told of no device (peak FLOP/s and bandwidth).")
    return tuple(notes)


def _alt(
    called: Sequence[str],
    analyses: Sequence[Analysis],
    computing: Sequence[Sequence[LayerCost]],
    roof: Roof | None,
) -> str:
    said = []
    for name, analysis, rows in zip(called, analyses, computing, strict=True):
        ordered = sorted(row.arithmetic_intensity for row in rows)
        said.append(
            f"{name}'s layers do from {ordered[0]:.3g} to {ordered[-1]:.3g} FLOPs for each byte of "
            f"memory traffic, the whole network {analysis.totals.arithmetic_intensity:.3g}."
        )
    device = f" The device's ridge is at {roof.ridge:.3g}." if roof else ""
    return f"Scatter plot of layers by arithmetic intensity. {' '.join(said)}{device}"
