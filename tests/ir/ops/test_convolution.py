"""Convolutions: shapes, parameters and work as torch's; what they read as its gradients show."""

from __future__ import annotations

from itertools import product
from math import ceil, floor, prod

import pytest
import torch
import torch.nn.functional as F
from against_torch import keeps_as_torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from archcost.ir import ArgumentError, Reach, ShapeError, TensorType, Work
from archcost.ir.ops import make
from archcost.ir.ops.convolution import (
    Conv,
    ConvTranspose,
    DeformConv,
    DepthwiseConv,
    DynamicConv,
    DynamicConvTranspose,
    LocalConv,
)
from archcost.ir.ops.pooling import MaxPool

quick = settings(max_examples=60, deadline=None)
small = st.integers(1, 3)

# Said by torch where the odd element of `same` makes it copy the input.
may_copy = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

# Table I of LeCun et al. 1998: the maps of S2 that each map of C3 sees.
C3 = (
    *[[i % 6, (i + 1) % 6, (i + 2) % 6] for i in range(6)],
    *[[i % 6, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6] for i in range(6)],
    *[[i % 6, (i + 1) % 6, (i + 3) % 6, (i + 4) % 6] for i in range(3)],
    [0, 1, 2, 3, 4, 5],
)


@st.composite
def cases(draw, *, transposed=False):
    """(shape, our arguments); ``padding`` is one (before, after) for each dimension."""
    rank = draw(st.integers(1, 3))
    groups = draw(small)
    shape = [draw(st.integers(1, 2)), groups * draw(small)]
    each: dict[str, list] = {"kernel": [], "stride": [], "dilation": [], "padding": []}
    if transposed:
        each["output_padding"] = []
    for _ in range(rank):
        k, s, d = draw(st.integers(1, 4)), draw(small), draw(small)
        pads = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
        least = 1
        if not transposed:
            least = max(1, d * (k - 1) + 1 - sum(pads))
        else:
            each["output_padding"].append(draw(st.integers(0, max(s, d) - 1)))
        for name, value in zip(each, (k, s, d, pads), strict=False):
            each[name].append(value)
        shape.append(draw(st.integers(least, least + 4)))
    arguments = {name: tuple(values) for name, values in each.items()}
    arguments |= {"out": groups * draw(small), "groups": groups, "bias": draw(st.booleans())}
    return tuple(shape), arguments


def counted_macs(function, *inputs):
    """The output of ``function``, and half the flops that torch counts in it."""
    with FlopCounterMode(display=False) as counter:
        y = function(*inputs)
    return y, counter.get_total_flops() // 2


def module_of(name, shape, arguments, **others):
    """torch's module for ``arguments``, without padding unless it is in ``others``."""
    renamed = {
        "in_channels": shape[1],
        "out_channels": arguments["out"],
        "kernel_size": arguments["kernel"],
    }
    kept = {n: arguments[n] for n in ("stride", "dilation", "groups", "bias")}
    return getattr(torch.nn, f"{name}{len(shape) - 2}d")(**renamed, **kept, **others)


def sides(padding):
    """Padding in the order in which F.pad takes it."""
    return [side for pair in reversed(padding) for side in pair]


def check(op, shape, module, y, macs):
    application = op.apply((TensorType(shape),))
    assert application.outputs == (TensorType(tuple(y.shape)),)
    expected = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert {p.name: p.shape for p in application.parameters} == expected
    assert application.params == sum(p.numel() for p in module.parameters())
    assert application.buffers == 0
    assert application.work == Work(mac=macs, add=y.numel() if "bias" in expected else 0)
    assert application.saved == (True, False, 0)
    return application


@quick
@given(cases())
def test_conv(case):
    shape, arguments = case
    module = module_of("Conv", shape, arguments)
    x = F.pad(torch.zeros(shape), sides(arguments["padding"]))
    check(Conv(**arguments), shape, module, *counted_macs(module, x))


@quick
@given(cases(), st.integers(0, 3))
def test_conv_by_one_number_for_all_dimensions(case, padding):
    shape, arguments = case
    for name in ("kernel", "stride", "dilation"):
        arguments[name] = arguments[name][0]
    extent = arguments["dilation"] * (arguments["kernel"] - 1) + 1
    shape = (*shape[:2], *[n + extent for n in shape[2:]])
    module = module_of("Conv", shape, arguments, padding=padding)
    op = Conv(**(arguments | {"padding": padding}))
    check(op, shape, module, *counted_macs(module, torch.zeros(shape)))


