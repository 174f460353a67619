"""The operators as a spec can use them, read off their classes."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from archcost.ir import Op
from archcost.ir.ops import OPERATORS, in_specs, operator_class


@dataclass(frozen=True)
class OperatorEntry:
    """Operators of one class: their names, family, arguments as a spec writes them, and sense."""

    names: tuple[str, ...]
    family: str
    arguments: tuple[str, ...]
    summary: str


def operators() -> list[OperatorEntry]:
    """Every operator that a spec can name, by family."""
    names: dict[tuple[type[Op], tuple[str, ...], str], list[str]] = {}
    for name, (family, _, _) in OPERATORS.items():
        if not in_specs(name):
            continue
        cls, fixed = operator_class(name)
        arguments = tuple(_argument(field) for field in fields(cls) if field.name not in fixed)
        names.setdefault((cls, arguments, family), []).append(name)
    return [
        OperatorEntry(tuple(group), family, arguments, _summary(cls.__doc__ or ""))
        for (cls, arguments, family), group in names.items()
    ]


def _argument(field: Field[Any]) -> str:
    """``out`` for a required argument, ``kernel=1`` for one with a default."""
    if field.default is MISSING:
        return field.name
    value = field.default
    shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else value
    return f"{field.name}={shown}"


def _summary(docstring: str) -> str:
    """The first paragraph, as one line without the markup of docstrings."""
    paragraph = docstring.strip().split("\n\n")[0]
    plain = re.sub(r":\w+:`~?([^`]*)`", r"\1", paragraph).replace("``", "")
    return " ".join(plain.split()).rstrip(".:")
