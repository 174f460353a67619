"""Pools: shapes and kept bytes as torch's, work as brute force counts it."""

from __future__ import annotations

import pickle
from itertools import product
from math import ceil, floor

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, Op, Reach, ShapeError, TensorType, Work
from archcost.ir.ops import make, operator_class
from archcost.ir.ops.pooling import (
    AdaptivePool,
    AvgPool,
    FractionalMaxPool,
    GlobalPool,
    LpPool,
    MaxPool,
    MaxUnpool,
    SumPool,
)

quick = settings(max_examples=60, deadline=None)


@st.composite
def pools(draw, *, dilated=False, padded=True, low=1):
    """(shape, arguments for our pools) whose windows fit the padded input."""
    rank = draw(st.integers(1, 3))
    kernel, stride, padding, dilation, spatial = [], [], [], [], []
    for _ in range(rank):
        k = draw(st.integers(1, 4))
        d = draw(st.integers(1, 3)) if dilated else 1
        p = draw(st.integers(0, k // 2)) if padded else 0  # torch's limit
        kernel.append(k)
        stride.append(draw(st.integers(1, 4)))
        dilation.append(d)
        padding.append(p)
        spatial.append(draw(st.integers(max(low, d * (k - 1) + 1 - 2 * p), 11)))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *spatial)
    given_ = {"kernel": tuple(kernel), "rounding": draw(st.sampled_from(["floor", "ceil"]))}
    if draw(st.booleans()):
        given_["stride"] = tuple(stride)
    if padded:
        given_["padding"] = tuple(padding)
    if dilated:
        given_["dilation"] = tuple(dilation)
    return shape, given_


def full(value, rank):
    return (value,) * rank if isinstance(value, int) else value


def positions(op, shape):
    """For each window of one channel, the number of input elements under it, by enumeration."""
    rank = len(shape) - 2
    (y, *_) = op.infer((TensorType(shape),))
    kernel = full(op.kernel, rank)
    stride = full(op.stride, rank) if op.stride is not None else kernel
    padding = full(getattr(op, "padding", 0), rank)
    dilation = full(getattr(op, "dilation", 1), rank)
    counts = []
    for window in product(*map(range, y.spatial)):
        counts.append(
            sum(
                all(
                    0 <= u * s - (p if isinstance(p, int) else p[0]) + j * d < n
                    for u, s, p, j, d, n in zip(
                        window, stride, padding, offset, dilation, shape[2:], strict=True
                    )
                )
                for offset in product(*map(range, kernel))
            )
        )
    return counts


def expected_work(op, shape):
    """(covered elements, operations that join them, windows), batch and channels included."""
    counts = positions(op, shape)
    many = shape[0] * shape[1]
    return many * sum(counts), many * sum(max(0, c - 1) for c in counts), many * len(counts)


def torch_arguments(arguments):
    rest = dict(arguments)
    renamed = {"kernel_size": rest.pop("kernel"), "ceil_mode": rest.pop("rounding") == "ceil"}
    return renamed | rest


def nn_pool(name, rank, **arguments):
    return getattr(torch.nn, f"{name}{rank}d")(**arguments)


def kept(function, x):
    """(is the input kept?, bytes kept besides it) by autograd, a shared tensor once."""
    x = x.requires_grad_()
    tensors = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        tensors[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function(x)
    del result
    own = tensors.pop(x.untyped_storage().data_ptr(), None)
    return own is not None, sum(tensors.values())


def saved(op, shape):
    result = op.apply((TensorType(shape),)).saved
    assert not result.outputs
    return result.inputs, result.extra


def check(op: Op, module, shape):
    """Shape and kept bytes agree with a torch module's."""
    application = op.apply((TensorType(shape),))
    assert application.outputs[0].shape == tuple(module(torch.zeros(shape)).shape)
    assert not application.parameters
    return application


@quick
@given(pools(dilated=True))
def test_max_pool(case):
    shape, arguments = case
    op = MaxPool(**arguments)
    module = nn_pool("MaxPool", len(shape) - 2, **torch_arguments(arguments))
    application = check(op, module, shape)
    assert application.work == Work(cmp=expected_work(op, shape)[1])


@quick
@given(pools(), st.booleans())
def test_avg_pool(case, count_padding):
    shape, arguments = case
    if len(shape) == 5:  # torch's AvgPool3d wants the kernel to fit the input without its padding
        assume(all(k <= n for k, n in zip(arguments["kernel"], shape[2:], strict=True)))
    op = AvgPool(**arguments, count_padding=count_padding)
    module = nn_pool(
        "AvgPool", len(shape) - 2, **torch_arguments(arguments), count_include_pad=count_padding
    )
    application = check(op, module, shape)
    _, joined, windows = expected_work(op, shape)
    assert application.work == Work(add=joined, div=windows)
    assert SumPool(**arguments).apply((TensorType(shape),)).outputs == application.outputs
    assert SumPool(**arguments).apply((TensorType(shape),)).work == Work(add=joined)


@quick
@given(pools(padded=False), st.sampled_from([1, 2, 2.0, 3, 0.5]))
def test_lp_pool(case, norm):
    shape, arguments = case
    op = LpPool(norm, **arguments)
    if len(shape) == 3:  # torch's LPPool1d takes no tuples
        arguments = {name: v if isinstance(v, str) else v[0] for name, v in arguments.items()}
    module = nn_pool("LPPool", len(shape) - 2, norm_type=norm, **torch_arguments(arguments))
    application = check(op, module, shape)
    covered, joined, windows = expected_work(op, shape)
    assert application.work == {
        1: Work(add=joined),
        2: Work(add=joined, mul=covered, sqrt=windows),
    }.get(norm, Work(add=joined, pow=covered + windows))


@quick
@given(
    st.lists(
        st.tuples(*[st.integers(1, 5)] * 3, *[st.integers(0, 9)] * 2, st.integers(1, 9)),
        min_size=1,
        max_size=2,
    ),
    st.sampled_from(["floor", "ceil"]),
)
def test_windows_wholly_in_the_padding_cost_nothing(dims, rounding):
    # Beyond torch's limits: padding as long as the window, dilation beyond the input's size.
    kernel, stride, dilation, before, after, sizes = zip(*dims, strict=True)
    for k, d, b, a, n in zip(kernel, dilation, before, after, sizes, strict=True):
        assume(n + b + a >= d * (k - 1) + 1)
    op = MaxPool(
        kernel, stride, tuple(zip(before, after, strict=True)), dilation, rounding=rounding
    )
    shape = (1, 1, *sizes)
    assert op.apply((TensorType(shape),)).work == Work(cmp=expected_work(op, shape)[1])


def test_windows_wholly_in_the_padding_by_hand():
    # Windows of 2 at -4, -2, 0, 2, 4, 6 of an input of 3: only those at 0 and 2 meet it.
    op = MaxPool(kernel=2, padding=((4, 5),))
    application = op.apply((TensorType((1, 1, 3)),))
    assert application.outputs == (TensorType((1, 1, 6)),)
    assert application.work == Work(cmp=1)
    # Windows {-2, 2} and {-1, 3}, {0, 4} of an input of 2 with dilation 4.
    op = MaxPool(kernel=2, stride=1, padding=2, dilation=4)
    assert op.apply((TensorType((1, 1, 3)),)).work == Work(cmp=0)


@quick
@given(pools(dilated=True, low=2), st.booleans())
def test_max_pool_indices_and_unpool(case, explicit):
    shape, arguments = case
    rank = len(shape) - 2
    arguments["dilation"], arguments["rounding"] = 1, "floor"
    op = MaxPool(**arguments, indices=True)
    module = nn_pool("MaxPool", rank, **torch_arguments(arguments), return_indices=True)
    y, indices = module(torch.rand(shape))
    types = op.infer((TensorType(shape),))
    assert types == (TensorType(tuple(y.shape)), TensorType(tuple(indices.shape), "int64"))

    back = {name: arguments[name] for name in ("kernel", "stride", "padding") if name in arguments}
    sizes = [
        (n - 1) * s - 2 * p + k
        for n, k, s, p in zip(
            y.shape[2:],
            arguments["kernel"],
            arguments.get("stride", arguments["kernel"]),
            arguments["padding"],
            strict=True,
        )
    ]
    assume(min(sizes) >= 1)
    unpool = MaxUnpool(**back, size=shape[2:] if explicit else None)
    target = nn_pool(
        "MaxUnpool",
        rank,
        kernel_size=back["kernel"],
        stride=back.get("stride"),
        padding=back["padding"],
    )
    # Indices of torch's own may lie outside a smaller default output; where they lie is no matter.
    zeros = torch.zeros_like(indices)
    try:
        z = target(y, zeros, output_size=shape[2:] if explicit else None)
    except ValueError:
        with pytest.raises(ShapeError, match="max_unpool needs a size above"):
            unpool.apply(types)
        return
    application = unpool.apply(types)
    assert application.outputs == (TensorType(tuple(z.shape)),)
    assert application.work == Work()


def test_max_unpool_needs_indices():
    unpool = MaxUnpool(kernel=2)
    x = TensorType((1, 3, 4, 4))
    with pytest.raises(ShapeError, match="max_unpool needs 2 inputs, not 1"):
        unpool.apply((x,))
    for wrong in (x, TensorType((1, 3, 4, 5), "int64")):
        with pytest.raises(ShapeError, match="needs int64 indices of its input's shape"):
            unpool.apply((x, wrong))


def test_max_unpool_same():
    x = TensorType((1, 3, 5))
    indices = TensorType(x.shape, "int64")
    application = MaxUnpool(kernel=3, stride=2, padding="same").apply((x, indices))
    assert application.outputs == (TensorType((1, 3, 10)),)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 2, 0), (2, None, 0), (3, 1, 1), (2, 4, 0), (5, 3, 2)]
)
def test_max_unpool_takes_the_sizes_that_torch_takes(kernel, stride, padding, dim):
    x = TensorType((1, 2, 6, 6))
    indices = TensorType(x.shape, "int64")
    module = torch.nn.MaxUnpool2d(kernel, stride, padding)
    usual = module(torch.zeros(x.shape), torch.zeros(indices.shape, dtype=torch.int64)).shape[2]
    taken = []
    for size in range(max(1, usual - 6), usual + 7):
        sizes = [usual, usual]
        sizes[dim] = size
        op = MaxUnpool(kernel, stride, padding, tuple(sizes))
        try:
            y = module(torch.zeros(x.shape), torch.zeros(x.shape, dtype=torch.int64), sizes)
        except ValueError:
            s = stride or kernel
            with pytest.raises(ShapeError, match=f"above {usual - s} and below {usual + s}, has"):
                op.apply((x, indices))
        else:
            taken.append(size)
            assert op.apply((x, indices)).outputs == (TensorType(tuple(y.shape)),)
    reach = (stride or kernel) - 1
    assert taken == list(range(usual - reach, usual + reach + 1))


