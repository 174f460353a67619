"""How modules are made, read off the modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from inspect import Parameter as Argument
from inspect import signature
from typing import Any, Final

import torch
from torch import Tensor, nn

from archcost.ir import Node
from archcost.targets import TargetError, torch_modules
from archcost.targets.torch_code.templates import REQUIRED, Construction, Value, constant

PARAMETER: Final = "nn.Parameter"
BUFFER: Final = "register_buffer"
"""What makes a tensor that is stored, rather than a module."""

RECURRENT: Final = (
    *("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"),
    *("bidirectional", "proj_size"),
)
"""Arguments of torch's recurrent networks, whose constructors do not name them."""

ONE_FOR_ALL: Final = ("kernel_size", "stride", "padding", "dilation", "output_padding")
"""Arguments for which one number stands for the same number in all dimensions."""

SPECIAL: Final[dict[type[nn.Module], Callable[[Any], dict[str, Any]]]] = {
    torch_modules.TableConv: lambda m: {
        "channels": m.dense[1],
        "connections": tuple(
            tuple(seen for at, seen in zip(m.rows, m.columns, strict=True) if at == row)
            for row in range(m.dense[0])
        ),
        "kernel": m.dense[2:],
    },
    torch_modules.LocalConv: lambda m: {
        "out": m.weight.shape[len(m.places)],
        "channels": m.weight.shape[len(m.places) + 1],
    },
    torch_modules.DropConnect: lambda m: {
        "features": m.in_features,
        "out": m.out_features,
        "bias": m.biased,
    },
    torch_modules.RadialBasis: lambda m: {
        "features": m.centers.shape[1],
        "out": m.centers.shape[0],
        "trainable": isinstance(m.centers, nn.Parameter),
    },
    torch_modules.ScaleShift: lambda m: {
        "shape": tuple((m.bias if m.weight is None else m.weight).shape),
        "rank": len(m.broadcast) + 1,
        "scale": m.weight is not None,
        "bias": m.bias is not None,
    },
}
"""What the attributes of our own modules do not say by the names of their arguments."""


@cache
def _arguments(cls: Any) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of what ``cls`` is made with."""
    if issubclass(cls, nn.RNNBase):
        defaults = (REQUIRED, REQUIRED, 1, True, False, 0.0, False, 0)
        names = RECURRENT[: 7 if issubclass(cls, nn.GRU | nn.RNN) else None]
        extra = (("nonlinearity", "tanh"),) if issubclass(cls, nn.RNN) else ()
        return (*zip(names, defaults, strict=False), *extra)
    skipped = (Argument.VAR_POSITIONAL, Argument.VAR_KEYWORD)
    return tuple(
        (name, argument.default)
        for name, argument in list(signature(cls.__init__).parameters.items())[1:]
        if argument.kind not in skipped and name not in ("device", "dtype")
    )


def construction(node: Node, module: nn.Module) -> Construction:
    """How ``module`` is made.

    Raises:
        TargetError: the module does not tell.
    """
    cls: Any = type(module)
    if isinstance(module, torch_modules.Weight):
        return _stored(module)
    special = SPECIAL.get(cls, lambda _: {})(module)
    values = []
    for name, default in _arguments(cls):
        if name in special:
            value = special[name]
        elif hasattr(module, name):
            value = getattr(module, name)
            if isinstance(value, Tensor) or (name == "bias" and value is None):
                value = value is not None
            if isinstance(value, partial) or callable(value):
                value = default
        else:
            value = default
        if value is REQUIRED:
            raise TargetError(node, f"its {cls.__name__} does not tell {name!r}")
        value = constant(value)
        if name == "stride" and value == getattr(module, "kernel_size", None):
            value = default if default is None else value
        own = cls.__module__.startswith("torch.nn")
        if own and name in ONE_FOR_ALL and isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]
        if name == "normalized_shape" and isinstance(value, tuple) and len(value) == 1:
            (value,) = value
        if isinstance(default, bool) or default is None:
            pass
        elif isinstance(default, float) and isinstance(value, int):
            value = float(value)
        if issubclass(cls, nn.modules.batchnorm._NormBase) and name == "bias" and not module.affine:
            value = default  # which releases before it had the argument go by
        # The rate of a dropout is always written.
        values.append(Value(name, REQUIRED if name == "p" else default, value))
    return Construction(cls, values)


def _stored(weight: torch_modules.Weight) -> Construction:
    """How a tensor that is stored is made: a parameter, or a buffer."""
    value = weight.value
    dtype = Value("dtype", torch.float32, value.dtype)
    zeros = Construction("torch.zeros", [Value("size", REQUIRED, tuple(value.shape)), dtype])
    return Construction(PARAMETER if isinstance(value, nn.Parameter) else BUFFER, [], [("", zeros)])
