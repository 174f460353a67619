"""ONNX models: accepted by ONNX's own checker, run by ONNX Runtime as torch runs the module."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from math import prod
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_torch_operators import CASES, X2, X3, X4, graph_of, sliding
from torch.nn.functional import avg_pool2d, max_pool2d
from torch_execution import outputs_of, small_graphs

import archcost
from archcost.ir import NUMPY_NAMES, Graph, GraphBuilder, Parameter, ShapeError, TensorType
from archcost.ir.arguments import BINARY, REDUCTIONS, UNARY
from archcost.ir.ops import OPERATORS, make
from archcost.targets import ExportError, TargetError, to_onnx, to_torch, write_onnx
from archcost.targets.onnx_nodes import OPSETS
from archcost.targets.onnx_operators import BUILDERS
from archcost.targets.torch import GraphModule


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, which ONNX's checker accepts, shapes and types of all tensors included."""
    onnx.checker.check_model(model, full_check=True)
    return model


def session(model: onnx.ModelProto | str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    source = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])


def run(model: onnx.ModelProto | str, *inputs: torch.Tensor) -> list[torch.Tensor]:
    running = session(model)
    names = [value.name for value in running.get_inputs()]
    feed = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
    return [torch.from_numpy(y) if y.ndim else torch.tensor(y) for y in running.run(None, feed)]


def randomised(net: GraphModule) -> GraphModule:
    """``net`` in evaluation, with no weight or statistic that is as all others."""
    net.eval().requires_grad_(False)
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape) + 0.5 if "running_var" in name else tensor)
            if not tensor.count_nonzero() or tensor.eq(1).all():
                tensor.copy_(torch.rand(tensor.shape) + 0.5)
    return net


def agrees(graph: Graph, *inputs: torch.Tensor, opset: int | None = None, **tolerance) -> None:
    """ONNX Runtime gives what torch does."""
    net = randomised(to_torch(graph))
    found = run(checked(to_onnx(graph, net, opset=opset)), *inputs)
    expected = outputs_of(net, *inputs)
    assert len(found) == len(expected)
    for y, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(y, wanted, **{"rtol": 1e-4, "atol": 1e-5} | tolerance)


def graph_on(kind: str, types: list[TensorType], **arguments) -> Graph:
    """A network of one operator, ``op``. A tensor without dimensions is squeezed from one with."""
    builder = GraphBuilder(kind)
    inputs = []
    for at, type_ in enumerate(types):
        x = builder.input(f"x{at}", type_.with_shape(type_.shape or (1,)))
        if not type_.shape:
            (x,) = builder.add(make("squeeze"), [x], f"squeeze{at}")
        inputs.append(x)
    outputs = builder.add(make(kind, **arguments), inputs, "op")
    return builder.build({f"y{at}": value for at, value in enumerate(outputs)})


def tensors(graph: Graph) -> list[torch.Tensor]:
    """Random inputs of a graph."""
    result = []
    for value in graph.inputs:
        dtype = getattr(torch, NUMPY_NAMES[value.type.dtype])
        if dtype.is_floating_point:
            result.append(torch.randn(value.shape).to(dtype))
        else:
            result.append(torch.randint(0, 2, value.shape).to(dtype))
    return result


# --- one operator ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arguments", "shapes"),
    [case[:3] for case in CASES if case[0] != "fractional_max_pool"],
)
def test_an_operator(kind: str, arguments: dict, shapes: list) -> None:
    dtype = "int64" if kind.startswith("embedding") else "fp32"
    graph = graph_of(kind, *shapes, dtype=dtype, **arguments)
    torch.manual_seed(0)
    agrees(graph, *tensors(graph))


F, L, B = "fp32", "int64", "bool"
H, W = (2, 3), (2, 3, 4)

