"""The zoo: the architectures that come with archcost, one spec file a family.

Every network's name begins with its file's name, so that finding one reads one file; an alias makes
it look into the others' texts, and only a name that nobody has makes it read all. A name is found
as :func:`squashed` compares it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from archcost.ir import ArchcostError, Graph
from archcost.spec import Setting, Spec, SpecError, expand, nearest, parse_file, title
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
    def title(self) -> str:
        """Its name as people write it."""
        return title(self.spec, self.name)

    @property
    def stem(self) -> str:
        """The name of its family's file, with which its own begins."""
        return Path(self.spec.file).stem

    def mentions(self, words: str) -> bool:
        """Whether ``words`` begin one of its names, or occur in a row in its title, family,
        dataset or citation, whatever case, accents, hyphens and underscores."""
        about = self.about
        called = (self.name, *self.aliases, self.title)
        if any(name.startswith(squashed(words)) for name in map(squashed, called)):
            return True
        said = (*called, about["family"], about.get("dataset") or "")
        text = _words(" ".join((*said, *(about.get("source") or {}).values())))
        return f" {_words(words)}" in f" {text}"

    def graph(self) -> Graph:
        """The network at its own input, with its parameters' defaults."""
        return expand(self.spec, self.name)

    @property
    def parameters(self) -> Mapping[str, Setting]:
        """What may be set in it."""
        return self.spec.parameters(self.name)

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


def entries(files: Iterable[Path] | None = None) -> Iterator[Entry]:
    """Every network of the zoo, by family file in alphabetical order; see :func:`broken`.

    ``files``: only those in these files.
    """
    for path in _files() if files is None else files:
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


def names(beginning: str = "") -> list[str]:
    """The canonical names of all networks, or of those whose name begins like this.

    Reads only the files that can have some.
    """
    wanted = squashed(beginning)
    files = [
        path
        for path in _files()
        if (stem := squashed(path.stem)).startswith(wanted) or wanted.startswith(stem)
    ]
    found = [entry.name for entry in entries(files)]
    return [name for name in found if squashed(name).startswith(wanted)]


def select(
    *,
    families: Sequence[str] = (),
    datasets: Sequence[str] = (),
    years: tuple[int | None, int | None] = (None, None),
    search: str = "",
) -> list[Entry]:
    """The networks that fit all that is asked for, by year, then by family, as the files have them.

    Args:
        families, datasets: one of these, whatever their case, hyphens and underscores; a family
            is also called what its networks' names begin with.
        years: the first and last year; None: no bound.
        search: words that stand in this order in the network's name, aliases, title, family,
            dataset or citation (the last one may go on); where there is no such network, those
            that have each of the words.

    Raises:
        UnknownModelError: no network has such a family or dataset; with the nearest there is.
    """
    found = list(entries())
    asked: tuple[tuple[str, Sequence[str], Callable[[Entry], tuple[str, ...]]], ...] = (
        ("family", families, lambda e: (e.about["family"], e.stem)),
        ("dataset", datasets, lambda e: tuple(filter(None, [e.about.get("dataset")]))),
    )
    for what, wanted, called in asked:
        known = {squashed(name): name for e in found for name in reversed(called(e))}
        for name in wanted:
            if squashed(name) not in known:
                raise UnknownModelError(
                    f"no {what} {shown(name)} in the zoo"
                    f"{nearest(name, sorted(set(known.values())), listed=50)}"
                )
        if wanted:
            like = set(map(squashed, wanted))
            found = [e for e in found if like.intersection(map(squashed, called(e)))]
    first, last = years
    if first is not None or last is not None:
        found = [
            e
            for e in found
            if (year := e.about.get("year")) is not None
            and (first is None or year >= first)
            and (last is None or year <= last)
        ]
    if search:
        whole = [e for e in found if e.mentions(search)]
        words = search.split()
        found = whole or [e for e in found if all(map(e.mentions, words))]
    return sorted(found, key=lambda e: (e.about.get("year") or 0, e.about["family"].lower()))


def find(name: str) -> Entry:
    """The network called ``name``, by name or alias, or by a title that no other has.

    Raises:
        UnknownModelError: with the nearest name there is, or the family that is called so.
        SpecError: the file that the name points at is broken.
    """
    failure = None
    for path, own in _places(squashed(name)):
        try:
            spec = read(path)
        except SpecError as error:
            if own:
                failure = failure or error
            continue
        if (found := member(spec, name)) is not None:
            return Entry(found, spec)
    if failure is not None:
        raise failure
    everything = list(entries())
    wanted = squashed(name)
    titled = [entry for entry in everything if squashed(entry.title) == wanted]
    if len(titled) == 1:
        return titled[0]
    family = [e for e in everything if wanted in (squashed(e.about["family"]), squashed(e.stem))]
    if family:
        raise UnknownModelError(
            f"{shown(name)} is a family of {len(family)} networks, {family[0].name} for one "
            f"(archcost zoo list --family {family[0].stem} shows them)"
        )
    known = [n for entry in everything for n in (entry.name, *entry.aliases)]
    raise UnknownModelError(
        f"no network {shown(name)} in the zoo{nearest(name, known, listed=0)} "
        "(archcost zoo list shows all)"
    )


def _places(wanted: str) -> Iterator[tuple[Path, bool]]:
    """The zoo's files in the order in which a name may be found there, and whether it begins with
    the file's own; of the others those first in which it occurs as an alias, so that most are
    never parsed."""
    files = _files()
    own = [path for path in files if wanted.startswith(squashed(path.stem))]
    own.sort(key=lambda path: len(path.stem), reverse=True)
    yield from ((path, True) for path in own)
    others = [path for path in files if path not in own]
    others.sort(key=lambda path: wanted not in squashed(_text(path)))
    yield from ((path, False) for path in others)


def member(spec: Spec, name: str) -> str | None:
    """The canonical name of the network of ``spec`` that is called ``name``, by name or alias."""
    for like in (str, squashed):  # as it is written comes first
        wanted = like(name)
        for candidate in spec.names:
            if wanted in map(like, (candidate, *spec.aliases(candidate))):
                return candidate
    return None


def _files() -> list[Path]:
    return sorted(folder().glob("*.yaml"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # its reader says what is wrong with it
        return ""


_SEPARATORS: Final = str.maketrans("", "", "-_ .,:()=")


def squashed(name: str) -> str:
    """``name`` without case, accents, hyphens, dots and the like: how names are compared."""
    return _folded(name).translate(_SEPARATORS)


def _words(text: str) -> str:
    """The words of ``text``, folded, with a blank between them."""
    return " ".join(re.findall(r"\w+", _folded(text).replace("_", " ")))


def _folded(text: str) -> str:
    """``text`` without case and accents."""
    if not text.isascii():
        pieces = unicodedata.normalize("NFKD", text)
        text = "".join([piece for piece in pieces if not unicodedata.combining(piece)])
    return text.casefold()
