"""What `load` takes for a model, and that the zoo keeps its own rules."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import archcost
from archcost.ir import ArchcostError
from archcost.sources import SourceError, UnknownModelError, load, zoo
from archcost.spec import SpecError, parse_file

SPEC = """\
name: tiny-net
aliases: [Mini]
input: [3, 8, 8]
parameters: {width: 4}
layers: [conv: {out: $width}]
variants:
  tiny-net-wide: {set: {width: 9}, aliases: [Broad]}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "Net.yaml"
    path.write_text(SPEC)
    return path


def width(graph):
    return graph.outputs[0].shape[1]


# --- files --------------------------------------------------------------------------------------


def test_a_path(path, monkeypatch):
    assert width(load(path)) == width(load(str(path))) == 4
    monkeypatch.chdir(path.parent)
    assert load("Net.yaml").metadata["family"] == "Net"


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("", 4),
        ("tiny-net", 4),
        ("TinyNet", 4),
        ("mini", 4),
        ("tiny-net-wide", 9),
        ("TINY_NET_WIDE", 9),
        ("broad", 9),
    ],
)
def test_a_variant(path, variant, expected):
    assert width(load(f"{path}:{variant}")) == expected


def test_an_unknown_variant(path):
    with pytest.raises(SourceError, match="no variant 'tiny-net-wyde'; did you mean 'tiny-net-w"):
        load(f"{path}:tiny-net-wyde")


def test_a_file_that_changed_is_read_again(path):
    assert width(load(path)) == 4
    path.write_text(SPEC.replace("width: 4", "width: 16"))
    assert width(load(path)) == 16


@pytest.mark.parametrize(
    "model", ["net.yaml", "no/net.yaml", "a\0.yaml", "a" * 5000 + ".yaml", "\ud800.yml", ".yaml"]
)
def test_no_such_file(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError):
        load(model)


def test_what_is_no_spec(tmp_path):
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a" * 1_000_001)
    for path, message in (
        (folder, "cannot be read"),
        (binary, "not UTF-8"),
        (large, "more than 1000000 bytes"),
    ):
        with pytest.raises(SpecError, match=message):
            load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(path):
    path.chmod(0)
    with pytest.raises(SpecError, match="cannot be read"):
        load(path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("a/b", "neither a zoo name nor a file of a kind that is read"),
        ("net.py", "is Python code, .* name that too, like net.py:Net"),
        ("a.b:3", "neither a zoo name nor a file"),
        ("weights.pth", "holds weights, maybe pickled, and is not opened"),
        ("no/such.onnx", "such.onnx: cannot be read"),
        ("no/such.prototxt", "such.prototxt: cannot be read"),
        ("no/such.json", "such.json: cannot be read"),
        ("no/such.py:Net", "no file 'no/such.py'"),
        ("no.such.module:Net", "no Python module 'no', here or installed"),
    ],
)
def test_names_of_no_model(model, message):
    with pytest.raises(ArchcostError, match=message) as caught:
        load(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [3, None, b"simplenet", ["simplenet"], {"name": "simplenet"}])
def test_things_that_are_no_model(model):
    with pytest.raises(SourceError, match="a model is a name, a path, a graph or a torch.nn"):
        load(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arguments": {"width": 3}}, "only a PyTorch factory takes arguments"),
        ({"batch": "none"}, "only a PyTorch module takes shapes that have the batch"),
        ({"dtype": "int8"}, "no floating-point dtype 'int8'"),
        ({"inputs": ["3x32x32:int64"]}, "takes plain shapes without the batch"),
        ({"inputs": {"image": (3, 32, 32)}}, "takes plain shapes without the batch"),
    ],
)
def test_options_that_are_refused(options, message):
    for model in ("simplenet", load("simplenet")):
        with pytest.raises(ArchcostError, match=message):
            load(model, **options)


# --- options ------------------------------------------------------------------------------------


