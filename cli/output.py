"""Where results go: standard output, as wide as the terminal is, or a file."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from archcost.report import ModelReport, Table


def chosen_format(formats: Sequence[str], format_: str | None, output: str | None) -> str:
    """What was asked for, else what FILE's ending says, else the first of ``formats``."""
    from archcost.report import FORMATS

    if format_ is not None:
        return format_
    endings = {FORMATS[name]: name for name in formats}
    return endings.get(Path(output or "").suffix.lower(), formats[0])


def show(thing: ModelReport | Table, format_: str, output: str | None, **options: Any) -> None:
    """Write a report or table in the format ``format_``, whose own ``options`` these are."""
    from archcost.report import Table, render

    if format_ == "table" and output in (None, "-"):
        from archcost.report.terminal import ReportView, TableView

        to_terminal(TableView(thing) if isinstance(thing, Table) else ReportView(thing))
    else:
        write(render(thing, format_, **options), output)


def write(text: str, output: str | None = None) -> None:
    """Write ``text`` to the file ``output``, or to standard output."""
    if output in (None, "-"):
        _to_stdout(lambda: click.echo(text, nl=False))
    else:
        from archcost.report import write_atomically

        write_atomically(output, text)


def to_terminal(view: RenderableType) -> None:
    """Print to standard output as wide as it is: 80 columns where that is no terminal.

    Colours are rich's business: none where NO_COLOR is set or nobody looks.
    """
    from rich.console import Console

    from archcost.report.terminal import DEFAULT_WIDTH

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with status 1, which is an answer

    # Without this rich would ask the terminal behind stdin or stderr for its width.
    blind = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Patient(file=sys.stdout, width=DEFAULT_WIDTH if blind else None)
    _to_stdout(lambda: console.print(view))


def _to_stdout(action: Callable[[], object]) -> None:
    from archcost.report import OutputError

    # A letter that the terminal's encoding lacks becomes a question mark, not a failure.
    with suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        action()
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write to standard output: {error.strerror}") from None
