"""Texts and colours as plotly takes them.

plotly.js reads a little HTML in every text that it draws (``<b>``, ``<a href>``, entities), so each
text goes through :func:`literal`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any, Final

from archcost.plot.figure import Color, shortened
from archcost.report.palette import THEMES

Json = dict[str, Any]
MOST_HOVER: Final = 70
"""Characters of a line that is shown where a figure is pointed at."""


def literal(text: str, most: int | None = None) -> str:
    """``text`` as plotly.js draws it letter by letter."""
    return html.escape(text if most is None else shortened(text, most), quote=False)


def token(color: Color, opacity: float = 1) -> str:
    name = color if isinstance(color, str) else f"hue{color % len(THEMES['light'].hues)}"
    return f"@{name}" if opacity == 1 else f"@{name}/{opacity:g}"


def ink(color: Color) -> str:
    """The colour of a text, as :func:`token`."""
    return token(color).replace("@hue", "@ink")


def hover(lines: Iterable[tuple[str, ...]]) -> Json:
    texts = ["\n".join(shortened(word, MOST_HOVER) for word in words) for words in lines]
    return {"hoverinfo": "text", "hovertext": texts} if texts else {"hoverinfo": "skip"}
