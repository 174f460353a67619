"""Pools in one to three spatial dimensions: sliding, global, adaptive, fractional; unpooling.

Padding is never added or compared: a window costs what the input elements under it cost.
"""

from __future__ import annotations

from math import gcd, isfinite, prod
from typing import ClassVar, Literal

from archcost.ir.arguments import Fraction, Number, Padding, Rounding, Size
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Reach, Saved, operator
from archcost.ir.ops.windows import Windows, floor_sum, pairs, per_dimension, spatial_rank, whole
from archcost.ir.types import TensorType, Work, bytes_for


@operator
class _Sliding(Op):
    """A pool whose windows slide over each channel: (N, C, in...) -> (N, C, windows...)."""

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        raise NotImplementedError(f"{type(self).__name__}.windows")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        out = self.windows(x).out
        return (x.with_shape((*x.shape[:2], *out)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self.windows(inputs[0]).reach()

    def _covered(self, x: TensorType) -> int:
        """Input elements under all windows of all channels."""
        return x.shape[0] * x.channels * self.windows(x).covered()

    def _joined(self, x: TensorType) -> int:
        """Operations of two operands that reduce every window to one number: covered elements
        less one for each window. A window wholly in the padding has nothing to reduce."""
        windows = self.windows(x)
        return x.shape[0] * x.channels * (windows.covered() - _occupied(windows))


@operator
class MaxPool(_Sliding):
    """The largest element of each window: (N, C, in...) -> (N, C, windows...).

    ``stride`` defaults to ``kernel``. ``indices`` gives a second output of the same shape: where
    in its channel each maximum lay (int64), which :class:`MaxUnpool` takes.
    """

    kind: ClassVar[str] = "max_pool"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    kernel: Size
    stride: Size | None = None
    padding: Padding = 0
    dilation: Size = 1
    rounding: Rounding = "floor"
    indices: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (y,) = super().infer(inputs)
        return (y, TensorType(y.shape, "int64")) if self.indices else (y,)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(cmp=self._joined(inputs[0]))

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # The indices are kept either way; as an output they are no tensor besides.
        return Saved(inputs=True, outputs=(1,)) if self.indices else _argmax_saved(outputs[0])

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        return Windows(
            self.kind,
            x,
            self.kernel,
            self.kernel if self.stride is None else self.stride,
            self.padding,
            self.dilation,
            self.rounding,
        )


@operator
class AvgPool(_Sliding):
    """The mean of each window: (N, C, in...) -> (N, C, windows...).

    ``stride`` defaults to ``kernel``. ``count_padding`` says whether the divisor counts the
    padding under a window, as PyTorch's and Caffe's defaults do; the cost is the same.
    """

    kind: ClassVar[str] = "avg_pool"
    # The gradient needs only its size, but PyTorch's avg_pool keeps the input itself.
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    kernel: Size
    stride: Size | None = None
    padding: Padding = 0
    rounding: Rounding = "floor"
    count_padding: bool = True

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(add=self._joined(inputs[0]), div=outputs[0].numel)

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        stride = self.kernel if self.stride is None else self.stride
        return Windows(self.kind, x, self.kernel, stride, self.padding, rounding=self.rounding)


@operator
class SumPool(_Sliding):
    """The sum of each window: (N, C, in...) -> (N, C, windows...).

    LeNet-5's S layers sum four inputs (LeCun et al. 1998, section II.B) and then scale and shift
    each channel. ``stride`` defaults to ``kernel``.
    """

    kind: ClassVar[str] = "sum_pool"
    # PyTorch has it as avg_pool with divisor_override=1, which keeps the input.
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    kernel: Size
    stride: Size | None = None
    padding: Padding = 0
    rounding: Rounding = "floor"

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(add=self._joined(inputs[0]))

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        stride = self.kernel if self.stride is None else self.stride
        return Windows(self.kind, x, self.kernel, stride, self.padding, rounding=self.rounding)


@operator
class LpPool(_Sliding):
    """The Lp norm of each window, ``(sum |x|^p)^(1/p)``: (N, C, in...) -> (N, C, windows...).

    ``norm`` is p, above 0. ``stride`` defaults to ``kernel``. Absolute values are sign bits
    cleared and are not counted. p = 2 squares by a multiplication and takes a square root; p = 1
    only adds; any other p is one ``pow`` for every covered element and one for every output.
    """

    kind: ClassVar[str] = "lp_pool"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    norm: Number
    kernel: Size
    stride: Size | None = None
    rounding: Rounding = "floor"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.norm > 0 and isfinite(self.norm)):
            raise ArgumentError("norm", f"expected a finite number > 0, found {self.norm}")

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,), (y,) = inputs, outputs
        covered, add = self._covered(x), self._joined(x)
        if self.norm == 1:
            return Work(add=add)
        if self.norm == 2:
            return Work(mul=covered, add=add, sqrt=y.numel)
        return Work(pow=covered + y.numel, add=add)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # PyTorch composes it: x^p is kept by its average pool, then the means, their signs, their
        # rectified absolute values and the rescaled sums are kept by the steps to the root.
        (x,), (y,) = inputs, outputs
        return Saved(inputs=True, extra=x.nbytes + 4 * y.nbytes)

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        stride = self.kernel if self.stride is None else self.stride
        return Windows(self.kind, x, self.kernel, stride, 0, rounding=self.rounding)


