"""The zoo as a static site: an index of all networks, and the page of each.

Every page is whole in itself but for plotly.js, which all share; it works from a folder as from a
server. ``index.html`` and the folder's other files are written by
:func:`archcost.page.folder.written_folder`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.analysis import analyze
from archcost.ir import ArchcostError
from archcost.page.figures import Drawn, drawn_figures
from archcost.page.folder import NewFolder, file_names
from archcost.page.report import report_page
from archcost.page.shell import About, Link, page, safe, template_environment
from archcost.page.tables import grid
from archcost.plot.bundle import MissingLibraryError, data_text, script
from archcost.published.about import published_about
from archcost.published.accuracies import published_accuracies
from archcost.published.best import OF_THE_DATASET, best_accuracies
from archcost.report.model import model_report
from archcost.report.output import write_atomically
from archcost.report.table import Column, Table
from archcost.report.zoo import zoo_table
from archcost.sources.zoo import find

if TYPE_CHECKING:
    from archcost.analysis import Analysis
    from archcost.plot.figure import Figure
    from archcost.published.accuracies import PublishedAccuracy
    from archcost.sources.zoo import Entry

INDEX: Final = "index.html"
PAGES: Final = "networks"
"""The folder of the networks' pages."""
PLOTLY: Final = "plotly.min.js"
LEAST_RATED: Final = 6
"""Networks with an accuracy on a dataset from which on the index has a figure of them."""
FIRST: Final = 2
"""Figures above the table."""
MOST_LAYERS: Final = 600
"""Layers of a network up to which its page has a row for each; of a larger one, for each block."""

# A title says its family, and stands first: it is what people know a network by.
_KEPT: Final = ("title", "name", "year", "dataset", "input", "params", "macs", "depth")
_MORE: Final = (
    Column("accuracy", "Accuracy", "percent"),
    Column("activations", "Activations", "count"),
    Column("peak_memory_bytes", "Peak memory", "bytes"),
)
_ACCURACY: Final = (
    "Accuracy: the best that is published of the network alone on the dataset that it is for, "
    "one guess an image; how it was trained and tested differs, and its page says where it is from."
)


class PageError(ArchcostError, RuntimeError):
    """Pages cannot be made here."""


class Made(NamedTuple):
    """What became of the page of a network: ``error`` says why there is none, ``left_out`` what it
    lacks."""

    name: str
    left_out: tuple[str, ...] = ()
    error: str = ""


class _Job(NamedTuple):
    """What a process needs to make a page and write it to ``path``."""

    name: str
    about: About
    plotly: str
    path: Path


def site_files(
    entries: Sequence[Entry],
    about: About,
    folder: NewFolder,
    *,
    processes: int | None = None,
    progress: Callable[[Iterable[Made], int], Iterable[Made]] = lambda made, total: made,
    warn: Callable[[str], object] = lambda message: None,
) -> None:
    """Write the site of these networks of the zoo into ``folder``.

    ``processes`` make the pages of networks; by default as many as there are processors.
    ``progress`` is given the pages and their number, and passes them on; ``warn`` is told what is
    left out: one broken network does not hide the others.

    Raises:
        MissingLibraryError: Jinja2 is not installed.
        PageError: a process that made pages was ended by the system.
    """
    template_environment()  # without it there is no page: said once, and at once
    analyses: dict[str, Analysis] = {}
    for entry in entries:
        try:
            analyses[entry.name] = analyze(entry.graph())
        except ArchcostError as error:
            warn(f"{entry.name} is left out: {error}")
    plotly = _shared_plotly(folder)
    files = file_names(list(analyses))
    jobs = _jobs(analyses, files, about, f"../{PLOTLY}" if plotly else "", folder)
    missing: dict[str, str] = {}
    for made in progress(_pages(jobs, processes), len(jobs)):
        for message in made.left_out:
            missing.setdefault(message, made.name)
        if made.error:
            warn(f"{made.name} has no page: {made.error}")
            del files[made.name]
    for message, name in missing.items():
        warn(f"{message} ({name} for one)" if len(jobs) > 1 else message)
    links = {name: f"{PAGES}/{file}.html" for name, file in files.items()}
    index = index_page(entries, analyses, links, about, PLOTLY if plotly else None)
    folder.put(INDEX, index)


