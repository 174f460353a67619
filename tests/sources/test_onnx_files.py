"""ONNX files: inputs and batch, parameters, constants, names, unknown operators, messages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_line import call, ok
from onnx import TensorProto, helper
from onnx_models import FLOAT, INT64, kinds, model, saved, shown, typed

import archcost
from archcost.analysis import analyze
from archcost.ir import ArchcostError, ShapeError
from archcost.sources.errors import ModelFileError
from archcost.sources.onnx import read

node = helper.make_node


@pytest.fixture
def load(tmp_path):
    """Writes a model and reads it."""

    def loaded(proto, **arguments):
        return read(saved(proto, tmp_path), **arguments)

    return loaded


def relu(inputs, **arguments):
    return model([node("Relu", ["x"], ["y"])], inputs, **arguments)


# --- inputs -------------------------------------------------------------------------------------


def test_the_command_line_reads_it(tmp_path):
    weights = {"w": (8, 3, 3, 3), "b": (8,)}
    path = saved(
        model([node("Conv", ["x", "w", "b"], ["y"])], {"x": (1, 3, 8, 8)}, weights), tmp_path
    )
    report = json.loads(ok("report", str(path), "--format", "json"))
    assert report["totals"]["params"] == 8 * 27 + 8
    assert report["totals"]["macs"] == 8 * 27 * 36


def test_a_named_batch_is_one_or_what_is_asked_for(load):
    proto = relu({"x": ("batch", 3, 8)})
    assert load(proto).inputs[0].shape == (1, 3, 8)
    assert load(proto, batch=5).inputs[0].shape == (5, 3, 8)


def test_a_batch_in_the_file_is_kept_unless_another_is_asked_for(load):
    proto = relu({"x": (8, 3)})
    assert load(proto).inputs[0].shape == (8, 3)
    assert load(proto, batch=2).inputs[0].shape == (2, 3)


@pytest.mark.parametrize("unknown", [None, 0, -1, "height", "?"])
def test_other_open_sizes_are_asked_for(load, unknown):
    proto = relu({"x": ("N", 3, unknown, 8)})
    with pytest.raises(ModelFileError, match=r"net.onnx: input 'x' is \(N, 3, .*--input 3x64x8"):
        load(proto)
    assert load(proto, inputs=[(3, 9, 8)]).inputs[0].shape == (1, 3, 9, 8)


def test_a_size_that_has_a_name_is_given_once(load):
    inputs = {"x": ("batch", "time"), "m": ("batch", "time"), "state": (2, "batch", 8)}
    proto = model([node("Add", ["x", "m"], ["y"])], inputs)
    graph = load(proto, inputs=[(7,)], batch=3)
    assert [value.shape for value in graph.inputs] == [(3, 7), (3, 7), (2, 3, 8)]
    with pytest.raises(ModelFileError, match="'time' is 7 in input 'x' and 6 in 'm'"):
        load(proto, inputs=[(7,), (6,), (2, 8)])


def test_given_sizes_go_before_those_of_the_file(load):
    weights = {"w": (4, 3, 3, 3)}
    proto = model([node("Conv", ["x", "w"], ["y"])], {"x": (1, 3, 8, 8)}, weights)
    assert load(proto, inputs=[(3, 20, 10)]).outputs[0].shape == (1, 4, 18, 8)
    fixed = model(
        [node("Conv", ["x", "w"], ["c"]), node("Reshape", ["c", "s"], ["y"])],
        {"x": (1, 3, 8, 8)},
        weights | {"s": np.array([1, 144])},
    )
    with pytest.raises(ModelFileError, match=r"'Reshape_1' \(Reshape\): cannot make \[1, 144\]"):
        load(fixed, inputs=[(3, 20, 10)])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([(3, 8), (3, 8)], "2 input shapes are given, the model has 1: 'x' (1, 3, 8)"),
        ([(3, 8, 8)], "input 'x' is (1, 3, 8): it needs 2 sizes without the batch, like 3x8; 3"),
        ([(3, 0)], "input 'x' has a size of 0"),
    ],
)
def test_inputs_that_do_not_fit(load, inputs, message):
    with pytest.raises(ModelFileError) as error:
        load(relu({"x": (1, 3, 8)}), inputs=inputs)
    assert message in str(error.value)


def test_a_scalar_input_is_a_constant(load):
    rate = typed("rate", (), INT64)
    graph = load(model([node("Relu", ["x"], ["y"])], {"x": (1, 4), "rate": rate}))
    assert len(graph.inputs) == 1
    assert graph.metadata["assumptions"] == ["input 'rate' is a scalar: it is taken for a constant"]


def test_initializers_among_the_inputs_are_none(load):
    proto = model([node("Add", ["x", "w"], ["y"])], {"x": (1, 4), "w": (4,)}, {"w": (4,)})
    assert [value.name for value in load(proto).inputs] == ["x"]


def test_dtype_and_settings(load):
    proto = model([node("MatMul", ["x", "w"], ["y"])], {"x": (1, 4)}, {"w": (4, 6)})
    graph = load(proto, dtype="fp16")
    assert graph.outputs[0].type.dtype == "fp16"
    assert graph.parameters[0].dtype == "fp16"
    with pytest.raises(ModelFileError, match="an ONNX file has no parameters to set"):
        load(proto, settings={"classes": 10})


def test_with_batch_is_as_reading_with_it(load):
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("Shape", ["c"], ["s"]),
        node("Slice", ["s", "zero", "one"], ["n"]),
        node("Concat", ["n", "rest"], ["shape"], axis=0),
        node("Reshape", ["c", "shape"], ["r"]),
        node("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["t", "v"], ["m"]),
        node("Add", ["m", "b"], ["y"]),
    ]
    weights = {"w": (8, 3, 3, 3), "v": (8, 5), "b": (5,), "rest": np.array([8, -1])}
    weights |= {"zero": np.array([0]), "one": np.array([1])}
    proto = model(nodes, {"x": ("n", 3, 6, 6)}, weights)
    graph = load(proto)
    assert kinds(graph) == ["conv", "reshape", "permute", "linear"]
    again, read_ = graph.with_batch(4), load(proto, batch=4)
    assert [n.op for n in again] == [n.op for n in read_]
    assert analyze(again).totals == analyze(read_).totals


# --- parameters ---------------------------------------------------------------------------------


def test_parameters_keep_their_names(load):
    roles = ["scale", "shift", "mean", "var"]
    nodes = [
        node("Conv", ["x", "conv.weight"], ["c"]),
        node("BatchNormalization", ["c", *roles], ["y"]),
    ]
    weights = {"conv.weight": (4, 3, 1, 1)} | dict.fromkeys(roles, (4,))
    graph = load(model(nodes, {"x": (1, 3, 2, 2)}, weights))
    assert [(p.name, p.trainable) for p in graph.parameters] == [
        ("conv.weight", True),
        ("scale", True),
        ("shift", True),
        ("mean", False),
        ("var", False),
    ]


def test_a_weight_used_twice_counts_once(load):
    """Tied embeddings, the second time transposed."""
    nodes = [
        node("Gather", ["table", "x"], ["e"]),
        node("Transpose", ["table"], ["t"], perm=[1, 0]),
        node("MatMul", ["e", "t"], ["y"]),
    ]
    graph = load(model(nodes, {"x": typed("x", (1, 6), INT64)}, {"table": (50, 16)}))
    assert kinds(graph) == ["embedding", "linear"]
    assert [p.name for p in graph.parameters] == ["table"]
    assert analyze(graph).totals.params == 800


def test_a_weight_in_two_shapes_counts_once(load):
    """First as the (out, in) of a linear layer, then as it is, and the other way round."""
    product, total = node("MatMul", ["x", "w"], ["m"]), node("Add", ["x", "w"], ["s"])
    end = node("Concat", ["m", "s"], ["y"], axis=1)
    for nodes in ([product, total, end], [total, product, end]):
        graph = load(model(nodes, {"x": (5, 5)}, {"w": (5, 5)}))
        totals = analyze(graph).totals
        assert (totals.params, totals.macs) == (25, 125)
    inputs = {"x": (5, 4), "z": (4, 6)}
    for nodes in (
        [product, node("Add", ["z", "w"], ["s"])],
        [node("Add", ["z", "w"], ["s"]), product],
    ):
        graph = load(model(nodes, inputs, {"w": (4, 6)}, outputs=["m", "s"]))
        totals = analyze(graph).totals
        assert (totals.params, totals.macs) == (24, 120)
        assert [value.shape for value in graph.outputs] == [(5, 6), (4, 6)]


def test_what_no_node_reads_is_unread(load):
    proto = model([node("Relu", ["x"], ["y"])], None, {"left": (3, 5), "numbers": np.arange(3)})
    graph = load(proto)
    assert [(p.name, p.trainable) for p in graph.unread] == [("left", True), ("numbers", False)]
    assert analyze(graph).totals.params == 15


@pytest.mark.parametrize(
    ("array", "params", "buffers"),
    [
        (np.ones((4,), "f"), 4, 0),
        (np.ones((2, 4), "f"), 8, 0),
        (np.array(0.5, "f"), 0, 0),
        (np.array([0.5], "f"), 0, 0),
        (np.array([0, -np.inf, 0, -np.inf], "f"), 0, 4),  # a mask
    ],
)
def test_which_tensors_are_parameters(load, array, params, buffers):
    graph = load(model([node("Add", ["x", "w"], ["y"])], {"x": (2, 4)}, {"w": array}))
    totals = analyze(graph).totals
    assert (totals.params, totals.buffers) == (params, buffers)


def test_indices_are_buffers(load):
    weights = {"table": (49, 2), "places": np.arange(16)[::-1].reshape(4, 4).copy()}
    nodes = [node("Gather", ["table", "places"], ["g"]), node("Add", ["x", "g"], ["y"])]
    totals = analyze(load(model(nodes, {"x": (1, 4, 4, 2)}, weights))).totals
    assert (totals.params, totals.buffers) == (98, 16)


def test_rows_put_in_another_order_are_the_same_parameter(load):
    """As torch's exporter arranges the gates of an LSTM when it does not fold constants."""
    cuts = [node("Slice", ["w", str(a), str(b)], [f"w{a}"]) for a, b in ((0, 4), (4, 8), (8, 12))]
    nodes = [
        *cuts,
        node("Concat", ["w8", "w0", "w4"], ["moved"], axis=0),
        node("Transpose", ["moved"], ["t"], perm=[1, 0]),
        node("MatMul", ["x", "t"], ["y"]),
    ]
    places = {str(at): np.array([at]) for at in (0, 4, 8, 12)}
    graph = load(model(nodes, {"x": (2, 6)}, {"w": (12, 6)} | places))
    assert kinds(graph) == ["linear"]
    assert [p.name for p in graph.parameters] == ["w"]
    nodes[-3] = node("Concat", ["w8", "w0", "w0"], ["moved"], axis=0)  # not each row once
    graph = load(model(nodes, {"x": (2, 6)}, {"w": (12, 6)} | places))
    assert kinds(graph)[-1] == "matmul"
    assert analyze(graph).totals.params == 72