@quick
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 6))
def test_max_unpool_reach(kernel, stride, padding, n):
    size = (n - 1) * stride - 2 * padding + kernel
    assume(size >= 1)
    x = TensorType((1, 1, n))
    op = MaxUnpool(kernel=kernel, stride=stride, padding=padding)
    (reach,) = op.apply((x, TensorType(x.shape, "int64"))).reach
    for u in range(size):
        reads = [i for i in range(n) if 0 <= u + padding - i * stride < kernel]
        low = ceil(u * reach.stride + reach.low - 1e-9)
        high = floor(u * reach.stride + reach.high + 1e-9)
        assert reads == [i for i in range(low, high + 1) if 0 <= i < n]


@quick
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=3),
    st.integers(1, 2),
    st.integers(1, 3),
    st.sampled_from(["max", "avg"]),
)
def test_adaptive_pool(dims, batch, channels, mode):
    sizes, outs = zip(*dims, strict=True)
    shape = (batch, channels, *sizes)
    op = AdaptivePool(mode, size=outs)
    name = {"max": "AdaptiveMaxPool", "avg": "AdaptiveAvgPool"}[mode]
    application = check(op, nn_pool(name, len(dims), output_size=outs), shape)

    bins = [[(i * n // m, ceil((i + 1) * n / m)) for i in range(m)] for n, m in dims]
    counts = [1]
    for line in bins:
        counts = [count * (end - start) for count in counts for start, end in line]
    joined = batch * channels * sum(count - 1 for count in counts)
    if mode == "max":
        assert application.work == Work(cmp=joined)
    else:
        assert application.work == Work(add=joined, div=batch * channels * len(counts))
    for (n, m), line, reach in zip(dims, bins, application.reach, strict=True):
        assert reach.stride == n / m
        assert reach.high - reach.low + 1 == max(end - start for start, end in line)
        if n % m == 0:
            starts = [i * reach.stride for i in range(m)]
            assert line == [(start + reach.low, start + reach.high + 1) for start in starts]


@quick
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 2),
    st.sampled_from(["max", "avg"]),
)
def test_global_pool(sizes, batch, mode):
    shape = (batch, 3, *sizes)
    name = {"max": "AdaptiveMaxPool", "avg": "AdaptiveAvgPool"}[mode]
    application = check(GlobalPool(mode), nn_pool(name, len(sizes), output_size=1), shape)
    same = AdaptivePool(mode, size=1).apply((TensorType(shape),))
    assert application.work == same.work
    assert application.reach == same.reach == tuple(Reach(0, n - 1, n) for n in sizes)


def test_global_pool_work():
    x = TensorType((2, 512, 7, 7))
    assert GlobalPool("avg").apply((x,)).work == Work(add=2 * 512 * 48, div=2 * 512)
    assert GlobalPool("max").apply((x,)).work == Work(cmp=2 * 512 * 48)


@pytest.mark.parametrize("mode", ["max", "avg"])
@pytest.mark.parametrize("family", ["global", "adaptive"])
def test_kind_tells_the_mode(family, mode):
    name = f"{family}_{mode}_pool"
    op = make(name, **({"size": 2} if family == "adaptive" else {}))
    assert op.kind == name
    copy = pickle.loads(pickle.dumps(op))
    assert copy == op
    assert copy.kind == name
    with pytest.raises(ShapeError, match=name):
        op.apply((TensorType((1, 8)),))


@pytest.mark.parametrize(
    "name", ["max_pool", "avg_pool", "sum_pool", "lp_pool", "fractional_max_pool", "max_unpool"]
)
def test_kind_is_the_listed_name(name):
    assert operator_class(name)[0].kind == name


@quick
@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(1, 3), st.integers(1, 8)),
        min_size=2,
        max_size=3,
    ),
    st.one_of(st.none(), st.floats(0.05, 0.95)),
)
def test_fractional_max_pool(dims, ratio):
    sizes, kernel, outs = zip(*dims, strict=True)
    shape = (1, 2, *sizes)
    if ratio is None:
        op, given_ = FractionalMaxPool(kernel, size=outs), {"output_size": outs}
    else:
        op, given_ = FractionalMaxPool(kernel, ratio=ratio), {"output_ratio": ratio}
    module = nn_pool("FractionalMaxPool", len(dims), kernel_size=kernel, **given_)
    try:
        y = module(torch.rand(shape))
        assume(y.numel())  # torch has no objection to an empty output
    except RuntimeError:
        if len(dims) == 3:  # where torch wants one element more than in two dimensions
            made = outs if ratio is None else [int(n * ratio) for n in sizes]
            rooms = [n - m - k + 1 for n, k, m in zip(sizes, kernel, made, strict=True)]
            assume(min(rooms) != 0)
        with pytest.raises(ShapeError):
            op.apply((TensorType(shape),))
        return
    application = op.apply((TensorType(shape),))
    assert application.outputs == (TensorType(tuple(y.shape)),)
    window = 1
    for k in kernel:
        window *= k
    assert application.work == Work(cmp=sum(window - 1 for _ in range(y.numel())))
    for (n, k, _), m, reach in zip(dims, y.shape[2:], application.reach, strict=True):
        # The last window ends at the input's back.
        assert (m - 1) * reach.stride + reach.high == pytest.approx(n - 1)
        assert reach.high - reach.low == k - 1


