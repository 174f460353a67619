"""DOT -> SVG, PNG, PDF: laid out by the Graphviz that pygraphviz carries, else by ``dot``.

Every layout runs in a process of its own (some 40 ms): it can be stopped when it takes too long or
the user says so, a crash in it is a message, and nothing it prints reaches the user unasked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from math import sqrt
from pathlib import Path
from typing import Any, Final, Literal
from xml.etree import ElementTree

from archcost.diagram import graphviz_process
from archcost.ir import ArchcostError
from archcost.report.svg import NAMESPACE, PROLOG, describe, xml_text

Format = Literal["svg", "png", "pdf"]

MOST_SECONDS: Final = 30
"""Seconds that a layout may take: it grows faster than the number of boxes."""

POINTS_PER_INCH: Final = 72
DPI: Final = 144
LEAST_DPI: Final = 36
"""Dots per inch of a PNG: of one that is not too large, and below which no label can be read."""
MOST_PIXELS: Final = 64_000_000
MOST_PIXELS_A_SIDE: Final = 32_767
"""cairo's own limit."""

INSTALL_GRAPHVIZ: Final = (
    "drawing needs Graphviz: `pip install pygraphviz` (its wheels carry Graphviz), or install "
    "Graphviz itself so that `dot` is on the PATH; DOT and Mermaid can be written without it"
)
INSTALL_FONTS: Final = (
    "this system has no font that Graphviz finds, so there would be no text in a {}: install one "
    "(fonts-dejavu-core or fonts-liberation on Debian and Ubuntu), or write SVG"
)

_SVG: Final = f"{{{NAMESPACE}}}"
_XLINK_TITLE: Final = "{http://www.w3.org/1999/xlink}title"
# All that Graphviz writes for shapes and text. What is not here is not drawn: nothing that refers
# to something outside, nothing that runs.
_ELEMENTS: Final = re.compile(
    "circle|defs|ellipse|g|linearGradient|path|polygon|polyline|radialGradient|stop|text"
)
_ATTRIBUTES: Final = re.compile(
    "class|c[xy]|d|d[xy]|fill(-opacity)?|font-(family|size|style|weight)|f[xy]|gradientUnits|id|"
    "offset|opacity|points|r|r[xy]|stroke(-(dasharray|linecap|linejoin|opacity|width))?|style|"
    "text-(anchor|decoration)|transform|[xy][12]?"
)
_OWN_GRADIENT: Final = re.compile(r"url\(#[\w.-]+\)")
_STYLE: Final = re.compile(r"[\w\s:;.#%-]*")
_CREATION_DATE: Final = re.compile(rb"(/CreationDate \(D:)\d{14}")


class RenderError(ArchcostError):
    """A diagram cannot be drawn here, or not in this format."""


class LayoutTimeout(RenderError):
    """The layout was stopped: too many boxes."""


def render(
    dot: str, format_: Format, *, title: str = "", alt: str = "", seconds: float = MOST_SECONDS
) -> bytes:
    """The graph ``dot``, drawn. The same DOT gives the same bytes on the same system.

    ``title`` and ``alt``, the text for those who do not see the picture, go into an SVG.

    Raises:
        LayoutTimeout: the layout took longer than ``seconds`` and was stopped.
        RenderError: there is no Graphviz, or no font, or the picture is too large for a PNG, or
            Graphviz does not take the DOT, or it holds an image.
    """
    dot = xml_text(dot)
    picture = _svg(dot, title, alt, seconds)
    if format_ == "svg":
        return f"{PROLOG}{ElementTree.tostring(picture, encoding='unicode')}\n".encode()
    if not _has_fonts():
        raise RenderError(INSTALL_FONTS.format(format_.upper()))
    if format_ == "png":
        return _graphviz(dot, "png", seconds, _dots_per_inch(picture))
    # Without the time of day: as long, because a PDF counts its bytes.
    return _CREATION_DATE.sub(rb"\g<1>19700101000000", _graphviz(dot, "pdf", seconds))


def inline_svg(
    dot: str, *, title: str = "", alt: str = "", prefix: str = "", seconds: float = MOST_SECONDS
) -> str:
    """The graph ``dot`` as an ``<svg>`` element for an HTML page.

    Each box's ``<g>`` has its id, with ``prefix`` before every id so that a page can hold several
    diagrams. It holds shapes and text only: no script, no link, no image, no style sheet.

    Raises:
        RenderError: as :func:`render`.
    """
    picture = _svg(xml_text(dot), title, alt, seconds, prefix)
    return ElementTree.tostring(picture, encoding="unicode")


def _svg(dot: str, title: str, alt: str, seconds: float, prefix: str = "") -> ElementTree.Element:
    try:
        drawn = ElementTree.fromstring(_graphviz(dot, "svg", seconds))
    except ElementTree.ParseError as error:
        raise RenderError(f"Graphviz wrote no well-formed SVG: {error}") from None
    root = ElementTree.Element("svg", xmlns=NAMESPACE)
    # Points as pixels: at its own size, text is as large as the text of a page.
    width, height = drawn.get("viewBox", "0 0 0 0").split()[2:]
    root.set("width", f"{float(width):g}")
    root.set("height", f"{float(height):g}")
    root.set("viewBox", f"0 0 {float(width):g} {float(height):g}")
    for child in drawn:
        _copy(child, root, prefix)
    for element in root.iter():
        element.tail = "\n"
        if len(element):
            element.text = "\n"
    root.tail = None
    describe(root, title=title, alt=alt, prefix=prefix)
    return root


