"""Views of the whole shape: types as torch's, its storage shared, positions by gradient."""

from __future__ import annotations

import math

import pytest
import torch
from against_torch import agrees, applied, check_reach
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, Reach, ShapeError, Work
from archcost.ir.ops import make

quick = settings(max_examples=60, deadline=None)
shapes = st.lists(st.integers(1, 4), max_size=4).map(tuple)
dims = st.integers(-6, 5)


def is_view(op, function, x) -> None:
    """Both give the same type; nothing is computed, moved or kept, and torch shares the storage."""
    application = agrees(op, function, x)
    if application is None:
        return
    y = function(x)
    assert y.numel() == 0 or y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert application.work == Work()
    assert not any(application.saved)
    assert application.activations == application.read_bytes == application.written_bytes == 0


@quick
@given(shapes, st.data())
def test_view(shape, data) -> None:
    rest, wanted = math.prod(shape), []
    for _ in range(data.draw(st.integers(0, 3))):
        size = data.draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
        wanted.append(size)
        rest //= size
    wanted.append(data.draw(st.sampled_from([-1, rest, rest + 1])))
    is_view(lambda: make("view", shape=wanted), lambda x: x.view(wanted), torch.rand(shape))


@pytest.mark.parametrize("wanted", [(0, 3), (3, 0, 2), (0,), (-1, 2), (-1, 0), (1,)])
def test_view_of_nothing(wanted) -> None:
    is_view(lambda: make("view", shape=wanted), lambda x: x.view(wanted), torch.rand(2, 0))


@quick
@given(shapes, st.lists(st.sampled_from([-1, 1, 2, 3]), max_size=5))
def test_expand(shape, wanted) -> None:
    is_view(lambda: make("expand", shape=wanted), lambda x: x.expand(wanted), torch.rand(shape))


def test_sizes_of_1_grow() -> None:
    for wanted in ((2, 5, 3), (-1, 4, -1), (7, 2, 1, 3), (2, 0, 3)):
        application = agrees(
            lambda wanted=wanted: make("expand", shape=wanted),
            lambda x, wanted=wanted: x.expand(wanted),
            torch.rand(2, 1, 3),
        )
        assert application is not None


@quick
@given(shapes.filter(len), st.none() | st.lists(dims, max_size=3))
def test_squeeze(shape, places) -> None:
    function = torch.squeeze if places is None else lambda x: x.squeeze(tuple(places))
    is_view(lambda: make("squeeze", dims=places), function, torch.rand(shape))


@quick
@given(shapes, dims)
def test_unsqueeze(shape, dim) -> None:
    is_view(lambda: make("unsqueeze", dim=dim), lambda x: x.unsqueeze(dim), torch.rand(shape))


@quick
@given(shapes, dims, st.integers(-5, 4))
def test_select(shape, dim, index) -> None:
    op, x = (lambda: make("select", dim=dim, index=index)), torch.rand(shape)
    is_view(op, lambda x: x.select(dim, index), x)


@quick
@given(shapes.filter(len), dims, st.integers(1, 4), st.integers(1, 3))
def test_windows(shape, dim, size, step) -> None:
    is_view(
        lambda: make("windows", dim=dim, size=size, step=step),
        lambda x: x.unfold(dim, size, step),
        torch.rand(shape),
    )


@quick
@given(shapes, st.integers(-3, 3), dims, dims)
def test_diagonal(shape, offset, one, two) -> None:
    is_view(
        lambda: make("diagonal", offset=offset, dim1=one, dim2=two),
        lambda x: torch.diagonal(x, offset, one, two),
        torch.rand(shape),
    )


@quick
@given(shapes, st.sampled_from([torch.float32, torch.float64, torch.float16]))
def test_complex_numbers_and_their_parts(shape, dtype) -> None:
    x = torch.rand(*shape, 2).to(dtype)
    if dtype == torch.float16:  # torch has their complex numbers, archcost has not
        with pytest.raises(ShapeError, match="of fp32 or fp64, has"):
            applied(make("as_complex"), x)
        return
    is_view(lambda: make("as_complex"), torch.view_as_complex, x)
    is_view(lambda: make("as_real"), torch.view_as_real, torch.view_as_complex(x))


