"""Networks side by side, layer by layer: properties, edits whose result is known, real pairs."""

from __future__ import annotations

import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_specs import random_specs
from torch import nn

import archcost
from archcost.analysis import Analysis, analyze, sequences
from archcost.analysis.alignment import COSTS, Alignment, align
from archcost.ir import Graph, GraphBuilder, Parameter, TensorType
from archcost.ir.ops import make
from archcost.sources import load
from archcost.sources.zoo import libraries
from archcost.spec import expand, parse


def zoo(name: str, **options: Any) -> Analysis:
    return analyze(load(name, **options))


def spec(document: dict[str, Any]) -> Analysis:
    text = yaml.safe_dump(document, sort_keys=False)
    return analyze(expand(parse(text, "net.yaml", libraries()), document["name"]))


def told(alignment: Alignment) -> list[str]:
    """What differs, a line each: ``+ name``, ``- name``, ``~ name field``, ``. name``."""
    lines = []
    for row in alignment.rows:
        if row.left is None:
            lines.append(f"+ {row.right.name}")
        elif row.right is None:
            lines.append(f"- {row.left.name}")
        elif row.changes:
            sign = "." if row.follows else "~"
            fields = [change.field for change in row.own if change.field not in COSTS]
            lines.append(" ".join([sign, row.right.name, *fields]))
    return lines


def pairs(alignment: Alignment) -> list[tuple[Any, Any]]:
    return [(row.left, row.right) for row in alignment.rows if row.paired]


# --- properties


def check(left: Analysis, right: Analysis) -> Alignment:
    """What holds for any two networks."""
    alignment, mirrored = align(left, right), align(right, left)
    assert [row.left for row in alignment.rows if row.left] == list(left.layers)
    assert [row.right for row in alignment.rows if row.right] == list(right.layers)
    assert pairs(mirrored) == [(b, a) for a, b in pairs(alignment)]
    assert sum(alignment.counts.values()) == len(alignment.rows)
    for row, other in zip(
        *([row for row in side.rows if row.paired] for side in (alignment, mirrored)), strict=True
    ):
        assert {(c.field, c.right, c.left) for c in row.changes} == set(map(tuple, other.changes))
        assert row.follows == other.follows
        if row.status == "same":
            assert row.left.outputs == row.right.outputs
            assert all(getattr(row.left, cost) == getattr(row.right, cost) for cost in COSTS)
    return alignment


@settings(max_examples=60)
@given(one=random_specs(), other=random_specs())
def test_any_two_networks(one: dict[str, Any], other: dict[str, Any]) -> None:
    check(spec(one), spec(other))


@given(document=random_specs())
def test_a_network_and_itself(document: dict[str, Any]) -> None:
    alignment = check(spec(document), spec(document))
    assert {row.status for row in alignment.rows} <= {"same"}


@settings(max_examples=60)
@given(document=random_specs())
def test_names_do_not_matter(document: dict[str, Any]) -> None:
    left = spec(document)
    right = analyze(renamed(left.graph))
    assert {row.status for row in check(left, right).rows} <= {"same"}


def renamed(graph: Graph) -> Graph:
    """The same network with names that say nothing."""
    builder = GraphBuilder("renamed")
    values = {value: builder.input(f"i{n}", value.type) for n, value in enumerate(graph.inputs)}
    given: dict[Parameter, Parameter] = {}
    for number, node in enumerate(graph.nodes):
        roles = [parameter.name for parameter in node.application.parameters]
        share = {
            role: given[old]
            for role, old in zip(roles, node.parameters, strict=True)
            if old in given
        }
        inputs = [values[value] for value in node.inputs]
        outputs = builder.add(node.op, inputs, f"n{number}", share=share, inplace=node.inplace)
        values.update(zip(node.outputs, outputs, strict=True))
        given.update(zip(node.parameters, outputs[0].producer.parameters, strict=True))
    outputs_ = {name: values[value] for name, value in graph.named_outputs.items()}
    return builder.build(outputs_)


# --- one edit


