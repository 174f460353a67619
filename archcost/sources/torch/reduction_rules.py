"""Rules for what reduces or ranks: sums, extremes, norms, running sums, sorting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from archcost.ir.types import FLOATS
from archcost.sources.torch.rules import Rule, Scalar, Slots, constant_of, dims_of, number, rule

if TYPE_CHECKING:
    from archcost.sources.torch.steps import Slot
    from archcost.sources.torch.trace import Trace


def _reduce(
    t: Trace, kind: str, self: Tensor | Slot, dim: Any, keepdim: bool = False, **more: Any
) -> Slots:
    slot = t.slot(self) if isinstance(self, Tensor) else self
    wanted = t.type_of(t.outs[0]).dtype
    if wanted in FLOATS:
        slot = t.cast(slot, wanted)
    named = dims_of(dim)
    dims = None if named is None else tuple(named)
    result, *places = t.apply(kind, [slot], dims=dims, keep=keepdim, **more)
    # Sums of integers are int64, but where another type was asked for.
    summed = kind in ("reduce_sum", "reduce_prod")
    return [t.cast(result, wanted) if summed else result, *places]


def _reduction_rule(kind: str) -> Rule:
    def reduction(
        t: Trace, self: Tensor, dim: Any = None, keepdim: bool = False, **_: Any
    ) -> Slots:
        return _reduce(t, kind, self, dim, keepdim)

    return reduction


for _kind, _names in {
    "reduce_sum": ("sum",),
    "reduce_mean": ("mean",),
    "reduce_max": ("amax",),
    "reduce_min": ("amin",),
    "reduce_prod": ("prod",),
    "reduce_any": ("any", "_is_any_true"),
    "reduce_all": ("all", "_is_all_true"),
    "reduce_logsumexp": ("logsumexp",),
    "reduce_argmax": ("argmax",),
    "reduce_argmin": ("argmin",),
}.items():
    rule(*_names)(_reduction_rule(_kind))


def _extreme_rule(kind: str) -> Rule:
    def extreme(t: Trace, self: Tensor, dim: int | None = None, keepdim: bool = False) -> Slots:
        if dim is None:
            return _reduce(t, kind, self, None)
        return _reduce(t, kind, self, dim, keepdim, indices=True)

    return extreme


for _name in ("max", "min"):
    rule(_name, f"{_name}.dim")(_extreme_rule(f"reduce_{_name}"))


@rule("aminmax")
def _both_extremes(
    t: Trace, self: Tensor, *, dim: int | None = None, keepdim: bool = False
) -> Slots:
    return [
        slot
        for kind in ("reduce_min", "reduce_max")
        for slot in _reduce(t, kind, self, dim, keepdim) or ()
    ]


@rule("nansum")
def _nan_sum(t: Trace, self: Tensor, dim: Any = None, keepdim: bool = False, **_: Any) -> Slots:
    (filled,) = t.apply("masked_fill", [self, *t.apply("is_nan", [self])])
    return _reduce(t, "reduce_sum", filled, dim, keepdim)


@rule("count_nonzero")
def _count(t: Trace, self: Tensor, dim: Any = None) -> Slots:
    (found,) = t.apply("not_equal", [self], scalar=0)
    return _reduce(t, "reduce_sum", found, dim)


def _ranked(t: Trace, self: Tensor, rank: int, dim: int | None, keepdim: bool) -> Slots:
    """The element of that rank along a dimension, and where it was: of the elements sorted."""
    x = t.slot(self)
    if dim is None:
        (x,) = t.apply("view", [x], shape=(-1,))
    along = 0 if dim is None else dim
    slots = list(t.apply("sort", [x], dim=along))
    slots = [t.apply("select", [slot], dim=along, index=rank)[0] for slot in slots]
    if keepdim:
        slots = [t.apply("unsqueeze", [slot], dim=along % self.dim())[0] for slot in slots]
    return slots


@rule("median")
def _median(t: Trace, self: Tensor, dim: int | None = None, keepdim: bool = False) -> Slots:
    """The lower of two in the middle."""
    size = self.numel() if dim is None else self.shape[dim]
    return _ranked(t, self, (size - 1) // 2, dim, keepdim)


@rule("kthvalue")
def _kth(t: Trace, self: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Slots:
    return _ranked(t, self, int(k) - 1, dim, keepdim)


def _spread_rule(kind: str, means: bool) -> Rule:
    def spread(
        t: Trace,
        self: Tensor,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: Any = None,
    ) -> Slots:
        if isinstance(dim, bool):  # var(self, unbiased)
            dim, unbiased = None, dim
        taken_off = int(unbiased) if correction is None else correction
        if taken_off not in (0, 1):
            return None
        slots = list(_reduce(t, kind, self, dim, keepdim, correction=int(taken_off)) or ())
        if means:
            slots += _reduce(t, "reduce_mean", self, dim, keepdim) or ()
        return slots

    return spread


rule("var")(_spread_rule("reduce_var", means=False))
rule("std")(_spread_rule("reduce_std", means=False))
rule("var_mean")(_spread_rule("reduce_var", means=True))
rule("std_mean")(_spread_rule("reduce_std", means=True))


@rule("linalg_vector_norm", "norm")
def _norm(
    t: Trace,
    self: Tensor,
    ord: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    **_: Any,
) -> Slots:
    kind = {2: "reduce_l2", 1: "reduce_l1", None: "reduce_l2"}.get(ord)
    if kind is not None:
        return _reduce(t, kind, self, dim, keepdim)
    (x,) = t.apply("abs", [t.cast(t.slot(self), t.type_of(t.outs[0]).dtype)])
    if ord in (float("inf"), -float("inf")):
        return _reduce(t, "reduce_max" if ord > 0 else "reduce_min", x, dim, keepdim)
    if ord == 0:
        (x,) = t.apply("not_equal", [x], scalar=0)
        return _reduce(t, "reduce_sum", t.cast(x, t.type_of(t.outs[0]).dtype), dim, keepdim)
    (powers,) = t.apply("power", [x], scalar=number(ord))
    total = _reduce(t, "reduce_sum", powers, dim, keepdim)
    return total and t.apply("power", total, scalar=1 / number(ord))


@rule("_weight_norm", "_weight_norm_interface")
def _weight_norm(t: Trace, v: Tensor, g: Tensor, dim: int = 0) -> Slots:
    """v * (g / |v|), with a norm for each position of one dimension."""
    others = tuple(d for d in range(v.dim()) if d != dim % v.dim())
    norms = t.apply("reduce_l2", [v], dims=others, keep=True)
    return [*t.apply("product", [v, *t.apply("quotient", [g, *norms])]), *norms]


@rule("_euclidean_dist")
def _distances(t: Trace, x1: Tensor, x2: Tensor) -> Slots:
    """sqrt(|a|^2 + |b|^2 - 2 a b), of all rows a of one and b of the other."""
    (products,) = t.apply("matmul", [x1, x2], transpose_b=True)
    squares = [
        t.apply("reduce_sum", t.apply("square", [x]), dims=(-1,), keep=True)[0] for x in (x1, x2)
    ]
    rank = x2.dim()
    order = (*range(rank - 2), rank - 1, rank - 2)
    (columns,) = t.apply("permute", [squares[1]], dims=order)
    (both,) = t.apply("sum", [squares[0], columns])
    (squared,) = t.apply("difference", [both, t.scaled(products, 2)])
    return t.apply("sqrt", t.apply("clamp", [squared], low=0))


def _cumulative_rule(kind: str) -> Rule:
    def cumulative(t: Trace, self: Tensor, dim: int, **_: Any) -> Slots:
        wanted = t.type_of(t.outs[0]).dtype
        x = t.cast(t.slot(self), wanted) if wanted in FLOATS else t.slot(self)
        total, *places = t.apply(kind, [x], dim=dim)
        return [t.cast(total, wanted), *places]

    return cumulative


for _kind in ("cumsum", "cumprod", "cummax", "cummin"):
    rule(_kind)(_cumulative_rule(_kind))


@rule("sort")
def _sort(
    t: Trace, self: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> Slots:
    return t.apply("sort", [self], dim=dim, descending=descending)


@rule("argsort")
def _argsort(
    t: Trace, self: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> Slots:
    return t.apply("sort", [self], dim=dim, descending=descending)[1:]


@rule("topk")
def _top_k(
    t: Trace, self: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Slots:
    return t.apply("top_k", [self], k=int(k), dim=dim, largest=largest)


@rule("histc")
def _histogram(t: Trace, self: Tensor, bins: int = 100, min: Scalar = 0, max: Scalar = 0) -> Slots:
    """One added to the bin of each element: floor((x - min) * bins / (max - min))."""
    low, high = number(min), number(max)
    if low >= high:  # those of the elements, to be found first
        return None
    (x,) = t.apply("view", [self], shape=(-1,))
    scale = bins / (high - low)
    slots = t.apply("rescale", [t.cast(x, "fp32")], scale=scale, shift=-low * scale)
    (whole,) = t.apply("floor", slots)
    places = t.cast(whole, "int64")
    empty = constant_of(t, 0, self.dtype, (bins,))
    ones = constant_of(t, 1, self.dtype, x.type.shape)
    return t.apply("scatter", [empty, places, ones], dim=0, reduction="sum")
