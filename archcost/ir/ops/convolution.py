"""Convolutions in one to three spatial dimensions, and their transposes."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import ClassVar, Literal

from archcost.ir.arguments import Count, Offset, Padding, Rounding, Size, Table
from archcost.ir.errors import ShapeError
from archcost.ir.op import Op, Reach, Saved, operator
from archcost.ir.ops.dimensions import same_dtype
from archcost.ir.ops.interpolation import interpolated
from archcost.ir.ops.windows import Windows, pairs, per_dimension, spatial_rank
from archcost.ir.types import ParameterSpec, TensorType, Work, shape_text


@operator
class Conv(Op):
    """Convolution over (N, C, spatial...) with ``out`` output channels.

    ``groups`` splits input and output channels into as many independent convolutions.
    ``connections`` replaces the full connection of channels by a
    table: one row an output channel, naming the input channels it sees (LeNet-5's C3).
    """

    kind: ClassVar[str] = "conv"
    weighted: ClassVar[bool] = True
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    out: Count
    kernel: Size = 1
    stride: Size = 1
    padding: Padding = 0
    dilation: Size = 1
    groups: Count = 1
    bias: bool = True
    rounding: Rounding = "floor"
    connections: Table | None = None

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        windows = self.windows(x)
        if x.channels % self.groups or self.out % self.groups:
            raise ShapeError(
                f"conv in {self.groups} groups needs input and output channels divisible by it, "
                f"has {x.channels} and {self.out}"
            )
        if self.connections is not None:
            if len(self.connections) != self.out or self.groups != 1:
                raise ShapeError(
                    f"conv's connection table has {len(self.connections)} rows; it needs one for "
                    f"each of {self.out} output channels, and no groups"
                )
            if any(len(set(row)) < len(row) for row in self.connections):
                raise ShapeError("conv's connection table names a channel twice in one row")
            if max(map(max, self.connections)) >= x.channels:
                raise ShapeError(
                    f"conv's connection table names channel {max(map(max, self.connections))} "
                    f"of an input with {x.channels} (counted from 0)"
                )
        return (x.with_shape((x.shape[0], self.out, *windows.out)),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        (x,) = inputs
        kernel = self._kernel(x)
        if self.connections is None:
            weight = (self.out, x.channels // self.groups, *kernel)
        else:
            weight = (sum(map(len, self.connections)), *kernel)
        specs = (ParameterSpec("weight", weight),)
        return (*specs, ParameterSpec("bias", (self.out,))) if self.bias else specs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # Positions x (channel pairs x kernel): zeros of the padding are multiplied like any
        # other element, as every counter and library has it.
        (x,), (y,) = inputs, outputs
        links = (
            self.out * x.channels // self.groups
            if self.connections is None
            else sum(map(len, self.connections))
        )
        positions = y.shape[0] * prod(y.spatial)
        return Work(mac=positions * links * prod(self._kernel(x)), add=y.numel if self.bias else 0)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self.windows(inputs[0]).reach()

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        return Windows(
            self.kind, x, self.kernel, self.stride, self.padding, self.dilation, self.rounding
        )

    def _kernel(self, x: TensorType) -> tuple[int, ...]:
        return per_dimension(self.kind, "kernel", self.kernel, x.rank - 2)


@operator
class DepthwiseConv(Op):
    """Convolution of each channel with its own ``multiplier`` kernels: as many groups as channels.

    The same operator as :class:`Conv` with ``groups`` = channels, for networks that do not say
    how many channels reach it.
    """

    kind: ClassVar[str] = "depthwise_conv"
    weighted: ClassVar[bool] = True
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    kernel: Size = 3
    stride: Size = 1
    padding: Padding = 0
    dilation: Size = 1
    multiplier: Count = 1
    bias: bool = True
    rounding: Rounding = "floor"

    def grouped(self, x: TensorType) -> Conv:
        """The grouped convolution that this is on an input of type ``x``."""
        spatial_rank(self.kind, x)
        return Conv(
            out=x.channels * self.multiplier,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=x.channels,
            bias=self.bias,
            rounding=self.rounding,
        )

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        # Not by the grouped convolution, whose errors would name another operator.
        (x,) = inputs
        windows = Windows(
            self.kind, x, self.kernel, self.stride, self.padding, self.dilation, self.rounding
        )
        return (x.with_shape((x.shape[0], x.channels * self.multiplier, *windows.out)),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return self.grouped(inputs[0]).parameters(inputs)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return self.grouped(inputs[0]).work(inputs, outputs)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self.grouped(inputs[0]).reach(inputs, outputs)


@operator
class LocalConv(Op):
    """Locally connected layer: a convolution with weights and biases of its own at each position.

    (N, C, spatial...) -> (N, out, positions...); the weight is (positions..., out, C, kernel...),
    the bias (positions..., out). cuda-convnet's local layers, Keras' LocallyConnected.
    """

    kind: ClassVar[str] = "local_conv"
    weighted: ClassVar[bool] = True
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    out: Count
    kernel: Size = 1
    stride: Size = 1
    padding: Padding = 0
    bias: bool = True
    rounding: Rounding = "floor"

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        return (x.with_shape((x.shape[0], self.out, *self.windows(x).out)),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        (x,) = inputs
        windows = self.windows(x)
        specs = (ParameterSpec("weight", (*windows.out, self.out, x.channels, *windows.kernel)),)
        return (*specs, ParameterSpec("bias", (*windows.out, self.out))) if self.bias else specs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,), (y,) = inputs, outputs
        patch = x.channels * prod(self.windows(x).kernel)
        return Work(mac=y.numel * patch, add=y.numel if self.bias else 0)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self.windows(inputs[0]).reach()

    def windows(self, x: TensorType) -> Windows:
        """The windows over an input of type ``x``."""
        return Windows(self.kind, x, self.kernel, self.stride, self.padding, rounding=self.rounding)


@operator
class ConvTranspose(Op):
    """Transposed convolution: the gradient of :class:`Conv` with regard to its input.

    Output size: ``(in - 1) * stride - padding + dilation * (kernel - 1) + output_padding + 1``
    in each dimension, ``padding`` being the sum of both sides; with ``padding: same``,
    ``in * stride + output_padding``.
    """

    kind: ClassVar[str] = "conv_transpose"
    weighted: ClassVar[bool] = True
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    out: Count
    kernel: Size = 1
    stride: Size = 1
    padding: Padding = 0
    output_padding: Offset = 0
    dilation: Size = 1
    groups: Count = 1
    bias: bool = True

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        rank = spatial_rank(self.kind, x)
        if x.channels % self.groups or self.out % self.groups:
            raise ShapeError(
                f"conv_transpose in {self.groups} groups needs input and output channels "
                f"divisible by it, has {x.channels} and {self.out}"
            )
        kernel, stride, dilation = self._geometry(rank)
        extra = per_dimension(self.kind, "output_padding", self.output_padding, rank)
        for more, s, d in zip(extra, stride, dilation, strict=True):
            if more >= max(s, d):
                raise ShapeError(
                    f"conv_transpose with stride {s} and dilation {d} needs an output_padding "
                    f"below {max(s, d)}, has {more}"
                )
        if self.padding == "same":
            out = tuple(n * s + more for n, s, more in zip(x.spatial, stride, extra, strict=True))
        else:
            pads = pairs(self.kind, self.padding, rank)
            out = tuple(
                (n - 1) * s - sum(pad) + d * (k - 1) + 1 + more
                for n, k, s, d, pad, more in zip(
                    x.spatial, kernel, stride, dilation, pads, extra, strict=True
                )
            )
        return (x.with_shape((x.shape[0], self.out, *out)),)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        (x,) = inputs
        kernel, _, _ = self._geometry(x.rank - 2)
        specs = (ParameterSpec("weight", (x.channels, self.out // self.groups, *kernel)),)
        return (*specs, ParameterSpec("bias", (self.out,))) if self.bias else specs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # Every input element meets every weight that leads from its channel, once.
        (x,), (y,) = inputs, outputs
        kernel, _, _ = self._geometry(x.rank - 2)
        return Work(
            mac=x.numel * (self.out // self.groups) * prod(kernel),
            add=y.numel if self.bias else 0,
        )

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...]:
        # Output u takes from input i where i * stride - before + j * dilation = u, 0 <= j < k.
        rank = inputs[0].rank - 2
        kernel, stride, dilation = self._geometry(rank)
        return tuple(
            Reach((before - d * (k - 1)) / s, before / s, 1 / s)
            for k, s, d, before in zip(kernel, stride, dilation, self.fronts(rank), strict=True)
        )

    def fronts(self, rank: int) -> tuple[int, ...]:
        """Elements of the whole output that the padding takes away at its front."""
        if self.padding == "same":
            return tuple(
                max(0, d * (k - 1) + 1 - s) // 2
                for k, s, d in zip(*self._geometry(rank), strict=True)
            )
        return tuple(before for before, _ in pairs(self.kind, self.padding, rank))

    def _geometry(self, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return (
            per_dimension(self.kind, "kernel", self.kernel, rank),
            per_dimension(self.kind, "stride", self.stride, rank),
            per_dimension(self.kind, "dilation", self.dilation, rank),
        )


class _Dynamic(Op):
    """A convolution whose parameters are inputs, behind the first."""

    arity: ClassVar[tuple[int, int | None]] = (2, 3)
    weighted: ClassVar[bool] = True

    @property
    def stored(self) -> Conv | ConvTranspose:
        """The convolution that this is with weights of its own."""
        raise NotImplementedError(f"{type(self).__name__}.stored")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, *given = inputs
        outputs = self.stored.infer((x,))
        same_dtype(self.kind, inputs)
        wanted = self.stored.parameters((x,))
        if len(given) != len(wanted):
            raise ShapeError(
                f"{self.kind} needs a weight and {'a' if self.stored.bias else 'no'} bias behind "
                f"its input, has {len(given)} inputs there"
            )
        for value, spec in zip(given, wanted, strict=True):
            if value.shape != spec.shape:
                raise ShapeError(
                    f"{self.kind} needs a {spec.name} of {shape_text(spec.shape)}, has "
                    f"{shape_text(value.shape)}"
                )
        return outputs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return self.stored.work(inputs[:1], outputs)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self.stored.reach(inputs[:1], outputs)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(inputs=(0, 1))  # the bias's gradient needs nothing


@operator
class DynamicConv(_Dynamic):
    """:class:`Conv` whose weight (out, C / groups, kernel...) and, with ``bias``, bias (out) are
    inputs, the second and the third: another layer computes them in the pass."""

    kind: ClassVar[str] = "dynamic_conv"

    out: Count
    kernel: Size = 1
    stride: Size = 1
    padding: Padding = 0
    dilation: Size = 1
    groups: Count = 1
    bias: bool = True
    rounding: Rounding = "floor"

    @cached_property
    def stored(self) -> Conv:
        return Conv(**self.settings())


@operator
class DynamicConvTranspose(_Dynamic):
    """:class:`ConvTranspose` whose weight (C, out / groups, kernel...) and, with ``bias``, bias
    (out) are inputs, the second and the third."""

    kind: ClassVar[str] = "dynamic_conv_transpose"

    out: Count
    kernel: Size = 1
    stride: Size = 1
    padding: Padding = 0
    output_padding: Offset = 0
    dilation: Size = 1
    groups: Count = 1
    bias: bool = True

    @cached_property
    def stored(self) -> ConvTranspose:
        return ConvTranspose(**self.settings())


@operator
class DeformConv(Op):
    """Deformable convolution in two dimensions (Dai et al. 2017): each element of a window is read
    at a place of its own.

    Second input: the moves (N, 2 * offset_groups * kernel, positions...) of the elements of each
    window, for as many groups of channels; third, if given (Zhu et al. 2019), factors for them
    (N, offset_groups * kernel, positions...). Besides the multiply-accumulates of the
    convolution each element that a window reads is interpolated bilinearly; a move is added to
    its place, a factor multiplied. The reach is that of windows that are not moved.
    """

    kind: ClassVar[str] = "deform_conv"
    arity: ClassVar[tuple[int, int | None]] = (2, 3)
    weighted: ClassVar[bool] = True
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    out: Count
    kernel: Size = 1
    stride: Size = 1
    padding: Padding = 0
    dilation: Size = 1
    groups: Count = 1
    offset_groups: Count = 1
    bias: bool = True

    @cached_property
    def regular(self) -> Conv:
        """The convolution that this is where nothing is moved."""
        settings = self.settings()
        settings.pop("offset_groups", None)
        return Conv(**settings)

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, *given = inputs
        if x.rank != 4:
            raise ShapeError("deform_conv needs an input (N, C, H, W)")
        if x.channels % self.offset_groups:
            raise ShapeError(
                f"deform_conv in {self.offset_groups} groups of offsets needs channels divisible "
                f"by it, has {x.channels}"
            )
        (y,) = self.regular.infer((x,))
        same_dtype(self.kind, inputs)
        elements = self.offset_groups * prod(self.regular.windows(x).kernel)
        for name, value, each in zip(("offsets", "factors"), given, (2, 1), strict=False):
            wanted = (x.shape[0], each * elements, *y.spatial)
            if value.shape != wanted:
                raise ShapeError(
                    f"deform_conv needs {name} of {shape_text(wanted)}, has "
                    f"{shape_text(value.shape)}"
                )
        return (y,)

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return self.regular.parameters(inputs[:1])

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x, offset, *mask), (y,) = inputs, outputs
        places = offset.numel // 2
        elements = places // self.offset_groups * x.channels
        each = interpolated("bilinear", 2) + Work(mul=1 if mask else 0)
        own = self.regular.work((x,), (y,))
        return own + Work(add=offset.numel) + each.times(elements)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self.regular.reach(inputs[:1], outputs)