def test_a_product_and_its_bias_are_one_layer(load):
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["b", "m"], ["y"])]
    graph = load(model(nodes, {"x": (2, 7, 4)}, {"w": (4, 5), "b": (5,)}))
    assert kinds(graph) == ["linear"]
    assert graph.nodes[0].application.work.add == 2 * 7 * 5
    outputs = ["m", "y"]  # the product is read besides
    graph = load(model(nodes, {"x": (2, 7, 4)}, {"w": (4, 5), "b": (5,)}, outputs=outputs))
    assert kinds(graph) == ["linear", "weight", "sum"]
    assert analyze(graph).totals.params == 25


def test_weights_in_other_files_are_not_opened(load, tmp_path):
    entry = onnx.StringStringEntryProto(key="location", value="weights/a.bin")
    tensor = TensorProto(
        name="w", dims=[4, 6], data_type=FLOAT, data_location=1, external_data=[entry]
    )
    graph = load(model([node("MatMul", ["x", "w"], ["y"])], None, {"w": tensor}))
    assert analyze(graph).totals.params == 24
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    "location",
    ["../a.bin", "a/../../b", "/etc/passwd", "C:\\a.bin", "..\\a.bin", "\\\\host\\a", "a/..//../b"],
)
def test_weights_outside_the_folder_are_refused(load, location):
    entry = onnx.StringStringEntryProto(key="location", value=location)
    tensor = TensorProto(
        name="w", dims=[4, 6], data_type=FLOAT, data_location=1, external_data=[entry]
    )
    proto = model([node("MatMul", ["x", "w"], ["y"])], None, {"w": tensor})
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        load(proto)
    inner = node("Constant", [], ["w"], value=tensor)
    with pytest.raises(ModelFileError, match="outside the model's folder"):
        load(model([inner, node("MatMul", ["x", "w"], ["y"])]))


