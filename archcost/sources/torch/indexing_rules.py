"""Rules for what selects or replaces elements by indices and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from archcost.sources.torch.rules import Operand, Scalar, Slots, constant_of, ints, number, rule

if TYPE_CHECKING:
    from archcost.sources.torch.steps import Slot
    from archcost.sources.torch.trace import Trace


@rule("gather")
def _gather(t: Trace, self: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Slots:
    return t.apply("gather", [self, index], dim=dim)


@rule("index_select")
def _index_select(t: Trace, self: Tensor, dim: int, index: Tensor) -> Slots:
    return t.apply("index_select", [self, index], dim=dim)


def _places(t: Trace, mask: Tensor | Slot, count: int) -> list[Slot]:
    """Where a mask is true: a tensor of ``count`` indices for each of its dimensions."""
    (places,) = t.apply("nonzero", [mask], count=int(count))
    return [t.apply("select", [places], dim=1, index=dim)[0] for dim in range(places.type.shape[1])]


@rule("nonzero", "argwhere")
def _nonzero(t: Trace, self: Tensor) -> Slots:
    return t.apply("nonzero", [self], count=int(t.outs[0].shape[0]))


@rule("nonzero_numpy")
def _nonzero_in_columns(t: Trace, self: Tensor) -> Slots:
    return _places(t, self, t.outs[0].shape[0])


MASKS: Final = (torch.bool, torch.uint8)


def _indices(
    t: Trace, indices: Sequence[Tensor | None]
) -> tuple[tuple[int, ...], list[Tensor | Slot]]:
    """Which dimensions are indexed, and by what: a mask by its places."""
    dims: list[int] = []
    tensors: list[Tensor | Slot] = []
    at = 0
    for index in indices:
        if index is None:
            at += 1
        elif index.dtype in MASKS:
            tensors += _places(t, index, t.count_true(index))
            dims += range(at, at + index.dim())
            at += index.dim()
        else:
            tensors.append(index)
            dims.append(at)
            at += 1
    return tuple(dims), tensors


@rule("index", "_unsafe_index")
def _index(t: Trace, self: Tensor, indices: Sequence[Tensor | None]) -> Slots:
    dims, tensors = _indices(t, indices)
    return t.apply("index", [self, *tensors], dims=dims)


@rule("masked_select")
def _masked_select(t: Trace, self: Tensor, mask: Tensor) -> Slots:
    """Both are broadcast; the elements lie one behind the other."""
    shape = ints(torch.broadcast_shapes(self.shape, mask.shape))  # type: ignore[no-untyped-call]
    x, chosen = (
        t.slot(each) if each.shape == shape else t.apply("expand", [each], shape=shape)[0]
        for each in (self, mask)
    )
    places = _places(t, chosen, t.outs[0].shape[0])
    return t.apply("index", [x, *places], dims=tuple(range(len(shape)))) if shape else None


def _filled(t: Trace, x: Tensor, mask: Tensor, value: Tensor) -> Slots:
    """``x[mask] = value``, one for all."""
    (chosen,) = t.apply("view", [mask], shape=(*mask.shape, *[1] * (x.dim() - mask.dim())))
    (new,) = t.apply("view", [value], shape=())
    return t.apply("where", [chosen, new, x])


@rule("index_put", "_index_put_impl")
def _index_put(
    t: Trace,
    self: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
    unsafe: bool = False,
) -> Slots:
    mask = indices[0]
    alone = len(indices) == 1 and mask is not None and mask.dtype == torch.bool
    if alone and values.numel() == 1 and not accumulate:
        return _filled(t, self, mask, values)  # type: ignore[arg-type]
    dims, tensors = _indices(t, indices)
    return t.apply("index_put", [self, values, *tensors], dims=dims, accumulate=accumulate)


REDUCTIONS: Final = {
    None: "none",
    "add": "sum",
    "sum": "sum",
    "mean": "sum",
    "multiply": "product",
    "prod": "product",
    "amax": "max",
    "amin": "min",
}
"""What scatter and scatter_reduce call it -> archcost's name."""