def test_settings_from_python(path):
    vgg = load("vgg16", settings={"convs": [1, 1, 2, 2, 2]})
    assert vgg.metadata["parameters"]["convs"] == (1, 1, 2, 2, 2)
    assert width(load(path, settings={"width": np.int64(5)})) == 5
    assert type(load(path, settings={"width": np.int64(5)}).metadata["parameters"]["width"]) is int
    assert (
        load("nin", settings={"dropout": np.float32(0.5)}).metadata["parameters"]["dropout"] == 0.5
    )


@pytest.mark.parametrize(
    "inputs", [(3, 5, 6), [3, 5, 6], [(3, 5, 6)], np.array([3, 5, 6]), (np.int32(3), 5, 6)]
)
def test_inputs(path, inputs):
    graph = load(path, inputs=inputs, batch=2, dtype="bf16")
    assert graph.inputs[0].shape == (2, 3, 5, 6)
    assert graph.inputs[0].type.dtype == "bf16"
    again = load(load(path), inputs=inputs, batch=2, dtype="bf16")
    assert again.outputs[0].type == graph.outputs[0].type


WRONG = [
    {"inputs": 3},
    {"inputs": "3x5"},
    {"inputs": ["3x5"]},
    {"inputs": (3, 1.5)},
    {"inputs": (3, None)},
    {"inputs": (3, (3, 5, 6))},
    {"inputs": [(3, 5, 6), (3, 5, 6)]},
    {"inputs": []},
    {"inputs": (3, 0, 4)},
    {"inputs": (3, -(10**5000), 4)},
    {"inputs": (3, 10**5000, 4)},
    {"inputs": (10**9, 10**9, 4)},
    {"batch": 0},
    {"batch": 2.0},
    {"batch": 10**5000},
    {"dtype": "fp31"},
    {"settings": {"depth": 3}},
]


@pytest.mark.parametrize("options", WRONG, ids=range(len(WRONG)))
def test_wrong_options(path, options):
    with pytest.raises(ArchcostError) as caught:
        load(path, **options)
    assert len(str(caught.value)) < 300
    if options != {"inputs": (10**9, 10**9, 4)}:
        with pytest.raises(ArchcostError):
            load(load(path), **options)


# --- the zoo ------------------------------------------------------------------------------------

