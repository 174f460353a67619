"""Elements chosen, and put in their places, by tensors of indices. Nothing is computed.

Indices are tensors of integers. What they are is not known here, only how many: an operator that
reads at places of a spatial dimension may read any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from archcost.ir.arguments import Count, Dim, DTypeName, Ints, Natural, Table
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Reach, Saved, operator
from archcost.ir.ops.dimensions import along, along_each, anywhere, broadcast, dimension, distinct
from archcost.ir.types import FLOATS, INTEGERS, Shape, TensorType, Work, shape_text


@operator
class Gather(Op):
    """Inputs (x, index), of one rank: element x[..., index[..., i, ...], ...] along ``dim``.

    The output has the shape of the index, which in other dimensions is at most as large as x:
    torch.gather, ONNX' GatherElements.
    """

    kind: ClassVar[str] = "gather"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    # PyTorch keeps the input too, for its size alone.
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    dim: Dim

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, index = inputs
        _fits(self.kind, x, index, dimension(self.kind, self.dim, x))
        return (x.with_shape(index.shape),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        x, index = inputs
        dim = dimension(self.kind, self.dim, x)
        return along(x, dim, anywhere(x.shape[dim], index.shape[dim]))

    def read_bytes(self, inputs: tuple[TensorType, ...]) -> int:
        return _chosen(inputs[0], inputs[1:], inputs[1].numel)


@operator
class IndexSelect(Op):
    """Inputs (x, indices): the slices of x at these indices of ``dim``: ONNX' Gather.

    (a..., n, b...) and (k...) -> (a..., k..., b...); the indices may have any number of
    dimensions.
    """

    kind: ClassVar[str] = "index_select"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    dim: Dim

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, index = inputs
        dim = dimension(self.kind, self.dim, x)
        _integers(self.kind, index)
        return (x.with_shape((*x.shape[:dim], *index.shape, *x.shape[dim + 1 :])),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        x, index = inputs
        dim = dimension(self.kind, self.dim, x)
        return along(x, dim, anywhere(x.shape[dim], index.numel))

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(inputs=(1,))

    def read_bytes(self, inputs: tuple[TensorType, ...]) -> int:
        return _chosen(inputs[0], inputs[1:], self.infer(inputs)[0].numel)


class _Indexed(Op):
    """Operators with one tensor of indices for each of ``dims``, as PyTorch's x[i, :, j]."""

    dims: Ints

    def _place(self, x: TensorType, indices: Sequence[TensorType]) -> Shape:
        """The shape of x[...]: that of the indices, broadcast, stands in the place of ``dims``,
        or in front where others lie between them."""
        dims = distinct(self.kind, self.dims, x)
        if len(indices) != len(dims):
            raise ShapeError(
                f"{self.kind} of {len(dims)} dimensions needs as many tensors of indices, has "
                f"{len(indices)}"
            )
        for index in indices:
            _integers(self.kind, index)
        common = broadcast(self.kind, [index.shape for index in indices])
        rest = [size for dim, size in enumerate(x.shape) if dim not in dims]
        first = min(dims)
        front = first if max(dims) - first + 1 == len(dims) else 0
        return (*rest[:front], *common, *rest[front:])


