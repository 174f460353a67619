"""``archcost zoo``: the architectures that come with archcost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from .options import Group, ModelType, output_options
from .output import chosen_format, show, tell, to_terminal, write

if TYPE_CHECKING:
    from archcost.analysis import Analysis
    from archcost.report.summary import Fact
    from archcost.sources.zoo import Entry

FORMATS: Final = ("table", "markdown", "csv", "json", "latex")
SHOW_FORMATS: Final = ("table", "json")


@click.group(
    "zoo",
    cls=Group,
    invoke_without_command=True,
    epilog="""\b
Examples:
  archcost zoo list
  archcost zoo list --format csv -o zoo.csv
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
  archcost zoo list --format json
""",
)
@output_options(*FORMATS)
def list_(format_: str | None, output: str | None) -> None:
    """All networks, with their size at their own input."""
    from archcost.analysis import analyze
    from archcost.ir import ArchcostError
    from archcost.report import Column, Table
    from archcost.sources import load
    from archcost.sources.zoo import broken, names

    for error in broken():
        tell("warning", f"left out: {error}")
    rows: list[dict[str, Any]] = []
    for name in names():
        try:
            graph = load(name)
        except ArchcostError as error:  # one broken network does not hide the others
            tell("warning", f"{name} is left out: {error}")
            continue
        layers = analyze(graph).layers
        about = graph.metadata
        rows.append(
            {
                "name": name,
                "title": about["title"],
                "family": about["family"],
                "year": about.get("year"),
                "source": about.get("source"),
                "input": graph.inputs[0].shape[1:],
                "params": sum([row.params for row in layers]),
                "macs": sum([row.macs for row in layers]),
            }
        )
    format_ = chosen_format(FORMATS, format_, output)
    if format_ == "json":
        from archcost.report.json import dump

        write(dump(rows), output)
        return
    columns = (
        Column("name", "Name", "text"),
        Column("title", "Title", "text", 2),
        Column("family", "Family", "text", 3),
        Column("year", "Year", "integer"),
        Column("input", "Input", "shape"),
        Column("params", "Params", "count"),
        Column("macs", "MACs", "count"),
    )
    cells = tuple(tuple(row[column.key] for column in columns) for row in rows)
    title = "" if format_ == "table" else "The zoo"
    show(Table(title, columns, cells), format_, output)


@command.command(
    "show",
    epilog="""\b
Examples:
  archcost zoo show squeezenet
  archcost zoo show simplenet-310k --format json
""",
)
@click.argument("name", type=ModelType())
@output_options(*SHOW_FORMATS)
def show_(name: str, format_: str | None, output: str | None) -> None:
    """Where network NAME comes from, what can be set, and how large it is."""
    from archcost.analysis import analyze
    from archcost.sources import load
    from archcost.sources.zoo import find

    entry = find(name)
    about = _about(entry, analyze(load(entry.name)))
    if chosen_format(SHOW_FORMATS, format_, output) == "json":
        from archcost.report.json import dump

        write(dump(about), output)
        return
    from archcost.report.summary import citation
    from archcost.report.terminal import SheetView, plain

    sheet = SheetView(about["title"], citation(about["source"] or {}), _facts(about))
    if output in (None, "-"):
        to_terminal(sheet)
    else:
        write(plain(sheet), output)


def _about(entry: Entry, analysis: Analysis) -> dict[str, Any]:
    """What there is to say about a network, as the JSON has it."""
    metadata, totals = analysis.graph.metadata, analysis.totals
    return {
        "name": entry.name,
        "title": metadata["title"],
        "family": metadata["family"],
        "year": metadata.get("year"),
        "dataset": metadata.get("dataset"),
        "aliases": entry.aliases,
        "source": metadata.get("source"),
        "notes": metadata.get("notes", ()),
        "input": analysis.graph.inputs[0].shape[1:],
        "parameters": {
            key: {
                "default": metadata["parameters"][key],
                "choices": setting.choices,
                "min": setting.least,
                "max": setting.most,
                "help": setting.help,
            }
            for key, setting in entry.spec.parameters(entry.name).items()
        },
        "variants": [name for name in entry.spec.names if name != entry.name],
        "totals": {
            "params": totals.params,
            "buffers": totals.buffers,
            "macs": totals.macs,
            "flops": totals.flops,
            "activations": totals.activations,
            "depth": totals.depth,
        },
    }


def _facts(about: dict[str, Any]) -> list[Fact]:
    from archcost.ir import shape_text
    from archcost.report.format import count, exact, setting
    from archcost.report.summary import Fact

    totals = about["totals"]
    lines = [Fact("Name", (about["name"],))]
    if about["aliases"]:
        lines.append(Fact("Also called", about["aliases"]))
    lines.append(Fact("Family", (about["family"],)))
    if about["variants"]:
        lines.append(Fact("In this family", tuple(about["variants"])))
    if about["dataset"]:
        lines.append(Fact("Dataset", (about["dataset"],)))
    lines.append(Fact("Input", (shape_text(about["input"]),)))
    lines += [
        Fact(label, (f"{exact(totals[key])} ({count(totals[key])})",))
        for label, key in (("Parameters", "params"), ("MACs", "macs"), ("FLOPs", "flops"))
    ]
    lines.append(Fact("Depth", (f"{totals['depth']} layers with weights",)))
    label = "Settings"
    for key, about_key in about["parameters"].items():
        text = f"{key}={setting(about_key['default'])}"
        if limits := _limits(about_key):
            text += f" ({limits})"
        if about_key["help"]:
            text += f": {about_key['help']}"
        lines.append(Fact(label, (text,)))
        label = ""
    label = "Notes"
    for note in about["notes"]:
        lines.append(Fact(label, (note,)))
        label = ""
    return lines


def _limits(about_key: dict[str, Any]) -> str:
    from archcost.report.format import setting

    least, most = about_key["min"], about_key["max"]
    if about_key["choices"]:
        return f"one of {', '.join(map(setting, about_key['choices']))}"
    if least is None:
        return "" if most is None else f"at most {most}"
    return f"at least {least}" if most is None else f"{least} to {most}"
