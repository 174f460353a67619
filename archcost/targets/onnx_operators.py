"""What becomes of each operator in ONNX.

A builder takes an operator, its node and the :class:`Writer`, adds the ONNX nodes that compute it
at inference, and gives the names of its outputs. Constants are Constant nodes, so that the stored
tensors of the file are the graph's parameters and nothing else. What ONNX has no operator for is
composed of several, with the same multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import chain, groupby, product
from math import inf, pi, prod, sqrt
from typing import Any, Final

from archcost.ir import FLOATS, Node, Op, Shape, TensorType, Value
from archcost.ir.ops.activation import FORMULAS, Activation, Maxout, PReLU, Rescale, Softmax
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
from archcost.targets.onnx_nodes import Writer

Builder = Callable[[Any, Node, Writer], str | Sequence[str]]

BUILDERS: Final[dict[str, Builder]] = {}
"""kind -> builder."""


def operator(*kinds: str) -> Callable[[Builder], Builder]:
    """Declare how operators of these kinds are written."""

    def register(builder: Builder) -> Builder:
        BUILDERS.update(dict.fromkeys(kinds, builder))
        return builder

    return register


def build(node: Node, to: Writer) -> tuple[str, ...]:
    """Adds what computes ``node``; the names of its outputs.

    Raises:
        TargetError: ONNX cannot say it.
    """
    builder = BUILDERS.get(node.op.kind)
    if builder is None:
        raise to.lacks(node.op.kind)
    results = builder(node.op, node, to)
    return (results,) if isinstance(results, str) else tuple(results)


# --- helpers of the builders -------------------------------------------------------------------

Sides = Sequence[tuple[int, int]]
"""Elements (before, after) each spatial dimension."""


def pads_of(sides: Sides) -> list[int]:
    """``sides`` in ONNX's order: what stands before, of all dimensions, then what stands behind."""
    return [before for before, _ in sides] + [after for _, after in sides]


def padded(
    to: Writer,
    x: str,
    rank: int,
    sides: Sides,
    value: float = 0,
    mode: str = "constant",
    *,
    alone: bool = False,
) -> str:
    """``x``, of ``rank`` dimensions, with ``sides`` around the last of them.

    ``alone`` keeps ONNX Runtime (1.31, Pad_Fusion) from making zeros the padding of a MaxPool
    behind them, which knows no zeros: it does not touch a Pad that names its axes.
    """
    if not any(map(any, sides)):
        return x
    every = [(0, 0)] * (rank - len(sides)) + list(sides)
    more: tuple[str, ...] = (to.number(value, x),) if value else ()
    if alone:
        more = (more[0] if more else "", to.ints(*range(rank)))
    return to("Pad", x, to.ints(*pads_of(every)), *more, mode=mode)


def windowed(
    to: Writer, x: str, dim: int, count: int, size: int, stride: int, dilation: int = 1
) -> str:
    """Dimension ``dim`` as two: ``count`` windows of ``size`` elements."""
    # Side by side: one element of all windows, or one window, whichever are fewer.
    if size <= count:
        parts, apart, each, step, new = size, dilation, count, stride, dim + 1
    else:
        parts, apart, each, step, new = count, stride, size, dilation, dim
    slices = []
    for at in range(parts):
        start, end = to.ints(at * apart), to.ints(at * apart + (each - 1) * step + 1)
        part = to("Slice", x, start, end, to.ints(dim), to.ints(step))
        slices.append(to("Unsqueeze", part, to.ints(new)))
    return to("Concat", *slices, axis=new)


def repeated(to: Writer, x: str, dim: int, shape: Shape, count: int) -> str:
    """``x``, of this shape, with each position of ``dim`` ``count`` times in a row."""
    front, behind = shape[: dim + 1], shape[dim + 1 :]
    x = to("Unsqueeze", x, to.ints(dim + 1))
    x = to("Expand", x, to.ints(*front, count, *behind))
    return to.shaped(x, *front[:-1], front[-1] * count, *behind)


def _narrow(to: Writer, x: str, first: int, starts: Sequence[int], sizes: Sequence[int]) -> str:
    """The part of ``sizes`` that begins at ``starts`` in the dimensions from ``first`` on."""
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    axes = range(first, first + len(sizes))
    return to("Slice", x, to.ints(*starts), to.ints(*ends), to.ints(*axes))