@operator
class GlobalPool(Op):
    """The maximum or mean of each channel: (N, C, in...) -> (N, C, 1...).

    ``kind`` is ``global_max_pool`` or ``global_avg_pool``, by ``mode``.
    """

    named_by: ClassVar[str | None] = "mode"

    mode: Literal["max", "avg"]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kind", f"global_{self.mode}_pool")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        return (x.with_shape((*x.shape[:2], *(1,) * spatial_rank(self.kind, x))),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,), (y,) = inputs, outputs
        return _reduction(self.mode, x.numel, y.numel)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        return whole(inputs[0])

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # The gradient of a mean needs only the input's size.
        return _argmax_saved(outputs[0]) if self.mode == "max" else Saved()


@operator
class AdaptivePool(Op):
    """The maximum or mean of ``size`` bins that cover the input: (N, C, in...) -> (N, C, size...).

    Bin i reaches from floor(i * in / out) up to, not including, ceil((i + 1) * in / out), as in
    PyTorch: where ``out`` does not divide ``in``, bins overlap and differ by one in length.
    ``kind`` is ``adaptive_max_pool`` or ``adaptive_avg_pool``, by ``mode``.
    """

    named_by: ClassVar[str | None] = "mode"

    mode: Literal["max", "avg"]
    size: Size

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kind", f"adaptive_{self.mode}_pool")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        size = per_dimension(self.kind, "size", self.size, spatial_rank(self.kind, x))
        return (x.with_shape((*x.shape[:2], *size)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,), (y,) = inputs, outputs
        # Bins cover ``in`` elements, and one more at each of the out - 1 borders between them
        # that falls inside an element; gcd(in, out) - 1 borders fall between two.
        covered = (
            x.shape[0]
            * x.channels
            * prod(n + m - gcd(n, m) for n, m in zip(x.spatial, y.spatial, strict=True))
        )
        return _reduction(self.mode, covered, y.numel)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        """Exact where ``out`` divides ``in``; else the widest bin, at the mean stride in / out."""
        return tuple(
            Reach(0, n // m - 1, n // m) if n % m == 0 else Reach(0, _widest(n, m) - 1, n / m)
            for n, m in zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        )

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        (y,) = outputs
        if self.mode == "max":
            return _argmax_saved(y)
        # PyTorch keeps the input, except for one bin: that is a plain mean.
        return Saved(inputs=any(size > 1 for size in y.spatial))


@operator
class FractionalMaxPool(Op):
    """Maxima of pseudo-random windows (Graham 2014): (N, C, in...) -> (N, C, out...).

    The output is ``size``, or ``int(in * ratio)`` in each dimension; exactly one of them is given.
    As torch.nn.FractionalMaxPool2d: every window has the whole ``kernel`` inside the input, the
    first begins at the input's front, the last ends at its back.
    """

    kind: ClassVar[str] = "fractional_max_pool"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    kernel: Size
    size: Size | None = None
    ratio: Fraction | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.size is None) == (self.ratio is None):
            found = "neither" if self.size is None else "both"
            raise ArgumentError("size", f"expected either size or ratio, found {found}")
        if self.ratio is not None and not 0 < self.ratio < 1:
            raise ArgumentError("ratio", f"expected a number between 0 and 1, found {self.ratio}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        rank = spatial_rank(self.kind, x)
        kernel = per_dimension(self.kind, "kernel", self.kernel, rank)
        if self.ratio is not None:
            size = tuple(int(n * self.ratio) for n in x.spatial)
        else:
            assert self.size is not None
            size = per_dimension(self.kind, "size", self.size, rank)
        for n, k, m in zip(x.spatial, kernel, size, strict=True):
            if m + k - 1 > n:
                raise ShapeError(
                    f"fractional_max_pool with a window of {k} to an output of {m} needs an input "
                    f"of at least {m + k - 1}, has {n}"
                )
        return (x.with_shape((*x.shape[:2], *size)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,), (y,) = inputs, outputs
        kernel = per_dimension(self.kind, "kernel", self.kernel, x.rank - 2)
        return Work(cmp=y.numel * (prod(kernel) - 1))

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        """Windows at the mean stride, (in - kernel) / (out - 1); real ones lie within 1 of it."""
        (x,), (y,) = inputs, outputs
        kernel = per_dimension(self.kind, "kernel", self.kernel, x.rank - 2)
        # A single window is the last one, at the input's back.
        return tuple(
            Reach(0, k - 1, (n - k) / (m - 1)) if m > 1 else Reach(n - k, n - 1, n)
            for n, k, m in zip(x.spatial, kernel, y.spatial, strict=True)
        )

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return _argmax_saved(outputs[0])


@operator
class MaxUnpool(Op):
    """Puts each element back where its maximum lay, zeros elsewhere.

    Inputs: (N, C, in...) and the int64 indices, of the same shape, that :class:`MaxPool` gave.
    Output (N, C, out...): ``(in - 1) * stride - padding + kernel`` in each dimension, ``padding``
    being the sum of both sides, or ``size``, which may differ from that by less than a stride.
    With padding ``same`` the output is ``in * stride``. ``stride`` defaults to ``kernel``.

    Elements only move: no work.
    """

    kind: ClassVar[str] = "max_unpool"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    # The backward pass reads the indices alone, and the max_pool that gave them keeps them.
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "nothing"

    kernel: Size
    stride: Size | None = None
    padding: Padding = 0
    size: Size | None = None

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, indices = inputs
        kernel, stride, _ = self._geometry(x)
        if indices != TensorType(x.shape, "int64"):
            raise ShapeError(
                f"max_unpool needs int64 indices of its input's shape, {x}, has {indices}"
            )
        if self.padding == "same":
            out = tuple(n * s for n, s in zip(x.spatial, stride, strict=True))
        else:
            out = tuple(
                (n - 1) * s - sum(pad) + k
                for n, k, s, pad in zip(
                    x.spatial,
                    kernel,
                    stride,
                    pairs(self.kind, self.padding, x.rank - 2),
                    strict=True,
                )
            )
        if self.size is not None:
            size = per_dimension(self.kind, "size", self.size, x.rank - 2)
            for given, usual, s in zip(size, out, stride, strict=True):
                if abs(given - usual) >= s:
                    raise ShapeError(
                        f"max_unpool needs a size above {usual - s} and below {usual + s}, "
                        f"has {given}"
                    )
            out = size
        return (x.with_shape((*x.shape[:2], *out)),)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        # Output u lies in window i where i * stride - before + j = u, 0 <= j < kernel.
        kernel, stride, fronts = self._geometry(inputs[0])
        return tuple(
            Reach((before - (k - 1)) / s, before / s, 1 / s)
            for k, s, before in zip(kernel, stride, fronts, strict=True)
        )

    def _geometry(self, x: TensorType) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Kernel, stride and front padding for each dimension."""
        rank = spatial_rank(self.kind, x)
        kernel = per_dimension(self.kind, "kernel", self.kernel, rank)
        stride = (
            kernel if self.stride is None else per_dimension(self.kind, "stride", self.stride, rank)
        )
        fronts = (
            tuple(max(0, k - s) // 2 for k, s in zip(kernel, stride, strict=True))
            if self.padding == "same"
            else tuple(before for before, _ in pairs(self.kind, self.padding, rank))
        )
        return kernel, stride, fronts


def _reduction(mode: Literal["max", "avg"], covered: int, outputs: int) -> Work:
    """``outputs`` maxima or means of ``covered`` elements in all, each of at least one."""
    if mode == "max":
        return Work(cmp=covered - outputs)
    return Work(add=covered - outputs, div=outputs)


def _argmax_saved(y: TensorType) -> Saved:
    # PyTorch keeps the input and, for each output, the int64 index of the maximum.
    return Saved(inputs=True, extra=bytes_for(y.numel, "int64"))


def _widest(n: int, m: int) -> int:
    """Length of the longest of ``m`` adaptive bins over ``n`` elements.

    Bin i has ceil((r + n) / m) elements with r = i * n mod m, whose maximum is m - gcd(n, m).
    """
    return -(-(n + m - gcd(n, m)) // m)


def _occupied(windows: Windows) -> int:
    """Windows of one channel with at least one input element under them.

    All, but for padding as long as the window, or dilation beyond the input's size.
    """
    total = 1
    for n, k, s, d, (before, _), count in zip(
        windows.sizes,
        windows.kernel,
        windows.stride,
        windows.dilation,
        windows.padding,
        windows.out,
        strict=True,
    ):
        # Window u begins at u * s - before and ends at u * s - before + d * (k - 1).
        past = min(count, max(0, -(-(n + before) // s)))  # first one that begins behind the input
        first = min(past, max(0, -(-(before - d * (k - 1)) // s)))  # first that ends at 0 or later
        if n >= d:
            total *= past - first
            continue
        # Steps of d can jump over the input: a window that begins in the front padding meets it
        # only where (u * s - before) mod d < n.
        inside = max(first, min(past, -(-before // s)))  # first one that begins in the input
        start = first * s - before
        hits = floor_sum(inside - first, s, start, d) - floor_sum(inside - first, s, start - n, d)
        total *= past - inside + hits
    return total
