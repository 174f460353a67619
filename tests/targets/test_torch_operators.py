"""Operators in torch: against plain sums over windows, and in training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import inf

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch_execution import outputs_of

from archcost.analysis import analyze
from archcost.ir import Graph, GraphBuilder, Reach, ShapeError, TensorType
from archcost.ir.ops import OPERATORS, make
from archcost.targets import TargetError, to_torch, torch_tensors
from archcost.targets import torch_modules as own
from archcost.targets.torch_operators import FUNCTIONS, MODULES


def graph_of(kind: str, *shapes: tuple[int, ...], dtype: str = "fp32", **arguments) -> Graph:
    """A network of one operator, named ``op``."""
    builder = GraphBuilder(kind)
    inputs = [builder.input(f"x{at}", TensorType(shape, dtype)) for at, shape in enumerate(shapes)]
    outputs = builder.add(make(kind, **arguments), inputs, "op")
    return builder.build({f"y{at}": value for at, value in enumerate(outputs)})


# --- one operator ------------------------------------------------------------------------------

X2, X3, X4, X5 = (2, 6), (2, 6, 8), (2, 6, 8, 9), (2, 4, 5, 6, 7)
TABLE = ((0, 1), (2, 5, 3), (4,))

CASES = [
    ("conv", {"out": 4, "kernel": 3, "stride": 2, "padding": 1}, [X3], nn.Conv1d),
    ("conv", {"out": 4, "kernel": 3, "groups": 2, "bias": False}, [X4], nn.Conv2d),
    ("conv", {"out": 4, "kernel": (1, 2, 3), "dilation": 2}, [X5], nn.Conv3d),
    ("conv", {"out": 3, "kernel": 3, "connections": TABLE}, [X4], own.TableConv),
    ("depthwise_conv", {"multiplier": 2, "padding": 1}, [X4], nn.Conv2d),
    ("local_conv", {"out": 4, "kernel": 3, "padding": 1}, [X4], own.LocalConv),
    ("conv_transpose", {"out": 4, "kernel": 3, "groups": 2}, [X4], nn.ConvTranspose2d),
    ("dynamic_conv", {"out": 4, "kernel": 3, "padding": 1}, [X3, (4, 6, 3), (4,)], None),
    (
        "dynamic_conv",
        {"out": 4, "kernel": 2, "padding": "same", "groups": 2, "bias": False},
        [X4, (4, 3, 2, 2)],
        None,
    ),
    ("dynamic_conv_transpose", {"out": 4, "kernel": 3}, [X5, (4, 4, 3, 3, 3), (4,)], None),
    (
        "dynamic_conv_transpose",
        {"out": 4, "kernel": 3, "padding": ((0, 1),), "bias": False},
        [X3, (6, 4, 3)],
        None,
    ),
    ("attention", {}, [X4, X4, (2, 6, 8, 3)], None),
    ("attention", {"causal": True, "scale": 2}, [X3, X3, X3], None),
    ("attention", {"grouped": True}, [X4, (2, 3, 7, 9), (2, 2, 7, 4), (8, 7)], None),
    ("lstm", {"hidden": 5}, [X3], nn.LSTM),
    ("lstm", {"hidden": 5, "bidirectional": True}, [X3, (2, 2, 5)], nn.LSTM),
    ("lstm", {"hidden": 5, "layers": 2}, [X3, (2, 2, 5), (2, 2, 5)], nn.LSTM),
    ("gru", {"hidden": 5, "layers": 3, "dropout": 0.5, "bias": False}, [X3], nn.GRU),
    ("rnn_tanh", {"hidden": 5, "batch_first": False}, [X3, (1, 6, 5)], nn.RNN),
    ("rnn_relu", {"hidden": 5, "dropout": 0.5}, [X2], nn.RNN),
    ("linear", {"out": 5}, [X2], nn.Linear),
    ("linear", {"out": 5, "bias": False}, [X3], nn.Linear),
    ("linear", {"out": 5}, [X4], nn.Linear),
    ("linear", {"out": 5, "flatten": False}, [X4], nn.Linear),
    ("linear", {"out": 5, "drop_connect": 0.5}, [X4], own.DropConnect),
    ("matmul", {}, [X4, (2, 1, 9, 3)], None),
    ("matmul", {"transpose_b": True}, [X4, (2, 6, 5, 9)], None),
    ("rbf", {"out": 5}, [X2], own.RadialBasis),
    ("rbf", {"out": 5, "trainable": True}, [X2], own.RadialBasis),
    ("embedding", {"count": 10, "width": 4}, [X2], nn.Embedding),
    ("embedding_bag", {"count": 10, "width": 4}, [X2], nn.EmbeddingBag),
    ("grid_sample", {"mode": "bicubic"}, [X4, (2, 3, 4, 2)], None),
    ("grid_sample", {"padding": "border"}, [X5, (2, 3, 4, 2, 3)], None),
    ("max_pool", {"kernel": 2}, [X4], nn.MaxPool2d),
    ("max_pool", {"kernel": 3, "stride": 2, "padding": 1, "indices": True}, [X3], nn.MaxPool1d),
    ("avg_pool", {"kernel": 2, "rounding": "ceil"}, [X4], nn.AvgPool2d),
    ("sum_pool", {"kernel": 2}, [X4], nn.AvgPool2d),
    ("sum_pool", {"kernel": 2}, [X3], nn.AvgPool1d),
    ("lp_pool", {"norm": 2, "kernel": 2}, [X5], nn.LPPool3d),
    ("lp_pool", {"norm": 3, "kernel": 2}, [X3], nn.LPPool1d),
    ("global_max_pool", {}, [X4], nn.AdaptiveMaxPool2d),
    ("global_avg_pool", {}, [X4], nn.AdaptiveAvgPool2d),
    ("global_avg_pool", {}, [X3], nn.AdaptiveAvgPool1d),
    ("adaptive_max_pool", {"size": (2, 3)}, [X4], nn.AdaptiveMaxPool2d),
    ("adaptive_avg_pool", {"size": 3}, [X5], nn.AdaptiveAvgPool3d),
    ("fractional_max_pool", {"kernel": 2, "ratio": 0.7}, [X4], nn.FractionalMaxPool2d),
    ("fractional_max_pool", {"kernel": 2, "size": 5}, [X3], nn.FractionalMaxPool2d),
    ("fractional_max_pool", {"kernel": 2, "size": 2}, [X5], nn.FractionalMaxPool3d),
    ("batch_norm", {}, [X2], nn.BatchNorm1d),
    ("batch_norm", {"affine": False}, [X3], nn.BatchNorm1d),
    ("batch_norm", {"track": False}, [X4], nn.BatchNorm2d),
    ("batch_norm", {}, [X5], nn.BatchNorm3d),
    ("layer_norm", {"dims": 2, "bias": False}, [X4], nn.LayerNorm),
    ("layer_norm", {"affine": False}, [X3], nn.LayerNorm),
    ("rms_norm", {}, [X3], nn.RMSNorm),
    ("rms_norm", {"dims": 2, "affine": False}, [X4], nn.RMSNorm),
    ("group_norm", {"groups": 3}, [X4], nn.GroupNorm),
    ("instance_norm", {"affine": True, "track": True}, [X3], nn.InstanceNorm1d),
    ("instance_norm", {}, [X5], nn.InstanceNorm3d),
    ("lrn", {}, [X4], nn.LocalResponseNorm),
    ("lrn", {}, [X2], nn.LocalResponseNorm),
    ("lrn", {"region": "within", "size": 3}, [X4], own.LocalResponseNorm),
    ("scale_shift", {}, [X4], own.ScaleShift),
    ("scale_shift", {"per": "element", "scale": False}, [X3], own.ScaleShift),
    ("leaky_relu", {"slope": 0.2}, [X2], nn.LeakyReLU),
    ("elu", {"slope": 0.5}, [X2], nn.ELU),
    ("prelu", {}, [X4], nn.PReLU),
    ("prelu", {"shared": True}, [X4], nn.PReLU),
    ("rescale", {"scale": -1, "shift": 1}, [X4], None),
    ("maxout", {"pieces": 3}, [X4], None),
    ("softmax", {}, [X4], nn.Softmax),
    ("log_softmax", {"dim": -1}, [X2], nn.LogSoftmax),
    ("dropout", {}, [X4], nn.Dropout),
    ("dropout", {"per": "channel"}, [X4], nn.Dropout2d),
    ("dropout", {"per": "channel"}, [X2], nn.Dropout),
    ("drop_path", {"rate": 0.5}, [X4], own.DropPath),
    ("concat", {"dim": -1}, [X4, X4, (2, 6, 8, 1)], None),
    ("sum", {}, [X4, X4, (2, 6, 1, 1)], None),
    ("product", {}, [X4, (2, 6, 1, 1)], None),
    ("maximum", {}, [X4, X4], None),
    ("mean", {}, [X4, X4, X4], None),
    ("identity", {}, [X3], nn.Identity),
    ("pad", {"padding": ((1, 2), 3)}, [X4], nn.ZeroPad2d),
    ("pad", {"padding": 2, "mode": "reflect"}, [X3], nn.ReflectionPad1d),
    ("pad", {"padding": 2, "mode": "replicate", "channels": (1, 2)}, [X5], nn.ReplicationPad3d),
    ("pad", {"padding": (1, 0), "channels": (1, 2)}, [X4], nn.ConstantPad3d),
    ("pad", {"channels": (1, 2)}, [X5], nn.ConstantPad3d),
    ("crop", {"size": (3, 4), "offset": (1, 2)}, [X4], None),
    ("crop", {}, [X4, (2, 3, 5, 5)], None),
    ("upsample", {"scale": 2}, [X3], nn.Upsample),
    ("upsample", {"size": (9, 4), "mode": "bilinear"}, [X4], nn.Upsample),
    ("upsample", {"scale": (1, 2, 3), "mode": "bilinear"}, [X5], nn.Upsample),
    ("upsample", {"size": (9, 4), "mode": "bicubic", "align_corners": True}, [X4], nn.Upsample),
    (
        "upsample",
        {"size": (5, 4), "mode": "bilinear", "antialias": True},
        [X4],
        own.AntialiasedUpsample,
    ),
    ("reshape", {"shape": (0, 4, -1)}, [X4], None),
    ("flatten", {}, [X4], nn.Flatten),
    ("flatten", {"start": 2}, [X5], nn.Flatten),
    ("permute", {"dims": (0, 2, 3, 1)}, [X4], None),
    ("slice", {"dim": -1, "start": 1, "step": 2}, [X4], None),
    ("split", {"sizes": (1, 5)}, [X4], None),
    ("split", {"parts": 4, "dim": 2}, [X4], None),
    ("channel_shuffle", {"groups": 3}, [X4], nn.ChannelShuffle),
    ("channel_shuffle", {"groups": 3}, [X2], nn.ChannelShuffle),
    ("pixel_shuffle", {"factor": 2, "inverse": True}, [(2, 3, 8, 4)], nn.PixelUnshuffle),
    ("pixel_shuffle", {"factor": 2}, [(2, 8, 3, 5)], nn.PixelShuffle),
    ("pixel_shuffle", {"factor": 2}, [(2, 8, 3, 5, 4)], own.PixelShuffle),
]
ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "gelu_tanh": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "sigmoid": nn.Sigmoid,
    "log_sigmoid": nn.LogSigmoid,
    "hard_sigmoid": nn.Hardsigmoid,
    "hard_swish": nn.Hardswish,
    "hard_tanh": nn.Hardtanh,
    "tanh": nn.Tanh,
    "scaled_tanh": None,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "square": None,
    "abs": None,
}
CASES += [(kind, {}, [X4], cls) for kind, cls in ACTIVATIONS.items()]


def test_every_kind_is_a_module_or_a_function() -> None:
    builders = MODULES | FUNCTIONS
    assert builders.keys() == OPERATORS.keys() - {"opaque"}  # which nobody knows
    assert not MODULES.keys() & FUNCTIONS.keys()
    elsewhere = {kind for kind in builders if builders[kind].__module__ == torch_tensors.__name__}
    tested = elsewhere | {kind for kind, *_ in CASES}
    # The first is below, products of other kinds are in test_torch_tensors.py, those of
    # torchvision in test_torch_sequences.py.
    assert builders.keys() - tested == {
        *("max_unpool", "grouped_matmul", "solve_triangular"),
        *("deform_conv", "roi_align"),
    }


@pytest.mark.parametrize(("kind", "arguments", "shapes", "cls"), CASES)
def test_an_operator(kind: str, arguments: dict, shapes: list, cls: type | None) -> None:
    dtype = "int64" if kind.startswith("embedding") else "fp32"
    graph = graph_of(kind, *shapes, dtype=dtype, **arguments)
    net = to_torch(graph)
    found = [type(part) for part in net.modules()][1:]
    assert found == ([] if cls is None else [cls])
    assert (kind in MODULES) == (cls is not None)
    whole = dtype == "int64"
    inputs = [torch.ones(s, dtype=torch.int64) if whole else torch.randn(s) for s in shapes]
    outputs = outputs_of(net, *inputs)
    assert [tuple(y.shape) for y in outputs] == [value.shape for value in graph.outputs]
    totals = analyze(graph).totals
    assert sum(p.numel() for p in net.parameters()) == totals.params
    names = {name.rpartition(".")[2] for name, _ in (*net.named_parameters(), *net.named_buffers())}
    node = graph.node("op")
    assert names - {"num_batches_tracked"} == {p.name for p in node.application.parameters}


# --- against windows taken one by one ----------------------------------------------------------


class Sliding:
    """A network of one operator that slides windows, and the elements under each window.

    Windows begin where the operator's reach begins, which other tests hold.
    """

    def __init__(self, kind: str, shape: tuple[int, ...], **arguments) -> None:
        try:
            self.graph = graph_of(kind, shape, **arguments)
        except ShapeError:
            assume(False)
        node = self.graph.node("op")
        self.net = to_torch(self.graph).double()
        self.module = self.net.get_submodule("op").requires_grad_(False)
        self.x = torch.randn(shape, dtype=torch.float64)
        self.sizes = shape[2:]
        kernel = arguments["kernel"]
        reach = node.application.reach or [Reach(0, 0, 1)] * len(kernel)
        self.places = [
            torch.arange(out)[:, None] * r.stride
            + r.low
            + torch.arange(k) * (r.high - r.low) // max(1, k - 1)
            for r, k, out in zip(reach, kernel, node.outputs[0].shape[2:], strict=True)
        ]

    def within(self, low: Sequence[int], high: Sequence[int]) -> torch.Tensor:
        """(window, element): whether it lies from ``low`` up to, without, ``high``."""
        result = torch.ones(1, 1, dtype=torch.bool)
        for at, first, end in zip(self.places, low, high, strict=True):
            here = (at >= first) & (at < end)
            result = (result[:, None, :, None] & here[None, :, None, :]).flatten(0, 1).flatten(1)
        return result

    @property
    def inside(self) -> torch.Tensor:
        """(window, element): whether it is one of the input, no padding."""
        return self.within([0] * len(self.sizes), self.sizes)

    def windows(self, fill: float = 0.0) -> torch.Tensor:
        """(N, C, window, element) of the input, ``fill`` where there is none."""
        x, rank = self.x, len(self.sizes)
        for dim, (at, size) in enumerate(zip(self.places, self.sizes, strict=True), 2):
            x = x.index_select(dim, at.flatten().clamp(0, size - 1))
        x = x.reshape(*x.shape[:2], *(n for at in self.places for n in at.shape))
        x = x.permute(0, 1, *range(2, 2 + 2 * rank, 2), *range(3, 3 + 2 * rank, 2))
        return x.reshape(*x.shape[:2], *self.inside.shape).masked_fill(~self.inside, fill)

    def gives(self, expected: torch.Tensor) -> None:
        (y,) = outputs_of(self.net, self.x)
        torch.testing.assert_close(y, expected.reshape(y.shape))


@st.composite
def sliding(draw: st.DrawFn, *, padded: bool = True, dilated: bool = False):
    """(shape, arguments) in one to three dimensions, with padding that differs by side."""
    rank = draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    arguments = {"kernel": each(1, 3), "stride": each(1, 3)}
    arguments["rounding"] = draw(st.sampled_from(["floor", "ceil"]))
    if padded:
        sides = tuple(zip(each(0, 2), each(0, 2), strict=True))
        arguments["padding"] = draw(st.sampled_from(["same", sides]))
    if dilated:
        arguments["dilation"] = each(1, 2)
    return (2, draw(st.integers(1, 3)), *each(2, 6)), arguments


@settings(max_examples=60)
@given(sliding(dilated=True), st.booleans())
def test_a_convolution_is_a_sum_over_windows(drawn, depthwise: bool) -> None:
    shape, arguments = drawn
    if depthwise:
        case = Sliding("depthwise_conv", shape, multiplier=2, **arguments)
        weight = case.module.weight.flatten(1).unflatten(0, (shape[1], 2))
        sums = torch.einsum("ncwk,cok->ncow", case.windows(), weight).flatten(1, 2)
    else:
        case = Sliding("conv", shape, out=4, **arguments)
        sums = torch.einsum("ncwk,ock->now", case.windows(), case.module.weight.flatten(2))
    case.gives(sums + case.module.bias[:, None])


@settings(max_examples=40)
@given(sliding())
def test_a_local_convolution_has_weights_for_each_window(drawn) -> None:
    shape, arguments = drawn
    case = Sliding("local_conv", shape, out=3, **arguments)
    rank = len(case.sizes)
    weight = case.module.weight.flatten(0, rank - 1).flatten(3)
    bias = case.module.bias.flatten(0, rank - 1).t()
    case.gives(torch.einsum("ncwk,wock->now", case.windows(), weight) + bias)


def test_a_connection_table_leaves_channels_out() -> None:
    net = to_torch(graph_of("conv", X4, out=3, kernel=2, connections=TABLE)).requires_grad_(False)
    module, x = net.get_submodule("op"), torch.randn(X4)
    weights = iter(module.weight)
    rows = [
        sum(nn.functional.conv2d(x[:, [c]], next(weights)[None, None]) for c in row) + bias
        for row, bias in zip(TABLE, module.bias, strict=True)
    ]
    torch.testing.assert_close(net(x), torch.cat(rows, 1))


@settings(max_examples=60)
@given(sliding(dilated=True), st.booleans())
def test_maxima_of_windows_and_where_they_lie(drawn, indices: bool) -> None:
    shape, arguments = drawn
    case = Sliding("max_pool", shape, indices=indices, **arguments)
    assume(case.inside.any(1).all())
    y, *places = outputs_of(case.net, case.x)
    torch.testing.assert_close(y, case.windows(-inf).amax(3).reshape(y.shape))
    for at in places:
        assert torch.equal(case.x.flatten(2).gather(2, at.flatten(2)), y.flatten(2))


@settings(max_examples=60)
@given(sliding(), st.booleans())
def test_means_of_windows(drawn, count_padding: bool) -> None:
    shape, arguments = drawn
    case = Sliding("avg_pool", shape, count_padding=count_padding, **arguments)
    counted = case.inside
    if count_padding:  # but not what hangs over behind it
        sides = case.graph.node("op").op.windows(TensorType(shape)).padding
        ends = [size + after for size, (_, after) in zip(case.sizes, sides, strict=True)]
        counted = case.within([-before for before, _ in sides], ends)
    assume(counted.any(1).all())
    case.gives(case.windows().sum(3) / counted.sum(1))


@settings(max_examples=40)
@given(sliding())
def test_sums_of_windows(drawn) -> None:
    case = Sliding("sum_pool", drawn[0], **drawn[1])
    case.gives(case.windows().sum(3))


@settings(max_examples=40)
@given(sliding(padded=False), st.sampled_from([1, 2, 3, 1.5]))
def test_norms_of_windows(drawn, norm: float) -> None:
    case = Sliding("lp_pool", drawn[0], norm=norm, **drawn[1])
    case.gives((case.windows().abs() ** norm).sum(3) ** (1 / norm))


def test_local_response_within_channels() -> None:
    net = to_torch(graph_of("lrn", X4, region="within", size=3, alpha=0.3, beta=0.5, k=2)).double()
    x = torch.randn(X4, dtype=torch.float64)
    squares = nn.functional.unfold(x.flatten(0, 1).unsqueeze(1) ** 2, 3, padding=1).sum(1)
    torch.testing.assert_close(net(x), x / (2 + 0.3 / 9 * squares.view(x.shape)) ** 0.5)


def test_local_response_over_windows_larger_than_the_input() -> None:
    shape = (2, 3, 1, 3, 1)
    net = to_torch(graph_of("lrn", shape, region="within", size=3, alpha=0.3, beta=0.5, k=2))
    x = torch.randn(shape)
    (a, b, c) = (x**2).unbind(3)  # all other neighbours are zeros
    squares = torch.stack([a + b, a + b + c, b + c], 3)
    torch.testing.assert_close(net(x), x / (2 + 0.3 / 27 * squares) ** 0.5)


@settings(max_examples=60)
@given(st.data())
def test_a_transposed_convolution_adds_windows(data: st.DataObject) -> None:
    n, k, s, d = (data.draw(st.integers(1, high)) for high in (5, 4, 3, 2))
    sides = tuple(data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3))))
    arguments = {"kernel": k, "stride": s, "dilation": d, "bias": False, "out": 2}
    arguments["padding"] = data.draw(st.sampled_from(["same", (sides,)]))
    arguments["output_padding"] = data.draw(st.integers(0, max(s, d) - 1))
    try:
        graph = graph_of("conv_transpose", (1, 3, n), **arguments)
    except ShapeError:
        assume(False)
    front = sides[0] if arguments["padding"] != "same" else max(0, d * (k - 1) + 1 - s) // 2
    (size,) = graph.outputs[0].shape[2:]
    try:
        net = to_torch(graph).requires_grad_(False)
    except TargetError:  # torch adds less than a stride behind
        assert size > (n - 1) * s + d * (k - 1) + 1
        return
    x, weight = torch.randn(1, 3, n), net.get_submodule("op").weight
    expected = torch.zeros(1, 2, size)
    for i, j in product(range(n), range(k)):
        at = i * s - front + j * d
        if 0 <= at < size:
            expected[:, :, at] += x[:, :, i] @ weight[:, :, j]
    torch.testing.assert_close(net(x), expected)


@pytest.mark.parametrize("padding", [0, 1, "same", ((0, 1), (1, 0))])
def test_unpooling_puts_maxima_back(padding: object) -> None:
    builder = GraphBuilder("there and back")
    x = builder.input("x", TensorType((2, 3, 8, 9)))
    window = {"kernel": 3, "stride": 2, "padding": padding}
    y, at = builder.add(make("max_pool", indices=True, **window), [x], "pool")
    (z,) = builder.add(make("max_unpool", size=(8, 9), **window), [y, at], "unpool")
    net = to_torch(builder.build({"y": y, "at": at, "z": z}))
    image = torch.rand(x.shape)
    maxima, _, back = net(image)
    assert set(back[back != 0].tolist()) == set(maxima.flatten().tolist())
    assert torch.equal(back[back != 0], image[back != 0])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pixel_shuffle_in_any_number_of_dimensions(rank: int) -> None:
    x = torch.randn(2, 3 * 2**rank, *(3, 4, 5)[:rank])
    y = own.PixelShuffle(2, False)(x)
    assert torch.equal(own.PixelShuffle(2, True)(y), x)
    if rank == 2:
        assert torch.equal(y, nn.PixelShuffle(2)(x))


# --- in training -------------------------------------------------------------------------------


def test_drop_connect_draws_a_mask_for_each_vector() -> None:
    layer = to_torch(graph_of("linear", (64, 3), out=5, drop_connect=0.25)).requires_grad_(False)
    module, x = layer.get_submodule("op"), torch.eye(3).repeat(64, 1)[:64]
    kept = layer(x)
    # One input is 1: each output is its weight, the bias, both or none, scaled.
    weight, bias = module.weight.t()[x.argmax(1)] / 0.75, module.bias / 0.75
    choices = torch.stack([weight + bias, weight, bias.expand(64, -1), torch.zeros(64, 5)])
    which = (kept - choices).abs().argmin(0)
    torch.testing.assert_close(kept, choices.gather(0, which[None])[0])
    assert len(which.unique()) == 4
    torch.testing.assert_close(layer.eval()(x), nn.functional.linear(x, module.weight, module.bias))


def test_drop_path_zeroes_samples() -> None:
    net = to_torch(graph_of("drop_path", (200, 2, 3), rate=0.25))
    x = torch.rand(200, 2, 3) + 1
    scales = (net(x) / x).flatten(1)
    assert torch.allclose(scales, scales[:, :1])
    assert {round(scale, 4) for scale in scales[:, 0].tolist()} == {0.0, round(1 / 0.75, 4)}
    assert net.eval()(x) is x


# --- what torch does not have -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (graph_of("batch_norm", (1, 2, 3, 3, 3, 3)), "node 'op': torch has no BatchNorm4d"),
        (
            graph_of("linear", (1, 2), out=3).with_dtype("fp8"),
            "node 'op': torch has no linear with parameters in fp8",
        ),
        (
            graph_of(
                "conv_transpose", (1, 2, 3), out=1, stride=2, padding="same", output_padding=1
            ),
            "node 'op': torch's ConvTranspose1d adds less than 2 elements",
        ),
        (
            graph_of("fractional_max_pool", (1, 2, 4, 4, 4), kernel=2, size=3),
            "node 'op': torch's fractional pooling in three dimensions",
        ),
        *[
            (graph_of(kind, shape, **arguments), "node 'op': torch takes no statistics of a single")
            for kind, shape, arguments in [
                ("instance_norm", (2, 3, 1, 1), {}),
                ("group_norm", (1, 4, 1), {"groups": 4}),
                ("batch_norm", (1, 3), {"track": False}),
            ]
        ],
    ],
)
def test_what_torch_does_not_have(graph: Graph, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        to_torch(graph)