TENSOR_CASES = [
    *((kind, {}, [(W, F)]) for kind in UNARY if kind not in ("acosh", "not")),
    ("not", {}, [(W, F)]),
    ("not", {}, [(W, B)]),
    ("exp", {}, [(W, L)]),
    ("negative", {}, [(W, L)]),
    ("round", {}, [(W, L)]),
    ("is_nan", {}, [(W, L)]),
    *(
        (kind, {}, [(W, F), ((3, 1), F)])
        for kind in BINARY
        if kind not in ("and", "or", "xor", "power")
    ),
    *((kind, {"scalar": 2.5, "reverse": True}, [(W, F)]) for kind in BINARY),
    *((kind, {"scalar": 2}, [(W, L)]) for kind in BINARY),
    *(
        (kind, {}, [(W, L), (W, "int32")])
        for kind in ("difference", "equal", "and", "less", "minimum")
    ),
    *((kind, {}, [(W, B), (W, F)]) for kind in ("and", "or", "xor", "quotient")),
    ("power", {"scalar": 2}, [(W, F)]),
    ("floor_quotient", {"scalar": -2}, [(W, L)]),
    ("remainder", {"scalar": -3}, [(W, L)]),
    ("sum", {}, [(W, F), (W, L)]),
    ("sum", {}, [(W, L), (W, L), (W, L)]),
    ("product", {}, [(W, "fp16"), ((), F)]),
    ("clamp", {"low": -0.5}, [(W, F)]),
    ("clamp", {"low": 0, "high": 0.5}, [(W, L)]),
    ("where", {}, [(W, B), (W, F), ((4,), L)]),
    ("masked_fill", {"value": -1e9}, [(W, F), ((3, 1), B)]),
    ("cast", {"dtype": "int32"}, [(W, F)]),
    ("cast", {"dtype": "bool"}, [(W, F)]),
    *((f"reduce_{name}", {"dims": (0, -1)}, [(W, F)]) for name in REDUCTIONS if name[:3] != "arg"),
    *((f"reduce_{name}", {"keep": True}, [(W, F)]) for name in REDUCTIONS),
    *(
        (f"reduce_{name}", {"dims": (1,)}, [(W, L)])
        for name in ("sum", "prod", "max", "any", "argmax")
    ),
    ("reduce_var", {"dims": (1,), "correction": 0}, [(W, F)]),
    ("reduce_max", {"dims": (1,), "indices": True}, [(W, F)]),
    ("reduce_min", {"dims": (-1,), "indices": True, "keep": True}, [(W, F)]),
    ("reduce_sum", {}, [((), F)]),
    ("cumsum", {"dim": -1}, [(W, F)]),
    ("cumsum", {"dim": 0}, [(W, "int32")]),
    ("sort", {"dim": 1}, [(W, F)]),
    ("sort", {"descending": True}, [(W, F)]),
    ("top_k", {"k": 2}, [(W, F)]),
    ("top_k", {"k": 1, "dim": 0, "largest": False}, [(W, F)]),
    ("gather", {"dim": 1}, [(W, F), ((1, 5, 4), L)]),
    ("index_select", {"dim": -1}, [(W, F), ((2, 5), "int32")]),
    ("index_select", {"dim": 0}, [(W, F), ((), L)]),
    ("index", {"dims": (1,)}, [(W, F), ((5,), L)]),
    ("index", {"dims": (1, 2)}, [(W, F), ((5,), L), ((3, 1), "int32")]),
    ("index", {"dims": (0, 2)}, [(W, F), ((5,), L), ((3, 1), L)]),
    ("index", {"dims": (-1, 0)}, [(W, F), ((), L), ((), L)]),
    ("index_put", {"dims": (1,)}, [(W, F), ((2, 1, 4), F), ((1,), L)]),
    ("index_put", {"dims": (2, 0), "accumulate": True}, [(W, F), ((3,), F), ((5,), L), ((5,), L)]),
    ("scatter", {"dim": 1}, [(W, F), ((2, 1, 3), L), ((2, 2, 4), F)]),
    *(
        ("scatter", {"dim": 1, "reduction": how}, [(W, F), (W, L), (W, F)])
        for how in ("sum", "product", "max", "min")
    ),
    ("assign", {"part": ((0, 2, 1), (1, 3, 1), (0, 4, 2))}, [(W, F), ((2, 2), F)]),
    ("assign", {"part": ((1, 2, 1), (0, 3, 1), (0, 4, 1))}, [(W, F), ((3, 4), F)]),
    ("assign", {"part": ((0, 2, 1), (0, 3, 1), (0, 4, 1))}, [(W, F), ((), F)]),
    ("one_hot", {"classes": 5}, [(H, L)]),
    ("one_hot", {"classes": 5, "dtype": "fp32"}, [(H, "int32")]),
    ("view", {"shape": (3, -1)}, [(W, F)]),
    ("view", {"shape": ()}, [((1, 1), F)]),
    ("expand", {"shape": (5, -1, 3)}, [((2, 1), F)]),
    ("squeeze", {}, [((1, 3, 1), F)]),
    ("squeeze", {"dims": (0, 1)}, [((1, 3, 1), F)]),
    ("squeeze", {"dims": (1,)}, [((1, 3, 1), F)]),
    ("unsqueeze", {"dim": -1}, [(W, F)]),
    ("select", {"dim": 1, "index": -1}, [(W, F)]),
    ("windows", {"dim": 1, "size": 2}, [(W, F)]),
    ("windows", {"dim": -1, "size": 2, "step": 2}, [(W, F)]),
    ("diagonal", {}, [(W, F)]),
    ("diagonal", {"offset": -1, "dim1": 2, "dim2": 1}, [(W, F)]),
    ("stack", {"dim": -1}, [(W, F), (W, "int32")]),
    ("copy", {}, [(W, F)]),
    ("repeat", {"counts": (2, 1, 3, 2)}, [(W, F)]),
    ("repeat", {"counts": (1, 3, 2)}, [(W, F)]),
    ("repeat_interleave", {"count": 2, "dim": 1}, [(W, F)]),
    ("roll", {"shifts": (1, -1), "dims": (0, 2)}, [(W, F)]),
    ("flip", {"dims": (0, -1)}, [(W, F)]),
    ("triangle", {"upper": True, "diagonal": 1}, [(W, F)]),
    ("triangle", {"upper": False, "diagonal": -1}, [(W, F)]),
    ("pad_all", {"pads": (0, 1, -1, 2, 0, -2), "value": 3}, [(W, F)]),
    ("pad_all", {"pads": (0, 1, -1, 1, 2, 0), "mode": "reflect"}, [(W, F)]),
    ("pad_all", {"pads": (0, 0, 0, 1, 2, 1), "mode": "reflect"}, [((1, 3, 3, 4)[1:], F)]),
    ("pad_all", {"pads": (1, 0, 0, 1, 2, 1), "mode": "replicate"}, [(W, F)]),
    ("pad_all", {"pads": (1, 0, 0, 1, 2, 1), "mode": "circular"}, [(W, F)]),
    (
        "unfold",
        {"kernel": (2, 3), "stride": 2, "padding": ((0, 1), 1), "dilation": (2, 1)},
        [(X4, F)],
    ),
    ("fold", {"size": (5, 6), "kernel": 2, "stride": 2, "padding": ((1, 0), 0)}, [((2, 8, 9), F)]),
    ("constant", {"shape": (2, 3), "dtype": "int64"}, []),
    ("weight", {"shape": (2, 3)}, []),
    ("weight", {"shape": (2, 3), "dtype": "int64", "trainable": False}, []),
    ("trunc", {}, [(W, L)]),
    ("nonzero", {"count": 5}, [(W, F)]),
    ("nonzero", {"count": 24}, [(W, L)]),
    ("as_strided", {"shape": (3, 4), "strides": (5, 2), "offset": 1}, [(W, F)]),
    ("grouped_matmul", {}, [((5, 3), F), ((2, 3, 4), F), ((2,), L)]),
    ("attention", {}, [(X4, F), (X4, F), (X4, F), ((8, 8), B)]),
    ("grid_sample", {"mode": "nearest", "align_corners": True}, [(X4, F), ((2, 3, 4, 2), F)]),
    ("grid_sample", {"padding": "reflection"}, [(X4, F), ((2, 3, 4, 2), F)]),
    ("embedding_bag", {"count": 3, "width": 4, "mode": "max"}, [(H, "int32")]),
    ("lstm", {"hidden": 5}, [((2, 6), F), ((1, 5), F)]),
    ("gru", {"hidden": 5, "bidirectional": True, "layers": 2}, [(X3, F), ((4, 2, 5), F)]),
    ("rnn_relu", {"hidden": 5, "bidirectional": True}, [(X3, F)]),
    ("lrn", {"size": 4}, [(X3, F)]),
    ("adaptive_max_pool", {"size": (3, 1)}, [(X4, F)]),
    ("lp_pool", {"norm": 1.5, "kernel": 2, "rounding": "ceil"}, [(X3, F)]),
    ("sum_pool", {"kernel": 3, "stride": 2, "padding": 1}, [(X4, F)]),
    ("rescale", {"scale": 2, "shift": 3}, [(W, F)]),
    ("rescale", {"scale": -1}, [(W, F)]),
    ("rescale", {"scale": 2, "shift": -1}, [(W, L)]),
    ("upsample", {"scale": 2, "mode": "bilinear", "align_corners": True}, [(X3, F)]),
    ("upsample", {"scale": 3, "mode": "bicubic"}, [(X4, F)]),
    ("upsample", {"size": (3, 5), "mode": "bicubic", "antialias": True}, [(X4, F)]),
    ("upsample", {"size": (3, 13)}, [(X4, F)]),
    ("pixel_shuffle", {"factor": 2, "inverse": True}, [((2, 3, 8), F)]),
    ("split", {"sizes": (6,)}, [(X4, F)]),
    ("reshape", {"shape": (-1,)}, [(X4, F)]),
    ("flatten", {"start": 0}, [(X4, F)]),
]


