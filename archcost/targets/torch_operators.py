"""What becomes of each operator in PyTorch.

:data:`MODULES` and :data:`FUNCTIONS` say, by kind of operator, what becomes a module and what a
call in the forward pass, as those who write PyTorch by hand divide it. Counters that look at
modules alone depend on that division.

A builder takes an operator and its node and gives the calls that execute it, one after the other:
each gets what the one before returned. Of a module kind exactly one is an nn.Module, torch's own
wherever it has one; the others stand around it in the forward pass (padding that differs on both
sides, the flattening before a linear layer).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce
from math import inf
from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archcost.ir import Node, Op, Shape, TensorType
from archcost.ir.ops.activation import Activation, Maxout, PReLU, Rescale, Softmax
from archcost.ir.ops.convolution import (
    Conv,
    ConvTranspose,
    DepthwiseConv,
    DynamicConv,
    DynamicConvTranspose,
    LocalConv,
)
from archcost.ir.ops.linear import (
    Embedding,
    GroupedMatMul,
    Linear,
    MatMul,
    RadialBasis,
    SolveTriangular,
)
from archcost.ir.ops.merge import Concat, Elementwise
from archcost.ir.ops.normalization import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    ScaleShift,
)
from archcost.ir.ops.pooling import (
    AdaptivePool,
    AvgPool,
    FractionalMaxPool,
    GlobalPool,
    LpPool,
    MaxPool,
    MaxUnpool,
    SumPool,
)
from archcost.ir.ops.regularization import Dropout, DropPath
from archcost.ir.ops.shape import (
    ChannelShuffle,
    Crop,
    Flatten,
    Pad,
    Permute,
    PixelShuffle,
    Reshape,
    Slice,
    Split,
    Upsample,
)
from archcost.ir.ops.windows import Windows, pairs, per_dimension
from archcost.targets import TargetError, torch_modules

Call = Callable[..., Any]
"""Takes tensors; gives one, or a tuple of several."""
Builder = Callable[[Any, Node], Call | tuple[Call, ...]]

MODULES: Final[dict[str, Builder]] = {}
"""kind -> builder, for operators that are modules."""
FUNCTIONS: Final[dict[str, Builder]] = {}
"""kind -> builder, for operators that are calls in the forward pass."""

DTYPES: Final = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
"""dtype of parameters -> torch's."""


def _register(table: dict[str, Builder], kinds: Sequence[str]) -> Callable[[Builder], Builder]:
    def register(builder: Builder) -> Builder:
        table.update(dict.fromkeys(kinds, builder))
        return builder

    return register


def module(*kinds: str) -> Callable[[Builder], Builder]:
    """Declare how operators of these kinds become modules."""
    return _register(MODULES, kinds)


def function(*kinds: str) -> Callable[[Builder], Builder]:
    """Declare how operators of these kinds become calls."""
    return _register(FUNCTIONS, kinds)


def build(node: Node) -> tuple[Call, ...]:
    """The calls that execute ``node``, with fresh weights.

    Raises:
        TargetError: torch has no such operator.
    """
    kind = node.op.kind
    builder = MODULES.get(kind) or FUNCTIONS.get(kind)
    if builder is None:
        raise TargetError(node, f"{kind} has no counterpart in torch")
    built = builder(node.op, node)
    calls = built if isinstance(built, tuple) else (built,)
    if kind == "weight":  # made in its own dtype, which need not be a floating-point one
        return calls
    for dtype in {parameter.dtype for parameter in node.parameters}:
        if dtype not in DTYPES:
            raise TargetError(node, f"torch has no {kind} with parameters in {dtype}")
        for call in calls:
            if isinstance(call, nn.Module):
                call.to(DTYPES[dtype])
    return calls


# --- helpers of the builders -------------------------------------------------------------------


def _sized(node: Node, name: str, rank: int) -> Callable[..., nn.Module]:
    """torch's class of that name for ``rank`` dimensions: nn.Conv2d for Conv and 2."""
    cls: Callable[..., nn.Module] | None = getattr(nn, f"{name}{rank}d", None)
    if cls is None:
        raise TargetError(node, f"torch has no {name}{rank}d")
    return cls


