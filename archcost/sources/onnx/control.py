"""Graphs inside nodes: branches, and loops, which are written out turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archcost.ir import TensorType, Value
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.tensors import Entry, Item, Known, Many

MOST_TURNS: Final = 10_000


@translates("If")
def if_(call: Call) -> Result:
    """The branch that is taken; where the pass decides that, the one for true."""
    known = call.scalar(0)
    if known is None:
        call.reader.note(f"{call.place}: its condition is computed in the pass, and taken as true")
    name = "then_branch" if known is None or known else "else_branch"
    return call.reader.branch(call, name)


@translates("Loop")
def loop(call: Call) -> Result:
    """Its body as often as it says; inputs: turns, condition, what goes from turn to turn.

    Outputs: the latter after the last turn, then what each turn gives besides, stacked.
    """
    body = call.subgraph("body")
    turns = call.scalar(0)
    if turns is None or not 0 <= turns <= MOST_TURNS or (call.given(1) and call.scalar(1) is None):
        raise Unfit("how many turns it takes is not known before the pass, or they are too many")
    carried: list[Entry | None] = list(call.inputs[2:])
    going = not call.given(1) or bool(call.scalar(1))
    collected: list[list[Entry | None]] = [[] for _ in body.output[1 + len(carried) :]]
    for turn in range(int(turns) if going else 0):
        given = [_number(call, turn, "int64"), _number(call, True, "bool"), *carried]
        condition, *rest = call.reader.branch(call, "body", given, str(turn))
        carried, more = rest[: len(carried)], rest[len(carried) :]
        for values, value in zip(collected, more, strict=True):
            values.append(value)
        if not isinstance(condition, Known) or condition.values is None:
            call.reader.note(f"{call.place}: it is taken to make all its {int(turns)} turns")
        elif not condition.values.all():
            break
    return [*carried, *(_stacked(call, values, 0) for values in collected)]


@translates("Scan")
def scan(call: Call) -> Result:
    """Its body for each position of its sequences; inputs: what goes from turn to turn, then
    sequences. Outputs: the former after the last turn, then what each turn gives, stacked."""
    if call.version < 9:
        raise Unfit("it is of a version that has a batch")
    body = call.subgraph("body")
    count = call.integer("num_scan_inputs")
    states = len(call.inputs) - count
    if not 1 <= count <= len(call.inputs):
        raise call.error(f"has {len(call.inputs)} inputs, of which {count} are sequences")
    axes = call.integers("scan_input_axes") or [0] * count
    sequences = [call.value(at) for at in range(states, len(call.inputs))]
    turns = sequences[0].shape[axes[0]]
    if turns > MOST_TURNS:
        raise Unfit("it makes too many turns")
    carried: list[Entry | None] = list(call.inputs[:states])
    collected: list[list[Entry | None]] = [[] for _ in body.output[states:]]
    for turn in range(turns):
        now = [
            call.add("select", sequence, dim=axis, index=turn, part=f"{turn}")
            for sequence, axis in zip(sequences, axes, strict=True)
        ]
        rest = call.reader.branch(call, "body", [*carried, *now], str(turn))
        carried = rest[:states]
        for values, value in zip(collected, rest[states:], strict=True):
            values.append(value)
    ends = call.integers("scan_output_axes") or [0] * len(collected)
    stacked = [_stacked(call, values, axis) for values, axis in zip(collected, ends, strict=True)]
    return [*carried, *stacked]


def _number(call: Call, number: int, dtype: str) -> Known:
    import numpy

    return Known(call.name, TensorType((), dtype), values=numpy.array(number, dtype))


def _stacked(call: Call, entries: Sequence[Entry | None], axis: int) -> Item | None:
    if not entries:
        return None
    values: list[Value] = []
    for entry in entries:
        if entry is None or isinstance(entry, Many):
            raise call.error("collects what is no tensor")
        values.append(call.tensor_of(entry))
    return call.add("stack", *values, dim=axis, part="stacked")
