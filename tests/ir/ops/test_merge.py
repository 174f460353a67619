"""Merges: shapes as torch's, work an operation for each meeting of two elements."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import Reach, ShapeError, TensorType
from archcost.ir.ops import make
from archcost.ir.ops.merge import Concat, Elementwise

quick = settings(max_examples=60, deadline=None)

FUNCTIONS = {
    "sum": torch.add,
    "product": torch.mul,
    "maximum": torch.maximum,
    "mean": lambda a, b: torch.stack([a, b]).mean(0),
}
KINDS = {"sum": "add", "product": "mul", "maximum": "cmp", "mean": "add"}
LINEAR = ("sum", "mean")


def types(*shapes):
    return tuple(TensorType(tuple(shape)) for shape in shapes)


def outcome(function):
    """What ``function`` returns, or None where it refuses."""
    try:
        return function()
    except (ShapeError, RuntimeError, IndexError):
        return None


@quick
@given(st.data())
def test_concat(data):
    shape = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    shapes = []
    for size in data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)):
        other = list(shape)
        other[dim] = size
        if data.draw(st.integers(0, 9)) == 0:  # most often another one that must not differ
            other[data.draw(st.integers(0, len(shape) - 1))] += 1
        shapes.append(tuple(other))
    expected = outcome(lambda: torch.cat([torch.empty(s, device="meta") for s in shapes], dim))
    application = outcome(lambda: Concat(dim).apply(types(*shapes)))
    if expected is None:
        assert application is None
        return
    assert application.outputs == types(expected.shape)
    assert application.activations == expected.numel()
    assert application.flops == 0
    assert not any(application.saved)


def test_concat_names_the_shapes_that_differ():
    with pytest.raises(ShapeError, match="1x4x5x6 does not fit 1x2x5x5"):
        Concat().apply(types((1, 2, 5, 5), (1, 3, 5, 5), (1, 4, 5, 6)))
    with pytest.raises(ShapeError, match="1x2x5 does not fit 1x2x5x5"):
        Concat().apply(types((1, 2, 5, 5), (1, 2, 5)))
    with pytest.raises(ShapeError, match="one dtype, has fp32 and int64"):
        Concat().apply((TensorType((1, 2)), TensorType((1, 2), "int64")))
    with pytest.raises(ShapeError, match="dimension 4 of an input with 4"):
        Concat(4).apply(types((1, 2, 5, 5)))


def test_concat_along_a_spatial_dimension_moves_positions():
    assert Concat(1).apply(types((1, 2, 5, 5), (1, 2, 5, 5))).reach is None
    reach = Concat(3).apply(types((1, 2, 5, 5), (1, 2, 5, 3), (1, 2, 5, 4))).reach
    assert reach == (Reach(0, 0, 1), Reach(-8, 0, 1))


@quick
@given(
    st.lists(st.lists(st.sampled_from([1, 1, 2, 3]), max_size=4), min_size=2, max_size=4),
    st.sampled_from(sorted(FUNCTIONS)),
)
def test_elementwise_broadcasts_as_torch(shapes, function):
    expected = outcome(lambda: torch.broadcast_tensors(*map(torch.zeros, shapes))[0])
    application = outcome(lambda: make(function).apply(types(*shapes)))
    if expected is None:
        assert application is None
        return
    assert application.outputs == types(expected.shape)
    count = (len(shapes) - 1) * expected.numel()
    assert getattr(application.work, KINDS[function]) == count
    assert application.work.div == (expected.numel() if function == "mean" else 0)
    assert application.flops == count + application.work.div


@pytest.mark.parametrize("function", FUNCTIONS)
def test_elementwise_keeps_what_autograd_keeps(function):
    a, b = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        FUNCTIONS[function](a, b)
    saved = make(function).apply(types((2, 3), (2, 3))).saved
    assert {t.data_ptr() for t in kept} == ({a.data_ptr(), b.data_ptr()} if saved.inputs else set())
    assert saved == (function not in LINEAR, False, 0)


def test_elementwise_kinds():
    for function in FUNCTIONS:
        op = make(function)
        assert (op.kind, op.settings()) == (function, {})
        assert make(op.kind, **op.settings()) == op == Elementwise(function)
        assert op.inplace == (function in LINEAR)


def test_elementwise_errors_name_shapes_and_operator():
    with pytest.raises(ShapeError, match=r"sum needs .* 1x8x4x5 does not fit 1x8x4x4"):
        make("sum").apply(types((1, 8, 4, 4), (1, 8, 4, 5)))
    with pytest.raises(ShapeError, match="product needs 2 or more inputs, not 1"):
        make("product").apply(types((1, 8)))


def test_elementwise_promotes_dtypes():
    mixed = (TensorType((2, 1), "fp16"), TensorType((3,), "int64"), TensorType((), "fp64"))
    assert make("sum").apply(mixed).outputs == (TensorType((2, 3), "fp16"),)
    half = (TensorType((1,), "fp16"), TensorType((1,), "bf16"))
    assert make("maximum").apply(half).outputs == (TensorType((1,), "fp32"),)


def test_a_gate_of_each_channel():
    application = make("product").apply(types((2, 64, 14, 14), (2, 64, 1, 1)))
    assert application.outputs == types((2, 64, 14, 14))
    assert application.work.mul == math.prod((2, 64, 14, 14))
