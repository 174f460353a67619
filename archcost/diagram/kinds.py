"""Operators in the words of papers."""

from __future__ import annotations

from typing import Any, Final

from archcost.ir import Node
from archcost.ir.ops import OPERATORS


def family(kind: str) -> str:
    """The module of :mod:`archcost.ir.ops` that has the operator; none for an unknown one."""
    return OPERATORS[kind][0] if kind in OPERATORS else ""


def operation(node: Node) -> str:
    """What ``node`` does as a paper's figure says it: ``3x3 conv, 64, /2``."""
    op = node.op
    name = op.kind if not op.known else _NAMES.get(op.kind, op.kind.replace("_", " "))
    kernel = getattr(op, "kernel", None)
    if kernel is not None:
        rank = node.application.inputs[0].rank - 2 if node.application.inputs else 0
        name = f"{_sizes(kernel, max(rank, 1))} {name}"
    return ", ".join([name, *_arguments(op, kernel)])


def _arguments(op: Any, kernel: Any) -> list[str]:
    # An LSTM's ``out`` follows from its hidden units.
    sizes = (getattr(op, name, None) for name in ("hidden", "out", "width"))
    texts = [str(size) for size in sizes if isinstance(size, int)][:1]
    stride = getattr(op, "stride", 1)
    if stride is None:  # a pool's windows lie side by side
        stride = kernel
    if _whole(stride) not in (1, None):
        texts.append(f"/{_sizes(stride, 1)}")
    for field, text in (
        ("groups", "{} groups"),
        ("dilation", "dilation {}"),
        ("multiplier", "x {}"),
        ("layers", "{} layers"),
        ("pieces", "{} pieces"),
        ("scale", "x {}"),
    ):
        value = _whole(getattr(op, field, None)) if _is_size(getattr(op, field, None)) else None
        if value is not None and (value != 1 or (field == "groups" and op.kind == "group_norm")):
            texts.append(text.format(_sizes(value, 1)))
    if op.kind in _SIZED and _is_size(op.size):
        texts.append(f"to {_sizes(op.size, 1)}")
    if getattr(op, "bidirectional", False):
        texts.append("both ways")
    return texts


_SIZED: Final = {"upsample", "fractional_max_pool", "adaptive_max_pool", "adaptive_avg_pool"}
"""Kinds whose ``size`` is that of their output."""

_NAMES: Final = {
    "batch_norm": "BN",
    "lrn": "LRN",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "prelu": "PReLU",
    "leaky_relu": "leaky ReLU",
    "gelu": "GELU",
    "gelu_tanh": "GELU",
    "silu": "SiLU",
    "elu": "ELU",
    "selu": "SELU",
    "lstm": "LSTM",
    "gru": "GRU",
}
"""How papers write what their readers know by these names."""


def short_kind(kind: str) -> str:
    """An operator's kind as a figure names it: ``BN``, ``ReLU``, ``max pool``."""
    return _NAMES.get(kind, kind.replace("_", " ") if kind in OPERATORS else kind)


def _is_size(value: Any) -> bool:
    """Whether it is one number, or one for each dimension; a norm's ``scale`` is a flag."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (
        isinstance(value, tuple) and all(isinstance(size, int) for size in value)
    )


def _whole(value: Any) -> Any:
    """One number where a tuple has the same for each dimension."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _sizes(value: Any, rank: int) -> str:
    """``3x3``: one number for each of ``rank`` dimensions."""
    return "x".join(map(str, value if isinstance(value, tuple) else (value,) * rank))
