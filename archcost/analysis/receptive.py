"""Receptive fields: which part of the input an element of each tensor depends on."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor
from typing import NamedTuple

from archcost.ir import Graph, Reach, Value


class ReceptiveField(NamedTuple):
    """The theoretical receptive field of a tensor's elements, one entry a spatial dimension.

    The element at position ``u`` depends on the input positions from ``u * stride + low`` to
    ``u * stride + high``; ends outside the input lie in its padding. ``size`` is their number,
    not cut off at the input's border; ``center`` is where the field of position 0 is centred.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    stride: tuple[float, ...]

    @property
    def size(self) -> tuple[int, ...]:
        # Ends are fractions behind an operator that upsamples; the widest position counts.
        return tuple(
            floor(last - first + 1e-9) + 1 for first, last in zip(self.low, self.high, strict=True)
        )

    @property
    def center(self) -> tuple[float, ...]:
        return tuple((first + last) / 2 for first, last in zip(self.low, self.high, strict=True))


def receptive_fields(graph: Graph) -> dict[Value, ReceptiveField]:
    """The receptive field of every tensor that depends on the graph's first input.

    Composed front to back from each operator's reach (Araujo et al. 2019, "Computing Receptive
    Fields of Convolutional Neural Networks", Distill): behind a window that reads ``low`` to
    ``high`` at ``stride``, the field of position u is that of the positions u * stride + low to
    u * stride + high. Where paths merge, the field is their hull, at the coarsest stride, wide
    enough for every position: paths of other strides, and tensors that are broadcast along a
    dimension, widen it by what they drift from that stride.

    What no window says is left out: statistics of normalisations, and positions that a matrix
    product mixes. An operator whose windows have more dimensions than the graph's input, since
    channels were made positions, moves over the input with the last of them, as long as those are
    the input's; behind any other of another number of dimensions a field is the whole input.
    Behind an operator that is not known there is no field. An input (N, C, L) cannot be told from
    one of vectors, (N, T, features), where no window moves over the network: there is none either.
    """
    if not graph.inputs:
        return {}
    source = graph.inputs[0]
    rank = max(len(source.shape) - 2, 0)
    if rank == 1 and not any(hasattr(node.op, "kernel") for node in graph.nodes):
        return {}
    fields = {source: ReceptiveField((0,) * rank, (0,) * rank, (1,) * rank)}
    aligned: set[Value] | None = None
    lost: set[Value] = set()
    for node in graph.nodes:
        if not node.inputs:
            continue
        application = node.application
        if not application.op.known and not fields.keys().isdisjoint(node.inputs):
            lost.update(node.outputs)
            continue
        if lost and not lost.isdisjoint(node.inputs):
            lost.update(node.outputs)
            continue
        field = fields.get(node.inputs[0])
        # A view's elements are those of its first input; of others it takes a size at most.
        if len(node.inputs) > 1 and not application.op.view:
            known = [value for value in node.inputs if value in fields]
            field = _merged(known, fields) if known else None
        if field is None:
            continue
        reach = application.reach
        if reach:
            if len(reach) == rank:
                field = _behind(field, reach)
            else:
                if aligned is None:  # rarely needed: a pass of its own, not a test at each node
                    aligned = _aligned(graph)
                known = [value for value in node.inputs if value in fields]
                trailing = 0 < rank < len(reach) and aligned.issuperset(known)
                field = _behind(field, reach[-rank:]) if trailing else _everything(source)
        for value in node.outputs:
            fields[value] = field
    return fields


def _aligned(graph: Graph) -> set[Value]:
    """The values whose last dimensions are the positions that receptive fields speak of: no
    reshape has rearranged them."""
    source = graph.inputs[0]
    rank = len(source.shape) - 2
    reached, aligned = {source}, {source}
    for node in graph.nodes:
        known = reached.intersection(node.inputs)
        if not known:
            continue
        ends = {value.shape[-rank:] for value in node.inputs}
        for value in node.outputs:
            reached.add(value)
            kept = node.application.reach or value.shape[-rank:] in ends
            if kept and len(value.shape) >= 2 + rank and aligned.issuperset(known):
                aligned.add(value)
    return aligned


def _everything(source: Value) -> ReceptiveField:
    sizes = source.type.spatial
    return ReceptiveField((0,) * len(sizes), tuple(size - 1 for size in sizes), sizes)


def _behind(field: ReceptiveField, reach: tuple[Reach, ...]) -> ReceptiveField:
    low, high, stride = zip(
        *[
            (begin + first * jump, end + last * jump, jump * step)
            for begin, end, jump, (first, last, step) in zip(*field, reach, strict=True)
        ],
        strict=True,
    )
    if float in map(type, (*low, *high, *stride)):
        low, high, stride = _tidy(low), _tidy(high), _tidy(stride)
    return ReceptiveField(low, high, stride)


def _merged(values: list[Value], fields: dict[Value, ReceptiveField]) -> ReceptiveField:
    """The hull of the fields of tensors that are merged."""
    if len(values) == 1:
        return fields[values[0]]
    low, high, stride = zip(*[fields[value] for value in values], strict=True)
    sizes = [value.type.shape[2:][-len(stride[0]) :] for value in values]
    if stride.count(stride[0]) == sizes.count(sizes[0]) == len(values):
        return ReceptiveField(tuple(map(min, *low)), tuple(map(max, *high)), stride[0])
    lows, highs, jumps = [], [], []
    for dim in range(len(stride[0])):
        own = [shape[dim] if dim < len(shape) else 1 for shape in sizes]
        count = max(own)
        # A tensor with one position, where another has more, is the same at all of them.
        steps = [0 if n == 1 < count else s[dim] for n, s in zip(own, stride, strict=True)]
        coarsest = max(steps)
        drifts = [(coarsest - step) * (count - 1) for step in steps]
        lows.append(min(begin[dim] - drift for begin, drift in zip(low, drifts, strict=True)))
        highs.append(max(end[dim] for end in high))
        jumps.append(coarsest)
    return ReceptiveField(_tidy(lows), _tidy(highs), _tidy(jumps))


def _tidy(values: Iterable[float]) -> tuple[float, ...]:
    """Whole numbers as ints, so that fields stay exact where no fraction comes in."""
    return tuple(
        int(value) if type(value) is float and value.is_integer() else value for value in values
    )
