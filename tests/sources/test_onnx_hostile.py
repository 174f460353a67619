"""ONNX files that are broken or made to do harm: a graph or one sentence, soon."""

from __future__ import annotations

import random
from time import process_time

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, helper
from onnx_models import FLOAT, model, saved, typed

from archcost.ir import ArchcostError, Graph
from archcost.sources.onnx import read, reader
from archcost.sources.onnx.file import MOST_NODES

node = helper.make_node

SOON = 30
"""Seconds of the processor: no measure of speed, but what would hang takes longer."""


def outcome(path) -> Graph | str:
    """The graph, or what was wrong: in one line, with the file's name."""
    try:
        return read(path)
    except ArchcostError as error:
        message = str(error)
        assert path.name in message
        assert "\n" not in message
        assert len(message) < 1500
        return message


def in_turn(type_, count, **attributes):
    names = ["x", *(f"t{at}" for at in range(1, count)), "y"]
    return [node(type_, [names[at]], [names[at + 1]], **attributes) for at in range(count)]


def number(value, dtype=np.int64):
    return np.array(value, dtype)


# --- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dims", [[2**62], [2**31, 2**31], [2**40, 2**40], [-1], [-(2**62), 4], [1] * 1000]
)
@pytest.mark.parametrize("external", [False, True])
def test_tensors_that_claim_too_much(tmp_path, dims, external):
    tensor = TensorProto(name="w", dims=dims, data_type=FLOAT)
    if external:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w.bin")
    else:
        tensor.raw_data = b"1234"
    found = outcome(saved(model([node("Add", ["x", "w"], ["y"])], None, {"w": tensor}), tmp_path))
    assert "tensor 'w'" in found


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([node("ConstantOfShape", ["s"], ["y"])], {"s": number([2**40, 2**40])}),
        ([node("Expand", ["x", "s"], ["y"])], {"s": number([2**30, 2**30, 4])}),
        ([node("Tile", ["x", "s"], ["y"])], {"s": number([2**30, 2**30])}),
        (
            [node("Range", ["a", "b", "c"], ["r"]), node("Add", ["x", "r"], ["y"])],
            {"a": number(0), "b": number(2**62), "c": number(1)},
        ),
        (
            [node("Range", ["a", "b", "c"], ["r"]), node("Add", ["x", "r"], ["y"])],
            {"a": number(0), "b": number(9), "c": number(0)},
        ),
        ([node("Pad", ["x", "s"], ["y"])], {"s": number([2**60, 0, 2**60, 0])}),
        ([node("Pad", ["x", "s"], ["y"])], {"s": number([0, -(2**60), 0, -4])}),
        ([node("OneHot", ["i", "d", "v"], ["y"])], {
            "i": number([1]), "d": number(2**60), "v": number([0, 1])}),
        ([node("Reshape", ["x", "s"], ["y"])], {"s": number([2**62, 2, 0, -1])}),
        ([node("Resize", ["x", "", "f"], ["y"])], {"f": number([1e30, 1e30], np.float32)}),
        ([node("Resize", ["x", "", "f"], ["y"])], {"f": number([np.nan, np.inf], np.float32)}),
        ([node("Slice", ["x", "s", "e", "a"], ["y"])], {
            "s": number([2**62]), "e": number([-(2**62)]), "a": number([0])}),
        ([node("Split", ["x"], ["y", *map(str, range(5000))], axis=0)], {}),
        ([node("Einsum", ["x"], ["y"], equation="a" * 100_000)], {}),
        ([node("Transpose", ["x"], ["y"], perm=[2**62, -1])], {}),
        ([node("Flatten", ["x"], ["y"], axis=2**62)], {}),
        ([node("Unsqueeze", ["x", "a"], ["y"])], {"a": np.arange(1000)}),
        ([node("TopK", ["x", "k"], ["y", "i"])], {"k": number([2**62])}),
        ([node("TopK", ["x", "k"], ["y", "i"])], {"k": number([-1])}),
        ([node("Loop", ["n", "", "x"], ["y"], body=onnx.GraphProto())], {"n": number(2**62)}),
        ([node("Constant", [], ["y"])], {}),
        ([node("Constant", [], ["y"], value_string="a")], {}),
        ([node("Gather", ["x", "i"], ["y"])], {"i": number([2**62])}),
        ([node("GatherND", ["x", "i"], ["y"])], {"i": np.zeros((2, 0), np.int64)}),
    ],
)  # fmt: skip
def test_arguments_beyond_all_measure(tmp_path, nodes, weights):
    outcome(saved(model(nodes, {"x": (1, 4)}, weights), tmp_path))