# --- constants ----------------------------------------------------------------------------------


def test_what_is_known_before_the_pass_costs_nothing(load):
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "two"], ["h"]),
        node("Cast", ["h"], ["f"], to=FLOAT),
        node("Sqrt", ["f"], ["root"]),
        node("Div", ["x", "root"], ["y"]),
    ]
    graph = load(model(nodes, {"x": (1, 3, 16)}, {"two": np.array(2)}))
    assert [(n.op.kind, n.op.settings()) for n in graph] == [("quotient", {"scalar": 4.0})]


def test_a_constant_condition_takes_its_branch(load):
    then = onnx.GraphProto(name="t", node=[node("Relu", ["x"], ["o"])], output=[typed("o", None)])
    other = onnx.GraphProto(name="e", node=[node("Tanh", ["x"], ["o"])], output=[typed("o", None)])
    nodes = [node("If", ["c"], ["y"], then_branch=then, else_branch=other)]
    for value, kind in ((True, "relu"), (False, "tanh")):
        graph = load(model(nodes, None, {"c": np.array(value)}))
        assert kinds(graph) == [kind]
        assert "assumptions" not in graph.metadata
    nodes.insert(0, node("ReduceMax", ["x"], ["m"], keepdims=0))
    nodes.insert(1, node("Greater", ["m", "zero"], ["c"]))
    graph = load(model(nodes, None, {"zero": np.array(0, "f")}))
    assert kinds(graph) == ["reduce_max", "greater", "relu"]
    (note,) = graph.metadata["assumptions"]
    assert "condition is computed in the pass, and taken as true" in note


