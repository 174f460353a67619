"""Several models at once: names, globs and families -> which models are meant, each once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain, count
from typing import Final

from archcost.ir import ArchcostError, Graph
from archcost.sources import READERS, SPEC_SUFFIXES, UnknownModelError, load
from archcost.sources.zoo import Entry, entries, find, select, squashed
from archcost.spec import nearest
from archcost.spec.errors import shown

WILD: Final = "*?["


@dataclass(frozen=True, eq=False)
class Selected:
    """A model that was asked for: ``text`` loads it; ``entry``, where it is one of the zoo's.

    ``named`` says whether it was named outright, not by a glob or with others of its kind.
    """

    text: str
    entry: Entry | None = None
    named: bool = True

    @property
    def key(self) -> str:
        """The same for all that mean the same model."""
        if self.entry is not None:
            return self.entry.name
        return os.path.realpath(self.text) if os.path.isfile(self.text) else self.text  # noqa: PTH113


@dataclass(frozen=True, eq=False)
class Loaded:
    """A selected model and its graph, or what was wrong with it."""

    selected: Selected
    graph: Graph | None = field(default=None, repr=False)
    error: ArchcostError | None = None


def selected(text: str) -> Selected:
    """The model that ``text`` names; whether there is one is found out when it is loaded."""
    if _is_path(text):
        return Selected(text)
    try:
        entry = find(text)
    except UnknownModelError:  # loading it says best what is wrong
        return Selected(text)
    return Selected(entry.name, entry)


def choose(
    models: Sequence[str] = (),
    *,
    everything: bool = False,
    families: Sequence[str] = (),
    datasets: Sequence[str] = (),
    years: tuple[int | None, int | None] = (None, None),
    search: str = "",
) -> list[Selected]:
    """The models that were asked for, in the order in which they were, each once.

    Args:
        models: names of any kind, and globs over the names of the zoo (``resnet*``).
        everything: the whole zoo.
        families: all networks of these families.
        datasets, years, search: which of the networks that globs, ``families`` and ``everything``
            give are kept, as in :func:`archcost.sources.zoo.select`; without any of those, which
            of all networks of the zoo are added. What is named outright is kept in any case.

    Raises:
        UnknownModelError: a glob that no network fits, no such family or dataset.
    """
    chosen = [one for text in models for one in _meant(text)]
    narrowed = bool(datasets or search or years != (None, None))
    alone = narrowed and not families and all(one.named for one in chosen)
    if everything or alone:
        chosen += [Selected(e.name, e, named=False) for e in select()]
    elif families:
        chosen += [Selected(e.name, e, named=False) for e in select(families=families)]
    if narrowed:
        kept = {e.name for e in select(datasets=datasets, years=years, search=search)}
        chosen = [one for one in chosen if one.named or one.key in kept]
    found: dict[str, Selected] = {}
    for one in chosen:
        if one.named or one.key not in found:
            # A model that is named outright stays where it was first asked for.
            found[one.key] = one
    return list(found.values())


def with_model(chosen: Sequence[Selected], text: str) -> tuple[list[Selected], str]:
    """``chosen`` with the model that ``text`` names, in front where it is not there, and its
    :attr:`Selected.key`."""
    model = selected(text)
    if model.key not in [one.key for one in chosen]:
        return [model, *chosen], model.key
    return [model if one.key == model.key else one for one in chosen], model.key


def load_each(chosen: Iterable[Selected], load: Callable[[str], Graph] = load) -> Iterator[Loaded]:
    """The graph of each model, one after the other, as ``load`` gives it of what names it.

    Raises:
        ArchcostError: a model that was named outright cannot be loaded so; its message has the
            name.
    """
    for one in chosen:
        try:
            graph = load(one.text)
        except ArchcostError as error:
            if one.named and one.text in str(error):
                raise
            if one.named:
                raise ArchcostError(f"{shown(one.text)}: {error}") from None
            yield Loaded(one, error=error)
        else:
            yield Loaded(one, graph)


def _meant(text: str) -> list[Selected]:
    """The model or, where ``text`` is a glob, the networks of the zoo that fit it."""
    if not any(sign in text for sign in WILD) or os.path.isfile(text):  # noqa: PTH113
        return [selected(text)]
    fitting = _fitting(text)
    if not fitting:
        paths = "; a glob stands for names of the zoo, not for paths" if _is_path(text) else ""
        near = "".join(sign for sign in text if sign not in WILD + "]!")
        names = [f"{stem}*" for stem in {entry.stem for entry in entries()}]
        raise UnknownModelError(
            f"no network of the zoo fits {shown(text)}"
            f"{paths or nearest(near, names, listed=0)} "
            "(archcost zoo list shows all)"
        )
    return [Selected(entry.name, entry, named=False) for entry in fitting]


def _fitting(glob: str) -> list[Entry]:
    """By year and family, as the zoo is listed; names come first, then as they are compared, and
    aliases last, since they call networks after others (``resnet164`` is a ``preresnet164`` too).
    """
    everything = select()
    for like, aliases in ((str.casefold, False), (squashed, False), (squashed, True)):
        wanted = like(glob)
        fitting = [
            entry
            for entry in everything
            if any(
                fnmatchcase(like(name), wanted)
                for name in (entry.name, *(entry.aliases if aliases else ()))
            )
        ]
        if fitting:
            return fitting
    return []


def _is_path(text: str) -> bool:
    return os.sep in text or ":" in text or text.lower().endswith((*SPEC_SUFFIXES, *READERS))


def distinct_names(models: Sequence[Loaded]) -> list[str]:
    """What to call each of the loaded models: as the network is called, or, where several others
    are called so too, as it was asked for."""
    names: list[str] = []
    own = [model.graph.name if model.graph else model.selected.text for model in models]
    for model, called in zip(models, own, strict=True):
        shared = own.count(called) > 1 and model.selected.entry is None
        name = model.selected.text if shared else called
        numbered = (f"{name} ({number})" for number in count(2))
        names.append(next(one for one in chain([name], numbered) if one not in names))
    return names
