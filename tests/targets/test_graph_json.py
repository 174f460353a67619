"""The JSON of a graph: lossless, by its schema, and read without trust."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same_graph import difference
from torch_execution import small_graphs

import archcost
from archcost.analysis import analyze
from archcost.ir import BITS, ArchcostError, Graph, GraphBuilder, Op, Parameter, TensorType
from archcost.ir.op import operator
from archcost.ir.ops import make
from archcost.sources import graph_json as reader
from archcost.sources.errors import ModelFileError
from archcost.sources.graph_json import from_json
from archcost.targets import TargetError, to_json
from archcost.targets import graph_json as writer

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = writer.schema()


def valid(text: str) -> dict[str, Any]:
    """The document in ``text``, which the schema allows."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def same_again(graph: Graph) -> None:
    text = to_json(graph)
    again = from_json(text)
    assert difference(graph, again) is None
    assert to_json(again) == text


def tiny() -> Graph:
    builder = GraphBuilder("tiny")
    x = builder.input("image", TensorType((1, 3, 32, 32)))
    (y,) = builder.add(make("conv", out=8, kernel=3, padding=1), [x], "conv")
    (y,) = builder.add(make("relu"), [y], "relu")
    return builder.build({"output": y})


# --- what is written is read ----------------------------------------------------------------------


def test_reader_and_writer_name_one_form() -> None:
    assert writer.SCHEMA == reader.SCHEMA == SCHEMA["title"]
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["$defs"]["dtype"]["enum"]) == set(BITS)
    assert SCHEMA["properties"]["nodes"]["maxItems"] == reader.MAX_NODES
    assert SCHEMA["$defs"]["name"]["maxLength"] == reader.MAX_NAME
    assert SCHEMA["$defs"]["shape"]["maxItems"] == reader.MAX_RANK


@pytest.mark.parametrize("name", archcost.zoo_names())
def test_networks_of_the_zoo(name: str) -> None:
    same_again(archcost.load(name))


@settings(max_examples=60)
@given(
    small_graphs(
        (
            "conv",
            "depthwise_conv",
            "linear",
            "batch_norm",
            "max_pool",
            "concat",
            "sum",
            "slice",
            "split",
            "pad",
            "upsample",
            "flatten",
            "softmax",
        )
    )
)
def test_random_networks(graph: Graph) -> None:
    same_again(graph)
    valid(to_json(graph))


@pytest.mark.parametrize("name", ["simplenet", "rcnn-96-mnist", "lenet5"])
def test_the_schema_allows_it(name: str) -> None:
    valid(to_json(archcost.load(name)))


def test_what_the_guide_shows() -> None:
    if not DOCS.exists():
        pytest.skip("the documents are not part of an installation")
    shown = (DOCS / "graph-json.md").read_text(encoding="utf-8").partition("```json\n")[2]
    assert shown.partition("```")[0] == to_json(tiny())


def test_parameters_that_are_given_shared_and_unread() -> None:
    builder = GraphBuilder("odd")
    x = builder.input("x", TensorType((1, 4)))
    weight = Parameter("given", (4, 4), "fp16", False, 16, 32)
    share = {"weight": weight}
    (y,) = builder.add(make("linear", out=4), [x], "a", share=share)
    (y,) = builder.add(make("linear", out=4, bias=False), [y], "b", share=share)
    (z,) = builder.add(make("linear", out=4), [y], "c")
    assert z.producer is not None
    (y,) = builder.add(make("linear", out=4), [z], "d", share={"bias": z.producer.parameters[1]})
    unread = Parameter("unread", (), "int64", False, 1, 8)
    graph = builder.build({"y": y, "z": z, "y again": y}, unread=[unread])
    same_again(graph)
    document = valid(to_json(graph))
    assert document["unread"] == ["unread"]
    again = from_json(to_json(graph))
    assert analyze(again).totals == analyze(graph).totals
    assert len(again.parameters) == len(graph.parameters) == 6


def test_what_a_module_or_file_may_hold() -> None:
    builder = GraphBuilder("odd")
    x = builder.input("x", TensorType((2, 3)))
    i = builder.input("i", TensorType((5,), "int64"))
    (w,) = builder.add(make("weight", shape=[2, 3], dtype="fp32"), [], "w")
    (c,) = builder.add(make("constant", shape=(), dtype="bool"), [], "c")
    (y,) = builder.add(make("sum"), [x, w], "sum", inplace=True)
    types = [((1, 2), "int64"), ((0, 4), "fp32")]
    a, b = builder.add(make("opaque", name="torchvision::nms", types=types), [y, i, c], "nms")
    (y,) = builder.add(make("rescale", scale=float("-inf"), shift=1e-7), [y], "scale")
    graph = builder.build({"y": y, "a": a, "b": b}, {"assumptions": ("one", "two"), "year": None})
    same_again(graph)
    valid(to_json(graph))
    assert graph.node("sum").inplace
    assert "NaN" not in to_json(graph)