def _shifted(to: Writer, x: str, scale: str, shift: str) -> str:
    """``x * scale + shift``; either may be left out."""
    if scale:
        x = to("Mul", x, scale)
    return to("Add", x, shift) if shift else x


# --- convolutions and linear layers ------------------------------------------------------------


def geometry(windows: Windows) -> dict[str, Sequence[int]]:
    """The attributes of an operator with these windows, padded so that none hangs over."""
    return {
        "kernel_shape": windows.kernel,
        "strides": windows.stride,
        "dilations": windows.dilation,
        "pads": pads_of(windows.sides()),
    }


@operator("conv", "depthwise_conv")
def _conv(op: Conv | DepthwiseConv, node: Node, to: Writer) -> str:
    x = node.inputs[0].type
    if isinstance(op, DepthwiseConv):
        op = op.grouped(x)
    how = geometry(op.windows(x))
    if op.connections is not None:
        channels = to.several("Split", [to.x], x.channels, axis=1, num_outputs=x.channels)
        return _table_conv(to, channels, op.connections, how)
    return to("Conv", to.x, to.parameter("weight"), *to.optional("bias"), group=op.groups, **how)


def _table_conv(
    to: Writer,
    channels: Sequence[str],
    table: Sequence[Sequence[int]],
    how: dict[str, Sequence[int]],
) -> str:
    """A convolution of the connections in ``table`` alone: neighbouring output channels that see
    as many of the input's ``channels`` are one grouped convolution of those they see."""
    weight, bias = to.parameter("weight"), to.parameter("bias")
    kernel = how["kernel_shape"]
    parts, row, link = [], 0, 0
    for seen, group in groupby(table, key=len):
        rows = list(group)
        seen_ones = to("Concat", *(channels[place] for one in rows for place in one), axis=1)
        links = seen * len(rows)
        own = to("Slice", weight, to.ints(link), to.ints(link + links), to.ints(0))
        own = to.shaped(own, len(rows), seen, *kernel)
        ends = to.ints(row), to.ints(row + len(rows)), to.ints(0)
        added = [to("Slice", bias, *ends)] if bias else []
        parts.append(to("Conv", seen_ones, own, *added, group=len(rows), **how))
        row, link = row + len(rows), link + links
    return to("Concat", *parts, axis=1)


@operator("local_conv")
def _local_conv(op: LocalConv, node: Node, to: Writer) -> str:
    x, y = node.inputs[0].type, node.outputs[0].type
    windows = op.windows(x)
    rank = len(windows.kernel)
    patches = padded(to, to.x, x.rank, windows.sides())
    for at in range(rank):
        count, size, stride = windows.out[at], windows.kernel[at], windows.stride[at]
        patches = windowed(to, patches, 2 + 2 * at, count, size, stride)
    # (N, C, place, kernel, ...) -> (places, C * kernel, N), a product of matrices for each place
    order = (*range(2, 2 + 2 * rank, 2), 1, *range(3, 3 + 2 * rank, 2), 0)
    patches = to("Transpose", patches, perm=order)
    places, products = prod(windows.out), x.channels * prod(windows.kernel)
    patches = to.shaped(patches, places, products, x.shape[0])
    weight = to.shaped(to.parameter("weight"), places, op.out, products)
    result = to("MatMul", weight, patches)
    if op.bias:
        result = to("Add", result, to.shaped(to.parameter("bias"), places, op.out, 1))
    return to.shaped(to("Transpose", result, perm=(2, 1, 0)), *y.shape)


@operator("dynamic_conv")
def _dynamic_conv(op: DynamicConv, node: Node, to: Writer) -> str:
    how = geometry(op.stored.windows(node.inputs[0].type))
    return to("Conv", *to.inputs, group=op.groups, **how)


