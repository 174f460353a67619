"""The page that shows networks side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from archcost.analysis.comparison import ComparisonError
from archcost.page.figures import called, comparison_drawn
from archcost.page.shell import About, page, safe, template_environment
from archcost.page.tables import WORTH_FILTERING, grid
from archcost.plot.bundle import data_text
from archcost.report.compare import compare_table

if TYPE_CHECKING:
    from archcost.page.tables import Grid
    from archcost.report.compare import CompareReport

SCRIPTS: Final = ("table.js", "filter.js", "pick.js")
LEAST_FRONT: Final = 3
"""Networks from which on it is worth a mark which of them no other dominates."""
FRONT: Final = "◆"


def compare_page(
    report: CompareReport,
    about: About = About(),  # noqa: B008 (a tuple: nothing can change it)
    *,
    plotly: str = "",
    warn: Callable[[str], object] = lambda message: None,
) -> str:
    """The page of a comparison: the table, and figures of the same networks.

    ``plotly`` is the URL of a ``plotly.min.js`` that pages share; "" puts it into the page.
    ``warn`` is told what is left out, and why.

    Raises:
        MissingLibraryError: Jinja2 is not installed.
    """
    template_environment()  # without it there is no page: said at once, and alone
    figures, problem = comparison_drawn(report, warn)
    names = [network.name for network in report.networks]
    title = f"{len(names)} networks compared"
    if 0 < len(names) <= LEAST_FRONT:
        title = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return page(
        "compare.html",
        about,
        title=title,
        scripts=SCRIPTS,
        plotly=plotly if figures else None,
        grid=marked(report),
        rows=len(names),
        filtered=len(names) >= WORTH_FILTERING,
        figures=figures,
        picks=safe(data_text(called(report))),
        figures_problem=problem,
    )


def marked(report: CompareReport) -> Grid:
    """The table, with a mark at each network that no other dominates."""
    table = grid(compare_table(report), "compared", scaled=True)
    front, judged = _front(report)
    rows = tuple(
        row._replace(name=network.name, mark=FRONT if network.name in front else "")
        for row, network in zip(table.rows, report.networks, strict=True)
    )
    table = table._replace(rows=rows)
    if not front:
        return table
    note = (
        f"{FRONT}: no other network here is as good in each of {judged} and better in one of them."
    )
    return table._replace(notes=(note, *table.notes))


def _front(report: CompareReport) -> tuple[frozenset[str], str]:
    """The names of the networks on the front, none where that says nothing; in which columns."""
    comparison = report.comparison
    if report.dominated is not None or len(report.networks) < LEAST_FRONT:
        return frozenset(), ""
    try:
        front = frozenset(network.name for network in comparison.front())
    except ComparisonError:
        return frozenset(), ""
    labels = [report.column(quantity).label for quantity in comparison.judged]
    return (front, ", ".join(labels)) if len(front) < len(report.networks) else (frozenset(), "")