def test_functions_are_written_out(load):
    body = [
        node("MatMul", ["a", "w"], ["m"]),
        node("LeakyRelu", ["m"], ["b"]),
    ]
    leak = body[1].attribute.add()
    leak.name, leak.ref_attr_name, leak.type = "alpha", "slope", onnx.AttributeProto.FLOAT
    function = helper.make_function(
        "local", "Layer", ["a", "w"], ["b"], body, [helper.make_opsetid("", 17)], ["slope"]
    )
    nodes = [
        node("Layer", ["x", "w"], ["h"], name="first", domain="local", slope=0.25),
        node("Layer", ["h", "w"], ["y"], name="second", domain="local", slope=0.5),
    ]
    proto = model(nodes, None, {"w": (4, 4)}, functions=[function], domains=["local"])
    graph = load(proto)
    assert shown(graph) == [
        "first/MatMul_1 linear 1x4",
        "first/LeakyRelu_1 leaky_relu 1x4",
        "second/MatMul_1 linear 1x4",
        "second/LeakyRelu_1 leaky_relu 1x4",
    ]
    assert [n.op.slope for n in graph if n.op.kind == "leaky_relu"] == [0.25, 0.5]
    assert analyze(graph).totals.params == 16


# --- names --------------------------------------------------------------------------------------


def test_names_are_the_modules(load):
    names = ["/layer1/layer1.0/conv1/Conv", "/layer1/layer1.0/Relu", "/layer1/layer1.0/Relu_1", ""]
    nodes = [node("Relu", [f"t{at}"], [f"t{at + 1}"], name=name) for at, name in enumerate(names)]
    graph = load(model(nodes, {"t0": (1, 4)}, outputs=["t4"]))
    assert [n.name for n in graph] == [
        "layer1/0/conv1",
        "layer1/0/Relu",
        "layer1/0/Relu_1",
        "Relu_1",
    ]


def test_equal_and_odd_names(load):
    names = ["a b\n", "same", "same", "x" * 1000]
    nodes = [node("Relu", [f"t{at}"], [f"t{at + 1}"], name=name) for at, name in enumerate(names)]
    graph = load(model(nodes, {"t0": (1, 4)}, outputs=["t4"]))
    assert [n.name for n in graph] == ["a_b_", "same", "same_2", "x" * 200]


# --- what is not known --------------------------------------------------------------------------


def test_an_unknown_operator_with_a_declared_result(load):
    nodes = [node("Foo", ["x"], ["h"], domain="com.acme"), node("Relu", ["h"], ["y"])]
    proto = model(nodes, {"x": ("n", 4)}, infos=[typed("h", ("n", 9))], domains=["com.acme"])
    graph = load(proto, batch=3)
    assert shown(graph) == ["Foo_1 com.acme::Foo 3x9", "Relu_1 relu 3x9"]
    assert not graph.nodes[0].op.known


def test_an_unknown_operator_of_unknown_result(load):
    nodes = [node("Foo", ["x"], ["y"], name="odd", domain="com.acme")]
    with pytest.raises(ModelFileError) as error:
        load(model(nodes, domains=["com.acme"]))
    message = str(error.value)
    assert "node 'odd' (Foo): archcost does not know the operator 'com.acme::Foo'" in message
    assert "onnx.shape_inference" in message


