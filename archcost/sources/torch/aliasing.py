"""Tensors that share storage: whose views they are, and which part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from archcost.ir import Op, Parameter
from archcost.sources.torch.steps import Slot


@dataclass(eq=False, slots=True)
class Storage:
    """What tensors that share it are views of: ``base`` is the whole of it, as it is now."""

    base: Slot
    version: int = 0


@dataclass(eq=False, slots=True)
class Held:
    """A tensor's value: up to date if ``version`` is its storage's, else ``views`` of the base."""

    tensor: Tensor
    slot: Slot
    storage: Storage
    version: int = 0
    views: tuple[tuple[Op, int], ...] = ()
    parameter: Parameter | None = None


def views_between(origin: Slot, slot: Slot) -> tuple[tuple[Op, int], ...] | None:
    """The views that lead from ``origin`` to ``slot``; None where others do."""
    views: list[tuple[Op, int]] = []
    step = slot.step
    while step is not None and step.op.view and step.inputs:
        views.append((step.op, slot.index))
        slot = step.inputs[0]
        if slot is origin:
            return tuple(reversed(views))
        step = slot.step
    return None


def part_of(
    views: Sequence[tuple[Op, int]], shape: Sequence[int]
) -> tuple[tuple[int, int, int], ...] | None:
    """Which positions of each dimension of ``shape`` the last of these views is, in its order;
    None where that is not so simple."""
    parts = [range(size) for size in shape]
    at: list[int | None] = list(range(len(parts)))  # the view's dimensions; None: a new one
    for op, index in views:
        arguments: Any = op
        if op.kind == "unsqueeze":
            at.insert(arguments.dim % (len(at) + 1), None)
            continue
        if op.kind == "squeeze":
            if arguments.dims is None:
                return None
            gone = {dim % len(at) for dim in arguments.dims}
            at = [place for dim, place in enumerate(at) if dim not in gone]
            continue
        if op.kind not in ("slice", "select", "split"):
            return None
        dim = arguments.dim % len(at)
        place = at[dim]
        if place is None:
            return None
        if op.kind == "slice":
            parts[place] = parts[place][arguments.start : arguments.stop : arguments.step]
        elif op.kind == "select":
            parts[place] = parts[place][arguments.index :][:1]
            del at[dim]
        else:
            n = len(parts[place])
            sizes = arguments.sizes or (n // arguments.parts,) * arguments.parts
            parts[place] = parts[place][sum(sizes[:index]) :][: sizes[index]]
    return tuple((part.start, part.stop, part.step) for part in parts) or None
