"""Where the time of a forward pass goes: by kind of layer, and the layers that take longest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from archcost.hardware.costs import LayerTime
from archcost.hardware.estimate import Bounds, Estimate
from archcost.measure.matching import in_words, setup
from archcost.plot.figure import Axis, Bars, Color, Figure, Mark, Note, Panel, Points, shortened
from archcost.plot.networks import PlotError, manner
from archcost.report.format import (
    both_bytes,
    decimal_bytes,
    exact,
    samples_per_second,
    seconds,
    share,
)
from archcost.report.palette import BLUE, LAYER_KINDS, ORANGE, layer_kind
from archcost.report.reliability import in_short

if TYPE_CHECKING:
    from archcost.hardware.costs import Bound
    from archcost.measure.records import Measurement

MOST: Final = 20
"""Layers that are shown, those that take longest."""
BOUNDS: Final[tuple[Bound, ...]] = ("compute", "memory", "launch")
COLORS: Final[Mapping[Bound, Color]] = {"compute": BLUE, "memory": ORANGE, "launch": "muted"}
HATCHES: Final[Mapping[Bound, int]] = {"compute": 0, "memory": 0, "launch": 1}
LABELS: Final[Mapping[Bound, str]] = {
    "compute": "bound by compute",
    "memory": "bound by memory",
    "launch": "bound by launch",
}


class _Row(NamedTuple):
    """A bar: its seconds by bound, and what was measured of it, if that is known."""

    name: str
    parts: Bounds
    measured: float | None
    lines: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return sum(self.parts)


def time_figure(estimate: Estimate, measured: Measurement | None = None) -> Figure:
    """The estimated time by kind of layer, and that of the layers that take longest.

    Args:
        estimate: of one pass.
        measured: a measurement of the same network with times of layers, which are marked beside.

    Raises:
        PlotError: no layer takes time.
    """
    layers = [layer for layer in estimate.layers if layer.seconds]
    name = str(estimate.graph.metadata.get("title") or estimate.graph.name)
    if not layers:
        raise PlotError(f"{shortened(name)} has no layer that takes time")
    times = {layer.name: layer.seconds for layer in (measured and measured.layers) or ()}
    label = f"measured on {shortened(in_words(setup(measured)), 60)}" if measured and times else ""
    kinds = _kinds(layers, times)
    largest = sorted(layers, key=lambda layer: layer.seconds, reverse=True)[:MOST]
    rows = [_layer(layer, estimate, times) for layer in largest]
    title = "By layer"
    if len(largest) < len(layers):
        title = f"The {len(largest)} layers of {exact(len(layers))} that take longest"
    return Figure(
        "time",
        f"Where the time goes: {shortened(name)} on {estimate.device.name}",
        (
            _panel(kinds, estimate.seconds, label, "By kind of layer"),
            _panel(rows, estimate.seconds, label, title),
        ),
        _alt(name, estimate, kinds, rows),
        f"Estimated at batch {exact(estimate.batch)} in {estimate.dtype}: "
        f"{seconds(estimate.seconds)}, {samples_per_second(estimate.throughput or 0.0)}",
        _notes(estimate, measured if times else None),
    )


def _kinds(layers: Sequence[LayerTime], times: Mapping[str, float]) -> list[_Row]:
    """The kinds of layers that take time, longest first."""
    rows = []
    for kind in LAYER_KINDS:
        own = [layer for layer in layers if layer_kind(layer.node.op) is kind]
        if not own:
            continue
        known = [times[layer.node.name] for layer in own if layer.node.name in times]
        rows.append(
            _Row(
                kind.label,
                Bounds.of(own),
                sum(known) if len(known) == len(own) else None,
                (f"{exact(len(own))} layers",),
            )
        )
    return sorted(rows, key=lambda row: row.seconds, reverse=True)


def _layer(layer: LayerTime, estimate: Estimate, times: Mapping[str, float]) -> _Row:
    node = layer.node
    traffic = node.read_bytes + node.application.written_bytes
    return _Row(
        node.name,
        Bounds.of([layer]),
        times.get(node.name),
        (
            f"{node.op.kind}, {share(layer.seconds / estimate.seconds)} of the whole",
            f"computing {seconds(layer.compute)}, moving {seconds(layer.memory)}",
            f"launching {seconds(layer.launch)}",
            f"{exact(node.application.flops)} FLOPs, {decimal_bytes(traffic)} of traffic",
        ),
    )


def _panel(rows: Sequence[_Row], whole: float, measured: str, title: str) -> Panel:
    marks: list[Mark] = []
    ends = [0.0] * len(rows)
    for index, bound in enumerate(BOUNDS):
        at = [place for place, row in enumerate(rows) if row.parts[index]]
        if not at:
            continue
        marks.append(
            Bars(
                LABELS[bound],
                tuple(at),
                tuple(ends[place] for place in at),
                tuple(rows[place].parts[index] for place in at),
                COLORS[bound],
                HATCHES[bound],
                hover=tuple(
                    (row.name, f"{seconds(row.parts[index])} {LABELS[bound]}", *row.lines)
                    for row in (rows[place] for place in at)
                ),
            )
        )
        for place in at:
            ends[place] += rows[place].parts[index]
    known = [(place, row.measured) for place, row in enumerate(rows) if row.measured is not None]
    if known:
        marks.append(
            Points(
                measured,
                tuple(value for _, value in known),
                tuple(float(place) for place, _ in known),
                "text",
                "diamond",
                filled=False,
                hover=tuple((rows[p].name, f"measured {seconds(v)}") for p, v in known),
            )
        )
    for place, row in enumerate(rows):
        text = f"{seconds(row.seconds)} ({share(row.seconds / whole)})"
        if row.measured is not None:
            # Behind the mark, which may stand there; lest the estimate be taken for its value.
            text = f"\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}{text}, measured {seconds(row.measured)}"
        at_end = max(row.seconds, row.measured or 0.0)
        marks.append(Note(at_end, place, text, pointed=False, side="right"))
    most = max(max(row.seconds, row.measured or 0.0) for row in rows)
    return Panel(
        Axis("Time", "seconds", low=0, high=(1.7 if known else 1.3) * most),
        Axis("", "category", categories=tuple(row.name for row in rows)),
        tuple(marks),
        title,
    )


def _notes(estimate: Estimate, measured: Measurement | None) -> tuple[str, ...]:
    shares = estimate.bounds.shares().items()
    parts = ", ".join(f"{share(part)} bound by {bound}" for bound, part in shares if part)
    longest = "what takes a layer longest, computing, moving its tensors or starting it"
    notes = [
        f"Estimated from the graph alone, {manner(estimate.fused)}.",
        in_short(estimate),
        f"Of the whole time {parts}: {longest}.",
    ]
    if measured is not None and measured.seconds is not None:
        layers = sum(layer.seconds for layer in measured.layers or ())
        notes.append(
            f"Measured: {seconds(measured.seconds)} for the whole pass; its layers, each timed by "
            f"itself, {seconds(layers)}."
        )
    if not estimate.fits:
        notes.append(
            f"It needs {decimal_bytes(estimate.peak_memory)}, more than the "
            f"{both_bytes(estimate.device.memory)} of {estimate.device.name}."
        )
    if estimate.unknown:
        notes.append(
            f"Without the time of operators that archcost does not know: "
            f"{', '.join(estimate.unknown)}."
        )
    return tuple(notes)


def _alt(name: str, estimate: Estimate, kinds: Sequence[_Row], rows: Sequence[_Row]) -> str:
    whole = estimate.seconds
    said = ", ".join(f"{row.name} {share(row.seconds / whole)}" for row in kinds[:4])
    return (
        f"Bars of estimated time. {shortened(name)} takes {seconds(whole)} on "
        f"{estimate.device.name}: {said}. The layer that takes longest is "
        f"{shortened(rows[0].name)}, {seconds(rows[0].seconds)}."
    )
