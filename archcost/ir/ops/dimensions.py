"""Dimensions by index, and broadcasting: what operators on any rank share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Final

from archcost.ir.errors import ShapeError
from archcost.ir.op import Reach
from archcost.ir.types import BITS, FLOATS, Shape, TensorType, shape_text

OWN_PLACE: Final = Reach(0, 0, 1)
"""The reach along a dimension whose positions stay where they are."""


def dimension(kind: str, dim: int, type_: TensorType) -> int:
    """``dim`` counted from the front. Raises ShapeError where the tensor has no such dimension."""
    if not -type_.rank <= dim < type_.rank:
        raise ShapeError(f"{kind} names dimension {dim} of an input with {type_.rank} dimensions")
    return dim % type_.rank


def distinct(kind: str, dims: Sequence[int], type_: TensorType) -> tuple[int, ...]:
    """``dims`` counted from the front. Raises ShapeError where one is missing or named twice."""
    found = tuple(dimension(kind, dim, type_) for dim in dims)
    if len(set(found)) < len(found):
        raise ShapeError(f"{kind} names a dimension twice in {list(dims)}")
    return found


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


_FLOATS: Final = ("fp8", "fp16", "bf16", "tf32", "fp32", "fp64")
"""The floating-point dtypes, narrowest first."""


def promoted(types: Sequence[TensorType]) -> str:
    """The dtype that operands of these types have in common: what PyTorch computes them in.

    Categories are ordered bool, integers, floating-point numbers, complex numbers, and the highest
    decides; within it the widest dtype. A tensor without dimensions widens nothing within the
    category of one that has some. fp16 with bf16 gives fp32, and integers of either sign the
    narrowest signed one that holds both (int64 where none does).
    """
    first = types[0].dtype
    if all(type_.dtype == first for type_ in types):
        return first
    large = [type_.dtype for type_ in types if type_.shape]
    scalars = [type_.dtype for type_ in types if not type_.shape]
    if not large or not scalars:
        return reduce(_common, large or scalars)
    wide, scalar = reduce(_common, large), reduce(_common, scalars)
    if _category(scalar) <= _category(wide):
        return wide
    if wide in FLOATS:  # as a complex number it is as wide as before
        return _common(wide, "complex64")
    return scalar


def floating(dtype: str) -> str:
    """The dtype in which a function of such elements gives fractions: fp32 unless it has some."""
    return "fp32" if _category(dtype) < 2 else dtype


def _category(dtype: str) -> int:
    if dtype in FLOATS:
        return 2
    return 3 if dtype.startswith("complex") else int(dtype != "bool")


def _common(a: str, b: str) -> str:
    """The dtype that two tensors of these dtypes have in common."""
    low, high = sorted((a, b), key=lambda dtype: (_category(dtype), BITS[dtype]))
    if _category(high) == 3:
        return "complex128" if "fp64" in (low, high) or "complex128" in (low, high) else high
    if _category(low) != _category(high):
        return high
    if _category(high) == 2:
        if {low, high} == {"fp16", "bf16"}:
            return "fp32"
        return max(low, high, key=_FLOATS.index)
    unsigned = high.startswith("u")
    if low.startswith("u") == unsigned or (BITS[low] < BITS[high] and not unsigned):
        return high
    return f"int{min(2 * BITS[high], 64)}"


def along(type_: TensorType, dim: int, reach: Reach) -> tuple[Reach, ...] | None:
    """``reach`` along dimension ``dim``, the others in place; None where ``dim`` is not spatial."""
    return along_each(type_, {dim: reach})


def along_each(type_: TensorType, reaches: Mapping[int, Reach]) -> tuple[Reach, ...] | None:
    """The reach along each of these dimensions, the others in place; None where none is spatial."""
    if not any(dim >= 2 for dim in reaches):
        return None
    return tuple(reaches.get(dim, OWN_PLACE) for dim in range(2, type_.rank))


def anywhere(n: int, m: int) -> Reach:
    """The reach where each of ``m`` output positions may read any of ``n`` input positions."""
    # A single one reads all, as a global pool does; several are taken to lie a step of 1 apart.
    return Reach(0, max(0, n - 1), max(1, n)) if m == 1 else Reach(min(0, 1 - m), max(0, n - 1), 1)
