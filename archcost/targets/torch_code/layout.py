"""Code as lines of at most :data:`WIDTH` columns, broken where ruff and black break them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

WIDTH: Final = 100
OPENING: Final = "([{"
CLOSING: Final = ")]}"
OPERATORS: Final = (" if ", " else ", " + ", " - ", " * ", " / ", " @ ")


@dataclass
class Call:
    """``head(arguments)tail``; ``tall``: a line for each argument, however short."""

    head: str
    arguments: Sequence[str | Call] = ()
    tall: bool = False
    tail: str = ""
    text: str = field(init=False)

    def __post_init__(self) -> None:
        inner = ", ".join(str(argument) for argument in self.arguments)
        self.text = f"{self.head}({inner}){self.tail}"

    def __str__(self) -> str:
        return self.text

    @property
    def breaks(self) -> bool:
        """Whether it takes several lines however short it is."""
        return self.tall or any(isinstance(a, Call) and a.breaks for a in self.arguments)


def lines(prefix: str, thing: str | Call, suffix: str = "", indent: int = 0) -> list[str]:
    """``prefix thing suffix`` from column ``indent`` on."""
    pad = " " * indent
    if isinstance(thing, Call):
        breaks, text = thing.breaks, thing.text
    else:
        breaks, text = False, thing
    if not breaks and len(pad + prefix + text + suffix) <= WIDTH:
        return [f"{pad}{prefix}{text}{suffix}"]
    if isinstance(thing, Call):
        inside = _inside(thing.arguments, breaks, indent + 4)
        if len(thing.arguments) == 1 and isinstance(thing.arguments[0], Call) and breaks:
            inside = lines("", thing.arguments[0], "", indent + 4)
        return [f"{pad}{prefix}{thing.head}(", *inside, f"{pad}){thing.tail}{suffix}"]
    if parts := _operands(text):
        if parts[0].startswith("(") and len(parts) == 2 and not set(parts[1]) & set(OPENING):
            summands = _operands(parts[0][1:-1]) or [parts[0][1:-1]]  # (long) / 2
            if len(joined := f"{pad}    {parts[0][1:-1]}") <= WIDTH:
                summands = [joined.strip()]
            middle = [f"{pad}    {part}" for part in summands]
            return [f"{pad}{prefix}(", *middle, f"{pad}) {parts[1]}{suffix}"]
        middle = [f"{pad}    {part}" for part in parts]
        if len(joined := f"{pad}    {text}") <= WIDTH:
            middle = [joined]
        return [f"{pad}{prefix}(", *middle, f"{pad}){suffix}"]
    head, inner, close = _bracketed(text)
    if not close:
        return [f"{pad}{prefix}{text}{suffix}"]
    at = _comprehension(inner)
    if at and indent + 4 + len(inner) > WIDTH:
        inside = [*lines("", inner[:at], "", indent + 4), f"{pad}    {inner[at + 1 :]}"]
    else:
        inside = _inside([inner] if at else _split(inner), False, indent + 4)
    return [f"{pad}{prefix}{head}", *inside, f"{pad}{close}{suffix}"]


def _inside(arguments: Sequence[str | Call], breaks: bool, indent: int) -> list[str]:
    """What stands between brackets: on one line if it fits, else a line for each."""
    text = ", ".join(str(argument) for argument in arguments)
    if not breaks and indent + len(text) <= WIDTH:
        return [" " * indent + text]
    return [line for argument in arguments for line in lines("", argument, ",", indent)]


def _levels(text: str) -> list[int]:
    """How many brackets are open at each character; within a string one more."""
    result, depth, quote = [], 0, ""
    for at, letter in enumerate(text):
        if quote:
            result.append(depth + 1)
            if letter == quote and text[at - 1] != "\\":
                quote = ""
            continue
        if letter == '"':
            quote = letter
        depth -= letter in CLOSING
        result.append(depth)
        depth += letter in OPENING
    return result


def _operands(text: str) -> list[str]:
    """Its outermost operands, each behind its operator; empty if there is one alone."""
    levels = _levels(text)
    places = [
        match.start()
        for sign in OPERATORS
        for match in re.finditer(re.escape(sign), text)
        if levels[match.start()] == 0
    ]
    if not places or _comprehension(text):
        return []
    ends = [*sorted(places), len(text)]
    return [text[: ends[0]], *(text[a + 1 : b] for a, b in pairwise(ends))]


def _bracketed(text: str) -> tuple[str, str, str]:
    """What stands before its last outermost bracket, in it and behind it."""
    levels = _levels(text)
    if not text or text[-1] not in CLOSING:
        return text, "", ""
    start = max(at for at in range(len(text) - 1) if levels[at] == 0 and text[at] in OPENING)
    return text[: start + 1], text[start + 1 : -1], text[-1]


def _split(text: str) -> list[str]:
    """``text`` at its outermost commas."""
    levels = _levels(text)
    ends = [at for at, letter in enumerate(text) if letter == "," and levels[at] == 0]
    parts = [text[a + 1 : b].strip() for a, b in zip([-1, *ends], [*ends, len(text)], strict=True)]
    return [part for part in parts if part]


def _comprehension(text: str) -> int:
    """Where its outermost ``for`` begins; 0 if it has none."""
    levels = _levels(text)
    return next((m.start() for m in re.finditer(" for ", text) if levels[m.start()] == 0), 0)
