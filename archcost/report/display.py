"""How an analysis shows itself: ``rich.print(analysis)``, and as the value of a notebook's cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcost.report.model import model_report

if TYPE_CHECKING:
    from rich.console import RenderableType

    from archcost.analysis import Analysis


def rich(analysis: Analysis) -> RenderableType:
    """What ``Analysis.__rich__`` returns: the report, as wide as the console it is printed on."""
    from archcost.report.terminal import ReportView

    return ReportView(model_report(analysis))


def html(analysis: Analysis) -> str:
    """What ``Analysis._repr_html_`` returns."""
    from archcost.report.html import report_text

    return report_text(model_report(analysis))