@operator
class Index(_Indexed):
    """Inputs (x, index...): x at these indices, one tensor of integers for each of ``dims``.

    The indices are broadcast; their shape stands in the place of ``dims`` if those are next to
    each other, else in front: x (N, C, H, W) over ``dims`` (2, 3) at (k,) and (k,) -> (N, C, k).
    """

    kind: ClassVar[str] = "index"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (2, None)

    dims: Ints

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, *indices = inputs
        return (x.with_shape(self._place(x, indices)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        x, *indices = inputs
        count = TensorType(broadcast(self.kind, [index.shape for index in indices])).numel
        dims = distinct(self.kind, self.dims, x)
        return along_each(x, {dim: anywhere(x.shape[dim], count) for dim in dims})

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(inputs=tuple(range(1, len(inputs))))

    def read_bytes(self, inputs: tuple[TensorType, ...]) -> int:
        return _chosen(inputs[0], inputs[1:], self.infer(inputs)[0].numel)


@operator
class IndexPut(_Indexed):
    """Inputs (x, values, index...): x with the values at these indices; the output is as x.

    Indices as those of :class:`Index`; the values are broadcast to the shape that it would give.
    ``accumulate`` adds them to what is there: one addition each.
    """

    kind: ClassVar[str] = "index_put"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    inplace: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (3, None)

    dims: Ints
    accumulate: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, values, *indices = inputs
        place = self._place(x, indices)
        if broadcast(self.kind, [place, values.shape]) != place:
            raise ShapeError(
                f"{self.kind} needs values that fit its indices; {shape_text(values.shape)} does "
                f"not fit {shape_text(place)}"
            )
        _one_dtype(self.kind, x, values)
        return (x,)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        if not self.accumulate:
            return Work()
        x, _, *indices = inputs
        return Work(add=TensorType(self._place(x, indices)).numel)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        x = inputs[0]
        dims = distinct(self.kind, self.dims, x)
        return along_each(x, {dim: anywhere(x.shape[dim], x.shape[dim]) for dim in dims})

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(inputs=tuple(range(2, len(inputs))))


@operator
class Scatter(Op):
    """Inputs (x, index, source): x with the source's elements at these indices along ``dim``.

    All of one rank; the index is at most as large as the source, and but for ``dim`` as x. The
    output is as x: torch.scatter, ONNX' ScatterElements. ``reduction`` joins each element with
    what is there instead, in one operation.
    """

    kind: ClassVar[str] = "scatter"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    inplace: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (3, 3)

    dim: Dim
    reduction: Literal["none", "sum", "product", "max", "min"] = "none"

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, index, source = inputs
        _fits(self.kind, x, index, dimension(self.kind, self.dim, x))
        _fits(self.kind, source, index)
        _one_dtype(self.kind, x, source)
        return (x,)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        count = inputs[1].numel
        match self.reduction:
            case "none":
                return Work()
            case "sum":
                return Work(add=count)
            case "product":
                return Work(mul=count)
            case "max" | "min":
                return Work(cmp=count)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        x, index, _ = inputs
        dim = dimension(self.kind, self.dim, x)
        n = x.shape[dim]
        return along(x, dim, anywhere(max(n, index.shape[dim]), n))

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        if self.reduction in ("none", "sum"):
            return Saved(inputs=(1,))
        return Saved(inputs=True, outputs=True)


@operator
class Assign(Op):
    """Inputs (x, new): x with part of its elements replaced by the new ones; the output is as x.

    ``part`` says which: (start, stop, step) for each dimension of x. The new elements are
    broadcast to it, or are as many as it has. Without it the part is not known, only that it is
    not smaller than ``new``.
    """

    kind: ClassVar[str] = "assign"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    inplace: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    part: Table | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.part is not None and any(len(row) != 3 or not row[2] for row in self.part):
            raise ArgumentError("part", "expected (start, stop, step) for each dimension")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, new = inputs
        shape = x.shape if self.part is None else self._part(x, self.part)
        numel = TensorType(shape).numel
        if new.numel > numel:
            raise ShapeError(
                f"assign has {new.numel} new elements for the {numel} of {shape_text(shape)}"
            )
        if self.part is not None and new.numel != numel:
            broadcast(self.kind, [shape, new.shape])
        return (x,)

    @staticmethod
    def _part(x: TensorType, part: Table) -> Shape:
        if len(part) != x.rank:
            raise ShapeError(f"assign has a part of {len(part)} dimensions, its input has {x.rank}")
        for size, (_, stop, _) in zip(x.shape, part, strict=True):
            if stop > size:
                raise ShapeError(f"assign up to {stop} of a dimension of {size}")
        return tuple(len(range(*row)) for row in part)


@operator
class Nonzero(Op):
    """The places of the elements that are not zero: (a, b, ...) -> (``count``, rank) of int64.

    How many there are depends on values; ``count`` is what was assumed of them. One row of indices
    for each, in order: torch.nonzero. No work: what an element is compared with is its own bits.
    """

    kind: ClassVar[str] = "nonzero"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    in_specs: ClassVar[bool] = False

    count: Natural

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if self.count > x.numel:
            raise ShapeError(f"nonzero finds {self.count} places among {x.numel}")
        return (TensorType((self.count, x.rank), "int64"),)


@operator
class OneHot(Op):
    """(...) of integers -> (..., ``classes``): 1 at each index, 0 elsewhere, in ``dtype``."""

    kind: ClassVar[str] = "one_hot"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    classes: Count
    dtype: DTypeName = "int64"

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        _integers(self.kind, x)
        return (TensorType((*x.shape, self.classes), self.dtype),)

    def with_dtype(self, dtype: str) -> OneHot:
        return replace(self, dtype=dtype) if self.dtype in FLOATS else self


def _integers(kind: str, index: TensorType) -> None:
    if index.dtype not in INTEGERS:
        raise ShapeError(f"{kind} needs indices that are integers (int64), has {index.dtype}")


def _one_dtype(kind: str, x: TensorType, new: TensorType) -> None:
    if new.dtype != x.dtype:
        raise ShapeError(f"{kind} puts {new.dtype} into a tensor of {x.dtype}")


def _fits(kind: str, x: TensorType, index: TensorType, free: int | None = None) -> None:
    """Raise ShapeError unless the index has the rank of ``x`` and, but for dimension ``free``,
    is at most as large."""
    _integers(kind, index)
    small = index.rank == x.rank and all(
        dim == free or size <= n
        for dim, (size, n) in enumerate(zip(index.shape, x.shape, strict=True))
    )
    # An empty index chooses nothing, whatever its other sizes.
    if index.rank != x.rank or not (small or not index.numel):
        raise ShapeError(
            f"{kind} needs an index with as many dimensions as its input, none larger; "
            f"{shape_text(index.shape)} does not fit {shape_text(x.shape)}"
        )


def _chosen(x: TensorType, indices: Sequence[TensorType], count: int) -> int:
    """Bytes read where ``count`` elements of ``x`` are chosen: no more of it than there is."""
    chosen = min(x.nbytes, TensorType((count,), x.dtype).nbytes)
    return chosen + sum(index.nbytes for index in indices)
