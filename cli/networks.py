"""Which networks a command is about, where they are several: names, globs, families, the zoo."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from .options import AboutType, Loading, ModelType, narrowing_options, together
from .output import progress, spare_the_model, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archcost.analysis import Analysis
    from archcost.sources.selection import Loaded, Selected

MOST_WARNINGS: Final = 3
"""Networks that are left out of which each is a warning of its own."""
MOST_NAMES: Final = 8
"""Networks of such that a warning names."""


class Networks(NamedTuple):
    """The networks that were asked for: what :data:`networks_options` say."""

    models: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    whole_zoo: bool = False
    datasets: tuple[str, ...] = ()
    years: tuple[int | None, int | None] = (None, None)
    search: str = ""

    def chosen(self) -> list[Selected]:
        """The models, each once; none where none fits what was asked for.

        Raises:
            click.UsageError: nothing was asked for.
            ArchcostError: a glob, family or dataset is none of the zoo's.
        """
        from archcost.sources.selection import choose

        if self == Networks():
            raise click.UsageError("name the networks, or choose by --family, --dataset or --all")
        return choose(
            self.models,
            everything=self.whole_zoo,
            families=self.families,
            datasets=self.datasets,
            years=self.years,
            search=self.search,
        )


def analyses(
    chosen: Sequence[Selected], loading: Loading, output: str | None
) -> tuple[dict[str, Analysis], list[Loaded]]:
    """The analyses by name, and beside them, in the same order, what they are of.

    A network that was not named outright and cannot be loaded is a warning. ``output`` must be
    none of the models' files.
    """
    from archcost.analysis import analyze
    from archcost.sources.selection import distinct_names, load_each
    from archcost.sources.zoo import broken

    for one in chosen:
        if one.entry is None:
            spare_the_model(one.text, output)
    if not all(one.named for one in chosen):
        for error in broken():
            tell("warning", f"left out: {error}")
    loaded: list[Loaded] = []
    failed: list[Loaded] = []
    for model in progress(load_each(chosen, loading.graph), "Counting", len(chosen)):
        (loaded if model.graph is not None else failed).append(model)
    _tell(failed)
    names = distinct_names(loaded)
    found = {
        name: analyze(model.graph)
        for name, model in zip(names, loaded, strict=True)
        if model.graph is not None
    }
    return found, loaded


def _tell(failed: Sequence[Loaded]) -> None:
    """Warn of networks that are left out, in one message where they are many."""
    if len(failed) <= MOST_WARNINGS:
        for model in failed:
            tell("warning", f"{model.selected.text} is left out: {model.error}")
        return
    names = ", ".join(model.selected.text for model in failed[:MOST_NAMES])
    others = len(failed) - MOST_NAMES
    names += f" and {others} others" if others > 0 else ""
    tell("warning", f"{len(failed)} networks are left out: {names}; the first as {failed[0].error}")


def _in_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which takes the networks' options as one :class:`Networks`."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        networks = Networks(**{name: kwargs.pop(name) for name in Networks._fields})
        return function(*args, networks=networks, **kwargs)

    return command


networks_options = together(
    click.argument("models", type=ModelType(), nargs=-1, metavar="[MODEL]..."),
    click.option(
        "--family",
        "families",
        type=AboutType("family"),
        multiple=True,
        metavar="NAME",
        help="All networks of this family of the zoo; repeatable.",
    ),
    click.option("--all", "whole_zoo", is_flag=True, help="All networks of the zoo."),
    narrowing_options,
    _in_one,
)
"""What makes :class:`Networks`, which the command takes as ``networks``."""