@quick
@given(cases())
def test_conv_rounds_up_as_pools_do(case):
    shape, arguments = case
    window = {name: arguments[name] for name in ("kernel", "stride", "dilation", "padding")}
    pool = MaxPool(**window, rounding="ceil").apply((TensorType(shape),))
    application = Conv(**arguments, rounding="ceil").apply((TensorType(shape),))
    (y,) = application.outputs
    assert y.spatial == pool.outputs[0].spatial
    assert application.macs == y.numel * shape[1] // arguments["groups"] * prod(arguments["kernel"])


def test_conv_rounded_up_by_hand():
    x = TensorType((1, 2, 6))
    application = Conv(out=3, kernel=3, stride=2, rounding="ceil").apply((x,))
    assert application.outputs == (TensorType((1, 3, 3)),)
    assert application.work == Work(mac=3 * 3 * 2 * 3, add=9)
    assert Conv(out=3, kernel=3, stride=2).infer((x,)) == (TensorType((1, 3, 2)),)


@may_copy
@quick
@given(cases())
def test_conv_same_without_stride(case):
    shape, arguments = case
    arguments |= {"stride": (1,) * (len(shape) - 2), "padding": "same"}
    module = module_of("Conv", shape, arguments, padding="same")
    y, macs = counted_macs(module, torch.zeros(shape))
    check(Conv(**arguments), shape, module, y, macs)
    assert y.shape[2:] == shape[2:]


