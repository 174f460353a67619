"""Volumes -> SVG, PNG, PDF, drawn with matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal
from xml.etree import ElementTree

from archcost.diagram.colors import on_scale
from archcost.diagram.model import ColorBy, DiagramError
from archcost.diagram.volume_model import INPUT, Repeat, Volume, Volumes
from archcost.diagram.volume_places import FONT, GAP, label_lines, label_width, span
from archcost.ir import shape_text
from archcost.report.format import count, decimal_bytes
from archcost.report.palette import THEMES, LayerKind, Theme, ThemeName, mixed
from archcost.report.svg import NAMESPACE, PROLOG, describe, xml_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Polygon

Format = Literal["svg", "png", "pdf"]
Point = tuple[float, float]

DPI: Final = 144
MARGIN: Final = 14.0
LINE: Final = 1.25 * FONT
TITLE: Final = 12.0
HEADING: Final = 1.6 * FONT + 1.8 * TITLE
TIP: Final = 4.0
BOX: Final = "box"
"""What the ids of boxes begin with."""
STEPS: Final = 4
"""Parts of the scale of colours in the legend."""
UNITS: Final[dict[ColorBy, str]] = {
    "macs": "MACs",
    "params": "parameters",
    "activations": "activations",
    "memory": "alive",
}
LEAST_WINDOW: Final = 5.0
"""The side of the smallest kernel that is drawn."""

INSTALL: Final = "drawing volumes needs matplotlib: pip install 'archcost[plot]'"

# The same bytes from the same network: ids in an SVG come from this, no picture has a date. Text
# stays text.
_SETTINGS: Final[dict[Any, Any]] = {
    "svg.hashsalt": "archcost",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "text.usetex": False,
    "text.parse_math": False,
}


def draw(volumes: Volumes, format_: Format, *, theme: ThemeName = "light") -> bytes:
    """The picture. The same volumes give the same bytes.

    Raises:
        DiagramError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise DiagramError(INSTALL)
    import matplotlib as mpl

    output = io.BytesIO()
    with warnings.catch_warnings(), mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        # A name may have letters that the font lacks; they are drawn as boxes.
        warnings.simplefilter("ignore")
        figure = _figure(volumes, theme)
        figure.savefig(output, format=format_, dpi=DPI, metadata=_metadata(volumes, format_))
    if format_ == "svg":
        return _accessible(output.getvalue(), volumes)
    return output.getvalue()


def _metadata(volumes: Volumes, format_: Format) -> dict[str, str | None]:
    """What stands in the file about it, without what differs from day to day."""
    if format_ == "svg":
        return {"Date": None, "Creator": None}
    if format_ == "png":
        return {"Software": None, "Title": volumes.title, "Description": volumes.alt}
    own = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    return {**own, "Title": volumes.title, "Subject": volumes.alt}


def _accessible(svg: bytes, volumes: Volumes) -> bytes:
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.fromstring(svg)
    for metadata in root.findall(f"{{{NAMESPACE}}}metadata"):
        root.remove(metadata)
    for side in ("width", "height"):  # points as pixels
        root.set(side, root.get(side, "").removesuffix("pt"))
    for element in root.iter(f"{{{NAMESPACE}}}g"):
        box, _, face = element.get("id", "").removeprefix(BOX).partition("-")
        if face and box.isdecimal():
            tip = ElementTree.Element(f"{{{NAMESPACE}}}title")
            tip.text = xml_text(_tip(volumes.volumes[int(box)]))
            element.insert(0, tip)
    describe(root, title=volumes.title, alt=volumes.alt)
    return f"{PROLOG}{ElementTree.tostring(root, encoding='unicode')}\n".encode()


def _tip(volume: Volume) -> str:
    """What a browser shows of the box under the mouse."""
    made = f"{volume.name}: {volume.operation}" if volume.operation else volume.name
    macs = "?" if volume.macs is None else count(volume.macs)
    costs = f"; {count(volume.params)} parameters, {macs} MACs" if volume.operation else ""
    return f"{made}; {shape_text(volume.shape[1:])}{costs}"