def test_names_that_collide() -> None:
    builder = GraphBuilder("collisions")
    x = builder.input("x", TensorType((1, 4)))
    (one,) = builder.add(make("relu"), [x], "s:1")
    first, second = builder.add(make("split", parts=2), [one], "s")
    (y,) = builder.add(make("sum"), [first, second], "s:0")
    same_again(builder.build({"": y, 'quote " \ud800': one}))


def test_an_operator_of_somebody_else_is_refused() -> None:
    @operator
    class Own(Op):
        kind = "relu"

        def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
            return inputs

    builder = GraphBuilder("own")
    (y,) = builder.add(Own(), [builder.input("x", TensorType((1, 4)))], "node")
    with pytest.raises(TargetError, match="node 'node': Own is no operator of archcost's own"):
        to_json(builder.build({"y": y}))


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(to_json(archcost.load("lenet5")), encoding="utf-8")
    assert difference(reader.read(path), archcost.load("lenet5")) is None
    changed = reader.read(path, batch=3, dtype="fp16", inputs=[(1, 36, 36)], settings={})
    expected = archcost.load(archcost.load("lenet5"), batch=3, dtype="fp16", inputs=(1, 36, 36))
    assert difference(changed, expected) is None
    with pytest.raises(ArchcostError, match="no parameters to set"):
        reader.read(path, settings={"classes": 3})


# --- what is not understood -----------------------------------------------------------------------


def refused(text: str) -> str:
    with pytest.raises(ModelFileError) as caught:
        from_json(text, "net.json")
    message = str(caught.value)
    assert message.startswith("net.json: ")
    assert len(message) < 500
    assert "\n" not in message
    return message.removeprefix("net.json: ")


def changed(change: Any) -> str:
    """``tiny`` after ``change`` of its document, as text."""
    document = json.loads(to_json(tiny()))
    change(document)
    return json.dumps(document)


def put(path: str, value: Any) -> Any:
    """A change: ``value`` at ``path``, keys and indices with dots between them."""

    def change(document: Any) -> None:
        *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in keys:
            document = document[key]
        document[last] = value

    return change


