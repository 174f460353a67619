"""Elements at indices: types, and what is kept for training, as torch's; bytes of what is read."""

from __future__ import annotations

import math

import pytest
import torch
from against_torch import agrees, applied, keeps_as_torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, Reach, ShapeError, TensorType, Work
from archcost.ir.ops import make

quick = settings(max_examples=60, deadline=None)
sizes = st.integers(1, 4)
shapes = st.lists(sizes, min_size=1, max_size=4).map(tuple)
dims = st.integers(-5, 4)


def zeros(*shape):
    """Indices."""
    return torch.zeros(shape, dtype=torch.int64)


@quick
@given(shapes, dims, st.data())
def test_gather(shape, dim, data) -> None:
    rank = data.draw(st.sampled_from([len(shape), len(shape), len(shape) + 1]))
    index = zeros(*data.draw(st.lists(sizes, min_size=rank, max_size=rank)))
    application = agrees(
        lambda: make("gather", dim=dim),
        lambda x, i: torch.gather(x, dim, i),
        torch.rand(shape),
        index,
    )
    assert application is None or application.work == Work()


@quick
@given(shapes, dims, st.lists(st.integers(0, 3), max_size=3))
def test_index_select(shape, dim, index) -> None:
    def in_torch(x, i):
        """ONNX' Gather: torch's index_select takes a vector alone."""
        chosen = torch.index_select(x, dim, i.flatten())
        at = dim % x.dim()
        return chosen.reshape((*x.shape[:at], *i.shape, *x.shape[at + 1 :]))

    agrees(lambda: make("index_select", dim=dim), in_torch, torch.rand(shape), zeros(*index))


@st.composite
def indexed(draw: st.DrawFn):
    """A shape, dimensions of it in order, and a shape of indices for each."""
    shape = draw(shapes)
    places = sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    common = draw(st.lists(sizes, max_size=2))
    kept = [
        draw(st.lists(st.booleans(), min_size=len(common), max_size=len(common))) for _ in places
    ]
    indices = [[n if keep else 1 for n, keep in zip(common, row, strict=True)] for row in kept]
    if draw(st.integers(0, 5)) == 0:
        indices[0] = [2, 3]
    return shape, places, indices


def at(places, indices):
    """The indices as torch's operator takes them: Python's x[...] selects by those without
    dimensions first."""
    given = dict(zip(places, indices, strict=True))
    return [given.get(place) for place in range(max(places) + 1)]


@quick
@given(indexed())
def test_index(drawn) -> None:
    shape, places, indices = drawn
    agrees(
        lambda: make("index", dims=places),
        lambda x, *i: torch.ops.aten.index(x, at(places, i)),
        torch.rand(shape),
        *(zeros(*index) for index in indices),
    )


@quick
@given(indexed(), st.booleans(), st.data())
def test_index_put(drawn, accumulate, data) -> None:
    shape, places, indices = drawn
    tensors = [zeros(*index) for index in indices]
    x = torch.rand(shape)
    try:
        values = torch.rand(torch.ops.aten.index(x, at(places, tensors)).shape)
    except (IndexError, RuntimeError):
        values = torch.rand(())
    if data.draw(st.booleans()):  # those of the first place for all
        values = values.flatten()[:1].reshape(())
    elif data.draw(st.integers(0, 3)) == 0:
        values = torch.rand(*values.shape, 5)

    def in_torch(x, values, *i):
        return torch.ops.aten.index_put(x, at(places, i), values, accumulate)

    application = agrees(
        lambda: make("index_put", dims=places, accumulate=accumulate), in_torch, x, values, *tensors
    )
    if application is not None:
        count = torch.ops.aten.index(x, at(places, tensors)).numel()
        assert application.work == Work(add=count if accumulate else 0)


REDUCTIONS = {"sum": "sum", "product": "prod", "max": "amax", "min": "amin"}


