"""Receptive fields against gradients, published tables and single rules."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
import torch
from hypothesis import assume, given, note, settings
from torch_execution import TorchNet, small_graphs

import archcost
from archcost.analysis import ReceptiveField, receptive_fields
from archcost.ir import Graph, GraphBuilder, Op, TensorType, Value
from archcost.ir.ops import make

LAYERS = (
    "conv",
    "conv",
    "depthwise_conv",
    "relu",
    "batch_norm",
    "max_pool",
    "avg_pool",
    "concat",
    "sum",
    "product",
    "slice",
    "split",
    "pad",
    "upsample",
    "flatten",
    "linear",
    "global_avg_pool",
)
WINDOWS = ("conv", "depthwise_conv", "relu", "avg_pool", "max_pool", "concat", "sum", "product")


def support(net: TorchNet, value: Value, position: tuple[int, ...]) -> list[set[int]]:
    """The input positions that ``value``'s elements at ``position`` depend on, by dimension."""
    (x,) = net.inputs()
    x.requires_grad_()
    found: dict[Value, torch.Tensor] = {}

    def observe(node, outputs) -> None:
        found.update(zip(node.outputs, outputs, strict=True))

    found[net.graph.inputs[0]] = x
    net(x, observe=observe)
    element = found[value][(slice(None), slice(None), *position)]
    (gradient,) = torch.autograd.grad(element.sum(), x)
    places = gradient.nonzero()[:, 2:]
    return [set(places[:, dim].tolist()) for dim in range(places.shape[1])]