def _rank(node: Node) -> int:
    """Number of spatial dimensions of the first input."""
    return node.inputs[0].type.rank - 2


def for_f_pad(sides: Sequence[Sequence[int]]) -> list[int]:
    """``sides`` in the order of F.pad: the last dimension first."""
    return [side for pair in reversed(sides) for side in pair]


def _zeros(sides: Sequence[tuple[int, int]]) -> tuple[Call, ...]:
    """The call that puts zeros around, if there are any."""
    return (partial(F.pad, pad=for_f_pad(sides)),) if any(map(any, sides)) else ()


def _alike(sides: Sequence[tuple[int, int]]) -> bool:
    return all(before == after for before, after in sides)


def _fronts(sides: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(before for before, _ in sides)


def padded_before(windows: Windows) -> tuple[tuple[Call, ...], tuple[int, ...]]:
    """What puts zeros around the input of a convolution, if anything has to, and the padding that
    is left to the convolution: torch's pads both sides alike."""
    sides = windows.sides()
    if _alike(sides):
        return (), _fronts(sides)
    return _zeros(sides), (0,) * len(sides)


def on_first(call: Call) -> Call:
    """``call`` on the first of several tensors, of which the others go on as they are."""
    return lambda x, *others: (call(x), *others)


def _torch_pads(windows: Windows, sides: Sequence[tuple[int, int]]) -> bool:
    """Whether torch's pools pad so: alike on both sides, at most half a kernel (some of them would
    take half of what a dilated one spans)."""
    pads = zip(_fronts(sides), windows.kernel, strict=True)
    return _alike(sides) and all(pad <= kernel // 2 for pad, kernel in pads)


def _torch_averages(windows: Windows, sides: Sequence[tuple[int, int]]) -> bool:
    """The same of AvgPool, which in three dimensions takes no kernel larger than the input,
    padded or not."""
    sizes = zip(windows.kernel, windows.sizes, strict=True)
    fits = len(windows.sizes) < 3 or all(kernel <= size for kernel, size in sizes)
    return fits and _torch_pads(windows, sides)


def _unpadded(
    y: Tensor, places: Tensor, sides: Sequence[tuple[int, int]], sizes: Shape
) -> tuple[Tensor, Tensor]:
    """Pooled maxima and where they lay: from places in the padded channels to places in ``sizes``,
    what was padded."""
    result, step = torch.zeros_like(places), 1
    for size, (before, after) in zip(reversed(sizes), reversed(sides), strict=True):
        result = result + (places % (before + size + after) - before) * step
        places, step = places // (before + size + after), step * size
    return y, result


def _per_counted(y: Tensor, windows: Windows, padding: bool) -> Tensor:
    """Means over whole windows as means over the elements that count: the input's, and those of
    the ``padding`` if asked."""
    counted = windows.padding if padding else [(0, 0)] * len(windows.sizes)
    rest = [
        (before - b, after - a)
        for (before, after), (b, a) in zip(windows.sides(), counted, strict=True)
    ]
    ones = F.pad(y.new_ones(1, 1, *windows.sizes), for_f_pad(counted), value=1.0)
    mean = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(windows.sizes) - 1]
    return y / mean(F.pad(ones, for_f_pad(rest)), windows.kernel, windows.stride)


def _narrow(x: Tensor, starts: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """The part of ``sizes`` that begins at ``starts`` in the spatial dimensions."""
    for dim, (start, size) in enumerate(zip(starts, sizes, strict=True), 2):
        x = x.narrow(dim, start, size)
    return x


def _with_space(x: TensorType, module: nn.Module) -> tuple[Call, ...]:
    """``module``, which needs a spatial dimension, on an input that may have none."""
    if x.rank > 2:
        return (module,)
    return partial(torch.unsqueeze, dim=-1), module, partial(torch.squeeze, dim=-1)


# --- convolutions and linear layers ------------------------------------------------------------


@module("conv", "depthwise_conv")
def _conv(op: Conv | DepthwiseConv, node: Node) -> tuple[Call, ...]:
    x = node.inputs[0].type
    if isinstance(op, DepthwiseConv):
        op = op.grouped(x)
    windows = op.windows(x)
    before, padding = padded_before(windows)
    geometry = (windows.kernel, windows.stride, padding, windows.dilation)
    if op.connections is not None:
        return (*before, torch_modules.TableConv(x.channels, op.connections, *geometry, op.bias))
    cls = _sized(node, "Conv", _rank(node))
    return (*before, cls(x.channels, op.out, *geometry, op.groups, op.bias))


@function("dynamic_conv")
def _dynamic_conv(op: DynamicConv, node: Node) -> tuple[Call, ...]:
    windows = op.stored.windows(node.inputs[0].type)
    before, padding = padded_before(windows)
    geometry = (windows.stride, padding, windows.dilation, op.groups)
    convolve = (F.conv1d, F.conv2d, F.conv3d)[_rank(node) - 1]
    return *map(on_first, before), lambda x, w, bias=None: convolve(x, w, bias, *geometry)


@module("local_conv")
def _local_conv(op: LocalConv, node: Node) -> tuple[Call, ...]:
    x = node.inputs[0].type
    windows = op.windows(x)
    geometry = (windows.kernel, windows.stride)
    local = torch_modules.LocalConv(windows.out, op.out, x.channels, *geometry, op.bias)
    return (*_zeros(windows.sides()), local)


class _Transposed(NamedTuple):
    """The geometry of a transposed convolution in torch, and what slices off the rest."""

    stride: Shape
    padding: Shape
    added: Shape
    dilation: Shape
    after: tuple[Call, ...]


def _transposed(op: ConvTranspose, node: Node) -> _Transposed:
    x, y = node.inputs[0].type, node.outputs[0].type
    rank = _rank(node)
    kernel, stride, dilation = (
        per_dimension(op.kind, name, getattr(op, name), rank)
        for name in ("kernel", "stride", "dilation")
    )
    padding, added, cut = [], [], []
    for n, out, k, s, d, front in zip(
        x.spatial, y.spatial, kernel, stride, dilation, op.fronts(rank), strict=True
    ):
        # Of the whole output `front` and `back` elements are cut off. torch cuts off `padding` on
        # both sides and adds up to max(stride, dilation) - 1 behind; what then is too much on
        # either side is sliced off.
        back = (n - 1) * s + d * (k - 1) + 1 - front - out
        both = min(front, back + max(s, d) - 1)
        if both < 0:
            raise TargetError(node, f"torch's ConvTranspose{rank}d adds less than {-back} elements")
        padding.append(both)
        added.append(max(0, both - back))
        cut.append((front - both, back - both + added[-1]))
    after: tuple[Call, ...] = ()
    if any(map(any, cut)):
        after = (partial(_narrow, starts=[front for front, _ in cut], sizes=y.spatial),)
    return _Transposed(stride, tuple(padding), tuple(added), dilation, after)


@module("conv_transpose")
def _conv_transpose(op: ConvTranspose, node: Node) -> tuple[Call, ...]:
    rank = _rank(node)
    stride, padding, added, dilation, after = _transposed(op, node)
    transposed = _sized(node, "ConvTranspose", rank)(
        node.inputs[0].type.channels,
        op.out,
        per_dimension(op.kind, "kernel", op.kernel, rank),
        stride,
        padding,
        added,
        op.groups,
        op.bias,
        dilation,
    )
    return transposed, *after


@function("dynamic_conv_transpose")
def _dynamic_conv_transpose(op: DynamicConvTranspose, node: Node) -> tuple[Call, ...]:
    stride, padding, added, dilation, after = _transposed(op.stored, node)
    convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[_rank(node) - 1]
    geometry = (stride, padding, added, op.groups, dilation)
    return (lambda x, weight, bias=None: convolve(x, weight, bias, *geometry)), *after


@module("linear")
def _linear(op: Linear, node: Node) -> tuple[Call, ...]:
    x = node.inputs[0].type
    before = (partial(torch.flatten, start_dim=1),) if op.flattens(x) else ()
    features = op.features(x)
    if op.drop_connect:
        return (*before, torch_modules.DropConnect(features, op.out, op.bias, op.drop_connect))
    return (*before, nn.Linear(features, op.out, op.bias))


@function("matmul")
def _matmul(op: MatMul, node: Node) -> Call:
    if op.transpose_b:
        return lambda a, b: torch.matmul(a, b.transpose(-1, -2))
    # Looked up when called, as in code written by hand: there are counters that patch it.
    return lambda a, b: torch.matmul(a, b)  # noqa: PLW0108


@function("grouped_matmul")
def _grouped_matmul(op: GroupedMatMul, node: Node) -> Call:
    def call(x: Tensor, matrices: Tensor, ends: Tensor) -> Tensor:
        rows = torch.arange(x.shape[0], device=x.device)
        groups = torch.bucketize(rows, ends.long(), right=True).clamp(max=matrices.shape[0] - 1)
        return torch.bmm(x.unsqueeze(1), matrices[groups]).squeeze(1)

    return call


@function("solve_triangular")
def _solve_triangular(op: SolveTriangular, node: Node) -> Call:
    return partial(
        torch.linalg.solve_triangular, upper=op.upper, left=op.left, unitriangular=op.unit
    )


@module("rbf")
def _rbf(op: RadialBasis, node: Node) -> Call:
    return torch_modules.RadialBasis(node.inputs[0].type.channels, op.out, op.trainable)


@module("embedding")
def _embedding(op: Embedding, node: Node) -> tuple[Call, ...]:
    table = nn.Embedding(op.count, op.width)
    # torch looks up by these two alone.
    return (table,) if node.inputs[0].type.dtype in ("int64", "int32") else (Tensor.long, table)


# --- pools -------------------------------------------------------------------------------------


@module("max_pool")
def _max_pool(op: MaxPool, node: Node) -> tuple[Call, ...]:
    windows = op.windows(node.inputs[0].type)
    cls = _sized(node, "MaxPool", _rank(node))
    kernel, stride, dilation = windows.kernel, windows.stride, windows.dilation
    if _torch_pads(windows, windows.padding):
        padding, up = _fronts(windows.padding), op.rounding == "ceil"
        return (cls(kernel, stride, padding, dilation, op.indices, up),)
    sides = windows.sides()
    before = partial(F.pad, pad=for_f_pad(sides), value=-inf)
    pool = cls(kernel, stride, dilation=dilation, return_indices=op.indices)
    if not op.indices:
        return before, pool
    return before, pool, partial(_unpadded, sides=sides, sizes=windows.sizes)


@module("avg_pool")
def _avg_pool(op: AvgPool, node: Node) -> tuple[Call, ...]:
    windows = op.windows(node.inputs[0].type)
    cls = _sized(node, "AvgPool", _rank(node))
    kernel, stride = windows.kernel, windows.stride
    if _torch_averages(windows, windows.padding):
        padding, up = _fronts(windows.padding), op.rounding == "ceil"
        return (cls(kernel, stride, padding, up, op.count_padding),)
    sides = windows.sides()
    calls: tuple[Call, ...] = (*_zeros(sides), cls(kernel, stride))
    if op.count_padding and sides == list(windows.padding):
        return calls
    # The module divides by all elements of a window, those that hang over or are not counted too.
    return (*calls, partial(_per_counted, windows=windows, padding=op.count_padding))


@module("sum_pool")
def _sum_pool(op: SumPool, node: Node) -> tuple[Call, ...]:
    windows, rank = op.windows(node.inputs[0].type), _rank(node)
    sides = windows.sides()
    within = _torch_averages(windows, sides)
    before = () if within else _zeros(sides)
    padding = _fronts(sides) if within else (0,) * rank
    cls = _sized(node, "AvgPool", rank)
    if rank > 1:
        return (*before, cls(windows.kernel, windows.stride, padding, divisor_override=1))
    mean = cls(windows.kernel, windows.stride, padding)  # which has no divisor to set
    return (*before, mean, lambda x: x * windows.kernel[0])


@module("lp_pool")
def _lp_pool(op: LpPool, node: Node) -> tuple[Call, ...]:
    windows = op.windows(node.inputs[0].type)
    before = _zeros(windows.sides())
    rank = _rank(node)
    kernel = windows.kernel if rank > 1 else windows.kernel[0]
    pool = _sized(node, "LPPool", rank)(float(op.norm), kernel, windows.stride)
    # torch takes x^p, not |x|^p.
    return (*before, pool) if op.norm % 2 == 0 else (*before, torch.abs, pool)


@module("global_max_pool", "global_avg_pool", "adaptive_max_pool", "adaptive_avg_pool")
def _adaptive_pool(op: GlobalPool | AdaptivePool, node: Node) -> Call:
    name = {"max": "AdaptiveMaxPool", "avg": "AdaptiveAvgPool"}[op.mode]
    return _sized(node, name, _rank(node))(op.size if isinstance(op, AdaptivePool) else 1)


@module("fractional_max_pool")
def _fractional_max_pool(op: FractionalMaxPool, node: Node) -> tuple[Call, ...]:
    rank, size = _rank(node), node.outputs[0].type.spatial
    kernel = per_dimension(op.kind, "kernel", op.kernel, rank)
    if rank > 1:
        places = zip(node.inputs[0].type.spatial, size, kernel, strict=True)
        if rank == 3 and any(n < out + window for n, out, window in places):
            raise TargetError(
                node,
                "torch's fractional pooling in three dimensions needs an input larger than "
                "output + kernel - 1",
            )
        return (_sized(node, "FractionalMaxPool", rank)(kernel, output_size=size),)
    pool = nn.FractionalMaxPool2d((1, kernel[0]), output_size=(1, size[0]))
    return partial(torch.unsqueeze, dim=2), pool, partial(torch.squeeze, dim=2)


@module("max_unpool")
def _max_unpool(op: MaxUnpool, node: Node) -> tuple[Call, ...]:
    x, y = node.inputs[0].type, node.outputs[0].type
    rank = _rank(node)
    kernel = per_dimension(op.kind, "kernel", op.kernel, rank)
    stride = kernel if op.stride is None else per_dimension(op.kind, "stride", op.stride, rank)
    # Of the padding torch makes nothing but the size to expect, which has to be near.
    missing = [
        (n - 1) * s + k - out
        for n, k, s, out in zip(x.spatial, kernel, stride, y.spatial, strict=True)
    ]
    padding = tuple(max(0, (few + 1) // 2) for few in missing)
    if any(s == 1 and few % 2 for s, few in zip(stride, missing, strict=True)):
        raise TargetError(
            node, "torch unpools by a stride of 1 with the same padding on both sides"
        )
    unpool = _sized(node, "MaxUnpool", rank)(kernel, stride, padding)
    return (lambda x, indices: (x, indices, y.spatial)), unpool


# --- normalisations ----------------------------------------------------------------------------


def _need_several(node: Node, sets: int) -> None:
    """Refuse statistics of ``sets`` sets of elements that have one each, as torch does."""
    if node.inputs[0].type.numel == sets:
        raise TargetError(node, "torch takes no statistics of a single element")


@module("batch_norm")
def _batch_norm(op: BatchNorm, node: Node) -> Call:
    cls = _sized(node, "BatchNorm", max(1, _rank(node)))
    channels = node.inputs[0].type.channels
    if not op.track:
        _need_several(node, channels)
    return cls(channels, op.eps, affine=op.affine, track_running_stats=op.track)


@module("layer_norm")
def _layer_norm(op: LayerNorm, node: Node) -> Call:
    shape = node.inputs[0].shape[-op.dims :]
    return nn.LayerNorm(shape, op.eps, elementwise_affine=op.affine, bias=op.bias)


@module("group_norm")
def _group_norm(op: GroupNorm, node: Node) -> Call:
    _need_several(node, op.groups)  # torch takes the samples together here
    return nn.GroupNorm(op.groups, node.inputs[0].type.channels, op.eps, affine=op.affine)


@module("instance_norm")
def _instance_norm(op: InstanceNorm, node: Node) -> Call:
    cls = _sized(node, "InstanceNorm", _rank(node))
    x = node.inputs[0].type
    if not op.track:
        _need_several(node, x.shape[0] * x.channels)
    return cls(x.channels, op.eps, affine=op.affine, track_running_stats=op.track)


@module("lrn")
def _lrn(op: LocalResponseNorm, node: Node) -> tuple[Call, ...]:
    if op.region == "within":
        return (torch_modules.LocalResponseNorm(op.size, op.alpha, op.beta, op.k),)
    across = nn.LocalResponseNorm(op.size, op.alpha, op.beta, op.k)
    return _with_space(node.inputs[0].type, across)


@module("scale_shift")
def _scale_shift(op: ScaleShift, node: Node) -> Call:
    x = node.inputs[0].type
    shape = (x.channels,) if op.per == "channel" else x.shape[1:]
    return torch_modules.ScaleShift(shape, x.rank, op.scale, op.bias)


# --- activations and regularisers --------------------------------------------------------------

ACTIVATIONS: Final[dict[str, Callable[..., nn.Module]]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "sigmoid": nn.Sigmoid,
    "log_sigmoid": nn.LogSigmoid,
    "hard_sigmoid": nn.Hardsigmoid,
    "hard_swish": nn.Hardswish,
    "hard_tanh": nn.Hardtanh,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
}
"""function -> torch's module. The others are none there."""


@module(*ACTIVATIONS)
def _activation(op: Activation, node: Node) -> Call:
    cls = ACTIVATIONS[op.function]
    return cls() if op.slope is None else cls(op.slope)


@function("scaled_tanh")
def _scaled_tanh(op: Activation, node: Node) -> Call:
    return lambda x: 1.7159 * torch.tanh(x * (2 / 3))


@function("square")
def _square(op: Activation, node: Node) -> Call:
    return torch.square


@function("abs")
def _abs(op: Activation, node: Node) -> Call:
    return torch.abs


@module("prelu")
def _prelu(op: PReLU, node: Node) -> Call:
    return nn.PReLU(1 if op.shared else node.inputs[0].type.channels)


@function("rescale")
def _rescale(op: Rescale, node: Node) -> Call:
    if op.shift == 0:
        return lambda x: x * op.scale
    if op.scale == 1:
        return lambda x: x + op.shift
    return lambda x: x * op.scale + op.shift


@function("maxout")
def _maxout(op: Maxout, node: Node) -> Call:
    return lambda x: x.unflatten(1, (-1, op.pieces)).max(2).values


@module("softmax", "log_softmax")
def _softmax(op: Softmax, node: Node) -> Call:
    return (nn.LogSoftmax if op.log else nn.Softmax)(op.dim)


@module("dropout")
def _dropout(op: Dropout, node: Node) -> Call:
    if op.per == "element" or _rank(node) == 0:
        return nn.Dropout(op.rate)
    return _sized(node, "Dropout", _rank(node))(op.rate)


@module("drop_path")
def _drop_path(op: DropPath, node: Node) -> Call:
    return torch_modules.DropPath(op.rate)


# --- merges ------------------------------------------------------------------------------------


@function("concat")
def _concat(op: Concat, node: Node) -> Call:
    return lambda *tensors: torch.cat(tensors, dim=op.dim)


@function("sum")
def _sum(op: Elementwise, node: Node) -> Call:
    return lambda *tensors: reduce(operator.add, tensors)


@function("product")
def _product(op: Elementwise, node: Node) -> Call:
    return lambda *tensors: reduce(operator.mul, tensors)


@function("maximum")
def _maximum(op: Elementwise, node: Node) -> Call:
    return lambda *tensors: reduce(torch.maximum, tensors)


@function("mean")
def _mean(op: Elementwise, node: Node) -> Call:
    return lambda *tensors: reduce(operator.add, tensors) / len(tensors)


# --- shapes ------------------------------------------------------------------------------------


@module("identity")
def _identity(op: Op, node: Node) -> Call:
    return nn.Identity()


@module("pad")
def _pad(op: Pad, node: Node) -> tuple[Call, ...]:
    rank = _rank(node)
    sides = pairs(op.kind, op.padding, rank)
    if op.mode != "constant":
        name = {"reflect": "ReflectionPad", "replicate": "ReplicationPad"}[op.mode]
        pad = _sized(node, name, rank)(tuple(for_f_pad(sides)))
        if op.channels is None:
            return (pad,)
        return pad, partial(F.pad, pad=for_f_pad([op.channels, *[(0, 0)] * rank]))
    if op.channels is None:
        return (_sized(node, "ZeroPad", rank)(tuple(for_f_pad(sides))),)
    # Channels are one dimension more; torch pads as many as it is told, under any of these names.
    return (_sized(node, "ConstantPad", 3)(tuple(for_f_pad([op.channels, *sides])), 0.0),)


@function("crop")
def _crop(op: Crop, node: Node) -> Call:
    (y,) = node.outputs
    reach = op.reach(node.application.inputs, node.application.outputs)
    starts = [int(dim.low) for dim in reach]
    return lambda x, like=None: _narrow(x, starts, y.type.spatial)


@module("upsample")
def _upsample(op: Upsample, node: Node) -> Call:
    rank = _rank(node)
    if rank != 2 and (op.mode == "bicubic" or op.antialias):
        what = "antialias" if op.antialias else op.mode
        raise TargetError(node, f"torch's upsampling has {what} in two dimensions alone")
    linear = ("linear", "bilinear", "trilinear")[rank - 1]
    mode = linear if op.mode == "bilinear" else op.mode
    cls = torch_modules.AntialiasedUpsample if op.antialias else nn.Upsample
    return cls(op.size, op.scale, mode, op.align_corners or None)


@function("reshape")
def _reshape(op: Reshape, node: Node) -> Call:
    return lambda x: x.reshape(
        x.shape[0], *(size or x.shape[at] for at, size in enumerate(op.shape, 1))
    )


@module("flatten")
def _flatten(op: Flatten, node: Node) -> Call:
    return nn.Flatten(op.start, op.end)


@function("permute")
def _permute(op: Permute, node: Node) -> Call:
    return lambda x: x.permute(op.dims)


@function("slice")
def _slice(op: Slice, node: Node) -> Call:
    dim = op.dim % node.inputs[0].type.rank
    part = (*[slice(None)] * dim, slice(op.start, op.stop, op.step))
    return lambda x: x[part]


@function("split")
def _split(op: Split, node: Node) -> Call:
    sizes = [value.shape[op.dim] for value in node.outputs]
    if len(sizes) == 1:
        return lambda x: x.split(sizes, op.dim)[0]
    return lambda x: x.split(sizes, op.dim)


@module("channel_shuffle")
def _channel_shuffle(op: ChannelShuffle, node: Node) -> tuple[Call, ...]:
    return _with_space(node.inputs[0].type, nn.ChannelShuffle(op.groups))


@module("pixel_shuffle")
def _pixel_shuffle(op: PixelShuffle, node: Node) -> Call:
    if _rank(node) != 2:
        return torch_modules.PixelShuffle(op.factor, op.inverse)
    return (nn.PixelUnshuffle if op.inverse else nn.PixelShuffle)(op.factor)


# The builders of other families: they register themselves, with what stands above.
from archcost.targets import torch_sequences, torch_tensors  # noqa: E402, F401
