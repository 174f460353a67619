"""Writing a file: wholly or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from archcost.ir import ArchcostError


class OutputError(ArchcostError, OSError):
    """A file cannot be written."""


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write ``content``, text as UTF-8, to ``path``, replacing what is there only when all is
    written.

    It goes to a file beside it that is then renamed, so nobody sees half of it and nothing is left
    behind when it fails. A link is followed; a device or pipe is simply written to.

    Raises:
        OutputError: one message with the path and the system's reason.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with explained(path):
        target, mode = _target(path)
        if mode is not None and not stat.S_ISREG(mode):
            target.write_bytes(data)
        else:
            _replace(target, data, mode)


def write_folder_atomically(path: str | os.PathLike[str], write: Callable[[Path], None]) -> None:
    """Let ``write`` write a file, and others beside it, and move all to where ``path`` is.

    ``write`` is called with a path of the same name in a folder of its own. That file is moved
    last, so that it is never without the others.

    Raises:
        OutputError: one message with the path and the system's reason.
    """
    from tempfile import TemporaryDirectory

    with explained(path):
        target, mode = _target(path)
        if mode is not None and not stat.S_ISREG(mode):
            raise OSError(None, "it is no regular file")
        with TemporaryDirectory(prefix=".archcost-", dir=target.parent) as folder:
            file = Path(folder) / target.name
            write(file)
            if mode is not None:
                file.chmod(stat.S_IMODE(mode))
            for written in sorted(Path(folder).iterdir(), key=lambda written: written == file):
                written.replace(target.with_name(written.name))


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the system's errors into messages about ``path``."""
    try:
        yield
    except ArchcostError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"cannot write {os.fspath(path)!r:.300}: {reason}") from None


def _target(path: str | os.PathLike[str]) -> tuple[Path, int | None]:
    """The file that ``path`` leads to, which may be written, and its mode if it exists."""
    name = os.fspath(path)
    if not name:
        raise FileNotFoundError(None, "a file has a name")
    if name.endswith(os.sep):
        raise IsADirectoryError(None, "that is the name of a directory")
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target, None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(None, "it is a directory")
    if stat.S_ISREG(mode) and not os.access(target, os.W_OK):
        raise PermissionError(None, "it is read-only")
    return target, mode


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