def _figure(volumes: Volumes, name: ThemeName) -> Any:
    from matplotlib.figure import Figure

    theme = THEMES[name]
    boxes = volumes.volumes
    top = max(-volume.bottom for volume in boxes) + 1.5 * LINE
    for repeat in volumes.repeats:
        top = max(top, _bracket(boxes, repeat) + 1.5 * LINE)
    low = min(volume.bottom - _label_height(volume, volumes.airy) for volume in boxes)
    last = boxes[-1]
    right = max(last.right, last.middle + label_width(last, volumes.airy) / 2)
    heading = max(1.25 * TITLE / FONT * span(volumes.title), span(volumes.subtitle))
    width = max(right, heading) + 2 * MARGIN
    paint = _Paint(volumes, name)
    rows = _legend_rows(paint.legend(), width - 2 * MARGIN)
    bottom = low - 1.5 * LINE - 1.6 * LINE * len(rows)
    height = top + HEADING - bottom + 2 * MARGIN
    figure = Figure(figsize=(width / 72, height / 72), facecolor=theme.background)
    axes = figure.add_axes((0, 0, 1, 1))
    # One unit is one point.
    axes.set(xlim=(-MARGIN, width - MARGIN), ylim=(bottom - MARGIN, bottom - MARGIN + height))
    axes.set_axis_off()
    _heading(axes, volumes, top + FONT, theme)
    for place, volume in enumerate(boxes):
        after = boxes[place + 1] if place + 1 < len(boxes) else None
        _box(axes, volume, paint, f"{BOX}{place}")
        if after is not None:
            _towards(axes, volume, after, paint)
    for place, volume in enumerate(boxes):
        before = boxes[place - 1] if place else None
        _labels(axes, volume, before, volumes.airy, theme)
    for repeat in volumes.repeats:
        _repeat(axes, boxes, repeat, theme)
    _legend(axes, rows, low - 1.5 * LINE, paint)
    return figure


def _heading(axes: Axes, volumes: Volumes, y: float, theme: Theme) -> None:
    axes.text(0, y + 1.6 * FONT, volumes.title, size=TITLE, weight="bold", color=theme.text)
    axes.text(0, y, volumes.subtitle, size=FONT + 1, color=theme.muted)


# --- boxes ---------------------------------------------------------------------------------------


def _box(axes: Axes, volume: Volume, paint: _Paint, id_: str) -> None:
    color = paint.fill(volume)
    edge = paint.edge(color)
    x, y, (dx, dy) = volume.x, volume.bottom, volume.slant
    right, up = x + volume.thickness, y + volume.height
    front = [(x, y), (right, y), (right, up), (x, up)]
    side = [(right, y), (right + dx, y + dy), (right + dx, up + dy), (right, up)]
    lid = [(x, up), (right, up), (right + dx, up + dy), (x + dx, up + dy)]
    faces = ((lid, mixed(color, "#ffffff", 0.45)), (side, mixed(color, "#ffffff", 0.2)))
    for number, (face, fill) in enumerate((*faces, (front, color))):
        _polygon(axes, face, fill, edge).set_gid(f"{id_}-{number}")


def _polygon(
    axes: Axes, points: Sequence[Point], fill: str, edge: str, width: float = 0.6
) -> Polygon:
    from matplotlib.patches import Polygon

    patch = Polygon(
        points, closed=True, facecolor=fill, edgecolor=edge, lw=width, joinstyle="round"
    )
    axes.add_patch(patch)
    return patch


def _towards(axes: Axes, volume: Volume, after: Volume, paint: _Paint) -> None:
    """What leads to the next box: the window that its operator slides, or an arrow."""
    dx, dy = volume.slant
    start = (volume.x + volume.thickness + dx / 2, 0.0)
    end = (after.x, 0.0)
    if after.x < volume.right:  # it hides the side on which they would start
        return
    if after.kernel is None or volume.flat:
        _arrow(axes, (volume.right, 0.0), end, paint.theme)
        return
    high, wide = after.kernel
    middle = start[0]
    high = max(high * volume.height, LEAST_WINDOW)
    wide = max(wide, LEAST_WINDOW / volume.depth)
    half = wide * dx / 2, wide * dy / 2, high / 2
    corners = [
        (middle - half[0], -half[1] - half[2]),
        (middle + half[0], half[1] - half[2]),
        (middle + half[0], half[1] + half[2]),
        (middle - half[0], -half[1] + half[2]),
    ]
    color = mixed(paint.fill(after), paint.theme.text, 0.25)
    for corner in (corners[1], corners[2]):
        axes.plot(*zip(corner, end, strict=True), color=color, lw=0.6, solid_capstyle="round")
    if min(after.kernel) < 1:  # not the whole side
        _polygon(axes, corners, mixed(paint.fill(after), "#ffffff", 0.55), color)


def _arrow(axes: Axes, start: Point, end: Point, theme: Theme) -> None:
    axes.plot(*zip(start, end, strict=True), color=theme.muted, lw=0.8)
    tip = [end, (end[0] - TIP, TIP / 2), (end[0] - TIP, -TIP / 2)]
    _polygon(axes, tip, theme.muted, theme.muted, 0.2)


# --- texts ---------------------------------------------------------------------------------------


def _label_height(volume: Volume, airy: bool) -> float:
    if airy:
        return LINE * (len(label_lines(volume)) + 0.5)
    return LINE * 1.6 + 0.85 * span(_beside(volume))


def _beside(volume: Volume) -> str:
    return " · ".join(filter(None, (volume.name, volume.operation, volume.cost)))


