"""archcost: what a neural-network architecture costs, and the proof.

>>> import archcost
>>> graph = archcost.load("simplenet")
>>> archcost.analyze(graph).totals.params
5493258
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from archcost.analysis import Analysis, analyze
    from archcost.ir import ArchcostError, Graph, GraphBuilder, ShapeError, TensorType
    from archcost.sources import UnknownModelError, load
    from archcost.sources.zoo import names as zoo_names
    from archcost.spec import SpecError
    from archcost.targets import TargetError, to_json, to_onnx, to_torch, write_onnx

__all__ = [
    "Analysis",
    "ArchcostError",
    "Graph",
    "GraphBuilder",
    "ShapeError",
    "SpecError",
    "TargetError",
    "TensorType",
    "UnknownModelError",
    "__version__",
    "analyze",
    "load",
    "to_json",
    "to_onnx",
    "to_torch",
    "write_onnx",
    "zoo_names",
]

_HOMES = {
    "Analysis": "archcost.analysis",
    "ArchcostError": "archcost.ir",
    "Graph": "archcost.ir",
    "GraphBuilder": "archcost.ir",
    "ShapeError": "archcost.ir",
    "SpecError": "archcost.spec",
    "TargetError": "archcost.targets",
    "TensorType": "archcost.ir",
    "UnknownModelError": "archcost.sources",
    "analyze": "archcost.analysis",
    "load": "archcost.sources",
    "to_json": "archcost.targets",
    "to_onnx": "archcost.targets",
    "to_torch": "archcost.targets",
    "write_onnx": "archcost.targets",
}


def __getattr__(name: str) -> Any:
    # Public names load their home on first use: `import archcost` itself costs nothing.
    if name == "zoo_names":
        return import_module("archcost.sources.zoo").names
    if name not in _HOMES:
        raise AttributeError(f"module 'archcost' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    if name in ("Analysis", "analyze"):
        home.Analysis.viewer = import_module("archcost.report.display")
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
