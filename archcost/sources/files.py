"""Reading a model's file: no device, no endless file, no binary taken for text."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISDIR, S_ISREG

from archcost.sources.errors import ModelFileError


def read_bytes(path: Path, most: int, what: str) -> bytes:
    """The file's contents, at most ``most`` bytes; ``what`` is what it should be.

    Raises:
        ModelFileError: it is missing, cannot be read, or is too large.
    """
    try:
        status = path.stat()
        if not (S_ISREG(status.st_mode) or S_ISDIR(status.st_mode)):
            # A pipe would wait for a writer, and a terminal for its user.
            raise OSError(None, "it is no file but a device or pipe")
        with path.open("rb") as file:
            # The size that a file tells may be wrong (/proc), and it may grow.
            data = file.read(most + 1) if status.st_size <= most else None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:  # a null byte, half a surrogate pair
        raise ModelFileError(f"no file has such a name: {str(path)!r}") from None
    if data is None or len(data) > most:
        raise ModelFileError(f"{path}: more than {most} bytes; not {what}")
    return data


def read_text(path: Path, most: int, what: str) -> str:
    """The file's text; as :func:`read_bytes`.

    Raises:
        ModelFileError: it is missing, cannot be read, is too large or no text.
    """
    try:
        return read_bytes(path, most, what).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ModelFileError(f"{path}: not UTF-8 text; not {what}") from None