def _shared_plotly(folder: NewFolder) -> bool:
    """Write plotly.js for all pages; without it they do without figures, as each of them says."""
    try:
        folder.put(PLOTLY, script())
    except MissingLibraryError:
        return False
    return True


def _jobs(
    analyses: Mapping[str, Analysis],
    files: Mapping[str, str],
    about: About,
    plotly: str,
    folder: NewFolder,
) -> list[_Job]:
    names = list(analyses)
    titles = [str(analyses[name].graph.metadata.get("title") or name) for name in names]

    def link(place: int, rel: str) -> list[Link]:
        if not 0 <= place < len(names):
            return []
        return [Link(f"{files[names[place]]}.html", titles[place], rel)]

    jobs = []
    for place, name in enumerate(names):
        links = (
            Link(f"../{INDEX}", "All networks", "up"),
            *link(place - 1, "prev"),
            *link(place + 1, "next"),
        )
        path = folder.place(f"{PAGES}/{files[name]}.html")
        jobs.append(_Job(name, about._replace(links=links), plotly, path))
    return jobs


def _pages(jobs: Sequence[_Job], processes: int | None) -> Iterator[Made]:
    """The pages in order, made by several processes where there are several to make."""
    if processes is None:
        processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    processes = min(processes, len(jobs))
    if processes < 2:
        yield from map(network_page, jobs)
        return
    others = set(active_children())
    with ProcessPoolExecutor(processes, initializer=_patient) as pool:
        try:
            # What comes back is short, the pages are in files: a pipe with part of a page in it
            # would keep the other side waiting where one is ended.
            for future in [pool.submit(network_page, job) for job in jobs]:
                yield future.result()
        except BrokenProcessPool:
            raise PageError("a process that made pages was ended: out of memory?") from None
        except BaseException:
            for child in set(active_children()) - others:
                child.terminate()
            raise


