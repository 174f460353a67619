"""ONNX files -> :class:`~archcost.ir.Graph` (``docs/models.md``).

A file is data: of its weights only shapes and element types are looked at, weights in files of
their own are never opened, nothing in it is executed.
"""

from archcost.sources.onnx.read import read

__all__ = ["read"]
