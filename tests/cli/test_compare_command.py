"""``archcost compare``."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import call, completed, ok, refused
from measured import measurement

import archcost
from archcost.conventions import CONVENTIONS, convention
from archcost.hardware.estimate import estimate
from archcost.hardware.files import dump, find
from archcost.measure.records import append
from archcost.sources import zoo

NET = "{name: NAME, input: [3, 8, 8], layers: [flatten, {linear: 5}]}"


def document(*arguments: str) -> dict:
    return json.loads(ok("compare", *arguments, "--format", "json"))


def values(*arguments: str) -> dict[str, dict]:
    return {entry["name"]: entry["values"] for entry in document(*arguments)["networks"]}


def test_numbers_are_those_of_the_analysis() -> None:
    found = values("simplenet", "vgg16", "--columns", "params,macs,flops,activations,peak_memory")
    for name, row in found.items():
        totals = archcost.analyze(archcost.load(name)).totals
        assert row == {key: getattr(totals, key) for key in row}
    assert list(found) == ["simplenet", "vgg16"]


def test_the_table_fits_a_terminal() -> None:
    text = ok("compare", "simplenet", "resnet50", "wrn-28-10", "--reference", "resnet50")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    for name in ("simplenet", "resnet50", "wrn-28-10"):
        assert name in text


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "latex", "json", "html"])
def test_formats(format_: str, tmp_path: Path) -> None:
    arguments = ("compare", "lenet5", "vgg16", "--reference", "vgg16", "--accuracy", "imagenet")
    text = ok(*arguments, "--format", format_)
    assert "vgg16" in text
    assert text.endswith("\n")
    path = tmp_path / "out"
    assert ok(*arguments, "--format", format_, "-o", str(path)) == ""
    assert path.read_text(encoding="utf-8") == text


def test_the_whole_zoo() -> None:
    text = ok("compare", "--all", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == [entry.name for entry in zoo.select()]
    assert all(int(row["params"]) > 0 for row in rows)


def test_which_networks() -> None:
    assert set(values("lenet*")) == {name for name in zoo.names() if name.startswith("lenet")}
    assert list(values("--family", "lenet", "--family", "nin")) == [
        entry.name for entry in zoo.select(families=["lenet", "nin"])
    ]
    assert list(values("vgg16", "lenet*", "--dataset", "ImageNet")) == ["vgg16"]
    assert list(values("--search", "maxout", "--year", "2013")) == [
        entry.name for entry in zoo.select(search="maxout", years=(2013, 2013))
    ]
    assert list(values("lenet5", "LeNet-5", "lenet_5")) == ["lenet5"]
    assert list(values("lenet5", "--reference", "vgg16")) == ["vgg16", "lenet5"]


def test_files_beside_networks_of_the_zoo(tmp_path: Path) -> None:
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(NET.replace("NAME", "net"))
    after.write_text(NET.replace("NAME", "net").replace("5", "7"))
    model = tmp_path / "lenet.json"
    assert ok("export", "lenet5", "--to", "json", "-o", str(model)) == ""
    found = values(str(before), str(after), str(model), "vgg16", "--columns", "params")
    params = [row["params"] for row in found.values()]
    assert params[:2] == [3 * 8 * 8 * n + n for n in (5, 7)]
    assert params[2] == archcost.analyze(archcost.load("lenet5")).totals.params
    assert list(found) == [str(before), str(after), "lenet5", "vgg16"]


def test_a_result_is_not_written_over_a_model(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NET.replace("NAME", "net"))
    assert "would overwrite the model" in refused("compare", "vgg16", str(path), "-o", str(path))
    assert "would overwrite the model" in refused(
        "compare", "vgg16", "--reference", str(path), "-o", str(path)
    )


def test_options_of_models_are_for_all() -> None:
    one, two = values("lenet5", "lenet1"), values("lenet5", "lenet1", "--batch", "2")
    assert all(two[name]["macs"] == 2 * one[name]["macs"] for name in one)
    found = values("resnet18", "vgg16", "--input", "3x64x64", "--set", "classes=10")
    for name, row in found.items():
        graph = archcost.load(name, inputs=(3, 64, 64), settings={"classes": 10})
        assert row["macs"] == archcost.analyze(graph).totals.macs
    half = values("lenet5", "--dtype", "fp16", "--columns", "storage,storage:fp32")["lenet5"]
    assert half["storage_bytes_fp32"] == 2 * half["storage_bytes"]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_convention(name: str) -> None:
    found = document("lenet5", "alexnet", "--convention", name)
    assert found["convention"] == name
    for entry in found["networks"]:
        numbers = convention(name).count(archcost.load(entry["name"])).numbers
        assert numbers.items() <= entry["values"].items()


def test_sort_and_reverse() -> None:
    arguments = ("lenet5", "vgg16", "resnet50", "--sort")
    assert list(values(*arguments, "macs")) == ["vgg16", "resnet50", "lenet5"]
    assert list(values(*arguments, "macs", "--reverse")) == ["lenet5", "resnet50", "vgg16"]
    assert list(values(*arguments, "name")) == ["lenet5", "resnet50", "vgg16"]


def test_pareto_with_accuracies() -> None:
    found = document("--all", "--accuracy", "CIFAR-10", "--pareto")
    points = [(v["values"]["params"], v["values"]["macs"], -v["values"]["accuracy"])
              for v in found["networks"]]  # fmt: skip
    for one in points:
        assert not any(
            other != one and all(a <= b for a, b in zip(other, one, strict=True))
            for other in points
        )
    total = found["pareto"]["dominated"] + found["pareto"]["incomplete"] + len(points)
    assert total == len(list(zoo.entries()))
    assert "wrn-28-10" in [entry["name"] for entry in found["networks"]]


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the networks, or choose by --family, --dataset or --all"),
        (["resnet51"], "no network 'resnet51' in the zoo"),
        (["lenet5", "resnt*"], "fits 'resnt*'; did you mean 'resnet*'?"),
        (["--family", "resnt"], "did you mean 'resnet'?"),
        (["--dataset", "cifar"], "no dataset 'cifar' in the zoo"),
        (["lenet5", "--columns", "parms"], "did you mean 'params'?"),
        (["lenet5", "--sort", "parms"], "did you mean 'params'?"),
        (["lenet5", "--columns", "params", "macs"], "commas between: params,macs"),
        (["macs", "--columns", ","], "no network 'macs'"),
        (["lenet5", "--columns", "accuracy"], "--accuracy CIFAR-10"),
        (["lenet5", "--accuracy", "cifar"], "no published accuracies on 'cifar'"),
        (["lenet5", "--accuracy", "ImageNet:top3"], "no accuracy 'top3'"),
        (["lenet5", "--accuracy", "mnist:top5"], "no top-5 accuracies on MNIST"),
        (["lenet5", "--reference", "vgg17"], "no network 'vgg17'"),
        (["lenet5", "--convention", "fcvore"], "did you mean 'fvcore'?"),
        (["lenet5", "--convention", "torch", "--columns", "macs"], "does not count macs"),
        (["lenet5", "--columns", "depth", "--pareto"], "needs a column of which less or more"),
        (["lenet5", "vgg16", "--set", "growth=3"], "lenet5 has no parameter 'growth'"),
        (["lenet5", "--arg", "x=1"], "only a PyTorch factory takes arguments"),
        (["none.yaml", "lenet5"], "none.yaml: there is no such file"),
        (["lenet5", "--year", "20"], "is no year"),
        (["lenet5", "-o", "x.pdf", "--format", "pdf"], "no 'pdf'"),
        (["\x1b[31m*"], r"fits '\x1b[31m*'"),
        (["x" * 10_000], "no network"),
    ],
)
def test_a_mistake_gets_one_message(arguments: list[str], message: str) -> None:
    said = refused("compare", *arguments)
    assert message in said
    assert "\x1b" not in said
    assert len(said) < 1000


def test_nothing_fits() -> None:
    result = call("compare", "--year", "1950")
    assert result.exit_code == 1
    assert "no network fits what was asked for" in result.stderr
    result = call("compare", "lenet5", "--accuracy", "CIFAR-10", "--pareto", "--format", "json")
    assert result.exit_code == 1
    assert "no network has a value in each of the columns" in result.stderr
    assert json.loads(result.stdout)["networks"] == []


def test_a_broken_network_of_many_is_a_warning_and_one_that_is_named_an_error() -> None:
    result = call("compare", "dense*", "lenet*", "--set", "growth=8", "--columns", "params")
    assert result.exit_code == 0
    assert result.stderr.count("warning: lenet") == 3
    assert "densenet121" in result.stdout
    result = call("compare", "--all", "--set", "growth=8", "--columns", "params")
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 1
    assert "networks are left out: lenet1, " in result.stderr
    assert "lenet1 has no parameter 'growth'" in result.stderr
    assert len(result.stderr) < 500
    assert "lenet5 has no parameter" in refused("compare", "dense*", "lenet5", "--set", "growth=8")


def test_a_broken_file_of_the_zoo_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.yaml").write_text("name: [")
    (tmp_path / "good.yaml").write_text(NET.replace("NAME", "good"))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    result = call("compare", "--all", "--columns", "params")
    assert result.exit_code == 0
    assert "good" in result.stdout
    assert "warning: left out: bad.yaml" in result.stderr


# --- completion -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("archcost compare simplenet-3", {"simplenet-310k"}),
        ("archcost compare lenet5 vgg19-", {"vgg19-bn"}),
        ("archcost compare --family mobile", {"mobilenet"}),
        ("archcost compare lenet5 --columns params,mac", {"params,macs"}),
        ("archcost compare lenet5 --sort pea", {"peak_memory_bytes"}),
        ("archcost compare lenet5 --sort na", {"name"}),
        ("archcost compare --accuracy imag", {"ImageNet"}),
        ("archcost compare --convention netscope-2016", {"netscope-2016"}),
        ("archcost compare lenet5 --reference simplenet-3", {"simplenet-310k"}),
        ("archcost compare squeezenet --set by", {"bypass="}),
        ("archcost comp", {"compare", "completion"}),
    ],
)
def test_completion(words: str, expected: set[str]) -> None:
    assert completed(words) == expected


# --- times ----------------------------------------------------------------------------------------


def test_estimated_on_a_device() -> None:
    found = document("lenet5", "vgg16", "--device", "RTX 3090", "--batch", "8")
    for entry in found["networks"]:
        own = estimate(archcost.load(entry["name"], batch=8), find("rtx3090"))
        assert entry["values"]["estimated_seconds"] == own.seconds
        assert entry["values"]["estimated_samples_per_second"] == own.throughput
    text = ok("compare", "lenet5", "vgg16", "--device", "rtx3090", "--columns", "est-latency")
    assert "Est. latency" in text
    assert "estimated from the graph alone, each operator by itself." in " ".join(text.split())
    fused = values("vgg16", "--device", "rtx3090", "--fused")["vgg16"]
    graph = archcost.load("vgg16")
    assert fused["estimated_seconds"] == estimate(graph, find("rtx3090"), fused=True).seconds


def test_two_devices_and_a_file_of_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(dump(replace(find("v100"), name="mine", aliases=())))
    found = values("lenet5", "--device", str(path), "--device", "gtx980", "--device", "GTX 980")
    assert {key for key in found["lenet5"] if "seconds" in key} == {
        "estimated_seconds_mine",
        "estimated_seconds_gtx_980",
    }


def test_a_dtype_that_a_device_lacks_is_one_warning() -> None:
    arguments = ("compare", "lenet5", "vgg16", "--dtype", "bf16", "--format", "json")
    result = call(*arguments, "--device", "gtx980", "--device", "a100")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("archcost: warning: no estimate on gtx-980 of lenet5, vgg16: ")
    (vgg,) = (e["values"] for e in json.loads(result.stdout)["networks"] if e["name"] == "vgg16")
    assert [value for key, value in vgg.items() if key.startswith("estimated_seconds_gtx")] == [
        None
    ]
    assert "bf16" in refused(*arguments, "--device", "gtx980")


def test_measured_beside_estimated(tmp_path: Path) -> None:
    path = tmp_path / "passes.jsonl"
    append(path, measurement(archcost.load("vgg16"), 0.5))
    append(path, measurement(archcost.load("lenet5"), 0.003))
    append(path, measurement(archcost.load("lenet5"), 0.002))
    arguments = ("--device", "v100", "--measured", str(path))
    found = values("lenet5", "vgg16", *arguments, "--sort", "measured-latency")
    assert list(found) == ["vgg16", "lenet5"]
    assert [row["measured_seconds"] for row in found.values()] == [0.5, 0.002]
    text = ok(
        "compare", "lenet5", "vgg16", *arguments, "--columns", "params,est-latency,meas-latency"
    )
    assert "2.00 ms*" in text
    assert "median of forward passes that were run on cpu, 2 threads" in " ".join(text.split())


def test_networks_that_nobody_measured_are_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "passes.jsonl"
    append(path, measurement(archcost.load("lenet5"), 0.003))
    result = call("compare", "lenet5", "vgg16", "resnet50", "--measured", str(path))
    assert result.exit_code == 0
    expected = f"{path} has no measurement at batch 1 in fp32 of vgg16, resnet50"
    assert result.stderr == f"archcost: warning: {expected}\n"
    result = call("compare", "lenet5", "--batch", "2", "--measured", str(path))
    assert "no measurement at batch 2 in fp32 of lenet5" in result.stderr
    assert "Meas.:" not in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "rtx3091"), "rtx-3090"),
        (("--fused",), "it needs --device"),
        (("--measured", "/no/such"), "/no/such"),
        (("--columns", "est-latency"), "a column est_latency needs --device NAME"),
        (("--sort", "measured_seconds", "--device", "v100"), "needs --measured FILE"),
        (("--layers", "vgg16", "--device", "v100"), "--device does not go with --layers"),
    ],
)
def test_times_that_cannot_be_had(arguments: tuple[str, ...], message: str) -> None:
    assert message in refused("compare", "lenet5", *arguments)
