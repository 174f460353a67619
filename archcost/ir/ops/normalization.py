"""Normalisations: by stored statistics, by statistics of the input, by local response; scaling.

``eps`` is what is added to a variance (a mean square) before its root is taken; it changes no
count.

The reach of all but :class:`LocalResponseNorm` is each element's own place: statistics over the
whole input are left out of it, as computations of receptive fields do.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.ir.arguments import Count, Number
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Reach, Saved, operator
from archcost.ir.ops.windows import Windows
from archcost.ir.types import ParameterSpec, Shape, TensorType, Work, bytes_for


@operator
class BatchNorm(Op):
    """Batch normalisation of each channel (Ioffe and Szegedy 2015) over (N, C, ...).

    At inference ``y = x * scale + shift``: the stored statistics and, if ``affine``, weight and
    bias are folded into one scale and one shift a channel, prepared once beforehand: 1 mul and
    1 add an element. Without ``track`` no statistics are stored: those of the batch are computed
    at inference too, and counted as for :class:`InstanceNorm`, over batch and space at once.

    The number of batches seen, which PyTorch keeps beside the statistics, is not counted.
    """

    kind: ClassVar[str] = "batch_norm"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    affine: bool = True
    track: bool = True
    eps: Number = 1e-5

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        _need_rank(self.kind, inputs[0], 2)
        return inputs

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        shape = (inputs[0].channels,)
        return _affine(shape, self.affine, self.affine) + _statistics(shape, self.track)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        if self.track:
            return Work(mul=x.numel, add=x.numel)
        return _standardise(x, x.channels, self.affine, self.affine)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return _statistics_saved(inputs[0], inputs[0].channels)


@operator
class LayerNorm(Op):
    """Layer normalisation (Ba et al. 2016) over the last ``dims`` dimensions of (N, ...).

    ``affine`` gives a weight of those dimensions' sizes and, unless ``bias`` is false, a bias.
    """

    kind: ClassVar[str] = "layer_norm"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    dims: Count = 1
    affine: bool = True
    bias: bool = True
    eps: Number = 1e-5

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        _need_rank(self.kind, inputs[0], self.dims + 1)
        return inputs

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return _affine(inputs[0].shape[-self.dims :], self.affine, self.affine and self.bias)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        return _standardise(x, self._groups(x), self.affine, self.affine and self.bias)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return _statistics_saved(inputs[0], self._groups(inputs[0]))

    def _groups(self, x: TensorType) -> int:
        return TensorType(x.shape[: -self.dims]).numel


@operator
class RMSNorm(Op):
    """Root mean square normalisation (Zhang and Sennrich 2019) over the last ``dims`` dimensions
    of (N, ...): ``y = x / sqrt(mean(x^2) + eps) * weight``, the weight if ``affine``.

    A group of n elements takes n mul, n - 1 add and 1 div for the mean square, 1 add, 1 sqrt and
    1 div for its reciprocal root, n mul with that, and n mul more with the weight.
    """

    kind: ClassVar[str] = "rms_norm"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    dims: Count = 1
    affine: bool = True
    eps: Number = 1e-6

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        _need_rank(self.kind, inputs[0], self.dims + 1)
        return inputs

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return _affine(inputs[0].shape[-self.dims :], self.affine, bias=False)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        groups = self._groups(x)
        n = x.numel // groups
        return Work(add=n, mul=(3 if self.affine else 2) * n, div=2, sqrt=1).times(groups)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return _statistics_saved(inputs[0], self._groups(inputs[0]), 1)

    def _groups(self, x: TensorType) -> int:
        return TensorType(x.shape[: -self.dims]).numel


@operator
class GroupNorm(Op):
    """Group normalisation (Wu and He 2018) over (N, C, ...): ``groups`` groups of channels,
    each normalised in each sample; ``affine`` gives a weight and a bias for each channel."""

    kind: ClassVar[str] = "group_norm"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    groups: Count
    affine: bool = True
    eps: Number = 1e-5

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        _need_rank(self.kind, x, 2)
        if x.channels % self.groups:
            raise ShapeError(
                f"group_norm with {self.groups} groups needs channels divisible by "
                f"{self.groups}, has {x.channels}"
            )
        return inputs

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return _affine((inputs[0].channels,), self.affine, self.affine)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        return _standardise(x, x.shape[0] * self.groups, self.affine, self.affine)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return _statistics_saved(inputs[0], inputs[0].shape[0] * self.groups)


@operator
class InstanceNorm(Op):
    """Instance normalisation (Ulyanov et al. 2016) over (N, C, spatial...): each channel of each
    sample by its own statistics.

    With ``track``, statistics are stored in training and used at inference, so that it costs what
    :class:`BatchNorm` costs: 1 mul and 1 add an element.
    """

    kind: ClassVar[str] = "instance_norm"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    affine: bool = False
    track: bool = False
    eps: Number = 1e-5

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        _need_rank(self.kind, inputs[0], 3)
        return inputs

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        shape = (inputs[0].channels,)
        return _affine(shape, self.affine, self.affine) + _statistics(shape, self.track)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        if self.track:
            return Work(mul=x.numel, add=x.numel)
        return _standardise(x, x.shape[0] * x.channels, self.affine, self.affine)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        (x,) = inputs
        return _statistics_saved(inputs[0], x.shape[0] * x.channels)


@operator
class LocalResponseNorm(Op):
    """Local response normalisation over (N, C, ...): ``y = x / (k + alpha / n * sum x^2)^beta``.

    The sum runs over ``size`` neighbouring channels (``across``), or over a window of ``size``
    in each spatial dimension of the same channel (``within``); n is the number of elements that
    the window would have in the midst of the input. An even ``size`` across channels reaches one
    further to the front, as in PyTorch.

    Krizhevsky et al. 2012, section 3.3, in Caffe's form, which divides alpha by n. The defaults
    are those of PyTorch and of Caffe's AlexNet; the paper's own k is 2.

    An element costs 1 mul (square), window - 1 add (windows clipped at the input's borders),
    1 mul (alpha / n, a constant), 1 add (k), 1 pow and 1 div.
    """

    kind: ClassVar[str] = "lrn"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    size: Count = 5
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0
    region: Literal["across", "within"] = "across"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.region == "within" and self.size % 2 == 0:
            raise ArgumentError("size", f"expected an odd size within channels, found {self.size}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if self.region == "within":
            self._windows(x)  # checks the rank
        else:
            _need_rank(self.kind, x, 2)
        return inputs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        if self.region == "within":
            covered = x.shape[0] * x.channels * self._windows(x).covered()
        else:
            front, back = self.size // 2, (self.size - 1) // 2
            lost = _clipped(front, x.channels) + _clipped(back, x.channels)
            covered = x.numel // x.channels * (x.channels * self.size - lost)
        # covered - numel adds for the sums, numel for k.
        return Work(mul=2 * x.numel, add=covered, pow=x.numel, div=x.numel)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return self._windows(inputs[0]).reach() if self.region == "within" else None

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # The scale, k + alpha / n * sum x^2, as Caffe does. PyTorch composes the operator across
        # channels of smaller ones, which keep about two tensors more.
        return Saved(inputs=True, extra=inputs[0].nbytes)

    def _windows(self, x: TensorType) -> Windows:
        """The windows within channels."""
        return Windows(self.kind, x, self.size, 1, (self.size - 1) // 2)


@operator
class ScaleShift(Op):
    """Multiplies each channel (or element) of (N, C, ...) by a weight and adds a bias, trainable.

    Caffe's Scale and Bias layers; the trainable coefficient and bias of LeNet-5's S layers.
    ``per: element`` has them for each element of a sample: the untied biases of maxout networks.
    """

    kind: ClassVar[str] = "scale_shift"

    bias: bool = True
    scale: bool = True
    per: Literal["channel", "element"] = "channel"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.bias or self.scale):
            raise ArgumentError("scale", "expected scale, bias or both, found neither")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        _need_rank(self.kind, inputs[0], 2)
        return inputs

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        (x,) = inputs
        shape = (x.channels,) if self.per == "channel" else x.shape[1:]
        return _affine(shape, self.scale, self.bias)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x,) = inputs
        return Work(mul=x.numel if self.scale else 0, add=x.numel if self.bias else 0)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # The weight's gradient needs the input, the bias's does not.
        return Saved(inputs=self.scale)


def _clipped(side: int, channels: int) -> int:
    """Channels that all windows together lack at one end, when each reaches ``side`` beyond its
    own: the outermost channel's window lacks ``side``, the next ``side`` - 1 ..."""
    cut = min(side, channels)
    return cut * side - cut * (cut - 1) // 2


def _need_rank(kind: str, x: TensorType, rank: int) -> None:
    if x.rank < rank:
        raise ShapeError(f"{kind} needs an input of at least {rank} dimensions, has {x.rank}")


def _affine(shape: Shape, weight: bool, bias: bool) -> tuple[ParameterSpec, ...]:
    specs = (("weight", weight), ("bias", bias))
    return tuple(ParameterSpec(name, shape) for name, present in specs if present)


def _statistics(shape: Shape, track: bool) -> tuple[ParameterSpec, ...]:
    if not track:
        return ()
    return (
        ParameterSpec("running_mean", shape, trainable=False),
        ParameterSpec("running_var", shape, trainable=False),
    )


def _standardise(x: TensorType, groups: int, weight: bool, bias: bool) -> Work:
    """Normalising ``groups`` equal groups of ``x``'s elements by their own mean and variance.

    For a group of n elements: the mean (n - 1 add, 1 div), the variance in a second pass (n add to
    subtract the mean, n mul, n - 1 add, 1 div), its reciprocal root (1 add of epsilon, 1 sqrt,
    1 div), and n mul of the differences with it. A weight takes n mul more, a bias n add.
    """
    n = x.numel // groups
    return Work(
        add=(n - 1) + n + (n - 1) + 1 + (n if bias else 0),
        mul=n + n + (n if weight else 0),
        div=3,
        sqrt=1,
    ).times(groups)


def _statistics_saved(x: TensorType, groups: int, each: int = 2) -> Saved:
    # Mean and reciprocal deviation of each group (or one number ``each``), kept in no less than
    # fp32 (on CUDA; torch on the CPU keeps them in the input's dtype).
    dtype = "fp64" if x.dtype == "fp64" else "fp32"
    return Saved(inputs=True, extra=bytes_for(each * groups, dtype))