BEFORE: dict[str, Any] = {
    "name": "net",
    "input": [3, 32, 32],
    "layers": [
        {"conv": {"name": "conv1", "out": 16, "kernel": 3, "padding": 1}},
        "relu",
        {"max_pool": {"name": "pool", "kernel": 2}},
        {"conv": {"name": "conv2", "out": 32, "kernel": 3, "padding": 1}},
        "relu",
        {"conv": {"name": "conv3", "out": 32, "kernel": 3, "padding": 1}},
        "relu",
        {"global_avg_pool": {"name": "gap"}},
        "flatten",
        {"linear": {"name": "fc", "out": 10}},
    ],
}


def edited(*, insert: tuple[int, Any] | None = None, delete: slice | None = None, **at: Any) -> Any:
    """BEFORE with items inserted or deleted, or arguments of the item ``at`` a name changed."""
    document = deepcopy(BEFORE)
    layers = document["layers"]
    if insert:
        layers[insert[0] : insert[0]] = insert[1]
    if delete:
        del layers[delete]
    for name, arguments in at.items():
        for item in layers:
            for its in item.values() if isinstance(item, dict) else ():
                if its.get("name") == name:
                    its.update(arguments)
    return document


CONV = {"conv": {"name": "new", "out": 32, "kernel": 3, "padding": 1}}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({}, []),
        ({"insert": (0, [CONV])}, ["+ new", ". conv1"]),
        ({"insert": (5, [CONV])}, ["+ new"]),
        ({"insert": (6, [CONV])}, ["+ new"]),
        ({"insert": (5, [CONV, "relu"])}, ["+ new", "+ relu_3"]),
        ({"insert": (1, ["batch_norm"])}, ["+ batch_norm"]),
        ({"insert": (10, ["softmax"])}, ["+ softmax"]),
        ({"delete": slice(1, 2)}, ["- relu"]),
        ({"delete": slice(5, 7)}, ["- conv3", "- relu_3"]),
        ({"delete": slice(9, 10)}, ["- fc"]),
        ({"conv3": {"bias": False}}, ["~ conv3 bias"]),
        ({"conv3": {"kernel": 5, "padding": 2}}, ["~ conv3 kernel padding"]),
        ({"fc": {"out": 100}}, ["~ fc out outputs"]),
        (
            {"conv2": {"out": 64}},
            ["~ conv2 out outputs", ". relu_2", ". conv3"],
        ),
        (
            {"pool": {"kernel": 4}},
            [
                "~ pool kernel stride outputs",
                *(". conv2", ". relu_2", ". conv3", ". relu_3", ". gap"),
            ],
        ),
    ],
)
def test_one_edit(after: dict[str, Any], expected: list[str]) -> None:
    alignment = check(spec(BEFORE), spec(edited(**after)))
    lines = told(alignment)
    # Of equal layers in a row either may be the new one.
    known = {"relu", "relu_2", "relu_3", "relu_4"}
    assert [line if line[2:] not in known else f"{line[0]} relu" for line in lines] == [
        line if line[2:] not in known else f"{line[0]} relu" for line in expected
    ]


@settings(max_examples=60)
@given(document=random_specs(), data=st.data())
def test_an_inserted_layer_is_all_that_differs(document: dict[str, Any], data: Any) -> None:
    before = spec(document)
    place = data.draw(st.integers(0, len(document["layers"])))
    document["layers"].insert(place, {"identity": {"name": "inserted"}})
    alignment = check(before, spec(document))
    assert alignment.counts["left"] == 0
    assert [row.right.op for row in alignment.rows if row.left is None] == ["identity"]
    assert alignment.counts["changed"] == 0


def test_what_a_change_says() -> None:
    alignment = check(spec(BEFORE), spec(edited(conv2={"out": 64})))
    conv, _, following = (row for row in alignment.rows if row.changes)
    assert conv.changes[0] == ("out", 32, 64)
    assert ("params", 16 * 9 * 32 + 32, 16 * 9 * 64 + 64) in conv.changes
    assert ("macs", 16 * 9 * 32 * 256, 16 * 9 * 64 * 256) in conv.changes
    assert ("inputs", ((1, 32, 16, 16),), ((1, 64, 16, 16),)) in following.changes
    assert not conv.follows
    assert following.follows
    assert following.own == ()


