"""A network's graph -> :class:`Diagram` -> DOT, Mermaid, and with Graphviz SVG, PNG and PDF.

``build.py`` decides what is drawn, ``dot.py`` and ``mermaid.py`` write it, ``render.py`` lays DOT
out. ``volumes.py`` draws feature maps as boxes in space instead.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcost.diagram.build import diagram
    from archcost.diagram.dot import dot_source
    from archcost.diagram.mermaid import mermaid_source
    from archcost.diagram.model import Box, Diagram, DiagramError, Edge, Group

__all__ = [
    "Box",
    "Diagram",
    "DiagramError",
    "Edge",
    "Group",
    "diagram",
    "dot_source",
    "mermaid_source",
]

_HOMES = {
    "Box": "model",
    "Diagram": "model",
    "DiagramError": "model",
    "Edge": "model",
    "Group": "model",
    "diagram": "build",
    "dot_source": "dot",
    "mermaid_source": "mermaid",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: Mermaid needs no graphviz.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
