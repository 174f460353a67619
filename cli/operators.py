"""``archcost operators``."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import click

from .options import output_options
from .output import chosen_format, show, write

if TYPE_CHECKING:
    from archcost.spec.reference import OperatorEntry

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")


@click.command(
    epilog="""\b
Examples:
  archcost operators
  archcost operators pool
  archcost operators --format json
""",
)
@click.argument("search", required=False, default="")
@output_options(*FORMATS)
def command(search: str, format_: str | None, output: str | None) -> None:
    """The operators that a spec can use, with their arguments.

    SEARCH keeps those whose name, family or description contains it.
    """
    from archcost.report import Column, Table
    from archcost.spec.reference import operators

    wanted = search.lower()
    entries = [
        entry
        for entry in operators()
        if wanted in " ".join((*entry.names, entry.family, entry.summary)).lower()
    ]
    if not entries:
        raise click.UsageError(f"no operator has {search!r} in its name, family or description")
    format_ = chosen_format(FORMATS, format_, output)
    if format_ == "json":
        from archcost.report.json import dump

        rows = [
            {
                "names": entry.names,
                "family": entry.family,
                "arguments": entry.arguments,
                "summary": entry.summary,
            }
            for entry in entries
        ]
        write(dump(rows), output)
        return
    if format_ == "table":
        write(_listing(entries), output)
        return
    columns = (
        Column("names", "Operator", "text"),
        Column("arguments", "Arguments", "text"),
        Column("summary", "What it is", "text"),
    )
    cells = tuple(
        (", ".join(entry.names), ", ".join(entry.arguments), entry.summary) for entry in entries
    )
    show(Table("", columns, cells), format_, output)


def _listing(entries: list[OperatorEntry]) -> str:
    """Sentences do not fit into columns: each operator as a help page would have it."""
    formatter = click.HelpFormatter(max_width=100)
    for family, members in groupby(entries, key=lambda entry: entry.family):
        with formatter.section(family):
            for entry in members:
                head = f"{', '.join(entry.names)} ({', '.join(entry.arguments)})".removesuffix(
                    " ()"
                )
                formatter.write_text(head)
                with formatter.indentation():
                    formatter.write_text(f"{entry.summary}.")
    return formatter.getvalue().lstrip()
