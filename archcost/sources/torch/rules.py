"""Which operators of archcost a call of one of torch's is: the registry, and what rules share.

A rule is a function of the :class:`~.trace.Trace` and the arguments of the call, named as in the
operator's schema. It adds steps to the trace and returns the values of the call's results, or None
where it does not fit: the call is then taken apart, or is opaque. An operator that writes over its
first argument (``add_``) has the same rule as the one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from archcost.ir import Op

if TYPE_CHECKING:
    from archcost.sources.torch.steps import Slot
    from archcost.sources.torch.trace import Trace

Slots = Sequence["Slot"] | None
Rule = Callable[..., Slots]
Scalar = int | float | bool | complex
Operand = Tensor | Scalar

RULES: Final[dict[str, Rule]] = {}
"""``aten::conv2d``, or ``aten::max.dim`` for one of its overloads, -> the rule."""
MODULE_RULES: Final[dict[type[nn.Module], Rule]] = {}
"""class of modules -> the rule for its calls as a whole, where torch composes them in Python."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Declare the rule of operators of ATen (``conv2d``, ``max.dim``) or others (``ns::name``)."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name if "::" in name else f"aten::{name}"] = function
        return function

    return register


def module_rule(module: nn.Module) -> Rule | None:
    """The rule for calls of ``module`` as a whole.

    A module may itself say which operator of archcost it is, by an attribute ``archcost_op``.
    """
    if isinstance(getattr(module, "archcost_op", None), Op):
        return _declared
    return MODULE_RULES.get(type(module))


def _declared(t: Trace, module: nn.Module, *inputs: Tensor) -> Sequence[Slot]:
    op: Op = module.archcost_op  # type: ignore[assignment]
    stored = {
        name: t.parameter(tensor)
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }
    return t.add(op, inputs, share=stored)


def ints(value: Any) -> tuple[int, ...]:
    """Sizes and the like as numbers of Python."""
    return tuple([int(item) for item in value])


def dims_of(value: Any) -> list[int] | None:
    """The dimensions that a reduction names; None for all."""
    if value is None:
        return None
    if isinstance(value, int):
        return [value]
    return [int(dim) for dim in value] or None


def number(value: Any) -> int | float:
    """A scalar as archcost's operators take it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, complex):
        raise TypeError("complex scalars are no arguments")
    return value  # type: ignore[no-any-return]


def constant_of(t: Trace, value: Any, dtype: torch.dtype, shape: Sequence[int] = ()) -> Slot:
    """A number as a tensor."""
    return t.constants([torch.tensor(value, dtype=dtype).expand(tuple(shape))])[0]


def load() -> None:
    """Import the rules, which register themselves."""
    from archcost.sources.torch import (  # noqa: F401
        elementwise_rules,
        indexing_rules,
        layer_rules,
        reduction_rules,
        shape_rules,
    )
