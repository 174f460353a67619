"""The graph IR: everything that describes a network becomes a :class:`Graph`."""

from archcost.ir.errors import ArchcostError, ArgumentError, GraphError, ShapeError
from archcost.ir.graph import Graph, GraphBuilder, Node, Value
from archcost.ir.op import Application, Op, Reach, Saved
from archcost.ir.types import (
    BITS,
    FLOATS,
    NUMPY_NAMES,
    WORK_KINDS,
    Parameter,
    ParameterSpec,
    Shape,
    TensorType,
    Work,
    bytes_for,
    shape_text,
)

__all__ = [
    "BITS",
    "FLOATS",
    "NUMPY_NAMES",
    "WORK_KINDS",
    "Application",
    "ArchcostError",
    "ArgumentError",
    "Graph",
    "GraphBuilder",
    "GraphError",
    "Node",
    "Op",
    "Parameter",
    "ParameterSpec",
    "Reach",
    "Saved",
    "Shape",
    "ShapeError",
    "TensorType",
    "Value",
    "Work",
    "bytes_for",
    "shape_text",
]
