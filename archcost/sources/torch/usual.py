"""What is taken to be so of the inputs' values where code asks: that they are usual ones.

No integer of the inputs equals one that it is compared with (``pad in tokens``), their masks are
true everywhere, all numbers are finite, and tokens are shared out evenly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from archcost.ir.types import INTEGERS
from archcost.sources.torch.steps import Slot

USUAL: Final = (
    "inputs are usual ones where code tests their values: no token is a special one, masks are "
    "true, numbers are finite"
)
"""What :func:`usual` assumes."""

CHOOSING: Final = frozenset(
    ("cast", "copy", "expand", "flatten", "index", "index_select", "permute", "reshape", "select")
) | {"slice", "squeeze", "unsqueeze", "view"}
"""Operators that give elements of their first input."""
SAME_OF_ALL: Final = ("reduce_any", "reduce_all", "reduce_max", "reduce_min", "reduce_mean")
"""Operators that give, of numbers that are all one, that number."""
CHOSEN: Final = ("equal", "greater", "one_hot", "product", "top_k")
"""Operators between scores of classes and a mask of those that are chosen."""


def usual(slot: Slot, masks: Iterable[Slot]) -> float | None:
    """The number that all elements of a value are where the inputs are usual ones.

    ``masks`` are inputs that are true everywhere, as those of truth values are. None: it depends
    on something else.
    """
    step = slot.step
    if step is None:
        return 1 if slot in masks or slot.type.dtype == "bool" else None
    kind = step.op.kind
    if kind in ("is_nan", "is_inf"):
        return False
    found = usual(step.inputs[0], masks) if step.inputs else None
    if kind in ("equal", "not_equal"):
        scalar: Any = getattr(step.op, "scalar", None)
        if found is None or scalar is None:
            tokens = found is None and _of_inputs(step.inputs[0])
            return kind == "not_equal" if tokens else None
        return bool((found == scalar) == (kind == "equal"))
    if found is None or kind in (*CHOOSING, *SAME_OF_ALL):
        return found
    if kind == "reduce_sum":
        return found * (step.inputs[0].type.numel // max(1, slot.type.numel))
    return not found if kind == "not" else None


def _of_inputs(slot: Slot) -> bool:
    """Whether a value holds integers of the graph's inputs."""
    while slot.step is not None and slot.step.op.kind in CHOOSING:
        slot = slot.step.inputs[0]
    return slot.step is None and slot.type.dtype in INTEGERS


def classes_of(mask: Slot) -> int:
    """Of how many classes, each chosen as often as the others, a mask says where one was chosen:
    the experts that tokens are sent to. 1 where it says something else."""
    slot, classes = mask, 1
    while slot.step is not None and slot.step.op.kind in (*CHOOSING, *CHOSEN):
        op: Any = slot.step.op
        if op.kind == "top_k":
            if slot.index == 1:
                classes = slot.step.inputs[0].type.shape[op.dim]
            break
        if op.kind == "one_hot":
            classes = op.classes
        slot = slot.step.inputs[0]
    return classes
