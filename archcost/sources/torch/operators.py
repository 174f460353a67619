"""ATen's operators as the modes see them: what an operator's schema says, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

if TYPE_CHECKING:
    from archcost.sources.torch.meta import MetaMode

META: Final = torch.device("meta")

UNINITIALISED: Final = frozenset(
    {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"}
)
"""Factories whose results hold nothing worth knowing."""
NESTED: Final = "_nested_tensor_from_mask_left_aligned"
"""Asks whether a batch of sequences with padding may be packed, which would save work."""
ASKING: Final = frozenset(
    {"item", "_local_scalar_dense", "is_nonzero", "equal", "allclose", NESTED}
)
"""Operators that give a number instead of a tensor."""

Overload = Any  # torch._ops.OpOverload, of which torch's stubs say nothing
Arguments = Mapping[str, Any]
Selector = Callable[["MetaMode", "Overloaded", Sequence[Any], Arguments], Any]


def tensors_in(values: Iterator[Any] | Sequence[Any]) -> Iterator[Tensor]:
    """The tensors among an operator's arguments or results, those in lists too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)


def storage_of(tensor: Tensor) -> int:
    """What tensors have in common that share storage. A sparse one shares none."""
    strided = tensor.layout == torch.strided
    return tensor.untyped_storage()._cdata if strided else id(tensor)


def is_composite(func: Overload) -> bool:
    """Whether torch itself composes the operator of others, in a kernel or in Python."""
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    return key in func.py_kernels or has_kernel(func.name(), key)


class Overloaded:
    """What the mode has to know of an operator, worked out once."""

    __slots__ = (
        "asks",
        "base",
        "fresh",
        "in_place",
        "name",
        "outs",
        "places",
        "pure",
        "selects",
        "takes_device",
        "writes",
    )

    def __init__(self, func: Overload, selects: Selector | None = None) -> None:
        schema = func._schema
        self.name: str = schema.name
        self.base: str = schema.name.rpartition("::")[2]
        self.places = {argument.name: n for n, argument in enumerate(schema.arguments)}
        self.asks = self.base in ASKING
        self.pure = (
            self.base not in UNINITIALISED and torch.Tag.nondeterministic_seeded not in func.tags
        )
        self.takes_device = "device" in self.places
        self.writes = tuple(
            argument.name
            for argument in schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
        )
        self.outs = frozenset(argument.name for argument in schema.arguments if argument.is_out)
        # Whether its results are tensors of their own, no views and nothing that was written to.
        self.fresh = not any(
            each.alias_info is not None for each in (*schema.arguments, *schema.returns)
        )
        # Whether its result is its first argument, of which nothing changes but elements.
        self.in_place = (
            self.base.endswith("_")
            and self.writes == (schema.arguments[0].name,)
            and torch.Tag.inplace_view not in func.tags
        )
        self.selects = selects

    def argument(self, name: str, args: Sequence[Any], kwargs: Arguments) -> Any:
        """The argument of that name, given by place or by name; None where it is not given."""
        place = self.places.get(name, len(args))
        return args[place] if place < len(args) else kwargs.get(name)

    def written(self, args: Sequence[Any], kwargs: Arguments) -> list[Tensor]:
        """The tensors that the operator writes to."""
        return list(tensors_in([self.argument(name, args, kwargs) for name in self.writes]))