def _copy(element: ElementTree.Element, parent: ElementTree.Element, prefix: str) -> None:
    """Add to ``parent`` what Graphviz drew as ``element``.

    Graphviz's ``<title>`` is a node's name in the DOT, of no use to people; a tooltip, which it
    writes as a link that leads nowhere, becomes the title that browsers show.
    """
    tag = element.tag.removeprefix(_SVG)
    if tag == "title":
        return
    if tag == "a":
        tip = element.get(_XLINK_TITLE)
        if tip:
            title = ElementTree.Element("title")
            title.text = tip
            parent.insert(0, title)
        copy = parent
    elif tag == "g" and [child.tag for child in element] == [f"{_SVG}a"]:
        copy = parent  # a group that only holds the link
    elif _ELEMENTS.fullmatch(tag):
        copy = ElementTree.SubElement(parent, tag, _attributes(element, prefix))
        if tag == "text":
            copy.text = element.text
    else:
        raise RenderError(f"the DOT asks for <{tag}>: a diagram holds shapes and text only")
    for child in element:
        _copy(child, copy, prefix)


def _attributes(element: ElementTree.Element, prefix: str) -> dict[str, str]:
    kept = {name: value for name, value in element.attrib.items() if _ATTRIBUTES.fullmatch(name)}
    for name, value in list(kept.items()):
        if name == "id":
            kept[name] = prefix + value
        elif _OWN_GRADIENT.fullmatch(value):
            kept[name] = value.replace("#", f"#{prefix}")
        elif "url(" in value or (name == "style" and not _STYLE.fullmatch(value)):
            del kept[name]
    return kept


def _dots_per_inch(picture: ElementTree.Element) -> int:
    """The resolution at which a picture has not too many pixels.

    Raises:
        RenderError: nobody could read it.
    """
    inches = [float(picture.get(side, 0)) / POINTS_PER_INCH for side in ("width", "height")]
    width, height = inches
    dpi = min(DPI, sqrt(MOST_PIXELS / (width * height)), MOST_PIXELS_A_SIDE / max(inches))
    if dpi < LEAST_DPI:
        raise RenderError(
            f"the diagram is {width:,.0f} x {height:,.0f} inches: too large for a PNG; "
            "write SVG or PDF, or draw it on a coarser level"
        )
    return int(dpi)


@cache
def _has_fonts() -> bool:
    """Whether text is drawn: without any font Graphviz draws empty squares, and says nothing."""
    drawn = _graphviz('graph { a [label="text"] }', "pdf", MOST_SECONDS)
    return b"/FontDescriptor" in drawn


def _graphviz(dot: str, format_: Format, seconds: float, dpi: int = POINTS_PER_INCH) -> bytes:
    """What Graphviz draws. Raises as :func:`render`."""
    data = dot.encode()
    package = find_spec("pygraphviz")
    if package is not None and package.origin is not None and sys.executable:
        done = _run(_own_process(Path(package.origin), format_, dpi, seconds), data, seconds)
        if done.returncode != graphviz_process.UNAVAILABLE:
            return _output(done)
    program = shutil.which("dot")
    if program is None:
        raise RenderError(INSTALL_GRAPHVIZ)
    return _output(_run([program, f"-T{format_}", f"-Gdpi={dpi}"], data, seconds))


def _own_process(package: Path, format_: Format, dpi: int, seconds: float) -> list[str]:
    # -I -S: nothing of the user's environment or site is run, and half the start-up time.
    script = graphviz_process.__file__
    folder = package.parent.parent
    limit = int(seconds) + 5  # later than ours
    return [sys.executable, "-I", "-S", script, str(folder), format_, str(dpi), str(limit)]


def _run(command: list[str], data: bytes, seconds: float) -> subprocess.CompletedProcess[bytes]:
    try:
        # Ends the process before it raises, KeyboardInterrupt too.
        return subprocess.run(
            command, input=data, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise LayoutTimeout(
            f"the layout took more than {seconds:g} s and was stopped: draw it on a coarser level, "
            "or write DOT or Mermaid, which need no layout"
        ) from None
    except OSError as error:
        raise RenderError(f"cannot start {command[0]!r:.300}: {error.strerror}") from None


def _output(done: subprocess.CompletedProcess[Any]) -> bytes:
    if done.returncode == 0 and done.stdout:
        return bytes(done.stdout)
    # Graphviz's own fontconfig, of another version than the system's, complains of its settings.
    lines = [
        line
        for line in done.stderr.decode("utf-8", "replace").splitlines()
        if line.strip() and not line.startswith(("Fontconfig ", "Traceback ", " "))
    ]
    if done.returncode < 0:
        lines.append(f"it was ended by signal {-done.returncode}")
    raise RenderError(f"Graphviz cannot draw it: {'; '.join(lines[:3]) or 'it says nothing'}")
