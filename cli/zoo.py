"""``archcost zoo``: the architectures that come with archcost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from .options import AboutType, Choice, Group, NetworkType, YearsType, output_options
from .output import chosen_format, progress, show, tell, to_terminal, write

if TYPE_CHECKING:
    from archcost.analysis import Analysis

FORMATS: Final = ("table", "markdown", "csv", "json", "latex")
SHOW_FORMATS: Final = ("table", "json")
# The keys of archcost.report.zoo.COLUMNS, which is not loaded for `--help`; a test compares them.
COLUMNS: Final = (
    "name",
    "title",
    "family",
    "year",
    "dataset",
    "input",
    "params",
    "macs",
    "depth",
)


@click.group(
    "zoo",
    cls=Group,
    invoke_without_command=True,
    epilog="""\b
Examples:
  archcost zoo list
  archcost zoo list --dataset CIFAR-10 --sort params
  archcost zoo show resnet50
""",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """The architectures that come with archcost."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command(
    "list",
    epilog="""\b
Examples:
  archcost zoo list
  archcost zoo list --family resnet --sort macs
  archcost zoo list --year 2015-2017 --dataset CIFAR-10 --dataset CIFAR-100
  archcost zoo list --search "wide residual" --format json

Exit status 1: no network fits.
""",
)
@click.option(
    "--family",
    "families",
    type=AboutType("family"),
    multiple=True,
    metavar="NAME",
    help="Only this family, by its name or what its networks' names begin with; repeatable.",
)
@click.option(
    "--dataset",
    "datasets",
    type=AboutType("dataset"),
    multiple=True,
    metavar="NAME",
    help="Only networks for this dataset, like CIFAR-10; repeatable.",
)
@click.option(
    "--year",
    "years",
    type=YearsType(),
    default=(None, None),
    metavar="YEAR",
    help="Only this year, or a range: 2014-2016, 2015-, -2012.",
)
@click.option(
    "--search",
    default="",
    metavar="WORDS",
    help="Only networks whose name, title, family, dataset or citation has these words in "
    "a row; where there is none, each of them.",
)
@click.option(
    "--sort",
    type=Choice(COLUMNS),
    metavar="COLUMN",
    help=f"Sort by {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}: names from A, years onwards, "
    "other numbers from the largest.  [by year, then family]",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@output_options(*FORMATS)
@click.pass_context
def list_(
    ctx: click.Context,
    families: tuple[str, ...],
    datasets: tuple[str, ...],
    years: tuple[int | None, int | None],
    search: str,
    sort: str | None,
    reverse: bool,
    format_: str | None,
    output: str | None,
) -> None:
    """All networks, with their size at their own input."""
    from archcost.analysis import analyze
    from archcost.ir import ArchcostError
    from archcost.report.json import dump
    from archcost.report.zoo import list_document, zoo_table
    from archcost.sources.zoo import broken, select

    format_ = chosen_format(FORMATS, format_, output)
    chosen = select(families=families, datasets=datasets, years=years, search=search)
    analyses: list[Analysis] = []
    failed = [f"left out: {error}" for error in broken()]
    for entry in progress(chosen, "Counting"):
        try:
            analyses.append(analyze(entry.graph()))
        except ArchcostError as error:  # one broken network does not hide the others
            failed.append(f"{entry.name} is left out: {error}")
    for message in failed:
        tell("warning", message)
    table = zoo_table(analyses, sort, reverse=reverse)
    if format_ == "json":
        write(dump(list_document(table, analyses)), output)
    else:
        if format_ == "table":
            asked = {"family": len(families) == 1, "dataset": len(datasets) == 1}
            table = table.without([key for key, same in asked.items() if same])._replace(title="")
        show(table, format_, output)
    if not chosen:
        tell("warning", "no network fits what was asked for")
        ctx.exit(1)


@command.command(
    "show",
    epilog="""\b
Examples:
  archcost zoo show squeezenet
  archcost zoo show simplenet-310k --format json
""",
)
@click.argument("name", type=NetworkType())
@output_options(*SHOW_FORMATS)
def show_(name: str, format_: str | None, output: str | None) -> None:
    """The source of network NAME, its settings and published numbers.

    Published costs stand beside archcost's own: those that it agrees with, then
    those that it does not, with the reason.
    """
    from archcost.analysis import analyze
    from archcost.ir import ArchcostError
    from archcost.published.accuracies import published_accuracies
    from archcost.published.tables import cells_of
    from archcost.published.verdicts import judge
    from archcost.report.zoo import ZooSheet
    from archcost.sources.zoo import find

    entry = find(name)
    sheet = ZooSheet(entry, analyze(entry.graph()), [], [])
    try:  # broken data does not hide the network
        for table, cell in cells_of(entry.name):
            sheet.costs.append(judge(table, cell))
        sheet.accuracies.extend(published_accuracies(entry.name))
    except ArchcostError as error:
        tell("warning", f"published numbers are left out: {error}")
    if chosen_format(SHOW_FORMATS, format_, output) == "json":
        from archcost.report.json import dump
        from archcost.report.zoo import sheet_document

        write(dump(sheet_document(sheet)), output)
        return
    from archcost.report.terminal import SheetView, plain
    from archcost.report.zoo import sheet_facts, sheet_heading

    view = SheetView(*sheet_heading(sheet), sheet_facts(sheet))
    if output in (None, "-"):
        to_terminal(view)
    else:
        write(plain(view), output)