def test_an_operator_that_onnx_knows(load):
    """Its type is inferred, its work is unknown."""
    graph = load(model([node("Det", ["x"], ["y"])], {"x": (2, 3, 3)}))
    assert shown(graph) == ["Det_1 Det 2"]
    assert not graph.nodes[0].op.known


def test_an_operator_that_onnx_defines_by_others(load):
    graph = load(model([node("MeanVarianceNormalization", ["x"], ["y"])], {"x": (2, 3, 4, 4)}))
    assert all(n.op.known for n in graph)
    assert graph.outputs[0].shape == (2, 3, 4, 4)


def test_a_file_that_says_otherwise(load):
    proto = model([node("Relu", ["x"], ["h"]), node("Relu", ["h"], ["y"])], {"x": (1, 4)})
    proto.graph.value_info.append(typed("h", (1, 5)))
    (note,) = load(proto).metadata["assumptions"]
    assert note.startswith("the file has 'h' as (1, 5); by its inputs it is (1, 4)")
    assert "assumptions" not in load(proto, batch=2).metadata


def test_a_shape_error_names_file_and_node(load):
    proto = model([node("Add", ["x", "w"], ["y"], name="sum")], {"x": (1, 4)}, {"w": (3,)})
    with pytest.raises(ShapeError, match=r"net.onnx: node 'sum': sum needs"):
        load(proto)


# --- wrong files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (model([node("Relu", ["z"], ["y"])]), "(Relu) reads 'z', which no node before it gives"),
        (model([node("Relu", ["x"], ["h"])]), "no node gives the output 'y'"),
        (model([node("Relu", ["x"], ["y"])], outputs=[]), "the graph has no outputs"),
        (
            model([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])]),
            "two tensors of one graph are named 'y'",
        ),
        (
            model(
                [node("Conv", ["x", "w"], ["y"], strides="a")], {"x": (1, 1, 4)}, {"w": (1, 1, 3)}
            ),
            "(Conv): attribute 'strides' is of string, expected ints",
        ),
        (
            model([node("Relu", ["x"], ["y"])], {"x": typed("x", (1,), TensorProto.STRING)}),
            "input 'x' holds strings, which archcost does not read",
        ),
        (
            model([node("Transpose", ["x"], ["y"], perm=[0, 0])], {"x": (2, 3)}),
            "permute needs each of its input's 2 dimensions once",
        ),
        (model([node("Gemm", ["x"], ["y"])]), "(Gemm): lacks its input 2"),
        (
            model([node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2, 2])], {"x": (1, 2, 4, 4)}),
            "(MaxPool): has windows for other than the 2 dimensions of its input",
        ),
        (
            model(
                [node("Add", ["x", "w"], ["y"])],
                None,
                {"w": TensorProto(name="w", dims=[1000], data_type=FLOAT, raw_data=b"1234")},
            ),
            "tensor 'w' of (1000,) fp32 has",
        ),
    ],
)
def test_wrong_models(load, proto, message):
    with pytest.raises(ArchcostError) as error:
        load(proto)
    text = str(error.value)
    assert message in text
    assert "net.onnx" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it holds no graph"),
        (b"no model at all", "cannot be decoded"),
        (b"\x08\x08", "no graph"),
    ],
)
def test_other_files(tmp_path, data, message):
    path = saved(data, tmp_path)
    with pytest.raises(ModelFileError, match=message):
        read(path)
    result = call("report", str(path))
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_no_file(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        archcost.load(tmp_path / "none.onnx")
    with pytest.raises(ModelFileError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_sparse_tensor_counts_as_a_dense_one(load):
    proto = model([node("MatMul", ["x", "w"], ["y"])], {"x": (2, 4)})
    values = helper.make_tensor("w", FLOAT, [2], [1.0, 2.0])
    indices = helper.make_tensor("", INT64, [2], [3, 7])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 6]))
    graph = load(proto)
    assert analyze(graph).totals.params == 24
    assert graph.metadata["assumptions"] == ["the sparse tensor 'w' is counted as if it were dense"]


def test_what_is_taken_for_the_batch_is_said(tmp_path: Path) -> None:
    """Dimension 0 is the batch though the file calls it otherwise: a note says so."""

    def notes(name: str, **options: int) -> list[str]:
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [name, 8])
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [name, 8])
        relu = helper.make_node("Relu", ["x"], ["y"])
        model = helper.make_model(helper.make_graph([relu], "g", [value], [result]))
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return list(archcost.load(path, **options).metadata.get("assumptions", []))

    assert notes("seq") == ["'seq', dimension 0 of input 'x', is the batch, of 1"]
    assert notes("batch_size") == notes("N") == notes("seq", batch=3) == []
