"""Where in a network its costs lie: by depth, and summed up along it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from archcost.analysis import Analysis, LayerCost, depths
from archcost.plot.figure import Axis, Figure, Line, Mark, Note, Panel, shortened
from archcost.plot.networks import (
    FEW,
    QUANTITIES,
    PlotError,
    Quantity,
    dash,
    inputs,
    left_out,
    listed,
    marker,
    names,
    noun,
    some,
    wide,
)
from archcost.report.format import exact, share, unread_tensors

SHOWN: Final = ("params", "macs", "activations")
MOST: Final = 8
"""Networks: as many as there are hues."""
MARKED: Final = 40
"""Levels up to which each has a marker."""
DEEPER: Final = 15
"""How many times as deep one network is as another where their depths are told apart by ratio."""

_DEPTH: Final = "Depth (weighted layers passed)"
_LEVEL: Final = (
    "A layer's depth is the number of weighted layers (convolutions, fully connected ones) on the "
    "longest path to it, itself included; what lies equally deep is summed up."
)


class Level(NamedTuple):
    """All layers equally deep: of each quantity their sum, and who has most of it."""

    depth: int
    costs: dict[str, int]
    largest: dict[str, LayerCost]


def levels(analysis: Analysis, quantities: Sequence[str] = SHOWN) -> list[Level]:
    """The layers by depth, from the input onwards; the sums over all levels are the totals, but
    for parameters that no layer reads."""
    found: dict[int, list[LayerCost]] = {}
    for depth, row in zip(depths(analysis.graph), analysis.layers, strict=True):
        found.setdefault(depth, []).append(row)
    result = []
    for depth, rows in sorted(found.items()):
        costs, largest = {}, {}
        for key in quantities:
            of = QUANTITIES[key].of_layer
            costs[key] = sum(map(of, rows))
            largest[key] = max(rows, key=of)
        result.append(Level(depth, costs, largest))
    return result


def depth_figure(
    analyses: Sequence[Analysis],
    *,
    quantities: Sequence[str] = SHOWN,
    log: bool | None = None,
) -> Figure:
    """Costs by depth: a panel a quantity, a line a network.

    Args:
        analyses: of the networks, up to :data:`MOST`.
        quantities: keys of :data:`~archcost.plot.networks.QUANTITIES`.
        log: whether costs are on logarithmic axes. Default: where the networks' largest levels
            differ by orders of magnitude.

    Raises:
        PlotError: no network, too many, or one without layers; no such quantity.
    """
    some(analyses, MOST, "cost by depth")
    chosen = {key: _quantity(key) for key in quantities}
    every = [levels(analysis, quantities) for analysis in analyses]
    called = names(analyses)
    x = _depth_axis(every)
    panels = []
    for key, quantity in chosen.items():
        peaks = [max(level.costs[key] for level in network) for network in every]
        y = quantity.axis(peaks, log=log)
        marks: list[Mark] = []
        for place, (name, network) in enumerate(zip(called, every, strict=True)):
            marks += _by_depth(
                name, network, key, place, y, alone=len(called) == 1, told=len(called) <= FEW
            )
        panels.append(Panel(x, y, tuple(marks), _panel_title(quantity, called, analyses)))
    return Figure(
        "depth",
        f"Cost by depth: {listed(called)}",
        tuple(panels),
        _alt_by_depth(called, every, chosen),
        inputs(analyses),
        (_LEVEL, *_unread(called, analyses), *left_out(analyses)),
        share_x=True,
    )


def cumulative_figure(
    analyses: Sequence[Analysis],
    *,
    quantities: Sequence[str] = SHOWN,
    log: bool | None = None,
) -> Figure:
    """Costs summed up from the input on: of one network the shares of its totals in one panel, of
    several the sums, a panel a quantity and a line a network.

    Args and Raises: as for :func:`depth_figure`.
    """
    some(analyses, MOST, "cumulative cost")
    chosen = {key: _quantity(key) for key in quantities}
    every = [levels(analysis, quantities) for analysis in analyses]
    called = names(analyses)
    x = _depth_axis(every)
    if len(analyses) == 1:
        panels = [_shares(every[0], chosen, x)]
    else:
        panels = [_sums(called, every, key, quantity, x, log) for key, quantity in chosen.items()]
    return Figure(
        "cumulative",
        f"Cumulative cost: {listed(called)}",
        tuple(panels),
        _alt_cumulative(called, every, chosen),
        inputs(analyses),
        (_LEVEL, *_unread(called, analyses), *left_out(analyses)),
        share_x=True,
    )


def _quantity(key: str) -> Quantity:
    if key not in QUANTITIES:
        raise PlotError(f"no quantity {key!r:.60}; there are: {', '.join(QUANTITIES)}")
    return QUANTITIES[key]


def _depth_axis(every: Sequence[Sequence[Level]]) -> Axis:
    deepest = [network[-1].depth for network in every]
    log = wide(deepest, DEEPER)
    first = min(network[0].depth for network in every)
    if log:
        return Axis(_DEPTH, "index", log, low=0.9, high=1.1 * max(deepest))
    return Axis(_DEPTH, "index", low=min(first, 1) - 0.5, high=max(deepest) + 0.5)


def _by_depth(
    name: str, network: Sequence[Level], key: str, place: int, y: Axis, *, alone: bool, told: bool
) -> list[Mark]:
    """A network's line, and, where it is ``told``, what its largest level is called."""
    quantity = QUANTITIES[key]
    # Nothing has no place on a logarithmic axis.
    shown = [level for level in network if level.costs[key] or not y.log]
    if not shown:
        return []
    values = [level.costs[key] for level in shown]
    total = sum(values)
    line = Line(
        "" if alone else name,
        tuple(level.depth for level in shown),
        tuple(values),
        place,
        dash(place),
        None if alone or len(shown) > MARKED else marker(place),
        stepped=alone,
        base=(0.0,) * len(shown) if alone else None,
        hover=tuple(
            (
                *([] if alone else [name]),
                f"depth {level.depth}: {quantity.written(level.costs[key])}",
                *([f"{share(level.costs[key] / total)} of the network's"] if total else []),
                _most(level, key),
            )
            for level in shown
        ),
    )
    top = max(shown, key=lambda level: level.costs[key])
    if not total or not told:
        return [line]
    part = share(top.costs[key] / total)
    text = f"{_short(top.largest[key])}: {quantity.written(top.costs[key])} ({part})"
    return [line, Note(top.depth, top.costs[key], text, "text" if alone else place)]


