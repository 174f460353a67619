"""Results -> :class:`Table` and :class:`ModelReport` -> terminal, Markdown, CSV, JSON, LaTeX, HTML.

``model.py`` reads an analysis and arranges its numbers; one file a format writes them. No format
computes anything, so they cannot disagree. Names and titles come from specs, which nobody has
checked: each format escapes them in one place.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcost.report.formats import FORMATS, render
    from archcost.report.model import ModelReport, ReportError, Stored, model_report
    from archcost.report.output import OutputError, write_atomically, write_folder_atomically
    from archcost.report.table import Column, Document, Section, Table

__all__ = [
    "FORMATS",
    "Column",
    "Document",
    "ModelReport",
    "OutputError",
    "ReportError",
    "Section",
    "Stored",
    "Table",
    "model_report",
    "render",
    "write_atomically",
    "write_folder_atomically",
]

_HOMES = {
    "FORMATS": "formats",
    "render": "formats",
    "ModelReport": "model",
    "ReportError": "model",
    "Stored": "model",
    "model_report": "model",
    "OutputError": "output",
    "write_atomically": "output",
    "write_folder_atomically": "output",
    "Column": "table",
    "Document": "table",
    "Section": "table",
    "Table": "table",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: writing CSV needs no rich, writing a file no table.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
