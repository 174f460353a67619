"""What becomes of operators on plain tensors in ONNX: arithmetic, reductions, indices, views and
copies, constants and weights that are read as tensors.

Builders as in :mod:`archcost.targets.onnx_operators`, whose table they are entered in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import log, pi, prod
from typing import Final

from archcost.ir import FLOATS, Node, TensorType
from archcost.ir.ops.arithmetic import (
    Binary,
    Cast,
    Clamp,
    MaskedFill,
    Unary,
    Where,
    with_scalar,
)
from archcost.ir.ops.copies import (
    Copy,
    Flip,
    Fold,
    PadAll,
    Repeat,
    RepeatInterleave,
    Roll,
    Stack,
    Triangle,
    Unfold,
)
from archcost.ir.ops.dimensions import broadcast, promoted
from archcost.ir.ops.indexing import (
    Assign,
    Gather,
    Index,
    IndexPut,
    IndexSelect,
    Nonzero,
    OneHot,
    Scatter,
)
from archcost.ir.ops.reduction import Cumulative, Reduce, Sort, TopK
from archcost.ir.ops.source import Constant, Weight
from archcost.ir.ops.views import (
    AsComplex,
    AsReal,
    AsStrided,
    Diagonal,
    Expand,
    Select,
    SlidingWindows,
    Squeeze,
    Unsqueeze,
    View,
)
from archcost.targets.onnx_nodes import Writer
from archcost.targets.onnx_operators import (
    as_indices,
    operator,
    padded,
    pads_of,
    repeated,
    windowed,
)

# --- what reads nothing ------------------------------------------------------------------------


@operator("constant")
def _constant(op: Constant, node: Node, to: Writer) -> str:
    # Its elements are not known to the graph. Zeros are indices too, and a mask of none.
    return to.zeros(op.shape, op.dtype)


@operator("weight")
def _weight(op: Weight, node: Node, to: Writer) -> str:
    return to.parameter("value")


# --- arithmetic --------------------------------------------------------------------------------

UNARY: Final = {
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "reciprocal": "Reciprocal",
    "negative": "Neg",
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "asin": "Asin",
    "acos": "Acos",
    "atan": "Atan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "asinh": "Asinh",
    "acosh": "Acosh",
    "atanh": "Atanh",
    "erf": "Erf",
    "sign": "Sign",
}
"""function -> ONNX's operator. The others are composed, or take fewer dtypes there."""


@operator(*UNARY)
def _unary(op: Unary, node: Node, to: Writer) -> str:
    return to(UNARY[op.function], to.cast(to.x, node.outputs[0].type.dtype))


@operator("exp2", "expm1", "log2", "log1p", "rsqrt")
def _composed(op: Unary, node: Node, to: Writer) -> str:
    x = to.cast(to.x, node.outputs[0].type.dtype)
    match op.function:
        case "exp2":
            return to("Pow", to.number(2, x), x)
        case "expm1":
            return to("Sub", to("Exp", x), to.number(1, x))
        case "log2":
            return to("Mul", to("Log", x), to.number(1 / log(2), x))
        case "log1p":
            return to("Log", to("Add", x, to.number(1, x)))
        case _:
            return to("Reciprocal", to("Sqrt", x))


@operator("floor", "ceil", "round", "trunc")
def _whole(op: Unary, node: Node, to: Writer) -> str:
    x = to.x
    if node.inputs[0].type.dtype not in FLOATS:
        return to("Identity", x)
    if op.function == "trunc":
        return to("Mul", to("Floor", to("Abs", x)), to("Sign", x))
    return to({"floor": "Floor", "ceil": "Ceil", "round": "Round"}[op.function], x)


@operator("not")
def _not(op: Unary, node: Node, to: Writer) -> str:
    return to("Not", to.cast(to.x, "bool"))


@operator("is_nan", "is_inf")
def _is(op: Unary, node: Node, to: Writer) -> str:
    x = to.x
    # Before operator set 20 infinity is asked for in these two alone.
    x = x if to.is_type(x, "double") else to.cast(x, "fp32")
    return to({"is_nan": "IsNaN", "is_inf": "IsInf"}[op.function], x)