@pytest.mark.parametrize(("kind", "arguments", "types"), TENSOR_CASES)
def test_an_operator_of_any_tensors(kind: str, arguments: dict, types: list) -> None:
    graph = graph_on(kind, [TensorType(*type_) for type_ in types], **arguments)
    torch.manual_seed(1)
    agrees(graph, *tensors(graph), equal_nan=True)


def test_every_kind_is_written() -> None:
    assert BUILDERS.keys() == OPERATORS.keys() - {"opaque"}


@settings(max_examples=40)
@given(sliding(dilated=True), st.sampled_from(["conv", "max_pool"]), st.booleans())
def test_windows(drawn, kind: str, indices: bool) -> None:
    shape, arguments = drawn
    arguments |= {"out": 2} if kind == "conv" else {"indices": indices}
    windows_agree(kind, shape, **arguments)


@settings(max_examples=40)
@given(sliding(), st.sampled_from(["avg_pool", "sum_pool", "local_conv"]), st.booleans())
def test_windows_without_dilation(drawn, kind: str, count_padding: bool) -> None:
    shape, arguments = drawn
    extra = {"avg_pool": {"count_padding": count_padding}, "local_conv": {"out": 2}}
    windows_agree(kind, shape, **arguments, **extra.get(kind, {}))


def windows_agree(kind: str, shape: tuple[int, ...], **arguments) -> None:
    """ONNX Runtime gives what torch does, where the operator can be applied, ONNX can say it and
    no window lies wholly in the padding."""
    try:
        graph = graph_of(kind, shape, **arguments)
        to_onnx(graph)
    except (ShapeError, TargetError):
        assume(False)
    inputs = tensors(graph)
    assume(outputs_of(to_torch(graph), *inputs)[0].isfinite().all())
    agrees(graph, *inputs)