@operator("conv_transpose", "dynamic_conv_transpose")
def _conv_transpose(op: ConvTranspose | DynamicConvTranspose, node: Node, to: Writer) -> str:
    x, *given = to.inputs
    if isinstance(op, DynamicConvTranspose):
        op = op.stored
    weight, *bias = given or [to.parameter("weight"), *to.optional("bias")]
    rank = node.inputs[0].type.rank - 2
    kernel, stride, dilation = (
        per_dimension(op.kind, name, getattr(op, name), rank)
        for name in ("kernel", "stride", "dilation")
    )
    # What the padding takes of the whole output in front, and behind; less than 0: what is added.
    fronts = op.fronts(rank)
    sizes = zip(node.inputs[0].type.spatial, node.outputs[0].type.spatial, strict=True)
    backs = [
        (n - 1) * s + d * (k - 1) + 1 - front - out
        for (n, out), k, s, d, front in zip(sizes, kernel, stride, dilation, fronts, strict=True)
    ]
    added = [max(0, -back) for back in backs]
    how: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": stride,
        "dilations": dilation,
        "pads": [*fronts, *(max(0, back) for back in backs)],
        "group": op.groups,
    }
    if all(more < step for more, step in zip(added, stride, strict=True)):
        return to("ConvTranspose", x, weight, *bias, output_padding=added, **how)
    # ONNX adds less than a stride behind. Nothing reaches what is added but the bias.
    if any(out <= more for out, more in zip(node.outputs[0].type.spatial, added, strict=True)):
        raise to.lacks("ConvTranspose all of whose output is cut off")
    y = to("ConvTranspose", x, weight, **how)
    y = padded(to, y, rank + 2, [(0, more) for more in added])
    return to("Add", y, to.shaped(bias[0], -1, *[1] * rank)) if bias else y


@operator("linear")
def _linear(op: Linear, node: Node, to: Writer) -> str:
    x = to.x
    type_ = node.inputs[0].type
    if op.flattens(type_):
        x = to("Flatten", x, axis=1)
    elif type_.rank > 2:
        x = to.shaped(x, -1, type_.shape[-1])
    bias = to.optional("bias")
    y = to("Gemm", x, to.parameter("weight"), *bias, transB=1)
    return y if op.flattens(type_) or type_.rank == 2 else to.shaped(y, *node.outputs[0].shape)


@operator("matmul")
def _matmul(op: MatMul, node: Node, to: Writer) -> str:
    a, b = to.inputs
    if op.transpose_b:
        b = transposed(to, b, node.inputs[1].type.rank)
    return to("MatMul", a, b)


@operator("solve_triangular")
def _solve_triangular(op: SolveTriangular, node: Node, to: Writer) -> str:
    raise to.lacks("systems of equations")


@operator("grouped_matmul")
def _grouped_matmul(op: GroupedMatMul, node: Node, to: Writer) -> str:
    x, matrices, ends = to.inputs
    rows, groups = node.inputs[0].shape[0], node.inputs[1].shape[0]
    # A row's group is as many as have ended before it.
    places = to.constant(range(rows), (rows, 1), "int64")
    ended = to.cast(to("GreaterOrEqual", places, to.cast(ends, "int64")), "int64")
    group = to("ReduceSum", ended, to.ints(1), keepdims=0)
    own = to("Gather", matrices, to("Min", group, to.number(groups - 1, group)), axis=0)
    return to("Squeeze", to("MatMul", to("Unsqueeze", x, to.ints(1)), own), to.ints(1))


def transposed(to: Writer, x: str, rank: int) -> str:
    """``x`` with its last two dimensions exchanged."""
    return to("Transpose", x, perm=(*range(rank - 2), rank - 1, rank - 2))


@operator("rbf")
def _rbf(op: RadialBasis, node: Node, to: Writer) -> str:
    x = to("Unsqueeze", to.x, to.ints(1))
    distance = to("Sub", x, to.parameter("centers"))
    return to("ReduceSum", to("Mul", distance, distance), to.ints(-1), keepdims=0)


@operator("embedding")
def _embedding(op: Embedding, node: Node, to: Writer) -> str:
    return to("Gather", to.parameter("weight"), as_indices(to, to.x), axis=0)


def as_indices(to: Writer, x: str) -> str:
    """``x`` in a dtype that ONNX takes indices in."""
    return x if to.is_type(x, "int32", "int64") else to.cast(x, "int64")


# --- pools -------------------------------------------------------------------------------------


def _pads_pools(windows: Windows, sides: Sides) -> bool:
    """Whether ONNX's pools pad so: on each side by less than a kernel."""
    return all(max(side) < kernel for side, kernel in zip(sides, windows.kernel, strict=True))


