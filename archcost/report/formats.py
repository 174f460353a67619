"""The formats there are, and writing a table or report in one of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from archcost.report.table import Document, Table

if TYPE_CHECKING:
    from archcost.report.model import ModelReport

FORMATS: Final[dict[str, str]] = {
    "table": ".txt",
    "markdown": ".md",
    "csv": ".csv",
    "json": ".json",
    "latex": ".tex",
    "html": ".html",
}
"""The formats by name, and the ending of a file in each."""


def render(thing: Table | Document | ModelReport, format_: str, **options: Any) -> str:
    """A table, document or report as text in one of :data:`FORMATS`, ending with a newline.

    A document is for people alone: ``table``, ``markdown`` and ``html`` have it. ``html`` is a
    fragment for somebody else's page; :mod:`archcost.page` makes whole ones.
    ``table`` takes ``width``, the ``json`` of a report ``version``.
    """
    # Loaded on demand: CSV needs no rich.
    module = import_module(f".{'terminal' if format_ == 'table' else format_}", __package__)
    names = {Table: "table", Document: "document"}
    part = names.get(type(thing), "report")
    text: str = getattr(module, f"{part}_text")(thing, **options)
    return text
