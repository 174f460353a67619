"""Random stacks of operators: the micro-benchmarks that a device's efficiencies are fitted on.

None of them is a network of anybody's, and no network's sizes are in them: operators and sizes are
drawn at random, as the sizes of networks are spread (channels mostly multiples of 8, the more of
them the smaller the image, windows mostly of 1 or 3). Each operator takes what the one before
made, since its time depends on where its data lie: repeated alone it would find all of them in the
nearest cache, as it does in no network.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from math import exp, log
from typing import Final, NamedTuple

from archcost.ir import ArchcostError, Graph, GraphBuilder, Op, TensorType, Value
from archcost.ir.ops.activation import Activation, Maxout, PReLU, Rescale, Softmax
from archcost.ir.ops.attention import Attention
from archcost.ir.ops.convolution import Conv, ConvTranspose, DepthwiseConv, LocalConv
from archcost.ir.ops.linear import Linear, MatMul
from archcost.ir.ops.merge import Concat, Elementwise
from archcost.ir.ops.normalization import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    ScaleShift,
)
from archcost.ir.ops.pooling import AvgPool, GlobalPool, MaxPool
from archcost.ir.ops.shape import Flatten, Pad, Upsample

Shape = tuple[int, ...]


class Limits(NamedTuple):
    """How large operators may be: MACs and bytes of traffic of one, samples at once."""

    macs: int
    traffic: int
    batch: int


CPU_LIMITS: Final = Limits(macs=2 * 10**9, traffic=250 * 10**6, batch=16)
GPU_LIMITS: Final = Limits(macs=10**12, traffic=4 * 10**9, batch=128)

LONGEST: Final = 24
"""Operators in a stack at most."""
TRIES: Final = 40

ACTIVATIONS: Final = (
    *("leaky_relu", "sigmoid", "tanh", "scaled_tanh", "elu", "gelu", "silu"),
    *("hard_swish", "softplus"),
)


class _Draw:
    """Draws sizes; the same ones for the same seed."""

    def __init__(self, limits: Limits, seed: int) -> None:
        self.random = random.Random(seed)
        self.limits = limits

    def between(self, low: int, high: int) -> int:
        """Log-uniform in [low, high]."""
        drawn = round(exp(self.random.uniform(log(low), log(high))))
        return min(high, max(low, drawn))

    def channels(self, low: int, high: int) -> int:
        """Of five four are a multiple of 8 or 16."""
        drawn = self.between(low, max(low, high))
        step = self.random.choice((1, 8, 8, 16, 16))
        return min(high, max(low, round(drawn / step) * step)) if drawn >= step else drawn

    def batch(self) -> int:
        """Of five two are 1."""
        return 1 if self.likely(0.4) else self.between(2, self.limits.batch)

    def one(self, *choices: int) -> int:
        return self.random.choice(choices)

    def likely(self, share: float) -> bool:
        return self.random.random() < share

    def width(self, x: Shape) -> int:
        """Channels of a convolution's output: mostly as many as go in, or twice or half as many."""
        channels, usual = x[1], 4000 / x[2]
        drawn = self.random.random()
        if channels < 8 or drawn < 0.3:
            return self.channels(8, int(max(24, min(2048, usual * 2))))
        if drawn < 0.65:
            return channels
        factor = self.random.choice((2.0, 2.0, 0.5, 0.5, 0.25, 4.0, 1.5))
        return int(min(2048, max(4, channels * factor)))


Made = tuple[Op, tuple[Value, ...]]
Seen = Sequence[Value]
Recipe = Callable[[_Draw, Value, Seen], Made | None]


def _conv(draw: _Draw, x: Value, _: Seen) -> Made:
    first = x.shape[1] < 8
    kernel = draw.one(3, 5, 7, 11) if first else draw.one(3, 3, 3, 3, 3, 5, 2)
    stride = draw.one(1, 2, 2, 4) if kernel > 5 else draw.one(1, 1, 1, 2)
    padding = kernel // 2 if draw.likely(0.8) else 0
    bias = draw.likely(0.5)
    op = Conv(out=draw.width(x.shape), kernel=kernel, stride=stride, padding=padding, bias=bias)
    return op, (x,)