def _elements(to: Writer, x: str, windows: Windows, fill: float = 0) -> tuple[str, str]:
    """All elements of all windows, (N, C, windows, elements, windows, elements, ...), ``fill`` in
    the padding, and the dimensions that are elements."""
    rank, sides = len(windows.kernel), windows.sides()
    x = padded(to, x, 2 + rank, sides, fill)
    axes = to.ints(*range(3, 3 + 2 * rank, 2))
    if windows.kernel == windows.stride and set(windows.dilation) == {1}:
        used = [k * count for k, count in zip(windows.kernel, windows.out, strict=True)]
        if used != [n + sum(side) for n, side in zip(windows.sizes, sides, strict=True)]:
            x = _narrow(to, x, 2, [0] * rank, used)
        split = chain(*zip(windows.out, windows.kernel, strict=True))
        return to.shaped(x, 0, 0, *split), axes
    for at in range(rank):
        how = (one[at] for one in (windows.out, windows.kernel, windows.stride, windows.dilation))
        x = windowed(to, x, 2 + 2 * at, *how)
    return x, axes


@operator("max_pool")
def _max_pool(op: MaxPool, node: Node, to: Writer) -> str | list[str]:
    windows = op.windows(node.inputs[0].type)
    how = geometry(windows)
    fits = _pads_pools(windows, windows.sides())
    if not op.indices:
        if fits:
            return to("MaxPool", to.x, **how)
        return to("ReduceMax", *_elements(to, to.x, windows, -inf), keepdims=0)
    if not fits:
        raise to.lacks("MaxPool with indices and a padding of a kernel or more")
    y, places = to.several("MaxPool", [to.x], 2, **how)
    if _are_places_in_the_whole(node.outputs[1], to):
        return [y, places]
    return [y, to("Mod", places, to.number(prod(windows.sizes), places))]


def _are_places_in_the_whole(indices: Value, to: Writer) -> bool:
    """Whether a pool's ``indices`` stay what ONNX gives and takes: places in the whole tensor, not
    in a channel of it. They can where all that reads them puts elements back into such a tensor."""
    pool = indices.producer
    return (
        pool is not None
        and pool.op.kind == "max_pool"
        and indices not in to.outputs
        and all(
            reader.op.kind == "max_unpool" and reader.outputs[0].shape == pool.inputs[0].shape
            for reader in indices.consumers
        )
    )


