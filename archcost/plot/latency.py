"""Estimated throughput and latency by batch, and where they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from archcost.analysis import Analysis
from archcost.hardware.device import Device
from archcost.hardware.estimate import SATURATED, Curve, Estimate, batch_curve, largest_batch
from archcost.plot.figure import Axis, Figure, Line, Mark, Marker, Panel, Points, shortened
from archcost.plot.networks import (
    FEW,
    PlotError,
    dash,
    left_out,
    listed,
    manner,
    marker,
    names,
    some,
    wide,
)
from archcost.report.format import (
    both_bytes,
    decimal_bytes,
    exact,
    samples_per_second,
    seconds,
    share,
)
from archcost.report.reliability import in_short

MOST: Final = 8
"""Curves: as many as there are hues."""
_SATURATED: Final = f"{SATURATED:.0%} of the highest throughput".replace("%", " %")
_LAST: Final = "largest batch that fits"


class _Named(NamedTuple):
    """A network on a device, and what tells it from the others; all points fit."""

    name: str
    device: Device
    curve: Curve

    @property
    def points(self) -> tuple[Estimate, ...]:
        return self.curve.points


def curve(analysis: Analysis, device: Device, *, fused: bool = False) -> Curve:
    """Estimates at 1, 2, 4 ... up to the largest batch that fits, and at that.

    Raises:
        DeviceError: the device has no units for the dtype.
        ArchcostError: the network takes no other batch than its own.
    """
    graph = analysis.graph
    largest = largest_batch(graph, device, fused=fused)
    batches = None
    if largest is not None:
        batches = [2**power for power in range(largest.bit_length())]
        batches += [largest] if largest not in (0, *batches) else []
    return Curve(batch_curve(graph, device, batches, fused=fused), largest)


def latency_figure(
    analyses: Sequence[Analysis], devices: Sequence[Device], *, fused: bool = False
) -> Figure:
    """Throughput and latency of every network on every device, against the batch.

    Args:
        analyses: of the networks; with ``devices`` up to :data:`MOST` pairs.
        devices: what they run on.
        fused: normalisations and element-wise operators are part of what they follow.

    Raises:
        PlotError: no network or device, too many, one without layers, or none that fits.
        DeviceError: a device has no units for a network's dtype.
        ArchcostError: a network takes no other batch than its own.
    """
    if not devices:
        raise PlotError("a figure of latency needs a device")
    some(analyses, MOST, "latency by batch")
    if len(analyses) * len(devices) > MOST:
        raise PlotError(
            f"{len(analyses)} networks on {len(devices)} devices are too many curves: a figure "
            f"shows up to {MOST}"
        )
    called = names(analyses)
    every = [
        _Named(_name(name, device, called, devices), device, curve(analysis, device, fused=fused))
        for name, analysis in zip(called, analyses, strict=True)
        for device in devices
    ]
    shown = [one for one in every if one.points]
    for one in shown:
        if not one.points[0].seconds:
            raise PlotError(f"{shortened(one.name)} has no layer that takes time")
    if not shown:
        raise PlotError(_too_large(every[0]))
    on = listed([device.name for device in devices])
    dtypes = ", ".join(dict.fromkeys(analysis.graph.dtype for analysis in analyses))
    return Figure(
        "latency",
        f"Throughput and latency by batch: {listed(called)} on {on}",
        (_throughput(shown), _latency(shown)),
        _alt(shown),
        f"Estimated in {dtypes}, {manner(fused)}",
        (*_notes(every), *left_out(analyses)),
        columns=2,
        share_x=True,
    )


def _name(name: str, device: Device, called: Sequence[str], devices: Sequence[Device]) -> str:
    """What tells a curve from the others."""
    if len(devices) == 1:
        return name
    return device.name if len(called) == 1 else f"{name}, {device.name}"


def _axis(curves: Sequence[_Named]) -> Axis:
    last = max(one.points[-1].batch for one in curves)
    return Axis("Batch (samples at once)", "count", log=True, low=0.85, high=1.5 * max(2, last))


def _throughput(curves: Sequence[_Named]) -> Panel:
    highest = [max(map(_rate, one.points)) for one in curves]
    log = wide(highest, 10)
    y = Axis("Samples/s", "count", log, low=None if log else 0)
    marks: list[Mark] = [
        _line(one, place, tuple(map(_rate, one.points))) for place, one in enumerate(curves)
    ]
    told = len(curves) <= FEW
    saturated = [one.curve.saturation for one in curves if one.curve.saturation is not None]
    if saturated:
        marks.append(_points(_SATURATED, "diamond", saturated, _rate, told=told))
    if last := _ends(curves):
        marks.append(_points(_LAST, "cross", last, _rate, told=told))
    return Panel(_axis(curves), y, tuple(marks), "Throughput")


def _latency(curves: Sequence[_Named]) -> Panel:
    marks: list[Mark] = [
        _line(one, place, tuple(point.seconds for point in one.points))
        for place, one in enumerate(curves)
    ]
    if last := _ends(curves):
        marks.append(_points(_LAST, "cross", last, lambda point: point.seconds, told=False))
    y = Axis("Time of one forward pass", "seconds", log=True)
    return Panel(_axis(curves), y, tuple(marks), "Latency")


def _rate(point: Estimate) -> float:
    return point.throughput or 0.0


def _ends(curves: Sequence[_Named]) -> list[Estimate]:
    """The last points of the curves that memory ends."""
    return [one.points[-1] for one in curves if one.curve.largest is not None]


def _line(one: _Named, place: int, values: tuple[float, ...]) -> Line:
    return Line(
        one.name,
        tuple(float(point.batch) for point in one.points),
        values,
        place,
        dash(place),
        marker(place),
        hover=tuple((one.name, *_said(point)) for point in one.points),
    )


def _said(point: Estimate) -> tuple[str, ...]:
    bound, part = next(iter(point.bounds.shares().items()))
    return (
        f"batch {exact(point.batch)}: {seconds(point.seconds)}, {samples_per_second(_rate(point))}",
        f"{share(part)} of the time bound by {bound}",
        f"peak memory {decimal_bytes(point.peak_memory)}",
    )


def _points(
    name: str,
    shape: Marker,
    points: Sequence[Estimate],
    of: Callable[[Estimate], float],
    *,
    told: bool,
) -> Points:
    return Points(
        name,
        tuple(float(point.batch) for point in points),
        tuple(of(point) for point in points),
        "text",
        shape,
        filled=False,
        labels=tuple(f"batch {exact(point.batch)}" for point in points),
        drawn=tuple(range(len(points))) if told else (),
        hover=tuple((name, *_said(point)) for point in points),
    )


def _notes(curves: Sequence[_Named]) -> tuple[str, ...]:
    notes = ["Estimated from the graph alone, at 1, 2, 4 ... samples."]
    notes += dict.fromkeys(in_short(one.points[0]) for one in curves if one.points)
    endless = [one.name for one in curves if one.points and one.curve.largest is None]
    if endless:
        notes.append(f"Memory is no limit there: {listed(endless)}.")
    return (*notes, *(f"{_too_large(one)}." for one in curves if not one.points))


def _too_large(one: _Named) -> str:
    return (
        f"{shortened(one.name)}: not even one sample fits the {both_bytes(one.device.memory)} "
        f"of {one.device.name}"
    )


def _alt(curves: Sequence[_Named]) -> str:
    said = []
    for one in curves[:FEW]:
        first, last = one.points[0], one.points[-1]
        text = (
            f"{one.name} goes from {samples_per_second(_rate(first))} at batch 1 to "
            f"{samples_per_second(_rate(last))} at batch {exact(last.batch)}"
        )
        if one.curve.saturation is not None:
            text += f", and reaches {_SATURATED} at batch {exact(one.curve.saturation.batch)}"
        text += "" if one.curve.largest is None else ", where memory ends"
        said.append(f"{text}.")
    return f"Line charts of estimated throughput and latency against batch size. {' '.join(said)}"
