"""The page about one network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from archcost.conventions import CONVENTIONS, convention
from archcost.page.citation import bibtex, links
from archcost.page.figures import model_drawn
from archcost.page.network import drawings, style
from archcost.page.shell import About, page, safe, template_environment
from archcost.page.tables import grid
from archcost.page.views import views
from archcost.plot.bundle import data_text
from archcost.published.verdicts import KINDS
from archcost.report.conventions import BASE, conventions_table
from archcost.report.format import count, decimal_bytes, exact, seconds, shortened
from archcost.report.reproduction import verdict_tables
from archcost.report.summary import citation, facts, heading, identity
from archcost.report.zoo import accuracy_lines

if TYPE_CHECKING:
    from archcost.conventions import Count
    from archcost.published.about import Published
    from archcost.report.model import ModelReport

SCRIPTS: Final = ("table.js", "filter.js", "views.js", "diagram.js", "copy.js")


MOST_TITLE: Final = 160
"""Characters of a network's title."""


class Card(NamedTuple):
    """A total that is read first: scaled, and exact."""

    label: str
    value: str
    exact: str


def report_page(
    report: ModelReport,
    about: About = About(),  # noqa: B008 (a tuple: nothing can change it)
    *,
    published: Published | None = None,
    changed: bool = False,
    plotly: str = "",
    warn: Callable[[str], object] = lambda message: None,
) -> str:
    """The page about the network of ``report``: everything that archcost says of it.

    ``published`` is what is printed about it, of which the network may be a ``changed`` one: with
    other settings or another input. ``plotly`` is the URL of a ``plotly.min.js`` that pages share;
    "" puts it into the page. ``warn`` is told what is left out, and why.

    Raises:
        MissingLibraryError: Jinja2 is not installed.
    """
    template_environment()  # without it there is no page: said at once, and alone
    graph = report.analysis.graph
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Graphviz is a process of its own: the rest is done while it works.
        drawing = pool.submit(drawings, report.analysis, warn)
        figures, figures_problem = model_drawn(report.analysis, warn, report.estimate)
        counts = [convention(name).count(graph) for name in CONVENTIONS]
        drawn = drawing.result()
    source = report.source
    boxes = {id_: box for drawing in drawn.drawn for id_, box in drawing.boxes.items()}
    return page(
        "report.html",
        about,
        title=shortened(heading(report)[0], MOST_TITLE),
        scripts=SCRIPTS,
        style=style(),
        plotly=plotly if figures else None,
        identity=identity(report),
        citation=citation(source),
        links=links(source),
        bibtex=bibtex(source),
        cards=cards(report),
        facts=facts(report),
        notes=report.table.notes,
        views=views(report),
        first=report.by,
        figures=figures,
        figures_problem=figures_problem,
        layers=len(report.analysis.layers),
        drawings=drawn,
        boxes=safe(data_text(boxes)),
        conventions=grid(conventions_table(graph, counts), "conventions-table"),
        spread=spread(counts),
        about_network=graph.metadata.get("notes") or (),
        accuracies=accuracy_lines(published.accuracies) if published else [],
        published=published,
        verdicts=[grid(t, f"verdicts-{n}") for n, t in enumerate(verdict_tables(published.costs))]
        if published
        else [],
        changed=changed,
        tally=tally(published) if published else "",
    )


def cards(report: ModelReport) -> list[Card]:
    """The totals that are read first."""
    totals, forward = report.analysis.totals, report.forward
    part = " (known part)" if totals.unknown else ""
    storage = totals.storage_bytes.get(report.dtype)
    time = report.estimate
    return [
        Card("Parameters", count(totals.params), exact(totals.params)),
        Card(f"MACs{part}", count(totals.macs), exact(totals.macs)),
        Card(f"FLOPs{part}", count(totals.flops), exact(totals.flops)),
        Card("Activations", count(totals.activations), f"{exact(totals.activations)} elements"),
        Card("Peak memory", decimal_bytes(forward.peak), "in a forward pass"),
        *(
            [Card("Storage", decimal_bytes(storage), f"as {report.dtype}")]
            if storage is not None
            else []
        ),
        Card("Depth", exact(totals.depth), "layers with weights"),
        *(
            [Card(f"Est. time{part}", seconds(time.seconds), f"on {time.device.name}")]
            if time
            else []
        ),
    ]


def spread(counts: Sequence[Count]) -> str:
    """How far the conventions are apart, in a sentence."""
    base = next(c.main for c in counts if c.convention.name == BASE)
    if not base:
        return ""
    least, most = (f(counts, key=lambda c: c.main) for f in (min, max))
    return (
        f"{len(counts)} conventions count this network, from {count(least.main)} "
        f"({least.convention.name}) to {count(most.main)} ({most.convention.name}). The MACs of "
        f"this page are those of {BASE}, {count(base)}; each difference from them is split by the "
        "rule that makes it."
    )


def tally(published: Published) -> str:
    """How many of the printed costs have which verdict, in a sentence."""
    kinds = Counter(verdict.kind for verdict in published.costs)
    if not kinds:
        return ""
    number = sum(kinds.values())
    said = ", ".join(f"{exact(kinds[kind])} {kind}" for kind in KINDS if kinds[kind])
    return f"{exact(number)} printed cost{'' if number == 1 else 's'} of it: {said}."