def test_fractional_max_pool_errors():
    with pytest.raises(ShapeError, match="output of 9 needs an input of at least 11, has 10"):
        FractionalMaxPool(3, size=9).apply((TensorType((1, 1, 10, 10)),))
    with pytest.raises(ArgumentError, match="either size or ratio, found neither"):
        FractionalMaxPool(3)
    with pytest.raises(ArgumentError, match="either size or ratio, found both"):
        FractionalMaxPool(3, size=4, ratio=0.5)
    for ratio in (0, 1, 1.5):
        with pytest.raises(ArgumentError, match="ratio"):
            FractionalMaxPool(3, ratio=ratio)


@pytest.mark.parametrize("norm", [0, -1, float("inf"), float("nan")])
def test_lp_pool_needs_a_norm(norm):
    with pytest.raises(ArgumentError, match="norm"):
        LpPool(norm, kernel=2)


def test_what_torch_keeps():
    shape = (2, 3, 9, 9)
    for op, function in [
        (MaxPool(3, 2), lambda x: F.max_pool2d(x, 3, 2)),
        (AvgPool(3, 2, 1), lambda x: F.avg_pool2d(x, 3, 2, 1)),
        (SumPool(3, 2, 1), lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=1)),
        (LpPool(2, 3, 2), lambda x: F.lp_pool2d(x, 2, 3, 2)),
        (LpPool(3, 3), lambda x: F.lp_pool2d(x, 3, 3)),
        (GlobalPool("avg"), lambda x: F.adaptive_avg_pool2d(x, 1)),
        (GlobalPool("max"), lambda x: F.adaptive_max_pool2d(x, 1)),
        (AdaptivePool("avg", 1), lambda x: F.adaptive_avg_pool2d(x, 1)),
        (AdaptivePool("avg", 4), lambda x: F.adaptive_avg_pool2d(x, 4)),
        (AdaptivePool("avg", (1, 3)), lambda x: F.adaptive_avg_pool2d(x, (1, 3))),
        (AdaptivePool("max", 4), lambda x: F.adaptive_max_pool2d(x, 4)),
        (FractionalMaxPool(2, size=4), lambda x: F.fractional_max_pool2d(x, 2, 4)),
    ]:
        assert saved(op, shape) == kept(function, torch.rand(shape)), op
    for op, function in [
        (GlobalPool("avg"), lambda x: F.adaptive_avg_pool3d(x, 1)),
        (AdaptivePool("avg", 2), lambda x: F.adaptive_avg_pool3d(x, 2)),
    ]:
        assert saved(op, (1, 2, 4, 4, 4)) == kept(function, torch.rand(1, 2, 4, 4, 4)), op


