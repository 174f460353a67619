"""What every page has around its body: head, styles, scripts, and what they may do.

A page is one file that loads nothing: its Content-Security-Policy allows no request, and only
scripts that bear the page's nonce. The nonce is a hash of the page, so the same input gives the
same bytes, and no text in the page can contain it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.plot.bundle import INSTALL, MissingLibraryError, ending, nonce, policy
from archcost.report.format import shortened
from archcost.report.palette import THEMES

if TYPE_CHECKING:
    from jinja2 import Environment

MISSING: Final = f"an HTML page needs Jinja2: {INSTALL}"
MOST_TEXT: Final = 1000
"""Characters of a text of a network that a page shows at most; its ends are kept."""
_HERE: Final = Path(__file__).parent


class Link(NamedTuple):
    """A page beside this one: its URL, what it is called, and what it is to this one (``rel``)."""

    url: str
    text: str
    rel: str


class About(NamedTuple):
    """What made a page: the command line (may be empty) and archcost's version; and the pages
    beside it, of a site."""

    command: str = ""
    version: str = ""
    links: tuple[Link, ...] = ()


def page(
    template: str,
    about: About,
    *,
    title: str,
    scripts: tuple[str, ...] = (),
    style: str = "",
    plotly: str | None = None,
    **content: Any,
) -> str:
    """A whole page whose body is ``template``, filled with ``content``.

    ``scripts`` are files of ``static/``, in the order in which they run; ``style`` is CSS besides
    that of all pages. ``plotly`` is given where there are figures in it: the URL of
    ``plotly.min.js``, or "", which puts it into the page.

    Raises:
        MissingLibraryError: Jinja2 is not installed, or plotly where there are figures.
    """
    environment = template_environment()
    body = environment.get_template(template).render(about=about, title=title, **content)
    sources = [static(name) for name in scripts]
    allowed = nonce(title, repr(about), body, *sources)
    return environment.get_template("shell.html").render(
        title=title,
        about=about,
        body=safe(body),
        early=safe(static("theme.js")),
        style=safe(f"{_colors()}{static('page.css')}{style}"),
        scripts=[safe(source) for source in sources],
        ending=safe("" if plotly is None else ending(allowed, plotly)),
        nonce=allowed,
        policy=safe(policy(allowed)),
    )


@cache
def static(name: str) -> str:
    """The text of a file of ``static/``."""
    return (_HERE / "static" / name).read_text(encoding="utf-8")


def safe(text: str) -> Any:
    """``text`` as HTML of our own, not to be escaped.

    Raises:
        MissingLibraryError: Jinja2 is not installed, whose own library this is.
    """
    try:
        return import_module("markupsafe").Markup(text)
    except ImportError:
        raise MissingLibraryError(MISSING) from None


@cache
def template_environment() -> Environment:
    """What fills the templates.

    Raises:
        MissingLibraryError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingLibraryError(MISSING) from None
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _final(value: Any) -> Any:
    """What a template writes for ``value``: text of others without controls, never too long."""
    return shortened(value, MOST_TEXT) if type(value) is str else value


def _colors() -> str:
    """The themes' colours as CSS variables; ``light-dark`` follows the colour scheme."""
    light, dark = THEMES["light"], THEMES["dark"]
    names = [name for name in light._fields if name != "hues"]
    pairs = {name: (getattr(light, name), getattr(dark, name)) for name in names}
    hues = zip(light.hues, dark.hues, strict=True)
    pairs |= {f"hue-{number}": pair for number, pair in enumerate(hues)}
    lines = [f"  --{name}: light-dark({a}, {b});\n" for name, (a, b) in pairs.items()]
    return f":root {{\n{''.join(lines)}}}\n"
