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


def refused(*arguments: str, **options: object) -> str:
    """What a command that was asked for something wrong said, all of it on stderr."""
    result = call(*arguments, **options)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def completed(words: str) -> set[str]:
    """What bash offers behind ``words``."""
    environment = {
        "_ARCHCOST_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    return {line.partition(",")[2] for line in call(env=environment).stdout.splitlines()}
