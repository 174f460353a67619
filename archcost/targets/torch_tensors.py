"""What becomes of operators on plain tensors in PyTorch: arithmetic, reductions, indices, views and
copies, constants and weights that are read as tensors.

Builders as in :mod:`archcost.targets.torch_operators`, whose tables they are entered in.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from archcost.ir import FLOATS, NUMPY_NAMES, Node
from archcost.ir.ops.arithmetic import Binary, Cast, Clamp, MaskedFill, Unary, Where
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
from archcost.ir.ops.windows import per_dimension
from archcost.targets import TargetError, torch_modules
from archcost.targets.torch_operators import Call, for_f_pad, function, module


def torch_dtype(node: Node, dtype: str) -> torch.dtype:
    """torch's name of ``dtype``. Raises TargetError where it has none."""
    found: torch.dtype | None = getattr(torch, NUMPY_NAMES[dtype], None)
    if found is None or dtype.endswith("int4"):  # which torch names, but computes nothing with
        raise TargetError(node, f"torch has no tensors of {dtype}")
    return found


# --- what reads nothing ------------------------------------------------------------------------


@function("constant")
def _constant(op: Constant, node: Node) -> Call:
    # Its elements are not known to the graph. Zeros are indices too, and a mask of none.
    return partial(torch.zeros, op.shape, dtype=torch_dtype(node, op.dtype))


@module("weight")
def _weight(op: Weight, node: Node) -> Call:
    (value,) = node.parameters
    return torch_modules.Weight(value.shape, torch_dtype(node, value.dtype), value.trainable)


# --- arithmetic --------------------------------------------------------------------------------

UNARY: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log": torch.log,
    "log2": torch.log2,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "negative": torch.negative,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "erf": torch.erf,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "trunc": torch.trunc,
    "sign": torch.sign,
    "not": torch.logical_not,
    "is_nan": torch.isnan,
    "is_inf": torch.isinf,
}
"""function -> torch's."""

BINARY: Final[dict[str, Callable[[Any, Any], Tensor]]] = {
    "difference": operator.sub,
    "quotient": operator.truediv,
    "floor_quotient": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "minimum": torch.minimum,
    "atan2": torch.atan2,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}
"""function -> what computes it of two tensors; the first ones also of a tensor and a number."""

LOGICAL: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "and": torch.logical_and,
    "or": torch.logical_or,
    "xor": torch.logical_xor,
}
"""function -> that of truth values, for dtypes whose bits mean nothing."""

TENSORS_ONLY: Final = ("atan2", *LOGICAL)


@function(*UNARY)
def _unary(op: Unary, node: Node) -> Call:
    return UNARY[op.function]


@function(*BINARY)
def _binary(op: Binary, node: Node) -> Call:
    combine = BINARY[op.function]
    if op.function in LOGICAL and node.outputs[0].type.dtype == "bool":
        combine = LOGICAL[op.function]
    scalar = op.scalar
    if scalar is None:
        return combine
    if op.function == "minimum":
        return partial(torch.clamp, max=scalar)
    if op.function in TENSORS_ONLY:
        number = combine
        combine = lambda a, b: number(*_tensors(a, b))  # noqa: E731
    return (lambda x: combine(scalar, x)) if op.reverse else (lambda x: combine(x, scalar))


