"""What operators give whose output's size depends on values that nobody knows.

What a mask may select it selects: that is the most there can be to compute. Values that may be
alike are: what is done for each of them is done once for all. Whatever is assumed is noted
(:meth:`~.meta.MetaMode.assume`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from archcost.sources.torch.operators import META, Arguments, Overloaded, Selector

if TYPE_CHECKING:
    from archcost.sources.torch.meta import MetaMode

FEW_PLACES: Final = 2**12
"""Elements of the largest tensor of places that is known, where a mask is assumed to be true."""

SELECTING: dict[str, Selector] = {}
"""name -> what it is assumed to give of values that are not known; None: it is none of that kind
with these arguments."""


def _selecting(*names: str) -> Callable[[Selector], Selector]:
    def register(selector: Selector) -> Selector:
        SELECTING.update(dict.fromkeys(names, selector))
        return selector

    return register


def _indices(*shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.int64, device=META)


def _true_places(mode: MetaMode, mask: Tensor) -> Tensor:
    """The places of the elements of a mask that are taken to be true, one in each row: (n, rank).

    Those of all elements are known, as long as they are few.
    """
    count, rank = mode.count_true(mask), mask.dim()
    if count < mask.numel():
        mode.assume(
            "tokens are spread evenly: each class (expert) is chosen as often as the others"
        )
        return _indices(count, rank)
    mode.assume("masks that select elements select all, the most there can be")
    if count * rank > FEW_PLACES:
        return _indices(count, rank)
    places = torch.ones(mask.shape, device="cpu").nonzero()
    for tensor in (places, *places.unbind(1)):
        mode.made(tensor)
    return places


@_selecting("aten::nonzero", "aten::argwhere")
def _nonzero(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Tensor:
    return _true_places(mode, args[0])


@_selecting("aten::nonzero_numpy", "aten::where")
def _where(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    if len(args) > 1 or kwargs:
        return None
    places = _true_places(mode, args[0])
    return list(places.unbind(1)) if args[0].dim() else [_indices(1)]


@_selecting("aten::masked_select")
def _masked_select(
    mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments
) -> Tensor:
    x, mask = args[:2]
    shape: Sequence[int] = torch.broadcast_shapes(x.shape, mask.shape)  # type: ignore[no-untyped-call]
    count = len(_true_places(mode, mask)) * prod(shape) // max(1, mask.numel())
    return torch.empty(count, dtype=x.dtype, device=META)


@_selecting("aten::index")
def _index(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    """``x[mask]``, with the mask's places in all of its dimensions."""
    x, indices = args[:2]
    masks = (torch.bool, torch.uint8)
    if not any(index is not None and index.dtype in masks for index in indices):
        return None
    places: list[Tensor | None] = []
    for index in indices:
        if index is not None and index.dtype in masks:
            count = len(_true_places(mode, index))
            places += [_indices(count) for _ in range(index.dim())]
        else:
            places.append(index if index is None or index.is_meta else mode.twin(index))
    return torch.ops.aten.index.Tensor(x if x.is_meta else mode.twin(x), places)


@_selecting("aten::unique_consecutive", "aten::_unique2", "aten::unique_dim", "aten::_unique")
def _unique(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    x = args[0]
    mode.assume("where distinct values are asked for (unique) there is one, the least there can be")
    if known.base == "unique_dim":
        shape = list(x.shape)
        shape[args[1]] = 1
        return x.new_empty(shape, device=META), _indices(x.shape[args[1]]), _indices(1)
    one = x.new_empty(1, device=META)
    inverse = x.new_empty(x.shape, dtype=torch.int64, device=META)
    return (one, inverse) if known.base == "_unique" else (one, inverse, _indices(1))


@_selecting("aten::_grouped_mm")
def _grouped_mm(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    """torch's own function for the shape refuses other dtypes than the fastest kernel's."""
    a, b = args[:2]
    sizes: tuple[int, ...]
    if a.dim() == b.dim() == 2:  # columns and rows in groups: a product for each
        offsets = known.argument("offs", args, kwargs)
        sizes = (offsets.shape[0], a.shape[0], b.shape[1])
    elif a.dim() == b.dim():
        sizes = (a.shape[0], a.shape[1], b.shape[2])
    else:
        sizes = (a.shape[-2], b.shape[-1])
    dtype = known.argument("out_dtype", args, kwargs) or a.dtype
    return torch.empty(sizes, dtype=dtype, device=META)


@_selecting("aten::_pack_padded_sequence")
def _packed(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    x, _, batch_first = args
    mode.assume("every sequence of a batch is as long as the longest")
    steps, batch = x.shape[:2][::-1] if batch_first else x.shape[:2]
    sizes = torch.full((steps,), batch)
    mode.made(sizes)
    return torch.empty(steps * batch, *x.shape[2:], dtype=x.dtype, device=META), sizes


@_selecting("aten::_pad_packed_sequence")
def _padded(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    data, sizes, batch_first, _, total = args
    steps, batch = max(sizes.shape[0], total), int(sizes[0])
    lengths = torch.full((batch,), sizes.shape[0])
    mode.made(lengths)
    outer = (batch, steps) if batch_first else (steps, batch)
    return torch.empty(*outer, *data.shape[1:], dtype=data.dtype, device=META), lengths


@_selecting("aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu")
def _recurrent(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    """On packed sequences, whose lengths torch looks at."""
    if "batch_sizes" not in known.places:
        return None
    data, states, both_ways = args[0], args[2], args[8]
    states = list(states) if isinstance(states, list | tuple) else [states]
    width = states[0].shape[-1] * (2 if both_ways else 1)
    y = torch.empty(data.shape[0], width, dtype=data.dtype, device=META)
    return (y, *[torch.empty_like(state, device=META) for state in states])


@_selecting("aten::batch_norm")
def _batch_norm(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Any:
    """In training, by the statistics of one value, of which torch works out no variance."""
    x = known.argument("input", args, kwargs)
    if not known.argument("training", args, kwargs) or x.numel() > x.shape[1]:
        return None
    return torch.empty_like(x, device=META)


@_selecting("torchvision::nms")
def _nms(mode: MetaMode, known: Overloaded, args: Sequence[Any], kwargs: Arguments) -> Tensor:
    mode.assume("torchvision::nms keeps every box")
    return _indices(args[0].shape[0])
