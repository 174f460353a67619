"""``archcost conventions``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from .options import Choice, Loading, ModelType, model_options, output_options
from .output import chosen_format, progress, show, spare_the_model, tell, write

if TYPE_CHECKING:
    from archcost.ir import Graph
    from archcost.verify import Check

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")


class ConventionType(Choice):
    """A convention's name; the names are read when they are needed."""

    name = "convention"

    def __init__(self) -> None:
        pass

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        from archcost.conventions import CONVENTIONS

        return CONVENTIONS


@click.command(
    "conventions",
    epilog="""\b
Examples:
  archcost conventions
  archcost conventions resnet50
  archcost conventions alexnet --only netscope-2016 --only netscope-2018
  archcost conventions simplenet --batch 8 --format json
  archcost conventions mobilenet-v1 --verify
  archcost conventions --all --verify --only torch

docs/conventions.md tells the rules of each convention.
""",
)
@click.argument("model", type=ModelType(), required=False)
@click.option(
    "--only",
    type=ConventionType(),
    multiple=True,
    metavar="CONVENTION",
    help="Only this convention; repeatable.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Run the installed programs on the network, as a PyTorch module, and compare; status 1 "
    "where a number differs or a program fails.",
)
@click.option("--all", "whole_zoo", is_flag=True, help="With --verify: every network of the zoo.")
@model_options
@output_options(*FORMATS)
@click.pass_context
def command(
    ctx: click.Context,
    model: str | None,
    only: tuple[str, ...],
    verify: bool,
    whole_zoo: bool,
    loading: Loading,
    format_: str | None,
    output: str | None,
) -> None:
    """What MODEL costs by each convention, and why they differ.

    Each convention counts as a program or a body of papers counts. Its
    difference from mult-adds (the multiply-accumulates of convolutions, linear
    layers and matrix products) is split by the rule that causes it. Without
    MODEL: what the conventions are, with --only all that there is to say of one.
    """
    from archcost.conventions import CONVENTIONS, convention
    from archcost.report.json import dump

    chosen = [convention(name) for name in CONVENTIONS if not only or name in only]
    format_ = chosen_format(FORMATS, format_, output)
    if whole_zoo:
        if model is not None or not verify or loading.given:
            raise click.UsageError("--all goes with --verify, and with no MODEL or option of one")
        if not _cross_check([c.name for c in chosen], format_, output):
            ctx.exit(1)
        return
    if model is None:
        from archcost.report import conventions as about

        if verify or loading.given:
            raise click.UsageError(
                "--verify, --input, --batch, --set, --arg and --dtype need a MODEL"
            )
        if format_ == "json":
            write(dump(about.about_document(chosen)), output)
        elif format_ == "markdown":
            write(about.about_markdown(chosen), output)
        elif format_ == "html" or (format_ == "table" and only):
            show(about.about_pages(chosen), format_, output)
        else:
            show(about.about_table(chosen), format_, output)
        return
    spare_the_model(model, output)
    from archcost.report.conventions import conventions_document, conventions_table

    graph = loading.graph(model)
    counts = [c.count(graph) for c in chosen]
    if not verify:
        if format_ == "json":
            write(dump(conventions_document(graph, counts)), output)
        else:
            show(conventions_table(graph, counts), format_, output)
        return
    from archcost.report.conventions import checks_table

    checks = _checks(graph, [c.name for c in chosen])
    if format_ == "json":
        write(dump(conventions_document(graph, counts, checks)), output)
    else:
        show(checks_table(graph, checks), format_, output)
    if not all(check.agrees for check in checks):
        ctx.exit(1)


def _checks(graph: Graph, names: list[str]) -> list[Check]:
    """The installed programs' numbers of ``graph``, for those of the conventions that have one."""
    from archcost.verify import quantities, verify

    installed = _installed(names)
    number = sum(len(quantities(name)) for name in installed)
    return list(progress(verify(graph, installed), "Counting", number))


def _cross_check(names: list[str], format_: str, output: str | None) -> bool:
    """Compare and show every network of the zoo; whether all numbers are equal."""
    from archcost.report import cross_check as report
    from archcost.report.json import dump
    from archcost.sources.zoo import entries
    from archcost.verify import cross_check, versions

    installed = _installed(names)
    zoo = list(entries())
    checked = cross_check((entry.graph() for entry in zoo), installed)
    networks = list(progress(checked, "Counting", len(zoo)))
    programs = versions(installed)
    if format_ == "json":
        write(dump(report.cross_check_data(networks, programs)), output)
    elif format_ in ("csv", "latex"):
        show(report.networks_table(networks), format_, output)
    else:
        show(report.cross_check_document(networks, programs), format_, output)
    return all(network.agrees for network in networks)


def _installed(names: list[str]) -> list[str]:
    """Those of the conventions whose program is installed.

    Raises:
        click.UsageError: none of them has one, or none that is installed.
    """
    from archcost.verify import COUNTERS, counters

    if COUNTERS.keys().isdisjoint(names):
        raise click.UsageError(f"--verify: there are programs only for {', '.join(COUNTERS)}")
    installed = [name for name in counters() if name in names]
    if not installed:
        raise click.UsageError(
            "--verify needs PyTorch and one of the programs: pip install 'archcost[validate]'"
        )
    missing = [name for name in COUNTERS if name in names and name not in installed]
    if missing:
        tell("warning", f"not installed, and not compared: {', '.join(missing)}")
    return installed