def drop(path: str) -> Any:
    def change(document: Any) -> None:
        *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in keys:
            document = document[key]
        del document[last]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("schema", "archcost.graph/2"), "schema: expected 'archcost.graph/1', .*graph/2'"),
        (drop("schema"), "schema: expected .*, found null"),
        (drop("nodes"), "lacks 'nodes'"),
        (put("node", 1), "unknown key 'node'; did you mean 'nodes'"),
        (put("nodes", {}), "nodes: expected a list, found an object"),
        (put("nodes.1", 3), r"nodes\[1\]: expected an object, found 3"),
        (put("nodes.0.op", "konv"), r"nodes\[0\].op: no operator 'konv'; did you mean 'conv'"),
        (put("nodes.0.op", ["conv"]), r'nodes\[0\].op: no operator \["conv"\]'),
        (put("nodes.0.arguments.kernel", 0), r"nodes\[0\].arguments.kernel: expected an integer"),
        (put("nodes.0.arguments.kernel", [[]]), r"nodes\[0\].arguments.kernel: expected"),
        (put("nodes.0.arguments.kernal", 3), r"arguments: unknown key 'kernal'; did .*'kernel'"),
        (drop("nodes.0.arguments.out"), r"nodes\[0\].arguments: lacks 'out'"),
        (put("nodes.0.arguments.kernel", 99), r"nodes\[0\]: node 'conv': .*\(inputs: 1x3x32x32\)"),
        (put("nodes.0.arguments.out", 9), r"parameters\[0\]|nodes\[0\]: node 'conv': shares"),
        (put("nodes.0.name", "relu"), "two nodes are named 'relu'"),
        (put("nodes.0.inputs", ["relu"]), r"nodes\[0\].inputs\[0\]: no input and no node before"),
        (put("nodes.0.inputs", []), r"nodes\[0\]: node 'conv': conv needs 1 inputs, not 0"),
        (put("nodes.0.outputs", []), r"nodes\[0\].outputs: conv has 1 outputs here, not 0"),
        (put("nodes.0.outputs.0.shape.1", 9), r"outputs\[0\]: conv gives 1x8x32x32 here, not 1x9x"),
        (put("nodes.0.outputs.0.dtype", "fp16"), r"gives 1x8x32x32 here, not 1x8x32x32:fp16"),
        (put("nodes.0.outputs.0.name", "image"), r"outputs\[0\].name: two values are named"),
        (put("nodes.0.parameters.bias", "x"), r"nodes\[0\].parameters.bias: .* none named 'x'"),
        (drop("nodes.0.parameters.bias"), r"nodes\[0\].parameters: lacks 'bias'"),
        (drop("nodes.0.parameters"), r"nodes\[0\].parameters: lacks 'weight'"),
        (put("nodes.0.inplace", 1), r"nodes\[0\].inplace: expected true or false, found 1"),
        (put("parameters.0.shape", [-1]), r"parameters\[0\].shape\[0\]: expected a size"),
        (put("parameters.0.shape", [2**31] * 2), r"parameters\[0\].shape\[0\]: expected a size"),
        (put("parameters.0.shape", [2**30] * 2), r"parameters\[0\].shape: a tensor beyond 2\^53"),
        (put("parameters.0.shape", [1] * 65), r"parameters\[0\].shape: expected a list of up to"),
        (put("parameters.0.shape", [True]), r"parameters\[0\].shape\[0\]: expected a size"),
        (put("parameters.0.dtype", "float"), r"parameters\[0\].dtype: no dtype 'float'"),
        (put("parameters.0.name", "w"), r"nodes\[0\].parameters.weight: parameters has none"),
        (put("parameters.1.name", "conv.weight"), r"parameters\[1\]: two parameters are named"),
        (put("unread", ["conv.bias"]), r"parameters\[1\]: a node has it, so it is not in unread"),
        (put("unread", [None]), r"unread\[0\]: parameters has none named null"),
        (put("inputs.0.shape", [1, 0]), r"inputs\[0\]: .*every size must be >= 1"),
        (put("inputs.0.name", ""), r"inputs\[0\].name: expected a name, found ''"),
        (put("inputs.0.name", "x" * 1001), r"inputs\[0\].name: a name has at most 1000 characters"),
        (put("outputs", {}), "tiny has no output"),
        (put("outputs", {"an output": "x"}), r"outputs\['an output'\]: no input and no node"),
        (put("metadata", []), r"metadata: expected an object, found \[\]"),
        (put("metadata", {"a": {"b": [1, float("nan")]}}), r"metadata.a.b\[1\]: no number .*'NaN'"),
        (put("metadata", {"title": 1}), "metadata.title: expected text, found 1"),
        (put("metadata", {"notes": "x"}), "metadata.notes: expected a list, found 'x'"),
        (
            put("metadata", {"assumptions": ["x", []]}),
            r"assumptions\[1\]: expected text, found \[\]",
        ),
        (put("metadata", {"source": {"a b": None}}), r"source\['a b'\]: expected text, found null"),
        (put("metadata", {"parameters": []}), r"metadata.parameters: expected an object"),
        (put("metadata", {"blobs": {"x": 1}}), "metadata.blobs.x: expected text, found 1"),
        (put("metadata", {"a": 10**21}), r"metadata.a: no number that archcost reads"),
        (put("nodes.0.arguments.out", 10**40), r"nodes\[0\].arguments.out: no number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change: Any, message: str) -> None:
    assert re.search(message, refused(changed(change)))


def test_what_only_text_can_be() -> None:
    assert refused("") == "line 1, column 1: no JSON: expecting value"
    assert refused("{") == (
        "line 1, column 2: no JSON: expecting property name enclosed in double quotes"
    )
    assert refused("3") == "expected an object, found 3"
    assert "twice" in refused(to_json(tiny()).replace('"op": "conv"', '"op": "conv", "op": "relu"'))
    assert "nested more than 64 deep" in refused("[" * 100_000)
    assert "nested more than 64 deep" in refused('{"a":' * 80 + "1" + "}" * 80)
    assert refused('{"a": 1e999}') == "a: no number that archcost reads: 'inf'"
    assert "more than 10000000 values" in refused("[" + "[]," * reader.MAX_VALUES)


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, content, message in [
        ("missing.json", None, "cannot be read: No such file"),
        ("binary.json", b"\xff\xfe\x00", "not UTF-8 text"),
    ]:
        if content is not None:
            (tmp_path / path).write_bytes(content)
        with pytest.raises(ModelFileError, match=message):
            reader.read(tmp_path / path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        reader.read(tmp_path)
    with pytest.raises(ModelFileError, match="device or pipe"):
        reader.read(Path("/dev/zero"))
    with pytest.raises(ModelFileError, match="no file has such a name"):
        reader.read(Path("a\0b"))


def test_a_graph_of_many_nodes() -> None:
    nodes = changed(lambda document: document["nodes"].extend([0] * reader.MAX_NODES))
    assert refused(nodes).startswith("nodes: at most 250000 nodes")


ODD = st.sampled_from(
    [None, True, -1, 0, 1, 3, 2**31, 1.5, "", "conv", "image", "inf", [], {}, [1, 2], [[0]], "fp16"]
)


def places(value: Any, path: str = "") -> list[str]:
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    found = []
    for key, entry in entries:
        here = f"{path}.{key}" if path else str(key)
        found += [here, *places(entry, here)]
    return found


FAMILIES = ["lenet5", "simplenet", "rcnn-96-mnist"]
DOCUMENTS = [json.loads(to_json(archcost.load(name))) for name in FAMILIES]
PLACES = [[p for p in places(d) if not p.startswith("metadata")] for d in DOCUMENTS]


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_changed_is_read_or_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(DOCUMENTS) - 1))
    document = json.loads(json.dumps(DOCUMENTS[at]))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(PLACES[at]))
        change = data.draw(st.sampled_from([drop(place), put(place, data.draw(ODD))]))
        try:
            change(document)
        except (KeyError, IndexError, TypeError):
            continue
    try:
        graph = from_json(json.dumps(document))
    except ModelFileError:
        return
    assert analyze(graph).totals.params >= 0
    same_again(graph)


@settings(max_examples=100)
@given(st.text(max_size=60) | st.text('[]{},:"0aeE.-', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(ModelFileError):
        from_json(text)
