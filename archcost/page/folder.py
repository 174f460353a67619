"""A folder of files that archcost writes as a whole, and writes anew without harm to others'."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from archcost.report.output import explained

MANIFEST: Final = "archcost-site.json"
"""The file that says which files of a folder are archcost's; only these are ever replaced."""

# A file of the folder itself or of one folder in it. What a manifest names otherwise is not ours,
# whoever wrote it.
_OWN: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)?[A-Za-z0-9_-][A-Za-z0-9._-]*")


class NewFolder:
    """A folder that is being written; nobody sees it yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.files: list[str] = []

    def put(self, name: str, content: str | bytes) -> None:
        """Write a file: its path in the folder, with ``/`` between, and its content.

        Raises:
            OutputError: it cannot be written, or is there, or the name is none of ours.
        """
        with explained(name), self.place(name).open("xb") as opened:
            opened.write(content.encode() if isinstance(content, str) else content)

    def place(self, name: str) -> Path:
        """Where somebody else has to write the file ``name``, before the folder is done.

        Raises:
            OutputError: the name is none of ours.
        """
        with explained(name):
            if not _OWN.fullmatch(name):
                raise OSError(None, "that is no name of a file")
            file = self._path / name
            file.parent.mkdir(exist_ok=True)
        if name not in self.files:
            self.files.append(name)
        return file


@contextmanager
def written_folder(path: str | os.PathLike[str]) -> Iterator[NewFolder]:
    """Write a folder: all of it appears when the block ends, and nothing where it fails.

    A folder that there is not yet appears at once. In an empty one, and one that was written like
    this before, files are put or replaced one by one, ``index.html`` last, and those that are no
    longer written are removed; files of others stay.

    Raises:
        OutputError: the folder cannot be written, or holds files that are not archcost's and
            would be lost among its own, or replaced.
    """
    with explained(path), ExitStack() as stack:
        if not os.fspath(path):
            raise FileNotFoundError(None, "a folder has a name")
        target = Path(os.path.realpath(path))
        old = _held(target)
        beside = target if old is not None else target.parent
        scratch = stack.enter_context(TemporaryDirectory(prefix=".archcost-", dir=beside))
        new = Path(scratch) / "site"
        new.mkdir()
        cleaning = stack.pop_all()
    folder = NewFolder(new)
    with cleaning:
        yield folder
        files = [name for name in folder.files if (new / name).exists()]
        folder.put(MANIFEST, _manifest(files))
        with explained(path):
            if old is not None:
                _replace(target, new, files, old)
            else:
                new.replace(target)


def _held(target: Path) -> frozenset[str] | None:
    """The files of ours in the folder, none in an empty one; None: there is no folder."""
    if not target.exists():
        return None
    if not target.is_dir():
        raise NotADirectoryError(None, "it is no folder")
    if not any(target.iterdir()):
        return frozenset()  # filled, not replaced: somebody's shell may stand in it
    try:
        files = json.loads((target / MANIFEST).read_text(encoding="utf-8"))["files"]
        return frozenset(name for name in files if _OWN.fullmatch(name))
    except (OSError, ValueError, TypeError, KeyError):
        raise OSError(
            None,
            "it is a folder that holds files and was not written by archcost; choose another",
        ) from None


def _replace(target: Path, new: Path, files: list[str], old: frozenset[str]) -> None:
    for name in files:
        there = target / name
        if name not in {*old, MANIFEST} and (there.exists() or there.is_symlink()):
            raise OSError(None, f"it has a file {name} that was not written by archcost")
        if there.parent.is_symlink() or there.is_dir():
            raise OSError(None, f"{name} would lead out of it or replace a folder")
    # Whatever happens from here on, the next time knows all files of ours.
    (new / "everything.json").write_text(_manifest([*old, *files]), encoding="utf-8")
    (new / "everything.json").replace(target / MANIFEST)
    for name in sorted(files, key=lambda name: (name == "index.html", name)):
        (target / name).parent.mkdir(exist_ok=True)
        (new / name).replace(target / name)
    for name in old.difference(files):
        if not (target / name).parent.is_symlink():
            (target / name).unlink(missing_ok=True)
    (new / MANIFEST).replace(target / MANIFEST)


def _manifest(files: list[str]) -> str:
    about = {"made_by": "archcost", "files": sorted({*files} - {MANIFEST})}
    return f"{json.dumps(about, indent=1)}\n"


def file_names(names: list[str]) -> dict[str, str]:
    """A file name for each name: told apart by file systems that ignore case, and safe on each.

    Letters, digits, ``.``, ``_`` and ``-`` stay, other characters become ``-``; where that makes
    two alike, or is a name that a system keeps for itself, a number is added.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        stem = re.sub("[^A-Za-z0-9._-]+", "-", name)[:100].strip(".-") or "network"
        if stem.partition(".")[0].casefold() in _RESERVED:
            stem = f"network-{stem}"
        unique, number = stem, 2
        while unique.casefold() in taken:
            unique, number = f"{stem}-{number}", number + 1
        taken.add(unique.casefold())
        found[name] = unique
    return found


# What Windows takes for a device, whatever its ending.
_RESERVED: Final = frozenset(
    ("con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10)))
)
