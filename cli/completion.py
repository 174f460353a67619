"""``archcost completion``."""

from __future__ import annotations

import click

from .options import Choice
from .output import write


@click.command(
    "completion",
    epilog="""\b
Examples:
  eval "$(archcost completion bash)"                        # in ~/.bashrc
  eval "$(archcost completion zsh)"                         # in ~/.zshrc
  archcost completion fish > ~/.config/fish/completions/archcost.fish
""",
)
@click.argument("shell", type=Choice(("bash", "zsh", "fish")), metavar="{bash|zsh|fish}")
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands in a shell.

    It completes commands, options and the names of networks, conventions and
    printed tables.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root()
    # The name that the user types, not the path of a script.
    write(kind(root.command, {}, "archcost", "_ARCHCOST_COMPLETE").source() + "\n")