@settings(max_examples=40)
@given(st.data())
def test_transposed_convolutions(data: st.DataObject) -> None:
    n, k, s, d = (data.draw(st.integers(1, high)) for high in (5, 4, 3, 2))
    sides = tuple(data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3))))
    arguments = {"kernel": k, "stride": s, "dilation": d, "out": 2}
    arguments["padding"] = data.draw(st.sampled_from(["same", (sides,)]))
    arguments["output_padding"] = data.draw(st.integers(0, max(s, d) - 1))
    try:
        graph = graph_of("conv_transpose", (1, 3, n), **arguments)
    except ShapeError:
        assume(False)
    front, size = graph.node("op").op.fronts(1)[0], graph.outputs[0].shape[2]
    assume(front < (n - 1) * s + d * (k - 1) + 1)
    x = torch.randn(1, 3, n)
    try:
        agrees(graph, x)
    except TargetError:  # of torch, which adds less than a stride or dilation behind
        model = checked(to_onnx(graph))
        weight, bias = map(onnx.numpy_helper.to_array, model.graph.initializer)
        whole = torch.nn.functional.conv_transpose1d(
            x, torch.tensor(weight), torch.tensor(bias), s, dilation=d
        )
        (y,) = run(model, x)
        wanted = torch.cat([whole, torch.tensor(bias).expand(1, s + d, 2).mT], 2)[:, :, front:]
        torch.testing.assert_close(y, wanted[:, :, :size])


@pytest.mark.parametrize(
    ("size", "padding", "shown", "expected"),
    [
        ((8, 9), 1, False, {"MaxPool", "MaxUnpool", "Constant"}),
        ((8, 9), "same", False, {"MaxPool", "MaxUnpool", "Constant"}),
        ((8, 9), 1, True, {"ScatterElements", "Mod"}),
        ((7, 9), 1, False, {"ScatterElements", "Mod"}),
    ],
)
def test_pooled_maxima_go_back(size: tuple, padding: object, shown: bool, expected: set) -> None:
    builder = GraphBuilder("there and back")
    x = builder.input("x", TensorType((2, 3, 8, 9)))
    window = {"kernel": 3, "stride": 2, "padding": padding}
    y, at = builder.add(make("max_pool", indices=True, **window), [x], "pool")
    (z,) = builder.add(make("max_unpool", size=size, **window), [y, at], "unpool")
    graph = builder.build({"y": y, "z": z} | ({"at": at} if shown else {}))
    types = {node.op_type for node in to_onnx(graph).graph.node}
    assert types == expected if "MaxUnpool" in expected else expected < types
    image = torch.zeros(2, 3, 8, 9)
    image[..., : size[0], :] = torch.rand(2, 3, *size)  # no maximum lies beyond
    agrees(graph, image)


