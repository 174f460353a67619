"""Operators that write elements to other places of a new tensor; only folding computes, sums."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.ir.arguments import Count, Dim, Index, Ints, Number, Padding, Size
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Reach, operator
from archcost.ir.ops.dimensions import OWN_PLACE, along, along_each, dimension, distinct, promoted
from archcost.ir.ops.views import with_new
from archcost.ir.ops.windows import Windows, per_dimension
from archcost.ir.types import TensorType, Work, shape_text


@operator
class Copy(Op):
    """The same elements in a tensor of its own, contiguous: clone, contiguous."""

    kind: ClassVar[str] = "copy"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return inputs


@operator
class Stack(Op):
    """Inputs of one shape, side by side along a new dimension: dimension ``dim`` of the output."""

    kind: ClassVar[str] = "stack"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    arity: ClassVar[tuple[int, int | None]] = (1, None)

    dim: Dim = 0

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        first = inputs[0]
        for x in inputs[1:]:
            if x.shape != first.shape:
                raise ShapeError(
                    f"stack needs inputs of one shape; {shape_text(x.shape)} does not fit "
                    f"{shape_text(first.shape)}"
                )
        shape = with_new(self.kind, first, self.dim, len(inputs))
        return (TensorType(shape, promoted(inputs)),)


@operator
class Repeat(Op):
    """x laid side by side, ``counts`` times along each dimension, as tiles are.

    There may be more counts than dimensions of x; the first ones are then for new dimensions in
    front. A spec cannot use it: there ``repeat`` repeats layers.
    """

    kind: ClassVar[str] = "repeat"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    in_specs: ClassVar[bool] = False

    counts: Ints

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(count < 0 for count in self.counts):
            raise ArgumentError("counts", f"expected integers >= 0, found {list(self.counts)}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        new = len(self.counts) - x.rank
        if new < 0:
            raise ShapeError(
                f"repeat needs a count for each of its input's {x.rank} dimensions, has "
                f"{len(self.counts)}"
            )
        sizes = zip((1,) * new + x.shape, self.counts, strict=True)
        return (x.with_shape(tuple(size * count for size, count in sizes)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        if len(self.counts) > x.rank:
            return None
        # Output u reads u modulo n, at most (count - 1) * n before it.
        back = {
            dim: Reach(min(0, 1 - count) * x.shape[dim], 0, 1)
            for dim, count in enumerate(self.counts)
            if count != 1
        }
        return along_each(x, back)

    def read_bytes(self, inputs: tuple[TensorType, ...]) -> int:
        return inputs[0].nbytes if all(self.counts) else 0


@operator
class RepeatInterleave(Op):
    """Each position of dimension ``dim`` ``count`` times in a row: (..., n, ...) -> n * count."""

    kind: ClassVar[str] = "repeat_interleave"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    count: Count
    dim: Dim

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        return (x.with_shape((*x.shape[:dim], x.shape[dim] * self.count, *x.shape[dim + 1 :])),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        # As nearest upsampling: output u reads floor(u / count).
        (x,) = inputs
        step = 1 / self.count
        return along(x, dimension(self.kind, self.dim, x), Reach(step - 1, 0, step))


@operator
class Roll(Op):
    """x moved by ``shifts`` along ``dims``, what leaves at the end coming in at the front."""

    kind: ClassVar[str] = "roll"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    shifts: Ints
    dims: Ints

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shifts) != len(self.dims):
            raise ArgumentError("shifts", f"expected one for each of dims {list(self.dims)}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        distinct(self.kind, self.dims, inputs[0])
        return inputs

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        return along_each(
            x,
            {
                dim: self._rolled(x.shape[dim], shift)
                for dim, shift in zip(distinct(self.kind, self.dims, x), self.shifts, strict=True)
            },
        )

    @staticmethod
    def _rolled(n: int, shift: int) -> Reach:
        # Output u reads u - shift, or u - shift + n where that is in front of the input.
        shift %= max(1, n)
        return Reach(-shift, n - shift, 1) if shift else OWN_PLACE


@operator
class Flip(Op):
    """x with its positions along ``dims`` in reverse order."""

    kind: ClassVar[str] = "flip"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    dims: Ints

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        distinct(self.kind, self.dims, inputs[0])
        return inputs

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        # Output u reads n - 1 - u, from n - 1 before it to n - 1 behind it.
        (x,) = inputs
        ends = {dim: max(0, x.shape[dim] - 1) for dim in distinct(self.kind, self.dims, x)}
        return along_each(x, {dim: Reach(-end, end, 1) for dim, end in ends.items()})


@operator
class Triangle(Op):
    """The matrices (..., rows, columns) with zeros below a diagonal (``upper``) or above it.

    ``diagonal`` is the last one that is kept: 0 the main one, higher ones lie to its right.
    """

    kind: ClassVar[str] = "triangle"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    inplace: ClassVar[bool] = True

    upper: bool
    diagonal: Index = 0

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        if inputs[0].rank < 2:
            raise ShapeError("triangle needs an input of matrices (..., rows, columns)")
        return inputs


@operator
class PadAll(Op):
    """x with elements added around, or cut off, in any dimension.

    ``pads`` has what is added at the beginning of every dimension, then at the end of every one,
    as ONNX has it; negative numbers cut. ``mode`` says what the new elements are: ``value``, the
    input mirrored at its edge (which is not repeated), its edge repeated, or the input once more,
    as if it were on a ring.
    """

    kind: ClassVar[str] = "pad_all"
    computes: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True

    pads: Ints
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    value: Number = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.pads) % 2:
            raise ArgumentError("pads", "expected every dimension's begin, then every one's end")
        if self.value != 0 and self.mode != "constant":
            raise ArgumentError("value", f"{self.mode} has none")
        if self.mode in ("reflect", "replicate"):
            object.__setattr__(self, "keeps", "inputs")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        sides = self.sides()
        if len(sides) != x.rank:
            raise ShapeError(
                f"pad_all has pads for {len(sides)} dimensions, its input has {x.rank}"
            )
        for size, (before, after) in zip(x.shape, sides, strict=True):
            added = max(before, after, 0)
            if self.mode != "constant" and added > self._most(size, added):
                raise ShapeError(f"pad_all cannot add {added} to a size of {size} by {self.mode}")
            if size + min(before, after, before + after) < 0:
                raise ShapeError(
                    f"pad_all cuts more than there is: {before} and {after} of a size of {size}"
                )
        sizes = (size + sum(side) for size, side in zip(x.shape, sides, strict=True))
        return (x.with_shape(tuple(sizes)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        # The added elements that come of the input are left out of account.
        fronts = {dim: before for dim, (before, after) in enumerate(self.sides()) if before}
        return along_each(inputs[0], {dim: Reach(-n, -n, 1) for dim, n in fronts.items()})

    def _most(self, size: int, added: int) -> int:
        """How many elements a size gives on one side, at most ``added``."""
        if self.mode == "replicate":
            return added if size else 0
        return size - 1 if self.mode == "reflect" else size

    def sides(self) -> list[tuple[int, int]]:
        """(before, after) for each dimension."""
        half = len(self.pads) // 2
        return list(zip(self.pads[:half], self.pads[half:], strict=True))


@operator
class Unfold(Op):
    """The windows of a convolution as columns (im2col): (N, C, H, W) -> (N, C * kh * kw, L).

    L is the number of windows, row by row.
    """

    kind: ClassVar[str] = "unfold"
    computes: ClassVar[bool] = False

    kernel: Size
    stride: Size = 1
    padding: Padding = 0
    dilation: Size = 1

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank != 4:
            raise ShapeError(f"unfold needs an input (N, C, H, W), has {x}")
        windows = self.windows(x)
        columns = x.channels * prod(windows.kernel)
        return (x.with_shape((x.shape[0], columns, prod(windows.out))),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self.windows(inputs[0]).reach()

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        return Windows(self.kind, x, self.kernel, self.stride, self.padding, self.dilation)


@operator
class Fold(Op):
    """Columns added up where their windows lie (col2im): the way back from :class:`Unfold`.

    (N, C * kh * kw, L) -> (N, C, H, W) with (H, W) = ``size``, which has L windows. Each element
    that falls inside is one addition to what is there, zeros at first.
    """

    kind: ClassVar[str] = "fold"

    size: Size
    kernel: Size
    stride: Size = 1
    padding: Padding = 0
    dilation: Size = 1

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        windows = self.windows(x)
        area, count = prod(windows.kernel), prod(windows.out)
        if x.channels % area or x.shape[2] != count:
            raise ShapeError(
                f"fold needs columns (N, a multiple of {area}, {count}), has {shape_text(x.shape)}"
            )
        return (x.with_shape((x.shape[0], x.channels // area, *windows.sizes)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        n, c, *_ = outputs[0].shape
        return Work(add=n * c * self.windows(inputs[0]).covered())

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        # Output u lies in window i where i * stride - before + dilation * j = u.
        windows = self.windows(inputs[0])
        return tuple(
            Reach((before - d * (k - 1)) / s, before / s, 1 / s)
            for k, s, d, (before, _) in zip(
                windows.kernel, windows.stride, windows.dilation, windows.padding, strict=True
            )
        )

    def windows(self, x: TensorType) -> Windows:
        """The windows that the columns of an input of type ``x`` are."""
        if x.rank != 3:
            raise ShapeError(f"fold needs an input (N, C * kernel elements, windows), has {x}")
        image = x.with_shape((x.shape[0], 1, *per_dimension(self.kind, "size", self.size, 2)))
        return Windows(self.kind, image, self.kernel, self.stride, self.padding, self.dilation)
