"""Reductions, running sums, sorting: what takes many elements along a dimension together."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.ir.arguments import Count, Dim, Ints, Natural, ReductionName
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Reach, Saved, operator
from archcost.ir.ops.dimensions import along, along_each, anywhere, dimension, distinct, floating
from archcost.ir.types import INTEGERS, TensorType, Work

TESTS = ("any", "all")
PLACES = ("argmax", "argmin")


@operator
class Reduce(Op):
    """One value of all elements along ``dims``, all of them if None; sizes of 1 if ``keep``.

    A tensor of any shape: (N, C, H, W) over ``dims`` (2, 3) -> (N, C), or (N, C, 1, 1). An
    instance's ``kind`` is ``reduce_`` and its function. Sums and products of integers are int64,
    ``logsumexp`` of them is fp32, ``any`` and ``all`` give bool, ``argmax`` and ``argmin`` int64
    indices, along one dimension or into all elements; the others keep the dtype. ``indices`` (of
    ``max`` and ``min`` along one dimension) gives the int64 indices as a second output.
    ``correction`` is what is taken off the number that ``var`` and ``std`` divide the sum of
    squares by: 1 as in PyTorch, 0 for the variance of a whole population.

    Absolute values are sign bits cleared and are not counted.
    """

    kind: ClassVar[str] = "reduce"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    named_by: ClassVar[str | None] = "function"

    function: ReductionName
    dims: Ints | None = None
    keep: bool = False
    indices: bool = False
    correction: Natural = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        one = self.dims is not None and len(self.dims) == 1
        if self.dims == ():
            raise ArgumentError("dims", "expected at least one dimension, or none for all of them")
        if self.indices and not (self.function in ("max", "min") and one):
            raise ArgumentError("indices", "only max and min along one dimension have them")
        if self.function in PLACES and self.dims is not None and not one:
            raise ArgumentError("dims", f"{self.function} goes along one dimension, or all")
        if self.correction != 1 and self.function not in ("var", "std"):
            raise ArgumentError("correction", "only var and std have one")
        object.__setattr__(self, "kind", f"reduce_{self.function}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dims = self._dims(x)
        kept = enumerate(x.shape)
        if self.keep:
            shape = tuple(1 if dim in dims else size for dim, size in kept)
        else:
            shape = tuple(size for dim, size in kept if dim not in dims)
        if not x.numel and TensorType(shape).numel and self.function in ("max", "min", *PLACES):
            raise ShapeError(f"{self.kind} needs at least one element, has an input of {x}")
        result = TensorType(shape, self._dtype(x.dtype))
        return (result, TensorType(shape, "int64")) if self.indices else (result,)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        n, m = inputs[0].numel, outputs[0].numel
        joined = max(0, n - m)  # k elements meet in k - 1 operations
        match self.function:
            case "sum" | "l1":
                return Work(add=joined)
            case "mean":
                return Work(add=joined, div=m)
            case "prod":
                return Work(mul=joined)
            case "l2":
                return Work(mul=n, add=joined, sqrt=m)
            case "logsumexp":
                # max + log(sum(exp(x - max)))
                return Work(cmp=joined, add=n + joined + m, exp=n, log=m)
            case "var" | "std":
                # The mean; deviations, their squares and the sum of these; the quotient.
                variance = Work(add=2 * joined + n, mul=n, div=2 * m)
                return variance + Work(sqrt=m) if self.function == "std" else variance
            case _:
                return Work(cmp=joined)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        return along_each(x, {dim: anywhere(x.shape[dim], 1) for dim in self._dims(x)})

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # As torch.amax and torch.amin, torch.linalg.vector_norm and torch's functions of the
        # other names; with indices as torch.max and torch.min.
        match self.function:
            case "max" | "min" if self.indices:
                return Saved(outputs=(1,))
            case "max" | "min" | "prod" | "l1" | "l2" | "logsumexp" | "std":
                return Saved(inputs=True, outputs=True)
            case "var":
                return Saved(inputs=True)
            case _:
                return Saved()

    def _dims(self, x: TensorType) -> tuple[int, ...]:
        if self.dims is None:
            return tuple(range(x.rank))
        return distinct(self.kind, self.dims, x)

    def _dtype(self, dtype: str) -> str:
        if self.function in TESTS:
            return "bool"
        if self.function in PLACES:
            return "int64"
        if self.function in ("sum", "prod") and (dtype == "bool" or dtype in INTEGERS):
            return "int64"
        return floating(dtype) if self.function == "logsumexp" else dtype


@operator
class Cumulative(Op):
    """Running sum, product, maximum or minimum along dimension ``dim``, on any shape.

    Element i of a vector becomes that of its elements 0 to i. ``kind`` is ``cum`` and the
    function. Sums and products of integers are int64. ``cummax`` and ``cummin`` give the int64
    indices as a second output, as PyTorch's do.
    """

    kind: ClassVar[str] = "cumulative"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    named_by: ClassVar[str | None] = "function"

    function: Literal["sum", "prod", "max", "min"]
    dim: Dim

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kind", f"cum{self.function}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dimension(self.kind, self.dim, x)
        if self.function in ("max", "min"):
            return x, TensorType(x.shape, "int64")
        return (TensorType(x.shape, "int64" if x.dtype in ("bool", *INTEGERS) else x.dtype),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        steps = x.numel - x.numel // max(1, x.shape[self.dim])
        match self.function:
            case "sum":
                return Work(add=steps)
            case "prod":
                return Work(mul=steps)
            case _:
                return Work(cmp=steps)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        return along(x, dim, Reach(min(0, 1 - x.shape[dim]), 0, 1))

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        match self.function:
            case "sum":
                return Saved()
            case "prod":
                return Saved(inputs=True, outputs=True)
            case _:
                return Saved(inputs=True, outputs=(1,))


@operator
class Sort(Op):
    """The elements in order along dimension ``dim``: outputs (values, their int64 places).

    A tensor of any shape. n elements are counted as n * ceil(log2 n) comparisons: those of a merge
    sort, rounded up.
    """

    kind: ClassVar[str] = "sort"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    dim: Dim = -1
    descending: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dimension(self.kind, self.dim, x)
        return x, TensorType(x.shape, "int64")

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        return Work(cmp=x.numel * _ceil_log2(x.shape[self.dim]))

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return _rearranged(inputs[0], outputs[0], self.dim)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(outputs=(1,))


@operator
class TopK(Op):
    """The ``k`` largest elements along ``dim``, in order: outputs (values, their int64 places).

    (..., n, ...) -> (..., k, ...); the smallest ones unless ``largest``. Counted as
    n * ceil(log2(k + 1)) comparisons: each of n elements finds its place among the best so far.
    """

    kind: ClassVar[str] = "top_k"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    k: Count
    dim: Dim = -1
    largest: bool = True

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        if self.k > x.shape[dim]:
            raise ShapeError(f"top_k needs a dimension of at least {self.k}, has {x.shape[dim]}")
        shape = (*x.shape[:dim], self.k, *x.shape[dim + 1 :])
        return x.with_shape(shape), TensorType(shape, "int64")

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(cmp=inputs[0].numel * _ceil_log2(self.k + 1))

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return _rearranged(inputs[0], outputs[0], self.dim)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(outputs=(1,))


def _rearranged(x: TensorType, y: TensorType, dim: int) -> tuple[Reach, ...] | None:
    """The reach where each position of y along ``dim`` can be any of x."""
    dim %= x.rank
    return along(x, dim, anywhere(x.shape[dim], y.shape[dim]))


def _ceil_log2(n: int) -> int:
    return max(0, n - 1).bit_length()
