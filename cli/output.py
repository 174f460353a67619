"""Where results go: standard output, as wide as the terminal is, or a file."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import RenderableType

    from archcost.page import About
    from archcost.report import Document, ModelReport, Table

T = TypeVar("T")

NARROWEST = 20
DEFAULT_HEIGHT = 25
ALSO: Final = {".htm": ".html", ".markdown": ".md"}
"""Endings of files that mean the same as that of a format."""
PICTURES: Final = (".svg", ".png", ".pdf")
"""Endings that no table has: text in such a file would be a broken picture."""
PLAIN: Final = "archcost.plain"
IN_ASCII: Final = {"µ": "u", "–": "-"}
"""Letters without which a text reads otherwise: ``3 ?s`` could be any time."""
ARGUMENTS = "archcost.arguments"
"""Under this key the context has the command line, as a list of words."""


def tell(kind: str, message: str) -> None:
    """Say ``message``, an ``error`` or ``warning``, on standard error."""
    from archcost.report.format import visible

    # Messages quote files and arguments; a line break within one is kept, a control is not.
    lines = [visible(line) for line in message.splitlines()]
    click.echo(f"archcost: {kind}: {chr(10).join(lines)}", err=True)


def spare_the_model(model: str, output: str | None) -> None:
    """Refuse to write a result over the very file that the model is read from."""
    if output in (None, "-"):
        return
    head = model.rpartition(":")[0]
    module = head.replace(".", os.sep)  # package.module:factory
    for path in (model, head, f"{module}.py", os.path.join(module, "__init__.py")):  # noqa: PTH118
        with suppress(OSError, ValueError):
            if path and Path(path).samefile(output):
                raise click.UsageError(f"-o {output!r:.300} would overwrite the model itself")


def chosen_format(formats: Sequence[str], format_: str | None, output: str | None) -> str:
    """What was asked for, else what FILE's ending says, else the first of ``formats``."""
    from archcost.report import FORMATS

    if format_ == "html":
        refuse_a_terminal("a page", output)
    if format_ is not None:
        return format_
    ending = Path(output or "").suffix.lower()
    ending = ALSO.get(ending, ending)
    if ending in PICTURES:
        raise click.UsageError(
            f"{output!r:.300} would be a picture, which archcost diagram and archcost plot draw; "
            f"this writes {', '.join(formats)} (--format NAME writes one of these whatever FILE's "
            "ending)"
        )
    for name, its in FORMATS.items():
        if its == ending:
            if name not in formats:
                raise click.UsageError(
                    f"{output!r:.300} would be {name}; this writes {', '.join(formats)} "
                    "(--format NAME writes one of these whatever FILE's ending)"
                )
            return name
    return formats[0]


def refuse_a_closed_folder(*paths: str | None) -> None:
    """Refuse files that cannot be written, before what goes there takes minutes to make."""
    for path in paths:
        if path in (None, "-"):
            continue
        folder = Path(str(path)).absolute().parent
        if not folder.is_dir():
            raise click.UsageError(f"cannot write {path!r:.300}: there is no such folder")
        if not os.access(folder, os.W_OK):
            raise click.UsageError(f"cannot write {path!r:.300}: its folder is read-only")


def refuse_a_terminal(what: str, output: str | None) -> None:
    """Refuse to write ``what`` (``a PNG``) where people would have to read it."""
    if output in (None, "-") and sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError(f"{what} is no text for a terminal: -o FILE writes it")


def show(
    thing: ModelReport | Document | Table, format_: str, output: str | None, **options: Any
) -> None:
    """Write a report, document or table in the format ``format_``, with its own ``options``.

    ``html`` is a page, with the options of that kind of page.
    """
    from archcost.report import render

    if format_ == "html":
        write(page(thing, **options), output)
    elif format_ == "table" and output in (None, "-"):
        from archcost.report.terminal import view

        to_terminal(view(thing))
    else:
        write(render(thing, format_, **options), output)


def page(thing: ModelReport | Document | Table, **options: Any) -> str:
    """The page that shows ``thing``; what is left out of it is said as a warning."""
    from archcost.report import Document, Table

    if isinstance(thing, Table | Document):
        from archcost.page import table_page

        return table_page(thing, about(), **options)
    from archcost.page import report_page

    return report_page(thing, about(), warn=lambda text: tell("warning", text), **options)


def about() -> About:
    """What a page says of how it was made: the same wherever and however it was written."""
    import shlex

    from archcost import __version__
    from archcost.page import About

    given = iter(click.get_current_context().meta.get(ARGUMENTS, ()))
    words = []
    for word in given:
        if word in ("-o", "--output", "--format"):
            next(given, None)
        elif not word.startswith(("-o", "--output=", "--format=")):
            # Of a path that only this machine knows the name says enough.
            words.append(Path(word).name if Path(word).is_absolute() else word)
    return About(shlex.join(["archcost", *words, "--format", "html"]), __version__)


def progress(
    things: Iterable[T], what: str, total: int | None = None, *, still: bool = False
) -> Iterable[T]:
    """``things``, one after the other, with a bar on standard error where that is a terminal.

    ``total`` says how many there are where they do not know it themselves. A ``still`` bar is drawn
    between them only: no thread of it runs beside what is being timed.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return things
    from rich.console import Console
    from rich.progress import track

    return track(
        things,
        what,
        total,
        console=Console(stderr=True),
        transient=True,
        auto_refresh=not still,
    )


def write(content: str | bytes, output: str | None = None) -> None:
    """Write ``content`` to the file ``output``, or to standard output."""
    if output in (None, "-"):
        _to_stdout(lambda: click.echo(content, nl=False))
    else:
        from archcost.report import write_atomically

        write_atomically(output, content)


def to_terminal(view: RenderableType) -> None:
    """Print to standard output as wide as it is: 80 columns where that is no terminal.

    Colours are rich's business: none where NO_COLOR is set or nobody looks.
    """
    from rich.console import Console

    from archcost.report.terminal import DEFAULT_WIDTH

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with status 1, which is an answer

    def show() -> None:
        # rich itself would believe COLUMNS=0, ask the terminal behind stdin or stderr for its
        # width, and take 80 where TERM is dumb and no height is given.
        width, height = DEFAULT_WIDTH, DEFAULT_HEIGHT
        if sys.stdout.isatty() or "COLUMNS" in os.environ:
            import shutil  # it brings three libraries of compression

            columns, height = shutil.get_terminal_size((width, height))
            width = max(columns, NARROWEST)
        Patient(file=sys.stdout, width=width, height=height).print(view)

    _to_stdout(show)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for letters that an encoding lacks."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(IN_ASCII.get(letter, "?") for letter in lacking), error.end


def _to_stdout(action: Callable[[], object]) -> None:
    from archcost.report import OutputError

    if sys.stdout is None:
        raise OutputError("cannot write to standard output: it is closed")
    # A letter that the terminal's encoding lacks becomes a question mark, not a failure.
    with suppress(AttributeError, ValueError):
        codecs.register_error(PLAIN, _plain)
        sys.stdout.reconfigure(errors=PLAIN)  # type: ignore[union-attr]
    try:
        action()
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write to standard output: {error.strerror}") from None
