"""Graphs up to names: what is left of one when everything is gone that readers may write otherwise.

The normal form of a graph is a list of steps without names. Two graphs are the same up to names if
their normal forms are: then there is one way, beginning at the outputs, to pair each step of the
one with a step of the other that has the same operator and arguments, reads paired values in the
same places, and uses paired parameters. It is found by walking back from the outputs, each input
of a step being a certain one, so that it takes time in the number of steps.

These are one in it:

- identities, dropout and drop path, which compute nothing at inference, and no step at all;
- all views that keep the order of elements, in any number (flatten, reshape, view, squeeze,
  unsqueeze; the flattening of a linear layer), and one reshape to the last shape;
- a depthwise convolution, and one with as many groups as channels;
- padding with zeros before a convolution, and the convolution's own, "same" or in numbers;
  likewise with -inf before a max pool; windows whose number was rounded up, and as many;
- a dimension counted from the end and from the start, a number for all dimensions and one for each;
- a global pool, an adaptive one to size 1, and the mean or maximum over the spatial dimensions;
- upsampling to a size, and by the scale that gives it;
- a mean of tensors, and their sum times a constant; a sum of three, and two sums of two.

Not looked at: names, the parameters' dtypes, whether a node works in place, parameters that no node
uses, and steps whose results nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, prod
from typing import NamedTuple

from archcost.ir import Graph, Node, Parameter, Shape, TensorType
from archcost.ir.ops.windows import Windows, pairs, per_dimension

WINDOWS = ("conv", "depthwise_conv", "local_conv", "max_pool", "avg_pool", "sum_pool", "lp_pool")
NOTHING = ("identity", "dropout", "drop_path")
VIEWS = ("flatten", "reshape", "view", "squeeze", "unsqueeze")


class Ref(NamedTuple):
    """A value: output ``at`` of a step, or of the graph's inputs, whose step is None."""

    step: Step | None
    at: int
    type: TensorType


class Step:
    """An operator applied: compared by identity."""

    __slots__ = ("inputs", "key", "outputs", "parameters", "where")

    def __init__(
        self,
        key: tuple[object, ...],
        inputs: tuple[Ref, ...],
        parameters: tuple[Parameter, ...],
        outputs: tuple[TensorType, ...],
        where: str,
    ) -> None:
        self.key = key
        self.inputs = inputs
        self.parameters = parameters
        self.outputs = outputs
        self.where = where

    def __repr__(self) -> str:
        shapes = ", ".join(str(ref.type) for ref in self.inputs)
        return f"{self.where}: {self.key}({shapes})"


class Normal:
    """The normal form of a graph: ``outputs`` lead back to all steps."""

    def __init__(self, graph: Graph) -> None:
        self.refs = {value: Ref(None, at, value.type) for at, value in enumerate(graph.inputs)}
        for node in graph:
            inputs = [self.refs[value] for value in node.inputs]
            results = RULES.get(node.op.kind, plain)(node, inputs)
            self.refs.update(zip(node.outputs, results, strict=True))
        self.outputs = [self.refs[value] for value in graph.outputs]


def difference_up_to_names(one: Graph, other: Graph) -> str | None:
    """The first difference that is found between the normal forms; None: there is none."""
    a, b = Normal(one), Normal(other)
    if len(a.outputs) != len(b.outputs):
        return f"{len(a.outputs)} outputs, {len(b.outputs)}"
    todo = list(zip(a.outputs, b.outputs, strict=True))
    paired: dict[Step, Step] = {}
    back: dict[Step, Step] = {}
    parameters: dict[Parameter, Parameter] = {}
    users: dict[Parameter, Parameter] = {}
    while todo:
        x, y = todo.pop()
        if (x.at, x.type) != (y.at, y.type) or (x.step is None) != (y.step is None):
            return f"{x.step or 'input'}, output {x.at}; {y.step or 'input'}, output {y.at}"
        if x.step is None or y.step is None:
            continue
        if x.step in paired or y.step in back:
            if paired.get(x.step) is not y.step or back.get(y.step) is not x.step:
                return f"read once and read again: {x.step}; {y.step}"
            continue
        paired[x.step], back[y.step] = y.step, x.step
        if x.step.key != y.step.key or len(x.step.inputs) != len(y.step.inputs):
            return f"{x.step}; {y.step}"
        for p, q in zip(x.step.parameters, y.step.parameters, strict=True):
            same = (p.shape, p.trainable) == (q.shape, q.trainable)
            if not same or parameters.setdefault(p, q) is not q or users.setdefault(q, p) is not p:
                return f"{x.step} has {p}; {y.step} has {q}"
        todo += zip(x.step.inputs, y.step.inputs, strict=True)
    return None


