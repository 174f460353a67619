"""Names that are given once."""

from __future__ import annotations

from collections.abc import Iterable


class UniqueNames:
    """Gives every name once, and none of ``taken``."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._numbers = dict.fromkeys(taken, 1)

    def take(self, wanted: str) -> str:
        """``wanted``, with a number behind it where it is taken: ``conv_2``, ``conv_3``."""
        name = wanted
        while name in self._numbers:
            self._numbers[wanted] += 1
            name = f"{wanted}_{self._numbers[wanted]}"
        self._numbers[name] = 1
        return name