@pytest.mark.parametrize("value", [0, -1, 2**62, 3, 10**6])
@pytest.mark.parametrize("name", ["strides", "dilations", "kernel_shape", "pads", "group"])
@pytest.mark.parametrize("type_", ["Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"])
def test_windows_beyond_all_measure(tmp_path, type_, name, value):
    how = {"kernel_shape": [3, 3]}
    how[name] = value if name == "group" else [value] * (4 if name == "pads" else 2)
    names = ["x", "w"] if type_.startswith("Conv") else ["x"]
    outcome(
        saved(
            model([node(type_, names, ["y"], **how)], {"x": (1, 4, 8, 8)}, {"w": (4, 4, 3, 3)}),
            tmp_path,
        )
    )


# --- numbers of nodes, and depth ----------------------------------------------------------------


def field(number, data):
    """A message or text as a field of a protocol buffer."""
    length, size = [], len(data)
    while size >= 128:
        length.append(size % 128 + 128)
        size //= 128
    return bytes([number * 8 + 2, *length, size]) + data


def test_a_million_nodes(tmp_path):
    one = field(1, node("Relu", ["x"], ["x"]).SerializeToString())
    path = saved(model([]).SerializeToString() + field(7, one * 1_000_000), tmp_path)
    begin = process_time()
    assert f"1000000 nodes; at most {MOST_NODES} are read" in outcome(path)
    assert process_time() - begin < SOON


@pytest.mark.parametrize("type_", ["Relu", "Identity", "Transpose"])
def test_a_long_chain(tmp_path, type_):
    """Of nodes, of names, of nodes that are put off."""
    nodes = in_turn(type_, 3000)
    assert isinstance(outcome(saved(model(nodes), tmp_path)), Graph)
    nodes[0].input[0] = "w"
    nodes.append(node("Add", ["x", "y"], ["z"]))
    proto = model(nodes, {"x": (6, 6)}, {"w": (6, 6)}, outputs=["z"])
    found = outcome(saved(proto, tmp_path))
    assert isinstance(found, Graph) or "deeply" in found


def test_functions_that_double(tmp_path, monkeypatch):
    """Each calls the one before twice: 2^29 nodes in 60."""
    monkeypatch.setattr(reader, "MOST_NODES", 5000)  # to be sooner there
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    functions = [
        helper.make_function("f", "f0", ["a"], ["b"], [node("Relu", ["a"], ["b"])], imports)
    ]
    for at in range(1, 30):
        body = [
            node(f"f{at - 1}", ["a"], ["m"], domain="f"),
            node(f"f{at - 1}", ["m"], ["b"], domain="f"),
        ]
        functions.append(helper.make_function("f", f"f{at}", ["a"], ["b"], body, imports))
    nodes = [node("f29", ["x"], ["y"], domain="f")]
    path = saved(model(nodes, functions=functions, domains=["f"]), tmp_path)
    assert "more than 5000 nodes" in outcome(path)


def in_a_loop(nodes, turns, weights=()):
    """A body for loops of ``turns``: ``nodes`` that make "s1" of "s" and "go"."""
    tensors = [onnx.numpy_helper.from_array(np.zeros(1, "f"), name) for name in weights]
    after = typed("s1" if nodes else "s", [1, 4])
    body = helper.make_graph(
        nodes,
        "body",
        [typed("turn", [], TensorProto.INT64), typed("go", [], TensorProto.BOOL), typed("s", None)],
        [typed("go", [], TensorProto.BOOL), after],
        tensors,
    )
    return node("Loop", ["n", "", "x"], ["y"], body=body), {"n": number(turns)}


def long_branch(count):
    """A branch that is not taken: its names are looked through all the same."""
    taken = helper.make_graph([node("Relu", ["s"], ["t"])], "a", [], [typed("t", None)])
    nodes = [node("Relu", ["s"], [f"t{at}"]) for at in range(count)]
    other = helper.make_graph(nodes, "b", [], [typed("t0", None)])
    return [node("If", ["go"], ["s1"], then_branch=taken, else_branch=other)]


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [([], ()), ([node("Relu", ["s"], ["s1"])], map(str, range(50))), (long_branch(50), ())],
    ids=["no nodes", "weights", "branches"],
)
def test_loops_that_take_long(tmp_path, monkeypatch, nodes, weights):
    """However little becomes of a turn."""
    monkeypatch.setattr(reader, "MOST_NODES", 5000)
    loop, numbers = in_a_loop(nodes, 9000, weights)
    assert "more than 5000 nodes" in outcome(saved(model([loop], None, numbers), tmp_path))