@rule("scatter", "scatter_reduce")
def _scatter(
    t: Trace,
    self: Tensor,
    dim: int,
    index: Tensor,
    src: Operand | None = None,
    reduce: str | None = None,
    *,
    value: Scalar | None = None,
    include_self: bool = True,
) -> Slots:
    if reduce not in REDUCTIONS:
        return None
    if isinstance(src, Tensor):
        source = t.slot(src)
    else:
        source = constant_of(t, value if src is None else src, self.dtype, index.shape)
    x, kind = t.slot(self), REDUCTIONS[reduce]
    if not include_self:
        limits = torch.finfo if self.is_floating_point() else torch.iinfo
        bounds = limits(self.dtype)
        numbers = {"sum": 0, "product": 1, "max": bounds.min, "min": bounds.max}
        neutral = constant_of(t, numbers[kind], self.dtype, index.shape)
        (x,) = t.apply("scatter", [x, index, neutral], dim=dim)
    slots = t.apply("scatter", [x, index, source], dim=dim, reduction=kind)
    if reduce != "mean":
        return slots
    count = constant_of(t, int(include_self), self.dtype, self.shape)
    ones = constant_of(t, 1, self.dtype, index.shape)
    counts = t.apply("scatter", [count, index, ones], dim=dim, reduction="sum")
    return t.apply("quotient", [*slots, *t.apply("clamp", counts, low=1)])


@rule("scatter_add")
def _scatter_add(t: Trace, self: Tensor, dim: int, index: Tensor, src: Tensor) -> Slots:
    return t.apply("scatter", [self, index, src], dim=dim, reduction="sum")


@rule("index_add")
def _index_add(
    t: Trace, self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1
) -> Slots:
    values = t.scaled(t.slot(source), alpha)
    return t.apply("index_put", [self, values, index], dims=(dim,), accumulate=True)


@rule("index_copy")
def _index_copy(t: Trace, self: Tensor, dim: int, index: Tensor, source: Tensor) -> Slots:
    return t.apply("index_put", [self, source, index], dims=(dim,))


@rule("index_fill")
def _index_fill(t: Trace, self: Tensor, dim: int, index: Tensor, value: Operand) -> Slots:
    if isinstance(value, Tensor):
        new = t.cast(t.slot(value), t.type_of(self).dtype)
    else:
        new = constant_of(t, value, self.dtype)
    return t.apply("index_put", [self, new, index], dims=(dim,))


@rule("masked_scatter")
def _masked_scatter(t: Trace, self: Tensor, mask: Tensor, source: Tensor) -> Slots:
    """As many of the source's elements as the mask is true, which values decide."""
    return t.apply("assign", [self, source]) if source.numel() <= self.numel() else None


@rule("slice_scatter")
def _slice_scatter(
    t: Trace,
    self: Tensor,
    src: Tensor,
    dim: int = 0,
    start: Any = None,
    end: Any = None,
    step: int = 1,
) -> Slots:
    return _part_replaced(t, self, src, dim, range(self.shape[dim])[start:end:step])


@rule("select_scatter")
def _select_scatter(t: Trace, self: Tensor, src: Tensor, dim: int, index: int) -> Slots:
    return _part_replaced(t, self, src, dim, range(self.shape[dim])[index:][:1])


def _part_replaced(t: Trace, x: Tensor, new: Tensor, dim: int, places: range) -> Slots:
    part = [(0, size, 1) for size in x.shape]
    part[dim] = (places.start, places.stop, places.step)
    return t.apply("assign", [x, new], part=tuple(part))


@rule("diagonal_scatter", "as_strided_scatter")
def _scatter_view(t: Trace, self: Tensor, src: Tensor, *_: Any, **__: Any) -> Slots:
    return t.apply("assign", [self, src])


@rule("one_hot")
def _one_hot(t: Trace, self: Tensor, num_classes: int = -1) -> Slots:
    return t.apply("one_hot", [self], classes=int(t.outs[0].shape[-1]))


@rule("where")
def _where(
    t: Trace, condition: Tensor, self: Operand | None = None, other: Operand | None = None
) -> Slots:
    if self is None or other is None:
        return _places(t, condition, t.outs[0].shape[0])
    wanted = t.type_of(t.outs[0]).dtype
    condition_slot = t.slot(condition)
    whole = isinstance(other, Tensor) and other.shape == t.outs[0].shape
    if whole and not isinstance(self, Tensor):
        x = t.cast(t.slot(other), wanted)  # type: ignore[arg-type]
        return t.apply("masked_fill", [x, condition_slot], value=number(self))
    values = []
    for value in (self, other):
        if isinstance(value, Tensor):
            values.append(t.slot(value))
        else:
            values.append(constant_of(t, value, t.outs[0].dtype))
    return t.apply("where", [condition_slot, *values])
