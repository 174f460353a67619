"""The neutral model of a figure."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import hostile
import pytest

from archcost.plot import figure as module
from archcost.plot.figure import (
    MOST_TEXT,
    Axis,
    Bars,
    Figure,
    Line,
    Note,
    Panel,
    Points,
    document,
    shortened,
)

DOCS = Path(__file__).parents[2] / "docs" / "plot.md"


def figure(text: str = "x") -> Figure:
    x, y = Axis(text), Axis(text, "category", categories=(text, text))
    marks = (
        Points(text, (1, 2), (3, 4), labels=(text, text), hover=((text,), (text,))),
        Line(text, (1, 2), (3, 4), end=text),
        Line("another", (1, 2), (3, 4)),
        Bars(text, (0,), (0,), (1,), labels=(text,)),
        Note(1, 2, text),
    )
    return Figure("key", text, (Panel(x, y, marks, text),), text, text, (text,))


def texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if dataclasses.is_dataclass(value):
        return [t for f in dataclasses.fields(value) for t in texts(getattr(value, f.name))]
    return [t for one in value for t in texts(one)] if isinstance(value, tuple) else []


@pytest.mark.parametrize("name", hostile.STRINGS)
def test_every_text_can_be_shown(name: str) -> None:
    for text in texts(figure(hostile.STRINGS[name])):
        assert hostile.harmless(text)
        assert "\n" not in text
        assert len(text) <= MOST_TEXT


@pytest.mark.parametrize("most", [5, 20, 36, 37])
def test_shortened_keeps_both_ends(most: int) -> None:
    text = "".join(map(chr, range(0x21, 0x7F)))
    short = shortened(text, most)
    head, tail = short.split("…")
    assert len(short) == most
    assert text.startswith(head)
    assert text.endswith(tail)
    assert shortened(text[:most], most) == text[:most]
    assert len(shortened("\x1b" * 10_000, most)) == most


def test_marks_do_not_pile_up() -> None:
    assert shortened("e" + "\u0301" * 50) == "e" + "\u0301" * 3
    assert shortened("Việt Nam, שָׁלוֹם") == "Việt Nam, שָׁלוֹם"


def test_the_legend_has_each_name_once() -> None:
    assert [mark.name for mark in figure().legend()] == ["x", "another"]
    assert isinstance(figure().legend()[0], Points)


def test_the_document_holds_everything() -> None:
    data = json.loads(json.dumps(document(figure())))
    assert data["schema"] == module.SCHEMA
    marks = data["panels"][0]["marks"]
    assert [mark["mark"] for mark in marks] == ["points", "line", "line", "bars", "note"]
    assert marks[0]["x"] == [1, 2]
    assert data["panels"][0]["y"]["categories"] == ["x", "x"]


@pytest.mark.skipif(not DOCS.exists(), reason="the documents are not part of an installation")
@pytest.mark.parametrize(
    "cls", [Figure, Panel, Axis, Points, Line, Bars, Note, module.Sizes], ids=lambda c: c.__name__
)
def test_the_document_is_documented(cls: type) -> None:
    told = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    assert {field.name for field in dataclasses.fields(cls)} <= told
