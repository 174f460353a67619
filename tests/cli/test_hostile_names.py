"""Whatever a network is called, no command lets the name reach a terminal as more than letters."""

from __future__ import annotations

import hostile
import pytest
from command_line import call

COMMANDS = {
    "report": ("report", "FILE"),
    "report by layer": ("report", "FILE", "--by", "layer"),
    "report markdown": ("report", "FILE", "--format", "markdown"),
    "conventions": ("conventions", "FILE"),
    "compare": ("compare", "FILE", "lenet5"),
    "compare csv": ("compare", "FILE", "lenet5", "--format", "csv"),
    "compare layers": ("compare", "FILE", "lenet5", "--layers"),
    "export": ("export", "FILE", "--to", "json"),
    "diagram": ("diagram", "FILE"),
    "mermaid": ("diagram", "FILE", "--level", "block", "--format", "mermaid"),
    "plot": ("plot", "depth", "FILE", "--format", "json"),
    "estimate": ("estimate", "FILE", "--device", "rtx-3090", "--by", "layer", "--curve"),
    "estimate devices": ("estimate", "FILE", "--device", "rtx-3090", "--device", "v100"),
}
QUESTIONS = {
    "report": ("report", "NAME"),
    "zoo show": ("zoo", "show", "NAME"),
    "zoo list": ("zoo", "list", "--family", "lenet", "--search", "NAME"),
    "family": ("zoo", "list", "--family", "NAME"),
    "compare": ("compare", "lenet5", "NAME"),
    "compare family": ("compare", "--family", "NAME"),
    "reference": ("compare", "lenet5", "vgg16", "--reference", "NAME"),
    "columns": ("compare", "lenet5", "--columns", "NAME"),
    "sort": ("report", "lenet5", "--sort", "NAME"),
    "set": ("report", "lenet5", "--set", "NAME"),
    "value": ("report", "lenet5", "--set", "classes=NAME"),
    "convention": ("conventions", "lenet5", "--convention", "NAME"),
    "reproduce": ("reproduce", "NAME"),
    "diagram": ("diagram", "NAME"),
    "unfold": ("diagram", "resnet18", "--unfold", "NAME"),
    "plot": ("plot", "depth", "NAME", "-o", "x.svg"),
    "estimate": ("estimate", "NAME", "--device", "rtx-3090"),
    "estimate device": ("estimate", "lenet5", "--device", "NAME"),
    "estimate sort": ("estimate", "lenet5", "--device", "rtx-3090", "--sort", "NAME"),
    "batches": ("estimate", "lenet5", "--device", "rtx-3090", "--batches", "NAME"),
    "plot accuracy": ("plot", "accuracy", "lenet5", "--dataset", "NAME", "-o", "x.svg"),
    "folder": ("zoo", "--format", "html", "--family", "lenet", "-o", "nowhere/NAME"),
    "option": ("report", "lenet5", "--NAME"),
    "command": ("NAME",),
    "file": ("report", "lenet5", "-o", "nowhere/NAME"),
}


def done(arguments):
    """What a command wrote: it is done, or was refused in one message; never a traceback."""
    result = call(*arguments)
    if result.exit_code not in (0, 1, 2) or (
        result.exception and not isinstance(result.exception, SystemExit)
    ):
        raise AssertionError(arguments) from result.exception
    return result


def shown(names, call_with):
    """The names for which something is written that does more than be read."""
    return [what for what, name in names.items() if not hostile.harmless(call_with(name))]


@pytest.mark.parametrize("kind", hostile.WRITERS)
@pytest.mark.parametrize("command", COMMANDS)
def test_names_in_a_file(tmp_path, command, kind):
    def output(name):
        path = str(hostile.WRITERS[kind](tmp_path, name))
        result = done([path if part == "FILE" else part for part in COMMANDS[command]])
        assert result.exit_code == 0 or "net." in result.stderr, name
        return result.stdout.replace("\t", "") + result.stderr  # DOT is indented with tabs

    assert not shown(hostile.STRINGS, output)


@pytest.mark.parametrize("question", QUESTIONS)
def test_names_as_arguments(question, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def output(name):
        result = done([part.replace("NAME", name) for part in QUESTIONS[question]])
        return result.stdout + result.stderr

    # A process has no argument with a NUL or a surrogate that is no byte.
    names = {what: name[:2000] for what, name in hostile.STRINGS.items() if "\0" not in name}
    names["surrogate"] = "a\udc80b"
    assert not shown(names, output)
