"""Normalisations: parameters and kept bytes as torch's, work as plain code counts it."""

from __future__ import annotations

from math import prod

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, Reach, ShapeError, TensorType, Work
from archcost.ir.ops import operator_class
from archcost.ir.ops.normalization import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
    ScaleShift,
)

quick = settings(max_examples=60, deadline=None)

shapes = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)
spatial_shapes = st.lists(st.integers(1, 5), min_size=3, max_size=5).map(tuple)


def stored(application, trainable):
    return {p.name: p.shape for p in application.parameters if p.trainable is trainable}


def check(op, module, shape):
    """Output, parameters and buffers are those of the torch module."""
    application = op.apply((TensorType(shape),))
    assert application.outputs == (TensorType(tuple(module.eval()(torch.zeros(shape)).shape)),)
    assert stored(application, True) == {n: tuple(p.shape) for n, p in module.named_parameters()}
    buffers = {n: tuple(b.shape) for n, b in module.named_buffers() if n != "num_batches_tracked"}
    assert stored(application, False) == buffers
    return application


class Counter:
    """Numbers that count what is done with them."""

    def __init__(self):
        self.work = dict.fromkeys(("add", "mul", "div", "sqrt", "pow"), 0)

    def did(self, kind):
        self.work[kind] += 1
        return Number(self)

    def numbers(self, count):
        return [Number(self) for _ in range(count)]


class Number:
    def __init__(self, counter):
        self.counter = counter

    def __add__(self, other):
        return self.counter.did("add")

    def __sub__(self, other):
        return self.counter.did("add")

    def __mul__(self, other):
        return self.counter.did("mul")

    def __truediv__(self, other):
        return self.counter.did("div")

    def __rtruediv__(self, other):
        return self.counter.did("div")

    def __pow__(self, power):
        return self.counter.did("sqrt" if power == 0.5 else "pow")


def total(numbers):
    result = numbers[0]
    for number in numbers[1:]:
        result = result + number
    return result


def standardised(groups, n, weight, bias):
    """Work of the textbook's formula, run on counting numbers."""
    counter = Counter()
    for _ in range(groups):
        x = counter.numbers(n)
        mean = total(x) / n
        x = [value - mean for value in x]
        variance = total([value * value for value in x]) / n
        factor = 1 / (variance + 1e-5) ** 0.5
        for value in x:
            y = value * factor
            if weight:
                y = y * 1.5
            if bias:
                y = y + 0.5
    return Work(**counter.work)