def _most(level: Level, key: str) -> str:
    row = level.largest[key]
    return f"{shortened(row.name)} ({row.op})"


def _short(row: LayerCost) -> str:
    return shortened(row.name, 24)


def _panel_title(quantity: Quantity, called: Sequence[str], analyses: Sequence[Analysis]) -> str:
    """The quantity, and each network's total of it."""
    totals = [quantity.written(quantity.of_network(a.totals)) for a in analyses]
    if len(called) == 1:
        return f"{quantity.label}, {totals[0]} in all"
    if len(called) > FEW:
        return quantity.label
    each = zip(called, totals, strict=True)
    return f"{quantity.label}: {', '.join(f'{shortened(n, 20)} {total}' for n, total in each)}"


def _shares(network: Sequence[Level], chosen: dict[str, Quantity], x: Axis) -> Panel:
    marks: list[Mark] = []
    for place, (key, quantity) in enumerate(chosen.items()):
        sums = list(accumulate(level.costs[key] for level in network))
        total = sums[-1]
        if not total:
            continue
        values = [value / total for value in sums]
        marks.append(
            Line(
                f"{quantity.label} ({quantity.written(total)})",
                tuple(level.depth for level in network),
                tuple(values),
                place,
                dash(place),
                None if len(network) > MARKED else marker(place),
                hover=tuple(
                    (
                        f"{quantity.label} up to depth {level.depth}",
                        f"{quantity.written(value)}, {share(value / total)}",
                        f"{_most(level, key)} has most of what it adds",
                    )
                    for level, value in zip(network, sums, strict=True)
                ),
            )
        )
    return Panel(x, Axis("Share of the total so far", "share", low=0, high=1.03), tuple(marks))


def _sums(
    called: Sequence[str],
    every: Sequence[Sequence[Level]],
    key: str,
    quantity: Quantity,
    x: Axis,
    log: bool | None,
) -> Panel:
    sums = [list(accumulate(level.costs[key] for level in network)) for network in every]
    y = quantity.axis([own[-1] for own in sums], log=log)
    marks = []
    for place, (name, network, own) in enumerate(zip(called, every, sums, strict=True)):
        pairs = [(level, value) for level, value in zip(network, own, strict=True)]
        shown = [(level, value) for level, value in pairs if value or not y.log]
        if not shown:
            continue
        marks.append(
            Line(
                name,
                tuple(level.depth for level, _ in shown),
                tuple(value for _, value in shown),
                place,
                dash(place),
                None if len(shown) > MARKED else marker(place),
                end=quantity.written(own[-1]),
                hover=tuple(
                    (
                        name,
                        f"up to depth {level.depth}: {quantity.written(value)}",
                        f"{share(value / own[-1] if own[-1] else 0.0)} of the network's",
                    )
                    for level, value in shown
                ),
            )
        )
    return Panel(x, y, tuple(marks), quantity.label)


def _unread(called: Sequence[str], analyses: Sequence[Analysis]) -> tuple[str, ...]:
    return tuple(
        f"{name}: {shortened(unread_tensors(unread), 120)} are stored, but no layer reads them; "
        "they are in no layer's numbers."
        for name, analysis in zip(called, analyses, strict=True)
        if (unread := analysis.totals.unread).params
    )


def _alt_by_depth(
    called: Sequence[str], every: Sequence[Sequence[Level]], chosen: dict[str, Quantity]
) -> str:
    """What the largest level of each network is, in sentences."""
    said = []
    for name, network in list(zip(called, every, strict=True))[:FEW]:
        for key, quantity in chosen.items():
            total = sum(level.costs[key] for level in network)
            top = max(network, key=lambda level: level.costs[key])
            said.append(
                f"Of {name}'s {exact(total)} {noun(quantity)} "
                f"{share(top.costs[key] / total) if total else 'none'} lie at depth {top.depth} of "
                f"{network[-1].depth}, most of them in {_short(top.largest[key])}."
            )
    labels = ", ".join(noun(quantity) for quantity in chosen.values())
    return f"Line charts of {labels} by depth. {' '.join(said)}"


def _alt_cumulative(
    called: Sequence[str], every: Sequence[Sequence[Level]], chosen: dict[str, Quantity]
) -> str:
    """At which depth half of each quantity is reached, in sentences."""
    said = []
    for name, network in list(zip(called, every, strict=True))[:FEW]:
        for key, quantity in chosen.items():
            sums = list(accumulate(level.costs[key] for level in network))
            half = next(
                level.depth for level, s in zip(network, sums, strict=True) if 2 * s >= sums[-1]
            )
            said.append(
                f"{name} has half of its {exact(sums[-1])} {noun(quantity)} by depth {half} of "
                f"{network[-1].depth}."
            )
    return f"Line charts of cost summed up along the depth. {' '.join(said)}"
