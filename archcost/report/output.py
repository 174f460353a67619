"""Writing a file: wholly or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from archcost.ir import ArchcostError


class OutputError(ArchcostError, OSError):
    """A file cannot be written."""


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, replacing what is there only when all is written.

    The text goes to a file beside it that is then renamed, so nobody sees half of it and nothing
    is left behind when it fails. A link is followed; a device or pipe is simply written to.

    Raises:
        OutputError: one message with the path and the system's reason.
    """
    data = text.encode("utf-8", "backslashreplace")
    name = os.fspath(path)
    try:
        if not name:
            raise FileNotFoundError(None, "a file has a name")
        if name.endswith(os.sep):
            raise IsADirectoryError(None, "that is the name of a directory")
        target = Path(os.path.realpath(path))
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(None, "it is a directory")
        if mode is not None and not stat.S_ISREG(mode):
            target.write_bytes(data)
            return
        if mode is not None and not os.access(target, os.W_OK):
            raise PermissionError(None, "it is read-only")
        _replace(target, data, mode)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {name!r:.300}: {reason}") from None


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    # The name does not grow with the target's, which may be as long as a name can be.
    beside = target.parent / f".archcost-{os.getpid()}-{os.urandom(4).hex()}.tmp"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                beside.chmod(stat.S_IMODE(mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