@quick
@given(cases())
def test_conv_same_with_strides(case):
    shape, arguments = case
    arguments["padding"] = "same"
    application = Conv(**arguments).apply((TensorType(shape),))
    (y,) = application.outputs
    assert y.spatial == tuple(
        ceil(n / s) for n, s in zip(shape[2:], arguments["stride"], strict=True)
    )
    # The least padding that makes it so, the odd element behind.
    pads = []
    for n, m, k, s, d in zip(
        shape[2:],
        y.spatial,
        *(arguments[name] for name in ("kernel", "stride", "dilation")),
        strict=True,
    ):
        pad = max(0, (m - 1) * s + d * (k - 1) + 1 - n)
        pads.append((pad // 2, pad - pad // 2))
    assert application.reach == Conv(**(arguments | {"padding": tuple(pads)})).reach(
        (TensorType(shape),), ()
    )
    module = module_of("Conv", shape, arguments)
    x = F.pad(torch.zeros(shape), sides(pads))
    check(Conv(**arguments), shape, module, *counted_macs(module, x))


def reads(function, n):
    """For each output position of a function in one dimension, the input positions it reads."""
    x = torch.ones(1, 1, n, dtype=torch.float64, requires_grad=True)
    y = function(x)
    found = []
    for u in range(y.shape[2]):
        if not y.requires_grad:
            found.append([])
            continue
        (gradient,) = torch.autograd.grad(y[0, 0, u], x, retain_graph=True)
        found.append(gradient[0, 0].nonzero()[:, 0].tolist())
    return found


@may_copy
@quick
@given(
    st.integers(1, 12),
    st.integers(1, 4),
    small,
    small,
    st.one_of(st.just("same"), st.tuples(st.integers(0, 3), st.integers(0, 3))),
)
def test_conv_reach(n, kernel, stride, dilation, padding):
    weight = torch.ones(1, 1, kernel, dtype=torch.float64)
    if padding == "same":
        stride = 1
        found = reads(lambda x: F.conv1d(x, weight, padding="same", dilation=dilation), n)
    else:
        assume(n + sum(padding) >= dilation * (kernel - 1) + 1)
        found = reads(
            lambda x: F.conv1d(F.pad(x, padding), weight, stride=stride, dilation=dilation), n
        )
    pads = padding if padding == "same" else (padding,)
    op = Conv(1, kernel, stride, pads, dilation)
    application = op.apply((TensorType((1, 1, n)),))
    (reach,) = application.reach or (Reach(0, 0, 1),)
    assert len(found) == application.outputs[0].spatial[0]
    for u, places in enumerate(found):
        first, last = u * reach.stride + reach.low, u * reach.stride + reach.high
        assert places == [i for i in range(first, last + 1, dilation) if 0 <= i < n]
    assert reach.high - reach.low == dilation * (kernel - 1)


def test_pointwise_conv_reads_its_own_place():
    x = TensorType((1, 4, 6, 6))
    assert Conv(8).apply((x,)).reach is None
    assert Conv(8, stride=2).apply((x,)).reach == (Reach(0, 0, 2),) * 2
    assert Conv(8, padding=((1, 0), (0, 0))).apply((x,)).reach == (Reach(-1, -1, 1), Reach(0, 0, 1))
    assert Conv(8, kernel=(1, 3)).apply((x,)).reach == (Reach(0, 0, 1), Reach(0, 2, 1))


# --- depthwise -----------------------------------------------------------------------------------


@quick
@given(cases(), small)
def test_depthwise_conv(case, multiplier):
    shape, arguments = case
    channels = shape[1]
    arguments |= {"out": channels * multiplier, "groups": channels}
    grouped = Conv(**arguments)
    own = {name: v for name, v in arguments.items() if name not in ("out", "groups")}
    op = DepthwiseConv(**own, multiplier=multiplier)
    module = module_of("Conv", shape, arguments)
    x = F.pad(torch.zeros(shape), sides(arguments["padding"]))
    application = check(op, shape, module, *counted_macs(module, x))
    same = grouped.apply((TensorType(shape),))
    assert application.reach == same.reach
    assert application.parameters == same.parameters
    for rounding, padding in product(("floor", "ceil"), ("same", arguments["padding"])):
        varied = {"rounding": rounding, "padding": padding}
        depthwise = DepthwiseConv(**(own | varied), multiplier=multiplier)
        application = depthwise.apply((TensorType(shape),))
        same = Conv(**(arguments | varied)).apply((TensorType(shape),))
        assert application.outputs == same.outputs
        assert (application.work, application.reach) == (same.work, same.reach)


def test_depthwise_conv_by_hand():
    application = DepthwiseConv(padding=1, multiplier=2).apply((TensorType((1, 4, 5, 5)),))
    assert application.outputs == (TensorType((1, 8, 5, 5)),)
    assert application.params == 8 * 9 + 8
    assert application.work == Work(mac=8 * 25 * 9, add=8 * 25)


# --- transposed ----------------------------------------------------------------------------------


def transposed_size(shape, arguments):
    return tuple(
        (n - 1) * s - sum(pads) + d * (k - 1) + more + 1
        for n, k, s, d, pads, more in zip(
            shape[2:],
            *(arguments[a] for a in ("kernel", "stride", "dilation", "padding", "output_padding")),
            strict=True,
        )
    )


@quick
@given(cases(transposed=True))
def test_conv_transpose(case):
    shape, arguments = case
    arguments["padding"] = tuple((before, before) for before, _ in arguments["padding"])
    assume(min(transposed_size(shape, arguments)) >= 1)
    module = module_of(
        "ConvTranspose",
        shape,
        arguments,
        padding=tuple(before for before, _ in arguments["padding"]),
        output_padding=arguments["output_padding"],
    )
    y, macs = counted_macs(module, torch.zeros(shape))
    check(ConvTranspose(**arguments), shape, module, y, macs)
    # Each input element meets each weight that leads from its channel.
    links = arguments["out"] // arguments["groups"] * prod(arguments["kernel"])
    assert macs == prod(shape) * links


@quick
@given(cases(transposed=True))
def test_conv_transpose_padded_by_side(case):
    """What padding takes away is sliced off torch's whole output."""
    shape, arguments = case
    assume(min(transposed_size(shape, arguments)) >= 1)
    module = module_of(
        "ConvTranspose", shape, arguments, output_padding=arguments["output_padding"]
    )
    y, macs = counted_macs(module, torch.zeros(shape))
    kept = tuple(
        slice(before, n - after)
        for n, (before, after) in zip(y.shape[2:], arguments["padding"], strict=True)
    )
    check(ConvTranspose(**arguments), shape, module, y[(..., *kept)], macs)


@quick
@given(cases(transposed=True))
def test_conv_transpose_same(case):
    shape, arguments = case
    op = ConvTranspose(**(arguments | {"padding": "same"}))
    application = op.apply((TensorType(shape),))
    sizes = zip(shape[2:], arguments["stride"], arguments["output_padding"], strict=True)
    (y,) = application.outputs
    assert y.spatial == tuple(n * s + more for n, s, more in sizes)
    links = arguments["out"] // arguments["groups"] * prod(arguments["kernel"])
    bias = y.numel if arguments["bias"] else 0
    assert application.work == Work(mac=prod(shape) * links, add=bias)


def test_conv_transpose_by_hand():
    # A 2x2 kernel at stride 2: each of 12 input elements fills 2 x 2 in each of 5 channels.
    application = ConvTranspose(5, kernel=2, stride=2).apply((TensorType((1, 3, 2, 2)),))
    assert application.outputs == (TensorType((1, 5, 4, 4)),)
    assert application.work == Work(mac=12 * 5 * 4, add=5 * 16)
    assert application.params == 3 * 5 * 4 + 5


@quick
@given(
    st.integers(1, 8),
    st.integers(1, 5),
    st.integers(1, 4),
    small,
    st.one_of(st.just("same"), st.tuples(st.integers(0, 3), st.integers(0, 3))),
    st.integers(0, 3),
)
def test_conv_transpose_reach(n, kernel, stride, dilation, padding, extra):
    assume(extra < max(stride, dilation))
    extent = dilation * (kernel - 1) + 1
    if padding == "same":
        size, before = n * stride + extra, max(0, extent - stride) // 2
    else:
        size, before = (n - 1) * stride + extent + extra - sum(padding), padding[0]
    assume(size >= 1)
    weight = torch.ones(1, 1, kernel, dtype=torch.float64)

    def function(x):
        y = F.conv_transpose1d(x, weight, stride=stride, dilation=dilation)
        return F.pad(y, (0, size))[..., before : before + size]

    pads = padding if padding == "same" else (padding,)
    op = ConvTranspose(1, kernel, stride, pads, extra, dilation)
    application = op.apply((TensorType((1, 1, n)),))
    assert application.outputs[0].spatial == (size,)
    (reach,) = application.reach
    for u, places in enumerate(reads(function, n)):
        low = ceil(u * reach.stride + reach.low - 1e-9)
        high = floor(u * reach.stride + reach.high + 1e-9)
        inside = [i for i in range(low, high + 1) if 0 <= i < n]
        if dilation == 1:
            assert places == inside
        assert set(places) <= set(inside)
    # As tight as can be: the first and the last weight read at the two ends.
    assert reach.stride * stride == pytest.approx(1)
    assert reach.high == pytest.approx(before / stride)
    assert reach.high - reach.low == pytest.approx((extent - 1) / stride)


def test_conv_transpose_same_with_gaps():
    """Kernel 1 at stride 3: positions 0, 3, 6 ... read one element each, those between none."""
    (reach,) = ConvTranspose(1, 1, 3, "same").apply((TensorType((1, 1, 4)),)).reach
    assert reach == Reach(0, 0, 1 / 3)
    (reach,) = ConvTranspose(1, 2, 3, "same").apply((TensorType((1, 1, 4)),)).reach
    assert reach == Reach(-1 / 3, 0, 1 / 3)


# --- connection tables ---------------------------------------------------------------------------


def test_c3_of_lenet5():
    assert sum(map(len, C3)) == 60
    application = Conv(16, kernel=5, connections=C3).apply((TensorType((1, 6, 14, 14)),))
    assert application.outputs == (TensorType((1, 16, 10, 10)),)
    assert application.params == 1_516
    # The paper counts a bias as a connection.
    assert application.macs + application.work.add == 151_600
    assert application.work == Work(mac=150_000, add=1_600)
    assert application.reach == (Reach(0, 4, 1),) * 2


@st.composite
def tables(draw):
    """(input channels, a table of connections)."""
    channels = draw(st.integers(1, 5))
    row = st.lists(st.integers(0, channels - 1), min_size=1, max_size=channels, unique=True)
    return channels, draw(st.lists(row, min_size=1, max_size=5))


@quick
@given(tables(), st.integers(1, 3), st.integers(1, 2), small, st.booleans())
def test_connections_are_a_masked_convolution(case, kernel, batch, stride, bias):
    channels, table = case
    x = torch.rand(batch, channels, 5, 5, dtype=torch.float64)
    module = torch.nn.Conv2d(channels, len(table), kernel, stride, bias=bias).double()
    mask = torch.zeros_like(module.weight)
    for row, seen in zip(mask, table, strict=True):
        row[seen] = 1
    # Of positive inputs, each weight that is not masked moves the output, and it alone.
    y = F.conv2d(x, module.weight * mask, module.bias, stride)
    (gradient,) = torch.autograd.grad(y.sum(), module.weight)
    weights = gradient.count_nonzero().item()
    op = Conv(len(table), kernel, stride, bias=bias, connections=table)
    application = op.apply((TensorType(tuple(x.shape)),))
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert application.params == weights + bias * len(table)
    # ... at each position of the output's map.
    assert application.macs == weights * batch * y[0, 0].numel()
    assert application.work.add == bias * y.numel()


@quick
@given(st.integers(1, 3), small, small)
def test_groups_as_connections(groups, ins, outs):
    x = TensorType((2, groups * ins, 7, 7))
    table = [list(range(g * ins, (g + 1) * ins)) for g in range(groups) for _ in range(outs)]
    tabled = Conv(groups * outs, 3, connections=table).apply((x,))
    grouped = Conv(groups * outs, 3, groups=groups).apply((x,))
    assert (tabled.outputs, tabled.work) == (grouped.outputs, grouped.work)
    assert tabled.params == grouped.params


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["conv", "conv_transpose"])
def test_groups_divide_channels(kind):
    x = TensorType((1, 6, 8, 8))
    with pytest.raises(ShapeError, match=f"{kind} in 4 groups .* has 6 and 8"):
        make(kind, out=8, groups=4).apply((x,))
    with pytest.raises(ShapeError, match=f"{kind} in 3 groups .* has 6 and 8"):
        make(kind, out=8, groups=3).apply((x,))


def test_wrong_tables():
    x = TensorType((1, 3, 8, 8))
    with pytest.raises(ShapeError, match="table has 1 rows"):
        Conv(2, connections=[[0]]).apply((x,))
    with pytest.raises(ShapeError, match="table has 3 rows"):
        Conv(2, connections=[[0], [1], [2]]).apply((x,))
    with pytest.raises(ShapeError, match="no groups"):
        Conv(3, groups=3, connections=[[0], [1], [2]]).apply((x,))
    with pytest.raises(ShapeError, match="names channel 3 of an input with 3"):
        Conv(2, connections=[[0, 3], [1]]).apply((x,))
    assert Conv(2, connections=[[0, 2], [1]]).apply((x,)).params == 3 + 2


@pytest.mark.parametrize("table", [[[0, 1], [2, 2]], [[1, 0, 1], [2]]])
def test_a_channel_twice_in_a_row_of_a_table(table):
    with pytest.raises((ArgumentError, ShapeError)):
        Conv(2, connections=table).apply((TensorType((1, 3, 8, 8)),))


@pytest.mark.parametrize("table", [[], [[0], []], [[-1], [0]], [0, 1], [[True], [0]], "01"])
def test_no_tables(table):
    with pytest.raises(ArgumentError, match="connections"):
        Conv(2, connections=table)


@pytest.mark.parametrize("kind", ["conv", "depthwise_conv"])
def test_windows_larger_than_the_input(kind):
    out = {"out": 4} if kind == "conv" else {}
    x = TensorType((1, 4, 9, 5))
    for arguments in (
        {"kernel": 6},
        {"kernel": 3, "dilation": 3},
        {"kernel": 11, "padding": ((1, 0), (3, 3))},
        {"kernel": 8, "padding": 1},
    ):
        with pytest.raises(ShapeError, match=f"{kind.replace('depthwise_', '')} has a window of"):
            make(kind, **out, **arguments).apply((x,))
    assert make(kind, **out, kernel=7, padding=1).apply((x,)).outputs[0].spatial == (5, 1)


@pytest.mark.parametrize("kind", ["conv", "depthwise_conv", "conv_transpose"])
def test_ranks(kind):
    out = {} if kind == "depthwise_conv" else {"out": 4}
    for shape in ((4,), (1, 4), (1, 4, 5, 5, 5, 5)):
        with pytest.raises(ShapeError, match=f"{kind} needs an input"):
            make(kind, **out, kernel=1).apply((TensorType(shape),))
    x = TensorType((1, 4, 9, 9))
    for name, value in (
        ("kernel", (1, 2, 3)),
        ("stride", (1, 2, 3)),
        ("dilation", (1, 2, 3)),
        ("padding", (1, 2, 3)),
    ):
        with pytest.raises(ShapeError, match=rf"{name} for 3 dimensions.* its input has 2"):
            make(kind, **out, **{name: value}).apply((x,))


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3), (3, 2), ((1, 2), (1, 1))])
def test_output_padding_is_below_stride_or_dilation(stride, dilation):
    x = TensorType((1, 2, 4, 4))
    strides, dilations = (v if isinstance(v, tuple) else (v, v) for v in (stride, dilation))
    limits = tuple(map(max, strides, dilations))

    def size(extra):
        op = ConvTranspose(3, 3, stride, 0, extra, dilation)
        module = torch.nn.ConvTranspose2d(2, 3, 3, stride, 0, extra, dilation=dilation)
        (y,) = op.apply((x,)).outputs
        assert y.shape == tuple(module(torch.zeros(x.shape)).shape)

    size(tuple(limit - 1 for limit in limits))
    for dim, padding in product(range(2), (0, "same")):
        extra = [0, 0]
        extra[dim] = limits[dim]
        with pytest.raises(ShapeError, match="output_padding"):
            ConvTranspose(3, 3, stride, padding, tuple(extra), dilation).apply((x,))


