"""Attention: shapes, macs and what is kept, as torch's scaled_dot_product_attention has them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from against_torch import applied, kept
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from archcost.ir import ArgumentError, ShapeError, TensorType, Work
from archcost.ir.ops.attention import Attention

quick = settings(max_examples=60, deadline=None)
sizes = st.integers(1, 5)


def attend(op, q, k, v, mask=None):
    return F.scaled_dot_product_attention(
        q, k, v, mask, is_causal=op.causal, scale=op.scale, enable_gqa=op.grouped
    )


def check(op, *shapes, mask=None):
    """Output and macs are those of torch on the meta device, where all products are counted."""
    tensors = [torch.zeros(shape, device="meta") for shape in (*shapes, *([mask] if mask else []))]
    with FlopCounterMode(display=False) as counter:
        y = attend(op, *tensors)
    application = op.apply(tuple(TensorType(tuple(x.shape)) for x in tensors))
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert application.macs == counter.get_total_flops() // 2
    assert application.params == 0
    return application


@quick
@given(st.lists(sizes, max_size=3).map(tuple), sizes, sizes, sizes, sizes, st.data())
def test_attention(batch, queries, keys, width, value_width, data):
    lengths = ((queries, width), (keys, width), (keys, value_width))
    free = st.booleans()
    shapes = [
        (*(1 if data.draw(free) else n for n in batch), *rest)
        if data.draw(free)
        else (*batch, *rest)
        for rest in lengths
    ]
    check(Attention(), *shapes)
    check(Attention(scale=0.3), *shapes)
    check(Attention(causal=True), *shapes)
    check(Attention(), *[(*batch, *rest) for rest in lengths], mask=(queries, keys))


@quick
@given(sizes, sizes, st.integers(1, 3), st.integers(1, 3))
def test_heads_of_keys_serve_several_of_queries(length, width, heads, more):
    q, kv = (2, heads * more, length, width), (2, heads, length + 1, width)
    application = check(Attention(grouped=True), q, kv, kv)
    assert application.work == Attention().apply((TensorType(q),) + (_repeated(kv, more),) * 2).work


def _repeated(shape, times):
    return TensorType((shape[0], shape[1] * times, *shape[2:]))


def test_work_by_hand():
    # 6 scores of 5 terms for each of 2 heads, and 3 x 4 sums of 2.
    q, k, v = (TensorType((2, *rest)) for rest in ((3, 5), (2, 5), (2, 4)))
    scores, rows = 2 * 3 * 2, 2 * 3
    softmax = Work(cmp=rows, add=rows * 3, exp=scores, div=scores)  # of vectors of 2
    products = Work(mac=scores * 5 + 2 * 3 * 4 * 2)
    assert Attention(scale=1).apply((q, k, v)).work == products + softmax
    scaled = products + softmax + Work(mul=scores)
    assert Attention().apply((q, k, v)).work == scaled
    assert Attention(causal=True).apply((q, k, v)).work == scaled
    chosen = TensorType((3, 2), "bool")
    assert Attention().apply((q, k, v, chosen)).work == scaled
    added = TensorType((1, 2))
    assert Attention().apply((q, k, v, added)).work == scaled + Work(add=scores)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("masked", [None, torch.bool, "alike"])
def test_what_is_kept_is_what_the_fused_kernel_keeps(dtype, masked):
    q, k, v = torch.randn(3, 2, 3, 5, 4, dtype=dtype)
    mask = [torch.ones(5, 5, dtype=dtype if masked == "alike" else masked)] if masked else []
    op = Attention()
    expected = kept(lambda q, k, v: attend(op, q, k, v, *mask), q, k, v)
    inputs, outputs, extra = applied(op, q, k, v, *mask).saved
    assert (inputs, outputs) == ((0, 1, 2) if masked == torch.bool else True, True)
    given = mask[0].nbytes if masked == "alike" else 0
    assert expected == ((0, 1, 2), (0,), extra + given)


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (Attention(), [(5,), (5,), (5,)], "2 dimensions or more"),
        (Attention(), [(3, 5), (2, 4), (2, 4)], r"needs \(..., L, E\), .* has 3x5, 2x4, 2x4"),
        (Attention(), [(3, 5), (2, 5), (3, 5)], "has 3x5, 2x5, 3x5"),
        (Attention(), [(2, 3, 5), (3, 2, 5), (3, 2, 5)], "before the last two dimensions"),
        (Attention(), [(4, 3, 5), (2, 3, 5), (2, 3, 5)], "before the last two dimensions"),
        (Attention(grouped=True), [(4, 3, 5), (3, 3, 5), (3, 3, 5)], "heads of queries"),
        (Attention(grouped=True), [(3, 5), (3, 5), (3, 5)], "heads of queries"),
        (Attention(causal=True), [(3, 5), (3, 5), (3, 5), (3, 3)], "causal or has a mask"),
        (Attention(), [(3, 5), (2, 5), (2, 5), (3, 3)], "attention's mask"),
        (Attention(), [(3, 5), (2, 5), (2, 5), (4, 3, 2)], "a mask that fits 3x2, has 4x3x2"),
    ],
)
def test_errors(op, shapes, message):
    with pytest.raises(ShapeError, match=message):
        op.apply(tuple(map(TensorType, shapes)))


def test_errors_of_dtypes():
    x = TensorType((3, 5))
    with pytest.raises(ShapeError, match="one dtype"):
        Attention().apply((x, x, TensorType((3, 5), "fp16")))
    with pytest.raises(ShapeError, match="mask of bool or fp32"):
        Attention().apply((x, x, x, TensorType((3, 3), "int64")))
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        Attention(dropout=2)
