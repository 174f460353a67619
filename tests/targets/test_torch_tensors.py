"""Operators on plain tensors in torch: the values that numpy gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from against_torch import type_of
from torch import Tensor
from torch_execution import outputs_of

from archcost.analysis import analyze
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.arguments import UNARY
from archcost.ir.ops import make
from archcost.targets import TargetError, to_torch, torch_tensors
from archcost.targets import torch_modules as own
from archcost.targets.torch_operators import FUNCTIONS, MODULES


def graph_of(kind: str, *types: TensorType, **arguments) -> Graph:
    """A network of one operator, named ``op``."""
    builder = GraphBuilder(kind)
    inputs = [builder.input(f"x{at}", type_) for at, type_ in enumerate(types)]
    outputs = builder.add(make(kind, **arguments), inputs, "op")
    return builder.build({f"y{at}": value for at, value in enumerate(outputs)})


torch.manual_seed(0)
X = torch.rand(2, 3, 4, 5) + 0.1
Y = torch.rand(3, 1, 5) + 0.5
SIGNED = X - 0.6
WHOLE = torch.randint(1, 9, (2, 3, 4, 5))
SMALL = torch.randint(1, 4, (4, 5))
TRUTH = X > 0.6
AT = torch.tensor([2, 0, 1, 1])


def taken(x: Any, places: Any, axis: int) -> tuple[Any, Any]:
    """The elements at these places along an axis, and the places."""
    return np.take_along_axis(x, places, axis), places


def put(x: Any, part: Any, new: Any, ufunc: Any = None) -> Any:
    """``x`` with new elements in ``x[part]``, or joined to what is there."""
    y = x.copy()
    if ufunc is None:
        y[part] = new
    else:
        ufunc.at(y, part, new)
    return y


ONE: dict[str, Callable[[Any], Any]] = {
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": np.vectorize(math.erf, otypes=[np.float32]),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "not": np.logical_not,
    "is_nan": np.isnan,
    "is_inf": np.isinf,
}
TWO: dict[str, Callable[[Any, Any], Any]] = {
    "difference": np.subtract,
    "quotient": np.true_divide,
    "floor_quotient": np.floor_divide,
    "remainder": np.remainder,
    "power": np.power,
    "minimum": np.minimum,
    "atan2": np.arctan2,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
LOGIC = {"and": (np.bitwise_and, np.logical_and), "or": (np.bitwise_or, np.logical_or)}
LOGIC["xor"] = (np.bitwise_xor, np.logical_xor)
REDUCED: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("sum", "mean", "max", "min", "prod", "any", "all")},
    "l1": lambda x, axis, keepdims: np.abs(x).sum(axis, keepdims=keepdims),
    "l2": lambda x, axis, keepdims: np.sqrt((x * x).sum(axis, keepdims=keepdims)),
    "logsumexp": lambda x, axis, keepdims: np.log(np.exp(x).sum(axis, keepdims=keepdims)),
    "var": lambda x, axis, keepdims: np.var(x, axis, ddof=1, keepdims=keepdims),
    "std": lambda x, axis, keepdims: np.std(x, axis, ddof=1, keepdims=keepdims),
}

Case = tuple[str, dict[str, Any], Callable[..., Any], tuple[Tensor, ...]]
CASES: list[Case] = [
    *(
        (name, {}, ONE.get(name) or getattr(np, name), (X + 1 if name == "acosh" else X / 2,))
        for name in UNARY
    ),
    ("is_inf", {}, np.isinf, (torch.tensor([1.0, math.inf]),)),
    ("is_nan", {}, np.isnan, (torch.tensor([1.0, math.nan]),)),
    *((name, {}, two, (X, Y)) for name, two in TWO.items()),
    *((name, {}, two, (WHOLE, SMALL)) for name, two in TWO.items()),
    *(
        (name, {"scalar": 2.5}, lambda x, two=two: two(x, np.float32(2.5)), (X,))
        for name, two in TWO.items()
    ),
    *(
        (name, {"scalar": 3, "reverse": True}, lambda x, two=two: two(3, x), (WHOLE,))
        for name, two in TWO.items()
    ),
    *((name, {}, bits, (WHOLE, SMALL)) for name, (bits, _) in LOGIC.items()),
    *((name, {}, truth, (TRUTH, X > 0.9)) for name, (_, truth) in LOGIC.items()),
    *((name, {}, truth, (X.floor(), Y)) for name, (_, truth) in LOGIC.items()),
    *(
        (name, {"scalar": 5}, lambda x, b=bits: b(x, 5), (WHOLE,))
        for name, (bits, _) in LOGIC.items()
    ),
    *(
        (name, {"scalar": 0.5}, lambda x, t=truth: t(x, 0.5), (X.floor(),))
        for name, (_, truth) in LOGIC.items()
    ),
    ("clamp", {"low": 0.3, "high": 0.7}, lambda x: np.clip(x, 0.3, 0.7), (X,)),
    ("clamp", {"high": 4}, lambda x: np.minimum(x, 4), (WHOLE,)),
    ("where", {}, np.where, (TRUTH, X, Y)),
    ("masked_fill", {"value": -math.inf}, lambda x, m: np.where(m, -np.inf, x), (X, TRUTH)),
    ("cast", {"dtype": "int32"}, lambda x: x.astype(np.int32), (4 * SIGNED,)),
    ("cast", {"dtype": "bool"}, lambda x: x.astype(bool), (X.floor(),)),
    *(
        (f"reduce_{name}", arguments, lambda x, r=r, a=axis, k=keep: r(x, axis=a, keepdims=k), (x,))
        for name, r in REDUCED.items()
        for x in ((TRUTH,) if name in ("any", "all") else (SIGNED,))
        for arguments, axis, keep in (
            ({}, None, False),
            ({"dims": (1, -1)}, (1, 3), False),
            ({"dims": (2,), "keep": True}, 2, True),
        )
    ),
    ("reduce_var", {"dims": (1, 2), "correction": 0}, lambda x: x.var((1, 2)), (X,)),
    ("reduce_sum", {"dims": (1,)}, lambda x: x.sum(1), (WHOLE,)),
    ("reduce_argmax", {}, np.argmax, (X,)),
    ("reduce_argmax", {"dims": (1,)}, lambda x: np.argmax(x, 1), (X,)),
    (
        "reduce_argmin",
        {"dims": (-1,), "keep": True},
        lambda x: np.argmin(x, -1, keepdims=True),
        (X,),
    ),
    (
        "reduce_max",
        {"dims": (1,), "keep": True, "indices": True},
        lambda x: taken(x, np.argmax(x, 1, keepdims=True), 1),
        (X,),
    ),
    (
        "reduce_min",
        {"dims": (3,), "indices": True},
        lambda x: (x.min(3), x.argmin(3)),
        (X,),
    ),
    ("cumsum", {"dim": 1}, lambda x: np.cumsum(x, 1), (X,)),
    ("cumprod", {"dim": -1}, lambda x: np.cumprod(x, -1), (WHOLE,)),
    (
        "cummax",
        {"dim": 0},
        lambda x: (np.maximum.accumulate(x), np.array([0, 0, 2, 2, 4])),
        (torch.tensor([1.0, 0.0, 3.0, 2.0, 5.0]),),
    ),
    (
        "cummin",
        {"dim": 0},
        lambda x: (np.minimum.accumulate(x), np.array([0, 1, 1, 1, 4])),
        (torch.tensor([1.0, 0.0, 3.0, 2.0, -5.0]),),
    ),
    ("sort", {"dim": 1}, lambda x: taken(x, np.argsort(x, 1), 1), (X,)),
    ("sort", {"descending": True}, lambda x: taken(x, np.argsort(-x, -1), -1), (X,)),
    ("top_k", {"k": 2}, lambda x: taken(x, np.argsort(-x, -1)[..., :2], -1), (X,)),
    (
        "top_k",
        {"k": 3, "dim": 0, "largest": False},
        lambda x: taken(x, np.argsort(x, 0)[:3], 0),
        (X.reshape(10, 12),),
    ),
    ("gather", {"dim": 0}, lambda x, i: np.take_along_axis(x, i, 0), (X[0, 0], SMALL[:2])),
    ("gather", {"dim": 1}, lambda x, i: np.take_along_axis(x, i, 1), (X[0, 0], SMALL.int())),
    ("index_select", {"dim": 1}, lambda x, i: np.take(x, i, 1), (X, AT.int())),
    ("index_select", {"dim": -2}, lambda x, i: np.take(x, i, 2), (X, SMALL)),
    ("index", {"dims": (1,)}, lambda x, i: x[:, i], (X, AT)),
    ("index", {"dims": (1, -2)}, lambda x, i, j: x[:, i, j], (X, AT, AT[:1])),
    ("index", {"dims": (1, 3)}, lambda x, i, j: x[:, i, :, j], (X, AT, AT.flip(0))),
    ("index_put", {"dims": (1,)}, lambda x, v, i: put(x, (slice(None), i), v), (X, Y, AT[:3])),
    (
        "index_put",
        {"dims": (1,), "accumulate": True},
        lambda x, v, i: put(x, (slice(None), i), v, np.add),
        (X, torch.rand(1), AT),
    ),
    (
        "scatter",
        {"dim": 0},
        lambda x, i, s: put(x, (i, np.arange(5)), s),
        (X[0, 0], AT[:1, None].expand(1, 5).clone(), torch.rand(1, 5)),
    ),
    *(
        (
            "scatter",
            {"dim": 0, "reduction": reduction},
            lambda x, i, s, u=ufunc: put(x, (i, np.arange(5)), s, u),
            (X[0, 0], SMALL, torch.rand(4, 5)),
        )
        for reduction, ufunc in (
            ("sum", np.add),
            ("product", np.multiply),
            ("max", np.maximum),
            ("min", np.minimum),
        )
    ),
    (
        "assign",
        {"part": ((0, 2, 1), (1, 2, 1), (0, 4, 2), (0, 5, 1))},
        lambda x, new: put(x, (slice(None), 1, slice(0, 4, 2)), new),
        (X, torch.rand(2, 2, 5)),
    ),
    (
        "assign",
        {"part": ((0, 2, 1), (0, 3, 1), (0, 4, 1), (3, 5, 1))},
        lambda x, new: put(x, (..., slice(3, 5)), new),
        (X, torch.rand(4, 1)),
    ),
    ("one_hot", {"classes": 4}, lambda x: np.eye(4, dtype=np.int64)[x], (SMALL,)),
    (
        "one_hot",
        {"classes": 4, "dtype": "fp32"},
        lambda x: np.eye(4, dtype=np.float32)[x],
        (SMALL,),
    ),
    ("view", {"shape": (6, -1)}, lambda x: x.reshape(6, -1), (X,)),
    ("expand", {"shape": (2, 3, -1, -1)}, lambda x: np.broadcast_to(x, (2, 3, 1, 5)), (Y,)),
    ("squeeze", {}, np.squeeze, (Y,)),
    ("squeeze", {"dims": (1, 2)}, lambda x: x.squeeze(1), (Y,)),
    ("unsqueeze", {"dim": -2}, lambda x: np.expand_dims(x, -2), (X,)),
    ("select", {"dim": 2, "index": -1}, lambda x: x[:, :, -1], (X,)),
    (
        "windows",
        {"dim": 3, "size": 2, "step": 2},
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, 3)[..., ::2, :],
        (X,),
    ),
    (
        "diagonal",
        {"offset": -1, "dim1": 3, "dim2": 1},
        lambda x: np.diagonal(x, -1, 3, 1),
        (X,),
    ),
    ("nonzero", {"count": 24}, lambda x: np.argwhere(x)[:24], (torch.ones(2, 3, 4),)),
    (
        "as_strided",
        {"shape": (3, 4), "strides": (5, 2), "offset": 1},
        lambda x: np.array([[x.flat[1 + 5 * i + 2 * j] for j in range(4)] for i in range(3)]),
        (X,),
    ),
    ("as_complex", {}, lambda x: x[..., 0] + 1j * x[..., 1], (torch.rand(3, 2),)),
    (
        "as_real",
        {},
        lambda x: np.stack([x.real, x.imag], -1),
        (torch.rand(3, dtype=torch.complex64),),
    ),
    (
        "grouped_matmul",
        {},
        lambda x, m, ends: np.concatenate([x[:2] @ m[0], x[2:] @ m[1]]),
        (torch.rand(5, 3), torch.rand(2, 3, 4), torch.tensor([2, 5], dtype=torch.int32)),
    ),
    (
        "solve_triangular",
        {"upper": True},
        lambda a, b: np.linalg.solve(np.triu(a), b),
        (torch.rand(2, 3, 3) + 2 * torch.eye(3), torch.rand(2, 3, 4)),
    ),
    ("copy", {}, np.copy, (X,)),
    ("stack", {"dim": -1}, lambda *x: np.stack(x, -1), (X, SIGNED, X)),
    ("repeat", {"counts": (2, 1, 3, 1)}, lambda x: np.tile(x, (2, 1, 3, 1)), (Y,)),
    ("repeat_interleave", {"count": 2, "dim": 1}, lambda x: np.repeat(x, 2, 1), (X,)),
    ("roll", {"shifts": (1, -2), "dims": (1, 3)}, lambda x: np.roll(x, (1, -2), (1, 3)), (X,)),
    ("flip", {"dims": (0, -1)}, lambda x: np.flip(x, (0, -1)), (X,)),
    ("triangle", {"upper": True, "diagonal": 1}, lambda x: np.triu(x, 1), (X,)),
    ("triangle", {"upper": False}, np.tril, (X,)),
    (
        "pad_all",
        {"pads": (1, 0, 2, 0, 0, 1, 0, 3), "value": -1},
        lambda x: np.pad(x, ((1, 0), (0, 1), (2, 0), (0, 3)), constant_values=-1),
        (X,),
    ),
    (
        "pad_all",
        {"pads": (0, 0, -1, 0, 0, 0, 0, 1)},
        lambda x: np.pad(x[:, :, 1:], ((0, 0), (0, 0), (0, 0), (0, 1))),
        (X,),
    ),
    *(
        (
            "pad_all",
            {"pads": (*fronts, *backs), "mode": mode},
            lambda x, f=fronts, b=backs, n=name: np.pad(x, tuple(zip(f, b, strict=True)), n),
            (X,),
        )
        for mode, name in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"))
        for fronts, backs in (((0, 0, 1, 2), (0, 0, 3, 1)), ((1, 2, 0, 3), (0, 1, 2, 0)))
    ),
    (
        "pad_all",
        {"pads": (0, 0, -1, 2, 0, 0, 1, 0), "mode": "replicate"},
        lambda x: np.pad(x[:, :, 1:], ((0, 0), (0, 0), (0, 1), (2, 0)), "edge"),
        (X,),
    ),
]


def test_every_kind_of_this_file_is_tested() -> None:
    builders = MODULES | FUNCTIONS
    here = {kind for kind in builders if builders[kind].__module__ == torch_tensors.__name__}
    assert here - {kind for kind, *_ in CASES} == {"constant", "weight", "unfold", "fold"}  # below


@pytest.mark.parametrize(("kind", "arguments", "function", "tensors"), CASES)
def test_an_operator(kind, arguments, function, tensors) -> None:
    graph = graph_of(kind, *map(type_of, tensors), **arguments)
    net = to_torch(graph)
    assert len(list(net.modules())) == 1
    outputs = outputs_of(net, *tensors)
    assert [type_of(y) for y in outputs] == [value.type for value in graph.outputs]
    expected = function(*(x.numpy() for x in tensors))
    for y, wanted in zip(outputs, expected if len(outputs) > 1 else (expected,), strict=True):
        # numpy has other rules for the dtype, which other tests are about.
        tensor = torch.from_numpy(np.array(wanted)).to(y.dtype)
        torch.testing.assert_close(y, tensor, rtol=1e-5, atol=1e-5)
    with torch.device("meta"):
        outputs = outputs_of(to_torch(graph), *(x.to("meta") for x in tensors))
    assert [type_of(y) for y in outputs] == [value.type for value in graph.outputs]


WINDOW = {"kernel": (2, 3), "stride": (1, 2), "padding": ((1, 0), 2), "dilation": (2, 1)}


def test_columns_make_a_convolution() -> None:
    image = TensorType((2, 3, 6, 8))
    convolution = to_torch(graph_of("conv", image, out=4, bias=False, **WINDOW))
    weight = convolution.get_submodule("op").weight.detach()
    unfold = to_torch(graph_of("unfold", image, **WINDOW))
    x = torch.rand(image.shape)
    columns = unfold(x)
    (expected,) = outputs_of(convolution, x)
    torch.testing.assert_close(weight.flatten(1) @ columns, expected.flatten(2))
    # The other way round it is the gradient.
    fold = to_torch(graph_of("fold", type_of(columns), size=(6, 8), **WINDOW))
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(unfold(x), x, columns)
    torch.testing.assert_close(fold(columns), gradient)


def test_columns_without_padding_are_torchs() -> None:
    x = torch.rand(2, 3, 6, 8)
    columns = to_torch(graph_of("unfold", type_of(x), kernel=2))(x)
    assert torch.equal(columns, F.unfold(x, 2))
    images = to_torch(graph_of("fold", type_of(columns), size=(6, 8), kernel=2))(columns)
    assert torch.equal(images, F.fold(columns, (6, 8), 2))


def with_table(**arguments) -> Graph:
    """x + constant + weight."""
    builder = GraphBuilder("embedded")
    x = builder.input("x", TensorType((2, 5)))
    (zeros,) = builder.add(make("constant", shape=(5,)), [], "zeros")
    (table,) = builder.add(make("weight", shape=(1, 5), **arguments), [], "scope/table")
    (y,) = builder.add(make("sum"), [x, zeros, table], "y")
    return builder.build({"y": y})


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int64", "bool"])
def test_a_weight_that_is_read(dtype: str) -> None:
    trainable = dtype.startswith("fp")
    graph = with_table(dtype=dtype, trainable=trainable)
    net = to_torch(graph)
    module = net.get_submodule("scope.table")
    assert type(module) is own.Weight
    assert list(net.state_dict()) == ["scope.table.value"]
    assert type_of(module.value) == TensorType((1, 5), dtype)
    assert sum(p.numel() for p in net.parameters()) == analyze(graph).totals.params
    assert (module.value.std() > 0) == trainable if trainable else not module.value.any()
    x = torch.rand(2, 5)
    assert torch.equal(net(x), x + module.value)
    assert type_of(net(x)) == graph.outputs[0].type


def test_a_shared_weight_is_one() -> None:
    builder = GraphBuilder("tied")
    (table,) = builder.add(make("weight", shape=(4, 4)), [], "table")
    x = builder.input("x", TensorType((2, 4)))
    share = {"weight": table.producer.parameters[0]}
    (y,) = builder.add(make("linear", out=4, bias=False), [x], "linear", share=share)
    (z,) = builder.add(make("matmul"), [y, table], "product")
    net = to_torch(builder.build({"z": z}))
    assert net.get_submodule("linear").weight is net.get_submodule("table").value
    assert sum(p.numel() for p in net.parameters()) == 16


def test_constants_are_made_where_the_input_is() -> None:
    graph = with_table()
    with torch.device("meta"):
        net = to_torch(graph)
    y = net(torch.empty(2, 5, device="meta"))
    assert y.device.type == "meta"
    whole = graph_of("constant", shape=(2, 3), dtype="int64")
    assert torch.equal(to_torch(whole)(), torch.zeros(2, 3, dtype=torch.int64))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (graph_of("reduce_mean", TensorType((2,), "int64")), "torch has no reduce_mean of int64"),
        (graph_of("cast", TensorType((2,)), dtype="int4"), "torch has no tensors of int4"),
        (
            graph_of("assign", TensorType((2,)), TensorType((1,))),
            "does not say which elements are assigned to",
        ),
        (
            graph_of("opaque", TensorType((2,)), name="a::nms", types=(((2,), "int64"),)),
            "a::nms has no counterpart in torch",
        ),
    ],
)
def test_what_torch_does_not_have(graph: Graph, message: str) -> None:
    with pytest.raises(TargetError, match=f"node 'op': .*{message}"):
        to_torch(graph)