BINARY: Final = {
    "difference": "Sub",
    "quotient": "Div",
    "power": "Pow",
    "minimum": "Min",
    "equal": "Equal",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
}
"""function -> ONNX's operator. The others are composed."""

LOGICAL: Final = {
    "and": ("And", "BitwiseAnd"),
    "or": ("Or", "BitwiseOr"),
    "xor": ("Xor", "BitwiseXor"),
}
"""function -> ONNX's operator for truth values, and for integers."""


def _operands(op: Binary, node: Node, to: Writer, dtype: str) -> list[str]:
    """Both operands in ``dtype``."""
    operands = [to.cast(x, dtype) for x in to.inputs]
    if op.scalar is not None:
        operands.insert(0 if op.reverse else 1, to.constant([op.scalar], (), dtype))
    return operands


def _common(op: Binary, node: Node) -> str:
    """The dtype that both operands are computed in."""
    types = [value.type for value in node.inputs]
    return promoted(types) if op.scalar is None else with_scalar(types[0], op.scalar)


@operator(*BINARY, "not_equal")
def _binary(op: Binary, node: Node, to: Writer) -> str:
    dtype = node.outputs[0].type.dtype
    a, b = _operands(op, node, to, _common(op, node) if dtype == "bool" else dtype)
    if op.function == "not_equal":
        return to("Not", to("Equal", a, b))
    return to(BINARY[op.function], a, b)


@operator("floor_quotient", "remainder")
def _division(op: Binary, node: Node, to: Writer) -> str:
    dtype = node.outputs[0].type.dtype
    a, b = _operands(op, node, to, dtype)
    if dtype in FLOATS:
        whole = to("Floor", to("Div", a, b))
        return whole if op.function == "floor_quotient" else to("Sub", a, to("Mul", b, whole))
    rest = to("Mod", a, b)  # which has the divisor's sign, where Div rounds towards zero
    return rest if op.function == "remainder" else to("Div", to("Sub", a, rest), b)


@operator("and", "or", "xor")
def _logical(op: Binary, node: Node, to: Writer) -> str:
    dtype = node.outputs[0].type.dtype
    a, b = _operands(op, node, to, dtype)
    return to(LOGICAL[op.function][dtype != "bool"], a, b)


@operator("atan2")
def _atan2(op: Binary, node: Node, to: Writer) -> str:
    y, x = _operands(op, node, to, node.outputs[0].type.dtype)
    zero = to.number(0, x)
    half_turn = to("Where", to("Less", y, zero), to.number(-pi, x), to.number(pi, x))
    angle = to("Atan", to("Div", y, x))
    angle = to("Where", to("Less", x, zero), to("Add", angle, half_turn), angle)
    origin = to("And", to("Equal", y, zero), to("Equal", x, zero))
    return to("Where", origin, zero, angle)


@operator("clamp")
def _clamp(op: Clamp, node: Node, to: Writer) -> str:
    x = to.cast(to.x, node.outputs[0].type.dtype)
    return to("Clip", x, *("" if n is None else to.number(n, x) for n in (op.low, op.high)))


@operator("where")
def _where(op: Where, node: Node, to: Writer) -> str:
    condition, *values = to.inputs
    return to("Where", condition, *(to.cast(x, node.outputs[0].type.dtype) for x in values))


@operator("masked_fill")
def _masked_fill(op: MaskedFill, node: Node, to: Writer) -> str:
    x, mask = to.inputs
    return to("Where", mask, to.number(op.value, x), x)


@operator("cast")
def _cast(op: Cast, node: Node, to: Writer) -> str:
    return to.cast(to.x, op.dtype)


# --- reductions --------------------------------------------------------------------------------

REDUCTIONS: Final = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "l1": "ReduceL1",
    "l2": "ReduceL2",
    "logsumexp": "ReduceLogSumExp",
}
"""function -> ONNX's operator. The others are composed or give places."""