# --- rules: a node and what it reads -> what it gives --------------------------------------------

Rule = Callable[[Node, list[Ref]], list[Ref]]
RULES: dict[str, Rule] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def step(node: Node, key: tuple[object, ...], inputs: list[Ref]) -> list[Ref]:
    """A step with the node's own parameters and outputs."""
    outputs = tuple(value.type for value in node.outputs)
    made = Step(key, tuple(inputs), node.parameters, outputs, node.name)
    return [Ref(made, at, type_) for at, type_ in enumerate(outputs)]


def part(
    node: Node, key: tuple[object, ...], inputs: list[Ref], shape: Shape, *stored: Parameter
) -> Ref:
    """One of several steps that a node comes to."""
    type_ = node.outputs[0].type.with_shape(shape)
    return Ref(Step(key, tuple(inputs), stored, (type_,), node.name), 0, type_)


def plain(node: Node, inputs: list[Ref]) -> list[Ref]:
    """The operator with all its arguments, dimensions counted from the start."""
    return step(node, (node.op.kind, *arguments(node, inputs)), inputs)


def arguments(node: Node, inputs: list[Ref], without: tuple[str, ...] = ()) -> list[object]:
    result: list[object] = []
    for field in node.op._fields:
        if field.name in without:
            continue
        value = getattr(node.op, field.name)
        if field.type == "Dim" and inputs:
            value %= inputs[0].type.rank
        elif field.name in ("dims", "dim") and isinstance(value, tuple) and inputs:
            value = tuple(sorted(at % inputs[0].type.rank for at in value))
        result.append((field.name, value))
    return result


@rule(*NOTHING)
def nothing(node: Node, inputs: list[Ref]) -> list[Ref]:
    return inputs


def reshaped(node: Node, x: Ref, shape: Shape) -> Ref:
    """``x`` in another shape: one step however often it is reshaped, none if it is as it was."""
    while x.step is not None and x.step.key == ("reshape",):
        (x,) = x.step.inputs
    if x.type.shape == shape:
        return x
    return part(node, ("reshape",), [x], shape)


@rule(*VIEWS)
def views(node: Node, inputs: list[Ref]) -> list[Ref]:
    return [reshaped(node, inputs[0], node.outputs[0].shape)]


@rule("linear")
def linear(node: Node, inputs: list[Ref]) -> list[Ref]:
    (x,) = inputs
    op = node.op
    if op.flattens(x.type):
        x = reshaped(node, x, (x.type.shape[0], prod(x.type.shape[1:])))
    return step(node, ("linear", op.out, op.bias), [x])


@rule("pad", "pad_all")
def pad(node: Node, inputs: list[Ref]) -> list[Ref]:
    """(before, after) of each dimension, the mode, and what is put there."""
    (x,) = inputs
    op = node.op
    rank = x.type.rank
    if op.kind == "pad_all":
        sides = tuple(zip(op.pads[:rank], op.pads[rank:], strict=True))
        mode, value = op.mode, op.value
    else:
        window = Windows("pad", x.type, 1, 1, op.padding)
        sides = ((0, 0), op.channels or (0, 0), *window.padding)
        mode, value = op.mode, 0
    if not any(map(any, sides)):
        return inputs
    return step(node, ("pad", sides, mode, value if mode == "constant" else None), [x])


def unpadded(x: Ref, value: float) -> tuple[Ref, list[int]]:
    """``x`` before spatial padding with ``value``, and what was put in front of each dimension."""
    if x.step is not None and x.step.key[0] == "pad":
        _, sides, mode, filled = x.step.key
        (inner,) = x.step.inputs
        added = all(min(side) >= 0 for side in sides) and not any(map(any, sides[:2]))
        if mode == "constant" and filled == value and added:
            return inner, [before for before, _ in sides[2:]]
    return x, [0] * (x.type.rank - 2)