def test_another_operator_in_its_place() -> None:
    document = deepcopy(BEFORE)
    document["layers"][1] = "tanh"
    document["layers"][2] = {"avg_pool": {"name": "pool", "kernel": 2, "stride": 1}}
    relu, pool = (row for row in check(spec(BEFORE), spec(document)).rows if row.own)
    assert relu.changes[0] == ("op", "relu", "tanh")
    assert pool.changes[:2] == (("op", "max_pool", "avg_pool"), ("stride", None, 1))


def test_a_pool_says_which_stride_it_has() -> None:
    """Its stride is its kernel where it has none."""
    (pool,) = (
        row.own
        for row in check(spec(BEFORE), spec(edited(pool={"kernel": 3, "stride": 2}))).rows
        if row.own
    )
    assert [change.field for change in pool if change.field in ("kernel", "stride")] == ["kernel"]


def residual(*, skip: str) -> Analysis:
    """Three convolutions and a sum, which reads the one or the other."""
    builder = GraphBuilder("residual")
    values = {"x": builder.input("x", TensorType((1, 8, 8, 8)))}
    for name, origin in (("a", "x"), ("b", "a"), ("c", "b")):
        op = make("conv", out=8, kernel=3, padding=1)
        (values[name],) = builder.add(op, [values[origin]], name)
    (total,) = builder.add(make("sum"), [values["c"], values[skip]], "sum")
    return analyze(builder.build({"output": total}))


def test_what_is_read_matters() -> None:
    alignment = check(residual(skip="a"), residual(skip="b"))
    (changed,) = (row for row in alignment.rows if row.changes)
    assert changed.changes == (("reads", ("c", "a"), ("c", "b")),)
    assert changed.own == changed.changes
    (changed,) = (row for row in check(residual(skip="x"), residual(skip="a")).rows if row.changes)
    assert changed.changes == (("reads", ("c", "x"), ("c", "a")),)


def test_the_order_of_summands_does_not_matter() -> None:
    def net(order: int, kind: str) -> Analysis:
        builder = GraphBuilder("net")
        x = builder.input("x", TensorType((1, 8, 8, 8)))
        (a,) = builder.add(make("relu"), [x], "a")
        (b,) = builder.add(make("tanh"), [x], "b")
        (y,) = builder.add(make(kind), [a, b][::order], "join")
        return analyze(builder.build({"output": y}))

    assert check(net(1, "sum"), net(-1, "sum")).counts["changed"] == 0
    assert told(check(net(1, "concat"), net(-1, "concat"))) == ["~ join reads"]


def test_dtype_and_sharing_are_changes() -> None:
    left = zoo("lenet5")
    rows = check(left, analyze(left.graph.with_dtype("fp16"))).rows
    assert {row.status for row in rows} == {"changed"}
    assert all(row.follows for row in rows)
    alignment = check(zoo("resnet50"), zoo("sharesnet-50"))
    shared = [row for row in alignment.rows if row.paired and row.left.params > row.right.params]
    assert shared
    assert {row.right.params for row in shared} == {0}
    assert all("params" in [change.field for change in row.own] for row in shared)


# --- real pairs


def test_a_deeper_network_has_layers_more() -> None:
    alignment = check(zoo("vgg16"), zoo("vgg19"))
    assert alignment.counts == {"same": 40, "changed": 0, "left": 0, "right": 6}
    assert told(alignment) == [
        f"+ conv{n}/conv{n}_4/{op}" for n in (3, 4, 5) for op in ("conv", "relu")
    ]
    alignment = check(zoo("resnet50"), zoo("resnet101"))
    assert set(told(alignment)) == {
        f"+ {layer.name}"
        for layer in zoo("resnet101").layers
        if layer.name.startswith("conv4_x/block")
        and int(layer.name.split("/")[1].removeprefix("block")) > 6
    }