def _pointwise(draw: _Draw, x: Value, _: Seen) -> Made:
    op = Conv(out=draw.width(x.shape), stride=draw.one(1, 1, 1, 1, 1, 2), bias=draw.likely(0.5))
    return op, (x,)


def _grouped(draw: _Draw, x: Value, _: Seen) -> Made | None:
    channels = x.shape[1]
    groups = [g for g in (2, 4, 8, 32, 64) if channels % g == 0 and channels > g]
    if not groups:
        return None
    chosen = draw.random.choice(groups)
    out = channels * draw.one(1, 1, 2)
    kernel = draw.one(1, 3, 3, 3, 5)
    stride = draw.one(1, 1, 2)
    op = Conv(
        out=out,
        kernel=kernel,
        stride=stride,
        padding=kernel // 2,
        groups=chosen,
        bias=draw.likely(0.5),
    )
    return op, (x,)


def _depthwise(draw: _Draw, x: Value, _: Seen) -> Made:
    kernel = draw.one(3, 3, 3, 5, 7)
    op = DepthwiseConv(kernel=kernel, stride=draw.one(1, 1, 2), padding=kernel // 2, bias=False)
    return op, (x,)


def _transposed(draw: _Draw, x: Value, _: Seen) -> Made:
    kernel, stride, padding = draw.random.choice(
        ((2, 2, 0), (3, 2, 1), (4, 2, 1), (3, 1, 1), (16, 8, 4), (8, 4, 2))
    )
    out = draw.channels(4, max(8, x.shape[1]))
    op = ConvTranspose(
        out=out, kernel=kernel, stride=stride, padding=padding, bias=draw.likely(0.5)
    )
    return op, (x,)


def _local(draw: _Draw, x: Value, _: Seen) -> Made | None:
    if x.shape[2] > 32:
        return None
    return LocalConv(out=draw.channels(8, 64), kernel=draw.one(3, 5), padding=1), (x,)


def _pool(draw: _Draw, x: Value, _: Seen) -> Made | None:
    kernel, stride = draw.random.choice(((2, 2), (2, 2), (3, 2), (3, 2), (3, 1), (4, 4), (7, 7)))
    if x.shape[2] < kernel:
        return None
    padding = draw.one(0, kernel // 2)
    kind = MaxPool if draw.likely(0.6) else AvgPool
    return kind(kernel=kernel, stride=stride, padding=padding), (x,)


def _maxout(draw: _Draw, x: Value, _: Seen) -> Made | None:
    pieces = [p for p in (2, 5) if x.shape[1] % p == 0]
    return (Maxout(pieces=draw.random.choice(pieces)), (x,)) if pieces else None


def _joined(draw: _Draw, x: Value, seen: Seen) -> Made | None:
    """A sum, mostly, of tensors of one shape; a gate where there is one for x."""
    alike = [value for value in seen if value.shape == x.shape]
    gates = [value for value in seen if value.shape == (*x.shape[:2], 1, 1)]
    if gates and x.shape[2] > 1:
        return Elementwise(function="product"), (x, draw.random.choice(gates))
    if len(alike) < 2:
        return None
    function = draw.random.choice(("sum", "sum", "sum", "product", "mean", "maximum"))
    terms = draw.random.sample(alike, min(len(alike), draw.one(2, 2, 2, 3, 4)))
    return Elementwise(function=function), tuple(terms)  # type: ignore[arg-type]


def _concat(draw: _Draw, x: Value, seen: Seen) -> Made | None:
    fitting = [v for v in seen if v.shape[:1] + v.shape[2:] == x.shape[:1] + x.shape[2:]]
    parts = draw.random.sample(fitting, min(len(fitting), draw.one(2, 2, 3, 4)))
    return (Concat(), tuple(parts)) if len(parts) > 1 else None


def _layer_norm(draw: _Draw, x: Value, _: Seen) -> Made | None:
    return (LayerNorm(), (x,)) if len(x.shape) < 4 else None


def _group_norm(draw: _Draw, x: Value, _: Seen) -> Made | None:
    return (GroupNorm(groups=8), (x,)) if x.shape[1] % 8 == 0 else None


def _always(make: Callable[[_Draw], Op]) -> Recipe:
    return lambda draw, x, _: (make(draw), (x,))


_RELU: Final = _always(lambda _: Activation("relu"))
_BATCH_NORM: Final = _always(lambda _: BatchNorm())
_LAYERS: Final[tuple[tuple[Recipe, float], ...]] = (
    (_conv, 10),
    (_pointwise, 8),
    (_grouped, 3),
    (_depthwise, 4),
    (_transposed, 2.2),
    (_local, 1),
)
"""What begins a layer of a stack over images, and how often."""
_BETWEEN: Final[tuple[tuple[Recipe, float], ...]] = (
    (_pool, 6),
    (_joined, 5),
    (_concat, 3.5),
    (_BATCH_NORM, 1.5),
    (_RELU, 1),
    (_maxout, 1.2),
    (_group_norm, 1),
    (_always(lambda _: LocalResponseNorm()), 1.5),
    (_always(lambda _: ScaleShift()), 0.8),
    (_always(lambda _: PReLU()), 1.2),
    (_always(lambda _: Rescale(scale=0.5, shift=1)), 0.8),
    (_always(lambda draw: Activation(draw.random.choice(ACTIVATIONS))), 4),
    (_always(lambda draw: GlobalPool("avg" if draw.likely(0.6) else "max")), 1.8),
    (_always(lambda _: Upsample(scale=2)), 0.8),
    (_always(lambda draw: Pad(padding=draw.one(1, 2))), 1),
)
"""What stands between layers."""


class _Stack:
    """One stack while it is made."""

    def __init__(self, draw: _Draw, name: str) -> None:
        self.draw = draw
        self.builder = GraphBuilder(name)
        self.seen: list[Value] = []

    def begin(self, shape: Shape) -> Value:
        value = self.builder.input("input", TensorType(shape))
        self.seen.append(value)
        return value

    def add(self, made: Made | None) -> Value | None:
        """The output of an operator; None where it does not take its inputs, or is too large."""
        if made is None:
            return None
        op, inputs = made
        limits = self.draw.limits
        try:
            application = op.apply(tuple(value.type for value in inputs))
        except ArchcostError:
            return None
        moved = application.read_bytes + application.written_bytes
        if application.macs > limits.macs or moved > limits.traffic:
            return None
        if not all(application.outputs[0].shape):
            return None
        (value,) = self.builder.add(op, inputs, f"{op.kind}{len(self.builder)}")
        self.seen.append(value)
        return value

    def drawn(self, recipes: Sequence[tuple[Recipe, float]], x: Value) -> Value | None:
        """The output of an operator of ``recipes`` that takes ``x``."""
        names, weights = zip(*recipes, strict=True)
        for _ in range(TRIES):
            (recipe,) = self.draw.random.choices(names, weights)
            if value := self.add(recipe(self.draw, x, self.seen)):
                return value
        return None


def _images(stack: _Stack) -> Value:
    draw = stack.draw
    size = draw.between(8, 288)
    usual = 3000 / size
    deep = draw.channels(max(4, int(usual / 8)), int(max(24, min(1024, usual * 3))))
    shape = (draw.batch(), draw.one(1, 3, 3) if draw.likely(0.25) else deep, size, size)
    x = stack.begin(shape)
    if shape[1] < 8:
        x = stack.drawn(((_conv, 1.0),), x) or x
    wanted = draw.between(6, LONGEST - 4)
    while len(stack.builder) < wanted and len(x.shape) == 4 and x.shape[2] > 1:
        y = stack.drawn(_LAYERS, x)
        if y is None:
            break
        x = y
        if draw.likely(0.55):
            x = stack.add(_BATCH_NORM(draw, x, ())) or x
        if draw.likely(0.7):
            x = stack.add(_RELU(draw, x, ())) or x
        while draw.likely(0.45):
            y = stack.drawn(_BETWEEN, x)
            if y is None:
                break
            # A gate's source goes on as it is, for something to be gated.
            x = x if y.shape[2:] == (1, 1) and draw.likely(0.7) else y
    if draw.likely(0.4):
        return _vectors(stack, stack.add((Flatten(), (x,))) or x)
    return x


def _vectors(stack: _Stack, x: Value | None = None) -> Value:
    draw = stack.draw
    if x is None:
        x = stack.begin((draw.batch(), draw.between(16, 16384)))
    for _ in range(draw.one(1, 2, 3, 4)):
        y = stack.add((Linear(out=draw.between(10, 6000)), (x,)))
        x = y or x
        if y is not None and draw.likely(0.6):
            kind = "relu" if draw.likely(0.6) else draw.random.choice(ACTIVATIONS)
            x = stack.add((Activation(kind), (x,))) or x
    if draw.likely(0.5):
        x = stack.add((Softmax(), (x,))) or x
    return x


def _tokens(stack: _Stack) -> Value:
    draw = stack.draw
    heads, size = draw.one(2, 4, 8, 12), draw.one(32, 64)
    x = stack.begin((draw.batch(), draw.between(16, 512), heads * size))
    for _ in range(draw.one(1, 2, 3)):
        x = stack.add((LayerNorm(), (x,))) or x
        wide = stack.add((Linear(out=x.shape[-1] * draw.one(1, 2, 4), flatten=False), (x,))) or x
        wide = stack.add((Activation("gelu" if draw.likely(0.7) else "relu"), (wide,))) or wide
        y = stack.add((Linear(out=x.shape[-1], flatten=False), (wide,))) or x
        if y is not x:
            x = stack.add((Elementwise(function="sum"), (x, y))) or x
        x = stack.add((MatMul(transpose_b=True), (x, y))) or x if draw.likely(0.3) else x
        if draw.likely(0.3):
            x = stack.add((Softmax(), (x,))) or x
    return x


def _attention(stack: _Stack) -> Value:
    draw = stack.draw
    x = stack.begin((draw.batch(), draw.one(2, 4, 8, 12), draw.between(16, 512), draw.one(32, 64)))
    for _ in range(3):
        x = stack.add((Attention(), (x, x, x))) or x
    return x


KINDS: Final[tuple[tuple[Callable[[_Stack], Value], float], ...]] = (
    (_images, 0.82),
    (_vectors, 0.09),
    (_tokens, 0.07),
    (_attention, 0.02),
)


def stacks(limits: Limits, number: int, *, seed: int = 0) -> Iterator[Graph]:
    """Random stacks of operators; the same ones for the same arguments.

    Args:
        limits: how large operators may be.
        number: of stacks.
        seed: of the random numbers.
    """
    draw = _Draw(limits, seed)
    kinds, weights = zip(*KINDS, strict=True)
    made = 0
    while made < number:
        stack = _Stack(draw, f"stack{made}")
        (kind,) = draw.random.choices(kinds, weights)
        last = kind(stack)
        if len(stack.builder):
            made += 1
            yield stack.builder.build(_ends(stack, last))


def _ends(stack: _Stack, last: Value) -> dict[str, Value]:
    """The last value, and beside it those that nobody reads: what made them must run."""
    unread = [v for v in stack.seen if v.producer is not None and not v.consumers and v is not last]
    return {"output": last, **{f"output{place}": v for place, v in enumerate(unread)}}
