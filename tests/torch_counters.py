"""What the conventions that imitate a program are compared with it on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from hypothesis import given, settings
from torch_execution import small_graphs

from archcost import load
from archcost.conventions import convention
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.ir.ops.activation import FORMULAS
from archcost.verify import COUNTERS

NETWORKS = (
    "alexnet",
    "dropconnect-cifar10",
    "dropconnect-cifar10-large",
    "enet-camvid",
    "fitnet-5layer-30m",
    "fitnet4-lsuv-tanh",
    "fmp-mnist",
    "fractalnet-thin-10",
    "genpool-gated",
    "genpool-mixed",
    "inception-v2",
    "lenet4",
    "lenet5",
    "maxout-mnist",
    "mobilenet-v1-0.25-128",
    "rcnn-96-mnist",
    "resnet20",
    "stochastic-depth-110",
)
"""Networks of the zoo that together hold all its kinds of operators."""

LINE, PLANE, SPACE = (2, 4, 9), (2, 4, 9, 7), (2, 4, 5, 6, 7)
SEQUENCE, HEADS = (2, 5, 8), (2, 3, 5, 4)

OPERATORS = [
    (make("conv", out=6, kernel=3, stride=2, padding=1, groups=2), LINE),
    (make("conv", out=6, kernel=(3, 1), dilation=2, bias=False), PLANE),
    (make("conv", out=6, kernel=2, stride=2, rounding="ceil"), PLANE),
    (make("conv", out=6, kernel=4, padding="same"), PLANE),
    (make("conv", out=2, kernel=3, connections=((0, 1), (3,))), PLANE),
    (make("conv", out=6, kernel=3), SPACE),
    (make("depthwise_conv", kernel=3, multiplier=2), PLANE),
    (make("local_conv", out=3, kernel=3, padding=1), PLANE),
    (make("local_conv", out=3, kernel=3, bias=False), LINE),
    (make("conv_transpose", out=6, kernel=3, stride=2, groups=2), LINE),
    (make("conv_transpose", out=6, kernel=3, stride=2, padding=1, output_padding=1), PLANE),
    (make("conv_transpose", out=6, kernel=3, stride=2, padding="same"), PLANE),
    (make("conv_transpose", out=6, kernel=3, padding=((0, 1), (2, 0))), PLANE),
    (make("conv_transpose", out=6, kernel=2, bias=False), SPACE),
    (make("linear", out=3), PLANE),
    (make("linear", out=3), SEQUENCE),
    (make("linear", out=3, flatten=False), PLANE),
    (make("linear", out=3, bias=False), (2, 7)),
    (make("linear", out=3, drop_connect=0.5), (2, 7)),
    (make("rbf", out=3), (2, 7)),
    (make("rbf", out=3, trainable=True), (2, 7)),
    (make("batch_norm"), (2, 7)),
    (make("batch_norm", affine=False), PLANE),
    (make("batch_norm", track=False), SPACE),
    (make("batch_norm", affine=False, track=False), LINE),
    (make("layer_norm"), SEQUENCE),
    (make("layer_norm", dims=2, bias=False), SEQUENCE),
    (make("layer_norm", affine=False), SEQUENCE),
    (make("rms_norm"), SEQUENCE),
    (make("rms_norm", dims=2, affine=False), PLANE),
    (make("group_norm", groups=2), PLANE),
    (make("group_norm", groups=2, affine=False), LINE),
    (make("instance_norm"), PLANE),
    (make("instance_norm", affine=True, track=True), LINE),
    (make("lrn"), PLANE),
    (make("lrn", size=4), LINE),
    (make("lrn"), SPACE),
    (make("lrn"), (2, 7)),
    (make("lrn", size=3, region="within"), PLANE),
    (make("scale_shift"), PLANE),
    (make("scale_shift", per="element", scale=False), PLANE),
    (make("prelu"), PLANE),
    (make("prelu", shared=True), LINE),
    *[(make(name), PLANE) for name in FORMULAS],
    (make("gelu"), SEQUENCE),
    (make("softmax"), (2, 7)),
    (make("softmax", dim=-1), SEQUENCE),
    (make("log_softmax"), (2, 7)),
    (make("maxout", pieces=2), PLANE),
    (make("max_pool", kernel=2, rounding="ceil"), PLANE),
    (make("avg_pool", kernel=3, stride=2, padding=1, rounding="ceil"), PLANE),
    (make("max_pool", kernel=2, padding=((0, 1), (1, 0))), PLANE),
    (make("max_pool", kernel=2, padding="same", dilation=2, indices=True), PLANE),
    (make("max_pool", kernel=3, padding=2, dilation=2), LINE),
    (make("max_pool", kernel=2), SPACE),
    (make("avg_pool", kernel=2), LINE),
    (make("avg_pool", kernel=(6, 3, 3), padding=(1, 1, 1), stride=1), SPACE),
    (make("sum_pool", kernel=(6, 3, 3), padding=(1, 1, 1), stride=1), SPACE),
    (make("avg_pool", kernel=3, padding=((0, 1), (1, 0)), rounding="ceil", stride=2), PLANE),
    (make("avg_pool", kernel=3, padding=1, count_padding=False), PLANE),
    (make("avg_pool", kernel=2, padding="same", count_padding=False), PLANE),
    (make("sum_pool", kernel=2), PLANE),
    (make("sum_pool", kernel=2), LINE),
    (make("sum_pool", kernel=3, padding=1, stride=2, rounding="ceil"), PLANE),
    (make("fractional_max_pool", kernel=2, size=3), PLANE),
    (make("lp_pool", kernel=2, norm=2), PLANE),
    (make("lp_pool", kernel=2, norm=3, rounding="ceil"), PLANE),
    (make("lp_pool", kernel=2, norm=2), LINE),
    (make("lp_pool", kernel=2, norm=2), SPACE),
    (make("global_avg_pool"), SPACE),
    (make("global_max_pool"), PLANE),
    (make("adaptive_avg_pool", size=3), LINE),
    (make("adaptive_avg_pool", size=(4, 5)), PLANE),
    (make("adaptive_avg_pool", size=3), SPACE),
    (make("adaptive_max_pool", size=3), PLANE),
    (make("upsample", scale=2), LINE),
    (make("upsample", scale=3), PLANE),
    (make("upsample", scale=2), SPACE),
    (make("upsample", scale=2, mode="bilinear"), LINE),
    (make("upsample", size=(11, 12), mode="bilinear"), PLANE),
    (make("upsample", scale=2, mode="bilinear"), SPACE),
    (make("upsample", scale=2, mode="bicubic"), PLANE),
    (make("upsample", size=(5, 4), mode="bilinear", align_corners=True), PLANE),
    (make("upsample", size=(5, 4), mode="bilinear", antialias=True), PLANE),
    (make("lstm", hidden=3), SEQUENCE),
    (make("lstm", hidden=3, layers=2, bidirectional=True, bias=False), SEQUENCE),
    (make("lstm", hidden=4, layers=2, projection=2, bidirectional=True), SEQUENCE),
    (make("lstm", hidden=3), (5, 8)),
    (make("gru", hidden=3, batch_first=False), SEQUENCE),
    (make("gru", hidden=3, layers=3, bias=False), SEQUENCE),
    (make("rnn_tanh", hidden=3, layers=2, bidirectional=True), SEQUENCE),
    (make("rnn_relu", hidden=3), (5, 8)),
    (make("pad", padding=1, channels=(0, 2)), PLANE),
    (make("pixel_shuffle", factor=2), PLANE),
    (make("channel_shuffle", groups=2), PLANE),
]
"""Operators, with an input each, in the cases that programs treat differently."""


TENSORS = [
    (make("attention"), HEADS, HEADS, HEADS),
    (make("attention", causal=True, dropout=0.5), HEADS, (2, 3, 7, 4), (2, 3, 7, 6)),
    (make("attention", grouped=True), (2, 6, 5, 4), HEADS, HEADS),
    (make("attention", scale=1), (5, 4), (7, 4), (7, 4)),
    (make("attention"), HEADS, (1, 3, 5, 4), (1, 3, 5, 4), (5, 5)),
    (make("attention"), HEADS, HEADS, HEADS, TensorType((2, 1, 5, 5), "bool")),
    (make("lstm", hidden=3), SEQUENCE, (1, 2, 3), (1, 2, 3)),
    (make("gru", hidden=3), SEQUENCE, (1, 2, 3)),
    (make("dynamic_conv", out=6, kernel=3, stride=2, groups=2), PLANE, (6, 2, 3, 3), (6,)),
    (make("dynamic_conv", out=6, kernel=4, padding="same", bias=False), LINE, (6, 4, 4)),
    (make("dynamic_conv_transpose", out=6, kernel=3), LINE, (4, 6, 3), (6,)),
    (
        make("dynamic_conv_transpose", out=6, kernel=3, padding=((0, 1), (2, 0))),
        PLANE,
        (4, 6, 3, 3),
        (6,),
    ),
    (make("quotient"), PLANE, (2, 4, 1, 1)),
    (make("power", scalar=2), PLANE),
    (make("reduce_logsumexp", dims=(1, 2)), SEQUENCE),
    (make("index_select", dim=1), SEQUENCE, TensorType((3,), "int64")),
    (make("pad_all", pads=(0, 0, 1, 0, 0, 2), mode="circular"), LINE),
    (make("grid_sample"), PLANE, (2, 5, 6, 2)),
    (make("grid_sample", mode="bicubic", padding="border"), PLANE, (2, 5, 6, 2)),
    (make("grid_sample", mode="nearest"), SPACE, (2, 2, 3, 4, 3)),
    (make("embedding_bag", count=9, width=3), TensorType((2, 5), "int64")),
    (
        make("embedding_bag", count=9, width=3, mode="max"),
        TensorType((7,), "int64"),
        TensorType((3,), "int64"),
    ),
]
"""The same of operators with several inputs or inputs of other dtypes than fp32."""

REGIONS = [
    (make("deform_conv", out=6, kernel=3, groups=2), PLANE, (2, 18, 7, 5)),
    (
        make("deform_conv", out=6, kernel=3, padding=((0, 1), 1), offset_groups=2, bias=False),
        PLANE,
        (2, 36, 8, 7),
        (2, 18, 8, 7),
    ),
    (make("roi_align", size=3), PLANE, (4, 5)),
    (make("roi_align", size=3, samples=2, aligned=True), PLANE, (4, 4), TensorType((4,), "int64")),
    (make("roi_align", size=(3, 2), pool=True), PLANE, (4, 5)),
]
"""The same of operators that torchvision executes."""
if find_spec("torchvision"):
    TENSORS += REGIONS


def alone(op, *inputs) -> Graph:
    """The network of one operator, followed by an identity: a program sees two modules.

    Inputs are shapes, in fp32, or types.
    """
    builder = GraphBuilder("alone")
    types = [x if isinstance(x, TensorType) else TensorType(x) for x in inputs]
    inputs = [builder.input(f"x{at}", type_) for at, type_ in enumerate(types)]
    (y, *_) = builder.add(op, inputs, op.kind)
    (z,) = builder.add(make("identity"), [y], "end")
    return builder.build({"y": z})


def mixer() -> Graph:
    """An embedding with positions, attention and two layers that share a weight."""
    builder = GraphBuilder("mixer")
    tokens = builder.input("tokens", TensorType((2, 5), "int64"))
    (x,) = builder.add(make("embedding", count=11, width=8), [tokens], "embedding")
    (p,) = builder.add(make("weight", shape=(1, 5, 8)), [], "positions")
    (x,) = builder.add(make("sum"), [x, p], "embedded")
    (q,) = builder.add(make("linear", out=8), [x], "query")
    assert q.producer is not None
    weight = q.producer.parameters[0]
    (k,) = builder.add(make("linear", out=8), [x], "block/key", share={"weight": weight})
    (a,) = builder.add(make("matmul", transpose_b=True), [q, k], "block/scores")
    (s,) = builder.add(make("softmax", dim=-1), [a], "softmax")
    (v,) = builder.add(make("matmul"), [s, x], "values")
    (o,) = builder.add(make("linear", out=8), [v], "block/out", share={"weight": weight})
    (y,) = builder.add(make("sum"), [x, o], "sum")
    (y,) = builder.add(make("layer_norm"), [y], "norm")
    return builder.build({"y": y})


@cache
def built(name: str, batch: int):
    """A network of the zoo and its module, which takes no memory."""
    graph = load(name).with_batch(batch)
    return graph, module_of(graph)


def module_of(graph: Graph, device: str = "meta"):
    """The graph's module on ``device``: meta, which takes no memory, or cpu."""
    import torch

    from archcost.targets import to_torch

    with torch.device(device):
        return to_torch(graph)


def differences(name: str, graph: Graph, module=None) -> dict[str, tuple[int, int]]:
    """Quantities in which convention and program are not one: (convention's, program's)."""
    program = import_module(f"archcost.verify.{name.replace('-', '_')}")
    own = convention(name).count(graph).numbers
    if module is None:
        module = module_of(graph, COUNTERS[name].device)
    theirs = program.count(module, graph)
    assert own.keys() == theirs.keys()
    return {key: (own[key], theirs[key]) for key in own if own[key] != theirs[key]}


RANDOM = (
    "conv",
    "depthwise_conv",
    "linear",
    "batch_norm",
    "prelu",
    "relu",
    "softmax",
    "max_pool",
    "avg_pool",
    "global_avg_pool",
    "concat",
    "sum",
    "product",
    "slice",
    "split",
    "pad",
    "upsample",
    "flatten",
)


def agrees_on_random_networks(name: str) -> Callable[[], None]:
    """A test that convention and program agree on random networks."""

    @settings(max_examples=40)
    @given(small_graphs(RANDOM))
    def test(graph: Graph) -> None:
        assert not differences(name, graph)

    return test
