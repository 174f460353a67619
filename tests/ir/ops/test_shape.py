"""Shape operators: shapes as torch's; what a position reads as its gradient shows."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from against_torch import check_reach
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, Reach, ShapeError, TensorType, Work
from archcost.ir.ops import make
from archcost.ir.ops.shape import (
    MOST_PARTS,
    ChannelShuffle,
    Crop,
    Flatten,
    Identity,
    Pad,
    Permute,
    PixelShuffle,
    Reshape,
    Slice,
    Split,
    Upsample,
)

quick = settings(max_examples=60, deadline=None)
sizes = st.integers(1, 5)
shapes = st.lists(sizes, min_size=2, max_size=5).map(tuple)
feature_maps = st.lists(sizes, min_size=3, max_size=5).map(tuple)

VIEWS = [
    (Identity(), lambda x: x),
    (Crop(2), lambda x: x[:, :, 1:3, 1:3]),
    (Reshape((-1,)), lambda x: x.reshape(2, -1)),
    (Flatten(), lambda x: x.flatten(1)),
    (Permute((0, 2, 3, 1)), lambda x: x.permute(0, 2, 3, 1)),
    (Slice(1, 1, 3), lambda x: x[:, 1:3]),
    (Split(parts=2), lambda x: x.chunk(2, 1)[1]),
    (Pad(1), lambda x: F.pad(x, (1, 1, 1, 1))),
    (Upsample(2), lambda x: F.interpolate(x, scale_factor=2)),
    (ChannelShuffle(2), lambda x: F.channel_shuffle(x, 2)),
    (PixelShuffle(2), lambda x: F.pixel_shuffle(x, 2)),
    (PixelShuffle(2, inverse=True), lambda x: F.pixel_unshuffle(x, 2)),
]


def apply(op, *shapes, dtype="fp16"):
    return op.apply(tuple(TensorType(tuple(shape), dtype) for shape in shapes))


def check(application, *expected):
    """The outputs are of the shapes of these torch tensors; nothing is stored or computed."""
    assert application.outputs == tuple(TensorType(tuple(y.shape), "fp16") for y in expected)
    assert application.work == Work()
    assert application.params == application.buffers == 0


def meta(shape):
    return torch.empty(shape, device="meta")


def outcome(function):
    """What ``function`` returns, or None where it refuses."""
    try:
        return function()
    except (ShapeError, RuntimeError, IndexError):
        return None


@pytest.mark.parametrize(("op", "function"), VIEWS, ids=lambda v: getattr(v, "kind", ""))
def test_views_are_what_shares_torchs_storage(op, function):
    x = torch.zeros(2, 4, 4, 4)
    assert op.view == (function(x).untyped_storage().data_ptr() == x.untyped_storage().data_ptr())
    application = apply(op, (2, 4, 4, 4))
    written = 0 if op.view else sum(y.numel for y in application.outputs)
    assert application.activations == written
    assert application.written_bytes == 2 * written


@quick
@given(shapes)
def test_identity(shape):
    check(apply(Identity(), shape), meta(shape))


@quick
@given(st.data(), st.sampled_from(["constant", "reflect", "replicate"]))
def test_pad(data, mode):
    rank = data.draw(st.integers(1, 3))
    pads = [data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in range(rank)]
    spatial = [data.draw(sizes) for _ in range(rank)]
    op = Pad(tuple(pads), mode=mode)
    backwards = [n for pad in reversed(pads) for n in pad]
    x = torch.zeros((1, 2, *spatial), requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = outcome(lambda: F.pad(x, backwards, mode=mode))
    application = outcome(lambda: apply(op, x.shape))
    if y is None:
        assert application is None
        return
    check(application, y)
    assert application.saved == (bool(kept), False, 0)
    assert application.reach == tuple(Reach(-before, -before, 1) for before, _ in pads)
    if mode == "constant":
        check_reach(application, lambda x: F.pad(x, backwards))


@quick
@given(feature_maps, st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(0, 2))
def test_pad_adds_channels(shape, channels, around):
    pads = [around] * 2 * (len(shape) - 2)
    check(apply(Pad(around, channels), shape), F.pad(meta(shape), (*pads, *channels)))


def test_pad_errors():
    for channels in ((1,), (1, 2, 3), (-1, 2)):
        with pytest.raises(ArgumentError, match="channels: expected two integers >= 0"):
            Pad(channels=channels)
    with pytest.raises(ArgumentError, match="padding: expected explicit numbers"):
        Pad("same")
    with pytest.raises(ShapeError, match="size of 3 and 3 to add"):
        apply(Pad(3, mode="reflect"), (1, 1, 3))
    with pytest.raises(ShapeError, match="padding for 2 dimensions"):
        apply(Pad((1, 2)), (1, 1, 3))
    with pytest.raises(ShapeError, match="1 to 3 spatial sizes"):
        apply(Pad(1), (1, 1))


@quick
@given(st.data(), st.booleans(), st.booleans())
def test_crop(data, centred, reference):
    shape = data.draw(feature_maps)
    size = tuple(data.draw(st.integers(1, n)) for n in shape[2:])
    room = [n - s for n, s in zip(shape[2:], size, strict=True)]
    offset = tuple(r // 2 if centred else data.draw(st.integers(0, r)) for r in room)
    op = Crop(None if reference else size, None if centred else offset)
    part = (..., *(slice(o, o + s) for o, s in zip(offset, size, strict=True)))
    application = apply(op, shape, (7, 9, *size)) if reference else apply(op, shape)
    check(application, meta(shape)[part])
    check_reach(application, lambda x: x[part])


def test_crop_errors():
    with pytest.raises(ShapeError, match="either a size or a second input"):
        apply(Crop(), (1, 2, 4, 4))
    with pytest.raises(ShapeError, match="either a size or a second input"):
        apply(Crop(2), (1, 2, 4, 4), (1, 2, 3, 3))
    with pytest.raises(ShapeError, match="as many dimensions"):
        apply(Crop(), (1, 2, 4, 4), (1, 2, 3))
    with pytest.raises(ShapeError, match=r"size of 3 from position 2 .* has 4"):
        apply(Crop(3, 2), (1, 2, 4, 4))
    with pytest.raises(ShapeError, match=r"size of 5 from position 0 .* has 4"):
        apply(Crop(5), (1, 2, 4, 4))
    with pytest.raises(ArgumentError, match="offset: expected an integer >= 0"):
        Crop(2, -1)
    with pytest.raises(ArgumentError, match="offset"):
        Crop(2, (0, 0, 0, 0))


TORCH_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


@quick
@given(feature_maps, st.data(), st.sampled_from(["nearest", "bilinear"]), st.booleans())
def test_upsample(shape, data, mode, by_scale):
    rank = len(shape) - 2
    factors = tuple(data.draw(st.integers(1, 4)) for _ in range(rank))
    target = tuple(n * s for n, s in zip(shape[2:], factors, strict=True))
    if not by_scale:
        target = tuple(data.draw(st.integers(1, 12)) for _ in range(rank))
    op = Upsample(factors, None, mode) if by_scale else Upsample(None, target, mode)
    arguments = {"mode": "nearest" if mode == "nearest" else TORCH_MODES[rank]}

    def function(x):
        return F.interpolate(x, target, **arguments)

    application = apply(op, shape)
    assert application.outputs == (TensorType((*shape[:2], *target), "fp16"),)
    kept = []
    x = torch.zeros(shape, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        assert tuple(function(x).shape) == application.outputs[0].shape
    assert not kept
    assert not any(application.saved)
    if by_scale:  # torch's own rounding of other ratios may be off by one
        check_reach(application, function, exact=False)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize(("n", "out"), [(8, 16), (8, 24), (9, 15), (8, 12), (10, 15), (12, 5)])
def test_upsample_reaches_no_farther_than_needed(mode, n, out):
    arguments = {"mode": "nearest" if mode == "nearest" else "linear"}
    application = apply(Upsample(size=out, mode=mode), (1, 1, n))
    check_reach(application, lambda x: F.interpolate(x, out, **arguments))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_bilinear_work_is_that_of_its_steps(rank):
    # From 2^rank neighbours to one element, a dimension at a time: a + t * (b - a).
    adds = muls = 0
    neighbours = 2**rank
    while neighbours > 1:
        neighbours //= 2
        adds += 2 * neighbours
        muls += neighbours
    application = apply(Upsample(2, mode="bilinear"), (1, 3, *(4,) * rank))
    y = 3 * 8**rank
    assert application.work == Work(add=adds * y, mul=muls * y)


INTERPOLATED = [
    {"mode": "bilinear", "align_corners": True},
    {"mode": "bicubic"},
    {"mode": "bicubic", "align_corners": True},
    {"mode": "bilinear", "antialias": True},
    {"mode": "bicubic", "antialias": True},
]


@pytest.mark.parametrize("arguments", INTERPOLATED)
@pytest.mark.parametrize(
    ("n", "out"), [(8, 16), (9, 15), (12, 12), (6, 1), (1, 4), (12, 5), (16, 4)]
)
def test_interpolations_reach_as_far_as_torchs(arguments, n, out):
    application = apply(Upsample(size=(out, n), **arguments), (1, 1, n, n))
    assert application.outputs[0].shape == (1, 1, out, n)
    reach = application.reach[0]
    x = torch.ones(1, 1, n, n, dtype=torch.float64, requires_grad=True)
    y = F.interpolate(x, (out, n), **arguments)
    for u in range(out):
        (gradient,) = torch.autograd.grad(y[0, 0, u, 0], x, retain_graph=True)
        read = gradient[0, 0].abs().sum(1).nonzero()[:, 0].tolist()
        # At the border what lies beyond is the outermost element.
        first, last = (min(max(u * reach.stride + end, 0), n - 1) for end in reach[:2])
        assert first - 1e-9 <= min(read)
        assert max(read) <= last + 1e-9


def test_work_of_interpolations_by_hand():
    shape, y = (1, 3, 4, 4), 3 * 8 * 8
    linear = apply(Upsample(2, mode="bilinear"), shape)
    assert apply(Upsample(2, mode="bilinear", align_corners=True), shape).work == linear.work
    # Four sums of four along one dimension, one along the other.
    assert apply(Upsample(2, mode="bicubic"), shape).work == Work(mul=20 * y, add=15 * y)
    # To a third of the size: sums of 6 give 3 x 9 x 3, which sums of 6 make 3 x 3 x 3.
    smaller = apply(Upsample(size=3, mode="bilinear", antialias=True), (1, 3, 9, 9))
    assert smaller.work == Work(mul=6, add=5).times(3 * 9 * 3 + 3 * 3 * 3)


def test_upsample_errors():
    for name in ("align_corners", "antialias"):
        with pytest.raises(ArgumentError, match=f"{name}: nearest has none"):
            Upsample(2, **{name: True})
    for arguments in ({}, {"scale": 2, "size": 4}):
        with pytest.raises(ArgumentError, match="expected either this or size"):
            Upsample(**arguments)
    with pytest.raises(ShapeError, match="scale for 3 dimensions"):
        apply(Upsample((1, 2, 3)), (1, 1, 4, 4))


@quick
@given(shapes, st.data())
def test_reshape(shape, data):
    rest = math.prod(shape[1:])
    wanted = []
    for place in range(1, data.draw(st.integers(1, 4)) + 1):
        if place < len(shape) and data.draw(st.booleans()) and rest % shape[place] == 0:
            wanted.append(0)
            rest //= shape[place]
        else:
            size = data.draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
            wanted.append(size)
            rest //= size
    if data.draw(st.booleans()):
        wanted.append(-1)
    elif data.draw(st.booleans()):
        wanted.append(rest)
    filled = [size or shape[place] for place, size in enumerate(wanted, 1)]
    expected = outcome(lambda: meta(shape).reshape(shape[0], *filled))
    application = outcome(lambda: apply(Reshape(tuple(wanted)), shape))
    if expected is None:
        assert application is None
        return
    check(application, expected)


def test_reshape_errors():
    for shape in ((-1, -1), (-2,)):
        with pytest.raises(ArgumentError, match="at most one -1"):
            Reshape(shape)
    with pytest.raises(ShapeError, match=r"3x4 has 12, \[5, -1\] has a multiple of 5"):
        apply(Reshape((5, -1)), (2, 3, 4))
    with pytest.raises(ShapeError, match=r"3x4 has 12, \[0, 2\] has 6"):
        apply(Reshape((0, 2)), (2, 3, 4))
    with pytest.raises(ShapeError, match="does not have"):
        apply(Reshape((4, 3, 0)), (2, 3, 4))


EVERY = (Reach(0, 4, 5), Reach(0, 6, 7))


@pytest.mark.parametrize(
    ("op", "reach"),
    [
        (Flatten(), EVERY),
        (Flatten(2), None),  # to tokens
        (Flatten(1, 2), (EVERY[0], Reach(0, 0, 1))),  # rows become features, columns stay
        (Reshape((-1,)), EVERY),
        (Reshape((2, 4, 5, 7)), None),  # channels in groups
        (Reshape((0, 35)), None),
        (Reshape((28, -1)), EVERY),
        (Reshape((40, 7)), (EVERY[0], Reach(0, 0, 1))),
    ],
)
def test_flattened_positions_are_all_read(op, reach):
    assert apply(op, (2, 8, 5, 7)).reach == reach


def test_channels_made_positions_and_back():
    assert apply(Reshape((1, 8, 5, 7)), (2, 8, 5, 7)).reach is None
    back = apply(Reshape((8, 5, 7)), (2, 1, 8, 5, 7)).reach
    assert back == (Reach(0, 7, 8), Reach(0, 0, 1), Reach(0, 0, 1))


def test_flattening_a_single_channel_reads_all_positions_too():
    assert apply(Flatten(), (2, 1, 5, 7)).reach == (Reach(0, 4, 5), Reach(0, 6, 7))
    assert apply(Flatten(), (2, 8)).reach is None


@quick
@given(shapes, st.integers(-6, 6), st.integers(-6, 6))
def test_flatten(shape, start, end):
    expected = outcome(lambda: meta(shape).flatten(start, end))
    application = outcome(lambda: apply(Flatten(start, end), shape))
    if expected is None:
        assert application is None
        return
    check(application, expected)


@quick
@given(shapes, st.data())
def test_permute(shape, data):
    dims = data.draw(st.permutations(range(len(shape))))
    dims = [dim - data.draw(st.sampled_from([0, len(shape)])) for dim in dims]
    check(apply(Permute(tuple(dims)), shape), meta(shape).permute(dims))


def test_permute_needs_each_dimension_once():
    for dims in ((0, 1), (0, 1, 1), (0, 1, -2)):
        with pytest.raises(ShapeError, match="each of its input's 3 dimensions once"):
            apply(Permute(dims), (1, 2, 3))
    with pytest.raises(ShapeError, match="names dimension 3"):
        apply(Permute((0, 1, 3)), (1, 2, 3))


@quick
@given(shapes, st.data())
def test_slice(shape, data):
    rank = len(shape)
    dim = data.draw(st.integers(-rank, rank - 1))
    start = data.draw(st.integers(-7, 7))
    stop = data.draw(st.none() | st.integers(-7, 7))
    step = data.draw(st.integers(1, 3))
    before = dim % rank
    part = (slice(None),) * before + (slice(start, stop, step),)
    expected = meta(shape)[part]
    application = outcome(lambda: apply(Slice(dim, start, stop, step), shape))
    if expected.numel() == 0:
        assert application is None
        return
    check(application, expected)
    if before >= 2:
        check_reach(application, lambda x: x[part])
    else:
        assert application.reach is None


def test_slice_errors():
    with pytest.raises(ShapeError, match="from 3 to the end leaves nothing of a dimension of 3"):
        apply(Slice(1, 3), (1, 3))
    with pytest.raises(ShapeError, match="from 2 to 1 leaves nothing"):
        apply(Slice(1, 2, 1), (1, 3))
    with pytest.raises(ArgumentError, match="start: expected an integer"):
        Slice(1, 0.5)
    with pytest.raises(ArgumentError, match="step"):
        Slice(1, step=0)


@quick
@given(shapes, st.data(), st.booleans())
def test_split(shape, data, equal):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    if equal:
        parts = data.draw(st.integers(1, 4))
        pieces = [shape[dim]] * parts
        op = Split(parts=parts, dim=dim)
    else:
        pieces = data.draw(st.lists(sizes, min_size=1, max_size=4))
        op = Split(pieces, dim=dim)
    whole = list(shape)
    whole[dim] = sum(pieces)
    application = apply(op, whole)
    check(application, *meta(whole).split(pieces, dim))
    place = dim % len(shape)
    if place < 2:
        assert application.reach is None
    else:
        assert application.reach[place - 2] == Reach(0, sum(pieces[:-1]), 1)


def test_split_errors():
    for arguments in ({}, {"sizes": [1], "parts": 1}):
        with pytest.raises(ArgumentError, match="either this or parts"):
            Split(**arguments)
    for pieces in ([], [1, 0], [2, -1]):
        with pytest.raises(ArgumentError, match="sizes"):
            Split(pieces)
    with pytest.raises(ArgumentError, match=f"parts: expected at most {MOST_PARTS}"):
        Split(parts=MOST_PARTS + 1)
    with pytest.raises(ShapeError, match="divisible by it, has 5"):
        apply(Split(parts=2), (1, 5))
    with pytest.raises(ShapeError, match=r"\[2, 2\] needs a size of 4, has 5"):
        apply(Split([2, 2]), (1, 5))


@quick
@given(feature_maps, st.integers(1, 4))
def test_channel_shuffle(shape, groups):
    shape = (shape[0], shape[1] * groups, *shape[2:])
    application = apply(ChannelShuffle(groups), shape)
    check(application, F.channel_shuffle(torch.zeros(shape), groups))
    assert application.reach is None


@quick
@given(st.tuples(*[st.integers(1, 3)] * 4), st.integers(1, 3))
def test_pixel_shuffle(shape, factor):
    n, c, h, w = shape
    there = apply(PixelShuffle(factor), (n, c * factor**2, h, w))
    check(there, F.pixel_shuffle(meta((n, c * factor**2, h, w)), factor))
    check_reach(there, lambda x: F.pixel_shuffle(x, factor))
    back = apply(PixelShuffle(factor, inverse=True), there.outputs[0].shape)
    check(back, F.pixel_unshuffle(meta(there.outputs[0].shape), factor))
    check_reach(back, lambda x: F.pixel_unshuffle(x, factor))


def test_pixel_shuffle_in_other_dimensions():
    assert apply(PixelShuffle(2), (1, 16, 3, 4, 5)).outputs[0].shape == (1, 2, 6, 8, 10)
    assert apply(PixelShuffle(2), (1, 16, 3)).outputs[0].shape == (1, 8, 6)
    assert apply(PixelShuffle(3, inverse=True), (1, 2, 9)).outputs[0].shape == (1, 6, 3)


def test_shuffles_need_divisible_sizes():
    with pytest.raises(ShapeError, match="3 groups needs channels divisible by it, has 4"):
        apply(ChannelShuffle(3), (1, 4, 2, 2))
    with pytest.raises(ShapeError, match="divisible by 4, has 6"):
        apply(PixelShuffle(2), (1, 6, 2, 2))
    with pytest.raises(ShapeError, match=r"backwards by 2 .* has 3x4"):
        apply(PixelShuffle(2, inverse=True), (1, 6, 3, 4))


def test_every_shape_operator_is_made_by_its_name():
    for op, _ in VIEWS:
        assert make(op.kind, **op.settings()) == op