def test_conv_transpose_leaves_something():
    with pytest.raises(ShapeError, match="empty output"):
        ConvTranspose(3, 2, padding=1).apply((TensorType((1, 2, 1)),))


@quick
@given(st.integers(1, 2), small, st.integers(3, 6), st.integers(3, 6), small, st.data())
def test_local_conv(batch, channels, height, width, out, data):
    kernel = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = data.draw(st.tuples(small, small))
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    bias = data.draw(st.booleans())
    op = LocalConv(out, kernel, stride, padding, bias)
    application = op.apply((TensorType((batch, channels, height, width)),))
    weight, *biases = (torch.randn(p.shape) for p in application.parameters)
    x = torch.randn(batch, channels, height, width)

    def local():
        patches = F.unfold(x, kernel, padding=padding, stride=stride)  # N, C * k, positions
        weights = weight.flatten(0, 1).flatten(2)  # positions, out, C * k
        return torch.matmul(weights, patches.permute(2, 1, 0)).permute(2, 1, 0)

    y, macs = counted_macs(local)
    assert application.outputs[0].shape[:2] == y.shape[:2]
    assert prod(application.outputs[0].spatial) == y.shape[2]
    assert application.macs == macs
    assert application.flops == 2 * macs + bias * y.numel()
    assert [b.shape for b in biases] == [(*application.outputs[0].spatial, out)] * bias
    # With the same weights everywhere it is a convolution.
    same = Conv(out, kernel, stride, padding, bias=bias).apply(application.inputs)
    assert (application.outputs, application.work, application.reach, application.saved) == (
        same.outputs,
        same.work,
        same.reach,
        same.saved,
    )
    weight[:] = weight[0, 0]
    expected = F.conv2d(x, weight[0, 0], stride=stride, padding=padding).flatten(2)
    assert torch.allclose(local(), expected, atol=1e-5)


