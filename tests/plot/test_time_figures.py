"""Figures of time: latency against the batch, and where the time of a pass goes."""

from __future__ import annotations

import json
from dataclasses import replace

import hostile
import pytest
from measured import measurement

import archcost
from archcost.analysis import Analysis
from archcost.hardware.device import DeviceError
from archcost.hardware.estimate import SATURATED, estimate, pass_memory
from archcost.hardware.files import find
from archcost.measure.records import LayerSeconds
from archcost.plot.figure import Bars, Figure, Line, Points, document
from archcost.plot.figures import latency_figure, model_figures, time_figure
from archcost.plot.matplotlib_backend import draw
from archcost.plot.matplotlib_style import tick
from archcost.plot.networks import PlotError
from archcost.plot.plotly_backend import spec
from archcost.plot.roofline import device_roof

DEVICE = find("gtx980")
SMALL = replace(DEVICE, name="small", memory=10**9)


def analysis(name: str) -> Analysis:
    return archcost.analyze(archcost.load(name))


def marks(figure: Figure, panel: int, kind: type) -> list:
    return [mark for mark in figure.panels[panel].marks if isinstance(mark, kind)]


# --- against the batch --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lenet5", "mobilenet-v1", "vgg16"])
def test_points_are_estimates(name: str) -> None:
    figure = latency_figure([analysis(name)], [SMALL])
    (rate,), (time,) = marks(figure, 0, Line), marks(figure, 1, Line)
    assert rate.x == time.x
    assert rate.x[:4] == (1, 2, 4, 8)
    for x, y, seconds in zip(rate.x, rate.y, time.y, strict=True):
        own = estimate(archcost.load(name, batch=int(x)), SMALL)
        assert (y, seconds) == (own.throughput, own.seconds)


def test_where_memory_ends_and_throughput_saturates() -> None:
    figure = latency_figure([analysis("resnet50")], [SMALL])
    (line,) = marks(figure, 0, Line)
    found = {points.name: points for points in marks(figure, 0, Points)}
    last = found["largest batch that fits"]
    assert last.x == (line.x[-1],)
    for batch, fits in ((last.x[0], True), (last.x[0] + 1, False)):
        graph = archcost.load("resnet50", batch=int(batch))
        assert (pass_memory(graph, SMALL).peak <= SMALL.memory) is fits
    saturated = found["90 % of the highest throughput"]
    at = line.x.index(saturated.x[0])
    assert line.y[at] >= SATURATED * max(line.y) > max(line.y[:at])
    assert f"{saturated.labels[0]}," in figure.alt
    assert "where memory ends" in figure.alt


def test_a_curve_for_each_network_on_each_device() -> None:
    networks = [analysis("lenet5"), analysis("simplenet")]
    other = find("v100")
    for these, devices, names in (
        (networks, [SMALL], ["LeNet-5", "SimpleNet"]),
        (networks[:1], [SMALL, other], ["small", other.name]),
        (networks, [SMALL, other], None),
    ):
        lines = marks(latency_figure(these, devices), 0, Line)
        assert len(lines) == len(these) * len(devices) == len({line.name for line in lines})
        assert names in (None, [line.name for line in lines])
        assert len({(line.color, line.dash, line.marker) for line in lines}) == len(lines)


def test_where_no_sample_fits() -> None:
    tiny = replace(DEVICE, name="tiny", memory=10**7)
    with pytest.raises(
        PlotError, match=r"VGG-16: not even one sample fits the 10.00 MB \(9.54 MiB\) of tiny"
    ):
        latency_figure([analysis("vgg16")], [tiny])
    figure = latency_figure([analysis("vgg16"), analysis("lenet5")], [tiny])
    assert [line.name for line in marks(figure, 0, Line)] == ["LeNet-5"]
    assert any("VGG-16: not even one sample" in note for note in figure.notes)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(PlotError, match="needs a device"):
        latency_figure([analysis("lenet5")], [])
    with pytest.raises(PlotError, match="too many curves"):
        latency_figure([analysis("lenet5")] * 3, [DEVICE] * 3)
    with pytest.raises(DeviceError):
        latency_figure([archcost.analyze(archcost.load("lenet5", dtype="bf16"))], [DEVICE])


# --- where it goes ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lenet5", "mobilenet-v1", "densenet121"])
def test_bars_add_up(name: str) -> None:
    own = estimate(archcost.load(name, batch=4), DEVICE)
    figure = time_figure(own)
    bars = marks(figure, 0, Bars)
    assert sum(sum(bar.values) for bar in bars) == pytest.approx(sum(own.bounds))
    for bar, seconds in ((bar, getattr(own.bounds, bar.name.split()[-1])) for bar in bars):
        assert sum(bar.values) == pytest.approx(seconds)
    layers = marks(figure, 1, Bars)
    shown = sorted((value for bar in layers for value in bar.values), reverse=True)
    times = sorted((layer.seconds for layer in own.layers), reverse=True)
    assert shown == pytest.approx(times[: len(shown)])
    names = figure.panels[1].y.categories
    assert set(names) <= {node.name for node in own.graph.nodes}