def test_known_layers():
    # AlexNet's overlapping pools: 55 -> 27 with windows of 3 at stride 2, nothing clipped.
    x = TensorType((1, 96, 55, 55))
    application = MaxPool(3, 2).apply((x,))
    assert application.outputs == (TensorType((1, 96, 27, 27)),)
    assert application.work == Work(cmp=96 * 27 * 27 * 8)
    assert application.reach == (Reach(0, 2, 2),) * 2
    # SqueezeNet's, rounded up as in Caffe: 112 -> 56, the last window clipped to 2.
    x = TensorType((1, 1, 112, 112))
    application = MaxPool(3, 2, rounding="ceil").apply((x,))
    assert application.outputs == (TensorType((1, 1, 56, 56)),)
    assert application.work == Work(cmp=(55 * 3 + 2) ** 2 - 56 * 56)


def test_sizes_of_a_hostile_spec_take_no_time():
    # Billions of bins, and billions of windows in the padding, are counted by formula.
    from archcost.ir.ops.pooling import _occupied
    from archcost.ir.ops.windows import Windows

    big = 2**31 - 1
    x = TensorType((1, 1, 12))
    assert AdaptivePool("max", big).apply((x,)).work == Work(cmp=11)
    windows = Windows("max_pool", x, kernel=2, stride=1, padding=big, dilation=2**20)
    # Offsets 0 and 2^20: 12 windows meet the input with the one, 12 others with the other.
    assert _occupied(windows) == 24