def _tensors(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both operands, one of them a number, as tensors in one place."""
    if isinstance(a, int | float):
        return b.new_tensor(a, dtype=torch.as_tensor(a).dtype), b
    return a, a.new_tensor(b, dtype=torch.as_tensor(b).dtype)


@function("clamp")
def _clamp(op: Clamp, node: Node) -> Call:
    return partial(torch.clamp, min=op.low, max=op.high)


@function("where")
def _where(op: Where, node: Node) -> Call:
    return torch.where


@function("masked_fill")
def _masked_fill(op: MaskedFill, node: Node) -> Call:
    return lambda x, mask: x.masked_fill(mask, op.value)


@function("cast")
def _cast(op: Cast, node: Node) -> Call:
    dtype = torch_dtype(node, op.dtype)
    return lambda x: x.to(dtype)


# --- reductions --------------------------------------------------------------------------------

Reduction = Callable[[Tensor, list[int], bool], Tensor]
"""Takes a tensor, the dimensions that go, and whether they stay as sizes of 1."""


def _prod(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    for dim in sorted(dims, reverse=True):  # torch multiplies along one at a time
        x = torch.prod(x, dim, keepdim=keep)
    return x


REDUCTIONS: Final[dict[str, Reduction]] = {
    "sum": torch.sum,
    "mean": torch.mean,
    "max": torch.amax,
    "min": torch.amin,
    "prod": _prod,
    "any": torch.any,
    "all": torch.all,
    "l1": lambda x, dims, keep: torch.linalg.vector_norm(x, 1, dims, keep),
    "l2": lambda x, dims, keep: torch.linalg.vector_norm(x, 2, dims, keep),
    "logsumexp": torch.logsumexp,
}
"""function -> what computes it along several dimensions."""

FLOATS_ONLY: Final = ("mean", "l1", "l2", "var", "std")


@function(*(f"reduce_{name}" for name in (*REDUCTIONS, "var", "std", "argmax", "argmin")))
def _reduce(op: Reduce, node: Node) -> Call:
    x = node.inputs[0].type
    if op.function in FLOATS_ONLY and not (x.dtype in FLOATS or x.dtype.startswith("complex")):
        raise TargetError(node, f"torch has no {op.kind} of {x.dtype}")
    keep = op.keep
    if op.function in ("argmax", "argmin"):
        place = {"argmax": torch.argmax, "argmin": torch.argmin}[op.function]
        dim = None if op.dims is None else op.dims[0]
        return lambda x: place(x, dim, keep)
    dims = list(range(x.rank)) if op.dims is None else list(op.dims)
    if op.indices:
        best: Any = {"max": torch.max, "min": torch.min}[op.function]
        return lambda x: best(x, dims[0], keep)
    if op.function in ("var", "std"):
        spread = {"var": torch.var, "std": torch.std}[op.function]
        return lambda x: spread(x, dims, correction=op.correction, keepdim=keep)
    reduction = REDUCTIONS[op.function]
    return lambda x: reduction(x, dims, keep)


CUMULATIVE: Final[dict[str, Callable[[Tensor, int], Any]]] = {
    "sum": torch.cumsum,
    "prod": torch.cumprod,
    "max": torch.cummax,
    "min": torch.cummin,
}
"""function -> torch's."""


@function(*(f"cum{name}" for name in CUMULATIVE))
def _cumulative(op: Cumulative, node: Node) -> Call:
    running = CUMULATIVE[op.function]
    return lambda x: running(x, op.dim)


@function("sort")
def _sort(op: Sort, node: Node) -> Call:
    return partial(torch.sort, dim=op.dim, descending=op.descending)


@function("top_k")
def _top_k(op: TopK, node: Node) -> Call:
    return partial(torch.topk, k=op.k, dim=op.dim, largest=op.largest)


# --- indices -----------------------------------------------------------------------------------


@function("gather")
def _gather(op: Gather, node: Node) -> Call:
    return lambda x, index: torch.gather(x, op.dim, index.long())


@function("index_select")
def _index_select(op: IndexSelect, node: Node) -> Call:
    dim = op.dim % node.inputs[0].type.rank
    before, after = range(dim), range(dim + 1, node.inputs[0].type.rank)
    places = range(node.inputs[1].type.rank)

    def call(x: Tensor, index: Tensor) -> Tensor:
        chosen = torch.index_select(x, dim, index.long().flatten())
        if len(places) == 1:
            return chosen
        sizes = [*(x.shape[at] for at in before), *(index.shape[at] for at in places)]
        return chosen.reshape(*sizes, *(x.shape[at] for at in after))

    return call


def _at(node: Node, dims: Sequence[int], indices: Sequence[Tensor]) -> list[Tensor | None]:
    """The indices at their dimensions, None at those that are taken whole."""
    rank = node.inputs[0].type.rank
    places = {dim % rank: index.long() for dim, index in zip(dims, indices, strict=True)}
    return [places.get(dim) for dim in range(max(places) + 1)]


@function("index")
def _index(op: Index, node: Node) -> Call:
    return lambda x, *indices: torch.ops.aten.index(x, _at(node, op.dims, indices))


@function("index_put")
def _index_put(op: IndexPut, node: Node) -> Call:
    return lambda x, values, *indices: torch.ops.aten.index_put(
        x, _at(node, op.dims, indices), values, op.accumulate
    )


@function("scatter")
def _scatter(op: Scatter, node: Node) -> Call:
    if op.reduction == "none":
        return lambda x, index, source: torch.scatter(x, op.dim, index.long(), source)
    if op.reduction == "sum":
        return lambda x, index, source: torch.scatter_add(x, op.dim, index.long(), source)
    name = {"product": "prod", "max": "amax", "min": "amin"}[op.reduction]
    return lambda x, index, source: torch.scatter_reduce(x, op.dim, index.long(), source, name)


@function("assign")
def _assign(op: Assign, node: Node) -> Call:
    if op.part is None:
        raise TargetError(node, "the graph does not say which elements are assigned to")
    part = tuple(slice(*row) for row in op.part)
    shape = tuple(len(range(*row)) for row in op.part)
    reshapes = node.inputs[1].type.numel == prod(shape)

    def call(x: Tensor, new: Tensor) -> Tensor:
        result = x.clone()
        result[part].copy_(new.reshape(shape) if reshapes else new)
        return result

    return call


@function("nonzero")
def _nonzero(op: Nonzero, node: Node) -> Call:
    # As many rows as the graph has, whatever there are: cut, or filled up by first places.
    return partial(torch.nonzero_static, size=op.count, fill_value=0)


@function("one_hot")
def _one_hot(op: OneHot, node: Node) -> Call:
    dtype = torch_dtype(node, op.dtype)
    return lambda x: F.one_hot(x.long(), op.classes).to(dtype)


# --- views -------------------------------------------------------------------------------------


@function("view")
def _view(op: View, node: Node) -> Call:
    return lambda x: x.reshape(op.shape)


@function("expand")
def _expand(op: Expand, node: Node) -> Call:
    return lambda x: x.expand(op.shape)


@function("squeeze")
def _squeeze(op: Squeeze, node: Node) -> Call:
    return torch.squeeze if op.dims is None else partial(torch.squeeze, dim=op.dims)


@function("unsqueeze")
def _unsqueeze(op: Unsqueeze, node: Node) -> Call:
    return partial(torch.unsqueeze, dim=op.dim)


@function("select")
def _select(op: Select, node: Node) -> Call:
    return partial(torch.select, dim=op.dim, index=op.index)


@function("windows")
def _windows(op: SlidingWindows, node: Node) -> Call:
    return lambda x: x.unfold(op.dim, op.size, op.step)


@function("diagonal")
def _diagonal(op: Diagonal, node: Node) -> Call:
    return partial(torch.diagonal, offset=op.offset, dim1=op.dim1, dim2=op.dim2)


@function("as_strided")
def _as_strided(op: AsStrided, node: Node) -> Call:
    def call(x: Tensor) -> Tensor:
        x = x.contiguous()
        return x.as_strided(op.shape, op.strides, x.storage_offset() + op.offset)

    return call


@function("as_complex")
def _as_complex(op: AsComplex, node: Node) -> Call:
    return lambda x: torch.view_as_complex(x.contiguous())


@function("as_real")
def _as_real(op: AsReal, node: Node) -> Call:
    return torch.view_as_real


# --- copies ------------------------------------------------------------------------------------


@function("copy")
def _copy(op: Copy, node: Node) -> Call:
    return partial(torch.clone, memory_format=torch.contiguous_format)


@function("stack")
def _stack(op: Stack, node: Node) -> Call:
    return lambda *tensors: torch.stack(tensors, op.dim)


@function("repeat")
def _repeat(op: Repeat, node: Node) -> Call:
    return lambda x: x.repeat(op.counts)


@function("repeat_interleave")
def _repeat_interleave(op: RepeatInterleave, node: Node) -> Call:
    return partial(torch.repeat_interleave, repeats=op.count, dim=op.dim)


@function("roll")
def _roll(op: Roll, node: Node) -> Call:
    return partial(torch.roll, shifts=op.shifts, dims=op.dims)


@function("flip")
def _flip(op: Flip, node: Node) -> Call:
    return partial(torch.flip, dims=op.dims)


@function("triangle")
def _triangle(op: Triangle, node: Node) -> Call:
    return partial(torch.triu if op.upper else torch.tril, diagonal=op.diagonal)


@function("pad_all")
def _pad_all(op: PadAll, node: Node) -> Call:
    sides = op.sides()
    if op.mode == "constant":
        return partial(F.pad, pad=for_f_pad(sides), value=op.value)
    spatial = sides[2:]
    if 1 <= len(spatial) <= 3 and not any(map(any, sides[:2])) and min(map(min, spatial)) >= 0:
        return partial(F.pad, pad=for_f_pad(spatial), mode=op.mode)
    # torch adds nothing else to other dimensions.
    return partial(_padded, sides=sides, mode=op.mode)


def _padded(x: Tensor, sides: Sequence[tuple[int, int]], mode: str) -> Tensor:
    """``x`` with elements of its own around, in any dimension: the places that they come from."""
    for dim, (before, after) in enumerate(sides):
        n = x.shape[dim]
        places = torch.arange(-before, n + after, device=x.device)
        if mode == "replicate":
            places = places.clamp(0, n - 1)
        elif mode == "circular":
            places = places % n
        else:
            places = (n - 1) - ((n - 1) - places.abs()).abs()
        x = x.index_select(dim, places)
    return x


@function("unfold")
def _unfold(op: Unfold, node: Node) -> tuple[Call, ...]:
    windows = op.windows(node.inputs[0].type)
    return (
        partial(F.pad, pad=for_f_pad(windows.padding)),
        partial(
            F.unfold, kernel_size=windows.kernel, dilation=windows.dilation, stride=windows.stride
        ),
    )


@function("fold")
def _fold(op: Fold, node: Node) -> tuple[Call, ...]:
    windows = op.windows(node.inputs[0].type)
    size = per_dimension(op.kind, "size", op.size, 2)
    padded = tuple(n + sum(side) for n, side in zip(size, windows.padding, strict=True))
    cut = [(-before, -after) for before, after in windows.padding]
    return (
        partial(
            F.fold,
            output_size=padded,
            kernel_size=windows.kernel,
            dilation=windows.dilation,
            stride=windows.stride,
        ),
        partial(F.pad, pad=for_f_pad(cut)),
    )
