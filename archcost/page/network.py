"""The diagram of a network on a page: an SVG for each level, and what its boxes stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.diagram import Diagram, DiagramError, diagram, dot_source
from archcost.diagram.colors import KINDS, TERMINAL, fill_of, ground
from archcost.diagram.model import LEVELS
from archcost.diagram.render import RenderError, inline_svg
from archcost.page.shell import safe
from archcost.page.tables import ranges
from archcost.report.format import count, exact, share, shortened
from archcost.report.palette import ink_on

if TYPE_CHECKING:
    from archcost.analysis import Analysis, LayerCost
    from archcost.diagram import Box
    from archcost.diagram.model import Level

MOST_BOXES: Final = 220
"""Boxes of a diagram on a page: it is laid out in about half a second."""
MOST_SECONDS: Final = 20.0
"""Only a tangle takes as long; the same page must come of a slow machine."""
MOST_LINE: Final = 100
"""Characters of a line about a box."""
COMFORTABLE_BOXES: Final = 60
"""Boxes of the diagram that is shown first."""
NAMES: Final[Mapping[Level, str]] = {"stage": "Stages", "block": "Blocks", "layer": "Layers"}


class Drawing(NamedTuple):
    """A diagram on one level: the text of an ``<svg>`` element, and the boxes by their id.

    A box has the places of its ``layers`` and the ``lines`` that are shown when it is pointed at.
    """

    level: str
    label: str
    svg: Any
    boxes: dict[str, dict[str, Any]]


class Drawings(NamedTuple):
    """The diagrams of a network, which of them is ``first``, and why there is none."""

    drawn: list[Drawing]
    first: str
    problem: str


def drawings(analysis: Analysis, warn: Callable[[str], object]) -> Drawings:
    """The network on each level on which it can be drawn and read."""
    problem = ""
    wanted: dict[Level, Diagram] = {}
    for level in LEVELS:
        try:
            found = diagram(analysis, level=level, theme="light")
        except DiagramError as error:
            problem = problem or str(error)
            continue
        # A finer level that shows as many boxes shows the same.
        if len(found.boxes) <= MOST_BOXES:
            wanted = {key: d for key, d in wanted.items() if len(d.boxes) != len(found.boxes)}
            wanted[level] = found
    drawn: dict[Level, Any] = {}
    # Each is laid out by a process of its own.
    with ThreadPoolExecutor() as pool:
        svgs = {level: pool.submit(_svg, level, found) for level, found in wanted.items()}
        for level, svg in svgs.items():
            try:
                drawn[level] = svg.result()
            except RenderError as error:
                problem = problem or str(error)
    if problem and not drawn:
        warn(f"the diagram is left out: {problem}")
    index = {row.name: number for number, row in enumerate(analysis.layers)}
    return Drawings(
        [
            Drawing(
                level,
                NAMES[level],
                svg,
                dict(_boxes(wanted[level], analysis, index, f"{level}-")),
            )
            for level, svg in drawn.items()
        ],
        _first([(level, len(wanted[level].boxes)) for level in drawn]),
        problem,
    )


def _svg(level: Level, found: Diagram) -> Any:
    drawn = inline_svg(
        dot_source(found),
        title=found.title,
        alt=found.alt,
        prefix=f"{level}-",
        seconds=MOST_SECONDS,
    )
    return safe(drawn)


def _first(sizes: list[tuple[Level, int]]) -> str:
    """The finest level that is still comfortable, else the coarsest."""
    readable = [level for level, boxes in sizes if boxes <= COMFORTABLE_BOXES]
    return readable[-1] if readable else sizes[0][0] if sizes else ""


def _boxes(
    found: Diagram, analysis: Analysis, index: Mapping[str, int], prefix: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for box in found.boxes:
        places = sorted(index[name] for name in box.layers)
        layers = [analysis.layers[place] for place in places]
        yield (
            f"{prefix}{box.id}",
            {"layers": ranges(places), "lines": _lines(box, layers, analysis)},
        )


def _lines(box: Box, layers: list[LayerCost], analysis: Analysis) -> list[str]:
    """What is shown of a box that is pointed at: its label, and what all its layers cost."""
    totals = analysis.totals
    title, *lines = (shortened(line, MOST_LINE) for line in box.lines)
    if not layers:
        return [title, *lines]
    params = sum(row.params for row in layers)
    macs = sum(row.macs for row in layers)
    known = all(row.known for row in layers)
    return [
        _path(title, layers),
        *lines,
        *([f"Together, {exact(len(layers))} layers:"] if len(layers) > 1 else []),
        f"{exact(params)} params{_part(params, totals.params)}",
        f"{exact(macs)} MACs{_part(macs, totals.macs)}" if known else "MACs not known",
        f"{count(sum(row.activations for row in layers))} activations",
    ]


def _path(title: str, layers: list[LayerCost]) -> str:
    """The scope that all layers have in common and, where that does not end in it, the title."""
    first, *others = (row.name.split("/") for row in layers)
    common = 0
    while all(other[: common + 1] == first[: common + 1] for other in others) and (
        common < len(first)
    ):
        common += 1
    scope = shortened("/".join(first[:common]), MOST_LINE)
    if scope == title or scope.endswith(f"/{title}"):
        return scope
    return f"{scope}: {title}" if scope else title


def _part(value: int, whole: int) -> str:
    return f" ({share(value / whole)})" if whole and value else ""


def style() -> str:
    """A style sheet in which a diagram drawn in the light theme's colours follows the page's."""
    light, dark = ground("light"), ground("dark")
    around = dict(zip(light, dark, strict=True))
    fills = {fill_of(kind, "light"): fill_of(kind, "dark") for kind in (*KINDS, TERMINAL)}
    inks = {ink_on(fill): ink_on(other) for fill, other in fills.items()}
    rules = [
        *(_rule("fill", *pair, ":not(text)") for pair in {**around, **fills}.items()),
        *(_rule("stroke", *pair) for pair in {**fills, **around}.items()),
        *(_rule("fill", *pair, "text") for pair in {**inks, **around}.items()),
    ]
    return "\n".join(rules)


def _rule(attribute: str, light: str, dark: str, element: str = "") -> str:
    selector = f'.drawing {element}[{attribute}="{light}" i]'
    return f"{selector} {{ {attribute}: light-dark({light}, {dark}) }}"
