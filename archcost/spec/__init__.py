"""The spec language: YAML -> :class:`Spec` -> :class:`~archcost.ir.Graph`."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from archcost.spec.document import Document
from archcost.spec.errors import Mark, SpecError, nearest
from archcost.spec.expand import check_rank, expand, title
from archcost.spec.model import Setting, Spec
from archcost.spec.parse import parse

__all__ = [
    "Mark",
    "Setting",
    "Spec",
    "SpecError",
    "check_rank",
    "expand",
    "nearest",
    "parse",
    "parse_file",
    "parse_value",
    "title",
]


def parse_value(text: str) -> Any:
    """One value as a spec would read it: ``64``, ``0.5``, ``true``, ``word``, ``[3, 4, 6, 3]``.

    Raises:
        SpecError: not a value.
    """
    if not text.strip():
        return ""
    document = Document(text, "value")
    return document.data(document.root)


def parse_file(path: Path, libraries: Path) -> Spec:
    """Read and parse a spec file. Raises SpecError, also for what is no text or cannot be read."""
    return parse(read_text(path), path.name, libraries)


def read_text(path: Path) -> str:
    """A spec file's text. Raises SpecError for a file that is missing, too large or no text."""
    from archcost.spec.document import MAX_BYTES

    try:
        mode = path.stat().st_mode
        if not (S_ISREG(mode) or S_ISDIR(mode)):
            # A pipe would wait for a writer, and a terminal for its user.
            raise OSError(None, "it is no file but a device or pipe")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError("there is no such file", str(path)) from None
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror or error}", str(path)) from None
    except ValueError:  # a null byte, half a surrogate pair
        raise SpecError("no file has such a name", repr(str(path))) from None
    if len(data) > MAX_BYTES:
        raise SpecError(f"more than {MAX_BYTES} bytes; not a spec", str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecError("not UTF-8 text; not a spec", str(path)) from None
