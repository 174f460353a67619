"""Which rows of stored tensors another tensor is made of.

torch keeps the gates of a recurrent layer in another order than ONNX. Where an exporter does not
rearrange its weights itself, it leaves slices in the file that are put together again.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcost.ir import TensorType
from archcost.sources.onnx.call import Call, Unfit
from archcost.sources.onnx.tensors import Known, Rows, Stored


def rows_of(
    call: Call, moved: Sequence[Known], types: Sequence[TensorType | None]
) -> list[Rows | None]:
    """For each output of ``call`` the rows of stored tensors that it consists of, where they can
    be told; ``moved`` are the tensors whose elements it moves."""
    nothing: list[Rows | None] = [None] * len(types)
    found = [known.rows for known in moved]
    if call.op_type in ("Cast", "DequantizeLinear", "Identity"):
        return [found[0]]
    if call.op_type == "Concat" and call.integer("axis") == 0:
        if not all(found):
            return nothing
        return [tuple(part for rows in found for part in rows or ())]
    rows = found[0]
    if rows is None or len(rows) != 1:
        return nothing
    ((root, start, _),) = rows
    if call.op_type == "Split" and call.integer("axis", 0) == 0:
        result: list[Rows | None] = []
        for type_ in types:
            assert type_ is not None
            result.append(((root, start, start + type_.shape[0]),))
            start += type_.shape[0]
        return result
    if call.op_type == "Slice" and (first := _first(call)) is not None:
        type_ = types[0]
        assert type_ is not None
        return [((root, start + first, start + first + type_.shape[0]),)]
    return nothing


def _first(call: Call) -> int | None:
    """The first row that a Slice takes, where it takes whole rows, one by one."""
    try:
        starts = call.integers("starts") if call.version < 10 else call.numbers(1)
        axes = call.integers("axes") if call.version < 10 else call.numbers(3)
        steps = None if call.version < 10 else call.numbers(4)
    except Unfit:
        return None
    if starts is None or len(starts) != 1 or (axes or [0]) != [0] or (steps or [1]) != [1]:
        return None
    size = call.shape(0)[0]
    return range(size)[slice(starts[0], None)].start


def all_of(rows: Rows | None, roots: Sequence[Stored]) -> bool:
    """Whether ``rows`` are all rows of all ``roots``, each once."""
    if rows is None:
        return False
    parts_of: dict[Stored, list[tuple[int, int]]] = {root: [] for root in roots}
    for tensor, first, last in rows:
        parts_of[tensor].append((first, last))
    for root, parts in parts_of.items():
        parts.sort()
        ends = [0, *(last for _, last in parts)]
        firsts = [*(first for first, _ in parts), root.type.shape[0]]
        if ends != firsts:
            return False
    return True