def test_a_thinner_network_has_all_its_layers() -> None:
    alignment = check(zoo("simplenet"), zoo("simplenet-310k"))
    assert all(a.name == b.name for a, b in pairs(alignment))
    assert alignment.counts == {"same": 4, "changed": 40, "left": 0, "right": 0}
    own = [row for row in alignment.rows if row.own]
    assert {row.left.op for row in own} == {"conv"}
    assert all(row.changes[0].field == "out" for row in own)


def test_pools_that_moved() -> None:
    """SqueezeNet 1.1's paper: another first convolution, and pools after other modules."""
    lines = told(check(zoo("squeezenet"), zoo("squeezenet-1.1")))
    assert [line for line in lines if line[0] != "."] == [
        *("~ conv1/conv out kernel outputs", "+ pool3", "- pool4", "+ pool5", "- pool8"),
    ]


def test_preactivation_moves_the_normalizations() -> None:
    alignment = check(zoo("resnet50"), zoo("preresnet50"))
    alone = [row.left or row.right for row in alignment.rows if not row.paired]
    assert {layer.op for layer in alone} == {"batch_norm"}
    assert {row.left.op for row in alignment.rows if row.own} == {"sum"}


def test_two_that_have_little_in_common() -> None:
    alignment = check(zoo("resnet50"), zoo("googlenet"))
    assert alignment.counts["same"] + alignment.counts["changed"] < 40
    for row in alignment.rows:
        if row.paired and row.left.op == "conv":
            (_, channels, *sizes), (_, others, *other_sizes) = row.left.outputs + row.right.outputs
            assert channels == others or sizes == other_sizes


def test_dense_blocks_stay_together() -> None:
    """Layers of the same name that differ in nothing but their inputs beat equal shapes."""
    alignment = check(zoo("densenet264"), zoo("densenet201"))
    assert all(a.name == b.name for a, b in pairs(alignment) if a.op == "conv")
    assert alignment.counts["right"] == 0


def vgg(*widths: int | str) -> Analysis:
    """A VGG as torchvision writes it: a layer more, and others have other numbers."""
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
    return analyze(load(nn.Sequential(*layers).eval(), inputs="3x64x64"))


def test_numbers_as_names_mislead_nobody() -> None:
    left = vgg(8, 8, "M", 16, 16, "M", 32, 32, 32, "M", 32, 32, 32)
    right = vgg(8, 8, 8, "M", 16, 16, "M", 32, 32, 32, "M", 32, 32, 32)
    alignment = check(left, right)
    assert alignment.counts == {"same": len(left.layers), "changed": 0, "left": 0, "right": 2}
    assert [row.right.op for row in alignment.rows if row.left is None] in (
        ["conv", "relu"],
        ["relu", "conv"],
    )


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "squeezenet", "mobilenet-v1-0.25"])
def test_a_network_and_its_onnx_file(name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    before = zoo(name)
    onnx.save(archcost.to_onnx(renamed(before.graph), weights="none"), tmp_path / "net.onnx")
    alignment = check(before, zoo(tmp_path / "net.onnx"))
    for row in alignment.rows:
        for layer in (row.left, row.right):
            if layer is not None and layer.node.op.weighted:
                assert row.status == "same"


@pytest.mark.parametrize(
    ("left", "right"), [("resnet1202", "resnet1001"), ("resnet1001", "preresnet1001")]
)
def test_thousands_of_layers(left: str, right: str) -> None:
    """4213 and 3343 layers: 14 million pairs."""
    sides = zoo(left), zoo(right)
    assert all(len(side.layers) > 3000 for side in sides)
    start = time.process_time()
    alignment = align(*sides)
    assert time.process_time() - start < 3  # about 0.2
    assert alignment.counts["same"] > 1000
    for row in alignment.rows:
        if row.paired and row.left.name.startswith(("conv2_x", "conv3_x", "conv4_x")):
            assert row.left.outputs[0][2:] == row.right.outputs[0][2:]


def test_a_band_is_as_good_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = zoo("resnet152"), zoo("resnet101")
    exact = align(*sides)
    monkeypatch.setattr(sequences, "MOST_CELLS", 40_000)  # of 180,000
    assert told(align(*sides)) == told(exact)
