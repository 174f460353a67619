"""The public API, as the README and docs/python.md show it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import archcost


def test_the_readme_example() -> None:
    graph = archcost.load("simplenet")
    result = archcost.analyze(graph)
    assert result.totals.params == 5_493_258
    assert result.totals.buffers == 3_968
    assert result.totals.macs == 652_151_296
    assert result.layers[0].params == 64 * (3 * 3 * 3 + 1)


def test_an_analysis_shows_itself() -> None:
    result = archcost.analyze(archcost.load("simplenet-310k"))
    file = io.StringIO()
    Console(file=file, width=80).print(result)
    shown = file.getvalue()
    assert f"{result.totals.params:,}" in shown
    assert "conv1" in shown
    assert max(map(len, shown.splitlines())) <= 80
    html = result._repr_html_()
    assert html is not None
    assert "<table" in html
    assert f"{result.totals.params:,}" in html
    assert "311594 params" in repr(result)


def test_every_public_name_is_there() -> None:
    for name in archcost.__all__:
        assert getattr(archcost, name) is not None
    assert sorted(dir(archcost)) == sorted(archcost.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = archcost.nothing


def test_zoo_names() -> None:
    assert {"simplenet", "resnet50", "lenet5"} <= set(archcost.zoo_names())
