"""``archcost reproduce``."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import CompletionItem

from .options import Choice, ParamType, completions, output_options
from .output import chosen_format, progress, show, tell, write

FORMATS: Final = ("table", "markdown", "csv", "json", "html")
# The verdicts of archcost.published.verdicts, which is not loaded for `--help`; a test compares.
VERDICTS: Final = {
    "match": "match",
    "other-convention": "match under another convention",
    "erratum": "erratum",
    "not-reproduced": "not reproduced",
}


class TableType(ParamType):
    """A printed table's name, or a document's."""

    name = "table"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from archcost.published.tables import names

        return completions(names(), incomplete)


@click.command(
    "reproduce",
    epilog="""\b
Examples:
  archcost reproduce
  archcost reproduce simplenet/appendix
  archcost reproduce mobilenet googlenet/1
  archcost reproduce --verdict erratum
  archcost reproduce --verdict not-reproduced --format json

docs/published.md tells what a verdict and a claim are.
""",
)
@click.argument("tables", type=TableType(), nargs=-1, metavar="[TABLE]...")
@click.option(
    "--verdict",
    "kinds",
    type=Choice(VERDICTS),
    multiple=True,
    metavar="VERDICT",
    help=f"Show only cells of this verdict: {', '.join(VERDICTS)}; repeatable.",
)
@click.option("--summary", is_flag=True, help="Show only the number of cells of each verdict.")
@click.option("--claims", is_flag=True, help="Show only the claims that an erratum can make.")
@output_options(*FORMATS)
@click.pass_context
def command(
    ctx: click.Context,
    tables: tuple[str, ...],
    kinds: tuple[str, ...],
    summary: bool,
    claims: bool,
    format_: str | None,
    output: str | None,
) -> None:
    """Compute what papers print about costs, cell by cell.

    TABLE is a printed table (simplenet/appendix) or a document (mobilenet); all
    if none is named. Each cell gets a verdict: match (equal at the printed
    precision, rounded or cut off), match under another convention, erratum (wrong
    in a way that is checked), or not reproduced. Status 1 where a cell is not
    reproduced.
    """
    from archcost.published.tables import select_tables
    from archcost.published.verdicts import tallies, verdicts
    from archcost.report import reproduction
    from archcost.report.json import dump

    format_ = chosen_format(FORMATS, format_, output)
    if summary and kinds:
        raise click.UsageError(
            "--summary counts the cells of every verdict, whatever --verdict says"
        )
    if claims:
        if tables or kinds or summary:
            raise click.UsageError("--claims stands alone")
        from archcost.published.claims import CLAIMS

        show(reproduction.claims_table(CLAIMS), format_, output)
        return
    chosen = select_tables(tables)
    number = sum(len(table.cells) for table in chosen)
    found = list(progress(verdicts(chosen), "Reproducing", number))
    wanted = {VERDICTS[kind] for kind in kinds} or set(VERDICTS.values())
    shown = [verdict for verdict in found if verdict.kind in wanted]
    for verdict in found:
        if verdict.problem:
            where = f"{verdict.table.name}, {verdict.cell.row}, {verdict.cell.column}"
            tell("warning", f"{where}: {verdict.problem}")
    counts = tallies(found)
    if summary:
        show(reproduction.tally_table(counts), format_, output)
    elif format_ == "json":
        write(dump([verdict.as_dict() for verdict in shown]), output)
    elif format_ == "csv":
        show(reproduction.flat_table(shown), format_, output)
    elif format_ in ("markdown", "html") and not (tables or kinds):
        from archcost.published.alike import appendix_alike
        from archcost.report.published import whole_document

        show(whole_document(found, counts, appendix_alike(found)), format_, output)
    else:
        show(reproduction.verdicts_document(shown, counts), format_, output)
    if any(verdict.kind == "not reproduced" for verdict in found):
        ctx.exit(1)