# --- with weights that are inputs -----------------------------------------------------------------


@pytest.mark.parametrize("transposed", [False, True])
@quick
@given(st.data())
def test_weights_as_inputs_cost_what_stored_ones_do(transposed, data):
    shape, arguments = data.draw(cases(transposed=transposed))
    stored = (ConvTranspose if transposed else Conv)(**arguments)
    assume(not transposed or min(transposed_size(shape, arguments)) >= 1)
    same = stored.apply((TensorType(shape),))
    weights = tuple(TensorType(p.shape) for p in same.parameters)
    op = (DynamicConvTranspose if transposed else DynamicConv)(**arguments)
    application = op.apply((TensorType(shape), *weights))
    assert (application.outputs, application.work) == (same.outputs, same.work)
    assert application.reach == same.reach
    assert application.params == 0
    assert application.read_bytes == same.read_bytes


@pytest.mark.parametrize("transposed", [False, True])
def test_of_weights_as_inputs_the_bias_is_not_kept(transposed):
    op = (DynamicConvTranspose if transposed else DynamicConv)(2, 3)
    convolve = F.conv_transpose1d if transposed else F.conv1d
    keeps_as_torch(op, convolve, *map(torch.ones, ((1, 2, 5), (2, 2, 3), (2,))))


@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({}, [(4, 2, 3)], "needs a weight and a bias behind its input, has 1 inputs"),
        ({"bias": False}, [(4, 2, 3), (4,)], "a weight and no bias behind its input, has 2"),
        ({}, [(4, 3, 3), (4,)], "a weight of 4x2x3, has 4x3x3"),
        ({}, [(4, 2, 3), (2,)], "a bias of 4, has 2"),
    ],
)
def test_weights_as_inputs_have_to_fit(arguments, shapes, message):
    types = tuple(map(TensorType, shapes))
    with pytest.raises(ShapeError, match=message):
        DynamicConv(4, 3, **arguments).apply((TensorType((1, 2, 8)), *types))


