"""``archcost zoo``: the architectures that come with archcost."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .options import AboutType, Choice, Group, NetworkType, narrowing_options, output_options
from .output import about, chosen_format, progress, show, tell, to_terminal, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcost.analysis import Analysis

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
SHOW_FORMATS: Final = ("table", "json", "html")
SITE_FORMATS: Final = ("html",)
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


family_option = click.option(
    "--family",
    "families",
    type=AboutType("family"),
    multiple=True,
    metavar="NAME",
    help="Only this family, by its name or what its networks' names begin with; repeatable.",
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
  archcost zoo --format html -o zoo/
""",
)
@click.option(
    "--format",
    "format_",
    type=Choice(SITE_FORMATS),
    help="Without a command: html, a site of all networks, written to the folder -o.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),  # which completes to files
    metavar="FOLDER",
    help="The folder of the site: a new or empty one, or one that archcost wrote before.",
)
@family_option
@narrowing_options
@click.pass_context
def command(
    ctx: click.Context,
    format_: str | None,
    output: str | None,
    families: tuple[str, ...],
    datasets: tuple[str, ...],
    years: tuple[int | None, int | None],
    search: str,
) -> None:
    """The architectures that come with archcost.

    With --format html, a site of them: an index, and a page of each network.
    """
    narrowed = bool(families or datasets or search or years != (None, None))
    if ctx.invoked_subcommand is not None:
        if format_ or output or narrowed:
            raise click.UsageError(
                f"the options of archcost zoo {ctx.invoked_subcommand} stand behind it"
            )
        return
    if output is None and format_ is None and not narrowed:
        click.echo(ctx.get_help())
        return
    if output in (None, "-") or (
        str(output).lower().endswith((".html", ".htm")) and not Path(str(output)).is_dir()
    ):
        raise click.UsageError(
            "a site is a folder: archcost zoo --format html -o FOLDER (archcost zoo list writes "
            "tables)"
        )
    _site(ctx, output, families, datasets, years, search)


def _site(
    ctx: click.Context,
    folder: str,
    families: tuple[str, ...],
    datasets: tuple[str, ...],
    years: tuple[int | None, int | None],
    search: str,
) -> None:
    """Write the site of the chosen networks."""
    from archcost.page.folder import written_folder
    from archcost.page.site import site_files
    from archcost.sources.zoo import broken, select

    chosen = select(families=families, datasets=datasets, years=years, search=search)
    if not chosen:
        tell("warning", "no network fits what was asked for")
        ctx.exit(1)
    for error in broken():
        tell("warning", f"left out: {error}")
    with _cleaning_up(), written_folder(folder) as new:
        site_files(
            chosen,
            about(),
            new,
            progress=lambda made, total: progress(made, "Writing pages", total),
            warn=lambda message: tell("warning", message),
        )


@contextmanager
def _cleaning_up() -> Iterator[None]:
    """Clean up where the process is ended or its terminal closed, as it does after Ctrl-C."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What is ignored stays so: nohup asks for that.
    before = {
        number: signal.signal(number, end)
        for number in numbers
        if signal.getsignal(number) is signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
@family_option
@narrowing_options
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
    from archcost.published.about import published_about
    from archcost.report.zoo import ZooSheet
    from archcost.sources.zoo import find

    format_ = chosen_format(SHOW_FORMATS, format_, output)
    entry = find(name)
    analysis = analyze(entry.graph())
    published = published_about(entry.name)
    if published.problem:
        tell("warning", published.problem)
    if format_ == "html":
        from archcost.report import model_report

        show(model_report(analysis, by="layer"), format_, output, published=published)
        return
    sheet = ZooSheet(entry, analysis, published.costs, published.accuracies)
    if format_ == "json":
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
