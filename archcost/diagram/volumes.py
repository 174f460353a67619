"""The plate picture of papers: a chain of feature maps as boxes in space.

``volume_boxes.py`` says which tensors are drawn, ``volume_places.py`` how large and where;
``volumes_drawing.py`` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from archcost.analysis import Analysis
from archcost.diagram.labels import known_macs
from archcost.diagram.model import COLORS, ColorBy, DiagramError
from archcost.diagram.volume_boxes import boxes, folded, grouped
from archcost.diagram.volume_model import Repeat, Volume, Volumes
from archcost.diagram.volume_places import placed
from archcost.ir import shape_text
from archcost.report.format import count, decimal_bytes, exact, shortened

MOST_UNFOLDED: Final = 26
"""Boxes from which repeats are folded, so that labels stay large enough to read."""
MOST: Final = 40
"""Boxes that a picture holds."""
AIRY: Final = 14
"""Boxes up to which there is room for the kernels and for labels side by side."""
LONGEST_TITLE: Final = 60


def volumes(analysis: Analysis, *, color_by: ColorBy = "op") -> Volumes:
    """The network as a row of feature maps; where there are many, repeats are drawn once.

    ``color_by``: as for :func:`archcost.diagram.diagram`.

    Raises:
        DiagramError: the network is no chain, see :func:`archcost.diagram.chain.chain`, or has
            too many feature maps that differ.
    """
    graph = analysis.graph
    name = shortened(str(graph.metadata.get("title") or graph.name), LONGEST_TITLE)
    drawn, repeats = _few(name, boxes(analysis))
    airy = len(drawn) <= AIRY
    if color_by not in COLORS:
        raise DiagramError(f"volumes are coloured by one of {', '.join(COLORS)}, not by {color_by}")
    if color_by != "op":
        drawn = tuple(replace(one, cost=_cost(one, color_by)) for one in drawn)
    drawn = placed(drawn, airy)
    totals = analysis.totals
    return Volumes(
        title=name,
        subtitle=f"{count(totals.params)} parameters, {known_macs(analysis.layers, count)} MACs",
        alt=_alt(name, drawn, repeats),
        color_by=color_by,
        volumes=drawn,
        repeats=repeats,
        airy=airy,
    )


def _few(name: str, found: Sequence[Volume]) -> tuple[tuple[Volume, ...], tuple[Repeat, ...]]:
    """As many boxes as a picture holds: repeats once, else those of a scope as one."""
    for scopes in (None, 2, 1):
        some = found if scopes is None else grouped(found, scopes)
        drawn, repeats = folded(some) if len(some) > MOST_UNFOLDED else (tuple(some), ())
        if len(drawn) <= MOST:
            return drawn, repeats
    raise DiagramError(
        f"{name} has {exact(len(drawn))} feature maps that differ, more than the {MOST} that a "
        "picture holds; draw it without --style volumes"
    )


def _cost(volume: Volume, color_by: ColorBy) -> str:
    value = getattr(volume, color_by)
    if not volume.operation or value == 0:
        return ""
    if value is None:
        return "?"
    return decimal_bytes(value) if color_by == "memory" else count(value)


def _alt(name: str, drawn: Sequence[Volume], repeats: Iterable[Repeat]) -> str:
    times = {repeat.last: repeat for repeat in repeats}
    texts = []
    for place, volume in enumerate(drawn):
        shape = shape_text(volume.shape[1:])
        texts.append(f"{volume.operation} to {shape}" if volume.operation else shape)
        if place in times:
            repeat = times[place]
            members = repeat.last - repeat.first + 1
            last = f"the last {members} steps" if members > 1 else "the last step"
            texts[-1] += f" ({last} {repeat.times} times)"
    return f"{name} as a row of feature maps: {'; '.join(texts)}."
