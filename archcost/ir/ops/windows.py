"""Sliding windows: the size arithmetic that convolutions and pools share."""

from __future__ import annotations

from archcost.ir.arguments import Padding, Rounding, Size
from archcost.ir.errors import ShapeError
from archcost.ir.op import Reach
from archcost.ir.types import TensorType


def spatial_rank(kind: str, type_: TensorType) -> int:
    """Number of spatial dimensions of (N, C, ...). Raises ShapeError unless 1 to 3."""
    rank = type_.rank - 2
    if not 1 <= rank <= 3:
        raise ShapeError(f"{kind} needs an input (N, C, then 1 to 3 spatial sizes)")
    return rank


def per_dimension(kind: str, what: str, value: Size, rank: int) -> tuple[int, ...]:
    """``value`` for each of ``rank`` dimensions. Raises ShapeError where it has another number."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        raise ShapeError(
            f"{kind} has a {what} for {len(value)} dimensions {value}, its input has {rank}"
        )
    return value


class Windows:
    """The windows that slide over the spatial dimensions of one input.

    Attributes, one entry a spatial dimension: ``kernel``, ``stride``, ``dilation``,
    ``padding`` (before, after) and ``out``, the number of window positions:
    ``(in + before + after - dilation * (kernel - 1) - 1) / stride + 1``, rounded as asked.
    A window that would begin behind the input and its front padding is dropped, as in PyTorch;
    Caffe drops it only where there is padding.
    """

    __slots__ = ("dilation", "kernel", "out", "padding", "sizes", "stride")

    def __init__(
        self,
        kind: str,
        type_: TensorType,
        kernel: Size,
        stride: Size,
        padding: Padding,
        dilation: Size = 1,
        rounding: Rounding = "floor",
    ) -> None:
        rank = spatial_rank(kind, type_)
        self.sizes = type_.spatial
        self.kernel = per_dimension(kind, "kernel", kernel, rank)
        self.stride = per_dimension(kind, "stride", stride, rank)
        self.dilation = per_dimension(kind, "dilation", dilation, rank)
        extents = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        if padding == "same":
            self.out = tuple(-(-n // s) for n, s in zip(self.sizes, self.stride, strict=True))
            pads = [
                max(0, (count - 1) * s + extent - n)
                for count, s, extent, n in zip(
                    self.out, self.stride, extents, self.sizes, strict=True
                )
            ]
            self.padding = tuple((pad // 2, pad - pad // 2) for pad in pads)
            return
        self.padding = pairs(kind, padding, rank)
        out = []
        for n, (before, after), extent, s in zip(
            self.sizes, self.padding, extents, self.stride, strict=True
        ):
            room = n + before + after - extent
            # Rounding up, one window may hang over the end even if it is the only one.
            if room < 0 and (rounding == "floor" or room <= -s):
                raise ShapeError(
                    f"{kind} has a window of {extent}, larger than the padded input of "
                    f"{n + before + after}"
                )
            count = room // s + 1
            if rounding == "ceil" and room % s and count * s < n + before:
                count += 1
            out.append(count)
        self.out = tuple(out)

    def sides(self) -> list[tuple[int, int]]:
        """Padding (before, after) under which no window hangs over the end.

        It is more than ``padding`` behind where the number of windows was rounded up.
        """
        sides = []
        for dim, (before, after) in enumerate(self.padding):
            extent = self.dilation[dim] * (self.kernel[dim] - 1) + 1
            end = (self.out[dim] - 1) * self.stride[dim] + extent
            sides.append((before, max(after, end - self.sizes[dim] - before)))
        return sides

    def covered(self) -> int:
        """Input elements read by all windows of one channel together, padding left out."""
        total = 1
        for n, k, s, d, (before, _), count in zip(
            self.sizes, self.kernel, self.stride, self.dilation, self.padding, self.out, strict=True
        ):
            last = (count - 1) * s - before + d * (k - 1)
            if before == 0 and last < n:
                total *= k * count
            else:
                ends = (before, before + n)
                front, all_ = (_elements_before(end, count, k, s, d) for end in ends)
                total *= all_ - front
        return total

    def reach(self) -> tuple[Reach, ...] | None:
        """What each output position reads, one entry a dimension; None: just its own place."""
        if set(self.kernel) == set(self.stride) == {1} and not any(map(any, self.padding)):
            return None
        return tuple(
            Reach(-before, d * (k - 1) - before, s)
            for k, s, d, (before, _) in zip(
                self.kernel, self.stride, self.dilation, self.padding, strict=True
            )
        )


def pairs(kind: str, padding: Padding, rank: int) -> tuple[tuple[int, int], ...]:
    """Explicit padding as (before, after) for each of ``rank`` dimensions."""
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    if len(padding) != rank:
        raise ShapeError(f"{kind} has padding for {len(padding)} dimensions, its input has {rank}")
    return tuple(
        (side, side) if isinstance(side, int) else (side[0], side[1])
        for side in padding
        if not isinstance(side, str)
    )


def whole(type_: TensorType) -> tuple[Reach, ...]:
    """The reach of an operator that reads every position of each spatial dimension."""
    return tuple(Reach(0, size - 1, size) for size in type_.spatial)


def _elements_before(end: int, count: int, k: int, s: int, d: int) -> int:
    """Pairs of u < ``count`` and j < ``k`` with u * s + j * d < ``end``, without a loop over them:
    a spec can ask for billions."""
    whole_ = min(count, max(0, (end - 1 - d * (k - 1)) // s + 1))  # windows wholly before it
    partly = min(count, max(0, (end - 1) // s + 1))
    rest = partly - whole_
    return whole_ * k + rest + floor_sum(rest, s, end - 1 - (partly - 1) * s, d)


def floor_sum(count: int, step: int, start: int, divisor: int) -> int:
    """``sum((start + i * step) // divisor for i in range(count))`` in logarithmic time.

    Euclid's algorithm on the lattice points under the line.
    """
    total = 0
    while count > 0:
        total += count * (count - 1) // 2 * (step // divisor) + count * (start // divisor)
        step, start = step % divisor, start % divisor
        count, start = divmod(step * count + start, divisor)
        step, divisor = divisor, step
    return total