@operator(*(f"reduce_{name}" for name in REDUCTIONS))
def _reduce(op: Reduce, node: Node, to: Writer) -> str | list[str]:
    x = to.cast(to.x, node.outputs[0].type.dtype)  # sums of integers are int64
    result = to(REDUCTIONS[op.function], x, *_axes(op, to), keepdims=int(op.keep))
    return [result, _place_along(op, to)] if op.indices else result


def _axes(op: Reduce, to: Writer) -> list[str]:
    return [] if op.dims is None else [to.ints(*op.dims)]


@operator("reduce_any", "reduce_all")
def _test(op: Reduce, node: Node, to: Writer) -> str:
    numbers = to.cast(to.cast(to.x, "bool"), "int32")
    name = {"any": "ReduceMax", "all": "ReduceMin"}[op.function]
    return to.cast(to(name, numbers, *_axes(op, to), keepdims=int(op.keep)), "bool")


@operator("reduce_var", "reduce_std")
def _spread(op: Reduce, node: Node, to: Writer) -> str:
    x, (y,) = to.x, node.outputs
    count = node.inputs[0].type.numel // max(1, y.type.numel)
    deviation = to("Sub", x, to("ReduceMean", x, *_axes(op, to), keepdims=1))
    squares = to("Mul", deviation, deviation)
    total = to("ReduceSum", squares, *_axes(op, to), keepdims=int(op.keep))
    variance = to("Div", total, to.number(count - op.correction, x))
    return variance if op.function == "var" else to("Sqrt", variance)


@operator("reduce_argmax", "reduce_argmin")
def _place(op: Reduce, node: Node, to: Writer) -> str:
    if op.dims is not None:
        return _place_along(op, to)
    name = {"argmax": "ArgMax", "argmin": "ArgMin"}[op.function]
    place = to(name, to.shaped(to.x, -1), axis=0, keepdims=0)
    return to.shaped(place, *node.outputs[0].shape) if op.keep else place


def _place_along(op: Reduce, to: Writer) -> str:
    """The places of the largest or smallest elements along the one dimension that goes."""
    assert op.dims is not None
    name = "ArgMax" if op.function in ("max", "argmax") else "ArgMin"
    return to(name, to.x, axis=op.dims[0], keepdims=int(op.keep))


@operator("cumsum", "cumprod", "cummax", "cummin")
def _cumulative(op: Cumulative, node: Node, to: Writer) -> str:
    if op.function != "sum":
        raise to.lacks(f"running {op.function}")
    x = to.cast(to.x, node.outputs[0].type.dtype)
    return to("CumSum", x, to.constant([op.dim], (), "int64"))


@operator("sort")
def _sort(op: Sort, node: Node, to: Writer) -> list[str]:
    count = to.ints(node.inputs[0].shape[op.dim])
    return to.several("TopK", [to.x, count], 2, axis=op.dim, largest=int(op.descending))


@operator("top_k")
def _top_k(op: TopK, node: Node, to: Writer) -> list[str]:
    return to.several("TopK", [to.x, to.ints(op.k)], 2, axis=op.dim, largest=int(op.largest))


# --- indices -----------------------------------------------------------------------------------


@operator("gather")
def _gather(op: Gather, node: Node, to: Writer) -> str:
    x, index = to.inputs
    return to("GatherElements", x, as_indices(to, index), axis=op.dim)


@operator("index_select")
def _index_select(op: IndexSelect, node: Node, to: Writer) -> str:
    x, index = to.inputs
    return to("Gather", x, as_indices(to, index), axis=op.dim)