def test_weights_as_inputs_have_the_dtype_of_the_first():
    x, half = TensorType((1, 2, 8)), TensorType((4, 2, 3), "fp16")
    with pytest.raises(ShapeError, match="one dtype"):
        DynamicConv(4, 3, bias=False).apply((x, half))


# --- deformable -----------------------------------------------------------------------------------


def deformable(op, shape, masked):
    """Types of the inputs of ``op``."""
    (y,) = op.regular.infer((TensorType(shape),))
    places = op.offset_groups * prod(op.regular.windows(TensorType(shape)).kernel)
    offset, mask = (TensorType((shape[0], n * places, *y.spatial)) for n in (2, 1))
    return (TensorType(shape), offset, *([mask] if masked else []))


@pytest.mark.parametrize("masked", [False, True])
def test_deform_conv_by_hand(masked):
    op = DeformConv(6, 3, groups=2, offset_groups=2)
    x, *others = deformable(op, (2, 4, 9, 7), masked)
    application = op.apply((x, *others))
    regular = Conv(6, 3, groups=2).apply((x,))
    assert application.outputs == regular.outputs
    assert application.stored == regular.stored
    assert application.reach == regular.reach
    positions, elements = 2 * 7 * 5, 2 * 7 * 5 * 9 * 4
    moved = Work(add=positions * 9 * 2 * 2)  # two coordinates in each of two groups
    read = Work(add=6, mul=3 + masked).times(elements)  # one to the other of four neighbours
    assert application.work == regular.work + moved + read


def test_deform_conv_is_torchvisions():
    ops = pytest.importorskip("torchvision.ops")
    op = DeformConv(6, (3, 2), stride=2, padding=1, groups=2, offset_groups=2)
    types = deformable(op, (2, 4, 9, 7), masked=True)
    module = ops.DeformConv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)
    y = module(*(torch.zeros(type_.shape) for type_ in types))
    application = op.apply(types)
    assert application.outputs == (TensorType(tuple(y.shape)),)
    expected = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert {p.name: p.shape for p in application.parameters} == expected


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(1, 4, 9), (1, 18, 7)], r"input \(N, C, H, W\)"),
        ([(1, 3, 9, 9), (1, 36, 7, 7)], "2 groups of offsets .* has 3"),
        ([(1, 4, 9, 9), (1, 18, 7, 7)], "offsets of 1x36x7x7, has 1x18x7x7"),
        ([(1, 4, 9, 9), (1, 36, 7, 7), (1, 9, 7, 7)], "factors of 1x18x7x7, has 1x9x7x7"),
    ],
)
def test_deform_conv_errors(shapes, message):
    with pytest.raises(ShapeError, match=message):
        DeformConv(4, 3, offset_groups=2).apply(tuple(map(TensorType, shapes)))
