"""The figures of a page, as plotly takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.page.shell import safe
from archcost.plot.bundle import MissingLibraryError, figure_data, script
from archcost.report.format import exact

if TYPE_CHECKING:
    from archcost.analysis import Analysis
    from archcost.analysis.comparison import Compared
    from archcost.hardware.estimate import Estimate
    from archcost.plot.figure import Figure
    from archcost.report.compare import CompareReport


BEST: Final = "Of each network the best number that is published of it, as in the table."
MOST_LAYERS: Final = 5000
"""Layers of a network of which a page has figures: each of them is a point in most."""
MOST_DATA: Final = 1_000_000
"""Characters of the data of all figures of a page, which is to stay below 6 MB."""


class Drawn(NamedTuple):
    """A figure in a page: its texts, and ``data`` for the script that draws it."""

    key: str
    title: str
    subtitle: str
    alt: str
    notes: tuple[str, ...]
    data: Any


def model_drawn(
    analysis: Analysis, warn: Callable[[str], object], estimate: Estimate | None = None
) -> tuple[list[Drawn], str]:
    """The figures of a network and, where one is left out, why; with an ``estimate`` also where
    its time goes."""
    if len(analysis.layers) > MOST_LAYERS:
        return _none(f"a page has those of networks of up to {exact(MOST_LAYERS)} layers", warn)
    from archcost.plot.figures import model_figures

    return _drawn(lambda: model_figures(analysis, estimate), warn)


def comparison_drawn(
    report: CompareReport, warn: Callable[[str], object]
) -> tuple[list[Drawn], str]:
    """The figures of several networks and, where one is left out, why."""
    return _drawn(lambda: _comparison(report), warn)


def called(report: CompareReport) -> dict[str, str]:
    """The networks' names by what the figures call them."""
    from archcost.plot.networks import names

    networks = _reference_first(report)
    labels = names([network.analysis for network in networks])
    return {label: network.name for label, network in zip(labels, networks, strict=True)}


def _reference_first(report: CompareReport) -> list[Compared]:
    """The networks; figures say of the others how many times the first they are."""
    reference = report.comparison.reference
    return sorted(report.networks, key=lambda network: network is not reference)


def _comparison(report: CompareReport) -> Iterator[Figure]:
    from archcost.plot.figures import Rated, accuracy_figure, comparison_figures
    from archcost.plot.networks import PlotError

    networks = _reference_first(report)
    found = report.accuracies
    if report.dataset is not None:
        # A network is called like in the other figures, without settings that it has anyway.
        plain = {name: replace(accuracy, settings={}) for name, accuracy in found.items()}
        rated = [
            Rated(network.analysis, (plain[network.name],) if network.name in plain else ())
            for network in networks
        ]
        with suppress(PlotError):  # none of the accuracies is of a network by itself
            figure = accuracy_figure(rated, report.dataset, top=5 if report.top == 5 else 1)
            yield replace(figure, notes=(BEST, *figure.notes))
    yield from comparison_figures([network.analysis for network in networks])


def _drawn(
    figures: Callable[[], Iterable[Figure]], warn: Callable[[str], object]
) -> tuple[list[Drawn], str]:
    try:
        script()  # without plotly a page does without figures
    except MissingLibraryError as error:
        return _none(str(error), warn)
    kept, room = [], MOST_DATA
    too_large = []
    for drawn in drawn_figures(figures()):
        if len(drawn.data) > room:
            too_large.append(drawn.title)
        else:
            kept.append(drawn)
            room -= len(drawn.data)
    if not too_large:
        return kept, ""
    problem = f"Too large for a page, and left out: {', '.join(too_large)}"
    warn(f"{problem[0].lower()}{problem[1:]}")
    return kept, f"{problem}."


def _none(why: str, warn: Callable[[str], object]) -> tuple[list[Drawn], str]:
    warn(f"the figures are left out: {why}")
    return [], f"The figures are left out: {why}."


def drawn_figures(figures: Iterable[Figure]) -> list[Drawn]:
    """Figures as pages have them."""
    from archcost.plot.plotly_backend import captions, themed

    return [
        Drawn(f.key, f.title, f.subtitle, f.alt, captions(f), safe(figure_data(themed(f))))
        for f in figures
    ]
