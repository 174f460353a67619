"""``archcost estimate``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json

import pytest
from command_line import call, completed, ok, refused

from archcost.analysis import analyze
from archcost.cli import estimate as command
from archcost.hardware.device import Device
from archcost.hardware.estimate import estimate
from archcost.hardware.files import dump, find
from archcost.report.format import seconds
from archcost.report.model import GROUPINGS
from archcost.sources import load

GPU = Device("a-gpu", "A GPU", "gpu", {"fp32": 10e12}, 500e9, 8 * 2**30, 5e-6, 40, power=250)


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "a-gpu.yaml"
    path.write_text(dump(GPU), encoding="utf-8")
    return str(path)


def table(text):
    return list(csv.DictReader(text.splitlines()))


def test_the_latency_is_the_first_of_the_facts(device):
    text = ok("estimate", "mobilenet-v1", "--device", device, "--batch", "64")
    found = estimate(load("mobilenet-v1", batch=64), find(device))
    assert f"Latency          {seconds(found.seconds)} for a batch of 64 in fp32\n" in text
    assert "A GPU, 10.0 TFLOP/s in fp32, 500 GB/s" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_shipped_device_by_any_of_its_names():
    by_name = ok("estimate", "lenet5", "--device", "rtx-3090", "--format", "csv")
    assert by_name == ok("estimate", "lenet5", "--device", "RTX 3090", "--format", "csv")


def test_layers_add_up_in_every_grouping(device):
    sums = set()
    for by in command.GROUPINGS:
        text = ok("estimate", "squeezenet", "--device", device, "--by", by, "--format", "csv")
        sums.add(round(sum(float(row["seconds"]) for row in table(text)), 12))
    assert len(sums) == 1
    assert command.GROUPINGS == GROUPINGS


def test_rows_are_sorted_and_cut(device):
    options = ("--by", "op", "--sort", "seconds", "--top", "2", "--format", "csv")
    rows = table(ok("estimate", "resnet50", "--device", device, *options))
    assert rows[2]["name"].startswith("other (")
    assert float(rows[0]["seconds"]) >= float(rows[1]["seconds"])


def test_batches_and_the_curve(device):
    text = ok("estimate", "resnet20", "--device", device, "--batches", "8,1", "--format", "csv")
    assert [row["batch"] for row in table(text)] == ["1", "8"]
    words = ok("estimate", "resnet20", "--device", device, "--curve")
    assert "Throughput against batch" in words
    assert "Saturates" in words
    assert "Largest batch" in words
    text = ok("estimate", "resnet20", "--device", device, "--curve", "--format", "json")
    curve = json.loads(text)["devices"]["a-gpu"]["curve"]
    assert [point["batch"] for point in curve["points"]][:3] == [1, 2, 4]
    assert curve["saturation_batch"] in [point["batch"] for point in curve["points"]]


def test_devices_side_by_side(device):
    text = ok("estimate", "alexnet", "--device", device, "--device", "v100", "--format", "csv")
    assert [row["device"] for row in table(text)] == ["a-gpu", find("v100").name]
    twice = ok(
        *("estimate", "alexnet", "--device", device, "--device", "v100"),
        *("--batches", "1,4", "--format", "csv"),
    )
    assert [row["batch"] for row in table(twice)] == ["1", "4"] * 2
    document = json.loads(
        ok("estimate", "alexnet", "--device", device, "--device", "v100", "--format", "json")
    )
    assert list(document["devices"]) == ["a-gpu", find("v100").name]


def test_a_device_named_twice_is_there_once(device):
    text = ok("estimate", "lenet5", "--device", device, "--device", device)
    assert "Latency" in text


def test_fused_takes_less(device):
    def taken(*options):
        text = ok("estimate", "resnet50", "--device", device, *options, "--format", "json")
        return json.loads(text)["devices"]["a-gpu"]["estimate"]["seconds"]

    assert taken("--fused") < taken()


@pytest.mark.parametrize("ending", ["html", "md", "tex", "csv", "json", "txt"])
def test_every_format_goes_into_a_file(device, tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    assert ok("estimate", "lenet5", "--device", device, "-o", str(path)) == ""
    assert "C1" in path.read_text(encoding="utf-8")


def test_a_page_has_layers_and_how_it_was_made(device):
    text = ok("estimate", "lenet5", "--device", device, "--format", "html")
    assert "C1/conv" in text
    assert "archcost estimate lenet5" in text


def test_a_dtype_that_a_device_lacks(device):
    assert "fp64" in refused("estimate", "lenet5", "--device", device, "--dtype", "fp64")
    result = call("estimate", "lenet5", "--device", device, "--device", "v100", "--dtype", "fp16")
    assert result.exit_code == 0
    assert "warning: no estimate on a-gpu: " in result.stderr
    assert find("v100").name in result.stdout


def test_what_is_wrong_is_said(device, tmp_path):
    assert "did you mean 'rtx-3090'?" in refused("estimate", "lenet5", "--device", "rtx-3091")
    assert "no such file" in refused("estimate", "lenet5", "--device", "none.yaml").lower()
    assert "did you mean" in refused("estimate", "lenet6", "--device", device)
    for batches in ("0", "1,,2", "x", "-1", "9999999999", ",".join(map(str, range(1, 103)))):
        said = refused("estimate", "lenet5", "--device", device, "--batches", batches)
        assert "batch sizes" in said
    both = ("--batches", "1", "--curve")
    assert "exclude each other" in refused("estimate", "lenet5", "--device", device, *both)
    several = ("--device", device, "--device", "v100")
    for option in (("--by", "op"), ("--sort", "name"), ("--top", "3")):
        assert f"{option[0]} is for one device" in refused("estimate", "lenet5", *several, *option)
    sorting = ("--sort", "speed")
    assert "no column 'speed'" in refused("estimate", "lenet5", "--device", device, *sorting)


def test_no_device_is_not_guessed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = refused("estimate", "lenet5")
    assert "--device NAME" in text
    assert "archcost calibrate writes" in text
    (tmp_path / "net.yaml").write_text("name: net\n")
    (tmp_path / "own.yaml").write_text("name: own\ncalibrated: {date: x}\n")
    assert refused("estimate", "lenet5").endswith(
        "or the one that was calibrated: --device own.yaml (archcost estimate --help says more)\n"
    )


def test_operators_that_nobody_knows_are_named(device, tmp_path):
    from archcost.ir import GraphBuilder, TensorType
    from archcost.ir.ops import make
    from archcost.targets.graph_json import graph_text

    builder = GraphBuilder("net")
    x = builder.input("x", TensorType((1, 8, 4, 4)))
    y = builder.add(make("opaque", name="some::nms", types=(((1, 8, 4, 4), "fp32"),)), [x], "n")
    path = tmp_path / "net.json"
    path.write_text(graph_text(builder.build({"y": y[0]})))
    assert "1 x some::nms" in ok("estimate", str(path), "--device", device)


def test_devices_complete():
    assert "rtx-3090" in completed("archcost estimate lenet5 --device rtx")


def test_the_analysis_is_of_the_same_graph(device):
    document = json.loads(ok("estimate", "lenet5", "--device", device, "--format", "json"))
    totals = analyze(load("lenet5")).totals
    found = document["devices"]["a-gpu"]
    assert found["estimate"]["flops"] == totals.flops
    assert sum(layer["traffic_bytes"] for layer in found["layers"]) == totals.traffic_bytes
