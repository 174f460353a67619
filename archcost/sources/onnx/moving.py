"""Operators that make, move and choose elements."""

from __future__ import annotations

from math import prod
from typing import Any, Final

from archcost.ir import Shape, TensorType, Value
from archcost.ir.op import MAX_ELEMENTS
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.tensors import Entry, Item, Known, dtype_of, held, stored


def axis_of(call: Call, default: int | None = None) -> int:
    """The attribute ``axis``, counted from the front of the first input."""
    return counted(call, call.integer("axis", default), len(call.shape(0)))


def counted(call: Call, axis: int, rank: int) -> int:
    """``axis`` of ``rank`` dimensions, counted from the front."""
    if not -rank <= axis < max(rank, 1):
        raise call.error(f"names axis {axis} of an input with {rank} dimensions")
    return axis % rank if rank else 0


def axes_of(call: Call, index: int) -> list[int] | None:
    """Axes of the first input, an attribute of old and an input since; None where left out."""
    axes = call.integers("axes") if call.has("axes") else call.numbers(index)
    return None if axes is None else [counted(call, axis, len(call.shape(0))) for axis in axes]


# --- what is worked out -------------------------------------------------------------------------


@translates("Identity")
def identity(call: Call) -> Result:
    entry = call.inputs[0] if call.inputs else None
    return call.item(0) if entry is None else entry


@translates("Shape")
def shape(call: Call) -> Result:
    import numpy

    sizes = call.shape(0)
    start, end = call.integer("start", 0), call.integer("end", len(sizes))
    return numbers(call, numpy.array(sizes[start:end], dtype=numpy.int64))


@translates("Size")
def size(call: Call) -> Result:
    import numpy

    return numbers(call, numpy.array(prod(call.shape(0)), dtype=numpy.int64))


def numbers(call: Call, values: Any) -> Known:
    return Known(call.node.output[0], TensorType(tuple(values.shape), "int64"), values=values)


# --- what is made of nothing --------------------------------------------------------------------


@translates("Constant")
def constant(call: Call) -> Result:
    import numpy
    from onnx.numpy_helper import from_array

    (name,) = call.node.output
    proto = call.tensor("value")
    if proto is None:
        given = [
            (call.integer("value_int", 0), numpy.int64) if call.has("value_int") else None,
            (call.integers("value_ints"), numpy.int64) if call.has("value_ints") else None,
            (call.real("value_float", 0.0), numpy.float32) if call.has("value_float") else None,
            (call.reals("value_floats"), numpy.float32) if call.has("value_floats") else None,
        ]
        found = next((pair for pair in given if pair is not None), None)
        if found is None:
            strings = call.has("value_string") or call.has("value_strings")
            raise call.error(f"holds {'strings' if strings else 'nothing'} that archcost reads")
        proto = from_array(numpy.array(found[0], dtype=found[1]))
    place = (*call.frame.origin, call.at)
    return held(call.reader.weights.kept(place, lambda: stored(proto, name, inline=True)))


@translates("ConstantOfShape")
def constant_of_shape(call: Call) -> Result:
    sizes = call.numbers(0)
    proto = call.tensor("value")
    dtype = "fp32" if proto is None else dtype_of(proto.data_type, call.place)
    return filled(call, tuple(sizes or ()), dtype)


def filled(call: Call, shape: Shape, dtype: str) -> Known:
    """A tensor of one number everywhere, made where somebody needs it."""
    if min(shape, default=0) < 0 or prod(shape) > MAX_ELEMENTS:
        raise call.error(f"cannot make a tensor of {list(shape)}")
    return Known(call.node.output[0], TensorType(shape, dtype))


@translates("RandomNormal", "RandomUniform")
def random(call: Call) -> Result:
    dtype = dtype_of(call.integer("dtype", 1), call.place)
    return call.add("constant", shape=tuple(call.integers("shape") or ()), dtype=dtype)