class _Places:
    """Where PyTorch's x[i, :, j] lies: the order of dimensions in which the indexed ones come
    first, and where the indices' own dimensions come to stand."""

    def __init__(self, op: Index | IndexPut, x: TensorType, indices: Sequence[TensorType]) -> None:
        dims = [dim % x.rank for dim in op.dims]
        rest = [dim for dim in range(x.rank) if dim not in dims]
        self.order = (*dims, *rest)
        self.common = broadcast(op.kind, [index.shape for index in indices])
        first = min(dims)
        front = first if max(dims) - first + 1 == len(dims) else 0
        n = len(self.common)
        behind = [n + at for at in range(len(rest))]
        self.result = (*behind[:front], *range(n), *behind[front:])

    def grid(self, to: Writer, indices: Sequence[str]) -> str:
        """(indices..., indexed dimensions), as ONNX' GatherND takes it."""
        shape = to.ints(*self.common)
        columns = [
            to("Unsqueeze", to("Expand", to.cast(index, "int64"), shape), to.ints(-1))
            for index in indices
        ]
        return columns[0] if len(columns) == 1 else to("Concat", *columns, axis=-1)


def _permuted(to: Writer, x: str, order: Sequence[int]) -> str:
    return x if list(order) == sorted(order) else to("Transpose", x, perm=order)


