"""Calling the command line in tests."""

from __future__ import annotations

from click.testing import CliRunner, Result

from archcost.cli.main import main


def call(*arguments: str, **options: object) -> Result:
    """What a command did."""
    return CliRunner().invoke(main, list(arguments), **options)


def ok(*arguments: str, **options: object) -> str:
    """What a command that succeeds without a word on stderr printed."""
    result = call(*arguments, **options)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout
