"""All layer types that are known: :data:`LAYERS`, filled by the families as they are imported."""

from __future__ import annotations

from typing import Final

from archcost.sources.caffe import (
    convolution,
    forks,
    functions,
    normalization,
    pooling,
    recurrent,
    shapes,
)
from archcost.sources.caffe.layer import LAYERS, NAMES

__all__ = ["FAMILIES", "LAYERS", "NAMES"]

FAMILIES: Final = (convolution, forks, functions, normalization, pooling, recurrent, shapes)
