"""Dimensions by index, and broadcasting: what operators on any rank share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archcost.ir.errors import ShapeError
from archcost.ir.op import Reach
from archcost.ir.types import Shape, TensorType, shape_text

OWN_PLACE: Final = Reach(0, 0, 1)
"""The reach along a dimension whose positions stay where they are."""


def dimension(kind: str, dim: int, type_: TensorType) -> int:
    """``dim`` counted from the front. Raises ShapeError where the tensor has no such dimension."""
    if not -type_.rank <= dim < type_.rank:
        raise ShapeError(f"{kind} names dimension {dim} of an input with {type_.rank} dimensions")
    return dim % type_.rank


def broadcast(kind: str, shapes: Sequence[Shape]) -> Shape:
    """The common shape by PyTorch's rules: aligned at the end, a size of 1 fits every other.

    Raises:
        ShapeError: naming the first shape that does not fit and the one it was to fit.
    """
    result = shapes[0]
    for shape in shapes[1:]:
        rank = max(len(result), len(shape))
        left = (1,) * (rank - len(result)) + result
        right = (1,) * (rank - len(shape)) + shape
        if any(a != b and 1 not in (a, b) for a, b in zip(left, right, strict=True)):
            raise ShapeError(
                f"{kind} needs inputs of one shape, or with sizes of 1 where they differ; "
                f"{shape_text(shape)} does not fit {shape_text(result)}"
            )
        result = tuple(b if a == 1 else a for a, b in zip(left, right, strict=True))
    return result


def same_dtype(kind: str, inputs: Sequence[TensorType]) -> None:
    """Raise ShapeError unless all inputs have one dtype: a cast is a node of its own."""
    for type_ in inputs[1:]:
        if type_.dtype != inputs[0].dtype:
            raise ShapeError(
                f"{kind} needs inputs of one dtype, has {inputs[0].dtype} and {type_.dtype}"
            )


def along(type_: TensorType, dim: int, reach: Reach) -> tuple[Reach, ...] | None:
    """``reach`` along dimension ``dim``, the others in place; None where ``dim`` is not spatial."""
    if dim < 2:
        return None
    return tuple(reach if d == dim else OWN_PLACE for d in range(2, type_.rank))