@pytest.mark.parametrize("factors", [False, True])
def test_a_deformable_convolution_without_moves_is_a_convolution(factors: bool) -> None:
    arguments = {"out": 4, "kernel": 3, "stride": 2, "padding": ((1, 0), 1), "groups": 2}
    moves = torch.zeros(2, 2 * 9, 4, 5)
    given = [moves, torch.full((2, 9, 4, 5), 0.5)][: 1 + factors]
    graph = graph_of("deform_conv", X4, *(x.shape for x in given), **arguments)
    model, x = checked(to_onnx(graph)), torch.randn(X4)
    weight, bias = (torch.tensor(onnx.numpy_helper.to_array(t)) for t in model.graph.initializer)
    (y,) = run(model, x, *given)
    padded = torch.nn.functional.pad(x * 0.5 if factors else x, (1, 1, 1, 0))
    wanted = torch.nn.functional.conv2d(padded, weight, bias, 2, groups=2)
    torch.testing.assert_close(y, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"samples": 1}, lambda x: x[:, 1:4:2, 1:4:2]),
        ({"samples": 1, "aligned": True}, lambda x: avg_pool2d(x, 2)[:, :2, :2]),
        ({"pool": True}, lambda x: max_pool2d(x, 2)[:, :2, :2]),
    ],
)
def test_regions(arguments: dict, expected: Callable, apart: bool) -> None:
    x = torch.randn(2, 3, 6, 6)
    # The corners are those of the first four rows and columns; RoIPool's are inside the box.
    end = 3.0 if "pool" in arguments else 4.0
    boxes = torch.tensor([[1, 0, 0, end, end], [0, 0, 0, end, end]])
    given = [boxes[:, 1:], boxes[:, 0].long()] if apart else [boxes]
    builder = GraphBuilder("regions")
    types = [TensorType(tuple(t.shape), L if t.dtype == torch.int64 else F) for t in (x, *given)]
    values = [builder.input(f"x{at}", type_) for at, type_ in enumerate(types)]
    (y,) = builder.add(make("roi_align", size=2, **arguments), values, "op")
    (found,) = run(checked(to_onnx(builder.build({"y": y}))), x, *given)
    torch.testing.assert_close(found, torch.stack([expected(x[1]), expected(x[0])]))


@pytest.mark.parametrize("opset", OPSETS)
def test_every_operator_in_every_operator_set(opset: int) -> None:
    cases = [
        (kind, arguments, [TensorType(shape, L if "emb" in kind else F) for shape in shapes])
        for kind, arguments, shapes, _ in CASES
    ]
    cases += [(kind, args, [TensorType(*t) for t in types]) for kind, args, types in TENSOR_CASES]
    refused = set()
    for kind, arguments, types in cases:
        try:
            checked(to_onnx(graph_on(kind, types, **arguments), opset=opset))
        except TargetError:
            refused.add(kind)
    assert refused == {"fractional_max_pool"} | ({"grid_sample"} if opset < 20 else set())


@pytest.mark.parametrize("opset", [OPSETS[0], OPSETS[-1]])
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("gelu", {}),
        ("gelu_tanh", {}),
        ("group_norm", {"groups": 3}),
        ("group_norm", {"groups": 2, "affine": False}),
        ("rms_norm", {"dims": 2}),
        ("rms_norm", {"affine": False}),
        ("avg_pool", {"kernel": 3, "stride": 2, "padding": 1, "rounding": "ceil"}),
        ("pad_all", {"pads": (0, 0, 1, 2, 0, 0, 0, 2), "mode": "circular"}),
        ("is_inf", {}),
    ],
)
def test_an_operator_that_operator_sets_know_differently(
    kind: str, arguments: dict, opset: int
) -> None:
    graph = graph_of(kind, X4, **arguments)
    agrees(graph, *tensors(graph), opset=opset)


