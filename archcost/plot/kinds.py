"""Costs by the kind of layer, and networks' totals side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from archcost.analysis import Analysis
from archcost.plot.figure import Axis, Bars, Color, Figure, Note, Panel, shortened
from archcost.plot.layers import SHOWN
from archcost.plot.networks import (
    FEW,
    PEAK_MEMORY,
    QUANTITIES,
    Quantity,
    inputs,
    left_out,
    listed,
    names,
    some,
    times,
)
from archcost.report.format import share
from archcost.report.palette import LAYER_KINDS, OTHER, LayerKind, layer_kind

MOST: Final = 30
"""Networks: as many rows as fit a page."""
WRITTEN: Final = 0.07
"""Share from which a segment has room for its number."""
_KEYS: Final = (*SHOWN, "traffic")
UNREAD: Final = LayerKind("read by no layer", None)
_HATCHED: Final = {OTHER: 1, UNREAD: 3}


def by_kind(analysis: Analysis, quantity: Quantity) -> dict[LayerKind, int]:
    """A quantity by kind of layer, in the legend's order; the sum is the network's total."""
    found = dict.fromkeys((*LAYER_KINDS, UNREAD), 0)
    for row in analysis.layers:
        found[layer_kind(row.node.op)] += quantity.of_layer(row)
    found[UNREAD] = quantity.of_network(analysis.totals) - sum(found.values())
    return {kind: value for kind, value in found.items() if value}


def kinds_figure(analyses: Sequence[Analysis]) -> Figure:
    """The share of each kind of layer in parameters, MACs, activations and memory traffic: of one
    network a bar a quantity, of several a panel a quantity and a bar a network.

    Raises:
        PlotError: no network, too many, or one without layers.
    """
    some(analyses, MOST, "shares by kind of layer")
    called = names(analyses)
    quantities = [QUANTITIES[key] for key in _KEYS]
    shares = {
        quantity.label: [by_kind(analysis, quantity) for analysis in analyses]
        for quantity in quantities
    }
    if len(analyses) == 1:
        rows = [(quantity, shares[quantity.label][0]) for quantity in quantities]
        panels = [_panel([(quantity.label, quantity, parts) for quantity, parts in rows])]
    else:
        panels = [
            _panel(
                [(n, quantity, own) for n, own in zip(called, shares[quantity.label], strict=True)],
                quantity.label,
            )
            for quantity in quantities
        ]
    return Figure(
        "kinds",
        f"Share by kind of layer: {listed(called)}",
        tuple(panels),
        _alt(called, shares),
        inputs(analyses),
        left_out(analyses),
        columns=1 if len(panels) == 1 else 2,
        share_x=True,
        share_y=True,
    )


def _panel(rows: Sequence[tuple[str, Quantity, Mapping[LayerKind, int]]], title: str = "") -> Panel:
    """A stacked bar a row, each as long as the others, and the row's total behind it."""
    bars = []
    ends = [0.0] * len(rows)
    for kind in (*LAYER_KINDS, UNREAD):
        at = [place for place, (_, _, parts) in enumerate(rows) if parts.get(kind)]
        if not at:
            continue
        wholes = [sum(rows[place][2].values()) for place in at]
        parts = [rows[place][2][kind] for place in at]
        values = [part / whole for part, whole in zip(parts, wholes, strict=True)]
        bars.append(
            Bars(
                kind.label,
                tuple(at),
                tuple(ends[place] for place in at),
                tuple(values),
                _color(kind),
                hatch=_HATCHED.get(kind, 0),
                labels=tuple(_percent(value) for value in values),
                hover=tuple(
                    (rows[place][0], f"{kind.label}: {rows[place][1].written(part)}", share(value))
                    for place, part, value in zip(at, parts, values, strict=True)
                ),
            )
        )
        for place, value in zip(at, values, strict=True):
            ends[place] += value
    totals = tuple(
        Note(1, place, quantity.written(sum(parts.values())), pointed=False, side="right")
        for place, (_, quantity, parts) in enumerate(rows)
    )
    categories = tuple(name for name, _, _ in rows)
    return Panel(
        Axis("Share of the total", "share", low=0, high=1),
        Axis("", "category", categories=categories),
        (*bars, *totals),
        title,
    )


def _compared(value: float, reference: float) -> str:
    """How many times the reference's value, or which part of it."""
    if not value or not reference or value == reference:
        return ""
    if value > reference:
        return f"  ({times(value / reference)})"
    return f"  (1/{times(reference / value).removesuffix(' x')})"


def _percent(value: float) -> str:
    """A share in a bar; one that is not all is never written as all."""
    if value < WRITTEN:
        return ""
    return "> 99 %" if 0.995 <= value < 1 else f"{100 * value:.0f} %"


def _color(kind: LayerKind) -> Color:
    return "muted" if kind.hue is None else kind.hue


def totals_figure(analyses: Sequence[Analysis]) -> Figure:
    """Parameters, MACs, activations and peak memory of several networks: a panel a quantity, a bar
    a network.

    Raises:
        PlotError: no network, too many, or one without layers.
    """
    some(analyses, MOST, "totals")
    called = names(analyses)
    quantities = [*(QUANTITIES[key] for key in SHOWN), PEAK_MEMORY]
    panels = tuple(_totals(called, analyses, quantity) for quantity in quantities)
    many = len(analyses) > 1
    note = f"n x, 1/n: so many times, or that part, of what {called[0]} has."
    return Figure(
        "totals",
        f"Total cost: {listed(called)}",
        panels,
        _alt_totals(called, analyses, quantities),
        inputs(analyses),
        ((note,) if many else ()) + left_out(analyses),
        columns=2,
        share_y=True,
    )


def _totals(called: Sequence[str], analyses: Sequence[Analysis], quantity: Quantity) -> Panel:
    values = [quantity.of_network(analysis.totals) for analysis in analyses]
    texts = [f"{quantity.written(value)}{_compared(value, values[0])}" for value in values]
    notes = tuple(
        Note(value, place, text, pointed=False, side="right")
        for place, (value, text) in enumerate(zip(values, texts, strict=True))
    )
    bars = tuple(
        Bars("", (place,), (0,), (value,), place % 8 if len(values) <= FEW else 0, hover=((n, t),))
        for place, (value, n, t) in enumerate(zip(values, called, texts, strict=True))
    )
    # Room for the numbers behind the bars.
    x = Axis("", quantity.kind, low=0, high=1.45 * max(values) or 1)
    y = Axis("", "category", categories=tuple(called))
    return Panel(x, y, (*bars, *notes), quantity.label)


def _alt(called: Sequence[str], shares: Mapping[str, Sequence[Mapping[LayerKind, int]]]) -> str:
    said = []
    for place, name in enumerate(called[:FEW]):
        for label, networks in shares.items():
            parts = networks[place]
            if parts:
                top = max(parts, key=lambda kind: parts[kind])
                part = share(parts[top] / sum(parts.values()))
                said.append(f"{part} of {name}'s {label} in layers of kind {top.label}.")
    return f"Stacked bars of the share of each kind of layer. {' '.join(said)}"


def _alt_totals(
    called: Sequence[str], analyses: Sequence[Analysis], quantities: Sequence[Quantity]
) -> str:
    said = []
    for quantity in quantities:
        each = [
            f"{shortened(name, 30)} {quantity.written(quantity.of_network(analysis.totals))}"
            for name, analysis in zip(called, analyses, strict=True)
        ]
        said.append(f"{quantity.label}: {', '.join(each[: 2 * FEW])}.")
    return f"Bars of the networks' totals. {' '.join(said)}"