@rule(*WINDOWS)
def windows(node: Node, inputs: list[Ref]) -> list[Ref]:
    (x,) = inputs
    op = node.op
    stride = op.stride or op.kernel
    extra = getattr(op, "padding", 0), getattr(op, "dilation", 1), op.rounding
    window = Windows(op.kind, x.type, op.kernel, stride, *extra)
    front = [before for before, _ in window.padding]
    kind = op.kind
    others: list[object] = []
    if "conv" in kind:
        x, more = unpadded(x, 0)
        front = [a + b for a, b in zip(front, more, strict=True)]
        groups = x.type.channels if kind == "depthwise_conv" else getattr(op, "groups", 1)
        kind = kind.removeprefix("depthwise_")
        others = [node.outputs[0].type.channels, groups, op.bias, getattr(op, "connections", None)]
    elif kind == "max_pool":
        x, more = unpadded(x, -inf)
        front = [a + b for a, b in zip(front, more, strict=True)]
        others = [op.indices]
    elif kind == "avg_pool":
        counted = op.count_padding and any(map(any, window.padding))
        others = [window.padding if counted else None]
    elif kind == "lp_pool":
        others = [op.norm]
    geometry = (window.kernel, window.stride, window.dilation, tuple(front), window.out)
    return step(node, (kind, *geometry, *others), [x])


@rule("global_avg_pool", "global_max_pool", "adaptive_avg_pool", "adaptive_max_pool")
def global_pools(node: Node, inputs: list[Ref]) -> list[Ref]:
    (x,) = inputs
    mode = node.op.mode
    size = getattr(node.op, "size", 1)
    wanted = per_dimension("pool", "size", size, x.type.rank - 2)
    if x.type.spatial == wanted:
        return inputs
    shape = (*x.type.shape[:2], *wanted)
    if set(wanted) == {1}:
        key = (f"reduce_{'mean' if mode == 'avg' else mode}", *range(2, x.type.rank))
        return [reshaped(node, part(node, key, [x], shape), node.outputs[0].shape)]
    return step(node, (f"adaptive_{mode}", wanted), [x])


@rule("conv_transpose")
def conv_transpose(node: Node, inputs: list[Ref]) -> list[Ref]:
    """With what is cut off in front and the size that is left, however they are said."""
    op = node.op
    rank = inputs[0].type.rank - 2
    if op.padding == "same":
        return plain(node, inputs)
    front = tuple(before for before, _ in pairs(op.kind, op.padding, rank))
    geometry = [
        per_dimension(op.kind, name, getattr(op, name), rank)
        for name in ("kernel", "stride", "dilation")
    ]
    key = (op.kind, op.out, *geometry, front, node.outputs[0].shape, op.groups, op.bias)
    return step(node, key, inputs)


@rule("max_unpool")
def max_unpool(node: Node, inputs: list[Ref]) -> list[Ref]:
    """What is given says where each element goes; the window says nothing more."""
    return step(node, ("max_unpool", node.outputs[0].shape), inputs)


@rule("slice")
def slices(node: Node, inputs: list[Ref]) -> list[Ref]:
    (x,) = inputs
    op = node.op
    dim = op.dim % x.type.rank
    taken = range(x.type.shape[dim])[op.start : op.stop : op.step]
    return step(node, ("slice", dim, taken), inputs)


@rule("product")
def product(node: Node, inputs: list[Ref]) -> list[Ref]:
    if len(inputs) == 2 and inputs[0] == inputs[1]:
        return step(node, ("square", ("function", "square"), ("slope", None)), inputs[:1])
    return plain(node, inputs)


@rule("upsample")
def upsample(node: Node, inputs: list[Ref]) -> list[Ref]:
    if node.outputs[0].shape == inputs[0].type.shape:
        return inputs
    others = arguments(node, inputs, without=("scale", "size"))
    return step(node, ("upsample", *others), inputs)


@rule("sum", "mean")
def sums(node: Node, inputs: list[Ref]) -> list[Ref]:
    """All that is added up, also by a sum before that nobody else reads."""
    value = node.outputs[0]
    shared = {v for v in node.inputs if len(v.consumers) > 1}
    terms: list[Ref] = []
    for read, ref in zip(node.inputs, inputs, strict=True):
        whole = ref.step is not None and ref.step.key == ("sum",) and read not in shared
        terms += ref.step.inputs if whole and ref.step else [ref]
    total = part(node, ("sum",), terms, value.shape)
    if node.op.kind == "sum":
        return [total]
    return [scaled(node, total, 1 / len(inputs))]