def test_bounds_differ_in_colour_and_where_grey_in_pattern() -> None:
    own = estimate(archcost.load("mobilenet-v1", batch=16), DEVICE)
    looks = {bar.name: (bar.color, bar.hatch) for bar in marks(time_figure(own), 0, Bars)}
    assert len(set(looks.values())) == len(looks)
    assert all((color == "muted") == bool(hatch) for color, hatch in looks.values())


def test_measured_beside_estimated() -> None:
    graph = archcost.load("lenet5")
    times = [1e-5 * place for place in range(1, len(graph.nodes) + 1)]
    own = dict(zip((node.name for node in graph.nodes), times, strict=True))
    figure = time_figure(estimate(graph, DEVICE), measurement(graph, 0.01, layers=times))
    (kinds,), (layers,) = (marks(figure, panel, Points) for panel in (0, 1))
    assert layers.name == kinds.name == "measured on cpu, 2 threads"
    names = figure.panels[1].y.categories
    assert {names[round(y)]: x for x, y in zip(layers.x, layers.y, strict=True)} == {
        name: own[name] for name in names
    }
    taking = {layer.node.name for layer in estimate(graph, DEVICE).layers if layer.seconds}
    whole = sum(seconds for name, seconds in own.items() if name in taking)
    assert sum(kinds.x) == pytest.approx(whole)
    assert any("10.0 ms for the whole pass" in note for note in figure.notes)
    assert figure.panels[1].x.high > max(layers.x)


def test_too_large_for_the_device_is_said() -> None:
    tiny = replace(DEVICE, name="tiny", memory=10**7)
    figure = time_figure(estimate(archcost.load("vgg16"), tiny))
    assert any("more than the 10.00 MB (9.54 MiB) of tiny" in note for note in figure.notes)


def test_figures_of_a_page() -> None:
    found = analysis("lenet5")
    keys = [figure.key for figure in model_figures(found)]
    on = model_figures(found, estimate(found.graph, DEVICE))
    assert [figure.key for figure in on] == [*keys, "time"]
    (roof,) = [figure for figure in on if figure.key == "intensity"]
    assert roof.title.endswith(f"on {DEVICE.name}")


def test_the_roof_is_the_dtypes() -> None:
    networks = [analysis("lenet5"), analysis("simplenet")]
    assert device_roof(networks, DEVICE) == (DEVICE.peak["fp32"], DEVICE.bandwidth)
    other = archcost.analyze(archcost.load("lenet5", dtype="bf16"))
    with pytest.raises(DeviceError, match=f"{DEVICE.name} has no peak for bf16"):
        device_roof([other], DEVICE)
    with pytest.raises(PlotError, match="one dtype"):
        device_roof([other, *networks], DEVICE)


# --- drawn --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["svg", "png", "pdf"])
def test_they_can_be_drawn(format_: str) -> None:
    graph = archcost.load("lenet5")
    record = measurement(graph, layers=[1e-5] * len(graph.nodes))
    for figure in (
        latency_figure([analysis("lenet5")], [DEVICE, SMALL]),
        time_figure(estimate(graph, DEVICE), record),
    ):
        assert draw(figure, format_)
        assert spec(figure)["data"]


@pytest.mark.parametrize("what", hostile.STRINGS)
def test_names_are_text(what: str) -> None:
    """tests/plot/test_matplotlib_backend.py proves how such texts are drawn."""
    name = hostile.STRINGS[what]
    graph, device = hostile.network(name), replace(DEVICE, name=name)
    lenet = archcost.load("lenet5")
    record = measurement(lenet, layers=[1e-5] * len(lenet.nodes), device=name)
    layers = [LayerSeconds(node.name, node.op.kind, 1e-5, 1e-5, 1e-5) for node in graph.nodes]
    for figure in (
        time_figure(estimate(graph, device), replace(record, layers=tuple(layers))),
        latency_figure([archcost.analyze(hostile.motley((name,), name))], [device]),
    ):
        assert hostile.harmless(json.dumps(document(figure), ensure_ascii=False))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2e-6, "2 µs"), (5e-4, "500 µs"), (0.001, "1 ms"), (1.5, "1.5 s"), (2e-9, "2 ns")],
)
def test_ticks_of_times(value: float, text: str) -> None:
    assert tick(value, "seconds") == text
