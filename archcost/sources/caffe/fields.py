"""Typed reading of a prototxt's messages: what a field must be, its default, where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final, NoReturn

from archcost.ir.arguments import LARGEST
from archcost.sources.errors import ModelFileError
from archcost.sources.prototext import Entry, Message, Value, Word

BOOLEANS: Final = {
    "true": True,
    "True": True,
    "t": True,
    "false": False,
    "False": False,
    "f": False,
}

_INITIAL: Final = frozenset({"filler", "weight_filler", "bias_filler", "scale_filler"})
_RUNNING: Final = frozenset(
    {"engine", "debug_info", "stable_prod_grad", "force_nd_im2col", "scale_train"}
)
IRRELEVANT: Final = _INITIAL | _RUNNING
"""Fields of layers' parameters that change no cost: initial values, ways of computing."""

MAX_NAME: Final = 200

CLOSE: Final = 0.8
"""How much alike a name that is not known must be to one that is to be taken for a slip."""


class Fields:
    """A message of the file, read field by field.

    ``name`` is what messages call it (``convolution_param``), ``line`` and ``column`` are where it
    begins. Fields that are asked for are remembered: :meth:`others` gives those that nobody was
    interested in. A message that is missing is one without fields.
    """

    __slots__ = ("_asked", "_by_name", "column", "file", "line", "name")

    def __init__(
        self, message: Message | None, file: str, name: str, line: int = 1, column: int = 1
    ) -> None:
        self.file = file
        self.name = name
        self.line = line
        self.column = column
        self._asked: set[str] = set()
        self._by_name: dict[str, list[Entry]] = {}
        for entry in message or ():
            self._by_name.setdefault(entry.name, []).append(entry)

    def __contains__(self, name: str) -> bool:
        self._asked.add(name)
        return name in self._by_name

    def entries(self, name: str) -> list[Entry]:
        """All values of the field, in order."""
        self._asked.add(name)
        return self._by_name.get(name, [])

    def wrong(self, what: str, entry: Entry | None = None) -> NoReturn:
        """Raise the error ``FILE:LINE:COLUMN: message``, at ``entry`` or where this begins."""
        line, column = (entry.line, entry.column) if entry else (self.line, self.column)
        raise ModelFileError(f"{self.file}:{line}:{column}: {what}")

    def unlike(self, entry: Entry, expected: str) -> NoReturn:
        """Raise the error that ``entry`` is not ``expected``."""
        self.wrong(f"{self._called(entry.name)}: expected {expected}, found {_shown(entry)}", entry)

    def _called(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name

    def _one(self, name: str) -> Entry | None:
        entries = self.entries(name)
        if len(entries) > 1:
            self.wrong(f"{self._called(name)} is given {len(entries)} times", entries[1])
        return entries[0] if entries else None

    def integer(self, name: str, default: int, low: int = 0) -> int:
        entry = self._one(name)
        return default if entry is None else self._integer(entry, low)

    def required(self, name: str, what: str, low: int = 1) -> int:
        """An integer that must be there; ``what`` needs it."""
        entry = self._one(name)
        if entry is None:
            self.wrong(f"{what} needs {self._called(name)}")
        return self._integer(entry, low)

    def integers(self, name: str, low: int = 0) -> list[int]:
        """The values of a repeated field."""
        return [self._integer(entry, low) for entry in self.entries(name)]

    def _integer(self, entry: Entry, low: int) -> int:
        value = entry.value
        if not isinstance(value, int) or not low <= value <= LARGEST:
            self.unlike(entry, f"an integer from {low} to {LARGEST}")
        return value

    def number(self, name: str, default: float) -> float:
        entry = self._one(name)
        return default if entry is None else self._number(entry)

    def numbers(self, name: str) -> list[float]:
        return [self._number(entry) for entry in self.entries(name)]

    def _number(self, entry: Entry) -> float:
        value = entry.value
        if not isinstance(value, int | float) or not abs(value) < float("inf"):
            self.unlike(entry, "a number")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        entry = self._one(name)
        if entry is None:
            return default
        value = entry.value
        if isinstance(value, int) and value in (0, 1):
            return bool(value)
        if not isinstance(value, Word) or value not in BOOLEANS:
            self.unlike(entry, "true or false")
        return BOOLEANS[value]

    def text(self, name: str, default: str = "") -> str:
        entry = self._one(name)
        return default if entry is None else self._text(entry)

    def texts(self, name: str) -> list[str]:
        return [self._text(entry) for entry in self.entries(name)]

    def _text(self, entry: Entry) -> str:
        if not isinstance(entry.value, str) or isinstance(entry.value, Word):
            self.unlike(entry, "a text in quotes")
        return entry.value

    def word(self, name: str) -> str:
        """A text, in quotes or not: the type of a layer in any notation."""
        entry = self._one(name)
        if entry is None:
            return ""
        if not isinstance(entry.value, str):
            self.unlike(entry, "a name")
        return self._label(entry, str(entry.value))

    def label(self, name: str) -> str:
        """A text that names something."""
        entry = self._one(name)
        return "" if entry is None else self._label(entry, self._text(entry))

    def labels(self, name: str) -> list[str]:
        return [self._label(entry, self._text(entry)) for entry in self.entries(name)]

    def _label(self, entry: Entry, text: str) -> str:
        if len(text) > MAX_NAME or not text.isprintable():
            self.unlike(entry, f"a name of at most {MAX_NAME} printable characters")
        return text

    def choice(self, name: str, members: Mapping[str, int], default: str) -> str:
        """A member of an enumeration, by name or number."""
        entry = self._one(name)
        if entry is None:
            return default
        value = entry.value
        numbers = {number: member for member, number in members.items()}
        member = numbers.get(value, "") if isinstance(value, int) else value
        if not isinstance(member, str) or member not in members:
            self.unlike(entry, f"one of {', '.join(members)}")
        return str(member)

    def fields(self, name: str) -> Fields:
        """The message in the field, or one without fields."""
        entry = self._one(name)
        if entry is None:
            return Fields(None, self.file, name, self.line, self.column)
        return self._fields(entry)

    def each(self, name: str) -> list[Fields]:
        """The messages in a repeated field."""
        return [self._fields(entry) for entry in self.entries(name)]

    def _fields(self, entry: Entry) -> Fields:
        if not isinstance(entry.value, Message):
            self.unlike(entry, "a message in { }")
        return Fields(entry.value, self.file, entry.name, entry.line, entry.column)

    def others(self, known: Iterable[str] = IRRELEVANT) -> Iterator[Entry]:
        """The fields that were not asked for and are not among ``known``.

        Raises:
            ModelFileError: a name is so near to one that was asked for, or to one of ``known``,
                that it must be a slip.
        """
        known = {*known}
        for name, (entry, *_) in self._by_name.items():
            if name in self._asked or name in known:
                continue
            # Nobody means a known name by something much longer, and matching takes its time.
            near = get_close_matches(name[:50], {*self._asked, *known}, n=1, cutoff=CLOSE)
            if near and near[0] not in self._by_name:
                self.wrong(
                    f"there is no field {self._called(name)}; did you mean {near[0]}?", entry
                )
            yield entry


def counted(count: int, what: str) -> str:
    """``1 bottom``, ``2 bottoms``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _shown(entry: Entry) -> str:
    value: Value = entry.value
    if isinstance(value, Message):
        return "a message"
    text = str(value) if isinstance(value, Word) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