@translates("RandomNormalLike", "RandomUniformLike", "EyeLike", "Bernoulli")
def like(call: Call) -> Result:
    """Zeros, ones and random numbers in another tensor's shape."""
    type_ = call.type_of(0)
    dtype = dtype_of(call.integer("dtype"), call.place) if call.has("dtype") else type_.dtype
    return call.add("constant", shape=type_.shape, dtype=dtype)


# --- shapes -------------------------------------------------------------------------------------


@translates("Reshape")
def reshape(call: Call) -> Result:
    wanted = call.integers("shape") if call.version < 5 else call.numbers(1)
    before = call.shape(0)
    if wanted is None:
        raise call.error("lacks the new shape")
    if not call.integer("allowzero", 0):
        if any(not size and at >= len(before) for at, size in enumerate(wanted)):
            raise call.error(f"copies a size that its input {list(before)} does not have")
        wanted = [size or before[at] for at, size in enumerate(wanted)]
    total, rest = prod(before), prod(size for size in wanted if size != -1)
    if wanted.count(-1) > 1 or min(wanted, default=1) < -1 or (rest and total % rest) or not rest:
        raise call.error(f"cannot make {list(wanted)} of {list(before)}")
    after = tuple([total // rest if size == -1 else size for size in wanted])
    if prod(after) != total:
        raise call.error(f"cannot make {list(wanted)} of {list(before)}")
    return reshaped(call, after, list(wanted))


def reshaped(call: Call, after: Shape, wanted: list[int]) -> Item:
    """The first input in the shape ``after``; ``wanted`` says the same, with -1 for one size."""
    before = call.shape(0)
    if after == before:
        return call.item(0)
    x = call.value(0)
    if before and after and before[0] == after[0] and wanted[0] != -1:
        # What is behind the first dimension stays with a sample, whatever the batch.
        if len(after) == 2 < len(before):
            return call.add("flatten", x)
        if len(after) > 1:
            return call.add("reshape", x, shape=tuple(wanted[1:]))
    return call.add("view", x, shape=tuple(wanted))


@translates("Flatten")
def flatten(call: Call) -> Result:
    before = call.shape(0)
    axis = call.integer("axis", 1)
    if not -len(before) <= axis <= len(before):
        raise call.error(f"names axis {axis} of an input with {len(before)} dimensions")
    axis %= len(before) + (axis >= 0)
    after = (prod(before[:axis]), prod(before[axis:]))
    return reshaped(call, after, [*after] if axis == 1 else [-1, after[1]])


@translates("Transpose")
def transpose(call: Call) -> Result:
    rank = len(call.shape(0))
    dims = tuple(call.integers("perm") or range(rank - 1, -1, -1))
    if dims == tuple(range(rank)):
        return call.item(0)
    return call.add("permute", call.value(0), dims=dims)


@translates("Squeeze")
def squeeze(call: Call) -> Result:
    sizes = call.shape(0)
    axes = axes_of(call, 1)
    if axes is None:
        axes = [at for at, size in enumerate(sizes) if size == 1]
    if any(sizes[at] != 1 for at in axes):
        raise call.error(f"cannot take away the dimensions {axes} of {list(sizes)}")
    return call.add("squeeze", call.value(0), dims=tuple(axes)) if axes else call.item(0)


@translates("Unsqueeze")
def unsqueeze(call: Call) -> Result:
    given = call.integers("axes") if call.has("axes") else call.numbers(1)
    rank = len(call.shape(0)) + len(given or ())
    axes = sorted(counted(call, axis, rank) for axis in given or ())
    x = call.item(0)
    for number, axis in enumerate(axes, 1):
        part = "" if number == len(axes) else f"{number}"
        x = call.add("unsqueeze", call.tensor_of(x), dim=axis, part=part)
    return x


@translates("Expand")
def expand(call: Call) -> Result:
    before = call.shape(0)
    wanted = call.numbers(1) or []
    rank = max(len(before), len(wanted))
    left = (1,) * (rank - len(before)) + before
    right = (1,) * (rank - len(wanted)) + tuple(wanted)
    if any(a != b and 1 not in (a, b) for a, b in zip(left, right, strict=True)):
        raise call.error(f"cannot expand {list(before)!s:.100} to {wanted!s:.100}")
    after = tuple(b if a == 1 else a for a, b in zip(left, right, strict=True))
    if after == before:
        return call.item(0)
    known = call.known(0)
    if known is not None and not known.is_weight:
        return filled(call, after, known.type.dtype)
    # The batch is kept by -1, whatever it is.
    shape = tuple(-1 if a == b != 1 else b for a, b in zip(left, after, strict=True))
    return call.add("expand", call.value(0), shape=shape if len(before) == rank else after)


@translates("Tile")
def tile(call: Call) -> Result:
    counts = call.numbers(1) or []
    if all(count == 1 for count in counts):
        return call.item(0)
    return call.add("repeat", call.value(0), counts=tuple(counts))


@translates("Concat")
def concat(call: Call) -> Result:
    items = [call.item(at) for at in range(len(call.inputs))]
    items = [item for item in items if item.type.numel] or items[:1]
    if len(items) == 1:
        return items[0]
    return call.add("concat", *map(call.tensor_of, items), dim=axis_of(call))


@translates("Split")
def split(call: Call) -> Result:
    axis = axis_of(call, 0)
    size = call.shape(0)[axis]
    parts = len(call.node.output)
    sizes = call.integers("split") if call.has("split") else call.numbers(1)
    if sizes is None:
        if (count := call.integer("num_outputs", parts)) != parts:
            raise call.error(f"has {parts} outputs, and num_outputs {count}")
        each = -(-size // max(1, parts))
        sizes = [min(each, size - start) for start in range(0, size, max(1, each))]
    if len(sizes) != parts:
        raise call.error(f"cuts {size} into {sizes!s:.60}, and has {parts} outputs")
    if parts == 1 and sizes[0] == size:
        return call.item(0)
    if 0 in sizes and min(sizes) == 0 and sum(sizes) == size:
        return _split_with_nothing(call, sizes, axis)
    if len(set(sizes)) == 1 and sum(sizes) == size:
        return call.add_all("split", call.value(0), parts=parts, dim=axis)
    return call.add_all("split", call.value(0), sizes=tuple(sizes), dim=axis)


def _split_with_nothing(call: Call, sizes: list[int], axis: int) -> list[Entry | None]:
    """Parts of which some have no elements."""
    left = [size for size in sizes if size]
    x = call.item(0)
    some = [x] if len(left) == 1 else [*_parts(call, tuple(left), axis)]
    result: list[Entry | None] = []
    for name, size in zip(call.node.output, sizes, strict=True):
        shape = list(x.type.shape)
        shape[axis] = 0
        result.append(some.pop(0) if size else nothing(name, tuple(shape), x.type.dtype))
    return result


def _parts(call: Call, sizes: tuple[int, ...], axis: int) -> tuple[Value, ...]:
    return call.add_all("split", call.value(0), sizes=sizes, dim=axis)


def nothing(name: str, shape: Shape, dtype: str) -> Known:
    """A tensor without elements, which our operators do not know: it is left out of what it is
    joined to."""
    import numpy

    from archcost.ir.types import NUMPY_NAMES

    values = numpy.zeros(shape, NUMPY_NAMES[dtype]) if dtype not in ODD else None
    return Known(name, TensorType(shape, dtype), values=values)


ODD: Final = ("bf16", "fp8", "int4", "uint4")
"""Types that numpy alone does not have."""


@translates("Slice")
def slice_(call: Call) -> Result:
    sizes = call.shape(0)
    if call.version < 10:
        starts, ends = call.integers("starts") or [], call.integers("ends") or []
        axes = call.integers("axes")
        steps = None
    else:
        starts, ends = call.numbers(1) or [], call.numbers(2) or []
        axes, steps = call.numbers(3), call.numbers(4)
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    cuts = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = counted(call, axis, len(sizes))
        taken = range(sizes[place])[slice(start, end, step)]
        if not taken:
            shape = (*sizes[:place], 0, *sizes[place + 1 :])
            return nothing(call.node.output[0], shape, call.type_of(0).dtype)
        if len(taken) < sizes[place] or step < 0:
            cuts.append((place, taken))
    x = call.item(0)
    for number, (place, taken) in enumerate(cuts, 1):
        part = "" if number == len(cuts) else f"{number}"
        x = _cut(call, call.tensor_of(x), place, taken, part)
    return x


def _cut(call: Call, x: Value, axis: int, taken: range, part: str) -> Value:
    """The positions ``taken`` of a dimension, backwards where its step is negative."""
    forward = taken if taken.step > 0 else taken[::-1]
    if len(forward) < x.shape[axis]:
        # Behind the last position: with a step of 1 for a single one.
        stop = forward[-1] + 1 if forward else forward.start
        step = forward.step if len(forward) > 1 else 1
        x = call.add("slice", x, dim=axis, start=forward.start, stop=stop, step=step, part=part)
    if taken.step < 0:
        x = call.add("flip", x, dims=(axis,), part=f"{part}flip")
    return x


PAD_MODES: Final = {
    "constant": "constant",
    "reflect": "reflect",
    "edge": "replicate",
    "wrap": "circular",
}


@translates("Pad")
def pad(call: Call) -> Result:
    rank = len(call.shape(0))
    pads = call.integers("pads") if call.version < 11 else call.numbers(1)
    axes = axes_of(call, 3) if call.version >= 18 else None
    mode = PAD_MODES.get(call.text("mode", "constant"))
    if pads is None or mode is None:
        raise Unfit("its pads or its mode are not known")
    if axes is not None:
        if len(pads) != 2 * len(axes):
            raise call.error(f"has {len(pads)} pads for {len(axes)} axes")
        pairs = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True))
        pads = [pairs.get(at, (0, 0))[end] for end in (0, 1) for at in range(rank)]
    if len(pads) != 2 * rank:
        raise call.error(f"has {len(pads)} pads for {rank} dimensions")
    if not any(pads):
        return call.item(0)
    plain = mode != "circular" and 3 <= rank <= 5 and min(pads) >= 0
    if plain and not any((*pads[:2], *pads[rank : rank + 2])):
        sides = tuple(zip(pads[2:rank], pads[rank + 2 :], strict=True))
        return call.add("pad", call.value(0), padding=sides, mode=mode)
    return call.add("pad_all", call.value(0), pads=tuple(pads), mode=mode)


@translates("DepthToSpace", "SpaceToDepth")
def pixel_shuffle(call: Call) -> Result:
    inverse = call.op_type == "SpaceToDepth"
    factor = call.integer("blocksize")
    return call.add("pixel_shuffle", call.value(0), factor=factor, inverse=inverse)


@translates("Trilu")
def triangle(call: Call) -> Result:
    # Where it depends on the pass, any diagonal: it changes no cost.
    diagonal = int(call.scalar(1) or 0)
    upper = bool(call.integer("upper", 1))
    return call.add("triangle", call.value(0), upper=upper, diagonal=diagonal)


@translates("ReverseSequence")
def reverse_sequence(call: Call) -> Result:
    return call.add("flip", call.value(0), dims=(call.integer("time_axis", 0),))


@translates("Col2Im")
def col2im(call: Call) -> Result:
    size, kernel = call.numbers(1) or [], call.numbers(2) or []
    pads = call.integers("pads") or [0] * 2 * len(kernel)
    half = len(pads) // 2
    if len(kernel) != 2 or pads[:half] != pads[half:]:
        raise Unfit("it has other than two dimensions, or unequal pads")
    return call.add(
        "fold",
        call.value(0),
        size=tuple(size),
        kernel=tuple(kernel),
        stride=tuple(call.integers("strides") or (1, 1)),
        padding=tuple(pads[:half]),
        dilation=tuple(call.integers("dilations") or (1, 1)),
    )