@quick
@given(shapes, dims, st.sampled_from(["none", *REDUCTIONS]), st.data())
def test_scatter(shape, dim, reduction, data) -> None:
    each = st.lists(st.integers(1, 4), min_size=len(shape), max_size=len(shape))
    index, source = zeros(*data.draw(each)), torch.rand(data.draw(each))

    def in_torch(x, index, source):
        if reduction == "none":
            return torch.scatter(x, dim, index, source)
        return torch.scatter_reduce(x, dim, index, source, REDUCTIONS[reduction])

    application = agrees(
        lambda: make("scatter", dim=dim, reduction=reduction),
        in_torch,
        torch.rand(shape),
        index,
        source,
    )
    if application is not None:
        kind = {"none": "add", "sum": "add", "product": "mul"}.get(reduction, "cmp")
        assert application.work == Work(**{kind: index.numel() * (reduction != "none")})


X, AT, SOURCE = torch.rand(4, 5), torch.randint(0, 4, (4, 5)), torch.rand(4, 5)


@pytest.mark.parametrize(
    ("kind", "arguments", "function", "tensors"),
    [
        ("gather", {"dim": 0}, lambda x, i: x.gather(0, i), (X, AT)),
        ("index_select", {"dim": 0}, lambda x, i: x.index_select(0, i), (X, AT[0])),
        ("index", {"dims": [0, 1]}, lambda x, i, j: x[i, j], (X, AT, AT.clone())),
        ("index_put", {"dims": [0]}, lambda x, v, i: x.index_put((i,), v), (X, SOURCE, AT[:, 0])),
        ("scatter", {"dim": 0}, lambda x, i, s: x.scatter(0, i, s), (X, AT, SOURCE)),
        (
            "scatter",
            {"dim": 0, "reduction": "sum"},
            lambda x, i, s: x.scatter_add(0, i, s),
            (X, AT, SOURCE),
        ),
        (
            "scatter",
            {"dim": 0, "reduction": "max"},
            lambda x, i, s: x.scatter_reduce(0, i, s, "amax"),
            (X, AT, SOURCE),
        ),
    ],
)
def test_indices_are_kept_for_the_gradient(kind, arguments, function, tensors) -> None:
    keeps_as_torch(make(kind, **arguments), function, *tensors)


def test_only_what_is_chosen_is_read() -> None:
    x = torch.rand(100, 8)
    for application in (
        applied(make("index_select", dim=0), x, zeros(3)),
        applied(make("index", dims=[0]), x, zeros(3)),
        applied(make("gather", dim=0), x, zeros(3, 8)),
    ):
        chosen = 3 * 8 * 4
        assert application.written_bytes == chosen
        assert application.read_bytes == chosen + application.inputs[1].nbytes
    # Not more than there is, however often.
    assert applied(make("index_select", dim=0), x, zeros(1000)).read_bytes == 100 * 8 * 4 + 8000


def test_any_position_may_be_read() -> None:
    x = torch.rand(1, 2, 5, 6)
    assert applied(make("gather", dim=2), x, zeros(1, 2, 3, 6)).reach == (
        Reach(-2, 4, 1),
        Reach(0, 0, 1),
    )
    assert applied(make("index_select", dim=3), x, zeros(2)).reach == (
        Reach(0, 0, 1),
        Reach(-1, 5, 1),
    )
    points = applied(make("index", dims=[2, 3]), x, zeros(7), zeros(7))
    assert points.reach == (Reach(-6, 4, 1), Reach(-6, 5, 1))
    assert applied(make("index_select", dim=1), x, zeros(2)).reach is None
    source = torch.rand(1, 2, 5, 6)
    assert applied(make("scatter", dim=2), x, source.long(), source).reach == (
        Reach(-4, 4, 1),
        Reach(0, 0, 1),
    )
    put = applied(make("index_put", dims=[3]), x, torch.rand(()), zeros(2))
    assert put.reach == (Reach(0, 0, 1), Reach(-5, 5, 1))