def _patient() -> None:
    """Leave it to the parent what happens when the user interrupts all of them or closes the
    terminal; it ends this process in a way that must not be its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def network_page(job: _Job) -> Made:
    """Write the page of one network."""
    left_out: list[str] = []
    try:
        entry = find(job.name)
        analysis = analyze(entry.graph())
        published = published_about(entry.name)
        if published.problem:
            left_out.append(published.problem)
        by = "layer" if len(analysis.layers) <= MOST_LAYERS else "block"
        made = report_page(
            model_report(analysis, by=by),
            job.about,
            published=published,
            plotly=job.plotly,
            warn=left_out.append,
        )
    except ArchcostError as error:
        return Made(job.name, tuple(left_out), str(error))
    write_atomically(job.path, made)
    return Made(job.name, tuple(left_out))


def index_page(
    entries: Iterable[Entry],
    analyses: Mapping[str, Analysis],
    links: Mapping[str, str],
    about: About,
    plotly: str | None,
) -> str:
    """The index: all networks in a table that can be sorted and filtered, and side by side.

    ``links`` are the URLs of the networks' pages by name; ``plotly`` that of plotly.js, None:
    no figures.
    """
    own = {entry.name: entry for entry in entries if entry.name in analyses}
    table = _table(own, analyses)
    shown = grid(table, "networks-table", scaled=True)
    rows = [
        row._replace(href=links.get(name, ""))
        for name, row in zip(analyses, shown.rows, strict=True)
    ]
    figures, called = _figures(analyses) if plotly is not None else ([], {})
    targets = {label: links[name] for label, name in called.items() if name in links}
    return page(
        "index.html",
        about,
        title="The zoo of archcost",
        scripts=("table.js", "filter.js", "open.js"),
        plotly=plotly if figures else None,
        grid=shown._replace(rows=tuple(rows)),
        rows=len(rows),
        first=figures[:FIRST],
        figures=figures[FIRST:],
        targets=safe(data_text(targets)),
    )


def _table(entries: Mapping[str, Entry], analyses: Mapping[str, Analysis]) -> Table:
    table = zoo_table(list(analyses.values()))
    known = {column.key: place for place, column in enumerate(table.columns)}
    kept = [known[key] for key in _KEPT]
    best = _best(entries, analyses)
    rows = []
    for (name, analysis), row in zip(analyses.items(), table.rows, strict=True):
        accuracy = best[name].percent_correct() if name in best else None
        totals = analysis.totals
        more = (accuracy, totals.activations, totals.peak_memory_bytes)
        rows.append((*(row[place] for place in kept), *more))
    columns = (*(table.columns[place] for place in kept), *_MORE)
    notes = (*table.notes, *((_ACCURACY,) if best else ()))
    return table._replace(columns=columns, rows=tuple(rows), notes=notes)


def _best(
    entries: Mapping[str, Entry], analyses: Mapping[str, Analysis]
) -> dict[str, PublishedAccuracy]:
    """The best accuracy of each network on its own dataset."""
    by_dataset: dict[str, dict[str, Any]] = {}
    for name, entry in entries.items():
        graph = analyses[name].graph
        if dataset := graph.metadata.get("dataset"):
            by_dataset.setdefault(dataset, {})[name] = (entry, graph)
    found: dict[str, PublishedAccuracy] = {}
    for dataset, networks in by_dataset.items():
        try:
            found |= best_accuracies(networks, dataset)
        except ArchcostError:  # no accuracy on it is published, or the data is broken
            continue
    return found


def _figures(analyses: Mapping[str, Analysis]) -> tuple[list[Drawn], dict[str, str]]:
    """Accuracy against cost for each dataset with enough networks, and cost against cost; and
    the networks by what the figures call them."""
    from archcost.plot.networks import names
    from archcost.plot.scatter import Rated, accuracy_figure, costs_figure

    every = list(analyses.values())
    figures: list[Figure] = []
    published = _accuracies(analyses)
    rated = [Rated(analysis, published.get(name, ())) for name, analysis in analyses.items()]
    datasets: dict[str, int] = {}
    for one in rated:
        for dataset in {a.dataset for a in one.accuracies if not a.metric.startswith("top5")}:
            datasets[dataset] = datasets.get(dataset, 0) + 1
    for dataset in sorted(datasets, key=lambda dataset: (-datasets[dataset], dataset)):
        if datasets[dataset] >= LEAST_RATED:
            figure = accuracy_figure(rated, dataset)
            figures.append(replace(figure, key=f"accuracy-{len(figures)}"))
    if every:
        figures.append(costs_figure(every, size="activations"))
    called = dict(zip(names(every), analyses, strict=True))
    return drawn_figures(figures), called


def _accuracies(analyses: Mapping[str, Analysis]) -> dict[str, tuple[PublishedAccuracy, ...]]:
    """Those that are published of each network with the settings it has here."""
    found: dict[str, tuple[PublishedAccuracy, ...]] = {}
    try:
        everything = published_accuracies()
    except ArchcostError:  # the pages of networks say what is wrong with it
        return found
    canonical = {a.model: find(a.model).name for a in everything if a.model}
    for accuracy in everything:
        name = canonical.get(accuracy.model or "", "")
        if name not in analyses:
            continue
        has = analyses[name].graph.metadata.get("parameters") or {}
        said = {k: v for k, v in accuracy.settings.items() if k != OF_THE_DATASET}
        if all(has.get(key) == value for key, value in said.items()):
            # A network is called like its page, without settings that it has anyway.
            found[name] = (*found.get(name, ()), replace(accuracy, settings={}))
    return found
