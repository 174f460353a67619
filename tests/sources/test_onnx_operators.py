"""Each ONNX operator: onnx's own test cases, and what older versions meant by the same names."""

from __future__ import annotations

import importlib
import pkgutil
import warnings

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_models import (
    FLOAT,
    INT64,
    different_in_onnxruntime,
    entries_of,
    kinds,
    model,
    saved,
    typed,
)

from archcost.analysis import analyze
from archcost.ir import ArchcostError
from archcost.sources.errors import ModelFileError
from archcost.sources.onnx import read
from archcost.sources.onnx.tensors import DTYPES

node = helper.make_node

LATE = {"averagepool", "lppool", "maxpool"}
"""Modules of onnx's test cases that take seconds to compute them."""
WRONG_IN_ONNX = {"test_stft", "test_stft_with_window"}
"""Cases whose shapes onnx infers otherwise than it computes them."""


@pytest.fixture(scope="module")
def cases():
    """onnx's test cases: name -> (model, inputs, outputs)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("onnx.backend.test.case.node")
        for found in pkgutil.iter_modules(package.__path__):
            if found.name not in LATE:
                importlib.import_module(f"{package.__name__}.{found.name}")
    return {
        case.name: (case.model, *case.data_sets[0])
        for case in package._NodeTestCases
        if case.model is not None and case.data_sets
    }


def with_weights(proto, arrays):
    """The model with all but its first input stored, as a network's file has them."""
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    for info, array in list(zip(proto.graph.input, arrays, strict=True))[1:]:
        if isinstance(array, onnx.TensorProto):
            result.graph.initializer.append(array)
            result.graph.initializer[-1].name = info.name
        elif isinstance(array, np.ndarray | np.generic):
            tensor = numpy_helper.from_array(np.asarray(array), info.name)
            result.graph.initializer.append(tensor)
    return result


def shape_of(output):
    return tuple(output.dims) if isinstance(output, onnx.TensorProto) else np.shape(output)


@pytest.mark.parametrize("stored", [False, True])
def test_the_cases_of_onnx(cases, tmp_path, stored):
    """Every case is read or refused in a sentence; what is read has the shapes that come out."""
    wrong, known = [], 0
    for name, (plain, arrays, outputs) in cases.items():
        proto = with_weights(plain, arrays) if stored else plain
        path = saved(proto, tmp_path)
        try:
            graph = read(path)
        except ArchcostError:
            continue
        known += all(n.op.known for n in graph)
        declared = [info.type.tensor_type.elem_type for info in proto.graph.output]
        for value, type_, output in zip(graph.outputs, declared, outputs, strict=True):
            if isinstance(output, list) or 0 in shape_of(output) or name in WRONG_IN_ONNX:
                continue
            shape = shape_of(output)
            if "depends on the data" in " ".join(graph.metadata.get("assumptions", ())):
                fits = len(shape) == len(value.shape) and np.less_equal(shape, value.shape).all()
            else:
                fits = shape == value.shape
            if not fits or value.type.dtype != DTYPES[type_]:
                wrong.append(f"{name}: {value.type}, should be {shape} {DTYPES[type_]}")
    assert wrong == []
    assert known > (0.8 if stored else 0.6) * len(cases)


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """Reads a model, after comparing every tensor with onnxruntime's."""

    def load(proto):
        path = saved(proto, tmp_path)
        graph, entries = entries_of(path, monkeypatch)
        assert different_in_onnxruntime(path, entries) == []
        return graph

    return load


# --- versions -----------------------------------------------------------------------------------


def test_many_unequal_parts(checked):
    sizes = [3] * 21 + [1]
    names = [f"y{at}" for at in range(22)]
    nodes = [node("Split", ["x", "s"], names, axis=1), node("Relu", ["y21"], ["y"])]
    graph = checked(model(nodes, {"x": (2, 64)}, {"s": np.array(sizes)}))
    assert kinds(graph) == ["split", "relu"]
    assert [value.shape[1] for value in graph.nodes[0].outputs] == sizes


