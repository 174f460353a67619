"""Sequences and sampling in torch: against plain formulas, and by every argument."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from test_torch_operators import graph_of
from torch import nn
from torch_execution import outputs_of

from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.targets import TargetError, to_torch, torch_sequences
from archcost.targets import torch_modules as own


def module_of(net) -> nn.Module:
    module = net.get_submodule("op")
    return module.requires_grad_(False)


# --- attention ---------------------------------------------------------------------------------


def attention(q, k, v, *, scale=None, hidden=None, added=0.0):
    scores = q @ k.transpose(-1, -2) * (1 / sqrt(q.shape[-1]) if scale is None else scale) + added
    if hidden is not None:
        scores = scores.masked_fill(hidden, -torch.inf)
    return scores.softmax(-1) @ v


Q, K, V = torch.randn(2, 4, 5, 8), torch.randn(2, 4, 7, 8), torch.randn(2, 4, 7, 3)


def test_attention_is_its_formula() -> None:
    (y,) = outputs_of(to_torch(graph_of("attention", Q.shape, K.shape, V.shape)), Q, K, V)
    torch.testing.assert_close(y, attention(Q, K, V))
    later = torch.ones(5, 7, dtype=torch.bool).triu(1)
    net = to_torch(graph_of("attention", Q.shape, K.shape, V.shape, causal=True, scale=0.3))
    torch.testing.assert_close(net(Q, K, V), attention(Q, K, V, scale=0.3, hidden=later))


def test_attention_with_a_mask() -> None:
    added, seen = torch.randn(4, 5, 7), torch.rand(5, 7) > 0.4
    seen[:, 0] = True
    net = to_torch(graph_of("attention", Q.shape, K.shape, V.shape, added.shape))
    torch.testing.assert_close(net(Q, K, V, added), attention(Q, K, V, added=added))
    torch.testing.assert_close(net(Q, K, V, seen), attention(Q, K, V, hidden=~seen))


def test_grouped_attention_hands_each_key_to_several_heads() -> None:
    few = K[:, :2], V[:, :2]
    net = to_torch(graph_of("attention", Q.shape, *[x.shape for x in few], grouped=True))
    several = [x.repeat_interleave(2, 1) for x in few]
    torch.testing.assert_close(net(Q, *few), attention(Q, *several))


def test_attention_drops_scores_in_training_alone() -> None:
    net = to_torch(graph_of("attention", Q.shape, K.shape, V.shape, dropout=0.9))
    assert isinstance(net.get_submodule("op"), own.Attention)
    assert not torch.allclose(net(Q, K, V), attention(Q, K, V))
    torch.testing.assert_close(net.eval()(Q, K, V), attention(Q, K, V))


# --- recurrent layers --------------------------------------------------------------------------


def test_initial_states_are_taken_and_last_ones_given() -> None:
    x, h, c = torch.randn(3, 5, 8), torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    shapes = [t.shape for t in (x, h, c)]
    net = to_torch(graph_of("lstm", *shapes, hidden=4, layers=2))
    y, (last, cell) = module_of(net)(x, (h, c))
    for ours, theirs in zip(outputs_of(net, x, h, c), (y, last, cell), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(y[:, -1], last[1])

    half = to_torch(graph_of("lstm", *shapes[:2], hidden=4, layers=2))
    y, states = module_of(half)(x, (h, torch.zeros_like(c)))
    for ours, theirs in zip(outputs_of(half, x, h), (y, *states), strict=True):
        torch.testing.assert_close(ours, theirs)

    gated = to_torch(graph_of("gru", *shapes[:2], hidden=4, layers=2))
    for ours, theirs in zip(outputs_of(gated, x, h), module_of(gated)(x, h), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("kind", "arguments", "wanted"),
    [
        ("rnn_tanh", {}, {"nonlinearity": "tanh", "bias": True, "dropout": 0.0}),
        ("rnn_relu", {"bias": False}, {"nonlinearity": "relu", "bias": False}),
        ("gru", {"layers": 2, "dropout": 0.25}, {"num_layers": 2, "dropout": 0.25}),
        ("gru", {"dropout": 0.25}, {"num_layers": 1, "dropout": 0.0}),
        ("lstm", {"bidirectional": True}, {"bidirectional": True, "batch_first": True}),
        ("lstm", {"batch_first": False, "projection": 2}, {"batch_first": False, "proj_size": 2}),
    ],
)
def test_a_recurrent_layer_is_told_everything(kind: str, arguments: dict, wanted: dict) -> None:
    module = to_torch(graph_of(kind, (3, 5, 8), hidden=4, **arguments)).get_submodule("op")
    assert {name: getattr(module, name) for name in wanted} == wanted


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_projection_makes_the_state_smaller() -> None:
    net = to_torch(graph_of("lstm", (3, 5, 8), hidden=4, projection=2, bidirectional=True))
    outputs = outputs_of(net, torch.randn(3, 5, 8))
    assert [tuple(y.shape) for y in outputs] == [(3, 5, 4), (2, 3, 2), (2, 3, 4)]


def test_recurrent_layers_share_their_weights() -> None:
    builder = GraphBuilder("tied")
    x = builder.input("x", TensorType((2, 5, 4)))
    gru = make("gru", hidden=4)
    y, _ = builder.add(gru, [x], "first")
    first = y.producer
    assert first is not None
    names = [spec.name for spec in first.application.parameters]
    share = dict(zip(names, first.parameters, strict=True))
    z, _ = builder.add(gru, [y], "second", share=share)
    net = to_torch(builder.build({"z": z})).requires_grad_(False)
    layer = net.get_submodule("first")
    assert len(list(net.parameters())) == 4
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(net(x), layer(layer(x)[0])[0])


# --- bags, norms, convolutions -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "int16"])
def test_bags_of_rows(mode: str, dtype: str) -> None:
    arguments = {"count": 10, "width": 3, "mode": mode}
    x = torch.randint(0, 10, (2, 4), dtype=getattr(torch, dtype))
    net = to_torch(graph_of("embedding_bag", x.shape, dtype=dtype, **arguments))
    rows = module_of(net).weight[x.long()]
    joined = {"sum": rows.sum(1), "mean": rows.mean(1), "max": rows.amax(1)}[mode]
    torch.testing.assert_close(net(x), joined)
    by_offsets = to_torch(graph_of("embedding_bag", (8,), (2,), dtype=dtype, **arguments))
    module_of(by_offsets).weight.copy_(module_of(net).weight)
    offsets = torch.tensor([0, 4], dtype=x.dtype)
    torch.testing.assert_close(by_offsets(x.flatten(), offsets), joined)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("batch_norm", {}),
        ("layer_norm", {}),
        ("rms_norm", {}),
        ("group_norm", {"groups": 2}),
        ("instance_norm", {}),
    ],
)
def test_eps_reaches_torchs_module(kind: str, arguments: dict) -> None:
    default = make(kind, **arguments).eps
    for eps, settings in ((default, {}), (0.125, {"eps": 0.125})):
        net = to_torch(graph_of(kind, (2, 4, 6), **arguments, **settings))
        assert net.get_submodule("op").eps == eps


@pytest.mark.parametrize("padding", [0, 1, "same", ((0, 1), (2, 0))])
@pytest.mark.parametrize("kind", ["conv", "conv_transpose"])
def test_weights_as_inputs_do_what_stored_ones_do(kind: str, padding) -> None:
    arguments = {"out": 4, "kernel": 3, "stride": 2, "groups": 2, "padding": padding}
    graph = graph_of(kind, (2, 6, 8, 9), **arguments)
    net = to_torch(graph).requires_grad_(False)
    weights = list(net.parameters())
    dynamic = to_torch(
        graph_of(f"dynamic_{kind}", (2, 6, 8, 9), *[w.shape for w in weights], **arguments)
    )
    x = torch.randn(2, 6, 8, 9)
    torch.testing.assert_close(dynamic(x, *weights), net(x))


# --- sampling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_grid_sample(mode: str, padding: str, align_corners: bool) -> None:
    x, grid = torch.randn(2, 3, 6, 5), 3 * torch.rand(2, 4, 4, 2) - 1.5
    arguments = {"mode": mode, "padding": padding, "align_corners": align_corners}
    net = to_torch(graph_of("grid_sample", x.shape, grid.shape, **arguments))
    expected = F.grid_sample(x, grid, mode, padding, align_corners=align_corners)
    assert torch.equal(net(x, grid), expected)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("antialias", [False, True])
def test_upsample(mode: str, align_corners: bool, antialias: bool) -> None:
    arguments = {"mode": mode, "align_corners": align_corners, "antialias": antialias}
    net = to_torch(graph_of("upsample", (2, 3, 6, 8), size=(9, 3), **arguments))
    x = torch.randn(2, 3, 6, 8)
    assert torch.equal(net(x), F.interpolate(x, (9, 3), **arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "bicubic"}, "has bicubic in two dimensions alone"),
        ({"mode": "bilinear", "antialias": True}, "has antialias in two dimensions alone"),
    ],
)
def test_torch_upsamples_so_in_two_dimensions(arguments: dict, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        to_torch(graph_of("upsample", (2, 3, 6), scale=2, **arguments))


REGIONS = [
    ("deform_conv", {"out": 4, "kernel": 3}, [(2, 4, 6, 6), (2, 18, 4, 4)]),
    ("roi_align", {"size": 3}, [(2, 4, 6, 6), (5, 5)]),
]


@pytest.mark.parametrize(("kind", "arguments", "shapes"), REGIONS)
def test_without_torchvision(kind: str, arguments: dict, shapes, monkeypatch) -> None:
    monkeypatch.setattr(torch_sequences, "find_spec", lambda name: None)
    with pytest.raises(TargetError, match=f"node 'op': {kind} needs torchvision"):
        to_torch(graph_of(kind, *shapes, **arguments))


@pytest.mark.parametrize("padding", [1, ((0, 1), (2, 0))])
def test_a_deformable_convolution_that_moves_nothing(padding) -> None:
    pytest.importorskip("torchvision")
    arguments = {"out": 4, "kernel": 3, "stride": 2, "groups": 2, "padding": padding}
    regular = to_torch(graph_of("conv", (2, 4, 9, 8), **arguments)).requires_grad_(False)
    x = torch.randn(2, 4, 9, 8)
    y = regular(x)
    offsets = torch.zeros(2, 2 * 2 * 9, *y.shape[2:])
    net = to_torch(
        graph_of("deform_conv", x.shape, offsets.shape, offset_groups=2, **arguments)
    ).requires_grad_(False)
    net.load_state_dict(regular.state_dict())
    torch.testing.assert_close(net(x, offsets), y)
    factors = torch.full((2, 2 * 9, *y.shape[2:]), 0.5)
    halved = to_torch(
        graph_of("deform_conv", x.shape, offsets.shape, factors.shape, offset_groups=2, **arguments)
    ).requires_grad_(False)
    halved.load_state_dict(regular.state_dict())
    bias = regular.get_submodule("op").bias[:, None, None]
    torch.testing.assert_close(halved(x, offsets, factors), (y - bias) / 2 + bias)


def test_regions_are_resampled() -> None:
    ops = pytest.importorskip("torchvision.ops")
    x = torch.randn(2, 3, 8, 8)
    boxes = torch.tensor([[0, 0.0, 0.0, 8.0, 8.0], [1, 2.0, 4.0, 9.0, 12.0]])
    arguments = {"size": (3, 2), "samples": 2, "scale": 0.5, "aligned": True}
    net = to_torch(graph_of("roi_align", x.shape, boxes.shape, **arguments))
    expected = ops.roi_align(x, boxes, (3, 2), 0.5, 2, aligned=True)
    assert torch.equal(net(x, boxes), expected)

    builder = GraphBuilder("split")
    types = [TensorType(x.shape), TensorType((2, 4)), TensorType((2,), "int64")]
    inputs = [builder.input(f"x{at}", type_) for at, type_ in enumerate(types)]
    (y,) = builder.add(make("roi_align", **arguments), inputs, "op")
    split = to_torch(builder.build({"y": y}))
    assert torch.equal(split(x, boxes[:, 1:], boxes[:, 0].long()), expected)

    pooled = to_torch(graph_of("roi_align", x.shape, boxes.shape, size=3, pool=True, scale=0.5))
    assert torch.equal(pooled(x, boxes), ops.roi_pool(x, boxes, 3, 0.5))
