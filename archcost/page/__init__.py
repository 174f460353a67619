"""Results, diagrams and figures -> self-contained HTML pages and the zoo's site.

``report.py``, ``compare.py`` and ``tables.py`` make one kind of page each, from the templates in
``templates/`` and the scripts and styles in ``static/``; ``shell.py`` puts a page together.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcost.page.compare import compare_page
    from archcost.page.report import report_page
    from archcost.page.shell import About
    from archcost.page.tables import table_page

__all__ = ["About", "compare_page", "report_page", "table_page"]

_HOMES = {
    "About": "shell",
    "compare_page": "compare",
    "report_page": "report",
    "table_page": "tables",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: a page of a table needs no diagram.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