# --- dtypes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["fp16", "fp64"])
def test_dtypes_that_onnx_runtime_computes_in(dtype: str) -> None:
    builder = GraphBuilder("dtypes")
    x = builder.input("x", TensorType((2, 6), dtype))
    for kind, arguments in (("linear", {"out": 4}), ("hard_tanh", {}), ("rescale", {"scale": 2})):
        (x,) = builder.add(make(kind, **arguments), [x], kind)
    graph = builder.build({"y": x})
    agrees(graph, *tensors(graph), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("dtype", "opset", "number"),
    [
        ("bf16", 22, onnx.TensorProto.BFLOAT16),
        ("fp16", 20, onnx.TensorProto.FLOAT16),
        ("fp64", 20, onnx.TensorProto.DOUBLE),
    ],
)
def test_the_networks_dtype(dtype: str, opset: int, number: int) -> None:
    for name in ("squeezenet", "resnet18"):
        model = checked(to_onnx(archcost.load(name, dtype=dtype), weights="none"))
        assert model.opset_import[0].version == opset
        assert {tensor.data_type for tensor in model.graph.initializer} == {number}


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_a_module_in_another_dtype(dtype: str) -> None:
    graph = graph_of("conv", X4, out=4, kernel=3, dtype=dtype)
    net = to_torch(graph)
    model = checked(to_onnx(graph, net))
    weight, bias = (onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
    assert torch.equal(torch.from_numpy(weight.astype("float32")), net.op.weight.float())
    assert torch.equal(torch.from_numpy(bias.astype("float32")), net.op.bias.float())


# --- whole networks ------------------------------------------------------------------------------


def test_the_zoo_is_accepted() -> None:
    for name in archcost.zoo_names():
        graph = archcost.load(name)
        if any(node.op.kind == "fractional_max_pool" for node in graph):
            continue
        model = checked(to_onnx(graph, weights="none"))
        # The stored tensors are the parameters, and nothing else is.
        stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
        assert stored == {p.name: p.shape for p in graph.parameters}
        trainable = {t.name: t.metadata_props[0].value for t in model.graph.initializer}
        assert trainable == {p.name: str(p.trainable).lower() for p in graph.parameters}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lenet5", (1, 32, 32)),
        ("alexnet", (3, 67, 67)),
        ("simplenet-310k", (3, 32, 32)),
        ("squeezenet", (3, 48, 48)),
        ("googlenet", (3, 64, 64)),
        ("mobilenet-v1-0.25", (3, 32, 32)),
        ("densenet-40-12", (3, 32, 32)),
        ("enet", (3, 64, 64)),
    ],
)
def test_a_network(name: str, size: tuple[int, ...]) -> None:
    graph = archcost.load(name, inputs=size, batch=2)
    agrees(graph, *tensors(graph), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("between", [[], ["identity"], ["dropout"]])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("pool", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("pad", ["pad", "pad_all"])
def test_zeros_before_a_pool_stay_zeros(
    pad: str, pool: str, kernel: int, between: list[str]
) -> None:
    """ONNX Runtime would make them the padding of the pool, which has none of zeros."""
    builder = GraphBuilder("padded")
    x = builder.input("input", TensorType((1, 2, 6, 6)))
    sides = {"padding": 1} if pad == "pad" else {"pads": (0, 0, 1, 1, 0, 0, 1, 1)}
    (y,) = builder.add(make(pad, **sides), [x], "pad")
    for kind in between:
        (y,) = builder.add(make(kind), [y], kind)
    (y,) = builder.add(make(pool, kernel=kernel), [y], "pool")
    graph = builder.build({"output": y})
    agrees(graph, -1 - torch.rand(1, 2, 6, 6))  # below zero, so that the zeros are the maxima


networks = small_graphs(
    (
        *("conv", "depthwise_conv", "batch_norm", "relu", "max_pool", "avg_pool", "concat", "sum"),
        *("product", "flatten", "linear", "pad", "dropout", "upsample", "global_avg_pool", "slice"),
        *("split", "identity"),
    )
)


@settings(max_examples=40)
@given(networks)
def test_random_networks(graph: Graph) -> None:
    agrees(graph, *tensors(graph), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["squeezenet", "resnet18", "googlenet", "mobilenet-v1", "enet", "maxout-cifar10"]
)
def test_what_is_read_back(name: str, tmp_path: Path) -> None:
    graph = archcost.load(name)
    write_onnx(graph, tmp_path / "net.onnx", weights="none")
    again = archcost.load(tmp_path / "net.onnx")
    assert [value.type for value in again.inputs] == [value.type for value in graph.inputs]
    assert again.named_outputs.keys() == graph.named_outputs.keys()
    before, after = (archcost.analyze(one).totals for one in (graph, again))
    assert (after.params, after.buffers) == (before.params, before.buffers)
    assert (after.macs, after.flops) == (before.macs, before.flops)


def test_torch_is_not_needed() -> None:
    code = (
        "import archcost, sys; archcost.to_onnx(archcost.load('lenet5')); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- names, parameters, metadata ---------------------------------------------------------------


def test_names_are_the_graphs() -> None:
    model = to_onnx(archcost.load("squeezenet"), weights="none")
    nodes = {node.name: node for node in model.graph.node}
    assert len(nodes) == len(model.graph.node)
    conv = nodes["fire2/expand3x3/conv"]
    assert conv.op_type == "Conv"
    assert list(conv.input)[1:] == [f"{conv.name}.weight", f"{conv.name}.bias"]
    assert list(conv.output) == [conv.name]
    assert [value.name for value in model.graph.input] == ["input"]
    assert [value.name for value in model.graph.output] == ["output"]
    shapes = {value.name: value.type.tensor_type.shape.dim for value in model.graph.value_info}
    assert [dim.dim_value for dim in shapes[conv.name]] == [1, 64, 55, 55]


def test_names_that_meet() -> None:
    builder = GraphBuilder("names")
    a, b = (builder.input(name, TensorType((1, 2))) for name in "ab")
    (c,) = builder.add(make("linear", out=2), [a], "y")
    (d,) = builder.add(make("linear", out=2), [b], "y.weight")
    (e,) = builder.add(make("silu"), [d], "e")
    (f,) = builder.add(make("relu"), [e], "e/Sigmoid")
    (g,) = builder.add(make("identity"), [f], "g")
    graph = builder.build({"y": f, "a": a, "b": c, "again": f, "g": g})
    model = to_onnx(graph)
    assert model.graph.output[0].name == "y"
    agrees(graph, torch.randn(1, 2), torch.randn(1, 2))


def test_what_is_only_handed_on_keeps_its_name() -> None:
    builder = GraphBuilder("views")
    (w,) = builder.add(make("weight", shape=(2, 3)), [], "embedding")
    x = builder.input("x", TensorType((2, 3, 4, 4)))
    (y,) = builder.add(make("pad"), [x], "pad")
    (z,) = builder.add(make("pad"), [y], "pad2")
    (r,) = builder.add(make("relu"), [z], "relu")
    (p,) = builder.add(make("pad"), [r], "pad3")
    (s,) = builder.add(make("sum"), [w, w], "sum")
    graph = builder.build({"r": p, "z": z, "s": s, "w": w})
    model = to_onnx(graph)
    types = sorted(node.op_type for node in model.graph.node)
    assert types == ["Add", *["Identity"] * 3, "Relu"]
    agrees(graph, torch.randn(2, 3, 4, 4))


def test_shared_and_unread_parameters_are_stored_once() -> None:
    builder = GraphBuilder("tied")
    x = builder.input("x", TensorType((1, 3)))
    (y,) = builder.add(make("linear", out=3), [x], "a")
    weight = y.producer.parameters[0]
    (z,) = builder.add(make("linear", out=3), [y], "b", share={"weight": weight})
    unread = Parameter("lost", (4,), "fp32", False, 4, 16)
    graph = builder.build({"z": z}, unread=[unread])
    model = checked(to_onnx(graph))
    assert [t.name for t in model.graph.initializer] == ["a.weight", "a.bias", "b.bias", "lost"]
    agrees(graph, torch.randn(1, 3))


def test_a_recurrent_layers_matrices_are_stored_as_onnx_has_them() -> None:
    graph = graph_of("lstm", X3, hidden=5, bidirectional=True)
    model = to_onnx(graph)
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    assert stored == {
        "op.weight_ih_l0": (2, 20, 8),
        "op.weight_hh_l0": (2, 20, 5),
        "op.bias_ih_l0": (2, 40),
    }
    assert sum(map(prod, stored.values())) == sum(p.numel for p in graph.parameters)


def test_metadata() -> None:
    model = to_onnx(archcost.load("squeezenet"), weights="none")
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert model.producer_name == "archcost"
    assert model.producer_version == archcost.__version__
    assert model.graph.name == "squeezenet"
    assert about["title"] == model.doc_string == "SqueezeNet"
    assert about["source.arxiv"] == "1602.07360"


# --- weights -----------------------------------------------------------------------------------


def test_fresh_weights_are_those_of_the_seed() -> None:
    graph = archcost.load("lenet5")
    one, same, other = (to_onnx(graph, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    (y,) = run(one, torch.randn(1, 1, 32, 32))
    assert y.isfinite().all()


def test_fresh_weights_are_as_pytorchs() -> None:
    for kind, arguments, shapes in [case[:3] for case in CASES]:
        if kind == "fractional_max_pool":
            continue
        graph = graph_of(kind, *shapes, dtype="int64" if "emb" in kind else "fp32", **arguments)
        net = to_torch(graph)
        for tensor in to_onnx(graph).graph.initializer:
            found = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
            torchs = getattr(net.op, tensor.name.removeprefix("op."))
            assert (found.std(correction=0) > 0) == (torchs.std(correction=0) > 0)
            if not found.std(correction=0) > 0:
                assert found.flatten()[0] == torchs.flatten()[0]


def test_a_model_without_weights(tmp_path: Path) -> None:
    write_onnx(archcost.load("vgg16"), tmp_path / "vgg.onnx", weights="none")
    assert (tmp_path / "vgg.onnx").stat().st_size < 20_000
    model = checked(onnx.load(tmp_path / "vgg.onnx", load_external_data=False))
    assert sum(prod(tensor.dims) for tensor in model.graph.initializer) == 138_357_544
    assert [path.name for path in tmp_path.iterdir()] == ["vgg.onnx"]


@pytest.mark.parametrize("module", [False, True])
def test_weights_in_a_file_of_their_own(module: bool, tmp_path: Path) -> None:
    graph = archcost.load("lenet5")
    net = to_torch(graph) if module else None
    path = tmp_path / "net.onnx"
    write_onnx(graph, path, net, external=True)
    assert path.stat().st_size < 20_000
    assert (tmp_path / "net.onnx.data").stat().st_size > 4 * 60_000
    onnx.checker.check_model(str(path), full_check=True)
    x = torch.randn(1, 1, 32, 32)
    write_onnx(graph, tmp_path / "one.onnx", net)
    torch.testing.assert_close(run(str(path), x), run(str(tmp_path / "one.onnx"), x))


def test_weights_beyond_what_one_file_holds() -> None:
    graph = graph_of("linear", (1, 30_000), out=30_000)
    with pytest.raises(ExportError, match=r"linear has 3.4 GiB of weights, an ONNX file holds 2"):
        to_onnx(graph)
    assert to_onnx(graph, weights="none").ByteSize() < 1000


# --- what is refused ---------------------------------------------------------------------------


def mixed() -> Graph:
    """Weights in another dtype than the input."""
    builder = GraphBuilder("mixed")
    x = builder.input("x", TensorType((1, 2)))
    weight = Parameter("half", (3, 2), "fp16", True, 6, 12)
    outputs = builder.add(make("linear", out=3, bias=False), [x], "y", share={"weight": weight})
    return builder.build({"y": outputs[0]})


def test_a_module_of_another_graph() -> None:
    graph = graph_of("linear", X2, out=5)
    with pytest.raises(ExportError, match=r"not that of this graph: no <parameter op.weight 5x6"):
        to_onnx(graph, to_torch(graph_of("linear", X3, out=5)))
    with pytest.raises(ExportError, match="has <parameter op.weight 5x6:fp32> in float64"):
        to_onnx(graph, to_torch(graph).double())
    with torch.device("meta"):
        net = to_torch(graph)
    with pytest.raises(ExportError, match="has no weights: it was made on the meta device"):
        to_onnx(graph, net)


@pytest.mark.parametrize("opset", [17, 99])
def test_an_operator_set_that_is_not_written(opset: int) -> None:
    with pytest.raises(ExportError, match=f"operator set {opset} is not written: those from 18"):
        to_onnx(graph_of("relu", X2), opset=opset)


def test_weights_of_no_kind() -> None:
    with pytest.raises(ExportError, match="weights are 'random' or 'none', not 'some'"):
        to_onnx(graph_of("relu", X2), weights="some")


@pytest.mark.parametrize(
    ("graph", "opset", "message"),
    [
        (
            graph_of("conv", X4, out=2, dtype="bf16"),
            20,
            "Conv of bfloat16 from operator set 22",
        ),
        (graph_of("linear", X2, out=2).with_dtype("fp8"), 20, "ONNX has no Gemm of float8e4m3fn"),
        (graph_of("lstm", X3, hidden=3, projection=2), 20, "ONNX has no LSTM with a projection"),
        (mixed(), 20, "node 'y': ONNX has no Gemm of float and float16"),
        (graph_of("cumprod", X3, dim=1), 20, "node 'op': ONNX has no running prod"),
        (
            graph_of("opaque", X2, name="com.acme::Foo", types=((X2, "fp32"),)),
            20,
            "node 'op': ONNX has no com.acme::Foo",
        ),
        (graph_of("assign", X3, X2), 20, "ONNX has no assignments to a part that"),
    ],
)
def test_what_onnx_does_not_have(graph: Graph, opset: int, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        to_onnx(graph, opset=opset)
