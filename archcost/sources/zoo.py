"""The zoo: the architectures that come with archcost, one spec file a family.

Every network's name begins with its file's name, so that finding one reads one file; only aliases
and misspelt names make it read all. A name is found whatever its case, hyphens and underscores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from archcost.ir import ArchcostError
from archcost.spec import Spec, SpecError, nearest, parse_file
from archcost.spec.errors import shown


class UnknownModelError(ArchcostError, LookupError):
    """No network of that name."""


@dataclass(frozen=True, eq=False, repr=False)
class Entry:
    """A network of the zoo: ``name`` in the family file ``spec``."""

    name: str
    spec: Spec

    @property
    def about(self) -> dict[str, Any]:
        """Title, family, year, dataset, source, notes and aliases, as the spec gives them."""
        return self.spec.describe(self.name)

    @property
    def aliases(self) -> tuple[str, ...]:
        return self.spec.aliases(self.name)


@cache
def folder() -> Path:
    """Where the zoo's spec files are: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "zoo_specs", package.parent / "zoo_specs"):
        if place.is_dir():
            return place
    raise ArchcostError("archcost's zoo_specs are missing: the installation is incomplete")


def libraries() -> Path:
    """Where the block libraries are that specs may ``use``."""
    return folder() / "blocks"


def read(path: Path) -> Spec:
    """The parsed spec in ``path``; parsed again only when the file has changed."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return parse_file(path, libraries())
    return _read(path.absolute(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=128)
def _read(path: Path, _modified: int, _size: int) -> Spec:
    return parse_file(path, libraries())


def entries() -> Iterator[Entry]:
    """Every network of the zoo, by family file in alphabetical order; see :func:`broken`."""
    for path in _files():
        try:
            spec = read(path)
        except SpecError:
            continue  # one broken file does not hide the others
        for name in spec.names:
            yield Entry(name, spec)


def broken() -> list[SpecError]:
    """What is wrong with the files of the zoo that cannot be read."""
    errors = []
    for path in _files():
        try:
            read(path)
        except SpecError as error:
            errors.append(error)
    return errors


def names() -> list[str]:
    """The canonical names of all networks."""
    return [entry.name for entry in entries()]


def find(name: str) -> Entry:
    """The network called ``name``, by name or alias.

    Raises:
        UnknownModelError: with the nearest name there is.
        SpecError: the file that the name points at is broken.
    """
    wanted = _squashed(name)
    own = [path for path in _files() if wanted.startswith(_squashed(path.stem))]
    own.sort(key=lambda path: len(path.stem), reverse=True)
    failure = None
    for path in (*own, *(path for path in _files() if path not in own)):
        try:
            spec = read(path)
        except SpecError as error:
            if path in own:
                failure = failure or error
            continue
        if (found := member(spec, name)) is not None:
            return Entry(found, spec)
    if failure is not None:
        raise failure
    known = [n for entry in entries() for n in (entry.name, *entry.aliases)]
    raise UnknownModelError(
        f"no network {shown(name)} in the zoo{nearest(name, known, listed=0)} "
        "(archcost zoo list shows all)"
    )


def member(spec: Spec, name: str) -> str | None:
    """The canonical name of the network of ``spec`` that is called ``name``, by name or alias."""
    wanted = _squashed(name)
    for candidate in spec.names:
        if wanted in map(_squashed, (candidate, *spec.aliases(candidate))):
            return candidate
    return None


def _files() -> list[Path]:
    return sorted(folder().glob("*.yaml"))


def _squashed(name: str) -> str:
    return "".join(character for character in name.lower() if character not in "-_ ")
