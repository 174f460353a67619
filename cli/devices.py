"""``archcost devices``: the devices that come with archcost, and their figures."""

from __future__ import annotations

from typing import Final

import click

from .options import Choice, DeviceType, Group, output_options
from .output import chosen_format, show, to_terminal, write

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
# As in archcost.hardware.device, which is not loaded for `--help`; a test compares them.
KINDS: Final = ("gpu", "cpu")
# The keys of archcost.report.devices.LIST_COLUMNS; a test compares them.
COLUMNS: Final = (
    *("name", "title", "kind", "year", "units"),
    *("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8"),
    *("bandwidth", "memory", "ridge_fp32", "ridge_fp16", "overhead", "power"),
)


@click.group(
    "devices",
    cls=Group,
    invoke_without_command=True,
    epilog="""\b
Examples:
  archcost devices list
  archcost devices list --kind gpu --sort bandwidth
  archcost devices show rtx3090
""",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """The devices that --device takes, and what they can do at most."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command(
    "list",
    epilog="""\b
Examples:
  archcost devices list
  archcost devices list --kind gpu --sort fp16
  archcost devices list --format csv -o devices.csv
""",
)
@click.option(
    "--kind", type=Choice(KINDS), metavar="KIND", help=f"Only {' or '.join(KINDS)}.  [both]"
)
@click.option(
    "--sort",
    type=Choice(COLUMNS),
    metavar="COLUMN",
    help=f"Sort by {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}: names from A, years onwards, "
    "other numbers from the largest.  [by kind, then year]",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@output_options(*FORMATS)
def list_(
    kind: str | None, sort: str | None, reverse: bool, format_: str | None, output: str | None
) -> None:
    """All devices: peak by dtype, memory, ridge point."""
    from archcost.hardware.files import devices
    from archcost.report.devices import device_summary, devices_table

    format_ = chosen_format(FORMATS, format_, output)
    chosen = [device for device in devices() if kind in (None, device.kind)]
    table = devices_table(chosen, sort, reverse=reverse)
    if format_ == "json":
        from archcost.report.json import dump

        by_name = {device.name: device for device in chosen}
        write(dump([device_summary(by_name[row[0]]) for row in table.rows]), output)
        return
    show(table._replace(title="") if format_ == "table" else table, format_, output)


@command.command(
    "show",
    epilog="""\b
Examples:
  archcost devices show a100-80gb
  archcost devices show mymachine.yaml
  archcost devices show h200 --format json
""",
)
@click.argument("device", type=DeviceType())
@output_options(*FORMATS)
def show_(device: str, format_: str | None, output: str | None) -> None:
    """Every figure of DEVICE, with its source.

    DEVICE is a name (archcost devices list), or a device file, *.yaml.
    """
    from archcost.hardware.files import find
    from archcost.report.devices import (
        device_document,
        device_facts,
        figures_data,
        figures_table,
        source_facts,
    )

    format_ = chosen_format(FORMATS, format_, output)
    found = find(device)
    if format_ == "json":
        from archcost.report.json import dump

        write(dump(device_document(found)), output)
        return
    if format_ == "csv":
        show(figures_data(found), format_, output)
        return
    facts, table, sources = device_facts(found), figures_table(found), source_facts(found)
    if format_ == "table":
        from archcost.report.terminal import FactsView, plain

        view = FactsView(found.title, "", facts, (table,), sources, ())
        if output in (None, "-"):
            to_terminal(view)
        else:
            write(plain(view), output)
        return
    notes = [f"{fact.label}: {', '.join(fact.items).rstrip('.')}." for fact in facts if fact.label]
    notes += [f"{fact.label} {', '.join(fact.items)}" for fact in sources]
    show(table._replace(title=found.title, notes=tuple(notes)), format_, output)