@settings(max_examples=50)
@given(small_graphs(LAYERS, most=6))
def test_nothing_outside_the_field_matters(graph: Graph) -> None:
    """Whatever the operators, an element depends on positions in its field only."""
    note(str([(node.name, node.op, node.inputs) for node in graph]))
    for node in graph:  # vectors broadcast to images: samples and positions are mixed up
        assume(len({len(value.shape) for value in node.inputs}) == 1)
    net = TorchNet(graph, smooth=True)
    fields = receptive_fields(graph)
    for value in graph.outputs:
        field = fields[value]
        spatial = value.shape[2:] or (1, 1)
        for u in {0, spatial[0] // 2, spatial[0] - 1}:
            position = (u, spatial[1] // 2) if len(value.shape) == 4 else ()
            for dim, touched in enumerate(support(net, value, position)):
                at = position[dim] if position else 0
                first = at * field.stride[dim] + field.low[dim]
                last = at * field.stride[dim] + field.high[dim]
                assert all(first - 1e-9 <= place <= last + 1e-9 for place in touched)


@settings(max_examples=50)
@given(small_graphs(WINDOWS, most=6))
def test_both_ends_of_an_inner_field_matter(graph: Graph) -> None:
    """Away from the border a field is as tight as can be; without dilation it has no holes."""
    note(str([(node.name, node.inputs) for node in graph]))
    net = TorchNet(graph, smooth=True)
    fields = receptive_fields(graph)
    for node in graph:  # what drifts or is broadcast widens a field to hold at every position
        alike = {(value.shape[2:], fields[value].stride) for value in node.inputs}
        assume(len(alike) == 1)
    value = graph.outputs[0]
    field = fields[value]
    size = graph.inputs[0].shape[2]
    dense = all(
        getattr(node.op, "dilation", 1) == 1
        and getattr(node.op, "kernel", 1) >= (getattr(node.op, "stride", 1) or 1)
        for node in graph
    )
    for u in range(value.shape[2]):
        first, last = (int(u * field.stride[0] + end[0]) for end in (field.low, field.high))
        if first < 0 or last >= size:
            continue
        rows, columns = support(net, value, (u, u))
        assert rows == columns
        assert (min(rows), max(rows)) == (first, last)
        if dense:
            assert rows == set(range(first, last + 1))
        return


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("densenet-40-12", (3, 32, 32)),
        ("fractalnet-thin-5", (3, 64, 64)),
        ("fractalnet-thin-10", (3, 256, 256)),
        ("rcnn-96", (3, 64, 64)),
        ("maxout-mnist", (1, 64, 64)),
        ("highway-mnist-16", (1, 64, 64)),
        ("xception", (3, 71, 71)),
        ("genpool-max", (3, 64, 64)),
        ("genpool-mixed", (3, 32, 32)),
        ("genpool-gated", (3, 32, 32)),
        ("genpool-tree", (3, 32, 32)),
        ("allcnn-a", (3, 64, 64)),
        ("enet-encoder", (3, 128, 128)),
        ("enet", (3, 64, 64)),
    ],
)
def test_fields_within_networks_of_the_zoo(name: str, size: tuple[int, ...]) -> None:
    """In the first quarter, in the middle and before the classifier: both ends as gradients show
    them, or the input's border."""
    graph = archcost.load(name, inputs=size)
    net, fields = TorchNet(graph, smooth=True), receptive_fields(graph)
    images = [
        value
        for node in graph
        for value in node.outputs
        if len(value.shape) == 4 and value.shape[2] > 1 and value.type.dtype != "int64"
    ]
    for value in (images[len(images) // 4], images[len(images) // 2], images[-1]):
        position = tuple(n // 2 for n in value.shape[2:])
        field = fields[value]
        for dim, touched in enumerate(support(net, value, position)):
            at = position[dim] * field.stride[dim]
            first, last = at + field.low[dim], at + field.high[dim]
            assert min(touched) == max(0, first), value
            assert max(touched) == min(size[1 + dim] - 1, last), value


# Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks",
# Distill, doi 10.23915/distill.00021; size, stride and padding by end-point are those of
# RECEPTIVE_FIELD_TABLE.md in github.com/google-research/receptive_field.
@pytest.mark.parametrize(
    ("model", "end", "size", "stride", "padding"),
    [
        ("alexnet", "conv1/pool", 19, 8, 0),
        ("alexnet", "conv5/pool", 195, 32, 64),
        ("vgg11", "conv5/pool", 150, 32, 59),
        ("vgg16", "conv5/pool", 212, 32, 90),
        ("mobilenet-v1", None, 315, 32, 126),
        ("resnet50", None, 483, 32, 239),
        ("resnet101", None, 1027, 32, 511),
        ("resnet152", None, 1507, 32, 751),
    ],
)
def test_published_fields(
    model: str, end: str | None, size: int, stride: int, padding: int
) -> None:
    """At the named layer, or the last one before the global pool."""
    graph = archcost.load(model)
    if end is None:
        (pool,) = (node for node in graph if node.op.kind == "global_avg_pool")
        value = pool.inputs[0]
    else:
        value = graph.node(end).outputs[0]
    field = receptive_fields(graph)[value]
    assert field.size == (size, size)
    assert field.stride == (stride, stride)
    assert field.low == (-padding, -padding)


def field_of(*operators: Op, shape: tuple[int, ...]) -> ReceptiveField:
    builder = GraphBuilder("chain")
    value = builder.input("input", TensorType(shape))
    for index, op in enumerate(operators):
        (value,) = builder.add(op, [value], f"n{index}")
    return receptive_fields(builder.build({"output": value}))[value]


def test_two_convolutions_by_hand() -> None:
    conv = make("conv", out=2, kernel=3, stride=2, padding=1)
    assert field_of(conv, conv, shape=(1, 1, 16)) == ReceptiveField((-3,), (3,), (4,))
    wide = make("conv", out=2, kernel=(3, 1), dilation=(2, 1), padding=(2, 0))
    field = field_of(wide, shape=(1, 1, 9, 9))
    assert (field.size, field.center, field.stride) == ((5, 1), (0, 0), (1, 1))


def test_transposed_convolution_undoes_the_stride_exactly() -> None:
    down = make("conv", out=2, kernel=3, stride=3)
    up = make("conv_transpose", out=2, kernel=3, stride=3)
    field = field_of(down, up, shape=(1, 1, 9, 9))
    assert field.stride == (1, 1)
    assert all(type(stride) is int for stride in field.stride)
    assert field.size == (5, 5)


@pytest.mark.parametrize("down", [(1, 1), (2, 1), (3, 2), (2, 5)])
@pytest.mark.parametrize(
    "up", [(1, 3, 2), (2, 3, 0), (4, 3, 2), (4, 2, 1), (5, 3, 2), (6, 5, 2), (7, 7, 0), (8, 6, 1)]
)
def test_ends_between_positions(down: tuple[int, int], up: tuple[int, int, int]) -> None:
    """Behind an upsampling path, ends are fractions: the size is what fits at most between them."""
    (k, s), (kernel, stride, padding) = down, up
    field = field_of(
        make("conv", out=2, kernel=k, stride=s),
        make("conv_transpose", out=2, kernel=kernel, stride=stride, padding=padding),
        shape=(1, 1, 60),
    )
    # Output u reads position (u + padding - j) / stride of the convolution's output, 0 <= j < k.
    first, step = Fraction((padding - (kernel - 1)) * s, stride), Fraction(s, stride)
    last = Fraction(padding * s, stride) + k - 1
    assert field.low == pytest.approx((float(first),))
    assert field.high == pytest.approx((float(last),))
    assert field.stride == pytest.approx((float(step),))
    # Slid over one input position in the finest steps, the widest count of whole positions.
    grid = [Fraction(i, stride) for i in range(stride)]
    assert field.size == (max(floor(last + at) - ceil(first + at) + 1 for at in grid),)
    for end, exact in zip((*field.low, *field.high, *field.stride), (first, last, step)):  # noqa: B905
        assert (type(end) is int) == (exact.denominator == 1)


def test_a_skip_around_an_upsampling_path() -> None:
    """U-Net's: down and up by 2 and by 3, beside what stayed where it was."""
    builder = GraphBuilder("u-net")
    x = builder.input("x", TensorType((1, 2, 12)))
    (low,) = builder.add(make("max_pool", kernel=6), [x], "low")
    (middle,) = builder.add(make("upsample", scale=2), [low], "middle")
    (high,) = builder.add(make("upsample", scale=3), [middle], "high")
    (y,) = builder.add(make("concat"), [x, high], "y")
    graph = builder.build({"y": y})
    fields = receptive_fields(graph)
    assert fields[high].stride == fields[y].stride == (1,)
    assert type(fields[y].stride[0]) is int
    net = TorchNet(graph, smooth=True)
    for u in range(12):
        (places,) = support(net, y, (u,))
        assert places == {u, *range(u // 6 * 6, u // 6 * 6 + 6)}
        assert u + fields[y].low[0] <= min(places)
        assert max(places) <= u + fields[y].high[0]


def test_an_operator_in_other_dimensions_sees_everything() -> None:
    """Rows become a sequence: its windows cannot be told in the image's dimensions."""
    field = field_of(
        make("reshape", shape=(2, -1)), make("conv", out=3, kernel=3), shape=(1, 2, 5, 7)
    )
    assert field == ReceptiveField((0, 0), (4, 6), (5, 7))


def test_vectors_have_an_empty_field() -> None:
    field = field_of(make("linear", out=3), make("relu"), shape=(1, 5))
    assert field == ReceptiveField((), (), ())
    assert field.size == ()


def test_a_gate_over_the_whole_input_keeps_the_stride() -> None:
    """Squeeze and excitation: one position broadcast to all widens the field, at stride 1."""
    builder = GraphBuilder("gate")
    x = builder.input("x", TensorType((1, 2, 8, 8)))
    (gate,) = builder.add(make("global_avg_pool"), [x], "gate")
    (y,) = builder.add(make("product"), [x, gate], "y")
    (z,) = builder.add(make("conv", out=2, kernel=3, padding=1), [y], "z")
    fields = receptive_fields(builder.build({"z": z}))
    assert fields[gate] == ReceptiveField((0, 0), (7, 7), (8, 8))
    assert fields[y] == ReceptiveField((-7, -7), (7, 7), (1, 1))
    assert fields[z] == ReceptiveField((-8, -8), (8, 8), (1, 1))


def test_a_crop_takes_only_a_size_of_its_second_input() -> None:
    builder = GraphBuilder("u-net")
    x = builder.input("x", TensorType((1, 2, 9, 9)))
    (wide,) = builder.add(make("conv", out=2, kernel=7), [x], "wide")
    (cropped,) = builder.add(make("crop"), [x, wide], "cropped")
    fields = receptive_fields(builder.build({"cropped": cropped}))
    assert fields[cropped] == ReceptiveField((3, 3), (3, 3), (1, 1))


def test_tensors_of_other_inputs_have_none() -> None:
    builder = GraphBuilder("two inputs")
    x = builder.input("x", TensorType((1, 2, 9)))
    other = builder.input("other", TensorType((1, 2, 9)))
    (a,) = builder.add(make("conv", out=2, kernel=3, padding=1), [other], "a")
    (b,) = builder.add(make("sum"), [a, x], "b")
    fields = receptive_fields(builder.build({"b": b}))
    assert other not in fields
    assert a not in fields
    assert fields[b] == fields[x] == ReceptiveField((0,), (0,), (1,))


def test_nobody_knows_what_an_unknown_operator_reads() -> None:
    builder = GraphBuilder("unknown")
    x = builder.input("x", TensorType((1, 2, 9, 9)))
    nothing = make("constant", shape=(1, 2, 9, 9))
    types = (TensorType((1, 2, 9, 9)),)
    opaque = make("opaque", name="f", types=types)
    (made,) = builder.add(nothing, [], "made")
    (noise,) = builder.add(opaque, [made], "noise")
    (a,) = builder.add(make("sum"), [x, noise], "a")
    (hidden,) = builder.add(opaque, [a], "hidden")
    (b,) = builder.add(make("sum"), [a, hidden], "b")
    fields = receptive_fields(builder.build({"b": b}))
    # What it makes of nothing of the input does not matter; behind the input nothing is known.
    assert set(fields) == {x, a}


def test_vectors_have_no_positions() -> None:
    """(N, T, features) looks like (N, C, L): where there is no window nothing is said."""
    builder = GraphBuilder("vectors")
    x = builder.input("tokens", TensorType((1, 7, 16)))
    (y,) = builder.add(make("linear", out=8), [x], "linear")
    (y,) = builder.add(make("permute", dims=(0, 2, 1)), [y], "permute")
    (y,) = builder.add(make("linear", out=4), [y], "mix")
    assert receptive_fields(builder.build({"output": y})) == {}