def test_only_complex_numbers_have_parts() -> None:
    with pytest.raises(ShapeError, match="as_real needs complex numbers, has fp32"):
        applied(make("as_real"), torch.rand(2))
    with pytest.raises(ShapeError, match=r"as_complex needs pairs \(..., 2\)"):
        applied(make("as_complex"), torch.rand(2, 3))


@quick
@given(shapes, st.data())
def test_as_strided(shape, data) -> None:
    rank = data.draw(st.integers(0, 3))
    lists = st.lists(st.integers(0, 4), min_size=rank, max_size=rank)
    sizes, strides, offset = data.draw(lists), data.draw(lists), data.draw(st.integers(0, 3))
    is_view(
        lambda: make("as_strided", shape=sizes, strides=strides, offset=offset),
        lambda x: x.as_strided(sizes, strides, offset),
        torch.rand(shape),
    )


def test_as_strided_needs_a_stride_for_each_size() -> None:
    for strides in ((1,), (1, -1)):
        with pytest.raises(ArgumentError, match="strides: expected a number >= 0 for each size"):
            make("as_strided", shape=(2, 2), strides=strides)


IMAGE = torch.rand(2, 3, 5, 7)


def test_windows_read_their_elements() -> None:
    op = make("windows", dim=2, size=3, step=2)
    check_reach(applied(op, IMAGE), lambda x: x.unfold(2, 3, 2))


@pytest.mark.parametrize(
    ("kind", "arguments", "reach"),
    [
        ("view", {"shape": (2, 3, 35)}, None),  # positions in a row
        ("view", {"shape": (2, -1)}, (Reach(0, 4, 5), Reach(0, 6, 7))),  # flattened
        ("view", {"shape": (6, 1, 5, 7)}, None),  # channels join the batch
        ("expand", {"shape": (2, 3, 5, 7)}, None),
        ("unsqueeze", {"dim": 1}, None),
        ("select", {"dim": 2, "index": -1}, (Reach(4, 4, 5), Reach(0, 0, 1))),
        ("select", {"dim": 1, "index": 0}, None),
        ("windows", {"dim": 1, "size": 2}, None),
        ("diagonal", {"dim1": 2, "dim2": 3, "offset": 1}, (Reach(0, 0, 1), Reach(1, 1, 1))),
        ("diagonal", {"offset": -1}, None),
    ],
)
def test_where_views_read(kind, arguments, reach) -> None:
    assert applied(make(kind, **arguments), IMAGE).reach == reach


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("view", {"shape": (4, 5)}, r"2x3x5x7 has 210, \[4, 5\] has 20"),
        ("view", {"shape": (4, -1)}, r"\[4, -1\] has a multiple of 4"),
        ("expand", {"shape": (3, 5, 7)}, "keeps sizes that 2x3x5x7 does not have"),
        ("expand", {"shape": (-1, 2, 3, 5, 7)}, "keeps sizes that 2x3x5x7 does not have"),
        ("expand", {"shape": (2, 3, 5, 8)}, "sizes of 1 where they grow, has 2x3x5x7"),
        ("squeeze", {"dims": (4,)}, "names dimension 4"),
        ("unsqueeze", {"dim": 5}, "puts dimension 5 into an input with 4 dimensions"),
        ("select", {"dim": 2, "index": 5}, "takes position 5 of a dimension of 5"),
        ("windows", {"dim": 2, "size": 6}, "windows of 6 do not fit a dimension of 5"),
        ("diagonal", {"dim1": 3, "dim2": -1}, "names a dimension twice"),
    ],
)
def test_what_does_not_fit(kind, arguments, message) -> None:
    with pytest.raises(ShapeError, match=message):
        applied(make(kind, **arguments), IMAGE)


def test_wrong_shapes() -> None:
    for shape in ((-1, -1), (-2,)):
        with pytest.raises(ArgumentError, match="at most one -1"):
            make("view", shape=shape)
    with pytest.raises(ArgumentError, match="-1 to keep one"):
        make("expand", shape=(-2,))