def _inverse(order: Sequence[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


@operator("index")
def _index(op: Index, node: Node, to: Writer) -> str:
    x, *indices = (value.type for value in node.inputs)
    places = _Places(op, x, indices)
    moved = _permuted(to, to.x, places.order)
    return _permuted(to, to("GatherND", moved, places.grid(to, to.inputs[1:])), places.result)


@operator("index_put")
def _index_put(op: IndexPut, node: Node, to: Writer) -> str:
    x, _, *indices = (value.type for value in node.inputs)
    places = _Places(op, x, indices)
    # The shape of x[...], to which the values are broadcast.
    rest = [x.shape[dim] for dim in places.order[len(op.dims) :]]
    behind = (*places.common, *rest)
    wanted = to.ints(*(behind[dim] for dim in places.result))
    values = _permuted(to, to("Expand", to.inputs[1], wanted), _inverse(places.result))
    moved = _permuted(to, to.x, places.order)
    grid = places.grid(to, to.inputs[2:])
    put = to("ScatterND", moved, grid, values, reduction="add" if op.accumulate else "none")
    return _permuted(to, put, _inverse(places.order))


@operator("scatter")
def _scatter(op: Scatter, node: Node, to: Writer) -> str:
    x, index, source = to.inputs
    sizes = node.inputs[1].shape
    if node.inputs[2].shape != sizes:  # the source may be larger
        zeros, axes = to.ints(*[0] * len(sizes)), to.ints(*range(len(sizes)))
        source = to("Slice", source, zeros, to.ints(*sizes), axes)
    how = {"sum": "add", "product": "mul"}.get(op.reduction, op.reduction)
    index = as_indices(to, index)
    return to("ScatterElements", x, index, source, axis=op.dim, reduction=how)


@operator("assign")
def _assign(op: Assign, node: Node, to: Writer) -> str:
    if op.part is None:
        raise to.lacks("assignments to a part that the graph does not know")
    x, new = to.inputs
    shape = node.inputs[0].shape
    part = [range(*row) for row in op.part]
    sizes = [len(places) for places in part]
    if prod(sizes) == node.inputs[1].type.numel:
        new = to.shaped(new, *sizes)
    else:
        new = to("Expand", new, to.ints(*sizes))
    masks = []
    for dim, (n, places) in enumerate(zip(shape, part, strict=True)):
        if places == range(n):
            continue
        # What comes to each place of x, anything where nothing does; and whether it does.
        origin = {place: at for at, place in enumerate(places)}
        new = to("Gather", new, to.ints(*(origin.get(at, 0) for at in range(n))), axis=dim)
        beside = [n if other == dim else 1 for other in range(len(shape))]
        masks.append(to.constant([at in origin for at in range(n)], tuple(beside), "bool"))
    if not masks:
        return to("Identity", new)
    return to("Where", reduce(lambda a, b: to("And", a, b), masks), new, x)


@operator("nonzero")
def _nonzero(op: Nonzero, node: Node, to: Writer) -> str:
    # As many rows as the graph has, whatever there are: cut, or filled up by first places.
    rank = node.inputs[0].type.rank
    found = to("Transpose", to("NonZero", to.x), perm=(1, 0))
    first = to.constant([0] * (op.count * rank), (op.count, rank), "int64")
    both = to("Concat", found, first, axis=0)
    return to("Slice", both, to.ints(0), to.ints(op.count), to.ints(0))


@operator("one_hot")
def _one_hot(op: OneHot, node: Node, to: Writer) -> str:
    index = to.cast(to.x, "int64")
    numbers = to("OneHot", index, to.constant([op.classes], (), "int64"), to.ints(0, 1))
    return to.cast(numbers, op.dtype)


# --- views -------------------------------------------------------------------------------------


@operator("view")
def _view(op: View, node: Node, to: Writer) -> str:
    (y,) = node.outputs
    if 0 in y.shape:
        return to("Reshape", to.x, to.ints(*y.shape), allowzero=1)
    return to("Reshape", to.x, to.ints(*op.shape))


@operator("expand")
def _expand(op: Expand, node: Node, to: Writer) -> str:
    return to("Expand", to.x, to.ints(*node.outputs[0].shape))


@operator("squeeze")
def _squeeze(op: Squeeze, node: Node, to: Writer) -> str:
    shape = node.inputs[0].shape
    dims = range(len(shape)) if op.dims is None else [dim % len(shape) for dim in op.dims]
    gone = sorted(dim for dim in dims if shape[dim] == 1)
    return to("Squeeze", to.x, to.ints(*gone)) if gone else to("Identity", to.x)


@operator("unsqueeze")
def _unsqueeze(op: Unsqueeze, node: Node, to: Writer) -> str:
    return to("Unsqueeze", to.x, to.ints(op.dim))


@operator("select")
def _select(op: Select, node: Node, to: Writer) -> str:
    place = op.index % node.inputs[0].shape[op.dim]
    return to("Gather", to.x, to.constant([place], (), "int64"), axis=op.dim)


@operator("windows")
def _windows(op: SlidingWindows, node: Node, to: Writer) -> str:
    rank = node.inputs[0].type.rank
    dim = op.dim % rank
    x = windowed(to, to.x, dim, node.outputs[0].shape[dim], op.size, op.step)
    return _permuted(to, x, (*range(dim + 1), *range(dim + 2, rank + 1), dim + 1))


@operator("diagonal")
def _diagonal(op: Diagonal, node: Node, to: Writer) -> str:
    x, y = node.inputs[0].type, node.outputs[0].type
    one, two = op.dim1 % x.rank, op.dim2 % x.rank
    rest = [dim for dim in range(x.rank) if dim not in (one, two)]
    matrices = _permuted(to, to.x, (*rest, one, two))
    flat = to.shaped(matrices, *y.shape[:-1], x.shape[one] * x.shape[two])
    down, right = max(-op.offset, 0), max(op.offset, 0)
    places = [(at + down) * x.shape[two] + at + right for at in range(y.shape[-1])]
    return to("Gather", flat, to.ints(*places), axis=y.rank - 1)


@operator("as_strided")
def _as_strided(op: AsStrided, node: Node, to: Writer) -> str:
    places = [op.offset]
    for size, step in zip(op.shape, op.strides, strict=True):
        places = [place + step * at for place in places for at in range(size)]
    return to("Gather", to.shaped(to.x, -1), to.constant(places, op.shape, "int64"), axis=0)


@operator("as_complex", "as_real")
def _as_complex(op: AsComplex | AsReal, node: Node, to: Writer) -> str:
    raise to.lacks("views of complex numbers")


# --- copies ------------------------------------------------------------------------------------


@operator("copy")
def _copy(op: Copy, node: Node, to: Writer) -> str:
    return to("Identity", to.x)


@operator("stack")
def _stack(op: Stack, node: Node, to: Writer) -> str:
    dtype = node.outputs[0].type.dtype
    xs = [to("Unsqueeze", to.cast(x, dtype), to.ints(op.dim)) for x in to.inputs]
    return to("Concat", *xs, axis=op.dim)


@operator("repeat")
def _repeat(op: Repeat, node: Node, to: Writer) -> str:
    x, shape = to.x, node.inputs[0].shape
    new = len(op.counts) - len(shape)
    if new:
        x = to("Unsqueeze", x, to.ints(*range(new)))
    return to("Tile", x, to.ints(*op.counts))


@operator("repeat_interleave")
def _repeat_interleave(op: RepeatInterleave, node: Node, to: Writer) -> str:
    x = node.inputs[0].type
    return repeated(to, to.x, op.dim % x.rank, x.shape, op.count)


@operator("roll")
def _roll(op: Roll, node: Node, to: Writer) -> str:
    x, shape = to.x, node.inputs[0].shape
    for shift, dim in zip(op.shifts, op.dims, strict=True):
        if cut := -shift % max(1, shape[dim]):
            axis, at = to.ints(dim), to.ints(cut)
            front = to("Slice", x, to.ints(0), at, axis)
            back = to("Slice", x, at, to.ints(shape[dim]), axis)
            x = to("Concat", back, front, axis=dim)
    return to("Identity", x) if x == to.x else x


@operator("flip")
def _flip(op: Flip, node: Node, to: Writer) -> str:
    shape = node.inputs[0].shape
    count = len(op.dims)
    if not count:
        return to("Identity", to.x)
    ends = to.ints(*(-shape[dim] - 1 for dim in op.dims))
    backwards = to.ints(*[-1] * count)
    return to("Slice", to.x, backwards, ends, to.ints(*op.dims), backwards)


@operator("triangle")
def _triangle(op: Triangle, node: Node, to: Writer) -> str:
    diagonal = to.constant([op.diagonal], (), "int64")
    return to("Trilu", to.x, diagonal, upper=int(op.upper))


@operator("pad_all")
def _pad_all(op: PadAll, node: Node, to: Writer) -> str:
    x, shape = to.x, node.inputs[0].shape
    sides = op.sides()
    if not any(op.pads):
        return to("Identity", x)
    if op.mode == "constant":
        return padded(to, x, len(shape), sides, op.value, alone=True)
    mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[op.mode]
    if min(op.pads) >= 0 and (mode != "wrap" or to.opset >= 19):
        return padded(to, x, len(shape), sides, mode=mode)
    for dim, (n, side) in enumerate(zip(shape, sides, strict=True)):
        if any(side):
            x = to("Gather", x, to.ints(*_origins(op.mode, n, *side)), axis=dim)
    return x


def _origins(mode: str, n: int, before: int, after: int) -> list[int]:
    """Where the elements of a padded dimension come from."""
    places = range(-before, n + after)
    match mode:
        case "replicate":
            return [min(max(at, 0), n - 1) for at in places]
        case "circular":
            return [at % n for at in places]
        case _:
            return [(n - 1) - abs((n - 1) - abs(at)) for at in places]


@operator("unfold")
def _unfold(op: Unfold, node: Node, to: Writer) -> str:
    x, y = node.inputs[0].type, node.outputs[0].type
    windows = op.windows(x)
    result = padded(to, to.x, x.rank, windows.padding)
    geometry = zip(windows.out, windows.kernel, windows.stride, windows.dilation, strict=True)
    for at, (count, size, stride, dilation) in enumerate(geometry):
        result = windowed(to, result, 2 + 2 * at, count, size, stride, dilation)
    return to.shaped(to("Transpose", result, perm=(0, 1, 3, 5, 2, 4)), *y.shape)


@operator("fold")
def _fold(op: Fold, node: Node, to: Writer) -> str:
    windows = op.windows(node.inputs[0].type)
    return to(
        "Col2Im",
        to.x,
        to.ints(*windows.sizes),
        to.ints(*windows.kernel),
        dilations=windows.dilation,
        pads=pads_of(windows.padding),
        strides=windows.stride,
    )
