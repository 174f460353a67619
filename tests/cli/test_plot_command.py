"""``archcost plot``."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import click
import hostile
import pytest
from command_line import call, ok
from measured import measurement

import archcost
from archcost.cli import plot
from archcost.hardware.files import find
from archcost.measure.records import append
from archcost.plot.figure import SCHEMA
from archcost.plot.networks import QUANTITIES
from archcost.plot.scatter import AXES

BEGINNINGS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-", "html": b"<!", "json": b"{"}
FIGURES = {
    "accuracy": ("--dataset", "MNIST"),
    "costs": ("lenet5", "simplenet"),
    "depth": ("lenet5",),
    "cumulative": ("lenet5",),
    "kinds": ("lenet5",),
    "totals": ("lenet5", "simplenet"),
    "intensity": ("lenet5", "--peak-flops", "10T", "--bandwidth", "100G"),
    "latency": ("lenet5", "--device", "rtx3090"),
    "time": ("lenet5", "--device", "rtx3090"),
    "memory": ("lenet5",),
}


def data(*arguments: str) -> dict:
    return json.loads(ok("plot", *arguments, "--format", "json"))


def refused(*arguments: str) -> str:
    result = call("plot", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def test_every_figure_is_tried() -> None:
    assert isinstance(plot.command, click.Group)
    assert list(plot.command.commands) == list(FIGURES)


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure(figure: str) -> None:
    found = data(figure, *FIGURES[figure])
    assert found["schema"] == SCHEMA
    assert found["key"] == figure
    svg = ok("plot", figure, *FIGURES[figure])
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert f">{found['title']}<" in svg.replace("&gt;", ">")


@pytest.mark.parametrize("format_", BEGINNINGS)
def test_formats(format_: str, tmp_path: Path) -> None:
    path = tmp_path / f"figure.{format_}"
    assert ok("plot", "kinds", "lenet5", "-o", str(path)) == ""
    content = path.read_bytes()
    assert content.startswith(BEGINNINGS[format_])
    other = tmp_path / "figure"
    assert ok("plot", "kinds", "lenet5", "-o", str(other), "--format", format_) == ""
    assert other.read_bytes() == content


def test_a_terminal_gets_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = plot.Drawing(None, None, None, None, None, None)
    assert drawing.chosen_format() == "svg"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(click.UsageError, match="-o FILE"):
        drawing.chosen_format()
    assert drawing._replace(format_="json").chosen_format() == "json"
    assert drawing._replace(output="x.png").chosen_format() == "png"


def test_model_options() -> None:
    found = data("totals", "lenet5", "--batch", "4")
    macs = found["panels"][1]["marks"][0]["values"]
    assert macs == [4 * archcost.analyze(archcost.load("lenet5")).totals.macs]
    assert "4x1x32x32" in found["subtitle"]


def test_which_networks() -> None:
    found = data("costs", "simplenet*", "--dataset", "CIFAR-100")
    labels = [label for mark in found["panels"][0]["marks"] for label in mark["labels"]]
    assert labels
    assert all("CIFAR-100" in label for label in labels)
    few = data("accuracy", "vgg*", "--family", "resnet", "--dataset", "imagenet:top5")
    names = {mark["name"] for mark in few["panels"][0]["marks"]}
    assert {"vgg", "resnet"} <= names
    assert not names & {"mobilenet", "simplenet"}


def test_quantities_and_scales() -> None:
    found = data("depth", "lenet5", "vgg16", "--quantity", "traffic", "--linear")
    (panel,) = found["panels"]
    assert panel["y"]["kind"] == "bytes"
    assert not panel["y"]["log"]
    assert data("depth", "lenet5", "--quantity", "macs", "--log")["panels"][0]["y"]["log"]


def test_title_theme_and_size() -> None:
    title = "A <b> & $x$"
    found = ok("plot", "kinds", "lenet5", "--title", title, "--theme", "dark", "--width", "5")
    root = ElementTree.fromstring(found)
    assert root.get("width") == "360pt"
    assert title in {element.text for element in root.iter()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10T", 1e13),
        ("1.5e12", 1.5e12),
        ("312 TFLOP/s", 312e12),
        ("19.5tflops", 19.5e12),
        ("900GB/s", 9e11),
        ("7", 7.0),
    ],
)
def test_rates(text: str, value: float) -> None:
    assert plot.RateType().convert(text, None, None) == pytest.approx(value)


def test_the_roof_of_a_device() -> None:
    device = find("v100")
    for dtype in ("fp32", "fp16"):
        found = data("intensity", "lenet5", "--device", "v100", "--dtype", dtype)
        assert found["title"] == f"Roofline: LeNet-5 on {device.name}"
        roof = found["panels"][0]["marks"][0]
        assert roof["y"][-1] == device.peak[dtype]
        assert roof["y"][1] / roof["x"][1] == pytest.approx(device.bandwidth)


def test_measured_layers_beside_the_estimated(tmp_path: Path) -> None:
    graph = archcost.load("lenet5")
    path = tmp_path / "passes.jsonl"
    times = [0.001 * place for place in range(1, len(graph.nodes) + 1)]
    append(path, measurement(graph, sum(times), layers=times))
    arguments = ("time", "lenet5", "--device", "rtx3090")
    panel = data(*arguments, "--measured", str(path))["panels"][1]
    (points,) = [mark for mark in panel["marks"] if mark["mark"] == "points"]
    assert points["name"] == "measured on cpu, 2 threads"
    names = [panel["y"]["categories"][round(place)] for place in points["y"]]
    own = dict(zip([node.name for node in graph.nodes], times, strict=True))
    assert points["x"] == [own[name] for name in names]
    result = call("plot", *arguments, "--batch", "2", "--measured", str(path), "--format", "json")
    assert result.exit_code == 0
    assert "has no measured layers at batch 2 in fp32 of lenet5" in result.stderr
    marks = [m["mark"] for p in json.loads(result.stdout)["panels"] for m in p["marks"]]
    assert "points" not in marks


def test_curves_of_networks_on_devices() -> None:
    found = data("latency", "lenet5", "simplenet", "--device", "v100", "--device", "gtx-980")
    names = [m["name"] for m in found["panels"][0]["marks"] if m["mark"] == "line"]
    devices = [find(name).name for name in ("v100", "gtx-980")]
    assert names == [f"{net}, {on}" for net in ("LeNet-5", "SimpleNet") for on in devices]


def test_lists_that_are_not_loaded_for_help() -> None:
    assert tuple(QUANTITIES) == plot.QUANTITIES
    assert tuple(AXES) == plot.AXES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("depth",), "name the networks"),
        (("depth", "no-such"), "no network"),
        (("depth", "--all"), "too many"),
        (("accuracy",), "--dataset"),
        (("accuracy", "--dataset", "nothing"), "no published accuracies"),
        (("accuracy", "vggs*", "--dataset", "MNIST"), "no network of the zoo fits"),
        (("accuracy", "no-such", "--dataset", "MNIST"), "no network"),
        (("kinds", "lenet5", "-o", "x.gif"), "says no format"),
        (("kinds", "lenet5", "-o", "x.json", "--theme", "dark"), "not for json"),
        (("kinds", "lenet5", "-o", "x.html", "--width", "5"), "not for html"),
        (("kinds", "lenet5", "--width", "1"), "2.5"),
        (("intensity", "lenet5", "--peak-flops", "1T", "--device", "v100"), "does not go with"),
        (("intensity", "lenet5", "--device", "v101"), "v100"),
        (("intensity", "lenet5", "--device", "gtx980", "--dtype", "bf16"), "bf16"),
        (("latency", "lenet5"), "--device"),
        (("latency", "lenet5", "--batch", "8", "--device", "v100"), "all batches"),
        (("latency", "resnet*", "--device", "v100"), "too many"),
        (
            (
                "latency",
                *("vgg11", "vgg13", "vgg16", "vgg19", "alexnet"),
                "--device",
                "v100",
                "--device",
                "a100",
            ),
            "too many curves",
        ),
        (("time", "lenet5"), "--device"),
        (("time", "lenet5", "--device", "v100", "--measured", "/no/such"), "/no/such"),
        (("depth", "lenet5", "--height", "2.5"), "wider or higher"),
        (("kinds", "lenet5", "--theme", "lihgt"), "did you mean 'light'"),
        (("intensity", "lenet5", "--peak-flops", "10T"), "both"),
        (("intensity", "lenet5", "--peak-flops", "fast", "--bandwidth", "1G"), "no rate"),
        (("intensity", "lenet5", "--peak-flops", "0", "--bandwidth", "1G"), "no rate"),
        (("intensity", "lenet5", "--peak-flops", "1e999", "--bandwidth", "1G"), "no rate"),
        (("costs", "lenet5", "--x", "cost"), "there are: params"),
        (("dept", "lenet5"), "did you mean 'depth'"),
    ],
)
def test_refused(arguments: tuple[str, ...], message: str) -> None:
    assert message in refused(*arguments)


def test_nothing_fits() -> None:
    for arguments in (
        ("costs", "--all", "--search", "no such network at all"),
        ("accuracy", "vgg16", "--dataset", "MNIST"),
    ):
        result = call("plot", *arguments)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert "warning" in result.stderr


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'archcost[plot]'" in refused("kinds", "lenet5")
    assert data("kinds", "lenet5")  # needs no library


def test_the_model_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(archcost.to_json(archcost.load("lenet5")))
    assert "overwrite" in refused("kinds", str(path), "-o", str(path))


@pytest.mark.parametrize("name", ["script", "colour", "lines", "math", "long", "right to left"])
def test_a_file_with_hostile_names(name: str, tmp_path: Path) -> None:
    path = hostile.write_json(tmp_path, hostile.STRINGS[name])
    for figure in ("depth", "memory", "totals"):
        svg = ok("plot", figure, str(path))
        assert hostile.harmless(svg)
        ElementTree.fromstring(svg)
        assert hostile.harmless(ok("plot", figure, str(path), "--format", "json"))