def test_softmax_over_several_dimensions(checked):
    """Before opset 13 it took all dimensions from its axis on as one."""
    inputs = {"x": (2, 3, 4, 5)}
    old = checked(model([node("Softmax", ["x"], ["y"])], inputs, opset=11))
    assert kinds(old) == ["flatten", "softmax", "view"]
    assert analyze(old).totals.work.div == 120
    assert analyze(old).totals.work.cmp == 2 * 59
    new = checked(model([node("Softmax", ["x"], ["y"])], inputs, opset=13))
    assert kinds(new) == ["softmax"]
    assert analyze(new).totals.work.cmp == 24 * 4


@pytest.mark.parametrize(
    ("opset", "nodes", "weights"),
    [
        (11, [node("Squeeze", ["x"], ["y"], axes=[1])], {}),
        (13, [node("Squeeze", ["x", "a"], ["y"])], {"a": np.array([1])}),
        (11, [node("Unsqueeze", ["x"], ["y"], axes=[0, -1])], {}),
        (13, [node("Unsqueeze", ["x", "a"], ["y"])], {"a": np.array([0, 4])}),
        (11, [node("ReduceSum", ["x"], ["y"], axes=[-1], keepdims=0)], {}),
        (13, [node("ReduceSum", ["x", "a"], ["y"], keepdims=0)], {"a": np.array([-1])}),
        (11, [node("ReduceMean", ["x"], ["y"], axes=[2])], {}),
        (18, [node("ReduceMean", ["x", "a"], ["y"])], {"a": np.array([2])}),
        (11, [node("Split", ["x"], ["y", "z"], axis=2, split=[1, 3])], {}),
        (13, [node("Split", ["x", "s"], ["y", "z"], axis=2)], {"s": np.array([1, 3])}),
        (18, [node("Split", ["x"], ["y", "z"], axis=2, num_outputs=2)], {}),
        (9, [node("Slice", ["x"], ["y"], starts=[1], ends=[-1], axes=[2])], {}),
        (
            13,
            [node("Slice", ["x", "b", "e", "a", "s"], ["y"])],
            {
                "b": np.array([-1, 0]),
                "e": np.array([-100, 3]),
                "a": np.array([2, 3]),
                "s": np.array([-2, 2]),
            },
        ),
        (10, [node("Clip", ["x"], ["y"], min=0.0, max=6.0)], {}),
        (11, [node("Clip", ["x", "", "h"], ["y"])], {"h": np.array(3, "f")}),
        (10, [node("Pad", ["x"], ["y"], pads=[0, 0, 1, 1, 0, 0, 2, 2])], {}),
        (13, [node("Pad", ["x", "p"], ["y"])], {"p": np.array([0, 0, 1, -1, 0, 1, 2, 0])}),
        (
            18,
            [node("Pad", ["x", "p", "", "a"], ["y"], mode="reflect")],
            {"p": np.array([1, 2]), "a": np.array([-1])},
        ),
        (7, [node("Upsample", ["x"], ["y"], scales=[1.0, 1.0, 2.0, 1.5])], {}),
        (9, [node("Upsample", ["x", "s"], ["y"])], {"s": np.array([1, 1, 2, 3], "f")}),
        (10, [node("Resize", ["x", "s"], ["y"])], {"s": np.array([1, 1, 0.5, 3], "f")}),
        (11, [node("Resize", ["x", "r", "s"], ["y"])], {
            "r": np.zeros(0, "f"), "s": np.array([1, 1, 2, 2], "f")}),
        (18, [node("Resize", ["x", "", "", "n"], ["y"], axes=[2, 3], mode="linear")],
            {"n": np.array([7, 3])}),
        (10, [node("Dropout", ["x"], ["y", "m"], ratio=0.3)], {}),
        (13, [node("Dropout", ["x", "r"], ["y"])], {"r": np.array(0.3, "f")}),
        (11, [node("TopK", ["x", "k"], ["y", "i"], axis=2)], {"k": np.array([2])}),
        (13, [node("Flatten", ["x"], ["y"], axis=2)], {}),
        (13, [node("Flatten", ["x"], ["y"], axis=0)], {}),
        (14, [node("Reshape", ["x", "s"], ["y"])], {"s": np.array([0, -1, 2])}),
        (13, [node("Expand", ["x", "s"], ["y"])], {"s": np.array([5, 1, 2, 1, 1])}),
        (13, [node("Tile", ["x", "r"], ["y"])], {"r": np.array([1, 2, 1, 3])}),
        (13, [node("SpaceToDepth", ["x"], ["y"], blocksize=2)], {}),
        (14, [node("CumSum", ["x", "a"], ["y"])], {"a": np.array(-1)}),
        (14, [node("Trilu", ["x", "k"], ["y"], upper=0)], {"k": np.array(1)}),
        (17, [node("LpNormalization", ["x"], ["y"], axis=1)], {}),
        (17, [node("HardSigmoid", ["x"], ["y"])], {}),
        (20, [node("Gelu", ["x"], ["y"], approximate="tanh")], {}),
        (16, [node("PRelu", ["x", "s"], ["y"])], {"s": np.ones((4, 4), "f")}),
        (13, [node("Max", ["x", "c"], ["y"])], {"c": np.array(0.5, "f")}),
        (13, [node("Min", ["x", "c", "x"], ["y"])], {"c": np.array([0.5] * 4, "f")}),
        (13, [node("Einsum", ["x", "w"], ["y"], equation="ncht,tk->nkhc")], {"w": (4, 5)}),
        (13, [node("Einsum", ["x", "x"], ["y"], equation="nchw,nchv->nwv")], {}),
        (13, [node("Einsum", ["x"], ["y"], equation="nchw->wn")], {}),
        (13, [node("MatMul", ["x", "w"], ["y"])], {"w": (4,)}),
        (13, [node("MatMul", ["w", "x"], ["y"])], {"w": (3, 4)}),
        (13, [node("GatherND", ["x", "i"], ["y"])], {"i": np.array([[0, 0, 1], [1, 0, 3]])}),
        (13, [node("Gather", ["x", "i"], ["y"], axis=-1)], {"i": np.array([[0, 2], [3, 1]])}),
        (13, [node("Gather", ["x", "i"], ["y"], axis=2)], {"i": np.array([1, 3])}),
        (13, [node("Gather", ["x", "i"], ["y"], axis=2)], {"i": np.array(-1)}),
        (11, [node("SplitToSequence", ["x", "n"], ["s"], axis=3),
              node("SequenceAt", ["s", "one"], ["y"])],
            {"n": np.array(3), "one": np.array(1)}),
        (11, [node("SequenceConstruct", ["x", "x"], ["s"]),
              node("ConcatFromSequence", ["s"], ["y"], axis=0, new_axis=1)], {}),
    ],
)  # fmt: skip
def test_forms_of_operators(checked, opset, nodes, weights):
    graph = checked(model(nodes, {"x": (2, 1, 4, 4)}, weights, opset=opset))
    assert all(n.op.known for n in graph)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize(("type_", "stored"), [("Conv", True), ("Conv", False), ("MaxPool", True)])
