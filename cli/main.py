"""The command group: which commands there are, and how a command ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from .options import Group

# A command NAME is the object `command` in the module beside this one that has its name; a module
# is imported when its command is used.
COMMANDS: Final = ("report", "zoo", "operators", "completion")

REFUSED: Final = 2
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141


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
            sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            _closed()
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        from archcost.ir import ArchcostError

        try:
            return super().invoke(ctx)
        except ArchcostError as error:
            _refuse(str(error))
        except BrokenPipeError:
            _closed()


def _refuse(message: str) -> NoReturn:
    from archcost.report.format import visible

    # Messages quote files and arguments; a line break within one is kept, a control is not.
    lines = [visible(line) for line in message.splitlines()]
    click.echo(f"archcost: error: {chr(10).join(lines)}", err=True)
    sys.exit(REFUSED)


def _closed() -> NoReturn:
    """Whoever read our output has gone, ``head`` for one: end quietly."""
    # Python flushes stdout once more at exit; let that go nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(PIPE_CLOSED)


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

    MODEL is a network of the zoo (archcost zoo list) or the path of a spec.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