@operator("avg_pool")
def _avg_pool(op: AvgPool, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    windows = op.windows(type_)
    counted: Sides = windows.padding if op.count_padding else [(0, 0)] * (type_.rank - 2)
    sides = windows.sides()
    if not _pads_pools(windows, sides):
        sums = to("ReduceSum", *_elements(to, x, windows), keepdims=0)
        counts = [prod(each) for each in product(*_counts(windows, counted))]
        shape = (1, 1, *windows.out)
        return to("Div", sums, to.constant(counts, shape, type_.dtype))
    how = geometry(windows)
    del how["dilations"]  # all 1, and not known before operator set 19
    if sides == list(counted):
        return to("AveragePool", x, count_include_pad=int(any(map(any, sides))), **how)
    # What is not counted, because it hangs over or is no part of a mean, is ONNX's padding.
    x = padded(to, x, type_.rank, counted, alone=True)
    rest = [(before - b, after - a) for (before, after), (b, a) in zip(sides, counted, strict=True)]
    return to("AveragePool", x, **how | {"pads": pads_of(rest)})


def _counts(windows: Windows, counted: Sides) -> list[list[int]]:
    """Elements that count in each window of each dimension: the input's, and those ``counted``
    beside it."""
    result = []
    for at, (n, k, s) in enumerate(zip(windows.sizes, windows.kernel, windows.stride, strict=True)):
        low, high = -counted[at][0], n + counted[at][1]
        starts = (u * s - windows.padding[at][0] for u in range(windows.out[at]))
        result.append([max(0, min(start + k, high) - max(start, low)) for start in starts])
    return result


@operator("sum_pool")
def _sum_pool(op: SumPool, node: Node, to: Writer) -> str:
    elements = _elements(to, to.x, op.windows(node.inputs[0].type))
    return to("ReduceSum", *elements, keepdims=0)


@operator("lp_pool")
def _lp_pool(op: LpPool, node: Node, to: Writer) -> str:
    x, windows = to.x, op.windows(node.inputs[0].type)
    if op.norm == int(op.norm):
        return to("LpPool", x, p=int(op.norm), **geometry(windows))
    powers = to("Pow", to("Abs", x), to.number(op.norm, x))
    sums = to("ReduceSum", *_elements(to, powers, windows), keepdims=0)
    return to("Pow", sums, to.number(1 / op.norm, sums))


@operator("global_max_pool", "global_avg_pool")
def _global_pool(op: GlobalPool, node: Node, to: Writer) -> str:
    return to({"max": "GlobalMaxPool", "avg": "GlobalAveragePool"}[op.mode], to.x)


@operator("adaptive_max_pool", "adaptive_avg_pool")
def _adaptive_pool(op: AdaptivePool, node: Node, to: Writer) -> str:
    x = to.x
    sizes, bins = node.inputs[0].type.spatial, node.outputs[0].type.spatial
    if not any(n % m for n, m in zip(sizes, bins, strict=True)):
        kernel = [n // m for n, m in zip(sizes, bins, strict=True)]
        name = {"max": "MaxPool", "avg": "AveragePool"}[op.mode]
        return to(name, x, kernel_shape=kernel, strides=kernel)
    # Bins of several lengths: one after the other, in one dimension after the other.
    name = {"max": "ReduceMax", "avg": "ReduceMean"}[op.mode]
    for dim, (n, m) in enumerate(zip(sizes, bins, strict=True), 2):
        parts = []
        for at in range(m):
            start, end = at * n // m, -(-(at + 1) * n // m)
            part = _narrow(to, x, dim, [start], [end - start])
            parts.append(to(name, part, to.ints(dim), keepdims=1))
        x = to("Concat", *parts, axis=dim)
    return x


@operator("fractional_max_pool")
def _fractional_max_pool(op: FractionalMaxPool, node: Node, to: Writer) -> str:
    raise to.lacks("pools whose windows are drawn at random")


@operator("max_unpool")
def _max_unpool(op: MaxUnpool, node: Node, to: Writer) -> str:
    x, places = to.inputs
    y = node.outputs[0].type
    if not _are_places_in_the_whole(node.inputs[1], to):
        zeros = to.zeros((*y.shape[:2], prod(y.spatial)), y.dtype)
        rows = to.shaped(places, 0, 0, -1), to.shaped(x, 0, 0, -1)
        return to.shaped(to("ScatterElements", zeros, *rows, axis=2), *y.shape)
    sizes = node.inputs[0].type.spatial
    rank = len(sizes)
    kernel = per_dimension(op.kind, "kernel", op.kernel, rank)
    stride = kernel if op.stride is None else per_dimension(op.kind, "stride", op.stride, rank)
    # The padding only has to lead to a size that is not beyond the one that is given.
    over = [
        max(0, (n - 1) * s + k - out)
        for n, s, k, out in zip(sizes, stride, kernel, y.spatial, strict=True)
    ]
    pads = pads_of([(few // 2, few - few // 2) for few in over])
    how = {"kernel_shape": kernel, "strides": stride, "pads": pads}
    return to("MaxUnpool", x, places, to.ints(*y.shape), **how)


# --- normalisations ----------------------------------------------------------------------------


def _affine(to: Writer, shape: Shape, like: str) -> tuple[str, str]:
    """Weight and bias; ones and zeros in place of those that the node does not have."""
    return (
        to.parameter("weight") or to.filled(1, shape, like),
        to.parameter("bias") or to.filled(0, shape, like),
    )


def _by_statistics(to: Writer, x: str, channels: int, eps: float) -> str:
    weight, bias = _affine(to, (channels,), x)
    mean, variance = to.parameter("running_mean"), to.parameter("running_var")
    return to("BatchNormalization", x, weight, bias, mean, variance, epsilon=float(eps))


@operator("batch_norm")
def _batch_norm(op: BatchNorm, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    if op.track:
        return _by_statistics(to, x, type_.channels, op.eps)
    # Channels of the whole batch as the channels of one sample.
    exchanged = (1, 0, *range(2, type_.rank))
    shape = [type_.shape[dim] for dim in exchanged]
    x = to.shaped(to("Transpose", x, perm=exchanged), 1, type_.channels, -1)
    x = to("InstanceNormalization", x, *_affine(to, (type_.channels,), x), epsilon=float(op.eps))
    return to("Transpose", to.shaped(x, *shape), perm=exchanged)


@operator("instance_norm")
def _instance_norm(op: InstanceNorm, node: Node, to: Writer) -> str:
    x, channels = to.x, node.inputs[0].type.channels
    if op.track:
        return _by_statistics(to, x, channels, op.eps)
    return to("InstanceNormalization", x, *_affine(to, (channels,), x), epsilon=float(op.eps))


@operator("layer_norm")
def _layer_norm(op: LayerNorm, node: Node, to: Writer) -> str:
    x = to.x
    weight = to.parameter("weight") or to.filled(1, node.inputs[0].shape[-op.dims :], x)
    bias = to.optional("bias")
    return to("LayerNormalization", x, weight, *bias, axis=-op.dims, epsilon=float(op.eps))


@operator("group_norm")
def _group_norm(op: GroupNorm, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    if to.opset >= 21:  # before, its weights were those of groups
        affine = _affine(to, (type_.channels,), x)
        return to("GroupNormalization", x, *affine, num_groups=op.groups, epsilon=float(op.eps))
    groups = to.filled(1, (op.groups,), x), to.filled(0, (op.groups,), x)
    x = to("InstanceNormalization", to.shaped(x, 0, op.groups, -1), *groups, epsilon=float(op.eps))
    x = to.shaped(x, *type_.shape)
    if not op.affine:
        return x
    weight, bias = (_behind(to, to.parameter(name), type_) for name in ("weight", "bias"))
    return _shifted(to, x, weight, bias)


def _behind(to: Writer, parameter: str, x: TensorType) -> str:
    """A parameter with an entry a channel of ``x``, made fit for a broadcast."""
    return to.shaped(parameter, x.channels, *[1] * (x.rank - 2)) if x.rank > 2 else parameter


@operator("lrn")
def _lrn(op: LocalResponseNorm, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    if op.region == "across" and op.size % 2:
        flat = x if type_.rank == 4 else to.shaped(x, 0, 0, -1, 1)
        y = to(
            "LRN", flat, size=op.size, alpha=float(op.alpha), beta=float(op.beta), bias=float(op.k)
        )
        return y if type_.rank == 4 else to.shaped(y, *type_.shape)
    squares = to("Mul", x, x)
    front, back = op.size // 2, (op.size - 1) // 2
    if op.region == "within":
        rank = type_.rank - 2
        window, sides = [op.size] * rank, [(front, back)] * rank
    else:
        squares = to.shaped(squares, 0, 1, type_.channels, -1)
        window, sides = [op.size, 1], [(front, back), (0, 0)]
    mean = to("AveragePool", squares, kernel_shape=window, pads=pads_of(sides), count_include_pad=1)
    if op.region == "across":
        mean = to.shaped(mean, *type_.shape)
    scale = _shifted(to, mean, to.number(op.alpha, x), to.number(op.k, x))
    return to("Div", x, to("Pow", scale, to.number(op.beta, x)))


@operator("scale_shift")
def _scale_shift(op: ScaleShift, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    names = [to.parameter("weight"), to.parameter("bias")]
    if op.per == "channel":
        names = [name and _behind(to, name, type_) for name in names]
    return _shifted(to, x, *names)


# --- activations and regularisers --------------------------------------------------------------

ACTIVATIONS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "relu": ("Relu", {}),
    "selu": ("Selu", {}),
    "mish": ("Mish", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": ("HardSwish", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "abs": ("Abs", {}),
}
"""function -> ONNX's operator and its attributes. The others are composed or have a slope."""


@operator(*ACTIVATIONS)
def _activation(op: Activation, node: Node, to: Writer) -> str:
    name, attributes = ACTIVATIONS[op.function]
    return to(name, to.x, **attributes)


@operator("log_sigmoid")
def _log_sigmoid(op: Activation, node: Node, to: Writer) -> str:
    return to("Neg", to("Softplus", to("Neg", to.x)))


@operator("leaky_relu")
def _leaky_relu(op: Activation, node: Node, to: Writer) -> str:
    return to("LeakyRelu", to.x, alpha=_slope(op))


@operator("elu")
def _elu(op: Activation, node: Node, to: Writer) -> str:
    return to("Elu", to.x, alpha=_slope(op))


@operator("celu")
def _celu(op: Activation, node: Node, to: Writer) -> str:
    x = to.x
    if to.is_type(x, "float"):
        return to("Celu", x, alpha=_slope(op))
    slope = to.number(_slope(op), x)  # slope * elu(x / slope) is the same for any dtype
    return to("Mul", to("Elu", to("Div", x, slope)), slope)


def _slope(op: Activation) -> float:
    slope = FORMULAS[op.function].slope if op.slope is None else op.slope
    assert slope is not None
    return float(slope)


@operator("relu6", "hard_tanh")
def _clipped(op: Activation, node: Node, to: Writer) -> str:
    low, high = {"relu6": (0, 6), "hard_tanh": (-1, 1)}[op.function]
    x = to.x
    return to("Clip", x, to.number(low, x), to.number(high, x))


@operator("gelu", "gelu_tanh")
def _gelu(op: Activation, node: Node, to: Writer) -> str:
    x = to.x
    if to.opset >= 20:
        return to("Gelu", x, approximate="none" if op.function == "gelu" else "tanh")
    if op.function == "gelu":
        inner = to("Erf", to("Mul", x, to.number(sqrt(0.5), x)))
    else:
        cubes = to("Mul", to("Mul", to("Mul", x, x), x), to.number(0.044715, x))
        inner = to("Tanh", to("Mul", to("Add", x, cubes), to.number(sqrt(2 / pi), x)))
    return to("Mul", to("Mul", x, to("Add", inner, to.number(1, x))), to.number(0.5, x))


@operator("silu")
def _silu(op: Activation, node: Node, to: Writer) -> str:
    x = to.x
    return to("Mul", x, to("Sigmoid", x))


@operator("scaled_tanh")
def _scaled_tanh(op: Activation, node: Node, to: Writer) -> str:
    x = to.x
    return to("Mul", to("Tanh", to("Mul", x, to.number(2 / 3, x))), to.number(1.7159, x))


@operator("square")
def _square(op: Activation, node: Node, to: Writer) -> str:
    x = to.x
    return to("Mul", x, x)


@operator("prelu")
def _prelu(op: PReLU, node: Node, to: Writer) -> str:
    slope = to.parameter("weight")
    return to("PRelu", to.x, slope if op.shared else _behind(to, slope, node.inputs[0].type))


@operator("rescale")
def _rescale(op: Rescale, node: Node, to: Writer) -> str:
    x = to.cast(to.x, node.outputs[0].type.dtype)
    if op.scale == -1:
        return to("Sub", to.number(op.shift, x), x) if op.shift else to("Neg", x)
    scale = to.number(op.scale, x) if op.scale != 1 else ""
    shift = to.number(op.shift, x) if op.shift else ""
    return _shifted(to, x, scale, shift)


@operator("maxout")
def _maxout(op: Maxout, node: Node, to: Writer) -> str:
    y = node.outputs[0].type
    x = to.shaped(to.x, 0, y.channels, op.pieces, *y.spatial)
    return to("ReduceMax", x, to.ints(2), keepdims=0)


@operator("softmax", "log_softmax")
def _softmax(op: Softmax, node: Node, to: Writer) -> str:
    return to("LogSoftmax" if op.log else "Softmax", to.x, axis=op.dim)


@operator("dropout")
def _dropout(op: Dropout, node: Node, to: Writer) -> str:
    x = to.x
    return to("Dropout", x, to.number(op.rate, x))


@operator("drop_path", "identity")
def _identity(op: DropPath | Op, node: Node, to: Writer) -> str:
    return to("Identity", to.x)


# --- merges ------------------------------------------------------------------------------------


@operator("concat")
def _concat(op: Concat, node: Node, to: Writer) -> str:
    return to("Concat", *to.inputs, axis=op.dim)


@operator("sum", "product", "maximum", "mean")
def _elementwise(op: Elementwise, node: Node, to: Writer) -> str:
    y = node.outputs[0].type
    xs = [to.cast(x, y.dtype) for x in to.inputs]
    match op.function:
        case "maximum":
            return to("Max", *xs)
        case "sum" | "mean" if y.dtype in FLOATS and (len(xs) > 2 or op.function == "mean"):
            return to({"sum": "Sum", "mean": "Mean"}[op.function], *xs)
        case "sum" | "mean":
            total = reduce(lambda a, b: to("Add", a, b), xs)
            return total if op.function == "sum" else to("Div", total, to.number(len(xs), total))
        case _:
            return reduce(lambda a, b: to("Mul", a, b), xs)


# --- shapes ------------------------------------------------------------------------------------


@operator("pad")
def _pad(op: Pad, node: Node, to: Writer) -> str:
    x, rank = to.x, node.inputs[0].type.rank
    sides = pairs(op.kind, op.padding, rank - 2)
    channels = op.channels or (0, 0)
    around: Sides = [(channels[0], channels[1]), *[(0, 0)] * (rank - 2)]
    if op.mode == "constant":
        x = padded(to, x, rank, [around[0], *sides], alone=True)
    else:
        x = padded(to, x, rank, sides, mode={"reflect": "reflect", "replicate": "edge"}[op.mode])
        x = padded(to, x, rank, around)
    return x


@operator("crop")
def _crop(op: Crop, node: Node, to: Writer) -> str:
    reach = op.reach(node.application.inputs, node.application.outputs)
    starts = [int(dim.low) for dim in reach]
    return _narrow(to, to.x, 2, starts, node.outputs[0].type.spatial)


@operator("upsample")
def _upsample(op: Upsample, node: Node, to: Writer) -> str:
    x, y = to.x, node.outputs[0].type
    how: dict[str, Any] = {"mode": {"bilinear": "linear", "bicubic": "cubic"}.get(op.mode, op.mode)}
    if op.mode == "nearest":
        how |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        corners = "align_corners" if op.align_corners else "half_pixel"
        how["coordinate_transformation_mode"] = corners
    if op.mode == "bicubic":
        how["cubic_coeff_a"] = -0.5 if op.antialias else -0.75  # as PyTorch's two kernels
    if op.antialias:
        how |= {"antialias": 1, "exclude_outside": 1}  # weights of what lies inside sum to 1
    if op.scale is None:
        return to("Resize", x, "", "", to.ints(*y.shape), **how)
    scales = (1, 1, *per_dimension(op.kind, "scale", op.scale, y.rank - 2))
    return to("Resize", x, "", to.constant(scales, (y.rank,), "fp32"), **how)


@operator("reshape")
def _reshape(op: Reshape, node: Node, to: Writer) -> str:
    return to.shaped(to.x, 0, *op.shape)


@operator("flatten")
def _flatten(op: Flatten, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    start, end = op.start % type_.rank, op.end % type_.rank
    if start == 1 and end == type_.rank - 1:
        return to("Flatten", x, axis=1)
    return to.shaped(x, *[0] * start, -1, *type_.shape[end + 1 :])


@operator("permute")
def _permute(op: Permute, node: Node, to: Writer) -> str:
    rank = node.inputs[0].type.rank
    return to("Transpose", to.x, perm=[dim % rank for dim in op.dims])


@operator("slice")
def _slice(op: Slice, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    dim = op.dim % type_.rank
    bounds = slice(op.start, op.stop, op.step).indices(type_.shape[dim])
    start, stop, step = (to.ints(bound) for bound in bounds)
    return to("Slice", x, start, stop, to.ints(dim), step)


@operator("split")
def _split(op: Split, node: Node, to: Writer) -> list[str]:
    sizes = to.ints(*(value.shape[op.dim] for value in node.outputs))
    return to.several("Split", [to.x, sizes], len(node.outputs), axis=op.dim)


@operator("channel_shuffle")
def _channel_shuffle(op: ChannelShuffle, node: Node, to: Writer) -> str:
    shape = node.inputs[0].shape
    x = to.shaped(to.x, 0, op.groups, shape[1] // op.groups, *shape[2:])
    return to.shaped(to("Transpose", x, perm=(0, 2, 1, *range(3, len(shape) + 1))), *shape)


@operator("pixel_shuffle")
def _pixel_shuffle(op: PixelShuffle, node: Node, to: Writer) -> str:
    x, y, r = to.x, node.outputs[0].type, op.factor
    channels, rank = node.inputs[0].type.channels, y.rank - 2
    at = range(rank)
    if op.inverse:
        split = (side for size in y.spatial for side in (size, r))
        x = to.shaped(x, 0, channels, *split)
        order = [0, 1, *(3 + 2 * dim for dim in at), *(2 + 2 * dim for dim in at)]
    elif rank == 2:
        return to("DepthToSpace", x, blocksize=r, mode="CRD")
    else:
        x = to.shaped(x, 0, y.channels, *[r] * rank, *node.inputs[0].type.spatial)
        order = [0, 1, *(place for dim in at for place in (2 + rank + dim, 2 + dim))]
    return to.shaped(to("Transpose", x, perm=order), *y.shape)


# The builders of other families: they register themselves, with what stands above.
from archcost.targets import onnx_sequences, onnx_tensors  # noqa: E402, F401
