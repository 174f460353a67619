"""Operators that move elements and compute nothing, upsampling excepted.

Those whose ``view`` is true hand on their input's storage; the others copy.
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import ClassVar, Literal

from archcost.ir.arguments import (
    MOST_PARTS,
    Count,
    Dim,
    Index,
    Ints,
    Offset,
    Padding,
    Parts,
    Size,
)
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Reach, operator
from archcost.ir.ops.dimensions import along, dimension
from archcost.ir.ops.interpolation import interpolated
from archcost.ir.ops.windows import pairs, per_dimension, spatial_rank, whole
from archcost.ir.types import Shape, TensorType, Work, shape_text


@operator
class Identity(Op):
    """y = x, for a tensor of any shape: a name for a place in the network."""

    kind: ClassVar[str] = "identity"
    computes: ClassVar[bool] = False
    view: ClassVar[bool] = True

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return inputs


@operator
class Pad(Op):
    """(N, C, spatial...) with elements added around: out = before + in + after in each dimension.

    ``channels`` adds constant channels too, (before, after): how a parameter-free shortcut widens.
    ``mode`` says what they are: one constant, the input mirrored at its edge (which is not
    repeated), or the edge repeated. PyTorch keeps the input for the backward pass of the latter
    two.
    """

    kind: ClassVar[str] = "pad"
    computes: ClassVar[bool] = False

    padding: Padding = 0
    channels: Ints | None = None
    mode: Literal["constant", "reflect", "replicate"] = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels is not None and (len(self.channels) != 2 or min(self.channels) < 0):
            raise ArgumentError("channels", "expected two integers >= 0, (before, after)")
        if self.padding == "same":
            raise ArgumentError("padding", "expected explicit numbers, found 'same'")
        if self.mode != "constant":
            object.__setattr__(self, "keeps", "inputs")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        sides = self._sides(x)
        if self.mode == "reflect":
            for size, side in zip(x.spatial, sides, strict=True):
                if max(side) >= size:
                    raise ShapeError(
                        f"pad by reflection needs an input larger than the padding, has a size "
                        f"of {size} and {max(side)} to add"
                    )
        out = (sum(side) + size for size, side in zip(x.spatial, sides, strict=True))
        return (x.with_shape((x.shape[0], x.channels + sum(self.channels or ()), *out)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        # The added elements that come of the input's edge are left out of account.
        return tuple(Reach(-before, -before, 1) for before, _ in self._sides(inputs[0]))

    def _sides(self, x: TensorType) -> tuple[tuple[int, int], ...]:
        return pairs(self.kind, self.padding, spatial_rank(self.kind, x))


@operator
class Crop(Op):
    """(N, C, spatial...) -> the part of ``size`` that begins at ``offset`` in each dimension.

    A second input, in place of ``size``, is one whose spatial sizes are taken: the crop of Caffe
    and of U-Net. Without an offset the part is the middle, (in - size) // 2 elements from the
    front.
    """

    kind: ClassVar[str] = "crop"
    computes: ClassVar[bool] = False
    arity: ClassVar[tuple[int, int | None]] = (1, 2)
    view: ClassVar[bool] = True

    size: Size | None = None
    offset: Offset | None = None

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x = inputs[0]
        sizes = self._sizes(inputs)
        for n, size, offset in zip(x.spatial, sizes, self._offsets(x, sizes), strict=True):
            if size > n or offset + size > n:
                raise ShapeError(
                    f"crop to a size of {size} from position {max(offset, 0)} needs an input at "
                    f"least as large, has {n}"
                )
        return (x.with_shape((*x.shape[:2], *sizes)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        offsets = self._offsets(inputs[0], outputs[0].spatial)
        return tuple(Reach(offset, offset, 1) for offset in offsets)

    def _sizes(self, inputs: tuple[TensorType, ...]) -> Shape:
        rank = spatial_rank(self.kind, inputs[0])
        if (self.size is None) == (len(inputs) == 1):
            raise ShapeError("crop needs either a size or a second input to take it from")
        if self.size is not None:
            return per_dimension(self.kind, "size", self.size, rank)
        if inputs[1].rank != inputs[0].rank:
            raise ShapeError("crop needs a second input with as many dimensions as the first")
        return inputs[1].spatial

    def _offsets(self, x: TensorType, sizes: Shape) -> tuple[int, ...]:
        if self.offset is None:
            return tuple((n - size) // 2 for n, size in zip(x.spatial, sizes, strict=True))
        return per_dimension(self.kind, "offset", self.offset, x.rank - 2)


@operator
class Upsample(Op):
    """(N, C, spatial...) -> the same in ``scale`` times the size, or in ``size``.

    ``bilinear`` interpolates linearly in each spatial dimension, one to three of them, ``bicubic``
    by cubic polynomials. They put the pixels' outer edges on each other or, with
    ``align_corners``, the middles of the outermost pixels. ``antialias`` widens the interpolation
    by as much as a smaller ``size`` shrinks the input.
    """

    kind: ClassVar[str] = "upsample"

    scale: Size | None = None
    size: Size | None = None
    mode: Literal["nearest", "bilinear", "bicubic"] = "nearest"
    align_corners: bool = False
    antialias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.scale is None) == (self.size is None):
            raise ArgumentError("scale", "expected either this or size")
        if self.mode == "nearest":
            for name in ("align_corners", "antialias"):
                if getattr(self, name):
                    raise ArgumentError(name, "nearest has none")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        rank = spatial_rank(self.kind, x)
        if self.size is not None:
            out = per_dimension(self.kind, "size", self.size, rank)
        else:
            assert self.scale is not None
            scale = per_dimension(self.kind, "scale", self.scale, rank)
            out = tuple(n * s for n, s in zip(x.spatial, scale, strict=True))
        return (x.with_shape((*x.shape[:2], *out)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # Where the neighbours are and their weights depend on one coordinate alone and are left
        # out.
        (x,), (y,) = inputs, outputs
        if self.antialias:
            return self._filtered(x, y)
        return interpolated(self.mode, len(y.spatial)).times(y.numel)

    def _filtered(self, x: TensorType, y: TensorType) -> Work:
        """Weighted sums over a whole window each, of which the borders cut something off, one
        dimension after the other, the last one first."""
        total, shape = Work(), list(x.shape)
        for dim in reversed(range(2, x.rank)):
            n, shape[dim] = shape[dim], y.shape[dim]
            taps = -(-2 * self._neighbours * max(n, shape[dim]) // shape[dim])
            total += Work(mul=taps, add=taps - 1).times(prod(shape))
        return total

    @property
    def _neighbours(self) -> int:
        """Input elements that an interpolation reads on either side."""
        return {"bilinear": 1, "bicubic": 2}[self.mode]

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        sizes = zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        return tuple(self._reach(n, out) for n, out in sizes)

    def _reach(self, n: int, out: int) -> Reach:
        from fractions import Fraction  # imports decimal, which few networks need

        if self.align_corners:
            # Output u lies at u * (n - 1) / (out - 1), one alone at 0.
            ratio = Fraction(n - 1, max(1, out - 1)) or Fraction(n, out)
            side = self._neighbours - Fraction(1, ratio.denominator)
            return Reach(float(-side), float(side), float(ratio))
        ratio = Fraction(n, out)
        p, q = ratio.as_integer_ratio()
        if self.mode == "nearest":
            # Output u reads floor(u * p / q), which lies less than 1 before it, in steps of 1/q.
            return Reach(-(q - 1) / q, 0, float(ratio))
        # Output u lies at (u + 1/2) * p / q - 1/2 and reads what lies less than 1 from there, or
        # 2, or with a filter as many times p / q. The distance is a multiple of 1/q where p and q
        # are odd, and an odd one of 1/2q elsewhere.
        step = Fraction(1, q if p % 2 and q % 2 else 2 * q)
        wider = max(Fraction(1), ratio) if self.antialias else 1
        side = self._neighbours * wider - step
        at = (ratio - 1) / 2
        return Reach(float(at - side), float(at + side), float(ratio))


@operator
class Reshape(Op):
    """(N, ...) -> (N, *shape), with the same elements in the same order.

    ``shape`` says what follows the batch. One of its sizes may be -1: what remains; 0 copies the
    input's size at that place.
    """

    kind: ClassVar[str] = "reshape"
    computes: ClassVar[bool] = False
    view: ClassVar[bool] = True

    shape: Ints

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(size < -1 for size in self.shape) or self.shape.count(-1) > 1:
            raise ArgumentError(
                "shape",
                f"expected sizes >= 1, 0 to copy, and at most one -1, found {list(self.shape)}",
            )

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if any(not size and place >= x.rank for place, size in enumerate(self.shape, 1)):
            raise ShapeError("reshape copies (0) a dimension that its input does not have")
        sizes = [size or x.shape[place] for place, size in enumerate(self.shape, 1)]
        total, known = prod(x.shape[1:]), prod(size for size in sizes if size != -1)
        if total % known or (-1 not in sizes and total != known):
            raise ShapeError(
                f"reshape needs the same elements in a sample: {shape_text(x.shape[1:])} has "
                f"{total}, {list(self.shape)} has {'a multiple of ' if -1 in sizes else ''}{known}"
            )
        rest = (total // known if size == -1 else size for size in sizes)
        return (x.with_shape((x.shape[0], *rest)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return flattened(inputs[0], outputs[0])


@operator
class Flatten(Op):
    """The dimensions from ``start`` to ``end``, both included, as one."""

    kind: ClassVar[str] = "flatten"
    computes: ClassVar[bool] = False
    view: ClassVar[bool] = True

    start: Dim = 1
    end: Dim = -1

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        start = dimension(self.kind, self.start, x)
        end = dimension(self.kind, self.end, x)
        if start > end:
            raise ShapeError(
                f"flatten needs its first dimension before its last, has {start} and {end}"
            )
        merged = prod(x.shape[start : end + 1])
        return (x.with_shape((*x.shape[:start], merged, *x.shape[end + 1 :])),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return flattened(inputs[0], outputs[0])


@operator
class Permute(Op):
    """The dimensions in another order: dimension i of the output is ``dims[i]`` of the input.

    A view, as is a reshape behind it, though PyTorch has to copy for some of these.
    """

    kind: ClassVar[str] = "permute"
    computes: ClassVar[bool] = False
    view: ClassVar[bool] = True

    dims: Ints

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dims = [dimension(self.kind, dim, x) for dim in self.dims]
        if sorted(dims) != list(range(x.rank)):
            raise ShapeError(
                f"permute needs each of its input's {x.rank} dimensions once, has {list(self.dims)}"
            )
        return (x.with_shape(tuple(x.shape[dim] for dim in dims)),)


@operator
class Slice(Op):
    """Every ``step``-th position of dimension ``dim`` from ``start`` up to, without, ``stop``.

    As in a Python slice, negative positions count from the end, and those beyond it are moved to
    it; a ``stop`` of None is the end.
    """

    kind: ClassVar[str] = "slice"
    computes: ClassVar[bool] = False
    view: ClassVar[bool] = True

    dim: Dim
    start: Index = 0
    stop: Index | None = None
    step: Count = 1

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        size = len(range(*slice(self.start, self.stop, self.step).indices(x.shape[dim])))
        if not size:
            raise ShapeError(
                f"slice from {self.start} to {'the end' if self.stop is None else self.stop} "
                f"leaves nothing of a dimension of {x.shape[dim]}"
            )
        return (x.with_shape((*x.shape[:dim], size, *x.shape[dim + 1 :])),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        start, _, _ = slice(self.start, self.stop, self.step).indices(x.shape[dim])
        return along(x, dim, Reach(start, start, self.step))


@operator
class Split(Op):
    """Dimension ``dim`` cut into outputs of ``sizes``, or into ``parts`` equal ones."""

    kind: ClassVar[str] = "split"
    computes: ClassVar[bool] = False
    view: ClassVar[bool] = True

    sizes: Parts | None = None
    parts: Count | None = None
    dim: Dim = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.sizes is None) == (self.parts is None):
            raise ArgumentError("sizes", "expected either this or parts")
        if self.parts is not None and self.parts > MOST_PARTS:
            raise ArgumentError("parts", f"expected at most {MOST_PARTS}, found {self.parts}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        dim = dimension(self.kind, self.dim, x)
        n = x.shape[dim]
        if self.parts is not None:
            if n % self.parts:
                raise ShapeError(
                    f"split into {self.parts} parts needs a size divisible by it, has {n}"
                )
            sizes = (n // self.parts,) * self.parts
        else:
            assert self.sizes is not None
            sizes = self.sizes
            if sum(sizes) != n:
                raise ShapeError(f"split into {list(sizes)} needs a size of {sum(sizes)}, has {n}")
        head, tail = x.shape[:dim], x.shape[dim + 1 :]
        return tuple(x.with_shape((*head, size, *tail)) for size in sizes)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        # One reach for all outputs: the first begins at 0, the last the farthest behind.
        dim = dimension(self.kind, self.dim, inputs[0])
        last = inputs[0].shape[dim] - outputs[-1].shape[dim]
        return along(inputs[0], dim, Reach(0, last, 1))


@operator
class ChannelShuffle(Op):
    """(N, groups * k, ...), its channels read as ``groups`` rows of k and written column by column.

    ShuffleNet's; a copy.
    """

    kind: ClassVar[str] = "channel_shuffle"
    computes: ClassVar[bool] = False

    groups: Count

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError("channel_shuffle needs an input (N, C, ...)")
        if x.channels % self.groups:
            raise ShapeError(
                f"channel_shuffle of {self.groups} groups needs channels divisible by it, has "
                f"{x.channels}"
            )
        return inputs


@operator
class PixelShuffle(Op):
    """(N, C * r^d, spatial...) -> (N, C, r * spatial...) for d spatial dimensions, r = ``factor``.

    ``inverse`` goes the other way (space to depth). PyTorch has it for d = 2. A copy.
    """

    kind: ClassVar[str] = "pixel_shuffle"
    computes: ClassVar[bool] = False

    factor: Count
    inverse: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        rank = spatial_rank(self.kind, x)
        block = self.factor**rank
        if self.inverse:
            if any(size % self.factor for size in x.spatial):
                raise ShapeError(
                    f"pixel_shuffle backwards by {self.factor} needs spatial sizes divisible by "
                    f"it, has {shape_text(x.spatial)}"
                )
            sizes = (size // self.factor for size in x.spatial)
            return (x.with_shape((x.shape[0], x.channels * block, *sizes)),)
        if x.channels % block:
            raise ShapeError(
                f"pixel_shuffle by {self.factor} needs channels divisible by {block}, has "
                f"{x.channels}"
            )
        sizes = (size * self.factor for size in x.spatial)
        return (x.with_shape((x.shape[0], x.channels // block, *sizes)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        r = self.factor
        one = Reach(0, r - 1, r) if self.inverse else Reach(-(r - 1) / r, 0, 1 / r)
        return (one,) * len(inputs[0].spatial)


def flattened(x: TensorType, y: TensorType) -> tuple[Reach, ...] | None:
    """The reach of a reshape of ``x`` to ``y``: each position its own place, or all of them.

    Positions survive where dimensions of y behind its channels, up to the last, are as many
    elements as x has positions: (N, C, H, W) -> (N, C, H * W) or -> (N, G, C / G, H, W). Those of
    the last dimensions survive where the others become features: (N, C, D, H, W) -> (N, C * D, H,
    W). Elsewhere they have all become features, and what reads these reads every position.
    """
    if x.rank <= 2:
        return None
    tails = accumulate(reversed(y.shape[2:]), int.__mul__, initial=1)
    if prod(x.spatial) in tails:
        return None
    every = whole(x)
    kept = y.rank - 2
    if 0 < kept < len(every) and x.spatial[-kept:] == y.spatial:
        return (*every[:-kept], *[Reach(0, 0, 1)] * kept)
    return every