FILES = sorted(zoo.folder().glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_the_zoo(file):
    spec = parse_file(file, zoo.libraries())
    for name in spec.names:
        assert zoo.squashed(name).startswith(zoo.squashed(file.stem))
        graph = load(name)
        assert graph.name == name
        about = graph.metadata
        assert about["title"]
        assert "$" not in about["title"]
        assert about["source"]["title"]
        assert about["year"] >= 1980
        assert about["family"]
        for other in (name.upper(), name.replace("-", "_"), *spec.aliases(name)):
            entry = zoo.find(other)
            assert (entry.name, entry.spec.name) == (name, spec.name)


def test_names_that_begin_with_something():
    everything = archcost.zoo_names()
    for beginning in ("", "r", "resnet", "ResNet-1", "vgg16", "simplenet_310", "zzz"):
        wanted = beginning.lower().replace("-", "").replace("_", "")
        expected = [n for n in everything if n.replace("-", "").startswith(wanted)]
        assert zoo.names(beginning) == expected, beginning


def test_selecting():
    entries = zoo.select()
    years = [entry.about["year"] for entry in entries]
    assert years == sorted(years)
    assert sorted(entry.name for entry in entries) == sorted(archcost.zoo_names())
    chosen = zoo.select(families=["ResNet"], datasets=["cifar10"], search="1512.03385 plain")
    assert {entry.name for entry in chosen} == {
        name for name in archcost.zoo_names() if name.startswith("resnet") and "plain" in name
    } - {"resnet18-plain", "resnet34-plain"}
    assert {e.about["year"] for e in zoo.select(years=(2013, 2014))} == {2013, 2014}
    with pytest.raises(UnknownModelError, match="no dataset 'CIFAR10O' in the zoo; "):
        zoo.select(datasets=["CIFAR10O"])


def test_words_are_found_in_a_row_before_they_are_found_apart():
    found = {e.name for e in zoo.select(search="Network in Network")}
    assert {"nin-cifar10", "maxout-nin-cifar10"} <= found
    assert not {name for name in found if not name.startswith(("nin", "maxout-nin"))}
    both = {e.name for e in zoo.select(search="plain residual")}
    assert {"resnet20-plain", "resnet18-plain"} <= both
    assert "resnet20" not in both
    assert {e.name for e in zoo.select(search="WideResNet-28")} >= {"wrn-28-10", "wrn-28-12"}
    assert {e.about["family"] for e in zoo.select(search="Cireşan 2010")} == {"ciresan"}
    assert [e.name for e in zoo.select(search="deepcnet(5, 100)")] == ["deepcnet-5-100"]


def test_a_title_is_a_name_where_no_other_has_it():
    for title, name in (
        ("Pre-activation ResNet-164", "preresnet164"),
        ("DeepCNet(5,100)", "deepcnet-5-100"),
        ("SqueezeNet 1.1", "squeezenet-1.1"),
        ("squeezenet1_1", "squeezenet-1.1"),
    ):
        assert zoo.find(title).name == name


def test_a_family_is_no_network():
    with pytest.raises(UnknownModelError, match=r"^'ResNet' is a family of \d+ networks, resnet18"):
        zoo.find("ResNet")


def test_a_name_as_it_is_written_comes_first(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: n\ninput: [3, 8, 8]\nparameters: {w: 1}\nlayers: [conv: $w]\n"
        "variants: {n-1: {set: {w: 2}}, n1: {set: {w: 3}}}\n"
    )
    for name, params in (("n-1", 8), ("n1", 12), ("N_1", 8)):
        assert archcost.analyze(load(f"{path}:{name}")).totals.params == params


def test_an_alias_is_found_without_reading_every_file(monkeypatch):
    read = []
    monkeypatch.setattr(zoo, "read", lambda path, real=zoo.read: read.append(path) or real(path))
    assert zoo.find("Network in Network").name == "nin-cifar10"
    assert len(read) < len(FILES) / 2


def test_no_two_networks_of_the_zoo_have_one_name():
    found = Counter(
        squashed
        for entry in zoo.entries()
        # An alias may differ from its own network's name in hyphens alone.
        for squashed in {*map(zoo.squashed, (entry.name, *entry.aliases))}
    )
    assert [name for name, count in found.items() if count > 1] == []
    assert archcost.zoo_names() == [entry.name for entry in zoo.entries()]
    assert zoo.broken() == []


def test_names_are_found_however_they_are_written():
    for name in ("ResNet-50", "resnet_50", "RESNET 50", "resnet50"):
        assert zoo.find(name).name == "resnet50"
    assert zoo.find("LeNet").name == "lenet5"
    assert zoo.find("resnet50").about["title"]


def test_unknown_names():
    with pytest.raises(UnknownModelError, match=r"no network 'resnet5O' in the zoo; did you mean"):
        load("resnet5O")
    with pytest.raises(UnknownModelError) as caught:
        load("zzzz")
    assert str(caught.value) == "no network 'zzzz' in the zoo (archcost zoo list shows all)"
    for name in ("", "a" * 100_000, "\0", "\ud800"):
        with pytest.raises(UnknownModelError) as caught:
            load(name)
        assert len(str(caught.value)) < 300


def test_a_broken_file_hides_no_other(tmp_path, monkeypatch):
    shutil.copytree(zoo.libraries(), tmp_path / "blocks")
    for file in FILES[:2]:
        shutil.copy(file, tmp_path)
    whole = [parse_file(file, zoo.libraries()) for file in FILES[:2]]
    (tmp_path / "aaa.yaml").write_text("name: [")
    monkeypatch.setattr(zoo, "folder", lambda: Path(tmp_path))
    assert zoo.names() == [name for spec in whole for name in spec.names]
    assert zoo.find(whole[1].name).name == whole[1].name
    (error,) = zoo.broken()
    assert str(error).startswith("aaa.yaml:2:1: not YAML")
    with pytest.raises(SpecError, match="^aaa.yaml:2:1:"):
        zoo.find("aaa-large")
    with pytest.raises(UnknownModelError):
        zoo.find("zzzz")
