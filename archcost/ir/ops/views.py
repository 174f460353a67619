"""Views of the whole shape, the batch included: the same storage under another shape.

Nothing is computed or moved, though PyTorch has to copy for some of them.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar, Final

from archcost.ir.arguments import Count, Dim, Index, Ints, Natural
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Reach, operator
from archcost.ir.ops.dimensions import along, along_each, dimension, distinct
from archcost.ir.ops.shape import flattened
from archcost.ir.types import TensorType, shape_text


@operator
class View(Op):
    """The same elements in the same order in ``shape``, which is the whole shape, batch included.

    One of its sizes may be -1: what remains. Unlike :class:`Reshape` it fixes the batch, and a
    size of 0 is one.
    """

    kind: ClassVar[str] = "view"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True

    shape: Ints

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(size < -1 for size in self.shape) or self.shape.count(-1) > 1:
            raise ArgumentError(
                "shape", f"expected sizes >= 0 and at most one -1, found {list(self.shape)}"
            )

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        known = prod(size for size in self.shape if size != -1)
        open_ = -1 in self.shape
        if (not known or x.numel % known) if open_ else x.numel != known:
            raise ShapeError(
                f"view needs the same number of elements: {shape_text(x.shape)} has {x.numel}, "
                f"{list(self.shape)} has {'a multiple of ' if open_ else ''}{known}"
            )
        return (x.with_shape(tuple(x.numel // known if n == -1 else n for n in self.shape)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,), (y,) = inputs, outputs
        # Positions that become part of the batch (windows) stay what they are.
        return flattened(x, y) if x.shape[:1] == y.shape[:1] else None


@operator
class Expand(Op):
    """x broadcast to ``shape``, of which -1 keeps a size: only sizes of 1 grow.

    The shape may have more dimensions than x; they stand in front.
    """

    kind: ClassVar[str] = "expand"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True

    shape: Ints

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(size < -1 for size in self.shape):
            raise ArgumentError(
                "shape", f"expected sizes >= 0 and -1 to keep one, found {list(self.shape)}"
            )

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        new = len(self.shape) - x.rank
        if new < 0 or -1 in self.shape[:new]:
            raise ShapeError(f"expand to {list(self.shape)} keeps sizes that {x} does not have")
        pairs = list(zip(x.shape, self.shape[new:], strict=True))
        if any(n != 1 and size not in (-1, n) for n, size in pairs):
            raise ShapeError(
                f"expand to {list(self.shape)} needs sizes of 1 where they grow, has "
                f"{shape_text(x.shape)}"
            )
        return (
            x.with_shape((*self.shape[:new], *(n if size == -1 else size for n, size in pairs))),
        )


@operator
class Squeeze(Op):
    """x without those of ``dims`` whose size is 1; without all such dimensions if None."""

    kind: ClassVar[str] = "squeeze"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True

    dims: Ints | None = None

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dims = range(x.rank) if self.dims is None else distinct(self.kind, self.dims, x)
        kept = (size for dim, size in enumerate(x.shape) if size != 1 or dim not in dims)
        return (x.with_shape(tuple(kept)),)


@operator
class Unsqueeze(Op):
    """x with a new dimension of size 1, which is dimension ``dim`` of the output."""

    kind: ClassVar[str] = "unsqueeze"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True

    dim: Dim

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        return (x.with_shape(with_new(self.kind, x, self.dim, 1)),)


@operator
class Select(Op):
    """x at position ``index`` of dimension ``dim``, which is gone; negative ones from the end."""

    kind: ClassVar[str] = "select"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True

    dim: Dim
    index: Index

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        if not -x.shape[dim] <= self.index < x.shape[dim]:
            raise ShapeError(f"select takes position {self.index} of a dimension of {x.shape[dim]}")
        return (x.with_shape((*x.shape[:dim], *x.shape[dim + 1 :])),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        place = self.index % x.shape[dim]
        return along(x, dim, Reach(place, place, x.shape[dim]))


@operator
class SlidingWindows(Op):
    """All windows of ``size`` along ``dim``, ``step`` apart: (..., n, ...) -> (..., L, ..., size).

    L = (n - size) // step + 1 windows; their elements are a new dimension at the end, as
    Tensor.unfold has it. Windows that overlap share their elements.
    """

    kind: ClassVar[str] = "windows"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True

    dim: Dim
    size: Count
    step: Count = 1

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        n = x.shape[dim]
        if self.size > n:
            raise ShapeError(f"windows of {self.size} do not fit a dimension of {n}")
        count = (n - self.size) // self.step + 1
        return (x.with_shape((*x.shape[:dim], count, *x.shape[dim + 1 :], self.size)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        return along(x, dim, Reach(0, self.size - 1, self.step))


@operator
class Diagonal(Op):
    """The diagonal of dimensions ``dim1`` and ``dim2``, which are gone; it is the last dimension.

    ``offset`` moves it towards higher positions of ``dim2``.
    """

    kind: ClassVar[str] = "diagonal"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True

    offset: Index = 0
    dim1: Dim = 0
    dim2: Dim = 1

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        one, two = distinct(self.kind, (self.dim1, self.dim2), x)
        size = min(x.shape[one] - max(-self.offset, 0), x.shape[two] - max(self.offset, 0))
        rest = (n for dim, n in enumerate(x.shape) if dim not in (one, two))
        return (x.with_shape((*rest, max(0, size))),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        one, two = distinct(self.kind, (self.dim1, self.dim2), x)
        down, right = max(-self.offset, 0), max(self.offset, 0)
        return along_each(x, {one: Reach(down, down, 1), two: Reach(right, right, 1)})


@operator
class AsStrided(Op):
    """Elements of x by their places in it, which may overlap: of ``shape``, (i, j, ...) at
    offset + i * strides[0] + j * strides[1] + ..., counted through x from its first to its last.
    """

    kind: ClassVar[str] = "as_strided"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True
    in_specs: ClassVar[bool] = False

    shape: Ints
    strides: Ints
    offset: Natural = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.strides) != len(self.shape) or min(self.shape + self.strides, default=0) < 0:
            raise ArgumentError("strides", "expected a number >= 0 for each size")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        y = x.with_shape(self.shape)
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if y.numel and self.offset + last >= x.numel:
            raise ShapeError(
                f"as_strided reads element {self.offset + last} of an input of {x.numel}"
            )
        return (y,)


COMPLEX: Final = {"fp32": "complex64", "fp64": "complex128"}
"""dtype of the parts -> that of the complex numbers of two."""


@operator
class AsComplex(Op):
    """Pairs along the last dimension as complex numbers: (..., 2) -> (...), fp32 -> complex64."""

    kind: ClassVar[str] = "as_complex"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True
    in_specs: ClassVar[bool] = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.shape[-1:] != (2,) or x.dtype not in COMPLEX:
            raise ShapeError(f"as_complex needs pairs (..., 2) of fp32 or fp64, has {x}")
        return (TensorType(x.shape[:-1], COMPLEX[x.dtype]),)


@operator
class AsReal(Op):
    """Complex numbers as pairs of real and imaginary part: (...) -> (..., 2)."""

    kind: ClassVar[str] = "as_real"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    view: ClassVar[bool] = True
    in_specs: ClassVar[bool] = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        for part, whole in COMPLEX.items():
            if x.dtype == whole:
                return (TensorType((*x.shape, 2), part),)
        raise ShapeError(f"as_real needs complex numbers, has {x.dtype}")


def with_new(kind: str, x: TensorType, dim: int, size: int) -> tuple[int, ...]:
    """The shape of ``x`` with a new dimension of ``size``, dimension ``dim`` of the result."""
    if not -x.rank - 1 <= dim <= x.rank:
        raise ShapeError(f"{kind} puts dimension {dim} into an input with {x.rank} dimensions")
    place = dim % (x.rank + 1)
    return (*x.shape[:place], size, *x.shape[place:])
