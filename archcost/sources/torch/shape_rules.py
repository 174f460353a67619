"""Rules for what reshapes, moves, copies or makes tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from archcost.sources.torch.rules import Rule, Slots, dims_of, ints, number, rule

if TYPE_CHECKING:
    from archcost.sources.torch.steps import Slot
    from archcost.sources.torch.trace import Trace


# --- shapes -------------------------------------------------------------------------------------


def _reshaped(t: Trace, x: Tensor | Slot, shape: Sequence[int]) -> Slots:
    """Sizes behind the batch where that stays, so that the graph takes other batches."""
    slot = t.slot(x) if isinstance(x, Tensor) else x
    before, sizes = slot.type.shape, ints(shape)
    if before == sizes:
        return [slot]
    if len(before) > 1 and len(sizes) > 1 and before[0] == sizes[0] and 0 not in sizes:
        # Sizes that stay are copied (0), the next one follows (-1): one of them may be the batch.
        same = 1
        while same < min(len(before), len(sizes)) and before[same] == sizes[same]:
            same += 1
        rest = (-1, *sizes[same + 1 :]) if same < len(sizes) else ()
        return t.apply("reshape", [slot], shape=(*[0] * (same - 1), *rest))
    if sizes and 0 not in sizes[1:]:
        return t.apply("view", [slot], shape=(-1, *sizes[1:]))
    return t.apply("view", [slot], shape=sizes)


@rule("view", "reshape", "_unsafe_view", "_reshape_alias")
def _view(t: Trace, self: Tensor, *_: Any, **__: Any) -> Slots:
    if t.outs[0].dtype != self.dtype:
        return None
    return _reshaped(t, self, t.outs[0].shape)


@rule("flatten.using_ints")
def _flatten(t: Trace, self: Tensor, start_dim: int = 0, end_dim: int = -1) -> Slots:
    if self.dim() < 2 or not self.numel():
        return _reshaped(t, self, t.outs[0].shape)
    end = end_dim % self.dim()
    start = start_dim % self.dim()
    last = -1 if end == self.dim() - 1 else end
    return t.apply("flatten", [self], start=start, end=last)


@rule("permute")
def _permute(t: Trace, self: Tensor, dims: Any) -> Slots:
    rank = max(1, self.dim())
    return t.apply("permute", [self], dims=tuple(int(dim) % rank for dim in dims))


@rule("transpose.int")
def _transpose(t: Trace, self: Tensor, dim0: int, dim1: int) -> Slots:
    if self.dim() < 2:
        return [t.slot(self)]
    order = list(range(self.dim()))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return t.apply("permute", [self], dims=tuple(order))


@rule("t")
def _t(t: Trace, self: Tensor) -> Slots:
    return _transpose(t, self, -2, -1)


@rule("squeeze")
def _squeeze(t: Trace, self: Tensor, dim: Any = None) -> Slots:
    dims = range(self.dim()) if dim is None else (dims_of(dim) or [])
    gone = tuple(sorted({d % self.dim() for d in dims if self.shape[d] == 1})) if self.dim() else ()
    return t.apply("squeeze", [self], dims=gone) if gone else [t.slot(self)]


@rule("unsqueeze")
def _unsqueeze(t: Trace, self: Tensor, dim: int) -> Slots:
    return t.apply("unsqueeze", [self], dim=dim % (self.dim() + 1))


@rule("expand")
def _expand(t: Trace, self: Tensor, *_: Any, **__: Any) -> Slots:
    wanted = t.outs[0].shape
    if self.shape == wanted:
        return [t.slot(self)]
    start = len(wanted) - self.dim()
    sizes = [
        -1 if at >= start and self.shape[at - start] == size else int(size)
        for at, size in enumerate(wanted)
    ]
    return t.apply("expand", [self], shape=tuple(sizes))


@rule("slice.Tensor")
def _slice(
    t: Trace, self: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Slots:
    if not t.outs[0].numel():
        return t.constants(t.outs)
    size = self.shape[dim]
    begin = 0 if start is None else int(start)
    stop = None if end is None or int(end) >= size else int(end)
    if begin in (0, -size) and stop is None and step == 1:
        return [t.slot(self)]
    return t.apply("slice", [self], dim=dim, start=begin, stop=stop, step=int(step))


@rule("select.int")
def _select(t: Trace, self: Tensor, dim: int, index: Any) -> Slots:
    return t.apply("select", [self], dim=dim, index=int(index))


@rule("unbind.int")
def _unbind(t: Trace, self: Tensor, dim: int = 0) -> Slots:
    x = t.slot(self)
    return [t.apply("select", [x], dim=dim, index=n)[0] for n in range(self.shape[dim])]


@rule("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def _split(t: Trace, self: Tensor, *arguments: Any, **named: Any) -> Slots:
    parts = t.outs
    if len(parts) == 1 and parts[0].shape == self.shape:
        return [t.slot(self)]
    dim = next((d for d in range(self.dim()) if any(p.shape[d] != self.shape[d] for p in parts)), 0)
    sizes = [int(part.shape[dim]) for part in parts]
    if len(set(sizes)) == 1:
        return t.apply("split", [self], parts=len(parts), dim=dim)
    own = iter(t.apply("split", [self], sizes=tuple(size for size in sizes if size), dim=dim))
    return [
        next(own) if size else t.constants([part])[0]
        for size, part in zip(sizes, parts, strict=True)
    ]


@rule("as_strided")
def _as_strided(
    t: Trace, self: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Slots:
    """Of a tensor that lies as a whole in its storage, in whatever order of its dimensions."""
    strides = self.stride()
    order = sorted(range(self.dim()), key=lambda dim: -strides[dim])
    (x,) = (
        (t.slot(self),) if self.is_contiguous() else t.apply("permute", [self], dims=tuple(order))
    )
    if not self.is_contiguous() and not self.permute(order).is_contiguous():
        return None
    own = self.storage_offset()
    offset = (own if storage_offset is None else int(storage_offset)) - own
    return t.apply("as_strided", [x], shape=ints(size), strides=ints(stride), offset=offset)


@rule("unfold")
def _windows(t: Trace, self: Tensor, dimension: int, size: int, step: int) -> Slots:
    return t.apply("windows", [self], dim=dimension, size=size, step=step)


@rule("diagonal")
def _diagonal(t: Trace, self: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Slots:
    return t.apply("diagonal", [self], offset=offset, dim1=dim1, dim2=dim2)


@rule("detach", "alias", "lift", "lift_fresh_copy", "resolve_neg")
def _same(t: Trace, self: Tensor) -> Slots:
    return [t.slot(self)]


@rule("conj", "resolve_conj")
def _conjugate(t: Trace, self: Tensor) -> Slots:
    return None if self.is_complex() else [t.slot(self)]


# --- copies -------------------------------------------------------------------------------------


@rule("cat")
def _concat(t: Trace, tensors: Sequence[Tensor], dim: int = 0) -> Slots:
    wanted = t.type_of(t.outs[0])
    slots = [t.cast(t.slot(x), wanted.dtype) for x in tensors if x.numel()]
    return t.apply("concat", slots, dim=dim) if slots else t.constants(t.outs)


@rule("stack")
def _stack(t: Trace, tensors: Sequence[Tensor], dim: int = 0) -> Slots:
    return t.apply("stack", list(tensors), dim=dim)


@rule("repeat")
def _repeat(t: Trace, self: Tensor, repeats: Any) -> Slots:
    counts = ints(repeats)
    counts = (1,) * (self.dim() - len(counts)) + counts
    if set(counts) == {1} and len(counts) == self.dim():
        return t.apply("copy", [self])
    return t.apply("repeat", [self], counts=counts)


@rule("repeat_interleave.self_int")
def _repeat_interleave(
    t: Trace, self: Tensor, repeats: int, dim: int | None = None, **_: Any
) -> Slots:
    x = t.slot(self)
    if dim is None:
        (x,) = t.apply("view", [x], shape=(-1,))
        dim = 0
    return t.apply("repeat_interleave", [x], count=int(repeats), dim=dim)


@rule("roll")
def _roll(t: Trace, self: Tensor, shifts: Any, dims: Any = ()) -> Slots:
    if dims:
        return t.apply("roll", [self], shifts=ints(shifts), dims=ints(dims))
    slots = t.apply("view", [self], shape=(-1,))
    slots = t.apply("roll", slots, shifts=ints(shifts), dims=(0,))
    return t.apply("view", slots, shape=ints(self.shape))


@rule("flip")
def _flip(t: Trace, self: Tensor, dims: Any) -> Slots:
    return t.apply("flip", [self], dims=ints(dims))


def _triangle_rule(upper: bool) -> Rule:
    def triangle(t: Trace, self: Tensor, diagonal: int = 0) -> Slots:
        return t.apply("triangle", [self], upper=upper, diagonal=diagonal)

    return triangle


rule("triu")(_triangle_rule(upper=True))
rule("tril")(_triangle_rule(upper=False))


@rule("pad", "constant_pad_nd")
def _pad(t: Trace, self: Tensor, pad: Any, mode: Any = "constant", value: Any = None) -> Slots:
    if not isinstance(mode, str):  # constant_pad_nd(self, pad, value)
        mode, value = "constant", mode
    return _padded(t, self, ints(pad), mode, 0 if value is None else number(value))


def _padded(t: Trace, x: Tensor, pads: Sequence[int], mode: str, value: int | float) -> Slots:
    if not any(pads):
        return [t.slot(x)] if t.outs[0] is x else t.apply("copy", [x])
    pairs = [(pads[at], pads[at + 1]) for at in range(0, len(pads), 2)][::-1]
    pairs = [(0, 0)] * (x.dim() - len(pairs)) + pairs
    spatial = pairs[2:]
    usual = mode in ("constant", "reflect", "replicate") and value == 0 and 3 <= x.dim() <= 5
    if usual and not any(pairs[0]) and all(side >= 0 for pair in pairs for side in pair):
        more: dict[str, Any] = {"channels": pairs[1]} if any(pairs[1]) else {}
        if mode == "constant" or not more:
            return t.apply("pad", [x], padding=tuple(spatial), mode=mode, **more)
    flat = (*(front for front, _ in pairs), *(back for _, back in pairs))
    return t.apply("pad_all", [x], pads=flat, mode=mode, value=value)


def _pad_rule(mode: str) -> Rule:
    def pad(t: Trace, self: Tensor, padding: Any) -> Slots:
        return _padded(t, self, ints(padding), mode, 0)

    return pad


for _rank in (1, 2, 3):
    rule(f"reflection_pad{_rank}d")(_pad_rule("reflect"))
    rule(f"replication_pad{_rank}d")(_pad_rule("replicate"))


@rule("im2col")
def _im2col(
    t: Trace, self: Tensor, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Slots:
    return t.apply(
        "unfold",
        [self],
        kernel=ints(kernel_size),
        stride=ints(stride),
        padding=ints(padding),
        dilation=ints(dilation),
    )


@rule("col2im")
def _col2im(
    t: Trace,
    self: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any,
    padding: Any,
    stride: Any,
) -> Slots:
    return t.apply(
        "fold",
        [self],
        size=ints(output_size),
        kernel=ints(kernel_size),
        stride=ints(stride),
        padding=ints(padding),
        dilation=ints(dilation),
    )


@rule("pixel_shuffle")
def _pixel_shuffle(t: Trace, self: Tensor, upscale_factor: int) -> Slots:
    return t.apply("pixel_shuffle", [self], factor=upscale_factor) if self.dim() == 4 else None


@rule("pixel_unshuffle")
def _pixel_unshuffle(t: Trace, self: Tensor, downscale_factor: int) -> Slots:
    if self.dim() != 4:
        return None
    return t.apply("pixel_shuffle", [self], factor=downscale_factor, inverse=True)


@rule("channel_shuffle", "native_channel_shuffle")
def _channel_shuffle(t: Trace, self: Tensor, groups: int) -> Slots:
    return t.apply("channel_shuffle", [self], groups=groups)


@rule("clone", "contiguous")
def _copy(t: Trace, self: Tensor, *_: Any, **__: Any) -> Slots:
    return [t.slot(self)] if t.outs[0] is self else t.apply("copy", [self])


@rule("to.dtype", "to.device", "to.dtype_layout", "to.other", "_to_copy")
def _to(t: Trace, self: Tensor, *_: Any, **__: Any) -> Slots:
    if t.outs[0].dtype != self.dtype:
        return [t.cast(t.slot(self), t.type_of(t.outs[0]).dtype)]
    return _copy(t, self)


@rule("copy")
def _copy_into(t: Trace, self: Tensor, src: Tensor, *_: Any) -> Slots:
    """What is written is the source, in the type and shape of what it is written to."""
    wanted = t.type_of(self)
    slot = t.cast(t.slot(src), wanted.dtype)
    if slot.type.shape != wanted.shape:
        (slot,) = t.apply("expand", [slot], shape=wanted.shape)
    return [slot]


# --- tensors made anew --------------------------------------------------------------------------


@rule("bernoulli")
def _bernoulli(t: Trace, self: Tensor, *, generator: Any = None) -> Slots:
    """1 where a random number is less than the probability."""
    (drawn,) = t.constants([self])
    (found,) = t.apply("less", [drawn, self])
    return [t.cast(found, t.type_of(self).dtype)]


@rule("fill.Tensor")
def _fill(t: Trace, self: Tensor, value: Tensor) -> Slots:
    new = t.cast(t.slot(value), t.type_of(self).dtype)
    return t.apply("copy", t.apply("expand", [new], shape=ints(self.shape)))


@rule(
    *("arange", "linspace", "logspace", "eye", "full", "zeros", "ones", "empty", "empty_strided"),
    *("empty_permuted", "range", "scalar_tensor", "tril_indices", "triu_indices"),
    *("rand", "randn", "randint", "randperm", "normal.float_float", "hann_window"),
    *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided", "randint_like"),
    *("bartlett_window", "blackman_window", "hamming_window", "kaiser_window", "bernoulli.p"),
    *("fill.Scalar", "zero", "uniform_", "normal_", "random_", "exponential_", "bernoulli_.float"),
    *("log_normal_", "geometric_", "cauchy_"),
)
def _constant(t: Trace, *_: Any, **__: Any) -> Slots:
    return t.constants(t.outs)