@pytest.mark.parametrize(
    ("nodes", "weights", "size"),
    [
        ([node("Split", ["x"], ["y"], num_outputs=2**28)], {}, 2**28),
        (
            [node("SplitToSequence", ["x"], ["s"]), node("SequenceAt", ["s", "i"], ["y"])],
            {"i": number(0)},
            2**28,
        ),
        ([node("Gather", ["x", "i"], ["y"])], {"i": number([0, 1, 2**28])}, 2**29),
        (
            [node("Range", ["a", "b", "c"], ["r"]), node("Unsqueeze", ["x", "r"], ["y"])],
            {"a": number(0), "b": number(20_000), "c": number(1)},
            4,
        ),
    ],
    ids=["Split", "SplitToSequence", "Gather", "Unsqueeze"],
)
def test_lists_that_would_be_long(tmp_path, nodes, weights, size):
    begin = process_time()
    outcome(saved(model(nodes, {"x": (size,)}, weights, opset=18), tmp_path))
    assert process_time() - begin < SOON


def test_a_weight_of_many(tmp_path):
    """Each concatenation is made of all that those before it are made of."""
    count = 2500
    nodes = [
        node("Concat", ["w0" if at == 1 else f"c{at - 1}", f"w{at}"], [f"c{at}"], axis=0)
        for at in range(1, count)
    ]
    nodes.append(node("Add", ["x", f"c{count - 1}"], ["y"]))
    weights = {f"w{at}": (1, 4) for at in range(count)}
    begin = process_time()
    outcome(saved(model(nodes, None, weights), tmp_path))
    assert process_time() - begin < SOON


def test_a_function_that_calls_itself(tmp_path):
    imports = [helper.make_opsetid("f", 1)]
    body = [node("f", ["a"], ["b"], domain="f")]
    function = helper.make_function("f", "f", ["a"], ["b"], body, imports)
    nodes = [node("f", ["x"], ["y"], domain="f")]
    path = saved(model(nodes, functions=[function], domains=["f"]), tmp_path)
    assert "nested more than 32 deep" in outcome(path)


@pytest.mark.parametrize(("depth", "message"), [(20, None), (60, "cannot be decoded")])
def test_branches_in_branches(tmp_path, depth, message):
    """A protocol buffer is not read beyond a hundred levels, three for each branch."""
    inside = field(1, node("Relu", ["x"], ["y"]).SerializeToString())
    for _ in range(depth):
        graph = onnx.GraphProto(output=[onnx.ValueInfoProto(name="y")]).SerializeToString()
        branch = AttributeProto(name="then_branch", type=AttributeProto.GRAPH).SerializeToString()
        outer = node("If", ["c"], ["y"]).SerializeToString()
        inside = field(1, outer + field(5, branch + field(6, graph + inside)))
    proto = model([], None, {"c": np.array(True)}).SerializeToString()
    found = outcome(saved(proto + field(7, inside), tmp_path))
    assert isinstance(found, Graph) if message is None else message in found


def test_much_arithmetic_on_large_constants(tmp_path):
    large = np.ones(2**20, np.int64)
    nodes = [node("Add", ["c", "c"], [f"t{at}"]) for at in range(2000)]
    path = saved(model([*nodes, node("Relu", ["x"], ["y"])], None, {"c": large}), tmp_path)
    begin = process_time()
    assert isinstance(outcome(path), Graph)
    assert process_time() - begin < SOON


# --- references ---------------------------------------------------------------------------------


