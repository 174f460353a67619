"""Copies: types as torch's, elements moved and not computed, positions by gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from against_torch import agrees, applied, check_reach, keeps_as_torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, Reach, ShapeError, TensorType, Work
from archcost.ir.ops import make, operator_class

quick = settings(max_examples=60, deadline=None)
sizes = st.integers(1, 4)
shapes = st.lists(sizes, max_size=4).map(tuple)
dims = st.integers(-5, 4)


def is_copy(op, function, *tensors) -> None:
    """Both give the same type, a tensor of its own in which nothing is computed."""
    application = agrees(op, function, *tensors)
    if application is None:
        return
    y = function(*tensors)
    assert application.activations == y.numel()
    assert application.written_bytes == y.nbytes
    assert application.work == Work()


@quick
@given(shapes)
def test_copy(shape) -> None:
    is_copy(lambda: make("copy"), torch.clone, torch.rand(shape))


@quick
@given(st.lists(shapes, min_size=1, max_size=2), dims, st.integers(1, 3))
def test_stack(drawn, dim, count) -> None:
    tensors = [torch.rand(drawn[0])] * count + [torch.rand(shape).half() for shape in drawn[1:]]
    is_copy(lambda: make("stack", dim=dim), lambda *x: torch.stack(x, dim), *tensors)


@quick
@given(shapes, st.lists(st.integers(0, 3), max_size=5))
def test_repeat(shape, counts) -> None:
    is_copy(lambda: make("repeat", counts=counts), lambda x: x.repeat(counts), torch.rand(shape))


def test_a_spec_repeats_layers() -> None:
    assert not operator_class("repeat")[0].in_specs
    assert applied(make("repeat", counts=(0, 2)), torch.rand(2, 3)).read_bytes == 0


@quick
@given(shapes, st.integers(1, 3), dims)
def test_repeat_interleave(shape, count, dim) -> None:
    if not shape:
        return  # of no dimensions, torch makes one
    is_copy(
        lambda: make("repeat_interleave", count=count, dim=dim),
        lambda x: x.repeat_interleave(count, dim),
        torch.rand(shape),
    )


@quick
@given(shapes.filter(len), st.lists(st.tuples(st.integers(-5, 5), dims), min_size=1, max_size=3))
def test_roll(shape, moves) -> None:
    shifts, places = zip(*moves, strict=True)
    if len({place % len(shape) for place in places}) < len(places):
        return  # torch adds the shifts of a dimension that is named twice
    is_copy(
        lambda: make("roll", shifts=shifts, dims=places),
        lambda x: torch.roll(x, shifts, places),
        torch.rand(shape),
    )


@quick
@given(shapes.filter(len), st.lists(dims, max_size=3))
def test_flip(shape, places) -> None:
    is_copy(lambda: make("flip", dims=places), lambda x: torch.flip(x, places), torch.rand(shape))


@quick
@given(shapes, st.booleans(), st.integers(-3, 3))
def test_triangle(shape, upper, diagonal) -> None:
    is_copy(
        lambda: make("triangle", upper=upper, diagonal=diagonal),
        lambda x: (torch.triu if upper else torch.tril)(x, diagonal),
        torch.rand(shape),
    )


MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@quick
@given(st.sampled_from(sorted(MODES)), st.lists(sizes, min_size=1, max_size=4), st.data())
def test_elements_are_added_in_any_dimension(mode, shape, data) -> None:
    each = st.lists(st.integers(0, 4), min_size=len(shape), max_size=len(shape))
    before, after = data.draw(each), data.draw(each)

    def in_numpy(x):
        most = {"reflect": lambda n: n - 1, "circular": lambda n: n}.get(mode, lambda n: 9)
        if any(max(b, a) > most(n) for n, b, a in zip(shape, before, after, strict=True)):
            raise ValueError  # numpy goes on mirroring, torch and we do not
        sides = list(zip(before, after, strict=True))
        return torch.from_numpy(np.pad(x.numpy(), sides, MODES[mode]))

    is_copy(lambda: make("pad_all", pads=(*before, *after), mode=mode), in_numpy, torch.rand(shape))


@quick
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(-4, 3), st.integers(-4, 3)), max_size=3))
def test_elements_are_cut_off_too(drawn) -> None:
    shape, before, after = (tuple(row[at] for row in drawn) for at in range(3))
    backwards = [n for row in reversed(drawn) for n in row[1:]]
    if any(n + min(b, a) < 0 for n, b, a in drawn):
        return
    is_copy(
        lambda: make("pad_all", pads=(*before, *after), value=2),
        lambda x: F.pad(x, backwards, value=2),
        torch.rand(shape),
    )


@pytest.mark.parametrize("mode", MODES)
def test_added_elements_keep_what_autograd_keeps(mode) -> None:
    op = make("pad_all", pads=(0, 0, 1, 0, 0, 2), mode=mode)
    keeps_as_torch(op, lambda x: F.pad(x, (1, 2), mode=mode), torch.rand(2, 3, 4))


@quick
@given(st.tuples(sizes, sizes, st.integers(1, 6), st.integers(1, 6)), st.data())
def test_columns_and_back(shape, data) -> None:
    (kernel, stride, dilation), padding = (
        [tuple(data.draw(st.integers(1, 3)) for _ in range(2)) for _ in range(3)],
        tuple(data.draw(st.integers(0, 2)) for _ in range(2)),
    )
    window = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    geometry = (kernel, dilation, padding, stride)
    is_copy(lambda: make("unfold", **window), lambda x: F.unfold(x, *geometry), torch.rand(shape))
    try:
        columns = F.unfold(torch.rand(shape), *geometry)
    except RuntimeError:
        return
    size = shape[2:]
    application = agrees(
        lambda: make("fold", size=size, **window), lambda x: F.fold(x, size, *geometry), columns
    )
    assert application is not None
    # As many additions as ones that come together.
    ones = torch.ones(columns.shape, dtype=torch.float64)
    assert application.work == Work(add=int(F.fold(ones, size, *geometry).sum()))


IMAGE = torch.rand(1, 2, 6, 8)


@pytest.mark.parametrize(
    ("kind", "arguments", "function"),
    [
        ("roll", {"shifts": (2, -3), "dims": (2, 3)}, lambda x: x.roll((2, -3), (2, 3))),
        ("flip", {"dims": (3,)}, lambda x: x.flip(3)),
        ("repeat", {"counts": (1, 1, 2, 3)}, lambda x: x.repeat(1, 1, 2, 3)),
        ("repeat_interleave", {"count": 3, "dim": 2}, lambda x: x.repeat_interleave(3, 2)),
        ("pad_all", {"pads": (0, 0, 2, -1, 0, 0, 1, 0)}, lambda x: F.pad(x, (-1, 0, 2, 1))),
    ],
)
def test_where_copies_read(kind, arguments, function) -> None:
    check_reach(applied(make(kind, **arguments), IMAGE), function)


def test_what_moves_no_positions_reads_its_own() -> None:
    for kind, arguments in (
        ("copy", {}),
        ("roll", {"shifts": (1,), "dims": (1,)}),
        ("flip", {"dims": (0,)}),
        ("triangle", {"upper": True}),
        ("pad_all", {"pads": (1, 0, 0, 0, 0, 0, 0, 0)}),
        ("repeat", {"counts": (2, 1, 2, 1, 1)}),
        ("stack", {}),
    ):
        assert applied(make(kind, **arguments), IMAGE).reach is None
    whole = make("roll", shifts=(6,), dims=(2,))  # once around
    assert applied(whole, IMAGE).reach == (Reach(0, 0, 1),) * 2


def test_columns_read_their_windows() -> None:
    window = {"kernel": 3, "stride": 2, "padding": ((1, 0), 1), "dilation": (1, 2)}
    convolution = make("conv", out=1, **window).apply((TensorType((1, 2, 6, 8)),))
    unfold = applied(make("unfold", **window), IMAGE)
    assert unfold.reach == convolution.reach
    assert unfold.outputs[0].shape == (1, 2 * 9, convolution.outputs[0].numel)
    transposed = make("conv_transpose", out=2, **window)
    up = transposed.apply((TensorType((1, 18, *convolution.outputs[0].spatial)),))
    fold = make("fold", size=up.outputs[0].spatial, **window).apply(unfold.outputs)
    assert fold.reach == up.reach


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("repeat", {"counts": (2,)}, "count for each of its input's 4 dimensions, has 1"),
        ("roll", {"shifts": (1, 1), "dims": (2, -2)}, "roll names a dimension twice"),
        ("pad_all", {"pads": (1, 1)}, "pads for 1 dimensions, its input has 4"),
        (
            "pad_all",
            {"pads": (0, 0, 6, 0, 0, 0, 0, 0), "mode": "reflect"},
            "cannot add 6 to a size of 6 by reflect",
        ),
        ("pad_all", {"pads": (0, 0, -4, 0, 0, 0, -3, 0)}, "cuts more than .* of a size of 6"),
        ("fold", {"size": 4, "kernel": 2}, "fold needs an input .* has 1x2x6x8"),
        ("stack", {"dim": 6}, "stack puts dimension 6"),
    ],
)
def test_what_does_not_fit(kind, arguments, message) -> None:
    with pytest.raises(ShapeError, match=message):
        applied(make(kind, **arguments), IMAGE)


def test_columns_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"needs columns \(N, a multiple of 4, 9\), has 1x5x9"):
        applied(make("fold", size=4, kernel=2), torch.rand(1, 5, 9))
    with pytest.raises(ShapeError, match=r"unfold needs an input \(N, C, H, W\), has 1x5x9"):
        applied(make("unfold", kernel=2), torch.rand(1, 5, 9))
    with pytest.raises(ShapeError, match="matrices"):
        applied(make("triangle", upper=True), torch.rand(3))
    with pytest.raises(ShapeError, match="stack needs inputs of one shape; 3 does not fit 2"):
        applied(make("stack"), torch.rand(2), torch.rand(3))


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("repeat", {"counts": (-1,)}, "counts: expected integers >= 0"),
        ("roll", {"shifts": (1,), "dims": (1, 2)}, "shifts: expected one for each of dims"),
        ("pad_all", {"pads": (1,)}, "pads: expected every dimension's begin"),
        ("pad_all", {"pads": (1, 1), "mode": "reflect", "value": 1}, "value: reflect has none"),
    ],
)
def test_wrong_arguments(kind, arguments, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        make(kind, **arguments)
