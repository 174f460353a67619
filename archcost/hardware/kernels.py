"""What a device executes for one node: the sizes that its time depends on.

A :class:`Kernel` says nothing of any device but for the sizes of its caches. Convolutions, linear
layers and products of matrices are one product of an (m, k) and a (k, n) matrix for each of
``groups`` groups, as libraries compute them; everything else is elements read, written and
computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final, NamedTuple

from archcost.ir import Application, Graph, Node
from archcost.ir.ops.convolution import (
    Conv,
    ConvTranspose,
    DeformConv,
    DepthwiseConv,
    DynamicConv,
    DynamicConvTranspose,
)
from archcost.ir.ops.linear import Linear
from archcost.ir.ops.merge import Elementwise
from archcost.ir.ops.windows import Windows

VECTOR: Final = 16
"""Channels that libraries compute at once on CPUs: 64 bytes of fp32, one register of AVX-512."""

KEPT: Final = 32 * 2**20
"""Largest block that glibc's malloc keeps for the next one who asks: DEFAULT_MMAP_THRESHOLD_MAX of
malloc.c, on 64-bit systems. Each larger one is mapped and unmapped, page by page."""

VIEW: Final = "view"
"""Class of nodes that look at their input in another way: nothing is moved, but they are called."""

PRODUCTS: Final = (
    *("conv", "conv_pointwise", "conv_grouped", "conv_depthwise", "conv_transpose"),
    *("linear", "linear_vector", "matmul"),
)
"""Classes of nodes that multiply matrices; of ``linear_vector`` one is a single vector."""


class Sizes(NamedTuple):
    """What a node's time depends on wherever it stands: the same for all that do the same.

    Attributes:
        group: its class: one of :data:`PRODUCTS`, :data:`VIEW`, else its operator's kind.
        family: the class of which it is where its own is not known: the operator's family.
        flops: of its multiply-accumulates, 2 each.
        ops: its other elementary operations.
        launches: kernels that it takes at least: a sum of n tensors takes n - 1.
        m, n, k, groups: of the product of matrices that it is; 1 each where it is none.
        inside: share of the products that lie on its input rather than on padding.
        fill_n, fill_k: share of the last vectors' lanes in use, 0 to 1, for the output's and the
            input's channels.
        odd: 1 where one of them does not fill its vectors, else 0.
        strided: 1 where windows step over positions, else 0.
    """

    group: str
    family: str
    flops: float
    ops: float
    launches: float
    m: float = 1.0
    n: float = 1.0
    k: float = 1.0
    groups: float = 1.0
    inside: float = 1.0
    fill_n: float = 1.0
    fill_k: float = 1.0
    odd: float = 0.0
    strided: float = 0.0


class Traffic(NamedTuple):
    """Bytes that a node moves, each by the level of memory that they come from or go to.

    The lists go from the nearest cache to memory, one entry a level. ``fresh`` are those of the
    writes that go to pages which the system hands out for them: the C library keeps what is freed,
    except of blocks larger than :data:`KEPT`.
    """

    reads: tuple[float, ...]
    weights: tuple[float, ...]
    writes: tuple[float, ...]
    fresh: float = 0.0


class Kernel(NamedTuple):
    """One node on a device."""

    sizes: Sizes
    traffic: Traffic


def kernels(graph: Graph, caches: Sequence[int], *, pages: bool = True) -> tuple[Kernel, ...]:
    """What is executed for each node of ``graph``, in its order, one pass after another.

    A tensor that was touched ``d`` bytes of traffic ago lies in the first level that holds more
    than ``d`` bytes. For an input that is the traffic since it was made; for weights that of a
    whole pass, since they were last read in the pass before; what is written goes where the
    allocator has just freed memory of this size, at the distance of the node's own traffic.

    Args:
        graph: the network.
        caches: bytes of each level of cache, the smallest first.
        pages: whether large blocks come fresh from the operating system, as on a CPU; an allocator
            of a GPU keeps them.
    """
    ends: dict[object, float] = dict.fromkeys(graph.inputs, 0.0)
    reached = 0.0
    distances = []
    for node in graph.nodes:
        application = node.application
        own = float(node.read_bytes + application.written_bytes)
        born = min((ends[value] for value in node.inputs), default=reached)
        distances.append((own, reached - born + own))
        reached += own
        for value in node.outputs:
            # A view is as near as what it looks at.
            ends[value] = born if application.op.view else reached
    sizes = {a: sizes_of(a) for a in {node.application for node in graph.nodes}}
    levels = Levels(caches)
    return tuple(
        Kernel(
            sizes[node.application],
            traffic(node, sizes[node.application], since, reached, own, levels, pages=pages),
        )
        for node, (own, since) in zip(graph.nodes, distances, strict=True)
    )


def traffic(
    node: Node,
    sizes: Sizes,
    inputs: float,
    weights: float,
    outputs: float,
    levels: Levels,
    *,
    pages: bool,
) -> Traffic:
    """What a node moves.

    Args:
        node: the node.
        sizes: its sizes.
        inputs: bytes of traffic since its oldest input was made, its own among them.
        weights: the same, since its weights were read.
        outputs: the same, since the memory of its outputs was touched.
        levels: splits bytes among the levels of memory.
        pages: whether large blocks come fresh from the operating system.
    """
    application = node.application
    if application.op.view:
        nothing = levels(0.0, 0.0)
        return Traffic(nothing, nothing, nothing, 0.0)
    own = application.op.parameter_bytes_read(application.inputs, application.parameter_bytes)
    again = sizes.launches - 1  # of several kernels each later one reads the result before it
    read = node.read_bytes - own + again * application.written_bytes
    written = sizes.launches * application.written_bytes
    large = float(sum(nbytes for nbytes in application.output_bytes if nbytes > KEPT))
    return Traffic(
        levels(float(read), inputs),
        levels(float(own), weights),
        levels(float(written), outputs),
        sizes.launches * large if pages else 0.0,
    )


class Levels:
    """Splits bytes among levels of memory by how long ago they were touched.

    The change from one level to the next is gradual, over about a factor of four around its size:
    caches are shared with other data, and keep part of what is larger than they are.
    """

    def __init__(self, caches: Sequence[int]) -> None:
        self.caches = tuple(caches)

    def __call__(self, nbytes: float, distance: float) -> tuple[float, ...]:
        left = 1.0
        shares = []
        for size in self.caches:
            inside = left / (1.0 + (distance / (0.7 * size)) ** 3)
            shares.append(nbytes * inside)
            left -= inside
        return (*shares, nbytes * left)


def sizes_of(application: Application) -> Sizes:
    """The sizes of an operator applied to inputs of given types."""
    op = application.op
    kind = op.kind
    family = type(op).__module__.rpartition(".")[2]
    if family in PRODUCTS:  # of these modules what multiplies no matrices looks things up
        family = "indexing"
    if op.view:
        return Sizes(VIEW, VIEW, 0.0, 0.0, 1.0)
    work = application.work
    flops = 2.0 * work.mac
    ops = float(application.flops - 2 * work.mac)
    if isinstance(op, Elementwise):
        return Sizes(kind, family, flops, ops, float(max(1, len(application.inputs) - 1)))
    if isinstance(op, Conv | DepthwiseConv | DynamicConv | DeformConv):
        return _convolution(application, flops, ops)
    if isinstance(op, ConvTranspose | DynamicConvTranspose):
        x = application.inputs[0]
        m = x.shape[0] * prod(x.shape[2:])
        k = x.channels // op.groups
        n = max(1, work.mac // (m * k * op.groups))
        strided = float(any(s > 1 for s in _each(op.stride)))
        out = application.outputs[0].channels // op.groups
        return _product("conv_transpose", flops, ops, m, n, k, op.groups, out, k, 1.0, strided)
    if isinstance(op, Linear):
        y = application.outputs[0]
        n = y.shape[-1] if not op.flatten else prod(y.shape[1:])
        m = max(1, y.numel // n)
        k = max(1, work.mac // (m * n))
        return _product("linear" if m > 1 else "linear_vector", flops, ops, m, n, k)
    if work.mac:
        return _some_product(application, flops, ops)
    return Sizes(kind, family, flops, ops, 1.0)


def _convolution(application: Application, flops: float, ops: float) -> Sizes:
    """Windows of all positions are the rows of one factor: (m, k) times (k, n), group by group."""
    op = application.op
    assert isinstance(op, Conv | DepthwiseConv | DynamicConv | DeformConv)
    x, y = application.inputs[0], application.outputs[0]
    groups = x.channels if isinstance(op, DepthwiseConv) else op.groups
    n = y.channels // groups
    m = y.shape[0] * prod(y.spatial)
    k = max(1, application.work.mac // (m * y.channels))
    windows = Windows(op.kind, x, op.kernel, op.stride, op.padding, op.dilation)
    name = "conv"
    if groups > 1:
        name = "conv_depthwise" if groups == x.channels else "conv_grouped"
    elif prod(windows.kernel) == 1:
        name = "conv_pointwise"
    strided = float(any(s > 1 for s in windows.stride))
    channels = y.channels, x.channels
    return _product(name, flops, ops, m, n, k, groups, *channels, _inside(windows), strided)


def _inside(windows: Windows) -> float:
    """Share of the windows' elements that lie on the input."""
    share = 1.0
    for size, kernel_, stride, dilation, (before, _), out in zip(
        windows.sizes,
        windows.kernel,
        windows.stride,
        windows.dilation,
        windows.padding,
        windows.out,
        strict=True,
    ):
        on = 0
        for tap in range(kernel_):
            offset = tap * dilation - before
            first = max(0, -(offset // stride))  # the first position that reaches 0
            last = min(out - 1, (size - 1 - offset) // stride)
            on += max(0, last - first + 1)
        share *= max(on, 1) / (out * kernel_)
    return share


def _some_product(application: Application, flops: float, ops: float) -> Sizes:
    """Matrix products, attention, recurrent layers: the last size is n, what is summed over k."""
    y = application.outputs[0]
    x = application.inputs[0]
    n = y.shape[-1] if y.shape else 1
    k = x.shape[-1] if x.shape else 1
    rows = max(1, application.work.mac // (n * k))
    m = min(rows, y.shape[-2] if len(y.shape) > 1 else 1)
    return _product("matmul", flops, ops, m, n, k, max(1, rows // m))


def _product(
    group: str,
    flops: float,
    ops: float,
    m: int,
    n: int,
    k: int,
    groups: int = 1,
    out_channels: int = VECTOR,
    in_channels: int = VECTOR,
    inside: float = 1.0,
    strided: float = 0.0,
) -> Sizes:
    fill_n, fill_k = _fill(out_channels), _fill(in_channels)
    odd = float(fill_n < 1 or fill_k < 1)
    return Sizes(
        group,
        "matmul",
        flops,
        ops,
        1.0,
        *(float(m), float(n), float(k), float(groups)),
        *(inside, fill_n, fill_k, odd, strided),
    )


def _fill(channels: int) -> float:
    """Share of the lanes in use when ``channels`` fill vectors one after the other."""
    return channels / (-(-channels // VECTOR) * VECTOR)


def _each(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else value
