"""Commands in terminals of several widths, without colours, and where there is no terminal."""

from __future__ import annotations

import io
import json
import re
import sys
from subprocess import CalledProcessError

import pytest
from command_line import ok
from recording import COLOUR, COMMANDS, COMPARED, WIDTHS, in_terminal, kept, piped
from rich.cells import cell_len

from archcost.cli.output import to_terminal

EVERY = pytest.mark.parametrize("name", COMMANDS)


def names(command):
    """The networks, blocks or layers that the output is about."""
    if command == "compare":
        return COMPARED
    document = json.loads(ok(*COMMANDS[command], "--format", "json"))
    if command == "layers":
        return [row["left"]["name"] for row in document["layers"] if row["changes"]]
    rows = document["groups"]["rows"] if command == "report" else document
    return [row["name"] for row in rows]


@EVERY
@pytest.mark.parametrize("columns", WIDTHS)
def test_a_terminal(name, columns):
    """Colours change nothing but colours, no line is wider than the terminal, no name is lost."""
    arguments = COMMANDS[name]
    coloured = in_terminal(arguments, columns)
    bare = in_terminal(arguments, columns, NO_COLOR="1")
    assert COLOUR.search(coloured)
    assert set(re.findall(r"\x1b\[([\d;]*)m", bare)) <= {"0", "1", "2", "1;2"}  # no colour
    plain = COLOUR.sub("", coloured)
    assert "\x1b" not in plain
    assert COLOUR.sub("", bare) == plain
    lines = plain.splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert piped(arguments, COLUMNS=str(columns)) == plain
    assert {*names(name)} <= {*plain.split()}


@EVERY
def test_no_terminal(name):
    """80 columns, and no colour unless it is asked for."""
    text = piped(COMMANDS[name])
    assert "\x1b" not in text
    assert text == piped(COMMANDS[name], COLUMNS="80")


@EVERY
@pytest.mark.parametrize("columns", WIDTHS)
def test_recordings_are_of_today(name, columns):
    """Made anew by `make docs`; that the numbers are right is for other tests to say."""
    recorded = kept(name, columns).read_text(encoding="utf-8")
    assert recorded == piped(COMMANDS[name], COLUMNS=str(columns))


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "lenet5", "--format", "html"),
        ("compare", "lenet5", "simplenet", "--format", "html"),
        ("diagram", "lenet5", "--format", "png"),
        ("plot", "depth", "lenet5", "--format", "pdf"),
    ],
    ids=" ".join,
)
def test_what_is_no_text_is_not_written_to_a_terminal(arguments):
    with pytest.raises(CalledProcessError) as refused:
        in_terminal(arguments, 80)
    assert refused.value.returncode == 2
    assert refused.value.output == ""


def test_microseconds_where_there_is_no_such_letter(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    to_terminal("3.00 \N{MICRO SIGN}s \N{MULTIPLICATION SIGN}")
    assert output.buffer.getvalue() == b"3.00 us ?\n"