@quick
@given(shapes, st.booleans(), st.booleans())
def test_batch_norm(shape, affine, track):
    name = {2: "1d", 3: "1d", 4: "2d", 5: "3d"}[len(shape)]
    if prod(shape) == shape[1]:
        shape = (2, *shape[1:])  # torch wants two values a channel to compute statistics
    channels = shape[1]
    module = getattr(torch.nn, f"BatchNorm{name}")(
        channels, affine=affine, track_running_stats=track
    )
    application = check(BatchNorm(affine, track), module, shape)
    n = prod(shape)
    if track:
        assert application.work == Work(mul=n, add=n)
    else:
        assert application.work == standardised(channels, n // channels, affine, affine)


@quick
@given(shapes, st.data())
def test_layer_norm(shape, data):
    dims = data.draw(st.integers(1, len(shape) - 1))
    affine, bias = data.draw(st.booleans()), data.draw(st.booleans())
    module = torch.nn.LayerNorm(shape[-dims:], elementwise_affine=affine, bias=bias)
    application = check(LayerNorm(dims, affine, bias), module, shape)
    n = prod(shape[-dims:])
    assert application.work == standardised(prod(shape) // n, n, affine, affine and bias)


def mean_square_scaled(groups, n, weight):
    """Work of the formula of Zhang and Sennrich, run on counting numbers."""
    counter = Counter()
    for _ in range(groups):
        x = counter.numbers(n)
        factor = 1 / (total([value * value for value in x]) / n + 1e-6) ** 0.5
        for value in x:
            y = value * factor
            if weight:
                y * 1.5
    return Work(**counter.work)


@quick
@given(shapes, st.data(), st.booleans())
def test_rms_norm(shape, data, affine):
    dims = data.draw(st.integers(1, len(shape) - 1))
    module = torch.nn.RMSNorm(shape[-dims:], elementwise_affine=affine)
    application = check(RMSNorm(dims, affine), module, shape)
    n = prod(shape[-dims:])
    groups = prod(shape) // n
    assert application.work == mean_square_scaled(groups, n, affine)
    # The reciprocal root of each group, as torch's fused operator returns it for its backward.
    x = torch.zeros(shape)
    _, roots = torch.ops.aten._fused_rms_norm(x, shape[-dims:], None, 1e-6)
    assert application.saved == (True, False, roots.nbytes)


def test_eps_changes_no_count():
    x = TensorType((2, 4, 6))
    for op in (BatchNorm, LayerNorm, RMSNorm, InstanceNorm):
        other = op(eps=0.5).apply((x,))
        same = op().apply((x,))
        assert (other.work, other.stored, other.saved) == (same.work, same.stored, same.saved)
        assert op(eps=0.5) != op()
    assert GroupNorm(2, eps=0.5).settings() == {"groups": 2, "eps": 0.5}


@quick
@given(shapes, st.integers(1, 3), st.booleans())
def test_group_norm(shape, groups, affine):
    if prod(shape[1:]) == 1:
        shape = (*shape, 2)  # torch wants two values a group
    shape = (shape[0], shape[1] * groups, *shape[2:])
    module = torch.nn.GroupNorm(groups, shape[1], affine=affine)
    application = check(GroupNorm(groups, affine), module, shape)
    count = shape[0] * groups
    assert application.work == standardised(count, prod(shape) // count, affine, affine)


@quick
@given(spatial_shapes, st.booleans(), st.booleans())
def test_instance_norm(shape, affine, track):
    if prod(shape[2:]) == 1:
        shape = (*shape[:2], 2, *shape[3:])
    module = getattr(torch.nn, f"InstanceNorm{len(shape) - 2}d")(
        shape[1], affine=affine, track_running_stats=track
    )
    application = check(InstanceNorm(affine, track), module, shape)
    n = prod(shape)
    count = shape[0] * shape[1]
    if track:
        assert application.work == Work(mul=n, add=n)
    else:
        assert application.work == standardised(count, n // count, affine, affine)


@quick
@given(spatial_shapes, st.integers(1, 9))
def test_lrn_across_channels(shape, size):
    application = check(LocalResponseNorm(size), torch.nn.LocalResponseNorm(size), shape)
    counter = Counter()
    channels = shape[1]
    for _ in range(prod(shape) // channels):
        x = counter.numbers(channels)
        squares = [value * value for value in x]
        for c in range(channels):
            window = squares[max(0, c - size // 2) : c + (size - 1) // 2 + 1]
            x[c] / (total(window) * (1e-4 / size) + 1.0) ** 0.75
    assert application.work == Work(**counter.work)
    assert application.reach is None


def test_lrn_across_channels_sees_torchs_window():
    # An even window reaches further to the front: the response to one channel tells.
    x = torch.zeros(1, 7, 1)
    x[0, 3] = 1.0
    ones = x + 1e-6
    y = torch.nn.LocalResponseNorm(4, alpha=1.0, beta=1.0)(ones) / ones
    assert [c for c in range(7) if y[0, c, 0] < 0.9] == [2, 3, 4, 5]


@quick
@given(spatial_shapes, st.sampled_from([1, 3, 5]))
def test_lrn_within_channels(shape, size):
    x = TensorType(shape)
    application = LocalResponseNorm(size, region="within").apply((x,))
    rank = len(shape) - 2
    # A convolution of ones with ones counts what every window covers.
    conv = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    covered = conv(
        torch.ones(1, 1, *shape[2:]), torch.ones(1, 1, *(size,) * rank), padding=size // 2
    )
    sums = shape[0] * shape[1] * int((covered - 1).sum())
    n = x.numel
    assert application.outputs == (x,)
    assert application.work == Work(mul=2 * n, add=sums + n, pow=n, div=n)
    own_place = size == 1
    assert application.reach == (None if own_place else (Reach(-(size // 2), size // 2, 1),) * rank)


def test_lrn_keeps_input_and_scale():
    saved = LocalResponseNorm().apply((TensorType((2, 8, 3, 3), "fp16"),)).saved
    assert (saved.inputs, saved.outputs, saved.extra) == (True, False, 2 * 8 * 3 * 3 * 2)


@quick
@given(
    shapes,
    st.sampled_from([(True, True), (True, False), (False, True)]),
    st.sampled_from(["channel", "element"]),
)
def test_scale_shift(shape, present, per):
    scale, bias = present
    x = TensorType(shape)
    application = ScaleShift(bias=bias, scale=scale, per=per).apply((x,))
    assert application.outputs == (x,)
    one = (shape[1],) if per == "channel" else shape[1:]
    wanted = {name: one for name, on in (("weight", scale), ("bias", bias)) if on}
    assert stored(application, True) == wanted
    assert application.buffers == 0
    assert application.work == Work(mul=x.numel * scale, add=x.numel * bias)
    assert application.saved.inputs is scale


def test_what_torch_keeps():
    shape = (2, 8, 5, 5)
    weight = torch.ones(8, requires_grad=True)
    stored_ = torch.zeros(8), torch.ones(8)
    for op, function in [
        (BatchNorm(), lambda x: F.batch_norm(x, *stored_, weight, weight, training=True)),
        (BatchNorm(track=False), lambda x: F.batch_norm(x, None, None, weight, weight, True)),
        (GroupNorm(4), lambda x: F.group_norm(x, 4, weight, weight)),
        (LayerNorm(affine=False), lambda x: F.layer_norm(x, (5,))),
        (LayerNorm(dims=3, affine=False), lambda x: F.layer_norm(x, shape[1:])),
        (InstanceNorm(), F.instance_norm),
        (ScaleShift(), lambda x: x * weight.view(8, 1, 1) + weight.view(8, 1, 1)),
        (ScaleShift(scale=False), lambda x: x + weight.view(8, 1, 1)),
    ]:
        x = torch.rand(shape, requires_grad=True)
        own = {t.untyped_storage().data_ptr() for t in (weight, *stored_)}
        tensors = {}

        def pack(tensor, tensors=tensors):
            storage = tensor.untyped_storage()
            tensors[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            y = function(x)
        inputs = tensors.pop(x.untyped_storage().data_ptr(), None) is not None
        extra = sum(size for pointer, size in tensors.items() if pointer not in own)
        saved = op.apply((TensorType(shape),)).saved
        assert (saved.inputs, saved.extra) == (inputs, extra), op
        del y


@pytest.mark.parametrize(
    "name", ["batch_norm", "layer_norm", "group_norm", "instance_norm", "lrn", "scale_shift"]
)
def test_kind_is_the_listed_name(name):
    assert operator_class(name)[0].kind == name


@pytest.mark.parametrize(
    ("op", "shape", "needs"),
    [
        (
            GroupNorm(3),
            (1, 64, 7, 7),
            "group_norm with 3 groups needs channels divisible by 3, has 64",
        ),
        (BatchNorm(), (8,), "batch_norm needs an input of at least 2 dimensions, has 1"),
        (InstanceNorm(), (1, 8), "instance_norm needs an input of at least 3 dimensions, has 2"),
        (LayerNorm(3), (1, 8, 8), "layer_norm needs an input of at least 4 dimensions, has 3"),
        (LocalResponseNorm(), (8,), "lrn needs an input of at least 2 dimensions, has 1"),
        (LocalResponseNorm(region="within"), (1, 8), "lrn needs an input"),
        (ScaleShift(), (8,), "scale_shift needs an input of at least 2 dimensions, has 1"),
    ],
)
def test_shapes_that_do_not_fit(op, shape, needs):
    with pytest.raises(ShapeError) as error:
        op.apply((TensorType(shape),))
    assert error.value.needs.startswith(needs)


def test_arguments_that_do_not_fit():
    with pytest.raises(ArgumentError, match="odd size within channels, found 4"):
        LocalResponseNorm(4, region="within")
    with pytest.raises(ArgumentError, match="expected scale, bias or both"):
        ScaleShift(bias=False, scale=False)


def test_a_known_layer():
    # ResNet-50's first: 64 channels of 112 x 112.
    application = BatchNorm().apply((TensorType((1, 64, 112, 112)),))
    assert (application.params, application.buffers) == (128, 128)
    assert application.flops == 2 * 802816
    assert application.saved.extra == 512
