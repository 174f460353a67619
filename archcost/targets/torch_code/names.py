"""Legal names and harmless text. What a graph's strings say is anybody's: nothing of them reaches
the source but letters, digits and, in comments and docstrings, escaped text."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

from torch import nn

GLOBALS: Final = frozenset({"torch", "nn", "F", "Tensor", "self", "cls"})


def ascii_words(text: str) -> str:
    """``text`` with accents removed and everything but ASCII letters and digits as ``_``."""
    plain = unicodedata.normalize("NFKD", text[:200])
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^0-9a-zA-Z]+", "_", plain).strip("_")


def snake(text: str) -> str:
    """``text`` as a name in lower case; empty if nothing is left, and may begin with a digit."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", ascii_words(text))
    return words.lower()


def camel(text: str) -> str:
    """``text`` as the name of a class: ``fire`` and ``fire_module`` as Fire, FireModule."""
    return "".join(word[:1].upper() + word[1:] for word in ascii_words(text).split("_"))


@cache
def _taken() -> frozenset[str]:
    return frozenset(dir(nn.Sequential())) | GLOBALS


def legal(name: str, prefix: str) -> str:
    """``name`` as an attribute of a module: ``prefix`` before a digit, ``_`` behind what is taken.

    Names that Python or torch have are no names for what a graph holds.
    """
    name = snake(name) or prefix
    if name.isdigit():
        name = f"block{name}"
    if name[0].isdigit():
        name = f"{prefix}{name}"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _taken():
        name += "_"
    return name


def reserved(name: str) -> bool:
    """Whether a variable of that name would hide something."""
    return keyword.iskeyword(name) or hasattr(builtins, name) or name in GLOBALS


def classes_taken() -> set[str]:
    """Names that no class may have."""
    return {*GLOBALS, *keyword.kwlist, *dir(builtins), "OrderedDict", "Sequence"}


def free(name: str, taken: Iterable[str]) -> str:
    """``name``, or with a number behind it if it is among ``taken``."""
    taken = set(taken)
    if name not in taken:
        return name
    stem = f"{name}_" if name[-1:].isdigit() else name
    return next(f"{stem}{at}" for at in range(2, len(taken) + 3) if f"{stem}{at}" not in taken)


def printable(text: object) -> str:
    """``text`` on one line, without characters that are none: for comments."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def documentation(text: object) -> str:
    """The same within a docstring: nothing in it ends the string or is an escape."""
    return printable(text).replace("\\", "\\\\").replace('"', "'")
