"""Kernels: sizes that can be worked out by hand, and bytes that add up."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcost
from archcost.hardware.kernels import KEPT, VIEW, Levels, kernels, sizes_of
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops.activation import Activation
from archcost.ir.ops.attention import Attention
from archcost.ir.ops.convolution import Conv, ConvTranspose, DepthwiseConv
from archcost.ir.ops.linear import Linear, MatMul
from archcost.ir.ops.merge import Elementwise
from archcost.ir.ops.pooling import MaxPool
from archcost.ir.ops.shape import Flatten

CACHES = (2**20, 2**25)


def sizes(op, *shapes):
    return sizes_of(op.apply(tuple(map(TensorType, shapes))))


def test_a_convolution_is_a_product_of_matrices():
    found = sizes(Conv(out=32, kernel=3, padding=1, stride=2), (4, 16, 10, 10))
    assert found.group == "conv"
    assert (found.m, found.n, found.k, found.groups) == (4 * 5 * 5, 32, 16 * 9, 1)
    assert found.flops == 2 * found.m * found.n * found.k
    assert (found.fill_n, found.fill_k, found.odd, found.strided) == (1, 1, 0, 1)


@pytest.mark.parametrize(
    ("op", "group", "n", "k", "groups"),
    [
        (Conv(out=32), "conv_pointwise", 32, 24, 1),
        (Conv(out=48, kernel=3, groups=8), "conv_grouped", 6, 27, 8),
        (Conv(out=24, kernel=3, groups=24), "conv_depthwise", 1, 9, 24),
        (DepthwiseConv(kernel=5, padding=2), "conv_depthwise", 1, 25, 24),
    ],
)
def test_classes_of_convolutions(op, group, n, k, groups):
    found = sizes(op, (2, 24, 8, 8))
    assert (found.group, found.n, found.k, found.groups) == (group, n, k, groups)
    assert found.flops == 2 * found.m * n * k * groups
    assert found.fill_k == 24 / 32
    assert found.odd == 1


def test_a_transposed_convolution_multiplies_at_every_position_of_its_input():
    found = sizes(ConvTranspose(out=8, kernel=4, stride=2, padding=1), (3, 16, 5, 5))
    assert found.group == "conv_transpose"
    assert (found.m, found.n, found.k) == (3 * 25, 8 * 16, 16)
    assert (found.strided, found.fill_n) == (1, 0.5)


@pytest.mark.parametrize(("batch", "group"), [(1, "linear_vector"), (2, "linear")])
def test_a_linear_layer(batch, group):
    found = sizes(Linear(out=10), (batch, 6, 4, 4))
    assert (found.group, found.m, found.n, found.k) == (group, batch, 10, 96)
    assert found.flops == 2 * batch * 96 * 10


def test_a_linear_layer_of_tokens():
    found = sizes(Linear(out=64, flatten=False), (2, 50, 32))
    assert (found.group, found.m, found.n, found.k) == ("linear", 100, 64, 32)


def test_products_of_activations():
    found = sizes(MatMul(), (2, 3, 7, 5), (2, 3, 5, 11))
    assert (found.group, found.m, found.n, found.k, found.groups) == ("matmul", 7, 11, 5, 6)
    assert found.flops == 2 * 6 * 7 * 5 * 11
    attention = sizes(Attention(), *[(2, 4, 16, 32)] * 3)
    assert attention.group == "matmul"
    assert attention.flops == 2 * 2 * (2 * 4 * 16 * 16 * 32)


def test_what_is_no_product():
    pool = sizes(MaxPool(kernel=2, stride=2), (1, 8, 6, 6))
    assert (pool.group, pool.family, pool.flops, pool.m) == ("max_pool", "pooling", 0, 1)
    assert pool.ops == 3 * 8 * 9  # of four numbers the largest: three comparisons
    assert sizes(Activation("relu"), (2, 8)).group == "relu"
    assert sizes(Flatten(), (2, 8, 3)).group == VIEW


@pytest.mark.parametrize(("terms", "launches"), [(2, 1), (4, 3)])
def test_a_sum_takes_a_kernel_for_each_further_term(terms, launches):
    assert sizes(Elementwise(function="sum"), *[(2, 8)] * terms).launches == launches


def on_the_input(size, kernel, stride, padding, dilation):
    """Share of the taps at all positions that lie on the input, by looking at each."""
    out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    places = (
        position * stride - padding + tap * dilation
        for position, tap in product(range(out), range(kernel))
    )
    return sum(0 <= place < size for place in places) / (out * kernel)


@given(
    size=st.integers(1, 12),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_what_lies_on_padding(size, kernel, stride, padding, dilation):
    reach = dilation * (kernel - 1) + 1
    if size + 2 * padding < reach or padding >= reach:
        return
    op = Conv(out=4, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    share = on_the_input(size, kernel, stride, padding, dilation)
    if share:
        assert sizes(op, (1, 4, size, size)).inside == pytest.approx(share**2)


@given(
    st.lists(st.integers(2**10, 2**28), min_size=1, max_size=3, unique=True),
    st.floats(0, 1e12),
    st.floats(0, 1e12),
)
def test_levels_share_all_bytes(caches, nbytes, distance):
    shares = Levels(sorted(caches))(nbytes, distance)
    assert len(shares) == len(caches) + 1
    assert sum(shares) == pytest.approx(nbytes)
    assert all(share >= 0 for share in shares)


def test_the_nearest_level_holds_what_was_just_touched():
    levels = Levels(CACHES)
    assert levels(1.0, 0.0) == (1, 0, 0)
    assert levels(1.0, 2**17)[0] > 0.98
    assert levels(1.0, 2**23)[1] > 0.9
    assert levels(1.0, 2**31)[2] > 0.99
    nearest = [levels(1.0, 2.0**power)[0] for power in range(10, 34)]
    assert nearest == sorted(nearest, reverse=True)


@pytest.mark.parametrize("name", ["simplenet", "googlenet", "mobilenet-v1", "densenet121"])
def test_traffic_adds_up_to_what_is_read_and_written(name):
    graph = archcost.load(name, batch=2)
    for node, (own, moved) in zip(graph.nodes, kernels(graph, CACHES), strict=True):
        if own.group == VIEW:
            assert not any((*moved.reads, *moved.weights, *moved.writes, moved.fresh))
            continue
        again = (own.launches - 1) * node.application.written_bytes
        read = sum(moved.reads) + sum(moved.weights)
        assert read == pytest.approx(node.read_bytes + again)
        assert sum(moved.writes) == pytest.approx(node.application.written_bytes + again)


def chain(*ops, shape):
    builder = GraphBuilder("chain")
    x = builder.input("x", TensorType(shape))
    for number, op in enumerate(ops):
        (x,) = builder.add(op, [x], f"y{number}")
    return builder.build({"y": x})


def test_what_was_made_long_ago_comes_from_further_away():
    builder = GraphBuilder("skip")
    first = x = builder.input("x", TensorType((1, 16, 64, 64)))
    for number in range(40):
        (x,) = builder.add(Activation("relu"), [x], f"relu{number}")
    (near,) = builder.add(Elementwise(function="sum"), [x, x], "near")
    (far,) = builder.add(Elementwise(function="sum"), [near, first], "far")
    *_, here, there = kernels(builder.build({"y": far}), CACHES)
    assert here.traffic.reads[2] < 0.01 * sum(here.traffic.reads)
    assert there.traffic.reads[2] > here.traffic.reads[2]


@pytest.mark.parametrize("pages", [True, False])
def test_large_blocks_come_fresh_from_the_system(pages):
    side = 2048
    assert 4 * prod((2, 2, side, side)) > KEPT
    large, small = (
        kernels(chain(Activation("relu"), shape=shape), CACHES, pages=pages)[0]
        for shape in ((2, 2, side, side), (1, 1, side, side))
    )
    assert large.traffic.fresh == (4 * prod((2, 2, side, side)) if pages else 0)
    assert small.traffic.fresh == 0


def test_weights_of_a_large_network_come_from_memory():
    vgg = kernels(archcost.load("vgg16"), CACHES)
    tiny = kernels(archcost.load("lenet5"), CACHES)
    of = [sum(one.traffic.weights) for one in vgg], [one.traffic.weights[2] for one in vgg]
    assert sum(of[1]) > 0.95 * sum(of[0])
    assert all(one.traffic.weights[0] >= one.traffic.weights[2] for one in tiny)