def _labels(axes: Axes, volume: Volume, before: Volume | None, airy: bool, theme: Theme) -> None:
    y = volume.bottom - LINE / 3
    x = volume.middle
    if airy:
        for place, line in enumerate(label_lines(volume)):
            last = place == len(label_lines(volume)) - 1
            weight = "normal" if place else "bold"
            color = theme.muted if last else theme.text
            axes.text(
                x, y - place * LINE, line, size=FONT, weight=weight, color=color, ha="center",
                va="top",
            )  # fmt: skip
    else:
        axes.text(
            x, y, volume.channels, size=FONT, weight="bold", color=theme.text, ha="center", va="top"
        )
        axes.text(
            x, y - 1.4 * LINE, _beside(volume), size=FONT - 1, color=theme.muted, rotation=90,
            ha="center", va="top",
        )  # fmt: skip
    if volume.size and (before is None or before.size != volume.size):
        axes.text(
            volume.top_middle, -volume.bottom + LINE / 4, volume.size, size=FONT, color=theme.text,
            ha="center", va="bottom",
        )  # fmt: skip


def _repeat(axes: Axes, boxes: Sequence[Volume], repeat: Repeat, theme: Theme) -> None:
    """A bracket over the boxes that come several times."""
    members = boxes[repeat.first : repeat.last + 1]
    y = _bracket(boxes, repeat)
    left, right = members[0].x + members[0].slant[0], members[-1].right
    xs, ys = (left, left, right, right), (y - TIP, y, y, y - TIP)
    axes.plot(xs, ys, color=theme.text, lw=0.8)
    axes.text(
        (left + right) / 2, y + 1, f"x {repeat.times}", size=FONT, weight="bold", color=theme.text,
        ha="center", va="bottom",
    )  # fmt: skip


def _bracket(boxes: Sequence[Volume], repeat: Repeat) -> float:
    """How high a bracket stands."""
    members = boxes[repeat.first : repeat.last + 1]
    return max(-member.bottom for member in members) + 1.6 * LINE


# --- the legend ----------------------------------------------------------------------------------

_Swatch = tuple[str, str]


def _legend_rows(swatches: Sequence[_Swatch], width: float) -> list[list[tuple[float, _Swatch]]]:
    """Swatches with their places from the left, in as many rows as they need."""
    rows: list[list[tuple[float, _Swatch]]] = [[]]
    x = 0.0
    for swatch in swatches:
        need = 3 * FONT + span(swatch[0]) + GAP
        if rows[-1] and x + need > width:
            rows.append([])
            x = 0.0
        rows[-1].append((x, swatch))
        x += need
    return rows


def _legend(axes: Axes, rows: list[list[tuple[float, _Swatch]]], y: float, paint: _Paint) -> None:
    for row in rows:
        for x, (label, color) in row:
            patch = [(x, y), (x + 1.5 * FONT, y), (x + 1.5 * FONT, y - FONT), (x, y - FONT)]
            _polygon(axes, patch, color, paint.edge(color))
            ink = paint.theme.text
            axes.text(x + 2 * FONT, y - FONT / 2, label, size=FONT, color=ink, va="center")
        y -= 1.6 * LINE


# --- colours -------------------------------------------------------------------------------------


class _Paint:
    """The colours of the boxes of a picture, by kind or on a scale from 0 to the most."""

    def __init__(self, volumes: Volumes, theme: ThemeName) -> None:
        self.volumes = volumes
        self.name: ThemeName = theme
        self.theme = THEMES[theme]

    def fill(self, volume: Volume) -> str:
        if self.volumes.color_by == "op":
            return self._of_kind(volume.kind)
        value = self.volumes.value(volume)
        if value is None:
            return self._of_kind(INPUT)
        return on_scale(value / (self.volumes.most or 1), self.name)

    def edge(self, color: str) -> str:
        return mixed(color, self.theme.text, 0.55)

    def legend(self) -> list[_Swatch]:
        """What the colours mean."""
        color_by = self.volumes.color_by
        if color_by == "op":
            return [(kind.label, self._of_kind(kind)) for kind in self.volumes.kinds]
        most = self.volumes.most
        written = decimal_bytes if color_by == "memory" else count
        swatches = []
        for step in range(STEPS + 1):
            share = step / STEPS
            unit = f" {UNITS[color_by]}" if step in (0, STEPS) else ""
            swatches.append((written(round(share * most)) + unit, on_scale(share, self.name)))
        return swatches

    def _of_kind(self, kind: LayerKind) -> str:
        theme = self.theme
        if kind is INPUT:
            return mixed(theme.grid, theme.background, 0.15)
        if kind.hue is None:
            return mixed(theme.muted, theme.background, 0.3)
        return mixed(theme.hues[kind.hue], theme.background, 0.15)
