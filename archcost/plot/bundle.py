"""What a page takes in to draw figures: plotly.js, packed, and the script that loads it and draws.

A page that draws figures holds, in this order::

    <div data-figure="KEY" aria-label="ALT"></div>                   one a figure, where it stands
    <script type="text/plain" id="figure-KEY">...</script>           one a figure
    ...                                                              last of all: ending()

with :func:`figure_data` of :func:`archcost.plot.plotly_backend.themed`. plotly.js takes most of a
second to start, so the loader waits until a figure comes near the window or nobody needs the
processor. It follows the colour scheme of the system, or ``data-theme`` of the root element where
that is ``light`` or ``dark``. A figure that is drawn has ``data-drawn``; a click on a point, or
Enter, sends a ``figure-pick`` event up from it; its details are the ``name`` of the point ("" where
it has none), the ``lines`` that are shown of it, and the ``figure``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from archcost.ir import ArchcostError
from archcost.report.palette import THEMES

# What could end a script element early, begin a comment in it or break a line in JavaScript.
_UNSAFE: Final = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


INSTALL: Final = "pip install 'archcost[html]'"


class MissingLibraryError(ArchcostError, ImportError):
    """A library that interactive figures need is not installed."""


@cache
def script() -> str:
    """The text of ``plotly.min.js``, as the installed package has it.

    Raises:
        MissingLibraryError: saying what to install.
    """
    # The package itself is not imported: its script is all that is needed.
    package = find_spec("plotly")
    for folder in (package and package.submodule_search_locations) or ():
        try:
            return (Path(folder) / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
    raise MissingLibraryError(f"interactive figures need plotly: {INSTALL}")


@cache
def packed_script() -> str:
    """plotly.js, :func:`packed`: 2 MB where the script has 4.8 MB."""
    return packed(script())


def figure_data(data: Any) -> str:
    """The data of a figure, :func:`packed`: what is said of a thousand layers is much alike."""
    return packed(data_text(data))


def packed(text: str) -> str:
    """``text`` compressed, as base64: it has no letter that means anything in HTML, and the same
    bytes each time."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def ending(nonce: str, plotly: str = "") -> str:
    """HTML that ends a page with figures: the themes' colours, plotly.js, and what draws.

    ``plotly`` is the URL of ``plotly.min.js``, for pages that share it; "": it is in the page.

    Raises:
        MissingLibraryError: plotly is not installed.
    """
    data = data_text(colors())
    source = f' data-plotly="{escape(plotly)}"' if plotly else ""
    inside = (
        ""
        if plotly
        else f'<script type="text/plain" id="plotly-packed">{packed_script()}</script>\n'
    )
    return (
        f'<script type="application/json" id="figure-colors">{data}</script>\n{inside}'
        f'<script nonce="{escape(nonce)}"{source}>\n{loader()}</script>\n'
    )


def colors() -> dict[str, dict[str, str]]:
    """The themes' colours by the names that figures have for them."""
    return {
        name: {
            **{key: value for key, value in theme._asdict().items() if key != "hues"},
            **{f"hue{number}": hue for number, hue in enumerate(theme.hues)},
            **{f"ink{number}": ink for number, ink in enumerate(theme.inks())},
        }
        for name, theme in THEMES.items()
    }


def loader() -> str:
    """The script that draws a page's figures."""
    return static("figures.js")


@cache
def static(name: str) -> str:
    """The text of a file of ``static/``."""
    return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")


def data_text(data: Any) -> str:
    """``data`` as JSON that can stand in a script element of any HTML page."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_UNSAFE)


def policy(nonce: str) -> str:
    """The Content-Security-Policy of a page: it loads nothing, and runs only what bears its nonce.

    plotly.js sets styles of elements, and makes pictures to be saved.
    """
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def nonce(*texts: str) -> str:
    """A word that allows a page's own scripts, from what is in the page: the same page has the
    same, and no text in it can hold it."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return base64.b64encode(digest.digest()[:18]).decode()
