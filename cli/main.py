"""The command group: which commands there are, and how a command ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn, TextIO

import click

from .options import Group
from .output import ARGUMENTS, tell

# A command NAME is the object `command` in the module beside this one that has its name; a module
# is imported when its command is used.
COMMANDS: Final = (
    *("report", "compare", "diagram", "plot", "estimate", "measure"),
    *("calibrate", "validate", "speeds", "devices", "conventions", "reproduce"),
    *("export", "zoo", "operators", "completion"),
)

REFUSED: Final = 2
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
DISK_FAULTS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Main(Group):
    """The top group: loads commands on demand, and is the only place that ends the process."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "archcost",
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; exit 0: done, 1: the answer is "no", 2: the request was wrong."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            status = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            if sys.stdout is not None:  # None where it was closed before we began
                sys.stdout.flush()
        except click.ClickException as error:
            _refuse(_message(error))
        except (click.Abort, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            _closed()
        except OSError as error:  # click's own output, help for one
            if error.errno not in DISK_FAULTS:
                raise
            _discard(sys.stdout)
            _refuse(f"cannot write to standard output: {error.strerror}")
        sys.exit(status if isinstance(status, int) else 0)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        words = list(args)  # parsing uses them up
        ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta[ARGUMENTS] = words
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        from archcost.ir import ArchcostError

        try:
            return super().invoke(ctx)
        except ArchcostError as error:
            _refuse(str(error))
        except BrokenPipeError:
            _closed()


def _message(error: click.ClickException) -> str:
    """Click's message in the form of ours: one line, and which help says more."""
    text = error.format_message().removesuffix(".")
    context = getattr(error, "ctx", None)
    return text if context is None else f"{text} ({context.command_path} --help says more)"


def _refuse(message: str) -> NoReturn:
    try:
        tell("error", message)
    except OSError:  # nowhere to say it; the status still does
        _discard(sys.stderr)
    sys.exit(REFUSED)


def _closed() -> NoReturn:
    """Whoever read our output has gone, ``head`` for one: end quietly."""
    _discard(sys.stdout)
    sys.exit(PIPE_CLOSED)


def _discard(stream: TextIO | None) -> None:
    """Python flushes its streams once more at exit; let that of ``stream`` go nowhere."""
    with suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from archcost import __version__

        click.echo(f"archcost {__version__}")
        ctx.exit()


@click.command(
    "archcost",
    cls=Main,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    no_args_is_help=False,
    invoke_without_command=True,
    epilog="""\b
Examples:
  archcost report simplenet
  archcost report resnet50 --input 3x288x288 --by stage
  archcost report model.onnx
  archcost report simplenet -o simplenet.html
  archcost compare simplenet vgg16 --reference vgg16
  archcost diagram resnet50 -o resnet50.svg
  archcost plot depth simplenet vgg16 -o depth.pdf
  archcost estimate mobilenet-v1 --device rtx3090 --batch 64
  archcost measure mobilenet-v1 --batch 1,8
  archcost conventions resnet50
  archcost reproduce simplenet/appendix
  archcost export simplenet --to torch -o simplenet.py
  archcost zoo list

Every command has its own --help. Exit status: 0 done, 1 the answer is "no", 2
the request was wrong.
""",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """What a neural-network architecture costs, before anybody trains it.

    MODEL is a network of the zoo (archcost zoo list), a file (a spec in YAML,
    ONNX, a Caffe prototxt, a graph in JSON), or names a PyTorch model or what
    makes one: package.module:factory, file.py:Net.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