def test_a_cycle(tmp_path):
    nodes = [node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"]), node("Add", ["x", "a"], ["y"])]
    assert "reads 'b', which no node before it gives" in outcome(saved(model(nodes), tmp_path))


def test_names_that_are_no_text(tmp_path):
    data = model([node("Relu", ["x"], ["y"], name="qqqq")]).SerializeToString()
    found = outcome(saved(data.replace(b"qqqq", b"\xff\xfe\xfd\xfc"), tmp_path))
    assert "is no UTF-8 text" in found


def test_two_tensors_of_one_name(tmp_path):
    proto = model([node("Add", ["x", "w"], ["y"])], None, {"w": (4,)})
    proto.graph.initializer.append(proto.graph.initializer[0])
    assert "two tensors of one graph are named 'w'" in outcome(saved(proto, tmp_path))


# --- chance -------------------------------------------------------------------------------------


def network():
    nodes = [
        node(
            "Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], name="/a/Conv"
        ),
        node("BatchNormalization", ["c", "g", "b", "b", "g"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", ["p"], ["s"]),
        node("Slice", ["s", "zero", "one"], ["first"]),
        node("Concat", ["first", "rest"], ["shape"], axis=0),
        node("Reshape", ["p", "shape"], ["f"]),
        node("Gemm", ["f", "v", "o"], ["l"], transB=1),
        node("Softmax", ["l"], ["y"], axis=-1),
    ]
    weights = {"w": (4, 3, 3, 3), "b": (4,), "g": (4,), "v": (5, 64), "o": (5,)}
    weights |= {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([-1])}
    return model(nodes, {"x": ("batch", 3, 8, 8)}, weights)


def mutated(data: bytes, random: random.Random) -> bytes:
    kind = random.random()
    if kind < 0.25:
        return data[: random.randrange(len(data))]
    result = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5, 20])):
        at, other = random.randrange(len(data)), random.randrange(len(data))
        if kind < 0.6:
            result[at] ^= 1 << random.randrange(8)
        elif kind < 0.8:
            result[at] = random.choice([0, 1, 127, 128, 255])
        else:
            length = random.randrange(1, 40)
            result[at : at + length] = result[other : other + length]
    return bytes(result)


@given(st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_bytes_that_were_changed(tmp_path_factory, chance):
    folder = tmp_path_factory.getbasetemp()
    begin = process_time()
    outcome(saved(mutated(network().SerializeToString(), chance), folder, "changed.onnx"))
    assert process_time() - begin < SOON


KEYS = (
    "axis axes perm kernel_shape strides pads group to keepdims split alpha mode auto_pad "
    "num_outputs blocksize equation num_groups k"
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(KEYS.split()),
    st.one_of(
        st.integers(-3, 5),
        st.lists(st.integers(-2, 5), max_size=5),
        st.floats(-1, 2, width=32),
        st.sampled_from(["SAME_UPPER", "linear", "ij,jk->ik", "constant"]),
    ),
    max_size=4,
)


@st.composite
def models(draw):
    """Nodes of any operators that archcost knows, on inputs and attributes of any kind."""
    nodes, there = [], ["x", "w", "i", "k"]
    for number in range(draw(st.integers(1, 5))):
        domain, type_ = draw(st.sampled_from(sorted(reader.OPERATORS)))
        names = st.sampled_from([*there, *there[4:], ""])
        given_ = draw(st.lists(names, min_size=1, max_size=5))
        outputs = [
            f"{number}{letter}" for letter in "abc"[: draw(st.sampled_from([1, 1, 1, 2, 3]))]
        ]
        one = node(type_, given_, outputs, domain=domain)
        for name, value in draw(ATTRIBUTES).items():
            if value == []:
                one.attribute.add(name=name, type=AttributeProto.INTS)
            else:
                one.attribute.append(helper.make_attribute(name, value))
        nodes.append(one)
        there += outputs
    shape = draw(st.sampled_from([(1, 4), (2, 3, 4), (1, 4, 6, 6), ()]))
    weights = {"w": draw(st.sampled_from([(4, 4), (4, 4, 3, 3), (4,), (1, 16, 4)]))}
    weights |= {"i": np.array(draw(st.lists(st.integers(-3, 6), max_size=4)), np.int64)}
    weights |= {"k": np.array(draw(st.integers(-1, 3)))}
    opset = draw(st.sampled_from([7, 11, 13, 18, 21]))
    domains = ["com.microsoft"]
    inputs = {"x": shape}
    return model(nodes, inputs, weights, outputs=there[-1:], opset=opset, domains=domains)


@given(models())
@settings(max_examples=400)
def test_models_of_any_kind(tmp_path_factory, proto):
    begin = process_time()
    outcome(saved(proto, tmp_path_factory.getbasetemp(), "any.onnx"))
    assert process_time() - begin < SOON