@pytest.mark.parametrize(
    ("shape", "part", "new"),
    [
        ((4, 5), ((0, 4, 1), (1, 4, 2)), (4, 2)),
        ((4, 5), ((1, 2, 1), (0, 5, 1)), (5,)),
        ((4, 5), ((1, 2, 1), (0, 5, 1)), ()),
        ((4, 5), ((1, 3, 1), (2, 3, 1)), (2,)),  # a column: its dimension is gone
        ((4, 5), ((0, 4, 1), (0, 4, 1)), (3,)),
        ((4, 5), ((0, 4, 1), (0, 2, 1)), (9,)),
    ],
)
def test_assign(shape, part, new) -> None:
    def in_torch(x, new):
        y = x.clone()
        place = y[tuple(slice(*row) for row in part)]
        place.copy_(new.reshape(place.shape) if new.numel() == place.numel() else new)
        return y

    application = agrees(
        lambda: make("assign", part=part), in_torch, torch.rand(shape), torch.rand(new)
    )
    assert application is None or application.work == Work()


def test_a_part_that_is_not_known_is_no_larger_than_the_whole() -> None:
    x = TensorType((4, 5))
    assert make("assign").apply((x, TensorType((7,)))).outputs == (x,)
    with pytest.raises(ShapeError, match="has 21 new elements for the 20 of 4x5"):
        make("assign").apply((x, TensorType((21,))))
    with pytest.raises(ShapeError, match="part of 1 dimensions, its input has 2"):
        make("assign", part=((0, 1, 1),)).apply((x, x))
    with pytest.raises(ShapeError, match="assign up to 6 of a dimension of 5"):
        make("assign", part=((0, 4, 1), (0, 6, 1))).apply((x, x))
    with pytest.raises(ArgumentError, match=r"part: expected \(start, stop, step\)"):
        make("assign", part=((0, 4),))


@quick
@given(st.lists(sizes, max_size=3), st.data())
def test_nonzero(shape, data) -> None:
    x = torch.tensor(data.draw(st.lists(st.booleans(), min_size=64, max_size=64)))
    x = x[: math.prod(shape)].reshape(shape)
    count = int(x.count_nonzero())
    application = agrees(lambda: make("nonzero", count=count), torch.nonzero, x)
    assert application is not None
    assert application.work == Work()


def test_nonzero_finds_no_more_than_there_are() -> None:
    with pytest.raises(ShapeError, match="finds 21 places among 20"):
        make("nonzero", count=21).apply((TensorType((4, 5)),))


@quick
@given(st.lists(sizes, max_size=3))
def test_one_hot(shape) -> None:
    op = make("one_hot", classes=7)
    assert agrees(lambda: op, lambda x: torch.nn.functional.one_hot(x, 7), zeros(*shape))
    assert op.with_dtype("fp16") == op
    fractions = make("one_hot", classes=7, dtype="fp32")
    assert fractions.with_dtype("fp16") == make("one_hot", classes=7, dtype="fp16")


@pytest.mark.parametrize(
    ("kind", "arguments", "tensors", "message"),
    [
        ("gather", {"dim": 0}, (X, SOURCE), "gather needs indices that are integers .* has fp32"),
        ("gather", {"dim": 0}, (X, zeros(4)), "4 does not fit 4x5"),
        ("gather", {"dim": 0}, (X, zeros(4, 6)), "none larger; 4x6 does not fit 4x5"),
        ("gather", {"dim": 2}, (X, AT), "names dimension 2"),
        ("index_select", {"dim": 0}, (X, X > 0), "indices that are integers .* has bool"),
        ("index", {"dims": [0, 1]}, (X, AT), "index of 2 dimensions needs as many tensors"),
        ("index", {"dims": [0, -2]}, (X, AT, AT), "names a dimension twice"),
        ("index_put", {"dims": [0]}, (X, SOURCE, zeros(3)), "4x5 does not fit 3x5"),
        ("index_put", {"dims": [0]}, (X, AT[0], zeros(3)), "puts int64 into a tensor of fp32"),
        ("scatter", {"dim": 0}, (X, AT, AT), "scatter puts int64 into a tensor of fp32"),
        ("one_hot", {"classes": 3}, (X,), "one_hot needs indices that are integers"),
    ],
)
def test_what_does_not_fit(kind, arguments, tensors, message) -> None:
    with pytest.raises(ShapeError, match=message):
        applied(make(kind, **arguments), *tensors)
