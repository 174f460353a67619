"""Errors in a spec, and the place they point at."""

from __future__ import annotations

from collections.abc import Iterable

from archcost.ir import ArchcostError


class Mark:
    """A place in a spec: file, line and column, both counted from 1."""

    __slots__ = ("column", "file", "line")

    def __init__(self, file: str, line: int, column: int) -> None:
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    __repr__ = __str__


class SpecError(ArchcostError, ValueError):
    """A spec is wrong; the message begins with file:line:column where the place is known."""

    def __init__(self, message: str, mark: Mark | str | None = None) -> None:
        self.mark = mark
        super().__init__(f"{mark}: {message}" if mark else message)


def shown(text: str) -> str:
    """``text`` in quotes, for a message; its middle is left out where it is long."""
    return repr(text if len(text) <= 100 else f"{text[:60]}...{text[-20:]}")


def nearest(name: str, known: Iterable[str], *, listed: int = 12) -> str:
    """``; did you mean 'x'?``, or the list of what there is where nothing is near."""
    from difflib import get_close_matches

    names = sorted({*known})
    # Nobody means a known name by something much longer, and matching takes its time.
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.6) if len(name) <= 100 else []
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names or not listed:
        return ""
    listing = ", ".join(names[:listed])
    return f"; there are: {listing}{', ...' if len(names) > listed else ''}"
