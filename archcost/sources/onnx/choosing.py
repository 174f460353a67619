"""Operators that choose elements, in any order, and sequences of tensors."""

from __future__ import annotations

from typing import Final

from archcost.ir import Shape, Value
from archcost.ir.arguments import MOST_PARTS
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.moving import axis_of, counted, numbers
from archcost.sources.onnx.tensors import Many, shown


@translates("GatherElements")
def gather_elements(call: Call) -> Result:
    return call.add("gather", call.value(0), call.value(1), dim=axis_of(call, 0))


@translates("Scatter", "ScatterElements")
def scatter(call: Call) -> Result:
    reduction = call.text("reduction", "none")
    if reduction not in REDUCTIONS:
        raise Unfit(f"its reduction is {shown(reduction)}")
    inputs = map(call.value, range(3))
    return call.add("scatter", *inputs, dim=axis_of(call, 0), reduction=REDUCTIONS[reduction])


REDUCTIONS: Final = {"none": "none", "add": "sum", "mul": "product", "max": "max", "min": "min"}
"""ONNX's word for how elements are joined -> ours."""


@translates("GatherND")
def gather_nd(call: Call) -> Result:
    batch = call.integer("batch_dims", 0)
    count = call.shape(1)[-1]
    if batch or not 1 <= count <= len(call.shape(0)):
        raise Unfit("it has batch dimensions")
    x = call.value(0)
    return call.add("index", x, *coordinates(call, call.value(1)), dims=tuple(range(count)))


@translates("ScatterND")
def scatter_nd(call: Call) -> Result:
    count = call.shape(1)[-1]
    reduction = call.text("reduction", "none")
    if reduction not in ("none", "add") or not 1 <= count <= len(call.shape(0)):
        raise Unfit(f"its reduction is {shown(reduction)}")
    x, values = call.value(0), call.value(2)
    indices = coordinates(call, call.value(1))
    dims = tuple(range(count))
    return call.add("index_put", x, values, *indices, dims=dims, accumulate=reduction == "add")


def coordinates(call: Call, indices: Value) -> list[Value]:
    """Tuples of indices (..., k) as one tensor for each of k dimensions."""
    return [
        call.add("select", indices, dim=-1, index=at, part=f"index{at}")
        for at in range(indices.shape[-1])
    ]


@translates("OneHot")
def one_hot(call: Call) -> Result:
    depth = call.scalar(1)
    rank = len(call.shape(0))
    if depth is None:
        raise Unfit("its depth is not known before the pass")
    y = call.add("one_hot", call.value(0), classes=int(depth), dtype=call.type_of(2).dtype)
    axis = counted(call, call.integer("axis", -1), rank + 1)
    if axis == rank:
        return y
    dims = [*range(rank)]
    dims.insert(axis, rank)
    return call.add("permute", y, dims=tuple(dims), part="axis")


@translates("TopK")
def top_k(call: Call) -> Result:
    k = call.integer("k") if call.version < 10 else None
    if k is None:
        (k,) = call.numbers(1) or [0]
    axis = axis_of(call, -1)
    k = min(k, call.shape(0)[axis])
    largest = bool(call.integer("largest", 1))
    return call.add_all("top_k", call.value(0), k=k, dim=axis, largest=largest)


def at_most(call: Call, shape: Shape, dtype: str, what: str) -> Value:
    """A result whose size depends on the data, at its largest."""
    call.reader.note(
        f"{call.place}: how many {what} it gives depends on the data; {shape} is the most"
    )
    return call.add("opaque", call.value(0), name=call.op_type, types=((shape, dtype),))


@translates("NonZero")
def non_zero(call: Call) -> Result:
    type_ = call.type_of(0)
    return at_most(call, (max(1, type_.rank), type_.numel), "int64", "elements")


@translates("Compress")
def compress(call: Call) -> Result:
    type_ = call.type_of(0)
    if not call.has("axis"):
        return at_most(call, (type_.numel,), type_.dtype, "elements")
    return at_most(call, type_.shape, type_.dtype, "positions")


@translates("NonMaxSuppression")
def non_max_suppression(call: Call) -> Result:
    boxes, scores = call.shape(0), call.shape(1)
    if len(boxes) != 3 or len(scores) != 3:
        raise call.error("needs boxes (N, boxes, 4) and scores (N, classes, boxes)")
    limit = call.scalar(2)
    each = boxes[1] if limit is None else min(max(0, int(limit)), boxes[1])
    return at_most(call, (boxes[0] * scores[1] * each, 3), "int64", "boxes")


# --- sequences ----------------------------------------------------------------------------------


@translates("SequenceEmpty", "SequenceConstruct")
def sequence(call: Call) -> Result:
    return Many([call.item(at) for at in range(len(call.inputs))])


def many(call: Call) -> Many:
    found = call.inputs[0] if call.inputs else None
    if not isinstance(found, Many):
        raise call.error("needs a sequence of tensors")
    return found


@translates("SequenceAt")
def sequence_at(call: Call) -> Result:
    items, at = many(call).items, call.scalar(1)
    if at is None:
        raise Unfit("its place is not known before the pass")
    return items[int(at)]


@translates("SequenceInsert")
def sequence_insert(call: Call) -> Result:
    items = list(many(call).items)
    at = call.scalar(2) if call.given(2) else len(items)
    if at is None:
        raise Unfit("its place is not known before the pass")
    if len(items) >= MOST_PARTS:
        raise call.error(f"a sequence of more than {MOST_PARTS} tensors")
    items.insert(int(at), call.item(1))
    return Many(items)


@translates("SequenceLength")
def sequence_length(call: Call) -> Result:
    import numpy

    return numbers(call, numpy.array(len(many(call).items), dtype=numpy.int64))


@translates("ConcatFromSequence")
def concat_from_sequence(call: Call) -> Result:
    values = [call.tensor_of(item) for item in many(call).items]
    kind = "stack" if call.integer("new_axis", 0) else "concat"
    return call.add(kind, *values, dim=call.integer("axis"))


@translates("SplitToSequence")
def split_to_sequence(call: Call) -> Result:
    axis = axis_of(call, 0)
    size = call.shape(0)[axis]
    sizes = call.numbers(1) if call.given(1) else [1]
    if sizes is not None and (not call.given(1) or not call.shape(1)):
        each = max(1, sizes[0])
        if size > each * MOST_PARTS:
            raise call.error(f"cuts {size} into parts of {each}; at most {MOST_PARTS} are read")
        sizes = [min(each, size - start) for start in range(0, size, each)]
    parts = call.add_all("split", call.value(0), sizes=tuple(sizes or ()), dim=axis)
    if call.given(1) or call.integer("keepdims", 1):
        return Many(parts)
    return Many([call.add("squeeze", part, dims=(axis,), part="squeeze") for part in parts])
