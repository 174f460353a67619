"""The expressions that make modules, and loops of those that are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import isfinite, lcm
from typing import Any

from torch import nn

from archcost.targets.torch_code.classes import Class, Shared, Symbol
from archcost.targets.torch_code.layout import Call
from archcost.targets.torch_code.literals import NESTED, literal
from archcost.targets.torch_code.templates import (
    PRODUCT,
    REQUIRED,
    SUM,
    Construction,
    Value,
)


def called(callee: Any) -> str:
    """The name of what makes a module."""
    if isinstance(callee, str):
        return callee
    if isinstance(callee, Class):
        return callee.name
    if isinstance(callee, Shared):
        return f"shared {callee.number}"
    name: str = callee.__name__
    return f"nn.{name}" if getattr(nn, name, None) is callee else name


def making(made: Construction, shared: Mapping[int, str]) -> str | Call:
    """The expression that makes a module. ``shared`` are the expressions of those that exist."""
    if isinstance(made.callee, Shared):
        return shared[made.callee.number]
    if made.callee == "nn.Sequential":
        return sequential(made.callee, made.items, shared)
    if made.callee == "nn.ModuleList":
        _, loop = run_from(made.items, 0, shared)
        return Call(made.callee, [loop.removeprefix("*(").removesuffix(")")])
    given = [making(item, shared) for _, item in made.items]
    return Call(called(made.callee), [*given, *_written(made)], tail=made.suffix)


def _written(made: Construction) -> list[str]:
    required = [value for value in made.values if value.default is REQUIRED]
    own = isinstance(made.callee, type) and called(made.callee) == made.callee.__name__
    result: list[str] = []
    for at, value in enumerate(required):
        text = literal(value.value).text
        if made.callee == "torch.zeros" and isinstance(value.value, tuple) and value.value:
            text = ", ".join(literal(size).text for size in value.value)
        # Of our own modules, whose arguments nobody knows, and a True, all are named.
        named = (own and at and len(required) > 2) or isinstance(value.value, bool)
        named = named or any("=" in before for before in result)
        result.append(f"{value.name}={text}" if named else text)
    optional = [value for value in made.values if value.default is not REQUIRED]
    for at, value in enumerate(optional):
        if type(value.value) is type(value.default) and value.value == value.default:
            continue
        text = literal(value.value).text
        # The one number of an activation or a dropout speaks for itself.
        alone = at == 0 and not required and value.name not in ("dim", "affine", "start_dim")
        own = isinstance(made.callee, Class)
        result.append(text if alone and not own else f"{value.name}={text}")
    return result


def sequential(
    head: str, items: Sequence[tuple[str, Construction]], shared: Mapping[int, str]
) -> Call:
    """``head(...)`` of modules one after the other, runs of the same in a loop."""
    arguments: list[str | Call] = []
    at = 0
    while at < len(items):
        length, text = run_from(items, at, shared)
        arguments.append(text if length > 1 else making(items[at][1], shared))
        at += length
    return Call(
        head, arguments, tall=len(arguments) > 2 or (len(items) > 1 and _long(head, arguments))
    )


def _long(head: str, arguments: Sequence[str | Call]) -> bool:
    return len(Call(head, arguments).text) > NESTED


class Unnamed(dict[int, str]):
    """Names for shared modules where none matters."""

    def __missing__(self, number: int) -> str:
        return f"shared{number}"


def run_from(
    items: Sequence[tuple[str, Construction]], at: int, shared: Mapping[int, str]
) -> tuple[int, str]:
    """How many items from ``at`` on are one with numbers that grow evenly, and those in a loop."""
    first = items[at][1]
    if isinstance(first.callee, Shared) or not (first.values or isinstance(first.callee, Class)):
        return 1, ""
    if any(item.values for _, item in first.items):
        return 1, ""
    alike = [first]
    for _, made in items[at + 1 :]:
        if made.key(called) != first.key(called) or made.callee is not first.callee:
            break
        alike.append(made)
    length = len(alike)
    columns = [list(column) for column in zip(*(made.values for made in alike), strict=True)]
    for column in columns:
        length = min(length, _even_length([value.value for value in column]))
    if length < 3:
        return 1, ""
    found = _progress(columns, length)
    if found is None:
        return 1, ""
    varies, start, values = found
    one = making(Construction(first.callee, values, first.items, first.suffix), shared)
    span = f"{start}, {start + length}" if start else str(length)
    return length, f"*({one} for {'i' if varies else '_'} in range({span}))"


def _even_length(values: Sequence[Any]) -> int:
    """How many of ``values`` are the same, or grow evenly."""
    if len(values) < 2 or _same(values[0], values[1]):
        return next((n for n, v in enumerate(values) if not _same(v, values[0])), len(values))
    if not _numbers(values[:2]):
        return 1
    exact = [_exact(value) for value in values[:2]]
    by = exact[1] - exact[0]
    for count, value in enumerate(values):
        if not _numbers([values[0], value]) or _exact(value) != exact[0] + by * count:
            return count
    return len(values)


def _same(one: Any, two: Any) -> bool:
    return type(one) is type(two) and bool(one == two)


def _numbers(values: Sequence[Any]) -> bool:
    return all(type(v) is type(values[0]) and type(v) in (int, float) for v in values) and all(
        isfinite(value) for value in values
    )


def _exact(value: float) -> Fraction:
    """``value`` as the fraction that it was most likely written as."""
    return Fraction(value).limit_denominator(99999)


def _progress(
    columns: Sequence[Sequence[Value]], length: int
) -> tuple[bool, int, list[Value]] | None:
    """Whether any of the first ``length`` values changes, the first index, and the values as
    expressions of ``i``; None if rounding makes them none."""
    lines_: list[tuple[Fraction, Fraction] | None] = []
    for column in columns:
        one, two = column[0].value, column[1].value
        same = _same(one, two)
        lines_.append(None if same else (_exact(one), _exact(two) - _exact(one)))
    starts = {first / by for first, by in filter(None, lines_)}
    start = 0
    if len(starts) == 1:
        (whole,) = starts
        if whole.denominator == 1 and whole > 0:
            start = int(whole)
    values = []
    for column, line in zip(columns, lines_, strict=True):
        value = column[0]
        if line is not None:
            first, by = line
            text = _line(first - by * start, by, [v.value for v in column[:length]], start)
            if text is None:
                return None
            value = Value(value.name, value.default, text)
        values.append(value)
    return any(lines_), start, values


def _line(first: Fraction, by: Fraction, values: Sequence[Any], start: int) -> Symbol | None:
    """``first + by * i`` for i from ``start`` on, if that gives exactly ``values``."""
    below = lcm(first.denominator, by.denominator)
    begin, step = int(first * below), int(by * below)
    real = isinstance(values[0], float)
    indices = range(start, start + len(values))
    if any(
        value != ((begin + step * i) / below if real else begin + step * i)
        for i, value in zip(indices, values, strict=True)
    ):
        return None
    text = "i" if abs(step) == 1 else f"{abs(step)} * i"
    if begin:
        text = f"{begin} {'+' if step > 0 else '-'} {text}"
    elif step < 0:
        text = f"-{text}"
    if not real:
        return Symbol(text, SUM)
    return Symbol(f"({text}) / {below}" if begin else f"{text} / {below}", PRODUCT)
