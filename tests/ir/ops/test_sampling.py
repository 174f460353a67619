"""Sampling at given places: types and what is kept as torch's, work by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from against_torch import applied, keeps_as_torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import Reach, ShapeError, TensorType, Work
from archcost.ir.ops.interpolation import CUBIC_WEIGHTS, interpolated
from archcost.ir.ops.sampling import GridSample, RoiAlign

quick = settings(max_examples=40, deadline=None)
sizes = st.integers(1, 4)


@quick
@given(st.integers(2, 3), st.data(), st.sampled_from(["nearest", "bilinear"]))
def test_grid_sample(rank, data, mode):
    batch, channels = data.draw(sizes), data.draw(sizes)
    image, places = ([data.draw(sizes) for _ in range(rank)] for _ in range(2))
    x, grid = torch.zeros(batch, channels, *image), torch.zeros(batch, *places, rank)

    def function(x, grid):
        return F.grid_sample(x, grid, mode, align_corners=False)

    keeps_as_torch(GridSample(mode), function, x, grid)
    application = applied(GridSample(mode), x, grid)
    assert application.outputs == (TensorType(tuple(function(x, grid).shape)),)
    assert application.reach == tuple(Reach(0, n - 1, n) for n in image)


def test_grid_sample_by_hand():
    types = TensorType((1, 3, 8, 8)), TensorType((1, 4, 5, 2))
    # 40 coordinates; 60 elements, each from 4 neighbours or from 16.
    assert GridSample("nearest").apply(types).work == Work(mul=40, add=40)
    linear = Work(mul=40, add=80) + Work(add=6, mul=3).times(60)
    assert GridSample().apply(types).work == linear
    cubic = Work(mul=40, add=80) + CUBIC_WEIGHTS.times(40) + Work(mul=20, add=15).times(60)
    assert GridSample("bicubic").apply(types).work == cubic


class Counted:
    """A number that counts what is done with it."""

    def __init__(self, tally):
        self.tally = tally

    def __add__(self, other):
        self.tally["add"] += 1
        return self

    __sub__ = __rsub__ = __radd__ = __add__

    def __mul__(self, other):
        self.tally["mul"] += 1
        return self

    __rmul__ = __mul__


def test_the_weights_of_a_cubic_interpolation():
    """Keys' polynomials with a = -3/4, by Horner's rule; that they are torch's is shown below."""
    tally = {"add": 0, "mul": 0}
    _cubic_weights(Counted(tally))
    assert Work(**tally) == CUBIC_WEIGHTS
    x = torch.rand(1, 1, 1, 8, dtype=torch.float64)
    weights = torch.tensor(_cubic_weights(0.3), dtype=torch.float64)
    at = (2 * (3 + 0.3) + 1) / 8 - 1
    grid = torch.tensor([[[[at, 0.0]]]], dtype=torch.float64)
    y = F.grid_sample(x, grid, "bicubic", "border", align_corners=False)
    torch.testing.assert_close(y[0, 0, 0, 0], x[0, 0, 0, 2:6] @ weights)


def _cubic_weights(t, a=-0.75):
    def outer(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    def inner(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    return [outer(t + 1), inner(t), inner(1 - t), outer(2 - t)]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_cubic_interpolation_is_that_of_its_steps(rank):
    steps = sum(4**left for left in range(rank))  # 4^rank neighbours, a dimension at a time
    assert interpolated("bicubic", rank) == Work(mul=4, add=3).times(steps)
    assert interpolated("nearest", rank) == Work()


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (GridSample(), [(1, 3, 8), (1, 4, 1)], "needs no input of 1 spatial dimensions"),
        (GridSample("bicubic"), [(1, 3, 8, 8, 8), (1, 2, 2, 2, 3)], "of 3 spatial dimensions"),
        (GridSample(), [(1, 3, 8, 8), (2, 4, 4, 2)], r"grid \(1, 2 spatial sizes, 2\)"),
        (GridSample(), [(1, 3, 8, 8), (1, 4, 4, 3)], "has 1x4x4x3"),
        (GridSample(), [(1, 3, 8, 8), (1, 4, 2)], "has 1x4x2"),
        (RoiAlign(7), [(1, 3, 8), (5, 5)], r"input \(N, C, H, W\)"),
        (RoiAlign(7), [(1, 3, 8, 8), (5, 4)], r"boxes \(K, 5\), has 5x4"),
        (RoiAlign(7), [(1, 3, 8, 8), (5, 5), (5,)], r"boxes \(K, 4\), has 5x5"),
        (RoiAlign(7), [(1, 3, 8, 8), (5, 4), (4,)], "5 indices of images, has 4"),
        (RoiAlign((7, 5, 3)), [(1, 3, 8, 8), (5, 5)], "size for 3 dimensions"),
    ],
)
def test_errors(op, shapes, message):
    with pytest.raises(ShapeError, match=message):
        op.apply(tuple(map(TensorType, shapes)))


# --- regions -----------------------------------------------------------------------------------

X, BOXES = (2, 3, 8, 9), (5, 5)


def test_regions_by_hand():
    types = TensorType(X), TensorType(BOXES)
    elements = 5 * 3 * 7 * 7
    one = RoiAlign(7).apply(types)
    assert one.outputs == (TensorType((5, 3, 7, 7)),)
    assert one.work == Work(add=6, mul=3, div=1).times(elements)
    assert RoiAlign(7, samples=2).apply(types).work == (
        Work(add=4 * 6 + 3, mul=4 * 3, div=1).times(elements)
    )
    assert RoiAlign(7, pool=True).apply(types).work == Work()
    assert one.reach == (Reach(0, 7, 8), Reach(0, 8, 9))
    images = TensorType((5,), "int64")
    split = RoiAlign((7, 2)).apply((types[0], TensorType((5, 4)), images))
    assert split.outputs == (TensorType((5, 3, 7, 2)),)
    assert split.saved == ((1, 2), False, 0)


@pytest.mark.parametrize("pool", [False, True])
def test_regions_keep_what_torchvision_keeps(pool):
    ops = pytest.importorskip("torchvision.ops")
    x, boxes = torch.rand(X, requires_grad=True), torch.zeros(BOXES)
    resample = ops.roi_pool if pool else ops.roi_align
    application = applied(RoiAlign(3, pool=pool), x, boxes)
    assert application.outputs == (TensorType(tuple(resample(x, boxes, 3).shape)),)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        resample(x, boxes, 3)
    assert application.saved[:2] == ((1,), False)
    assert sum(t.nbytes for t in kept) == boxes.nbytes + application.saved.extra
