"""What a model is to be read with: its inputs' shapes, and where needed their dtypes and names.

A reader of files gets plain shapes without the batch; only a PyTorch module takes all of this.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from numbers import Integral
from operator import index
from typing import Any, Final, NamedTuple

from archcost.ir import ArchcostError, Shape
from archcost.ir.arguments import LARGEST
from archcost.ir.types import BITS

TEXT: Final = re.compile(
    r"(?:(?P<name>[^=:]{1,200})=)?(?P<sizes>[0-9]{1,15}(?:x[0-9]{1,15})*)(?::(?P<dtype>\w{1,20}))?\Z",
    re.IGNORECASE,
)


class InputError(ArchcostError, ValueError):
    """The inputs were described in a way that is not understood."""


class Input(NamedTuple):
    """One input: its shape without the batch; its dtype and name where they matter."""

    shape: Shape
    dtype: str | None = None
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Input:
        """``3x224x224``, ``128:int64``, ``input_ids=128:int64``. Raises InputError."""
        match = TEXT.match(text)
        if not match:
            raise InputError(
                f"{text!r:.60} is no shape; expected sizes without the batch, like 3x224x224, "
                "or 128:int64, or name=128:int64"
            )
        dtype = match["dtype"]
        if dtype is not None and dtype.lower() not in BITS:
            raise InputError(f"no dtype {dtype!r}; there are {', '.join(BITS)}")
        shape = sizes(tuple(int(size) for size in match["sizes"].lower().split("x")))
        return cls(shape, dtype and dtype.lower(), match["name"])


Inputs = Sequence[Any] | Mapping[str, Any] | str
"""One shape, ``(3, 224, 224)`` or ``"3x224x224"``, or several; for a PyTorch module also tensors,
which have their batch, and a mapping of the names of its forward's arguments to any of these."""


def sizes(shape: Any) -> Shape:
    """``shape`` as integers. Raises InputError, and TypeError where it is no shape."""
    if isinstance(shape, str):
        raise TypeError
    result = tuple([index(size) for size in shape])
    if any(abs(size) > LARGEST for size in result):
        raise InputError(f"an input's sizes are at most {LARGEST}")
    return result


def listed(inputs: Inputs) -> list[Any]:
    """``inputs`` as a list of :class:`Input` and of what is none, tensors, as it is."""
    if isinstance(inputs, Mapping):
        return [_named(name, value) for name, value in inputs.items()]
    if isinstance(inputs, str | Input) or _is_tensor(inputs):
        return [_one(inputs)]
    try:
        if len(inputs) and all(isinstance(size, Integral) for size in inputs):
            return [Input(sizes(inputs))]
        return [_one(value) for value in inputs]
    except TypeError:
        raise InputError(f"inputs is one shape or a list of shapes, not {inputs!r:.80}") from None


def _is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")  # where it is not loaded there is none of its tensors
    return torch is not None and hasattr(torch, "Tensor") and isinstance(value, torch.Tensor)


def _one(value: Any) -> Any:
    if isinstance(value, Input) or _is_tensor(value):
        return value
    return Input.parse(value) if isinstance(value, str) else Input(sizes(value))


def _named(name: str, value: Any) -> Any:
    made = listed(value)
    if len(made) != 1:
        raise InputError(f"input {name!r:.60} is one shape or tensor, not {value!r:.80}")
    (one,) = made
    return one._replace(name=name) if isinstance(one, Input) else (name, one)


def shapes(inputs: Inputs | None, what: str) -> list[Shape] | None:
    """Plain shapes, for ``what``, which takes no dtypes, names or tensors.

    Raises:
        InputError: there are some.
    """
    if inputs is None:
        return None
    found = listed(inputs)
    for one in found:
        if not isinstance(one, Input) or one.dtype is not None or one.name is not None:
            raise InputError(
                f"{what} takes plain shapes without the batch, like 3x224x224; dtypes and names "
                "are for PyTorch modules"
            )
    return [one.shape for one in found]
