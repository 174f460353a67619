"""Published times of passes: well-formed, and of networks that the zoo has."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from archcost.analysis import analyze
from archcost.ir import FLOATS
from archcost.published import files, speeds
from archcost.published.files import PublishedError
from archcost.published.speeds import (
    PublishedSpeed,
    SpeedNetwork,
    SpeedSource,
    folded_params,
    source_names,
    speed_source,
    speed_sources,
)
from archcost.sources import load
from archcost.sources.zoo import find

SOURCES = speed_sources()
SPEEDS = [speed for source in SOURCES for speed in source.speeds]
EVERY_SOURCE = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
# Source, and the number of rows that its tables or files have of the networks that are here.
ROWS = {
    "cnn-benchmarks": 69,
    "convnet-benchmarks": 6,
    "deep-learning-benchmark": 21,
    "ncnn": 6,
    "nvidia-resnet50": 36,
    "pytorch-gpu-benchmark": 150,
    "tflite": 20,
    "timm": 1132,
}


def test_every_source_has_its_rows() -> None:
    assert {source.name: len(source.speeds) for source in SOURCES} == ROWS
    assert source_names() == list(ROWS)


@EVERY_SOURCE
def test_what_a_source_says_of_its_networks_is_what_archcost_counts(source: SpeedSource) -> None:
    for network in source.networks.values():
        for statement in network.statements():
            assert statement.agrees, (network.printed_name, statement)


def test_most_networks_are_checked_so() -> None:
    """Of the others the source names the network, and prints no number of it."""
    unchecked = {s.source for s in SPEEDS if not s.network.said}
    assert unchecked == {
        *("cnn-benchmarks", "convnet-benchmarks", "deep-learning-benchmark"),
        *("nvidia-resnet50", "pytorch-gpu-benchmark"),
    }
    timm = speed_source("timm")
    for network in timm.networks.values():
        sides = {speed.side for speed in timm.speeds if speed.network == network}
        said = {side for quantity, _, side, _ in network.said if quantity == "macs"}
        assert sides == said, network.printed_name


@EVERY_SOURCE
def test_it_is_well_formed(source: SpeedSource) -> None:
    assert source.url.startswith("https://github.com/")
    assert len(source.measured) > 50
    assert all(len(why) > 5 for why in source.left_out.values())
    used = {speed.network.printed_name for speed in source.speeds}
    assert used == set(source.networks), "a network without a time"
    for network in source.networks.values():
        assert find(network.model).name == network.model, "the canonical name, not an alias"
    for run in source.runs:
        assert run.dtype in FLOATS
        assert run.place
        assert run.framework
        assert not run.date or len(run.date) == 10
    for speed in source.speeds:
        assert speed.seconds > 0
        assert speed.side > 31
        assert speed.batch > 0


@EVERY_SOURCE
def test_no_time_stands_twice(source: SpeedSource) -> None:
    rows = Counter((s.run, s.network.printed_name, s.side, s.batch) for s in source.speeds)
    assert [row for row, number in rows.items() if number > 1] == []


def test_throughput_falls_where_images_grow() -> None:
    """Of one network in one run: whoever swaps two rows is found."""
    series: dict[tuple[object, ...], list[PublishedSpeed]] = {}
    for speed in SPEEDS:
        series.setdefault((speed.source, speed.run, speed.network.printed_name), []).append(speed)
    several = [found for found in series.values() if len({s.side for s in found}) > 1]
    assert len(several) > 100
    for found in several:
        by_side = sorted(found, key=lambda speed: speed.side)
        rates = [speed.batch / speed.seconds for speed in by_side]
        assert rates == sorted(rates, reverse=True), by_side[0]


@pytest.mark.parametrize(
    ("name", "params"),
    # What benchmark/models/*.param of ncnn have, added up.
    [("mobilenet-v1", 4_221_032), ("resnet50", 25_530_472), ("vgg16", 138_357_544)],
)
def test_folded_parameters(name: str, params: int) -> None:
    assert folded_params(load(name)) == params


def test_the_graph_is_that_of_the_measurement() -> None:
    speed = next(s for s in SPEEDS if s.network.printed_name == "resnet50" and s.side == 288)
    graph = speed.graph
    assert graph.batch == speed.batch
    assert graph.inputs[0].shape[2:] == (288, 288)
    assert graph.dtype == speed.run.dtype
    # stride_in=3x3: the common form of ResNet-50, at 288 pixels
    macs = analyze(speed.network.graph(288)).totals.macs
    assert math.isclose(macs, 4_089_184_256 * (288 / 224) ** 2, rel_tol=0.001)


def test_a_source_that_is_not_there() -> None:
    with pytest.raises(PublishedError, match="did you mean 'timm'"):
        speed_source("tim")


def test_a_disagreement_is_found() -> None:
    said = SpeedNetwork("x", "lenet5", {}, (("params", "exact", None, _printed("61.0")),))
    (statement,) = said.statements()
    assert statement.computed == 60_000
    assert not statement.agrees


def _printed(text: str) -> speeds.Printed:
    return speeds.Printed(text, "k")


def test_a_broken_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "source: {title: x, url: y}\nmeasured: z\nnetworks: {}\nruns: [{place: p, rows: []}]\n"
    (tmp_path / "speeds").mkdir()
    (tmp_path / "speeds" / "broken.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(files, "__file__", str(tmp_path / "files.py"))
    speed_sources.cache_clear()
    with pytest.raises(PublishedError, match=r"broken\.yaml: .*device"):
        speed_sources()
    speed_sources.cache_clear()