def test_padding(checked, auto_pad, type_, stored):
    how = {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": auto_pad}
    inputs, weights = {"x": (1, 2, 9, 10)}, {}
    names = ["x"]
    if type_ == "Conv":
        names.append("w")
        (weights if stored else inputs)["w"] = (4, 2, 3, 4)
    graph = checked(model([node(type_, names, ["y"], **how)], inputs, weights))
    kind = {"Conv": "conv" if stored else "dynamic_conv", "MaxPool": "max_pool"}[type_]
    assert kinds(graph) == [kind]


@pytest.mark.parametrize(
    "how",
    [
        {"strides": [2, 2], "output_padding": [1, 1]},
        {"strides": [3, 2], "pads": [1, 0, 1, 2], "group": 2},
        {"strides": [2, 2], "output_shape": [10, 9]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"dilations": [2, 1]},
    ],
)
def test_transposed_convolutions(checked, how):
    graph = checked(
        model(
            [node("ConvTranspose", ["x", "w"], ["y"], **how)],
            {"x": (1, 4, 5, 5)},
            {"w": (4, 3, 3, 3)},
        )
    )
    assert kinds(graph) == ["conv_transpose"]
    assert analyze(graph).totals.macs == 4 * 25 * 3 * 9


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_quantised_recurrent_layer(checked, direction):
    """Its weights are the other way round: (directions, features, gates)."""
    ways = 2 if direction == "bidirectional" else 1
    one, none = np.full(ways, 0.1, "f"), np.zeros(ways, "i1")
    weights = {
        "w": np.ones((ways, 3, 20), "i1"),
        "r": np.ones((ways, 5, 20), "i1"),
        "b": (ways, 40),
        "ws": one,
        "wz": none,
        "rs": one,
        "rz": none,
    }
    names = ["x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs", "rz"]
    how = {"hidden_size": 5, "direction": direction, "domain": MICROSOFT}
    nodes = [node("DynamicQuantizeLSTM", names, ["y", "h", "c"], **how)]
    proto = model(nodes, {"x": (7, 2, 3)}, weights, outputs=["y", "h", "c"], domains=[MICROSOFT])
    totals = analyze(checked(proto)).totals
    assert totals.params == ways * 20 * (3 + 5 + 2)
    assert totals.macs == 7 * 2 * ways * 20 * (3 + 5)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("type_", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers(checked, direction, type_, gates):
    ways = 2 if direction == "bidirectional" else 1
    weights = {"w": (ways, gates * 5, 3), "r": (ways, gates * 5, 5), "b": (ways, gates * 10)}
    nodes = [
        node(type_, ["x", "w", "r", "b"], ["y", "h"], hidden_size=5, direction=direction),
    ]
    graph = checked(model(nodes, {"x": (7, 2, 3)}, weights, outputs=["y", "h"]))
    totals = analyze(graph).totals
    assert totals.params == ways * gates * 5 * (3 + 5 + 2)
    assert totals.macs == 7 * 2 * ways * gates * 5 * (3 + 5)


# --- quantised ----------------------------------------------------------------------------------


def test_a_quantised_network(checked):
    """Weights in 8 bits between QuantizeLinear and DequantizeLinear."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        node("Conv", ["d", "wd"], ["y"]),
    ]
    weights = {
        "s": np.array(0.1, "f"),
        "z": np.array(3, "u1"),
        "w": np.ones((4, 2, 3, 3), "i1"),
        "ws": np.ones(4, "f"),
        "wz": np.zeros(4, "i1"),
    }
    graph = checked(model(nodes, {"x": (1, 2, 5, 5)}, weights))
    assert kinds(graph) == ["rescale", "cast", "cast", "rescale", "conv"]
    assert [(p.name, p.dtype) for p in graph.parameters] == [("w", "int8")]
    totals = analyze(graph).totals
    assert (totals.params, totals.macs) == (72, 9 * 72)


def test_layers_on_integers(checked):
    scales = {"s": np.array(0.1, "f"), "z": np.array(3, "u1"), "wz": np.array(0, "i1")}
    names = ["x", "s", "z", "w", "s", "wz", "s", "z"]
    bytes_ = typed("x", (1, 2, 5, 5), onnx.TensorProto.UINT8)
    weights = scales | {"w": np.ones((4, 2, 3, 3), "i1"), "b": np.ones(4, "i4")}
    graph = checked(model([node("QLinearConv", [*names, "b"], ["y"])], {"x": bytes_}, weights))
    assert analyze(graph).totals.macs == 9 * 72
    assert graph.outputs[0].type.dtype == "uint8"
    assert graph.metadata["assumptions"] == [
        "layers on integers are counted as if on numbers, with casts around them"
    ]
    bytes_ = typed("x", (3, 6), onnx.TensorProto.UINT8)
    weights = scales | {"w": np.ones((6, 4), "i1")}
    for type_, inputs in (("MatMulInteger", ["x", "w", "z", "wz"]), ("QLinearMatMul", names)):
        graph = checked(model([node(type_, inputs, ["y"])], {"x": bytes_}, weights))
        assert analyze(graph).totals.macs == 3 * 6 * 4
        assert analyze(graph).totals.params == 24


# --- onnxruntime's own --------------------------------------------------------------------------

MICROSOFT = "com.microsoft"


@pytest.mark.parametrize(
    ("nodes", "weights", "macs"),
    [
        (
            [node("SkipLayerNormalization", ["x", "x", "g", "b"], ["y", "", "", "s"],
                  domain=MICROSOFT)],
            {"g": (8,), "b": (8,)},
            0,
        ),
        ([node("BiasGelu", ["x", "b"], ["y"], domain=MICROSOFT)], {"b": (8,)}, 0),
        ([node("FastGelu", ["x"], ["y"], domain=MICROSOFT)], {}, 0),
        ([node("QuickGelu", ["x"], ["y"], domain=MICROSOFT)], {}, 0),
        (
            [node("FusedMatMul", ["x", "x"], ["y"], alpha=0.5, transB=1, domain=MICROSOFT)],
            {},
            2 * 3 * 3 * 8,
        ),
        (
            [node("Attention", ["x", "w", "b"], ["y"], num_heads=2, domain=MICROSOFT)],
            {"w": (8, 24), "b": (24,)},
            2 * 3 * 8 * 24 + 2 * 2 * 3 * 3 * 8,
        ),
        (
            [node("MultiHeadAttention", ["x", "x", "x", "b"], ["y"], num_heads=4,
                  domain=MICROSOFT)],
            {"b": (24,)},
            2 * 2 * 3 * 3 * 8,
        ),
    ],
)  # fmt: skip
def test_operators_of_onnxruntime(checked, nodes, weights, macs):
    graph = checked(model(nodes, {"x": (2, 3, 8)}, weights, domains=[MICROSOFT]))
    assert all(n.op.known for n in graph)
    assert analyze(graph).totals.macs == macs


def test_weights_of_four_bits(tmp_path):
    attributes = {"K": 64, "N": 16, "bits": 4, "block_size": 32}
    nodes = [node("MatMulNBits", ["x", "w", "s"], ["y"], domain=MICROSOFT, **attributes)]
    weights = {"w": np.zeros((16, 2, 16), "u1"), "s": np.ones(32, "f")}
    graph = read(saved(model(nodes, {"x": (3, 64)}, weights, domains=[MICROSOFT]), tmp_path))
    (weight,) = graph.parameters
    assert (weight.shape, weight.dtype, weight.nbytes) == ((16, 64), "uint4", 512)
    assert analyze(graph).totals.macs == 3 * 64 * 16


# --- results whose size the data decide ---------------------------------------------------------


def test_boxes_that_are_kept(tmp_path):
    nodes = [
        node("NonMaxSuppression", ["boxes", "scores", "most"], ["kept"]),
        node("Gather", ["kept", "column"], ["y"], axis=1),
    ]
    inputs = {"boxes": (1, 100, 4), "scores": (1, 5, 100)}
    weights = {"most": np.array([20]), "column": np.array(2)}
    graph = read(saved(model(nodes, inputs, weights), tmp_path))
    assert graph.outputs[0].shape == (100,)
    assert not graph.nodes[0].op.known
    (note,) = graph.metadata["assumptions"]
    assert "how many boxes it gives depends on the data; (100, 3) is the most" in note


BOOL = onnx.TensorProto.BOOL
BODY = onnx.GraphProto(
    name="body",
    node=[
        node("Identity", ["c"], ["d"]),
        node("MatMul", ["a", "w"], ["b"]),
        node("ReduceSum", ["b"], ["e"], keepdims=0),
    ],
    input=[typed("i", (), INT64), typed("c", (), BOOL), typed("a", (1, 4))],
    output=[typed("d", (), BOOL), typed("b", (1, 4)), typed("e", ())],
)


def test_a_loop_is_written_out(checked):
    nodes = [node("Loop", ["count", "", "x"], ["y", "z"], body=BODY, name="steps")]
    weights = {"count": np.array(3), "w": (4, 4)}
    graph = checked(model(nodes, None, weights, outputs=["y", "z"]))
    assert [n.name for n in graph if n.op.kind == "linear"] == [
        "steps/0/MatMul_1",
        "steps/1/MatMul_1",
        "steps/2/MatMul_1",
    ]
    totals = analyze(graph).totals
    assert (totals.params, totals.macs) == (16, 48)
    assert graph.outputs[1].shape == (3,)


def test_a_loop_of_unknown_length(tmp_path):
    nodes = [
        node("Cast", ["x"], ["f"], to=INT64),
        node("ReduceSum", ["f"], ["count"], keepdims=0),
        node("Loop", ["count", "", "x"], ["y", "z"], body=BODY),
    ]
    proto = model(nodes, None, {"w": (4, 4)})
    with pytest.raises(ModelFileError, match="how many turns it takes is not known"):
        read(saved(proto, tmp_path))
    proto.graph.value_info.extend([typed("y", (1, 4)), typed("z", (9,))])
    graph = read(saved(proto, tmp_path))
    assert kinds(graph) == ["cast", "reduce_sum", "Loop"]
    assert [p.name for p in graph.unread] == ["w"]


def test_a_scan_is_written_out(checked):
    body = onnx.GraphProto(
        name="body",
        node=[node("Add", ["s", "t"], ["u"]), node("Mul", ["u", "u"], ["v"])],
        input=[typed("s", (4,)), typed("t", (4,))],
        output=[typed("u", (4,)), typed("v", (4,))],
    )
    nodes = [node("Scan", ["s0", "x"], ["last", "y"], body=body, num_scan_inputs=1)]
    graph = checked(model(nodes, {"x": (3, 4), "s0": (4,)}, outputs=["last", "y"]))
    assert kinds(graph).count("sum") == 3
    assert [value.shape for value in graph.outputs] == [(4,), (3, 4)]


def test_a_shape_that_the_data_decide(tmp_path):
    nodes = [
        node("Cast", ["x"], ["s"], to=INT64),
        node("ConstantOfShape", ["s"], ["z"]),
        node("Relu", ["z"], ["y"]),
    ]
    with pytest.raises(ModelFileError, match="its input 1 is not known before the pass"):
        read(saved(model(nodes, {"x": typed("x", (4,), FLOAT)}), tmp_path))


def test_a_loop_stores_its_weights_once(tmp_path):
    body = onnx.GraphProto()
    body.CopyFrom(BODY)
    body.initializer.append(numpy_helper.from_array(np.ones((4, 4), "f"), "w"))
    inner = node("Constant", [], ["g"], value=numpy_helper.from_array(np.arange(4, dtype="f")))
    body.node[1].CopyFrom(node("MatMul", ["a2", "w"], ["b"]))
    body.node.insert(1, inner)
    body.node.insert(2, node("Add", ["a", "g"], ["a2"]))
    nodes = [node("Loop", ["count", "", "x"], ["y", "z"], body=body)]
    graph = read(saved(model(nodes, None, {"count": np.array(3)}), tmp_path))
    totals = analyze(graph).totals
    assert (totals.params, totals.macs) == (16 + 4, 48)