def scaled(node: Node, x: Ref, scale: float, shift: float = 0) -> Ref:
    """x * scale + shift: one step for several of them in a row."""
    if x.step is not None and x.step.key[0] == "rescale":
        before, added = map(float, x.step.key[1:])
        (x,) = x.step.inputs
        scale, shift = scale * before, scale * added + shift
    # To the digits of the fp32 in which a file may hold them.
    return part(node, ("rescale", f"{scale:.6g}", f"{shift:.6g}"), [x], x.type.shape)


@rule("rescale")
def rescale(node: Node, inputs: list[Ref]) -> list[Ref]:
    return [scaled(node, inputs[0], node.op.scale, node.op.shift)]


@rule("quotient", "difference")
def with_scalar(node: Node, inputs: list[Ref]) -> list[Ref]:
    op = node.op
    if op.scalar is None or (op.reverse and op.kind == "quotient"):
        return plain(node, inputs)
    if op.kind == "quotient":
        return [scaled(node, inputs[0], 1 / op.scalar)]
    sign = -1 if op.reverse else 1
    return [scaled(node, inputs[0], sign, -sign * op.scalar)]


@rule("negative")
def negative(node: Node, inputs: list[Ref]) -> list[Ref]:
    return [scaled(node, inputs[0], -1)]


@rule("reduce_sum", "reduce_mean", "reduce_max", "reduce_min")
def reduced(node: Node, inputs: list[Ref]) -> list[Ref]:
    """A reduction, whether or not it gives indices, too, or keeps the dimensions."""
    (x,) = inputs
    rank = x.type.rank
    dims = sorted(at % rank for at in node.op.dims or range(rank))
    kept = tuple(1 if at in dims else n for at, n in enumerate(x.type.shape))
    made = step(node, (node.op.kind, *dims), inputs)
    made[0] = reshaped(node, made[0]._replace(type=x.type.with_shape(kept)), node.outputs[0].shape)
    return made


# --- operators that torch has as several ---------------------------------------------------------


@rule("scaled_tanh")
def scaled_tanh(node: Node, inputs: list[Ref]) -> list[Ref]:
    """1.7159 tanh(2/3 x) (LeCun 1998)."""
    (x,) = inputs
    y = part(node, ("tanh", ("function", "tanh"), ("slope", None)), [scaled(node, x, 2 / 3)],
             x.type.shape)  # fmt: skip
    return [scaled(node, y, 1.7159)]


@rule("maxout")
def maxout(node: Node, inputs: list[Ref]) -> list[Ref]:
    (x,) = inputs
    batch, channels, *rest = x.type.shape
    pieces = node.op.pieces
    y = reshaped(node, x, (batch, channels // pieces, pieces, *rest))
    y = part(node, ("reduce_max", 2), [y], (batch, channels // pieces, 1, *rest))
    return [reshaped(node, y, node.outputs[0].shape)]


@rule("weight")
def weight(node: Node, inputs: list[Ref]) -> list[Ref]:
    return [stored(node, node.parameters[0])]


def stored(node: Node, parameter: Parameter) -> Ref:
    return part(node, ("weight",), [], parameter.shape, parameter)


@rule("scale_shift")
def scale_shift(node: Node, inputs: list[Ref]) -> list[Ref]:
    (x,) = inputs
    for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
        shape = parameter.shape
        if node.op.per == "channel":
            shape = (*shape, *(1 for _ in x.type.spatial))
        key = ("product", ("function", "product")) if spec.name == "weight" else ("sum",)
        x = part(node, key, [x, reshaped(node, stored(node, parameter), shape)], x.type.shape)
    return [x]


@rule("rbf")
def rbf(node: Node, inputs: list[Ref]) -> list[Ref]:
    (x,) = inputs
    (centers,) = node.parameters
    batch, features = x.type.shape
    x = reshaped(node, x, (batch, 1, features))
    shape = (batch, *centers.shape)
    key = ("difference", ("function", "difference"), ("scalar", None), ("reverse", False))
    y = part(node, key, [x, stored(node, centers)], shape)
    y = part(node, ("square", ("function", "square"), ("slope", None)), [y], shape)
    y = part(node, ("reduce_sum", 2), [y], (*shape[:2], 1))
    return [reshaped(node, y, node.outputs[0].shape)]
